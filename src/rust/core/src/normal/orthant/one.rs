//! One dimension: in closed form.

use crate::normal::univariate::{log_cdf, Positive};

/// Z ~ N(·, c) with sign q.
#[derive(Debug, Clone)]
pub(super) struct One {
    /// q √c.
    signed_sd: f64,
}

impl One {
    pub fn new(variance: f64, sign: f64) -> Self {
        One {
            signed_sd: sign * variance.sqrt(),
        }
    }

    /// log Φ(q m / √c).
    pub fn log_probability(&self, mean: f64) -> f64 {
        log_cdf(mean / self.signed_sd)
    }

    /// With a = q m / √c and λ = φ(a)/Φ(a): E = m + q √c λ, V = c (1 - λ (λ + a)).
    pub fn moments(&self, mean: f64, expectation: &mut [f64], covariance: &mut [f64]) -> f64 {
        let inside = Positive::new(mean / self.signed_sd);
        expectation[0] = self.signed_sd * inside.mean;
        covariance[0] = self.signed_sd * self.signed_sd * inside.variance;
        inside.log_probability
    }
}
