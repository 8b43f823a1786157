//! Any number of dimensions: simulated by [`Ghk`].

use nalgebra::DMatrix;
use rand::RngExt;

use crate::error::{Error, Result};
use crate::linalg::cholesky;
use crate::normal::ghk::{Columns, Ghk, WIDEST};
use crate::rng;

/// Z ~ N(·, C) with signs q; X = q∘Z is what is positive.
///
/// The moments are weighted means over the same points as the probability, so they approach the derivatives of log P only as
/// fast as both approach the truth.
#[derive(Debug, Clone)]
pub(super) struct Many {
    signs: Vec<f64>,
    /// Cholesky factor of q q'∘C.
    lower: DMatrix<f64>,
    seed: u64,
    simulator: Ghk,
}

impl Many {
    /// # Errors
    /// [`Error::NotPositiveDefinite`]; [`Error::Argument`] without points or with too many dimensions.
    pub fn new(covariance: &DMatrix<f64>, signs: &[f64], points: usize, seed: u64) -> Result<Self> {
        if points == 0 || signs.len() > WIDEST {
            return Err(Error::Argument {
                argument: "integration",
                message: format!("needs at least one point and at most {WIDEST} selections"),
            });
        }
        let dimension = signs.len();
        let signed = |i: usize, j: usize| signs[i] * signs[j] * covariance[(i, j)];
        let lower = cholesky(&DMatrix::from_fn(dimension, dimension, signed))?;
        Ok(Many {
            signs: signs.to_vec(),
            simulator: Ghk::new(&lower, points),
            lower,
            seed,
        })
    }

    /// E[X] and the shift of a row's lattice.
    fn start(&self, mean: &[f64], row: u64) -> ([f64; WIDEST], [f64; WIDEST]) {
        let (mut signed, mut shift) = ([0.0; WIDEST], [0.0; WIDEST]);
        let mut rng = rng::stream(self.seed, row);
        for k in 0..self.signs.len() {
            signed[k] = self.signs[k] * mean[k];
            shift[k] = rng.random();
        }
        (signed, shift)
    }

    pub fn log_probability(&self, mean: &[f64], row: u64, columns: &mut Columns) -> f64 {
        let (signed, shift) = self.start(mean, row);
        self.simulator.log_probability(&signed, &shift, columns)
    }

    /// E[Z] = q∘(q∘m + L E[e]), Cov(Z) = Q L Cov(e) Lᵀ Q.
    pub fn moments(
        &self,
        mean: &[f64],
        row: u64,
        columns: &mut Columns,
        expectation: &mut [f64],
        covariance: &mut [f64],
    ) -> f64 {
        let (signed, shift) = self.start(mean, row);
        let found = self.simulator.moments(&signed, &shift, columns);
        let dimension = self.signs.len();
        let inner = |k: usize, l: usize| found.covariance[k.max(l)][k.min(l)];
        for i in 0..dimension {
            let along: f64 = (0..=i).map(|k| self.lower[(i, k)] * found.mean[k]).sum();
            expectation[i] = self.signs[i] * (signed[i] + along);
            // Row i of L Cov(e).
            let mut row = [0.0; WIDEST];
            for (l, value) in row.iter_mut().enumerate().take(dimension) {
                *value = (0..=i).map(|k| self.lower[(i, k)] * inner(k, l)).sum();
            }
            for j in 0..=i {
                let sum: f64 = (0..=j).map(|l| row[l] * self.lower[(j, l)]).sum();
                let across = self.signs[i] * self.signs[j] * sum;
                covariance[i + dimension * j] = across;
                covariance[j + dimension * i] = across;
            }
        }
        found.log_probability
    }
}
