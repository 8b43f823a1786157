//! Data cloning: maximum likelihood by MCMC (Lele, Dennis and Lutscher 2007, *Ecology Letters* 10, 551-563).
//!
//! The posterior of K independent copies of the data is L(w)ᴷ π(w). As K grows it becomes normal around the
//! maximum likelihood estimate with K⁻¹ times the inverse information, whatever the prior; where the data do not
//! determine w it does not shrink, which is how data cloning finds what cannot be estimated (Lele, Nadeem and
//! Schmuland 2010, *JASA* 105, 1617-1625).

pub mod cells;
pub mod chains;
pub mod clones;
pub mod collapsed;
pub mod covariance_step;
pub mod crossed_clones;
mod doubling;
pub mod gibbs;
pub mod independence;
pub mod independent;
pub mod laplace_target;
pub mod level_likelihood;
pub mod level_modes;
mod level_step;
pub mod mode;
pub mod parameters;
pub mod posterior;
pub mod predict;
pub mod prior;
mod proposal;
pub mod quadrature_target;
pub mod scale_step;
pub mod shift;
pub mod slice;
pub mod small;
pub mod target;
pub mod walk;
pub mod wishart;
