//! Clones of a generalised linear mixed model with several grouping factors, nested or crossed.
//!
//! As [`super::clones`], with the effects of one clone in the place of those of a level: Laplace's approximation is
//! that of all effects together, with mode û and Cholesky factor L of its Hessian ([`crate::glmm::laplace`]).
//!
//! One iteration:
//! 1. effects of every clone: once all together, û + ρ (u - û) + √(1 - ρ²) L⁻ᵀz with a ρ that is learnt during
//!    burn-in (Neal 1999: autoregressive proposals are reversible for the approximation, so that only what it
//!    leaves out is judged), and once level by level, by a Newton step from where they are;
//! 2. covariance matrices and shifts, which leave the linear predictors as they are;
//! 3. all parameters, with z = Lᵀ(u - û) of every clone held.

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::chains::Sampler;
use super::clones::ClonedGlmm;
use super::covariance_step::CovarianceStep;
use super::independence::Independence;
use super::laplace_target::coordinates;
use super::level_step::LevelStep;
use super::shift::{shifts, Shift};
use super::small::{self, inner, square};
use super::walk::{Guide, Walk};
use crate::error::{Error, Result};
use crate::glmm::family::{Block, BlockTerms};
use crate::glmm::laplace::Laplace;
use crate::glmm::problem::{Criterion, Problem};

/// The share of proposals of all effects together that should be accepted.
const TARGET: f64 = 0.5;

/// Everything that follows from the parameters.
#[derive(Debug, Clone)]
struct Point<'a> {
    w: Vec<f64>,
    log_prior: f64,
    lambdas: Vec<DMatrix<f64>>,
    log_shape: f64,
    /// K times the part of the log-likelihood that depends on no η.
    constant: f64,
    /// offset + Xβ of each cell.
    fixed: Vec<f64>,
    laplace: Laplace<'a>,
    /// û.
    modes: Vec<f64>,
}

/// Effects of the clones.
#[derive(Debug, Clone)]
struct Effects {
    /// u: clone after clone, core terms in order, q values per level.
    u: Vec<f64>,
    /// Log-likelihood of each clone, less the constant.
    values: Vec<f64>,
}

/// Buffers of the size of the cells.
#[derive(Debug, Clone)]
struct Buffers {
    eta: Vec<f64>,
    without: Vec<f64>,
    effects: Vec<f64>,
}

/// The sampler at its current point.
#[derive(Debug)]
pub struct CrossedClones<'a> {
    model: ClonedGlmm<'a>,
    point: Point<'a>,
    proposed: Point<'a>,
    /// A search that has been nowhere, for densities with several modes.
    fresh: Option<Laplace<'a>>,
    effects: Effects,
    proposals: Effects,
    buffers: Buffers,
    shifts: Vec<Shift>,
    widths: Vec<f64>,
    independence: Independence,
    walk: Walk,
    /// logit of √(1 - ρ²), and how often it was learnt; `None` afterwards.
    log_step: f64,
    learnt: Option<f64>,
    moves: (usize, usize),
}

impl<'a> CrossedClones<'a> {
    /// A chain that starts at `w`; `guide` gives the scale of moves. Effects start at their modes.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` when it is impossible; as [`Laplace::new`].
    pub fn new(
        model: ClonedGlmm<'a>,
        problem: &'a Problem<'a>,
        guide: &Guide,
        w: &[f64],
    ) -> Result<Self> {
        if w.len() != model.layout.coordinates() || !model.prior.log_density(w).is_finite() {
            return Err(Error::Argument {
                argument: "start",
                message: "is outside the support of the prior".into(),
            });
        }
        let laplace = Laplace::new(problem, 1)?;
        let sizes = model
            .cells
            .terms
            .iter()
            .map(|term| term.levels * term.width);
        let size = sizes.sum();
        let cells = model.cells.len();
        let mut point = Point {
            w: w.to_vec(),
            log_prior: 0.0,
            lambdas: Vec::new(),
            log_shape: f64::NAN,
            constant: f64::NAN,
            fixed: vec![0.0; cells],
            modes: vec![0.0; size],
            laplace: laplace.clone(),
        };
        let fresh = (!model.family.is_log_concave()).then_some(laplace);
        update(&model, fresh.as_ref(), &mut point, w)?;
        let effects = Effects {
            u: point.modes.repeat(model.clones),
            values: vec![0.0; model.clones],
        };
        let mut chain = CrossedClones {
            proposed: point.clone(),
            proposals: effects.clone(),
            buffers: Buffers {
                eta: vec![0.0; cells],
                without: vec![0.0; cells],
                effects: vec![0.0; size],
            },
            shifts: shifts(model.cells, model.layout.fixed),
            widths: guide.widths(),
            independence: Independence::new(guide, model.clones),
            walk: Walk::new(guide, 0..w.len()),
            log_step: 0.0,
            learnt: Some(0.0),
            moves: (0, 0),
            fresh,
            effects,
            point,
            model,
        };
        chain.proposals.u.copy_from_slice(&chain.effects.u);
        chain.evaluate(false);
        chain
            .effects
            .values
            .copy_from_slice(&chain.proposals.values);
        Ok(chain)
    }

    /// The same chain with other effects: u of every clone.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` when they are not as many, or impossible.
    pub fn with_effects(mut self, u: &[f64]) -> Result<Self> {
        if u.len() == self.effects.u.len() {
            self.proposals.u.copy_from_slice(u);
            self.evaluate(false);
            if self.proposals.values.iter().all(|value| value.is_finite()) {
                std::mem::swap(&mut self.effects, &mut self.proposals);
                return Ok(self);
            }
        }
        Err(Error::Argument {
            argument: "start",
            message: "has impossible random effects".into(),
        })
    }

    /// The unconstrained vector.
    pub fn coordinates(&self) -> &[f64] {
        &self.point.w
    }

    /// u of every clone: core terms in order, q values per level.
    pub fn effects(&self) -> &[f64] {
        &self.effects.u
    }

    /// b of every clone.
    pub fn original_effects(&self) -> Vec<f64> {
        let size = self.point.modes.len();
        let mut b = self.effects.u.clone();
        for (u, b) in self
            .effects
            .u
            .chunks_exact(size)
            .zip(b.chunks_exact_mut(size))
        {
            self.point.to_original_scale(u, b);
        }
        b
    }

    /// Draws the effects from their approximation, unless that is impossible.
    pub fn spread_effects(&mut self, rng: &mut ChaCha8Rng) {
        let size = self.point.modes.len();
        for u in self.proposals.u.chunks_exact_mut(size) {
            u.iter_mut().for_each(|z| *z = rng.sample(StandardNormal));
            self.point.laplace.factor().spread(u);
            u.iter_mut()
                .zip(&self.point.modes)
                .for_each(|(u, mode)| *u += mode);
        }
        self.evaluate(false);
        if self.proposals.values.iter().all(|value| value.is_finite()) {
            std::mem::swap(&mut self.effects, &mut self.proposals);
        }
    }

    /// Moves the effects on, `times` times, at the parameters that there are.
    pub fn refresh_effects(&mut self, times: usize, rng: &mut ChaCha8Rng) {
        for _ in 0..times {
            self.draw_together(rng);
            self.draw_by_level(rng);
        }
    }

    /// Log-likelihoods of the proposed effects, at the current or the proposed parameters.
    fn evaluate(&mut self, proposed: bool) {
        let point = if proposed {
            &self.proposed
        } else {
            &self.point
        };
        let size = point.modes.len();
        let both = self
            .proposals
            .u
            .chunks_exact(size)
            .zip(&mut self.proposals.values);
        for (u, value) in both {
            *value = log_likelihood(&self.model, point, u, &mut self.buffers);
        }
    }

    /// The effects of every clone together.
    fn draw_together(&mut self, rng: &mut ChaCha8Rng) {
        let size = self.point.modes.len();
        let step = 1.0 / (1.0 + (-self.log_step).exp());
        let keep = (1.0 - step * step).sqrt();
        let factor = self.point.laplace.factor();
        let mut log_ratios = Vec::with_capacity(self.model.clones);
        for (u, to) in self
            .effects
            .u
            .chunks_exact(size)
            .zip(self.proposals.u.chunks_exact_mut(size))
        {
            to.iter_mut()
                .zip(u.iter().zip(&self.point.modes))
                .for_each(|(to, (u, mode))| *to = u - mode);
            factor.whiten(to);
            let before = square(to);
            for z in to.iter_mut() {
                *z = keep * *z + step * rng.sample::<f64, _>(StandardNormal);
            }
            let after = square(to);
            factor.spread(to);
            to.iter_mut()
                .zip(&self.point.modes)
                .for_each(|(to, mode)| *to += mode);
            log_ratios.push(0.5 * (after - before + square(u) - square(to)));
        }
        self.evaluate(false);
        for (k, log_ratio) in log_ratios.into_iter().enumerate() {
            let log_ratio = log_ratio + self.proposals.values[k] - self.effects.values[k];
            if let Some(learnt) = &mut self.learnt {
                *learnt += 1.0;
                let acceptance = if log_ratio.is_nan() {
                    0.0
                } else {
                    log_ratio.min(0.0).exp()
                };
                self.log_step += (acceptance - TARGET) * 2.0 / learnt.powf(0.6);
            }
            if rng.random::<f64>().ln() < log_ratio {
                self.effects.values[k] = self.proposals.values[k];
                let at = k * size..(k + 1) * size;
                self.effects.u[at.clone()].copy_from_slice(&self.proposals.u[at]);
            }
        }
    }

    /// The effects of every clone, level by level, by Newton's step from where they are.
    fn draw_by_level(&mut self, rng: &mut ChaCha8Rng) {
        let size = self.point.modes.len();
        let model = self.model;
        let both = self
            .effects
            .u
            .chunks_exact_mut(size)
            .zip(&mut self.effects.values);
        for (u, value) in both {
            self.point.predictors(&model, u, &mut self.buffers);
            let mut start = 0;
            for (t, term) in model.cells.terms.iter().enumerate() {
                let own = &mut u[start..start + term.levels * term.width];
                start += own.len();
                let step = LevelStep {
                    model: &model,
                    term: t,
                    lambda: self.point.lambdas[t].as_slice(),
                    log_shape: self.point.log_shape,
                };
                let Buffers { eta, without, .. } = &mut self.buffers;
                *value += step.draw(own, eta, without, rng);
            }
        }
    }

    /// Step 2: what leaves the linear predictors as they are.
    fn draw_given_predictors(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        let ClonedGlmm {
            layout,
            prior,
            cells,
            ..
        } = self.model;
        let mut w = self.point.w.clone();
        let mut by_term: Vec<Vec<f64>> = (0..cells.terms.len())
            .map(|term| self.gather(term))
            .collect();
        for (block, of) in layout.blocks.iter().enumerate() {
            let (u, lambda) = (&by_term[of.term], &self.point.lambdas[of.term]);
            let u = DMatrix::from_column_slice(lambda.nrows(), u.len() / lambda.nrows(), u);
            let scatter = lambda * (&u * u.transpose()) * lambda.transpose();
            let step = CovarianceStep {
                layout,
                prior,
                block,
                draws: u.ncols() as f64,
            };
            step.draw(&of.part(&scatter), &self.widths, &mut w, rng);
        }
        for (term, u) in by_term.iter_mut().enumerate() {
            let lambda = self.model.lambda(term, &w);
            // b = Λu stays.
            for u in u.chunks_exact_mut(lambda.nrows()) {
                let from = u.to_vec();
                small::lower_times(self.point.lambdas[term].as_slice(), &from, u);
                small::forward(lambda.as_slice(), u);
            }
            for shift in self.shifts.iter().filter(|shift| shift.term == term) {
                shift.draw(prior, lambda.as_slice(), u, &mut w, rng);
            }
        }
        for (term, u) in by_term.iter().enumerate() {
            self.scatter(term, u);
        }
        update(&self.model, self.fresh.as_ref(), &mut self.point, &w)
    }

    /// Effects of a term: level after level, clone after clone.
    fn gather(&self, term: usize) -> Vec<f64> {
        let mut to = Vec::new();
        for (level, start) in self.positions(term) {
            let of = &self.model.cells.terms[term];
            let at = start + level * of.width;
            for u in self.effects.u.chunks_exact(self.point.modes.len()) {
                to.extend_from_slice(&u[at..at + of.width]);
            }
        }
        to
    }

    /// Puts back what [`CrossedClones::gather`] took.
    fn scatter(&mut self, term: usize, from: &[f64]) {
        let width = self.model.cells.terms[term].width;
        let size = self.point.modes.len();
        let mut from = from.chunks_exact(width);
        for (level, start) in self.positions(term) {
            let at = start + level * width;
            for (u, from) in self.effects.u.chunks_exact_mut(size).zip(from.by_ref()) {
                u[at..at + width].copy_from_slice(from);
            }
        }
    }

    /// Levels of a term, and where the term starts among the effects of a clone.
    fn positions(&self, term: usize) -> impl Iterator<Item = (usize, usize)> {
        let terms = &self.model.cells.terms;
        let start = terms[..term]
            .iter()
            .map(|term| term.levels * term.width)
            .sum();
        (0..terms[term].levels).map(move |level| (level, start))
    }

    /// Step 3: the parameters, and the effects with them.
    fn move_parameters(&mut self, rng: &mut ChaCha8Rng) {
        let independent = rng.random::<f64>() < self.independence.share();
        let mut w = self.point.w.clone();
        let mut log_ratio = 0.0;
        if independent {
            log_ratio += self.independence.log_density(&w);
            self.independence.propose(&mut w, rng);
            log_ratio -= self.independence.log_density(&w);
        } else {
            self.walk.propose(&mut w, rng);
        }
        if update(&self.model, self.fresh.as_ref(), &mut self.proposed, &w).is_ok() {
            self.carry_effects();
            self.evaluate(true);
            log_ratio += self.log_density(&self.proposed, &self.proposals)
                - self.log_density(&self.point, &self.effects);
        } else {
            log_ratio = f64::NEG_INFINITY;
        }
        let accepted = rng.random::<f64>().ln() < log_ratio;
        if independent {
            self.independence.count(accepted);
        } else {
            self.walk.adapt(log_ratio);
        }
        self.moves.0 += 1;
        if accepted {
            self.moves.1 += 1;
            std::mem::swap(&mut self.point, &mut self.proposed);
            std::mem::swap(&mut self.effects, &mut self.proposals);
        }
        self.independence.learn(&self.point.w);
    }

    /// The proposed effects: those of the same z = Lᵀ(u - û) at the proposed parameters.
    fn carry_effects(&mut self) {
        let size = self.point.modes.len();
        let both = self
            .effects
            .u
            .chunks_exact(size)
            .zip(self.proposals.u.chunks_exact_mut(size));
        for (u, z) in both {
            z.iter_mut()
                .zip(u.iter().zip(&self.point.modes))
                .for_each(|(z, (u, mode))| *z = u - mode);
            self.point.laplace.factor().whiten(z);
            self.proposed.laplace.factor().spread(z);
            z.iter_mut()
                .zip(&self.proposed.modes)
                .for_each(|(z, mode)| *z += mode);
        }
    }

    /// log density of the parameters and of z.
    fn log_density(&self, point: &Point, effects: &Effects) -> f64 {
        let data: f64 = effects.values.iter().sum();
        let log_det = 0.5 * self.model.clones as f64 * point.laplace.factor().log_det_random();
        point.log_prior + point.constant + data - 0.5 * square(&effects.u) - log_det
    }
}

/// Brings a point to `w`.
fn update<'a>(
    model: &ClonedGlmm<'a>,
    fresh: Option<&Laplace<'a>>,
    point: &mut Point<'a>,
    w: &[f64],
) -> Result<()> {
    point.w.copy_from_slice(w);
    point.log_prior = model.prior.log_density(w);
    if !point.log_prior.is_finite() {
        return Err(Error::Numerical {
            message: "a point outside the support of the prior".into(),
        });
    }
    let terms = 0..model.cells.terms.len();
    point.lambdas = terms.clone().map(|term| model.lambda(term, w)).collect();
    let log_shape = model.log_shape(w);
    if log_shape != point.log_shape {
        point.log_shape = log_shape;
        point.constant = model.clones as f64 * model.cells.constant(model.family, log_shape);
    }
    model
        .cells
        .fixed_part(&w[..model.layout.fixed], &mut point.fixed);
    if let Some(fresh) = fresh {
        // Which of several modes is found must not depend on where the chain came from.
        point.laplace = fresh.clone();
    }
    let psi = coordinates(point.laplace.problem(), model.layout, w);
    point.laplace.value(&psi)?;
    point.modes.clear();
    for term in terms {
        point
            .modes
            .extend_from_slice(point.laplace.spherical_modes(term));
    }
    Ok(())
}

impl Point<'_> {
    /// b = Λu of one clone.
    fn to_original_scale(&self, u: &[f64], b: &mut [f64]) {
        let mut start = 0;
        let sizes = self.laplace.problem().rows.terms.iter();
        for (lambda, term) in self.lambdas.iter().zip(sizes) {
            let q = lambda.nrows();
            let own = start..start + q * term.levels;
            let both = u[own.clone()]
                .chunks_exact(q)
                .zip(b[own.clone()].chunks_exact_mut(q));
            both.for_each(|(u, b)| small::lower_times(lambda.as_slice(), u, b));
            start = own.end;
        }
    }

    /// Linear predictors of one clone.
    fn predictors(&self, model: &ClonedGlmm, u: &[f64], buffers: &mut Buffers) {
        let Buffers { eta, effects, .. } = buffers;
        self.to_original_scale(u, effects);
        eta.copy_from_slice(&self.fixed);
        let mut start = 0;
        for term in &model.cells.terms {
            let own = &effects[start..start + term.levels * term.width];
            start += own.len();
            for (cell, eta) in eta.iter_mut().enumerate() {
                let b = &own[term.codes[cell] as usize * term.width..][..term.width];
                *eta += inner(term.row(cell), b);
            }
        }
    }
}

/// The log-likelihood of one clone, less the constant.
fn log_likelihood(model: &ClonedGlmm, point: &Point, u: &[f64], buffers: &mut Buffers) -> f64 {
    point.predictors(model, u, buffers);
    let rows = Block {
        response: &model.cells.response,
        weights: Some(&model.cells.weights),
        eta: &buffers.eta,
        log_shape: point.log_shape,
    };
    model.family.block(&rows, &mut BlockTerms::default())
}

impl Sampler for CrossedClones<'_> {
    fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        self.refresh_effects(1, rng);
        self.draw_given_predictors(rng)?;
        self.move_parameters(rng);
        Ok(())
    }

    fn state(&self, to: &mut [f64]) {
        self.model.layout.natural_into(&self.point.w, to);
    }

    fn settle(&mut self) {
        self.walk.settle();
        self.independence.settle();
        self.learnt = None;
        self.moves = (0, 0);
    }

    fn acceptance(&self) -> f64 {
        match self.moves {
            (0, _) => 1.0,
            (moves, accepted) => accepted as f64 / moves as f64,
        }
    }
}
