//! Multivariate sample selection for R: `ember_core::selection` behind named lists.

mod conditional;
mod likelihood;
mod maximum_likelihood;
mod monte_carlo;
mod profile_likelihood;
pub mod read;
mod two_step;
mod write;

use extendr_api::prelude::*;

extendr_module! {
    mod selection;
    use conditional;
    use likelihood;
    use maximum_likelihood;
    use monte_carlo;
    use profile_likelihood;
    use two_step;
}
