//! Multivariate sample selection for R: `ember_core::selection` behind named lists.

mod evaluate;
mod fit;
mod profile;
mod conditional;
pub mod read;
mod two_step;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod selection;
    use evaluate;
    use fit;
    use profile;
    use conditional;
    use two_step;
}
