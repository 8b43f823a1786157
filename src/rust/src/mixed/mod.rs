//! Linear mixed models for R: `ember_core::mixed` behind named lists.

mod fit;
pub mod read;
pub mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod mixed;
    use fit;
}
