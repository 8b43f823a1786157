//! Minimisation of smooth functions of a few coordinates, whatever the family.

mod minimizer;
pub(crate) mod trust_region;

pub(crate) use minimizer::{Minimizer, Objective};
