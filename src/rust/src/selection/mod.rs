//! Multivariate sample selection for R: `ember_core::selection` behind named lists.

mod conditional;
pub mod read;

use extendr_api::prelude::*;

extendr_module! {
    mod selection;
    use conditional;
}
