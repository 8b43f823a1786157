//! PX-MCEM: Li's (2014) parameter-expanded Monte Carlo EM, with a rule when to draw more and one when to stop.
//!
//! 1. **Climb.** E-steps by Gibbs draws ([`chains`](super::chains)), the M-step (16)-(17) and the reduction. A step is
//!    taken when it climbs beyond its Monte Carlo error ([`gain`](super::gain)), else the draws are added to, half as
//!    many again.
//! 2. **Probe.** Now and then the Newton step from here, I⁻¹g, says how far the maximum is: g by Fisher's identity from
//!    the moments of an E-step, I by Louis row by row. The change of the parameters does not: PX-EM's rate is .95 to .998,
//!    so that what is left to go is 20 to 500 times a step.
//! 3. **Polish.** Where the Newton step is a few standard errors it is taken; then Newton steps with more and more draws
//!    are averaged ([`averaging`](super::averaging)) until every parameter's step and its Monte Carlo error are below the
//!    tolerance, in standard errors. A Newton step that does not lead nearer ends the polish, and the climb goes on.

use nalgebra::{DMatrix, DVector};

use super::averaging::{Average, Evaluation, Metric};
use super::chains::{Chains, Machine, Rows};
use super::draws::Draws;
use super::expect::Statistics;
use super::gain::Gain;
use super::gibbs::Sampler;
use super::gram::Gram;
use super::layout::Parameters;
use super::maximize::maximize;
use super::score::score;
use crate::em::Status;
use crate::error::{Error, Result};
use crate::linalg::cholesky;

/// Batches of an E-step while climbing: enough for a standard error that need not be accurate.
const CLIMB_BATCHES: usize = 5;

/// Batches of a score.
const SCORE_BATCHES: usize = 16;

/// Draws of a score at least: batches of a few sweeps.
const SCORE_DRAWS: usize = 96;

/// Iterations before the first probe; each later one waits twice as long.
const FIRST_PROBE: usize = 8;

/// The longest Newton step that is taken, in standard errors.
const REACH: f64 = 4.0;

/// Part of the last Newton step that the next may have, beyond its Monte Carlo error.
const SHRINKAGE: f64 = 0.7;

/// The most by which draws grow from one score to the next.
const GROWTH: usize = 4;

/// Row-draws of Louis's variances while probing and at the end; and draws of a row, at least and at most.
const PROBE_VARIANCE: usize = 400_000;
const FINAL_VARIANCE: usize = 2_000_000;
const LEAST_VARIANCE: usize = 100;
const MOST_VARIANCE: usize = 2_000;

/// How to draw, and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub sampler: Sampler,
    /// Draws of every row in the first E-steps.
    pub draws: usize,
    /// The most updates of the parameters.
    pub max_iter: usize,
    /// Largest Newton step and Monte Carlo error of an estimate, in standard errors.
    pub tolerance: f64,
    pub threads: usize,
}

/// What an update did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Draws of every row.
    pub draws: usize,
    /// Gain in Q and its Monte Carlo error; NaN for a Newton step.
    pub gain: Gain,
    pub accepted: bool,
    /// The largest entry of the Newton step, in standard errors, and of its Monte Carlo errors; NaN where not computed.
    pub newton: f64,
    pub newton_error: f64,
}

/// Where a run is, shown to the monitor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub iteration: usize,
    /// Passes over the rows.
    pub passes: u64,
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    pub parameters: Parameters,
    pub status: Status,
    /// Monte Carlo standard errors of the naturals, as estimates of the maximum; `None` before the polish.
    pub errors: Option<DVector<f64>>,
    /// Louis's information and, if it is positive definite, its inverse, K × K in the naturals; `None` if interrupted.
    pub information: Option<DMatrix<f64>>,
    pub covariance: Option<DMatrix<f64>>,
    /// Monte Carlo score at the parameters; `None` if interrupted.
    pub score: Option<DVector<f64>>,
    /// The last move of the average in the metric of the information; NaN before the polish.
    pub decrement: f64,
    /// Draws of every row in the last E-step, and in all.
    pub draws: usize,
    pub sweeps: usize,
    pub history: Vec<Iteration>,
}

/// Iterates from `start`, with `chains` that begin or go on.
///
/// `monitor` is asked at least every 50 ms; `false` ends the run with [`Status::Interrupted`] and the parameters reached.
///
/// # Errors
/// Those of the first E-step: [`Error::NotPositiveDefinite`] when Ω at the start is not.
pub fn run(
    rows: Rows,
    start: Parameters,
    chains: &mut Chains,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> bool,
) -> Result<Outcome> {
    cholesky(&start.omega)?;
    let gram = Gram::of(rows.data, rows.layout, settings.threads)?;
    let mut run = Run {
        rows,
        gram,
        chains,
        settings,
        monitor,
        at: start,
        draws: settings.draws.max(2),
        sweeps: 0,
        history: Vec::new(),
        average: None,
        decrement: f64::NAN,
    };
    let status = match run.iterate() {
        Ok(status) => status,
        Err(error) => Status::of(&error),
    };
    run.finish(status)
}

struct Run<'a> {
    rows: Rows<'a>,
    gram: Gram,
    chains: &'a mut Chains,
    settings: &'a Settings,
    monitor: &'a mut dyn FnMut(&Progress) -> bool,
    at: Parameters,
    /// Draws of the next E-step.
    draws: usize,
    sweeps: usize,
    history: Vec<Iteration>,
    average: Option<(Vec<Evaluation>, Average)>,
    decrement: f64,
}

impl Run<'_> {
    fn iterate(&mut self) -> Result<Status> {
        let mut wait = FIRST_PROBE;
        // Chains that go on stand near the maximum.
        let mut probe = match self.chains.passes() {
            0 => wait,
            _ => 0,
        };
        loop {
            if self.history.len() >= probe {
                if self.polish()? {
                    return Ok(Status::Converged);
                }
                wait *= 2;
                probe = self.history.len() + wait;
            }
            if self.exhausted() {
                return Ok(Status::IterationLimit);
            }
            if !self.climb()? {
                // Chance is all there is to see here: look further.
                probe = probe.min(self.history.len() + wait / 2);
            }
        }
    }

    fn exhausted(&self) -> bool {
        self.history.len() >= self.settings.max_iter
    }

    /// One PX-EM step; whether it climbed at the first attempt.
    fn climb(&mut self) -> Result<bool> {
        let length = self.draws.div_ceil(CLIMB_BATCHES);
        let mut draws = self.draw(CLIMB_BATCHES, length)?;
        let mut first = true;
        loop {
            let statistics = totals(&draws)?;
            let (gram, layout) = (&self.gram, self.rows.layout);
            let to = maximize(&statistics, gram, layout, &self.at)?;
            let gain = Gain::of(&draws, &statistics, gram, layout, (&self.at, &to))?;
            let accepted = gain.climbs();
            self.record(Iteration {
                draws: draws.sweeps(),
                gain,
                accepted,
                newton: f64::NAN,
                newton_error: f64::NAN,
            });
            // Near a fixed point no number of draws shows a gain; after a few attempts the newest step is as good as any.
            if accepted || self.exhausted() || draws.batches() > 4 * CLIMB_BATCHES {
                self.at = to.reduce();
                return Ok(first);
            }
            first = false;
            let more = self.draw(draws.batches().div_ceil(2), length)?;
            draws.append(more);
            self.draws = draws.sweeps();
        }
    }

    /// Newton steps until the estimates are known within the tolerance; `false`, with the parameters as they were, when
    /// the maximum is too far away for them.
    fn polish(&mut self) -> Result<bool> {
        let home = self.at.clone();
        let draws = self.draws;
        self.draws = draws.max(SCORE_DRAWS);
        let mut evaluations: Vec<Evaluation> = Vec::new();
        let mut reach = REACH;
        let mut metric = None;
        while !self.exhausted() {
            let evaluation = self.evaluate()?;
            let stale = metric.is_none() || reach > 0.5;
            if stale {
                metric = self.metric(PROBE_VARIANCE)?.or(metric);
            }
            let Some(metric) = &metric else { break };
            let step = metric.step(&evaluation);
            let chance = metric.size(&metric.step_errors(&evaluation));
            let size = metric.size(&step);
            let nearer = size <= reach + 4.0 * chance;
            self.record(Iteration {
                draws: evaluation.sweeps,
                gain: Gain {
                    value: f64::NAN,
                    error: f64::NAN,
                },
                accepted: nearer,
                newton: size,
                newton_error: chance,
            });
            if !nearer {
                break;
            }
            reach = SHRINKAGE * size.min(reach);
            evaluations.push(evaluation);
            let Some(average) = Average::of(&evaluations, metric) else {
                break;
            };
            let Ok(next) = self.valid(&average.estimate) else {
                break;
            };
            let here = DVector::from_vec(self.rows.layout.naturals(&self.at));
            let moved = &average.estimate - here;
            self.decrement = metric.length(&moved);
            let error = metric.size(&average.errors);
            self.at = next;
            let sweeps = average.sweeps;
            self.average = Some((evaluations.clone(), average));
            if metric.size(&moved) < self.settings.tolerance && error < self.settings.tolerance {
                return Ok(true);
            }
            let needed = sweeps as f64 * (error / self.settings.tolerance).powi(2) * 1.2;
            let missing = (needed - sweeps as f64).clamp(0.0, 1e9) as usize;
            self.draws = missing.clamp(self.draws, GROWTH * self.draws);
        }
        if !self.exhausted() {
            self.at = home;
            self.average = None;
            self.draws = draws;
        }
        Ok(false)
    }

    /// The parameters of naturals that are some.
    fn valid(&self, naturals: &DVector<f64>) -> Result<Parameters> {
        let parameters = self.rows.layout.parameters(naturals.as_slice())?;
        cholesky(&parameters.omega)?;
        Ok(parameters)
    }

    /// The Monte Carlo score here.
    fn evaluate(&mut self) -> Result<Evaluation> {
        let draws = self.draw(SCORE_BATCHES, self.draws.div_ceil(SCORE_BATCHES))?;
        let statistics = totals(&draws)?;
        let layout = self.rows.layout;
        // What cannot fail for the sum cannot fail for a batch.
        let of_batch = |batch: &Statistics| {
            score(batch, layout, &self.at).unwrap_or_else(|_| DVector::zeros(layout.len()))
        };
        Ok(Evaluation {
            at: DVector::from_vec(layout.naturals(&self.at)),
            score: score(&statistics, layout, &self.at)?,
            noise: draws.covariance(of_batch),
            sweeps: draws.sweeps(),
        })
    }

    /// Louis's information here.
    fn information(&mut self, row_draws: usize) -> Result<DMatrix<f64>> {
        let sweeps = row_draws / self.rows.data.n;
        let sweeps = sweeps.clamp(LEAST_VARIANCE, MOST_VARIANCE);
        let (rows, at) = (self.rows, self.at.clone());
        self.pass(sweeps, |chains, machine| {
            chains.information(rows, &at, sweeps, machine)
        })
    }

    /// The metric of Newton steps; `None` where the information is not positive definite.
    fn metric(&mut self, row_draws: usize) -> Result<Option<Metric>> {
        Ok(Metric::new(self.information(row_draws)?))
    }

    fn draw(&mut self, batches: usize, length: usize) -> Result<Draws> {
        let (rows, at) = (self.rows, self.at.clone());
        self.pass(batches * length, |chains, machine| {
            chains.draw(rows, &at, batches, length, machine)
        })
    }

    /// A pass over the rows of `sweeps` sweeps.
    fn pass<T>(
        &mut self,
        sweeps: usize,
        work: impl FnOnce(&mut Chains, &mut Machine) -> Result<T>,
    ) -> Result<T> {
        let progress = Progress {
            iteration: self.history.len(),
            passes: self.chains.passes(),
        };
        self.sweeps += sweeps;
        let monitor = &mut self.monitor;
        let mut machine = Machine {
            threads: self.settings.threads,
            go_on: &mut || monitor(&progress),
        };
        work(self.chains, &mut machine)
    }

    fn record(&mut self, iteration: Iteration) {
        self.history.push(iteration);
    }

    /// Louis's information at the end, and with it the average and its errors.
    fn finish(mut self, status: Status) -> Result<Outcome> {
        let mut outcome = Outcome {
            parameters: self.at.clone(),
            status,
            errors: None,
            information: None,
            covariance: None,
            score: None,
            decrement: self.decrement,
            draws: self.draws,
            sweeps: self.sweeps,
            history: std::mem::take(&mut self.history),
        };
        if matches!(outcome.status, Status::Interrupted) {
            outcome.errors = self.average.map(|(_, average)| average.errors);
            return Ok(outcome);
        }
        match self.verdict(&mut outcome) {
            Ok(()) => {}
            Err(Error::Interrupted) => outcome.status = Status::Interrupted,
            Err(error) if matches!(outcome.status, Status::Converged) => {
                outcome.status = Status::of(&error);
            }
            // The run had ended badly before.
            Err(_) => {}
        }
        outcome.sweeps = self.sweeps;
        Ok(outcome)
    }

    fn verdict(&mut self, outcome: &mut Outcome) -> Result<()> {
        self.draws = SCORE_DRAWS;
        let evaluation = self.evaluate()?;
        let information = self.information(FINAL_VARIANCE)?;
        let metric = Metric::new(information.clone());
        outcome.information = Some(information);
        outcome.score = Some(evaluation.score);
        let Some(metric) = metric else {
            if matches!(outcome.status, Status::Converged) {
                outcome.status = Status::Saddle {
                    message: "the information matrix by Louis's formula is not positive definite"
                        .into(),
                };
            }
            return Ok(());
        };
        if let Some((evaluations, _)) = &self.average {
            if let Some(average) = Average::of(evaluations, &metric) {
                if let Ok(parameters) = self.valid(&average.estimate) {
                    outcome.parameters = parameters;
                    outcome.errors = Some(average.errors);
                }
            }
        }
        outcome.covariance = Some(metric.covariance);
        Ok(())
    }
}

/// The E-step of draws.
fn totals(draws: &Draws) -> Result<Statistics> {
    draws.statistics().ok_or_else(|| Error::Numerical {
        message: "there are no rows to summarise".into(),
    })
}
