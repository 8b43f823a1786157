//! The conditional mode of u given (θ, β, shape): penalised iteratively reweighted least squares.
//!
//! Newton's method on log p(y | u) - |u|²/2, whose Hessian is -H, H = ΛᵀZᵀWZΛ + I with the observed weights W. Steps
//! are halved until they ascend. Where negative weights make H indefinite, a step is taken with the expected weights;
//! the mode itself is always judged by the observed ones.
//!
//! A kernel that is not concave in η (see [`super::family::Family::is_log_concave`]) may have several modes; the one
//! found is that nearest to where the search begins, which is the last mode.

use std::ops::Range;

use nalgebra::DMatrix;

use super::constants::Constants;
use super::family::{Block, BlockTerms};
use super::fixed_effects::linear_predictor;
use super::problem::Problem;
use crate::error::{Error, Result};
use crate::mixed::factor::Factor;

use crate::mixed::structure::Structure;
use crate::mixed::working::{add_effects, Working};
use crate::shard::{map_slices, BLOCK_ROWS};

/// Passes over the rows before a mode counts as not found.
const MAX_PASSES: usize = 200;

/// Halvings of one step.
const MAX_HALVINGS: usize = 40;

/// Squared length of a Newton step in the metric of H below which there is nothing left to gain.
const CONVERGED: f64 = 1e-22;

/// The same below which convergence is quadratic: one step more ends at rounding.
const QUADRATIC: f64 = 1e-13;

/// Rows from which threads are worth their start.
const MANY_ROWS: usize = 1 << 14;

/// The mode and the state of the rows there.
#[derive(Debug, Clone)]
pub(super) struct Modes<'a> {
    pub problem: &'a Problem<'a>,
    pub working: Working,
    pub factor: Factor,
    pub constants: Constants,
    pub threads: usize,
    /// û, q values per level, term behind term.
    pub u: Vec<f64>,
    /// offset + Xβ.
    pub fixed: Vec<f64>,
    pub eta: Vec<f64>,
    pub score: Vec<f64>,
    pub weight: Vec<f64>,
    pub slope: Vec<f64>,
    pub log_shape: f64,
    /// Σ of the kernels at the mode.
    pub kernel: f64,
    /// Passes over the rows so far.
    pub passes: usize,
    /// Λ of each term.
    lambdas: Vec<DMatrix<f64>>,
    step: Vec<f64>,
    trial: Vec<f64>,
    /// b = Λu of each term.
    effects: Vec<Vec<f64>>,
}

impl<'a> Modes<'a> {
    /// Room for the modes of a problem.
    ///
    /// # Errors
    /// As [`Factor::new`].
    pub fn new(problem: &'a Problem<'a>, threads: usize) -> Result<Self> {
        let rows = problem.rows;
        let working = Working::new(rows, threads)?;
        let factor = Factor::new(
            working.pattern(),
            &Structure::full(&problem.structure.widths),
        )?;
        let effects: Vec<Vec<f64>> = rows
            .terms
            .iter()
            .map(|term| vec![0.0; term.levels * term.columns.len()])
            .collect();
        let size = effects.iter().map(Vec::len).sum();
        let n = rows.len();
        Ok(Modes {
            constants: Constants::of(rows, problem.family),
            threads: if n < MANY_ROWS { 1 } else { threads },
            u: vec![0.0; size],
            fixed: vec![0.0; n],
            eta: vec![0.0; n],
            score: vec![0.0; n],
            weight: vec![0.0; n],
            slope: vec![0.0; n],
            log_shape: 0.0,
            kernel: 0.0,
            passes: 0,
            step: vec![0.0; size],
            trial: vec![0.0; size],
            lambdas: Vec::new(),
            effects,
            problem,
            working,
            factor,
        })
    }

    /// Finds the mode, from the last one; the factor is left at H there.
    ///
    /// # Errors
    /// [`Error::Numerical`] where there is none: the linear predictor leaves the domain of the link, or the steps
    /// do not converge. The next search then begins at u = 0.
    pub fn locate(&mut self, theta: &[f64], beta: &[f64], log_shape: f64) -> Result<()> {
        self.log_shape = log_shape;
        linear_predictor(
            self.problem.rows,
            self.problem.basis().kept.as_slice(),
            beta,
            &mut self.fixed,
            self.threads,
        );
        let found = self.climb(theta);
        if found.is_err() && self.u.iter().any(|&u| u != 0.0) {
            self.u.fill(0.0);
            return self.climb(theta).inspect_err(|_| self.u.fill(0.0));
        }
        found.inspect_err(|_| self.u.fill(0.0))
    }

    /// Where each term starts in u.
    pub fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for effects in &self.effects {
            starts.push(starts[starts.len() - 1] + effects.len());
        }
        starts
    }

    /// log p(y | û) - |û|²/2 - log |H| / 2, constants included.
    pub fn log_likelihood(&self) -> f64 {
        let penalty: f64 = self.u.iter().map(|u| u * u).sum();
        let constants = self.constants.value(self.log_shape);
        self.kernel + constants - 0.5 * (penalty + self.factor.log_det_random())
    }

    fn climb(&mut self, theta: &[f64]) -> Result<()> {
        let structure = self.problem.structure;
        let terms = 0..self.effects.len();
        self.lambdas = terms.map(|t| structure.lambda(t, theta)).collect();
        let u = std::mem::take(&mut self.u);
        let mut objective = self.evaluate(&u);
        self.u = u;
        if !objective.is_finite() {
            return Err(no_mode(
                "the linear predictor leaves the domain of the link",
            ));
        }
        let mut settled = false;
        let last = self.passes + MAX_PASSES;
        while self.passes < last {
            let (rows, threads) = (self.problem.rows, self.threads);
            self.working.fill(rows, &self.weight, &self.score, threads);
            let observed = self.working.factorise(&mut self.factor, structure, theta);
            if observed.is_err() {
                self.expect_weights();
                self.working.fill(rows, &self.weight, &self.score, threads);
                let expected = self.working.factorise(&mut self.factor, structure, theta);
                expected.map_err(|_| no_mode("the weights are out of range"))?;
            }
            let length = self.newton();
            if !length.is_finite() {
                return Err(no_mode("the arithmetic broke down"));
            }
            if observed.is_ok() && (settled || length <= CONVERGED) {
                return Ok(());
            }
            if observed.is_err() && length <= CONVERGED {
                return Err(no_mode("the steps end where there is no maximum"));
            }
            settled = observed.is_ok() && length <= QUADRATIC;
            objective = self.ascend(objective, length)?;
        }
        Err(no_mode("the steps do not converge"))
    }

    /// Writes the Newton step; returns its squared length in the metric of the factor.
    fn newton(&mut self) -> f64 {
        let mut rest = &mut self.step[..];
        for (t, lambda) in self.lambdas.iter().enumerate() {
            let scores = self.working.scores(t);
            let (part, others) = rest.split_at_mut(scores.len());
            multiply_transposed(lambda, scores, part);
            rest = others;
        }
        let both = self.step.iter_mut().zip(&self.u);
        both.for_each(|(step, u)| *step -= u);
        self.trial.copy_from_slice(&self.step);
        self.factor.solve(&mut self.step);
        self.step.iter().zip(&self.trial).map(|(a, b)| a * b).sum()
    }

    /// Takes the step, or what part of it ascends; returns the objective there.
    fn ascend(&mut self, objective: f64, length: f64) -> Result<f64> {
        let rounding = 1e-13 * (objective.abs() + self.problem.rows.len() as f64);
        let mut share = 1.0;
        for _ in 0..MAX_HALVINGS {
            let steps = self.u.iter().zip(&self.step);
            self.trial
                .iter_mut()
                .zip(steps)
                .for_each(|(trial, (u, step))| *trial = u + share * step);
            let trial = std::mem::take(&mut self.trial);
            let reached = self.evaluate(&trial);
            self.trial = trial;
            let ascends = reached >= objective - rounding || length <= QUADRATIC;
            if ascends && reached.is_finite() {
                std::mem::swap(&mut self.u, &mut self.trial);
                return Ok(reached);
            }
            share *= 0.5;
            if share * length < CONVERGED {
                break;
            }
        }
        Err(no_mode("no step ascends"))
    }

    /// Fills the rows at u; returns log p(y | u) - |u|²/2 without constants.
    fn evaluate(&mut self, u: &[f64]) -> f64 {
        self.passes += 1;
        let mut rest = u;
        for (lambda, effects) in self.lambdas.iter().zip(&mut self.effects) {
            let (u, others) = rest.split_at(effects.len());
            multiply(lambda, u, effects);
            rest = others;
        }
        let rows = self.problem.rows;
        let (family, log_shape) = (self.problem.family, self.log_shape);
        let (fixed, effects) = (&self.fixed, &self.effects);
        let slices = [
            &mut self.eta[..],
            &mut self.score[..],
            &mut self.weight[..],
            &mut self.slope[..],
        ];
        let fill = |range: Range<usize>, [eta, score, weight, slope]: [&mut [f64]; 4]| {
            let mut sum = 0.0;
            for at in (0..range.len()).step_by(BLOCK_ROWS) {
                let end = (at + BLOCK_ROWS).min(range.len());
                let (start, block) = (range.start + at, range.start + at..range.start + end);
                let eta = &mut eta[at..end];
                eta.copy_from_slice(&fixed[block.clone()]);
                for (term, b) in rows.terms.iter().zip(effects) {
                    add_effects(term, start, b, eta);
                }
                let block = Block {
                    response: &rows.response[block.clone()],
                    weights: rows.weights.map(|weights| &weights[block]),
                    eta,
                    log_shape,
                };
                let mut to = BlockTerms {
                    value: &mut [],
                    score: &mut score[at..end],
                    weight: &mut weight[at..end],
                    slope: &mut slope[at..end],
                };
                sum += family.block(&block, &mut to);
            }
            sum
        };
        let sums = map_slices(rows.len(), self.threads, slices, fill);
        self.kernel = sums.iter().sum();
        self.kernel - 0.5 * u.iter().map(|u| u * u).sum::<f64>()
    }

    /// Replaces the weights by their expectations.
    fn expect_weights(&mut self) {
        let rows = self.problem.rows;
        let family = self.problem.family;
        for (i, (weight, &eta)) in self.weight.iter_mut().zip(&self.eta).enumerate() {
            *weight = family.expected_weight(rows.weight(i), eta, self.log_shape);
        }
    }
}

/// Λu, level by level.
pub(super) fn multiply(lambda: &DMatrix<f64>, u: &[f64], to: &mut [f64]) {
    let q = lambda.nrows();
    for (to, u) in to.chunks_exact_mut(q).zip(u.chunks_exact(q)) {
        for (r, to) in to.iter_mut().enumerate() {
            *to = (0..q).map(|k| lambda[(r, k)] * u[k]).sum();
        }
    }
}

/// Λᵀv, level by level.
pub(super) fn multiply_transposed(lambda: &DMatrix<f64>, v: &[f64], to: &mut [f64]) {
    let q = lambda.nrows();
    for (to, v) in to.chunks_exact_mut(q).zip(v.chunks_exact(q)) {
        for (c, to) in to.iter_mut().enumerate() {
            *to = (0..q).map(|k| lambda[(k, c)] * v[k]).sum();
        }
    }
}

fn no_mode(why: &str) -> Error {
    Error::Numerical {
        message: format!("the random effects have no conditional mode at these parameters: {why}"),
    }
}
