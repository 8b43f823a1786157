//! What an approximation of the likelihood knows of the random effects at its last point.

use nalgebra::DMatrix;

/// The conditional modes û of the random effects and the parts of the criterion there.
pub trait Modes {
    /// û, q × levels for each core term.
    fn spherical(&self) -> Vec<DMatrix<f64>>;

    /// η at û, offset included.
    fn linear_predictor(&self) -> &[f64];

    /// log |ΛᵀZᵀWZΛ + I| at û.
    fn log_det_random(&self) -> f64;

    /// -2 log p(y | û).
    fn conditional(&self) -> f64;

    /// |û|².
    fn penalty(&self) -> f64;
}
