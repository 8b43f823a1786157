//! Samplers of cloned models against closed forms, against each other, and by simulation.

mod balanced;
mod joint;
mod joint_glmm;
mod poisson;
mod predict;
mod responses;
mod sample;
mod statistics;
