//! Inference in mixed models against its definitions, with n × n matrices.

mod dense;
mod kenward_roger;
#[path = "../mixed_criterion/models.rs"]
mod models;
mod profile;
mod satterthwaite;
mod variances;
