//! Gaussian mixtures: hidden labels.
//!
//! `model` names the parameters and the covariance models, `stats` the sufficient statistics. `expect` takes
//! the statistics from rows, `missing` from rows with holes; `maximize` turns them into parameters while it
//! respects the `rules` (`known` parameters, a `prior`, a floor, the `degeneracy` test). `start` finds the first
//! parameters, `fit` iterates, `search` compares; `inference`, `distribution`, `entropy` and `saddle` say what a
//! fit is worth.

pub mod bootstrap;
pub mod coordinates;
pub mod criteria;
pub mod data;
pub mod degeneracy;
pub mod distribution;
pub mod entropy;
pub mod expect;
pub mod fit;
pub mod inference;
pub mod known;
pub mod maximize;
pub mod missing;
pub mod model;
pub mod moments;
pub mod partition;
pub mod prior;
pub mod problem;
pub mod rules;
pub mod saddle;
pub mod search;
pub mod source;
pub mod spread;
pub mod start;
pub mod stats;
