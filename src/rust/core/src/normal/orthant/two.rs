//! Two dimensions: a quadrant of the plane.
//!
//! The moments are those of Rosenbaum (1961), *J. R. Statist. Soc.* B 23, and Tallis (1961), *ibid.*, but integrated about
//! the corner (see [`Bivariate`]), since their closed forms cancel in the tails.

use nalgebra::DMatrix;

use crate::normal::bivariate::Bivariate;

/// A positive definite C may round to a correlation of 1.
const LARGEST: f64 = 1.0 - f64::EPSILON;

/// Z ~ N(·, C) with signs q: X_k = q_k (Z_k - m_k)/√C_kk has the correlation q_1 q_2 r, and q_k Z_k > 0 where
/// X_k > -q_k m_k/√C_kk.
#[derive(Debug, Clone)]
pub(super) struct Two {
    /// q_k √C_kk.
    signed_sd: [f64; 2],
    standard: Bivariate,
}

impl Two {
    pub fn new(covariance: &DMatrix<f64>, signs: &[f64]) -> Self {
        let signed_sd = [0, 1].map(|k| signs[k] * covariance[(k, k)].sqrt());
        let correlation = covariance[(1, 0)] / (signed_sd[0] * signed_sd[1]);
        Two {
            signed_sd,
            standard: Bivariate::new(correlation.clamp(-LARGEST, LARGEST)),
        }
    }

    fn corner(&self, mean: &[f64]) -> [f64; 2] {
        [0, 1].map(|k| -mean[k] / self.signed_sd[k])
    }

    pub fn log_probability(&self, mean: &[f64]) -> f64 {
        let [a, b] = self.corner(mean);
        self.standard.log_upper(a, b)
    }

    /// E[Z_k] = q_k √C_kk E[X_k - corner_k], Cov(Z) = C^½ Cov(X) C^½ entry by entry.
    pub fn moments(&self, mean: &[f64], expectation: &mut [f64], covariance: &mut [f64]) -> f64 {
        let [a, b] = self.corner(mean);
        let inside = self.standard.moments(a, b);
        let [xx, xy, yy] = inside.covariance;
        let [sx, sy] = self.signed_sd;
        expectation.copy_from_slice(&[sx * inside.excess[0], sy * inside.excess[1]]);
        let across = sx * sy * xy;
        covariance.copy_from_slice(&[sx * sx * xx, across, across, sy * sy * yy]);
        inside.log_probability
    }
}
