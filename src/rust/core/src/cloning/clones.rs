//! Clones of a generalised linear mixed model with one grouping factor.
//!
//! The likelihood has no closed form, so that clones are real: K copies of the effects of every level, with the
//! parameters in common. What the K clones of a level share is Laplace's approximation: mode û and curvature CCᵀ
//! at the parameters of the moment ([`super::level_modes`]), in units of the effects' standard deviations (b = Λu).
//!
//! One iteration:
//! 1. effects of every clone and level: a proposal û + C⁻ᵀz with z ~ N(0, s²), accepted one by one. s is 1, or
//!    larger now and then, for levels whose density has heavier tails than its approximation;
//! 2. covariance matrices given b, and shifts between fixed effects and the effects of levels that leave every
//!    linear predictor as it is (hierarchical centring): both need no data;
//! 3. all parameters at once, with z = Cᵀ(u - û) of every clone held, so that effects follow where the parameters
//!    go. Given z the parameters have almost the marginal posterior, and z does almost not depend on them: this is
//!    as good as integrating the effects out, and exact whatever the approximation is worth. Non-centred
//!    parametrisations that know the data: Christensen, Roberts and Sköld (2006, *JCGS* 15, 1-17), Papaspiliopoulos,
//!    Roberts and Sköld (2007, *Statistical Science* 22, 59-73). Proposals are independent of the current point
//!    ([`super::independence`]), or a random walk ([`super::walk`]), which needs no good mode.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::cells::{CellTerm, Cells};
use super::chains::Sampler;
use super::covariance_step::CovarianceStep;
use super::independence::Independence;
use super::level_likelihood::{has_sums, level_sums, Buffers, LevelLikelihood, LevelSums};
use super::level_modes::LevelModes;
use super::parameters::Layout;
use super::prior::Prior;
use super::shift::{shifts, Shift};
use super::small::{self, square};
use super::walk::{Guide, Walk};
use crate::error::{Error, Result};
use crate::glmm::family::Family;
use crate::mixed::structure::Structure;
use nalgebra::DMatrix;

/// The share of iterations with wider proposals of effects, and how much wider.
const WIDER: (f64, f64) = (0.2, 1.6);

/// A cloned generalised linear mixed model and its prior. The scale of Λ is 1.
#[derive(Debug, Clone, Copy)]
pub struct ClonedGlmm<'a> {
    pub cells: &'a Cells,
    pub family: &'a Family,
    pub structure: &'a Structure,
    pub layout: &'a Layout,
    pub prior: &'a Prior,
    /// The shape, if it is known.
    pub shape: Option<f64>,
    /// K.
    pub clones: usize,
}

/// Everything that follows from the parameters.
#[derive(Debug, Clone)]
struct Point {
    w: Vec<f64>,
    log_prior: f64,
    lambda: DMatrix<f64>,
    log_shape: f64,
    /// K times the part of the log-likelihood that depends on no η.
    constant: f64,
    eta: Vec<f64>,
    sums: Vec<LevelSums>,
    modes: LevelModes,
}

/// Effects of the clones.
#[derive(Debug, Clone)]
struct Effects {
    /// u: level after level, clone after clone, q values each.
    u: Vec<f64>,
    /// Log-likelihood of each level and clone, less the constant.
    values: Vec<f64>,
}

/// The sampler at its current point.
#[derive(Debug)]
pub struct Clones<'a> {
    model: ClonedGlmm<'a>,
    point: Point,
    proposed: Point,
    effects: Effects,
    proposals: Effects,
    /// b of the effects that are evaluated.
    original: Vec<f64>,
    buffers: Buffers,
    shifts: Vec<Shift>,
    widths: Vec<f64>,
    independence: Independence,
    walk: Walk,
    moves: (usize, usize),
}

impl<'a> ClonedGlmm<'a> {
    /// log shape at w; 0 for a family without.
    pub fn log_shape(&self, w: &[f64]) -> f64 {
        match (self.layout.shape_at(), self.shape) {
            (Some(at), _) => w[at],
            (None, Some(shape)) => shape.ln(),
            (None, None) => 0.0,
        }
    }

    /// Λ of a term at w.
    pub fn lambda(&self, term: usize, w: &[f64]) -> DMatrix<f64> {
        let mut theta = vec![0.0; self.layout.theta];
        self.layout.theta_into(w, &mut theta);
        self.structure.lambda(term, &theta)
    }

    fn term(&self) -> &'a CellTerm {
        &self.cells.terms[0]
    }

    /// Brings a point to `w`.
    fn update(&self, point: &mut Point, w: &[f64]) -> Result<()> {
        point.w.copy_from_slice(w);
        point.log_prior = self.prior.log_density(w);
        if !point.log_prior.is_finite() {
            return Err(Error::Numerical {
                message: "a point outside the support of the prior".into(),
            });
        }
        point.lambda = self.lambda(0, w);
        let log_shape = self.log_shape(w);
        if log_shape != point.log_shape || point.constant.is_nan() {
            point.log_shape = log_shape;
            point.constant = self.clones as f64 * self.cells.constant(self.family, log_shape);
        }
        self.cells
            .fixed_part(&w[..self.layout.fixed], &mut point.eta);
        if has_sums(self.family, self.term()) {
            level_sums(self.cells, self.term(), &point.eta, &mut point.sums);
        }
        let Point {
            lambda,
            log_shape,
            eta,
            sums,
            modes,
            ..
        } = point;
        let likelihood = self.likelihood(*log_shape, eta, sums);
        modes.find(&likelihood, lambda.as_slice())
    }

    fn likelihood<'b>(
        &'b self,
        log_shape: f64,
        eta: &'b [f64],
        sums: &'b [LevelSums],
    ) -> LevelLikelihood<'b> {
        LevelLikelihood {
            cells: self.cells,
            term: self.term(),
            family: self.family,
            log_shape,
            eta,
            sums: (!sums.is_empty()).then_some(sums),
        }
    }
}

impl<'a> Clones<'a> {
    /// A chain that starts at `w`; `guide` gives the scale of moves. Effects start at their modes.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` when it is impossible, `formula` when there are several grouping factors.
    pub fn new(model: ClonedGlmm<'a>, guide: &Guide, w: &[f64]) -> Result<Self> {
        let wrong = |argument, message: &str| Error::Argument {
            argument,
            message: message.into(),
        };
        if model.cells.terms.len() != 1 {
            return Err(wrong("formula", "must have one grouping factor"));
        }
        if w.len() != model.layout.coordinates() || !model.prior.log_density(w).is_finite() {
            return Err(wrong("start", "is outside the support of the prior"));
        }
        let term = model.term();
        let (q, levels, clones) = (term.width, term.levels, model.clones);
        let mut point = Point {
            w: w.to_vec(),
            log_prior: 0.0,
            lambda: DMatrix::zeros(q, q),
            log_shape: f64::NAN,
            constant: f64::NAN,
            eta: vec![0.0; model.cells.len()],
            sums: Vec::new(),
            modes: LevelModes::new(q, levels),
        };
        model.update(&mut point, w)?;
        let modes = point.modes.modes.chunks_exact(q);
        let effects = Effects {
            u: modes.flat_map(|u| u.repeat(clones)).collect(),
            values: vec![0.0; levels * clones],
        };
        let mut chain = Clones {
            original: effects.u.clone(),
            buffers: Buffers::default(),
            proposals: effects.clone(),
            proposed: point.clone(),
            shifts: shifts(model.cells, model.layout.fixed),
            widths: guide.widths(),
            independence: Independence::new(guide, clones),
            walk: Walk::new(guide, 0..w.len()),
            moves: (0, 0),
            effects,
            point,
            model,
        };
        chain.evaluate(false);
        std::mem::swap(&mut chain.effects.values, &mut chain.proposals.values);
        Ok(chain)
    }

    /// The unconstrained vector.
    pub fn coordinates(&self) -> &[f64] {
        &self.point.w
    }

    /// The same chain with other effects: u of every level and clone, level after level.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` when they are not as many, or impossible.
    pub fn with_effects(mut self, u: &[f64]) -> Result<Self> {
        if u.len() == self.proposals.u.len() {
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

    /// Moves the effects on, `times` times, at the parameters that there are.
    pub fn refresh_effects(&mut self, times: usize, rng: &mut ChaCha8Rng) {
        (0..times).for_each(|_| self.draw_effects(rng));
    }

    /// u of every level and clone, level after level.
    pub fn effects(&self) -> &[f64] {
        &self.effects.u
    }

    /// b of every level and clone: q values for each clone, level after level.
    pub fn original_effects(&self) -> Vec<f64> {
        let mut b = self.effects.u.clone();
        let lambda = self.point.lambda.as_slice();
        let q = self.point.modes.width;
        for (u, b) in self.effects.u.chunks_exact(q).zip(b.chunks_exact_mut(q)) {
            small::lower_times(lambda, u, b);
        }
        b
    }

    /// Log-likelihoods of the proposed effects, at the current or the proposed parameters.
    fn evaluate(&mut self, proposed: bool) {
        let point = if proposed {
            &self.proposed
        } else {
            &self.point
        };
        let q = point.modes.width;
        let lambda = point.lambda.as_slice();
        let (u, b) = (&self.proposals.u, &mut self.original);
        for (u, b) in u.chunks_exact(q).zip(b.chunks_exact_mut(q)) {
            small::lower_times(lambda, u, b);
        }
        let likelihood = self
            .model
            .likelihood(point.log_shape, &point.eta, &point.sums);
        let clones = self.model.clones;
        let levels = self.proposals.values.chunks_exact_mut(clones);
        for (level, (to, b)) in levels
            .zip(self.original.chunks_exact(q * clones))
            .enumerate()
        {
            likelihood.values(level, b, to, &mut self.buffers);
        }
    }

    /// Step 1: the effects, given the parameters.
    fn draw_effects(&mut self, rng: &mut ChaCha8Rng) {
        let q = self.point.modes.width;
        let scale = match rng.random::<f64>() < WIDER.0 {
            true => WIDER.1,
            false => 1.0,
        };
        let clones = self.model.clones;
        let modes = &self.point.modes;
        // log of the current density relative to the proposals', then of the proposed one.
        let mut log_ratios = vec![0.0; self.effects.values.len()];
        let mut z = vec![0.0; q];
        let precision = 0.5 / (scale * scale);
        let each = self
            .proposals
            .u
            .chunks_exact_mut(q)
            .zip(self.effects.u.chunks_exact(q));
        for (k, ((to, u), log_ratio)) in each.zip(&mut log_ratios).enumerate() {
            let level = k / clones;
            let mode = &modes.modes[level * q..][..q];
            let root = &modes.roots[level * q * q..][..q * q];
            z.iter_mut()
                .zip(u.iter().zip(mode))
                .for_each(|(z, (u, m))| *z = u - m);
            small::lower_transposed_times(root, &mut z);
            *log_ratio = 0.5 * square(u) - precision * square(&z);
            for z in &mut z {
                *z = scale * rng.sample::<f64, _>(StandardNormal);
            }
            let at = precision * square(&z);
            small::backward(root, &mut z);
            to.iter_mut()
                .zip(z.iter().zip(mode))
                .for_each(|(to, (z, m))| *to = m + z);
            *log_ratio += at - 0.5 * square(to);
        }
        self.evaluate(false);
        for (k, log_ratio) in log_ratios.into_iter().enumerate() {
            let log_ratio = log_ratio + self.proposals.values[k] - self.effects.values[k];
            if log_ratio >= 0.0 || rng.random::<f64>().ln() < log_ratio {
                self.effects.values[k] = self.proposals.values[k];
                let at = k * q..(k + 1) * q;
                self.effects.u[at.clone()].copy_from_slice(&self.proposals.u[at]);
            }
        }
    }

    /// Step 2: what leaves the linear predictors as they are.
    fn draw_given_predictors(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        let ClonedGlmm { layout, prior, .. } = self.model;
        let q = self.point.modes.width;
        let u = DMatrix::from_column_slice(q, self.effects.u.len() / q, &self.effects.u);
        let half = &self.point.lambda * (&u * u.transpose());
        let scatter = half * self.point.lambda.transpose();
        let mut w = self.point.w.clone();
        for (block, of) in layout.blocks.iter().enumerate() {
            let step = CovarianceStep {
                layout,
                prior,
                block,
                draws: u.ncols() as f64,
            };
            step.draw(&of.part(&scatter), &self.widths, &mut w, rng);
        }
        let lambda = self.model.lambda(0, &w);
        // b = Λu stays.
        for u in self.effects.u.chunks_exact_mut(q) {
            let from = u.to_vec();
            small::lower_times(self.point.lambda.as_slice(), &from, u);
            small::forward(lambda.as_slice(), u);
        }
        for shift in &self.shifts {
            shift.draw(prior, lambda.as_slice(), &mut self.effects.u, &mut w, rng);
        }
        self.model.update(&mut self.point, &w)
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
        self.proposed
            .modes
            .modes
            .copy_from_slice(&self.point.modes.modes);
        let possible = self.model.update(&mut self.proposed, &w).is_ok();
        if possible {
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

    /// The proposed effects: those of the same z = Cᵀ(u - û) at the proposed parameters.
    fn carry_effects(&mut self) {
        let q = self.point.modes.width;
        let (from, to) = (&self.point.modes, &self.proposed.modes);
        let each = self
            .effects
            .u
            .chunks_exact(q)
            .zip(self.proposals.u.chunks_exact_mut(q));
        for (k, (u, proposal)) in each.enumerate() {
            let level = k / self.model.clones;
            let (at, size) = (level * q, q * q);
            let mode = &from.modes[at..at + q];
            let z = proposal;
            z.iter_mut()
                .zip(u.iter().zip(mode))
                .for_each(|(z, (u, m))| *z = u - m);
            small::lower_transposed_times(&from.roots[level * size..][..size], z);
            small::backward(&to.roots[level * size..][..size], z);
            z.iter_mut()
                .zip(&to.modes[at..at + q])
                .for_each(|(z, m)| *z += m);
        }
    }

    /// log density of the parameters and of z.
    fn log_density(&self, point: &Point, effects: &Effects) -> f64 {
        let data: f64 = effects.values.iter().sum();
        let log_det = self.model.clones as f64 * point.modes.log_det;
        point.log_prior + point.constant + data - 0.5 * square(&effects.u) - log_det
    }
}

impl Sampler for Clones<'_> {
    fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        self.draw_effects(rng);
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
        self.moves = (0, 0);
    }

    fn acceptance(&self) -> f64 {
        match self.moves {
            (0, _) => 1.0,
            (moves, accepted) => accepted as f64 / moves as f64,
        }
    }
}
