//! Generalised linear mixed models: random effects hidden behind a density that is not normal.
//!
//! η = X β + offset + Z b with b = Λ(θ) u and u ~ N(0, I); given η the rows are independent. The integral over u has
//! no closed form: the likelihood is approximated around the conditional mode of u.

mod batch;
mod constants;
mod exposure;
pub mod family;
pub mod fit;
mod fixed_effects;
mod gauss_hermite;
mod groups;
mod independent;
mod integral;
pub mod laplace;
mod limits;
pub mod modes;
mod pirls;
pub mod problem;
pub mod profile;
pub mod quadrature;
pub mod refit;
mod sample;
mod search;
pub mod separation;
mod small;
pub mod start;
pub mod verdict;
mod working;
