//! The normal distribution: tails, truncation, orthant probabilities and moments.

pub mod orthant;
mod ray;
pub mod truncated;
pub mod univariate;
