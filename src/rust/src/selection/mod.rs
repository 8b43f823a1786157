//! Multivariate sample selection for R: `ember_core::selection` behind named lists.

mod conditional;
pub mod read;
mod two_step;

use extendr_api::prelude::*;

extendr_module! {
    mod selection;
    use conditional;
    use two_step;
}
