//! The likelihood of a model with one grouping factor by adaptive Gauss–Hermite quadrature.
//!
//! Groups are independent, so that each has an integral of its own over its q random effects (see
//! [`super::integral`]); they are taken in shards that depend on the data alone.

use std::ops::Range;
use std::sync::Mutex;

use nalgebra::DMatrix;

use super::batch::{Batch, Mode, Point, BATCH_ROWS};
use super::constants::Constants;
use super::fixed_effects::{cross, linear_predictor};
use super::gauss_hermite::Grid;
use super::integral::{Nodes, Setting, Slopes};
use super::modes::Modes;
use super::problem::{Criterion, Problem};
use super::sample::Sample;
use super::small::{inner, inverse, times, MAX_WIDTH};
use crate::error::{Error, Result};

/// The most nodes in each dimension.
pub const MAX_NODES: usize = 100;

/// Rows times nodes from which threads pay.
const MIN_WORK: usize = 1 << 15;

/// -2 log-likelihood by adaptive quadrature, its gradient, and what the modes say.
#[derive(Debug, Clone)]
pub struct AdaptiveQuadrature<'a> {
    problem: &'a Problem<'a>,
    grid: Grid,
    threads: usize,
    sample: Sample<'a>,
    /// One for each level.
    modes: Vec<Mode>,
    /// Log-likelihood of each level's rows, without constants.
    logs: Vec<f64>,
    /// Derivative of the log-likelihood in the fixed part of each row that is integrated.
    slopes: Vec<f64>,
    point: Point,
    /// Kernels of all rows at the modes.
    kernels: f64,
    constants: Constants,
}

/// What shards add up.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    log_likelihood: f64,
    kernels: f64,
    slopes: Slopes,
}

/// A shard of levels, and its parts of the results.
struct Part<'s> {
    levels: Range<usize>,
    modes: &'s mut [Mode],
    logs: &'s mut [f64],
    slopes: &'s mut [f64],
    outcome: Result<Sums>,
}

impl<'a> AdaptiveQuadrature<'a> {
    /// Prepares quadrature with `nodes` nodes in each dimension; `threads` changes nothing but the time.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `n_agq` when there is not exactly one core term, it is wider than three, or the
    /// number of nodes is not between 1 and [`MAX_NODES`].
    pub fn new(problem: &'a Problem<'a>, nodes: usize, threads: usize) -> Result<Self> {
        let wrong = |message: &str| Error::Argument {
            argument: "n_agq",
            message: message.into(),
        };
        let &[width] = &problem.structure.widths[..] else {
            return Err(wrong(
                "can only be more than 1 for models with one grouping factor",
            ));
        };
        if width > MAX_WIDTH {
            return Err(wrong(
                "can only be more than 1 for at most three random effects per level",
            ));
        }
        if !(1..=MAX_NODES).contains(&nodes) {
            return Err(wrong("must be between 1 and 100"));
        }
        let sample = Sample::of(problem.rows, &problem.family);
        Ok(AdaptiveQuadrature {
            problem,
            grid: Grid::product(nodes, width)?,
            threads,
            modes: vec![Mode::default(); sample.groups.levels()],
            logs: vec![0.0; sample.groups.levels()],
            slopes: vec![0.0; sample.groups.rows()],
            sample,
            point: Point {
                width,
                ..Point::default()
            },
            kernels: 0.0,
            constants: Constants::of(problem.rows, problem.family),
        })
    }

    /// Goes to a point; returns the log-likelihood and its derivatives in Λ and log shape, if wanted.
    fn evaluate(&mut self, psi: &[f64], differentiate: bool) -> Result<Sums> {
        let problem = self.problem;
        if psi.iter().any(|x| !x.is_finite()) {
            return Err(undefined());
        }
        let parameters = problem.parameters(psi);
        self.point.lambda = Default::default();
        for (entry, &value) in problem.structure.entries.iter().zip(&parameters.theta) {
            self.point.lambda[entry.row][entry.column] = value;
        }
        self.point.log_shape = problem.log_shape(psi);
        let threads = self.threads;
        let beyond = self.sample.update(|fixed| {
            linear_predictor(
                problem.rows,
                &problem.basis().kept,
                &parameters.beta,
                fixed,
                threads,
            );
        });
        let outcome = self.integrate(differentiate).and_then(|mut sums| {
            self.kernels = sums.kernels + beyond;
            sums.log_likelihood += beyond + self.constants.value(self.point.log_shape);
            let exists = sums.log_likelihood.is_finite();
            exists.then_some(sums).ok_or_else(undefined)
        });
        if outcome.is_err() {
            // Where a search broke off is no place to begin the next.
            self.modes.fill(Mode::default());
        }
        outcome
    }

    /// Sums over all shards, in their order.
    fn integrate(&mut self, differentiate: bool) -> Result<Sums> {
        let set = Setting {
            family: &self.problem.family,
            point: &self.point,
            grid: &self.grid,
        };
        let groups = &self.sample.groups;
        let mut parts = Vec::new();
        let (mut modes, mut logs) = (&mut self.modes[..], &mut self.logs[..]);
        let mut slopes = &mut self.slopes[..];
        for levels in groups.shards() {
            parts.push(Part {
                outcome: Ok(Sums::default()),
                modes: split(&mut modes, levels.len()),
                logs: split(&mut logs, levels.len()),
                slopes: split(&mut slopes, groups.positions(levels.clone()).len()),
                levels,
            });
        }
        let sample = &self.sample;
        let work = self.grid.size() * groups.rows();
        let threads = if work < MIN_WORK { 1 } else { self.threads };
        in_parallel(&mut parts, threads, |part, worker: &mut Worker| {
            part.outcome = worker.run(part, sample, set, differentiate);
        });
        parts
            .into_iter()
            .try_fold(Sums::default(), |mut sums, part| {
                let part = part.outcome?;
                sums.log_likelihood += part.log_likelihood;
                sums.kernels += part.kernels;
                sums.slopes.add(&part.slopes);
                Ok(sums)
            })
    }
}

impl Criterion for AdaptiveQuadrature<'_> {
    fn coordinates(&self) -> usize {
        self.problem.coordinates()
    }

    fn value(&mut self, psi: &[f64]) -> Result<f64> {
        Ok(-2.0 * self.evaluate(psi, false)?.log_likelihood)
    }

    fn gradient(&mut self, psi: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let sums = self.evaluate(psi, true)?;
        let problem = self.problem;
        let (theta, rest) = gradient.split_at_mut(problem.structure.parameters());
        for (to, entry) in theta.iter_mut().zip(&problem.structure.entries) {
            *to = -2.0 * sums.slopes.lambda[entry.row][entry.column];
        }
        let (beta, log_shape) = rest.split_at_mut(problem.fixed_columns());
        let along = cross(
            problem.rows,
            &problem.basis().kept,
            &self.sample.spread(&self.slopes),
        );
        problem.basis().apply_transposed(&along, beta);
        beta.iter_mut().for_each(|slope| *slope *= -2.0);
        if let [to] = log_shape {
            *to = -2.0 * (sums.slopes.log_shape + self.constants.slope(self.point.log_shape));
        }
        Ok(-2.0 * sums.log_likelihood)
    }
}

/// What the modes say, at the last point evaluated.
impl Modes for AdaptiveQuadrature<'_> {
    fn spherical(&self) -> Vec<DMatrix<f64>> {
        let (q, levels) = (self.point.width, self.modes.len());
        vec![DMatrix::from_fn(q, levels, |a, level| {
            self.modes[level].u[a]
        })]
    }

    fn linear_predictor(&self) -> Vec<f64> {
        let effects = self.modes.iter().flat_map(|mode| {
            let b = times(&self.point.lambda, &mode.u);
            b.into_iter().take(self.point.width)
        });
        let effects: Vec<f64> = effects.collect();
        self.sample.linear_predictor(&effects)
    }

    fn log_det_random(&self) -> f64 {
        let q = self.point.width;
        let log = |mode: &Mode| (0..q).map(|a| mode.scale[a][a].ln()).sum::<f64>();
        2.0 * self.modes.iter().map(log).sum::<f64>()
    }

    fn conditional(&self) -> f64 {
        -2.0 * (self.kernels + self.constants.value(self.point.log_shape))
    }

    fn penalty(&self) -> f64 {
        self.modes.iter().map(|mode| inner(&mode.u, &mode.u)).sum()
    }
}

impl AdaptiveQuadrature<'_> {
    /// Log-likelihood of the rows of each level at the last point, without the constants of the densities.
    pub fn log_likelihoods(&self) -> &[f64] {
        &self.logs
    }

    /// Covariance matrices of b given y at the last point, in the normal approximation at the mode: q × q for each
    /// level.
    pub fn conditional_variances(&self) -> Vec<f64> {
        let (q, lambda) = (self.point.width, &self.point.lambda);
        let mut variances = Vec::with_capacity(q * q * self.modes.len());
        for mode in &self.modes {
            let inverse = inverse(&mode.scale, q);
            for column in &lambda[..q] {
                let along = times(&inverse, column);
                variances.extend(lambda[..q].iter().map(|row| inner(row, &along)));
            }
        }
        variances
    }
}

/// The buffers of one thread.
#[derive(Debug, Default)]
struct Worker {
    batch: Batch,
    nodes: Nodes,
}

impl Worker {
    /// Integrates the levels of a shard.
    fn run(
        &mut self,
        part: &mut Part,
        sample: &Sample,
        set: Setting,
        differentiate: bool,
    ) -> Result<Sums> {
        let mut sums = Sums::default();
        let first = sample.groups.positions(part.levels.clone()).start;
        for levels in sample.groups.batches(part.levels.clone(), BATCH_ROWS) {
            let here = levels.start - part.levels.start..levels.end - part.levels.start;
            let (modes, logs) = (&mut part.modes[here.clone()], &mut part.logs[here]);
            self.batch.load(sample, levels.clone(), set.point);
            self.batch.find_modes(set.family, set.point, modes)?;
            if differentiate {
                let rows = sample.groups.positions(levels);
                let slopes = &mut part.slopes[rows.start - first..rows.end - first];
                let to = (&mut sums.slopes, slopes);
                self.nodes.differentiate(&self.batch, set, modes, logs, to);
            } else {
                self.nodes.integrate(&self.batch, set, modes, logs);
            }
            sums.log_likelihood += logs.iter().sum::<f64>();
            sums.kernels += self.batch.value.iter().sum::<f64>();
        }
        Ok(sums)
    }
}

/// Takes the first `length` elements away.
fn split<'s, T>(from: &mut &'s mut [T], length: usize) -> &'s mut [T] {
    let (first, rest) = std::mem::take(from).split_at_mut(length);
    *from = rest;
    first
}

/// Gives every part to one of some threads, each with buffers of its own.
fn in_parallel<T: Send, W: Default>(
    parts: &mut [T],
    threads: usize,
    work: impl Fn(&mut T, &mut W) + Sync,
) {
    let threads = threads.clamp(1, parts.len().max(1));
    let queue = Mutex::new(parts.iter_mut());
    let take_turns = || {
        let mut worker = W::default();
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some(part) = next else { break };
            work(part, &mut worker);
        }
    };
    if threads == 1 {
        return take_turns();
    }
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(take_turns);
        });
    });
}

fn undefined() -> Error {
    Error::Numerical {
        message: "the likelihood does not exist at these parameters".into(),
    }
}
