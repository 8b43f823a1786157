//! The normal distribution: tails, truncation, orthant probabilities and moments.
