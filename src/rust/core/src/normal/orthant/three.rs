//! Three dimensions: an octant.
//!
//! With X = q∘(Z - m)/√diag C, of correlations R, and h = q∘m/√diag C, the octant is X > -h and
//!
//! ```text
//! P = Φ3(h; R),   E[X] = R g,   Cov(X) = R + R (H - g gᵀ) R,   g = ∇P/P, H = ∇²P/P
//! ```
//!
//! (Tallis 1961, *J. R. Statist. Soc.* B 23, written with derivatives): exact, but it cancels in the tails.

use nalgebra::DMatrix;

use crate::normal::slices::Slices;
use crate::normal::trivariate::Trivariate;

/// Probabilities below it are integrated slice by slice: Φ3 has an error of 1e-15.
const TAIL: f64 = 3e-4;

/// Z ~ N(·, C) with signs q.
#[derive(Debug, Clone)]
pub(super) struct Three {
    /// q_k √C_kk.
    signed_sd: [f64; 3],
    /// R, row by row.
    correlation: [[f64; 3]; 3],
    /// None near singularity.
    standard: Option<Trivariate>,
    slices: Slices,
}

impl Three {
    pub fn new(covariance: &DMatrix<f64>, signs: &[f64]) -> Self {
        let signed_sd = [0, 1, 2].map(|k| signs[k] * covariance[(k, k)].sqrt());
        let r = |i: usize, j: usize| covariance[(i, j)] / (signed_sd[i] * signed_sd[j]);
        let pairs = [r(1, 2), r(0, 2), r(0, 1)];
        Three {
            signed_sd,
            correlation: [
                [1.0, pairs[2], pairs[1]],
                [pairs[2], 1.0, pairs[0]],
                [pairs[1], pairs[0], 1.0],
            ],
            standard: Trivariate::new(pairs),
            slices: Slices::new(pairs),
        }
    }

    fn standardized(&self, mean: &[f64]) -> [f64; 3] {
        [0, 1, 2].map(|k| mean[k] / self.signed_sd[k])
    }

    pub fn log_probability(&self, mean: &[f64]) -> f64 {
        let h = self.standardized(mean);
        if let Some(standard) = &self.standard {
            let probability = standard.cdf(h);
            if probability > TAIL {
                return probability.ln().min(0.0);
            }
        }
        self.slices.octant(h.map(|x| -x)).log_probability
    }

    /// E[Z] = m + √C E[X], Cov(Z) = √C Cov(X) √C with √C = diag(q_k √C_kk).
    pub fn moments(&self, mean: &[f64], expectation: &mut [f64], covariance: &mut [f64]) -> f64 {
        let h = self.standardized(mean);
        if let Some(standard) = &self.standard {
            let at = standard.derivatives(h);
            if at.value > TAIL {
                let r = &self.correlation;
                let gradient = at.gradient.map(|g| g / at.value);
                let product =
                    |row: &[f64; 3], v: &[f64; 3]| row[0] * v[0] + row[1] * v[1] + row[2] * v[2];
                // (H - g gᵀ) R, column by column.
                let inner = r.map(|column| {
                    let along = product(&column, &gradient);
                    [0, 1, 2]
                        .map(|i| product(&at.hessian[i], &column) / at.value - gradient[i] * along)
                });
                for i in 0..3 {
                    expectation[i] = mean[i] + self.signed_sd[i] * product(&r[i], &gradient);
                    for j in 0..3 {
                        let across = r[i][j] + product(&r[i], &inner[j]);
                        covariance[i + 3 * j] = self.signed_sd[i] * self.signed_sd[j] * across;
                    }
                }
                return at.value.ln().min(0.0);
            }
        }
        let octant = self.slices.octant(h.map(|x| -x));
        for i in 0..3 {
            expectation[i] = self.signed_sd[i] * octant.excess[i];
            for j in 0..3 {
                let scale = self.signed_sd[i] * self.signed_sd[j];
                covariance[i + 3 * j] = scale * octant.covariance[i][j];
            }
        }
        octant.log_probability
    }
}
