//! Linear mixed models: hidden random effects.
//!
//! y = X β + Z b + e with b = Λ(θ) u, u ~ N(0, σ² I) and e ~ N(0, σ² W⁻¹). The rows enter once, as
//! cross-products; everything after that costs nothing per row.

mod accumulate;
pub(crate) mod average_information;
pub mod basis;
pub mod bootstrap;
pub(crate) mod boundary;
mod chain;
pub mod coincidence;
pub mod conditional;
mod conditioned;
mod constrain;
pub mod converged;
pub mod covariances;
pub mod criterion;
pub mod cross_products;
pub(crate) mod curve;
pub mod effect_moments;
pub mod em;
pub mod expansion;
pub mod expect;
pub mod factor;
pub mod fit;
pub(crate) mod frame;
mod inverse;
pub mod kenward_roger;
mod layout;
pub mod leverages;
pub mod maximize;
pub(crate) mod natural;
pub(crate) mod order;
pub mod profile;
mod projection;
pub mod residual;
pub mod rows;
pub mod satterthwaite;
pub(crate) mod scale;
mod score;
pub mod selected_inverse;
pub mod simulate;
pub mod slice;
pub(crate) mod start;
pub mod structure;
mod tail;
pub mod variances;
pub mod working;
