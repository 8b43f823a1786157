//! What an approximation of the likelihood knows of the random effects at its last point.

use nalgebra::DMatrix;

use super::laplace::Laplace;
use super::problem::Criterion;

/// The conditional modes û of the random effects and the parts of the criterion there.
pub trait Modes {
    /// û, q × levels for each core term.
    fn spherical(&self) -> Vec<DMatrix<f64>>;

    /// η at û, offset included.
    fn linear_predictor(&self) -> Vec<f64>;

    /// log |ΛᵀZᵀWZΛ + I| at û.
    fn log_det_random(&self) -> f64;

    /// -2 log p(y | û).
    fn conditional(&self) -> f64;

    /// |û|².
    fn penalty(&self) -> f64;
}

/// An approximation of the likelihood: its criterion and the modes around which it is made.
pub trait Approximation: Criterion + Modes {}

impl<T: Criterion + Modes> Approximation for T {}

impl Modes for Laplace<'_> {
    fn spherical(&self) -> Vec<DMatrix<f64>> {
        let terms = self.problem().rows.terms.iter().enumerate();
        terms
            .map(|(t, term)| {
                let (q, u) = (term.columns.len(), self.spherical_modes(t));
                DMatrix::from_column_slice(q, term.levels, u)
            })
            .collect()
    }

    fn linear_predictor(&self) -> Vec<f64> {
        self.eta().to_vec()
    }

    fn log_det_random(&self) -> f64 {
        self.factor().log_det_random()
    }

    fn conditional(&self) -> f64 {
        -2.0 * self.conditional_log_likelihood()
    }

    fn penalty(&self) -> f64 {
        let terms = 0..self.problem().rows.terms.len();
        let squares = terms.flat_map(|t| self.spherical_modes(t)).map(|u| u * u);
        squares.sum()
    }
}
