//! Data cloning for R: `ember_core::cloning` behind named lists.

mod read;
mod run;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod cloning;
    use run;
}
