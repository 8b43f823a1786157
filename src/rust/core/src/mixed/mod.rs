//! Linear mixed models: hidden random effects.
//!
//! y = X β + Z b + e with b = Λ(θ) u, u ~ N(0, σ² I) and e ~ N(0, σ² W⁻¹). The rows enter once, as
//! cross-products; everything after that costs nothing per row.

pub mod basis;
pub mod covariances;
pub mod criterion;
pub mod cross_products;
pub mod em;
pub mod expansion;
pub mod expect;
pub mod factor;
pub mod kenward_roger;
pub mod leverages;
pub mod maximize;
pub mod profile;
mod projection;
pub mod residual;
pub mod rows;
pub mod satterthwaite;
pub mod selected_inverse;
pub mod slice;
pub mod structure;
pub mod variances;
