//! The collapsed sampler against numerical integration, closed forms and other roads to the same posterior.

mod balanced;
mod independent;
mod likelihood;
mod one_way;
#[path = "../cloning_gibbs/statistics.rs"]
mod statistics;
