//! Gaussian mixtures: hidden labels.
//!
//! `model` names the parameters and the covariance models, `stats` the sufficient statistics, `expect` takes
//! the statistics from rows, `missing` from rows with missing values, `maximize` turns them into parameters,
//! `start` finds the first ones.

pub mod data;
pub mod expect;
pub mod missing;
pub mod model;
pub mod moments;
pub mod start;
pub mod stats;
