//! One fit: a Gaussian mixture on the shared EM driver, from given parameters.

use super::coordinates::{flatten, unflatten};
use super::criteria::Criteria;
use super::maximize::{complete_log_lik, maximize};
use super::model::{CovarianceModel, Mixture};
use super::prior::log_prior;
use super::rules::Rules;
use super::source::Source;
use super::stats::{MixtureStats, Moments};
use crate::em::{self, Drop, Flow, Model, Outcome, Progress, Settings, Status, Trace};
use crate::error::Result;

/// A Gaussian mixture as the EM driver sees it: a source of statistics and the rules of its M-step.
pub struct GaussianMixture<'a, S> {
    pub source: S,
    pub model: CovarianceModel,
    pub rules: &'a Rules,
}

/// An E-step at some θ: statistics, their moments, and the log prior of θ.
pub struct Expectation {
    pub stats: MixtureStats,
    pub moments: Moments,
    log_prior: f64,
}

impl<S: Source> Model for GaussianMixture<'_, S> {
    type Params = Mixture;
    type Stats = Expectation;

    fn expect(&mut self, mixture: &Mixture) -> Result<Expectation> {
        let stats = self.source.expect(mixture)?;
        let moments = self.source.moments(&stats, mixture)?;
        Ok(Expectation {
            stats,
            moments,
            log_prior: log_prior(mixture, self.rules),
        })
    }

    fn maximize(&mut self, expectation: &Expectation, previous: &Mixture) -> Result<Mixture> {
        maximize(&expectation.moments, Some(previous), self.model, self.rules)
    }

    fn objective(&self, expectation: &Expectation) -> f64 {
        expectation.stats.log_lik + expectation.log_prior
    }

    fn complete_objective(&self, expectation: &Expectation, mixture: &Mixture) -> Option<f64> {
        Some(complete_log_lik(&expectation.moments, mixture) + log_prior(mixture, self.rules))
    }

    fn flatten(&self, mixture: &Mixture) -> Option<Vec<f64>> {
        flatten(mixture, self.rules)
    }

    fn unflatten(&self, coordinates: &[f64], like: &Mixture) -> Option<Mixture> {
        unflatten(coordinates, like, self.rules)
    }
}

impl<S: Source> GaussianMixture<'_, S> {
    /// Runs EM from `start` until `settings` are met.
    ///
    /// # Errors
    /// Those of the first E-step: later failures end the run with a status and the last good parameters.
    pub fn run(
        &mut self,
        start: Mixture,
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Outcome<Mixture, Expectation>> {
        em::run(self, start, settings, monitor)
    }
}

/// What one start led to.
#[derive(Debug, Clone, PartialEq)]
pub struct StartReport {
    /// Objective reached; NaN when the start gave no valid parameters.
    pub objective: f64,
    pub status: Status,
}

impl StartReport {
    /// The report on `run`.
    pub fn of(run: &Result<Outcome<Mixture, Expectation>>) -> Self {
        match run {
            Ok(run) => StartReport {
                objective: run.objective,
                status: run.status.clone(),
            },
            Err(error) => StartReport {
                objective: f64::NAN,
                status: Status::of(error),
            },
        }
    }
}

/// A finished fit: parameters, what they are worth, and how they were reached.
#[derive(Debug, Clone)]
pub struct Fit {
    pub mixture: Mixture,
    pub criteria: Criteria,
    /// Log prior density of the parameters, 0 without a prior.
    pub log_prior: f64,
    pub iterations: usize,
    /// E-steps over the data.
    pub passes: usize,
    pub status: Status,
    /// Estimated distance of the objective to its limit.
    pub distance: f64,
    /// The largest fall of the objective in a plain EM step, which exact arithmetic would not show.
    pub drop: Option<Drop>,
    pub trace: Trace,
    /// Every start of the selected cell, in order.
    pub starts: Vec<StartReport>,
    /// Components (1-based) with fewer rows than their own parameters need.
    pub thin: Vec<usize>,
}

impl Fit {
    /// The fit that `run` is, with the reports on all starts.
    pub fn new(
        run: Outcome<Mixture, Expectation>,
        criteria: Criteria,
        starts: Vec<StartReport>,
    ) -> Self {
        Fit {
            mixture: run.params,
            criteria,
            log_prior: run.stats.log_prior,
            iterations: run.iterations,
            passes: run.passes,
            status: run.status,
            distance: run.distance,
            drop: run.drop,
            trace: run.trace,
            starts,
            thin: Vec::new(),
        }
    }
}
