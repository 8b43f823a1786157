//! ember-core: maximum likelihood for models in which part of the data is hidden.
//!
//! Every family is the same machine (see [`em`]):
//!
//! ```text
//! shard of rows --expect(params)--> sufficient statistics (they add) --maximize--> params
//! ```
//!
//! The crate knows no R. Matrices are column-major, one row per observation.

pub mod cloning;
pub mod em;
pub mod error;
pub mod glmm;
pub mod linalg;
pub mod mixed;
pub mod mixture;
pub mod normal;
pub(crate) mod optimize;
pub mod rng;
pub mod selection;
pub mod shard;
pub mod simd;
pub mod tasks;

pub use error::{Error, Result};
pub use nalgebra;

/// Version of the core, the same as that of the R package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
