//! Standard errors of a fitted mixture: score, information, delta method.
//!
//! `chart` gives the free parameters smooth local coordinates at the fit (in the `frame` of each
//! covariance model), `score` takes first and second
//! derivatives of the log-likelihood from the rows in one pass, `information` inverts what they sum to and
//! says where it cannot, `coefficients` carries the answer over to the parameters that users read.

pub mod chart;
pub mod coefficients;
mod frame;
mod geometry;
pub mod information;
pub mod score;

pub use chart::Chart;
pub use coefficients::{Coefficient, CoefficientKind, CovarianceScale, Report};
pub use information::{Estimator, Inference};
