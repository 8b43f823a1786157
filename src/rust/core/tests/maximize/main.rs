//! M-steps against mclust, against perturbations, and inside a plain EM loop.

mod ascent;
mod data;
mod equivariance;
mod mclust;
mod orientation;
mod prior;
mod rules;
mod stationary;
