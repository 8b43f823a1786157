//! M⁻¹ where the data put something: the blocks of the inverse that gradients, EM and variances need.
//!
//! M = [ΛᵀZᵀWZΛ + I, ΛᵀZᵀWX̃; ·, X̃ᵀWX̃]. Times σ² its inverse is the joint covariance of the errors of
//! (û, β̃) with X̃ = X T (see [`super::basis`]).

use nalgebra::DMatrix;

/// Blocks of M⁻¹, laid out as those of [`super::cross_products::CrossProducts`].
#[derive(Debug, Clone)]
pub struct SelectedInverse {
    pub(super) diagonal: Vec<Vec<f64>>,
    pub(super) pairs: Vec<Vec<f64>>,
    pub(super) fixed: Vec<Vec<f64>>,
    pub(super) coefficients: DMatrix<f64>,
}

impl SelectedInverse {
    /// Blocks of the levels of a term with themselves: q × q per level.
    pub fn diagonal(&self, term: usize) -> &[f64] {
        &self.diagonal[term]
    }

    /// Blocks of the levels that occur together, q_first × q_second column-major, in the order of
    /// [`super::cross_products::CrossProducts::pairs`]`[k]`.
    pub fn pairs(&self, k: usize) -> &[f64] {
        &self.pairs[k]
    }

    /// Blocks of the levels of a term with β̃: p × q column-major per level. Zero in an inverse without β.
    pub fn fixed(&self, term: usize) -> &[f64] {
        &self.fixed[term]
    }

    /// The block of β̃, p × p. Zero in an inverse without β.
    pub fn coefficients(&self) -> &DMatrix<f64> {
        &self.coefficients
    }
}
