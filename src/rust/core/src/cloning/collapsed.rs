//! MCMC on the collapsed posterior K log L(w) + log π(w): random effects are integrated out of L, so that an
//! iteration costs the same for any number of clones.
//!
//! The core move is independence Metropolis-Hastings with a multivariate t around the mode: the posterior of many
//! clones is nearly normal. Where it is not (few clones, a variance that may be zero, parameters that only occur
//! together) its proposals are refused; slice sampling then takes over along coordinates, the axes of the
//! curvature, and curves that exchange one variance for another. β is drawn given the rest where it is
//! Gaussian.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::chains::{self, Draws, Sampler, Settings};
use super::doubling::{self, Curve};
use super::mode::Mode;
use super::parameters::{Kind, Layout};
use super::posterior::{Point, Posterior};
use super::proposal::Proposal;
use super::target::Likelihood;
use crate::error::{Error, Result};

/// Slice moves for each proposal where most are accepted: what keeps a chain from missing what the curvature
/// at the mode does not know of.
const SLICES_IF_GOOD: f64 = 0.05;

/// Shares of accepted proposals that are good, and fair.
const GOOD: f64 = 0.6;
const FAIR: f64 = 0.25;

/// Proposals before their acceptance says something.
const FIRST_PROPOSALS: usize = 20;

/// Draws from the proposal to find a start that the posterior allows.
const MAX_STARTS: usize = 100;

/// A way to move by slice sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Direction {
    /// Along a coordinate.
    Coordinate(usize),
    /// Along an axis of the curvature.
    Axis(usize),
    /// From one variance to another with their sum unchanged: the logit of the share moves, the Jacobian of
    /// (log sum, logit share) by two log standard deviations is constant.
    Exchange(usize, usize),
}

/// A chain on the collapsed posterior.
pub struct Collapsed<'a, L> {
    posterior: Posterior<'a, L>,
    proposal: &'a Proposal,
    directions: &'a [Direction],
    current: Point,
    /// log density of the proposal at the current point.
    log_proposal: f64,
    trial: Point,
    kept: Point,
    /// w.
    draw: Vec<f64>,
    slices: f64,
    settled: bool,
    accepted: usize,
    proposed: usize,
}

/// Runs chains that start around the mode, or from the rows of `resume` (w for each chain).
///
/// # Errors
/// As [`chains::run`].
pub fn run<L: Likelihood + Clone + Sync>(
    posterior: &Posterior<L>,
    mode: &Mode,
    resume: Option<&[Vec<f64>]>,
    settings: &Settings,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Result<Draws> {
    let directions = directions(posterior);
    let start = |number: usize, rng: &mut ChaCha8Rng| {
        let from = resume.and_then(|resume| resume.get(number));
        let mut chain = Collapsed::new(posterior.clone(), mode, &directions);
        chain.begin(from, rng)?;
        Ok(chain)
    };
    let width = posterior.layout().naturals();
    chains::run(settings, width, start, monitor)
}

fn directions<L: Likelihood>(posterior: &Posterior<L>) -> Vec<Direction> {
    let first = posterior.first();
    let kinds = posterior.layout().coordinate_kinds();
    let moved = kinds.iter().skip(first).enumerate();
    let deviations: Vec<usize> = moved
        .filter(|(_, kind)| match kind {
            Kind::Residual => true,
            Kind::Covariance { row, column, .. } => row == column,
            _ => false,
        })
        .map(|(j, _)| j)
        .collect();
    let d = posterior.dimension();
    let mut directions: Vec<Direction> = (0..d).map(Direction::Coordinate).collect();
    if d > 1 {
        directions.extend((0..d).map(Direction::Axis));
    }
    for (k, &i) in deviations.iter().enumerate() {
        let others = deviations[k + 1..].iter();
        directions.extend(others.map(|&j| Direction::Exchange(i, j)));
    }
    directions
}

impl<'a, L: Likelihood> Collapsed<'a, L> {
    fn new(posterior: Posterior<'a, L>, mode: &'a Mode, directions: &'a [Direction]) -> Self {
        let point = posterior.point();
        Collapsed {
            proposal: &mode.proposal,
            directions,
            current: point.clone(),
            log_proposal: f64::NEG_INFINITY,
            trial: point.clone(),
            kept: point,
            draw: mode.w.clone(),
            slices: 1.0,
            settled: false,
            accepted: 0,
            proposed: 0,
            posterior,
        }
    }

    /// Finds the first point: of `w`, or drawn from the proposal, or the mode itself.
    fn begin(&mut self, w: Option<&Vec<f64>>, rng: &mut ChaCha8Rng) -> Result<()> {
        let first = self.posterior.first();
        for attempt in 0..=MAX_STARTS {
            match w {
                Some(w) => self.current.v.copy_from_slice(&w[first..]),
                None if attempt < MAX_STARTS => self.proposal.draw(rng, &mut self.current.v),
                None => {
                    let center = self.proposal.center.as_slice();
                    self.current.v.copy_from_slice(center);
                }
            }
            self.posterior.evaluate(&mut self.current);
            if self.current.log_density.is_finite() {
                self.log_proposal = self.proposal.log_density(&self.current.v);
                return Ok(());
            }
        }
        Err(Error::Argument {
            argument: "start",
            message: "is where the posterior vanishes".into(),
        })
    }

    fn propose(&mut self, rng: &mut ChaCha8Rng) {
        self.proposal.draw(rng, &mut self.trial.v);
        self.posterior.evaluate(&mut self.trial);
        let log_proposal = self.proposal.log_density(&self.trial.v);
        let log_ratio =
            self.trial.log_density - self.current.log_density - log_proposal + self.log_proposal;
        self.proposed += 1;
        if rng.random::<f64>().ln() < log_ratio {
            std::mem::swap(&mut self.trial, &mut self.current);
            self.log_proposal = log_proposal;
            self.accepted += 1;
        }
    }

    fn slice(&mut self, rng: &mut ChaCha8Rng) {
        if self.directions.is_empty() {
            return;
        }
        let direction = self.directions[rng.random_range(0..self.directions.len())];
        let width = match direction {
            Direction::Coordinate(j) => 2.0 * self.proposal.deviation(j),
            Direction::Axis(_) => 2.0,
            Direction::Exchange(..) => 1.0,
        };
        let mut path = Path {
            posterior: &mut self.posterior,
            proposal: self.proposal,
            direction,
            from: &self.current,
            trial: &mut self.trial,
            kept: &mut self.kept,
        };
        if doubling::step(&mut path, self.current.log_density, width, rng) {
            std::mem::swap(&mut self.kept, &mut self.current);
            self.log_proposal = self.proposal.log_density(&self.current.v);
        }
    }

    /// Slice moves for each proposal, from the acceptance so far.
    fn adapt(&mut self) {
        if self.proposed >= FIRST_PROPOSALS {
            self.slices = match self.acceptance() {
                share if share >= GOOD => SLICES_IF_GOOD,
                share if share >= FAIR => 1.0,
                _ => self.directions.len() as f64,
            };
        }
    }

    fn layout(&self) -> &'a Layout {
        self.posterior.layout()
    }
}

impl<L: Likelihood> Sampler for Collapsed<'_, L> {
    fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        self.propose(rng);
        if !self.settled {
            self.adapt();
        }
        let slices = (self.slices + rng.random::<f64>()).floor() as usize;
        for _ in 0..slices {
            self.slice(rng);
        }
        self.posterior.draw_into(&self.current, rng, &mut self.draw);
        Ok(())
    }

    fn state(&self, to: &mut [f64]) {
        self.layout().natural_into(&self.draw, to);
    }

    fn settle(&mut self) {
        self.settled = true;
        (self.accepted, self.proposed) = (0, 0);
    }

    fn acceptance(&self) -> f64 {
        self.accepted as f64 / self.proposed.max(1) as f64
    }
}

/// The posterior along a direction.
struct Path<'p, 'a, L> {
    posterior: &'p mut Posterior<'a, L>,
    proposal: &'p Proposal,
    direction: Direction,
    from: &'p Point,
    trial: &'p mut Point,
    kept: &'p mut Point,
}

impl<L: Likelihood> Curve for Path<'_, '_, L> {
    fn at(&mut self, t: f64) -> f64 {
        let v = &mut self.trial.v;
        v.copy_from_slice(&self.from.v);
        match self.direction {
            Direction::Coordinate(j) => v[j] += t,
            Direction::Axis(k) => {
                let axis = self.proposal.root.column(k);
                v.iter_mut().zip(axis.iter()).for_each(|(v, a)| *v += t * a);
            }
            Direction::Exchange(i, j) => {
                let (from, to) = (2.0 * v[i], 2.0 * v[j]);
                let log_sum = log_add(from, to);
                let logit = to - from + t;
                v[i] = 0.5 * (log_sum - log_add(0.0, logit));
                v[j] = 0.5 * (log_sum - log_add(0.0, -logit));
            }
        }
        self.posterior.evaluate(self.trial);
        self.trial.log_density
    }

    fn keep(&mut self) {
        std::mem::swap(self.trial, self.kept);
    }
}

/// log(eᵃ + eᵇ).
fn log_add(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}
