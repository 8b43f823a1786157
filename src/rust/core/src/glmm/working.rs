//! The linear mixed model that a generalized one looks like near a linear predictor.
//!
//! Near η the log density of a row is a parabola with curvature w and its top at z = η + score/w: a normal
//! response z of variance 1/w. Iterating this is Fisher scoring for a model without random effects (IRLS) and
//! penalised quasi-likelihood (PQL; Breslow and Clayton 1993, JASA 88, 9-25) with them. Both only start the fit.

use super::problem::Problem;
use crate::error::{Error, Result};
use crate::mixed::rows::Rows;

/// Weights this small, relative to the largest, count as this.
const LEAST_WEIGHT: f64 = 1e-9;

/// Working weights and responses, one per row.
#[derive(Debug, Clone)]
pub(super) struct Working {
    weights: Vec<f64>,
    response: Vec<f64>,
}

impl Working {
    pub(super) fn new(n: usize) -> Self {
        Working {
            weights: vec![0.0; n],
            response: vec![0.0; n],
        }
    }

    /// Moves to a linear predictor, offset included; returns the log-likelihood of the rows there.
    ///
    /// # Errors
    /// [`Error::Numerical`] where a mean is outside the family.
    pub(super) fn center(&mut self, problem: &Problem, eta: &[f64], log_shape: f64) -> Result<f64> {
        let (rows, family) = (problem.rows, &problem.family);
        let mut log_likelihood = 0.0;
        let mut largest: f64 = 0.0;
        for (i, &eta) in eta.iter().enumerate() {
            let (y, weight) = (rows.response[i], rows.weight(i));
            let terms = family.derivatives(y, weight, eta, log_shape);
            log_likelihood += terms.value;
            self.weights[i] = family.expected_weight(weight, eta, log_shape);
            self.response[i] = terms.score;
            largest = largest.max(self.weights[i]);
        }
        if !(log_likelihood.is_finite() && largest > 0.0 && largest.is_finite()) {
            return Err(Error::Numerical {
                message: "a mean is outside the family".into(),
            });
        }
        for (i, &eta) in eta.iter().enumerate() {
            let weight = self.weights[i].max(LEAST_WEIGHT * largest);
            let offset = rows.offset.map_or(0.0, |offset| offset[i]);
            self.response[i] = eta - offset + self.response[i] / weight;
            self.weights[i] = weight;
        }
        Ok(log_likelihood)
    }

    /// The rows of the linear model; random terms only where asked for.
    pub(super) fn rows<'b>(&'b self, rows: &Rows<'b>, with_terms: bool) -> Rows<'b> {
        Rows {
            response: &self.response,
            offset: None,
            weights: Some(&self.weights),
            fixed: rows.fixed,
            terms: if with_terms {
                rows.terms.clone()
            } else {
                Vec::new()
            },
            dispersion: None,
        }
    }
}
