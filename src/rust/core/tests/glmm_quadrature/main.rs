//! Adaptive quadrature against fine grids, differences and lme4.

mod brute_force;
mod gradient;
mod groups;
mod lme4;
mod models;
