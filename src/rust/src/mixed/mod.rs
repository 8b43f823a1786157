//! Linear mixed models for R: `ember_core::mixed` behind named lists.

mod bootstrap;
mod fit;
pub mod read;
mod uncertainty;
pub mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod mixed;
    use bootstrap;
    use fit;
    use uncertainty;
}
