//! The Laplace criterion of generalised linear mixed models and its gradient.

mod definition;
mod gradient;
mod models;
mod peers;
