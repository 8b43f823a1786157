//! Data cloning for R: `ember_core::cloning` behind named lists.

mod generalized;
mod random_effects;
mod read;
mod run;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod cloning;
    use generalized;
    use random_effects;
    use run;
}
