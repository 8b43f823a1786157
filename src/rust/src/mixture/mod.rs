//! Gaussian mixtures for R: `ember_core::mixture` behind named lists.

mod inference;
mod predict;
mod read;
mod search;
mod stats;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod mixture;
    use inference;
    use predict;
    use search;
    use stats;
}
