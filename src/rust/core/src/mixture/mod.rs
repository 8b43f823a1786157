//! Gaussian mixtures: hidden labels.
//!
//! `model` names the parameters and the covariance models, `stats` the sufficient statistics, `expect` takes
//! the statistics from rows, `maximize` turns them into parameters.

pub mod data;
pub mod expect;
pub mod model;
pub mod moments;
pub mod stats;
