//! The normal distribution: tails, truncation, orthant probabilities and moments.

pub mod bivariate;
pub mod gauss_legendre;
mod ghk;
mod lattice;
pub mod orthant;
mod plackett;
mod ray;
mod slices;
mod trivariate;
pub mod truncated;
pub mod univariate;
mod wedge;
