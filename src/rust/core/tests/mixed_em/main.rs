//! EM and PX-EM for mixed models: moments against their definition, ascent, and the optimum that they share
//! with every other method.

mod agreement;
mod ascent;
#[path = "../mixed_criterion/models.rs"]
mod models;
mod moments;
