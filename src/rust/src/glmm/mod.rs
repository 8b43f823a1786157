//! Generalised linear mixed models for R: `ember_core::glmm` behind named lists.

mod criterion;
mod fit;
pub mod read;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod glmm;
    use criterion;
    use fit;
}
