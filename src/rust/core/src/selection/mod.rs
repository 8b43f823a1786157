//! Multivariate sample selection: outcomes that are seen only where a latent variable is positive.
//!
//! After P. Li (2014), *Estimation of Multivariate Sample Selection Models via a Parameter-Expanded Monte Carlo EM
//! Algorithm*, Theoretical Economics Letters 4. Row i has J outcomes y* = Xβ + ε and J latent selections
//! s* = Wγ + v, with (ε, v) ~ N(0, Ω) and the diagonal of Ω_vv equal to 1; y_j is observed where s*_j > 0.

mod ascent;
pub mod averaging;
pub(crate) mod block;
pub mod chains;
pub(crate) mod columns;
pub mod conditional;
pub mod constrained;
pub mod coordinates;
pub mod data;
pub mod draws;
pub mod em;
mod equation;
#[cfg(test)]
pub(crate) mod examples;
pub mod expect;
pub mod fit;
pub mod gain;
pub mod gibbs;
pub mod gram;
pub mod imputation;
pub mod information;
mod latent_selections;
pub mod layout;
pub mod louis;
pub mod maximize;
pub mod missing_outcomes;
pub mod model;
pub mod modes;
pub mod monte_carlo;
pub(crate) mod pattern;
pub mod prediction;
pub mod probit;
pub mod profile;
pub(crate) mod regressors;
mod sample;
mod scan;
pub mod score;
mod search;
pub mod start;
mod starts;
#[cfg(test)]
mod tests;
pub mod two_step;
mod verdict;
pub mod walker;

pub use coordinates::Coordinates;
pub use data::{Data, Design};
pub use em::SelectionModel;
pub use expect::{expect, Statistics};
pub use gram::Gram;
pub use layout::{Layout, Parameters};
