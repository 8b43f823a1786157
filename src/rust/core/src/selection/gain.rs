//! The gain of a Monte Carlo step: has it climbed, or has chance moved it?
//!
//! Caffo, Jank and Jones (2005, *Journal of the Royal Statistical Society B* 67): the gain of a step in Q, estimated from
//! the draws, has a standard error of its own, ASE. The step is taken if the lower confidence limit gain − z ASE is above
//! zero; else there are too few draws to tell up from down. What climbs in Q climbs in the log-likelihood.

use nalgebra::DVector;

use super::draws::Draws;
use super::expect::Statistics;
use super::gram::Gram;
use super::layout::{Layout, Parameters};
use super::maximize::{complete_log_likelihood, Expanded};
use crate::error::Result;
use crate::linalg::inverse_spd;

/// Normal quantile of the confidence that a step climbs, 75 % as in Caffo, Jank and Jones.
const CONFIDENCE: f64 = 0.674_489_750_196_081_7;

/// The gain of a step in Q, with its Monte Carlo standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain {
    pub value: f64,
    pub error: f64,
}

impl Gain {
    /// Of the step from `from`, where the draws were taken, to the expanded parameters `to`.
    ///
    /// # Errors
    /// [`crate::Error::NotPositiveDefinite`] when one of the covariance matrices is not.
    pub fn of(
        draws: &Draws,
        statistics: &Statistics,
        gram: &Gram,
        layout: &Layout,
        (from, to): (&Parameters, &Expanded),
    ) -> Result<Gain> {
        let stay = Expanded {
            coefficients: from.coefficients.clone(),
            sigma: from.omega.clone(),
        };
        let q = |at: &Expanded| complete_log_likelihood(statistics, gram, layout, from, at);
        // Q(to) − Q(from) = ½ tr((Ω⁻¹ − Σ⁻¹) E[ee']) + Σ_a Δ_a' X_a'E[e] Σ⁻¹_a, and what does not depend on the draws.
        let precision = inverse_spd(&to.sigma)?;
        let slope = (inverse_spd(&from.omega)? - &precision) * 0.5;
        let changes = from.coefficients.iter().zip(&to.coefficients);
        let slopes: Vec<_> = changes
            .enumerate()
            .map(|(a, (from, to))| {
                let change = to.iter().zip(from).map(|(to, from)| to - from);
                DVector::from_iterator(from.len(), change) * precision.row(a)
            })
            .collect();
        let variance = draws.covariance(|batch| {
            let cross = batch.cross.iter().zip(&slopes);
            let along: f64 = cross.map(|(cross, slope)| cross.dot(slope)).sum();
            DVector::from_element(1, batch.second.dot(&slope) + along)
        });
        Ok(Gain {
            value: q(to) - q(&stay),
            error: variance.iter().sum::<f64>().sqrt(),
        })
    }

    /// Whether the step climbs, with confidence.
    pub fn climbs(&self) -> bool {
        self.value - CONFIDENCE * self.error > 0.0
    }
}
