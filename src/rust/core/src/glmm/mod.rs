//! Generalised linear mixed models: random effects hidden behind a density that is not normal.
//!
//! η = X β + offset + Z b with b = Λ(θ) u and u ~ N(0, I); given η the rows are independent. The integral over u has
//! no closed form: the likelihood is approximated around the conditional mode of u.

mod constants;
pub mod family;
pub mod fit;
mod independent;
pub mod laplace;
pub mod modes;
mod pirls;
pub mod problem;
mod search;
pub mod separation;
pub mod start;
pub mod verdict;
mod working;
