//! The criterion of mixed models and its gradient against the definition: a multivariate normal density with
//! an n × n covariance matrix.

mod definition;
mod gradient;
mod lme4;
mod models;
mod statistics;
mod values;
mod wide;
