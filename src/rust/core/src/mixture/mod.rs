//! Gaussian mixtures: hidden labels.
//!
//! `model` names the parameters and the covariance models, `stats` the sufficient statistics. `expect` takes
//! the statistics from rows, `missing` from rows with holes; `maximize` turns them into parameters while it
//! respects the `rules` (`known` parameters, a `prior`, a floor, the `degeneracy` test). `coordinates` are for
//! extrapolation, `start` finds the first parameters.
//! `model` names the parameters and the covariance models, `stats` the sufficient statistics, `start` finds
//! where to begin, `expect` takes the statistics from rows, `maximize` turns them into parameters. `inference`
//! has the standard errors, `distribution` what the fitted mixture says about new rows, `entropy` how well its
//! components are told apart, `saddle` whether the fit is a maximum at all.

pub mod coordinates;
pub mod data;
pub mod degeneracy;
pub mod distribution;
pub mod entropy;
pub mod expect;
pub mod inference;
pub mod known;
pub mod maximize;
pub mod missing;
pub mod model;
pub mod moments;
pub mod prior;
pub mod rules;
pub mod saddle;
pub mod start;
pub mod stats;
