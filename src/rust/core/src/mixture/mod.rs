//! Gaussian mixtures: hidden labels.
//!
//! `model` names the parameters and the covariance models, `stats` the sufficient statistics. `expect` takes
//! the statistics from rows, `missing` from rows with holes; `maximize` turns them into parameters while it
//! respects the `rules` (`known` parameters, a `prior`, a floor, the `degeneracy` test). `coordinates` are for
//! extrapolation, `start` finds the first parameters.

pub mod coordinates;
pub mod data;
pub mod degeneracy;
pub mod expect;
pub mod known;
pub mod maximize;
pub mod model;
pub mod moments;
pub mod prior;
pub mod rules;
pub mod start;
pub mod stats;
