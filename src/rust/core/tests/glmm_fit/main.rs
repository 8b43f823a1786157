//! Whole fits of generalised linear mixed models.

mod data;
mod fits;
mod quadrature;
mod separated;
