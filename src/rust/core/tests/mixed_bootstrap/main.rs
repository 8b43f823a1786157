//! Simulated responses and fits to them.

#[path = "../mixed_criterion/models.rs"]
mod models;
mod replicates;
mod simulate;
