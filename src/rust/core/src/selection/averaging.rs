//! Averages of Monte Carlo Newton steps.
//!
//! Near the maximum θ̂ the score g of an E-step at θ says where it is: θ + I⁻¹g, up to the chance in g and to curvature.
//! Several such estimates from different points, with draws of their own, are averaged by their numbers of draws; the
//! Monte Carlo covariance matrix of the average follows from those of the scores. No draw is lost, and PX-EM's slow
//! rate does not matter: a step of EM is a small part of what is left to go, a Newton step is all of it.

use nalgebra::{DMatrix, DVector};

use crate::linalg::inverse_spd;

/// Curvature's part of the error of a Newton step of one standard error, in standard errors.
const CURVATURE: f64 = 0.1;

/// A Monte Carlo score. Vectors are in the naturals.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Where it was taken.
    pub at: DVector<f64>,
    pub score: DVector<f64>,
    /// Monte Carlo covariance matrix of the score.
    pub noise: DMatrix<f64>,
    /// Draws of every row.
    pub sweeps: usize,
}

/// The metric of Newton steps: the information I and the covariance matrix I⁻¹ of the estimates.
#[derive(Debug, Clone)]
pub struct Metric {
    pub information: DMatrix<f64>,
    pub covariance: DMatrix<f64>,
    /// Standard errors of the estimates.
    pub errors: DVector<f64>,
}

impl Metric {
    /// `None` where the information is not positive definite.
    pub fn new(information: DMatrix<f64>) -> Option<Self> {
        let covariance = inverse_spd(&information).ok()?;
        Some(Metric {
            errors: covariance.diagonal().map(f64::sqrt),
            information,
            covariance,
        })
    }

    /// The length of a step.
    pub fn length(&self, step: &DVector<f64>) -> f64 {
        step.dot(&(&self.information * step)).max(0.0).sqrt()
    }

    /// The largest entry in standard errors.
    pub fn size(&self, step: &DVector<f64>) -> f64 {
        let ratios = step.iter().zip(self.errors.iter());
        ratios
            .map(|(x, error)| (x / error).abs())
            .fold(0.0, f64::max)
    }

    /// The Newton step of an evaluation.
    pub fn step(&self, evaluation: &Evaluation) -> DVector<f64> {
        &self.covariance * &evaluation.score
    }

    /// Monte Carlo standard errors of the Newton step.
    pub fn step_errors(&self, evaluation: &Evaluation) -> DVector<f64> {
        self.spread(&evaluation.noise).diagonal().map(f64::sqrt)
    }

    fn spread(&self, noise: &DMatrix<f64>) -> DMatrix<f64> {
        &self.covariance * noise * &self.covariance
    }
}

/// Where the maximum is, by several evaluations.
#[derive(Debug, Clone)]
pub struct Average {
    pub estimate: DVector<f64>,
    /// Monte Carlo standard errors of the estimate.
    pub errors: DVector<f64>,
    /// Draws of every row that went into it.
    pub sweeps: usize,
}

impl Average {
    /// The average of the newest of `evaluations`, and of the earlier ones whose curvature is small against chance.
    /// `None` of none.
    pub fn of(evaluations: &[Evaluation], metric: &Metric) -> Option<Average> {
        let (newest, earlier) = evaluations.split_last()?;
        let size = |evaluation: &Evaluation| metric.size(&metric.step(evaluation));
        let chance = metric.size(&metric.step_errors(newest));
        let straight = |e: &&Evaluation| CURVATURE * size(e).powi(2) < chance;
        let kept: Vec<&Evaluation> = earlier.iter().filter(straight).chain([newest]).collect();
        let sweeps: usize = kept.iter().map(|evaluation| evaluation.sweeps).sum();
        let parameters = newest.at.len();
        let mut estimate = DVector::zeros(parameters);
        let mut noise = DMatrix::zeros(parameters, parameters);
        for evaluation in kept {
            let share = evaluation.sweeps as f64 / sweeps as f64;
            estimate += (&evaluation.at + metric.step(evaluation)) * share;
            noise += &evaluation.noise * (share * share);
        }
        Some(Average {
            estimate,
            errors: metric.spread(&noise).diagonal().map(f64::sqrt),
            sweeps,
        })
    }
}
