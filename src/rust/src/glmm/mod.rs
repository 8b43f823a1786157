//! Generalised linear mixed models for R: `ember_core::glmm` behind named lists.

mod estimate;
mod evaluate;
mod profile;
pub mod read;
mod refit;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod glmm;
    use estimate;
    use evaluate;
    use profile;
    use refit;
}
