//! Draws of the covariance matrices of random effects given the clones of the effects.
//!
//! J vectors b ~ N(0, Σ) with Σ_j b_j b_jᵀ = S have likelihood |Σ|^(-J/2) exp(-tr(Σ⁻¹S) / 2), that of an inverse
//! Wishart distribution with J degrees of freedom but for |Σ|^((q + 1) / 2). So Σ is proposed from it, and
//! accepted by what the prior is relative to |Σ|^(-(q + 1) / 2): always where the log standard deviation of a
//! single effect has a flat prior. Blocks with a known standard deviation are drawn coordinate by coordinate.

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::parameters::Layout;
use super::prior::Prior;
use super::slice::slice;
use super::wishart::bartlett;
use crate::linalg::cholesky;

/// The covariance matrix of one block, given its effects.
#[derive(Debug, Clone, Copy)]
pub struct CovarianceStep<'a> {
    pub layout: &'a Layout,
    pub prior: &'a Prior,
    /// The block.
    pub block: usize,
    /// Number of vectors, J.
    pub draws: f64,
}

impl CovarianceStep<'_> {
    /// Draws the coordinates of the block in `w` given the scatter S of its effects; `widths` are those of slices,
    /// one for each coordinate. Returns whether they moved.
    pub fn draw(
        &self,
        scatter: &DMatrix<f64>,
        widths: &[f64],
        w: &mut [f64],
        rng: &mut ChaCha8Rng,
    ) -> bool {
        let free = self.layout.blocks[self.block].deviation.is_none();
        match cholesky(scatter) {
            Ok(root) if free && self.draws >= root.nrows() as f64 => self.propose(&root, w, rng),
            _ => self.slice_coordinates(scatter, widths, w, rng),
        }
    }

    /// The inverse Wishart proposal, with S = A Aᵀ.
    fn propose(&self, root: &DMatrix<f64>, w: &mut [f64], rng: &mut ChaCha8Rng) -> bool {
        let Some(wishart) = bartlett(self.draws, root.nrows(), rng) else {
            return false;
        };
        // A T⁻ᵀ, the root of A (T Tᵀ)⁻¹ Aᵀ.
        let Some(inverse) = wishart.solve_lower_triangular(&root.transpose()) else {
            return false;
        };
        let mut proposed = w.to_vec();
        self.layout
            .set_factor(self.block, &inverse.transpose(), &mut proposed);
        let log_ratio = self.weight(&proposed) - self.weight(w);
        let accepted = log_ratio >= 0.0 || rng.random::<f64>().ln() < log_ratio;
        if accepted {
            w.copy_from_slice(&proposed);
        }
        accepted
    }

    /// The prior density of Σ relative to |Σ|^(-(q + 1) / 2).
    fn weight(&self, w: &[f64]) -> f64 {
        let factor = self.layout.factor(self.block, w);
        let log_det: f64 = factor.diagonal().iter().map(|x| x.ln()).sum();
        self.prior.log_density(w) - self.layout.log_jacobian(w)
            + (factor.nrows() + 1) as f64 * log_det
    }

    fn slice_coordinates(
        &self,
        scatter: &DMatrix<f64>,
        widths: &[f64],
        w: &mut [f64],
        rng: &mut ChaCha8Rng,
    ) -> bool {
        let first = self.layout.block_at(self.block);
        let last = self.layout.block_at(self.block + 1);
        let mut here = self.log_density(scatter, w);
        for at in first..last {
            let mut trial = w.to_vec();
            let (x, density) = slice(w[at], here, widths[at], rng, |x| {
                trial[at] = x;
                self.log_density(scatter, &trial)
            });
            (w[at], here) = (x, density);
        }
        last > first
    }

    /// log density of the effects and of w, up to a constant.
    pub fn log_density(&self, scatter: &DMatrix<f64>, w: &[f64]) -> f64 {
        let factor = self.layout.factor(self.block, w);
        let log_det: f64 = factor.diagonal().iter().map(|x| x.ln()).sum();
        let Some(half) = factor.solve_lower_triangular(scatter) else {
            return f64::NEG_INFINITY;
        };
        let Some(white) = factor.solve_lower_triangular(&half.transpose()) else {
            return f64::NEG_INFINITY;
        };
        self.prior.log_density(w) - self.draws * log_det - 0.5 * white.trace()
    }
}
