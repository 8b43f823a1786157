//! Sufficient statistics of a Gaussian mixture: small, and they add.

use nalgebra::DMatrix;

use crate::shard::Merge;

/// What one E-step at reference parameters θ_t says about some rows.
///
/// First and second moments are taken in the **whitened, centred** coordinates of θ_t:
/// y = L_k⁻¹(x − μ_k) with L_k = chol Σ_k, so they lose no digits to a large mean or scale. Statistics merge
/// only when they were taken at the same θ_t. With p = d(d+1)/2, or p = d for a diagonal model
/// ([`is_diagonal`](super::model::CovarianceModel::is_diagonal)), which needs no cross-products.
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureStats {
    /// Rows that were read (whatever their weights).
    pub rows: u64,
    /// Sum of row weights (n when there are none).
    pub total_weight: f64,
    /// K values N_k = Σ w_i r_ik.
    pub counts: Vec<f64>,
    /// d × K: column k is Σ w_i r_ik y_i.
    pub sums: DMatrix<f64>,
    /// p × K: column k is the lower triangle, row by row, of Σ w_i r_ik y_i y_iᵀ (only its diagonal for a
    /// diagonal model); p × 0 for a pooled model whose total scatter is known, where first moments are enough.
    pub crosses: DMatrix<f64>,
    /// Σ w_i r_i0 of the noise component (0 without one).
    pub noise_count: f64,
    /// Observed log-likelihood Σ w_i log p(x_i; θ_t).
    pub log_lik: f64,
}

impl MixtureStats {
    /// Adds `other`, computed from rows that come after these at the same θ_t.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.total_weight += other.total_weight;
        for (sum, next) in self.counts.iter_mut().zip(&other.counts) {
            *sum += next;
        }
        self.sums += &other.sums;
        self.crosses += &other.crosses;
        self.noise_count += other.noise_count;
        self.log_lik += other.log_lik;
    }

    /// Back to the statistics of no rows, in the same memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.total_weight = 0.0;
        self.counts.fill(0.0);
        // As slices, which the compiler fills many values at a time.
        self.sums.as_mut_slice().fill(0.0);
        self.crosses.as_mut_slice().fill(0.0);
        self.noise_count = 0.0;
        self.log_lik = 0.0;
    }
}

impl Merge for MixtureStats {
    fn merge(&mut self, other: Self) {
        self.add(&other);
    }
}

/// The same statistics in the coordinates of the data, as M-steps want them.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Sum of row weights, noise included.
    pub total_weight: f64,
    /// K values N_k.
    pub counts: Vec<f64>,
    /// d × K weighted means x̄_k (the previous mean where N_k is 0).
    pub means: DMatrix<f64>,
    /// Scatter matrices W_k = Σ w r_k (x − x̄_k)(x − x̄_k)ᵀ.
    pub scatter: Scatter,
    pub noise_count: f64,
}

/// Within-component scatter, per component or summed over them.
#[derive(Debug, Clone, PartialEq)]
pub enum Scatter {
    /// K matrices W_k, d × d.
    PerComponent(Vec<DMatrix<f64>>),
    /// W = Σ_k W_k, enough for the pooled models.
    Pooled(DMatrix<f64>),
}

impl Scatter {
    /// W = Σ_k W_k.
    pub fn pooled(&self) -> DMatrix<f64> {
        match self {
            Scatter::Pooled(sum) => sum.clone(),
            Scatter::PerComponent(parts) => {
                let d = parts.first().map_or(0, DMatrix::nrows);
                parts.iter().fold(DMatrix::zeros(d, d), |sum, w| sum + w)
            }
        }
    }
}
