//! Whole fits of generalised linear mixed models.

mod data;
mod fits;
mod profiles;
mod refits;
mod separated;
