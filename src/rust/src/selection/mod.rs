//! Multivariate sample selection for R: `ember_core::selection` behind named lists.

pub mod read;
mod two_step;

use extendr_api::prelude::*;

extendr_module! {
    mod selection;
    use two_step;
}
