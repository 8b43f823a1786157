//! The parametric bootstrap: fits to responses that a fit could itself have produced.
//!
//! Replicate b draws y* from the law of the fit (see [`super::simulate`]) with stream b of the seed, and minimises
//! its criterion from the variances of the fit. Only the y column of the cross-products is made anew. A replicate
//! depends on the seed and b alone, so threads do not change the answer (Davison and Hinkley 1997, *Bootstrap
//! Methods and their Application*).

use super::criterion::{Parameters, Problem};
use super::fit::Search;
use super::rows::Rows;
use super::simulate::{Law, Simulator};
use crate::em::{Flow, Settings, Status};
use crate::error::{Error, Result};
use crate::rng;
use crate::tasks::{self, Stop};

/// Most replicates that share the buffers of a search.
const BATCH: usize = 16;

/// A fit to be repeated.
#[derive(Debug, Clone)]
pub struct Bootstrap<'a> {
    /// The problem of the fit.
    pub problem: &'a Problem<'a>,
    /// Its rows.
    pub rows: &'a Rows<'a>,
    /// What responses are drawn from, and where searches start.
    pub law: &'a Law,
    pub settings: &'a Settings,
    pub seed: u64,
    pub threads: usize,
}

/// Estimates from one response.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicate {
    /// Every element of θ.
    pub theta: Vec<f64>,
    /// β of the columns kept.
    pub beta: Vec<f64>,
    /// σ.
    pub sigma: f64,
    /// Ratios of residual standard deviations to that of the first group.
    pub dispersion: Vec<f64>,
    /// -2 log-likelihood or the REML criterion.
    pub criterion: f64,
    pub status: Status,
}

impl Bootstrap<'_> {
    /// Fits to responses `0..replicates`; fewer when `monitor(done)` returned `false`.
    ///
    /// # Errors
    /// [`Error::Argument`] when the law does not fit the rows; [`Error::Interrupted`] when stopped before the
    /// first replicate was done.
    pub fn run(
        &self,
        replicates: usize,
        monitor: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<Replicate>> {
        let simulator = Simulator::new(self.rows, self.problem.structure, self.law)?;
        let start = self.problem.locate(&Parameters {
            theta: self.law.theta.clone(),
            sigma: Some(self.law.sigma),
            dispersion: self.law.dispersion.clone(),
        });
        Search::new(self.problem)?;
        let batch = (replicates / (4 * self.threads.max(1))).clamp(1, BATCH);
        let batches = tasks::run(
            replicates.div_ceil(batch),
            self.threads,
            |task, stop| {
                let numbers = task * batch..replicates.min((task + 1) * batch);
                self.fit_batch(&simulator, &start, numbers, stop)
            },
            &mut |done| monitor((done * batch).min(replicates)),
        );
        let done: Vec<Replicate> = batches.into_iter().flatten().flatten().collect();
        if done.is_empty() && replicates > 0 {
            return Err(Error::Interrupted);
        }
        Ok(done)
    }

    /// Replicates in a row, with the same buffers.
    fn fit_batch(
        &self,
        simulator: &Simulator,
        start: &[f64],
        numbers: std::ops::Range<usize>,
        stop: &Stop,
    ) -> Vec<Replicate> {
        let mut search = None;
        let mut y = vec![0.0; self.rows.len()];
        let mut done = Vec::with_capacity(numbers.len());
        for number in numbers {
            simulator.draw(&mut rng::stream(self.seed, number as u64), &mut y);
            let replicate = self.fit(&y, start, &mut search, stop);
            if stop.is_raised() {
                break; // what an interrupted search reached is no estimate
            }
            done.push(replicate.unwrap_or_else(|error| self.failed(&error)));
        }
        done
    }

    fn fit(
        &self,
        y: &[f64],
        start: &[f64],
        search: &mut Option<Search>,
        stop: &Stop,
    ) -> Result<Replicate> {
        let statistics = self.problem.statistics.with_response(self.rows, y)?;
        let Problem {
            structure, reml, ..
        } = *self.problem;
        let problem = Problem::new(&statistics, structure, reml, self.problem.known.clone())?;
        let search = match search {
            Some(search) => search,
            None => search.insert(Search::new(&problem)?),
        };
        let found = search.minimize(&problem, start, self.settings, &mut |_| {
            if stop.is_raised() {
                Flow::Stop
            } else {
                Flow::Continue
            }
        })?;
        let parameters = problem.parameters(&found.coordinates);
        Ok(Replicate {
            theta: parameters.theta,
            beta: search.factor.coefficients().as_slice().to_vec(),
            sigma: problem.sigma(&search.factor, &found.coordinates),
            dispersion: parameters.dispersion,
            criterion: found.criterion,
            status: found.status,
        })
    }

    /// A replicate without estimates.
    fn failed(&self, error: &Error) -> Replicate {
        Replicate {
            theta: vec![f64::NAN; self.law.theta.len()],
            beta: vec![f64::NAN; self.problem.statistics.fixed_columns()],
            sigma: f64::NAN,
            dispersion: vec![f64::NAN; self.law.dispersion.len()],
            criterion: f64::NAN,
            status: Status::of(error),
        }
    }
}
