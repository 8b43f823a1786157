//! Linear mixed models for R: `ember_core::mixed` behind named lists.

mod bootstrap;
mod fit;
mod inference;
pub mod read;
pub mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod mixed;
    use bootstrap;
    use fit;
    use inference;
}
