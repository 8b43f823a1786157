//! Where the minimisation starts, and the metric of its first steps: penalised quasi-likelihood.

use nalgebra::{DMatrix, DVector};

use super::independent::{fixed_predictor, independent, Independent};
use super::problem::{Parameters, Problem};
use super::separation::Separation;
use super::working::Working;
use crate::em::{Flow, Settings};
use crate::error::{Error, Result};
use crate::linalg;
use crate::mixed::average_information::hessian_at_minimum;
use crate::mixed::criterion::{Known, Problem as LinearProblem};
use crate::mixed::cross_products::{cross_products, CrossProducts};
use crate::mixed::fit::Search;
use crate::mixed::scale::Scales;
use crate::mixed::simulate::add_effects;
use crate::mixed::start::moments;

/// Linear mixed models fitted one after the other.
const ROUNDS: usize = 3;

/// Least eigenvalue of the first metric of the variance parameters, in their units.
const LEAST_CURVATURE: f64 = 1e-2;

/// What the user says of the start; the rest is found.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Every element of θ.
    pub theta: Option<Vec<f64>>,
    /// β of the columns kept, or of all.
    pub beta: Option<Vec<f64>>,
    pub shape: Option<f64>,
}

impl Given {
    fn check(&self, problem: &Problem) -> Result<()> {
        let thetas = problem.structure.parameters();
        let fits = |values: &Option<Vec<f64>>, size: usize| {
            let fits =
                |values: &Vec<f64>| values.len() == size && values.iter().all(|v| v.is_finite());
            values.as_ref().is_none_or(fits)
        };
        let positive = |shape: f64| shape.is_finite() && shape > 0.0;
        if fits(&self.theta, thetas)
            && (fits(&self.beta, problem.fixed_columns())
                || fits(&self.beta, problem.rows.fixed.columns()))
            && self.shape.is_none_or(positive)
        {
            return Ok(());
        }
        Err(Error::Argument {
            argument: "start",
            message: format!(
                "must hold {thetas} numbers `theta`, {} numbers `beta`, and a positive `shape`",
                problem.fixed_columns()
            ),
        })
    }
}

/// Where to start, and what is known there.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub psi: Vec<f64>,
    /// An approximate Hessian of the criterion there, column-major; nothing is known about the shape.
    pub hessian: DMatrix<f64>,
    /// The working linear mixed model: it knows what variances the data can see.
    pub statistics: CrossProducts,
    pub separation: Option<Separation>,
}

/// The linear mixed model of working statistics, whose residual variance is 1.
///
/// # Errors
/// As [`LinearProblem::new`].
pub(super) fn linear<'a>(
    problem: &Problem<'a>,
    statistics: &'a CrossProducts,
) -> Result<LinearProblem<'a>> {
    let known = Known {
        sigma: Some(1.0),
        deviations: Vec::new(),
    };
    LinearProblem::new(statistics, problem.structure, false, known)
}

/// Starts from `given`, or by penalised quasi-likelihood.
///
/// # Errors
/// As [`independent`]; [`Error::Argument`] naming `start` when it does not fit the model.
pub(super) fn start(problem: &Problem, given: &Given, threads: usize) -> Result<Start> {
    given.check(problem)?;
    let mut working = Working::new(problem.rows.len());
    let alone = independent(problem, &mut working)?;
    let mut quasi = Quasi {
        problem,
        working,
        threads,
        theta: Vec::new(),
        beta: alone.beta.clone(),
        log_shape: alone.log_shape,
    };
    let mut statistics = quasi.statistics()?;
    if given.theta.is_none() || given.beta.is_none() {
        statistics = quasi.iterate(&alone, statistics)?;
    }
    if let Some(moved) = quasi.take(given)? {
        statistics = moved;
    }
    let hessian = quasi.metric(&statistics)?;
    let parameters = Parameters {
        theta: quasi.theta,
        beta: quasi.beta.as_slice().to_vec(),
        shape: problem.family.has_shape().then(|| quasi.log_shape.exp()),
    };
    Ok(Start {
        psi: problem.locate(&parameters),
        hessian,
        statistics,
        separation: alone.separation,
    })
}

/// Penalised quasi-likelihood under way.
struct Quasi<'a> {
    problem: &'a Problem<'a>,
    working: Working,
    threads: usize,
    theta: Vec<f64>,
    beta: DVector<f64>,
    log_shape: f64,
}

impl Quasi<'_> {
    /// Statistics of the linear mixed model at the last linear predictor.
    fn statistics(&self) -> Result<CrossProducts> {
        cross_products(&self.working.rows(self.problem.rows, true), self.threads)
    }

    /// What the user gives; the statistics there if β moves.
    fn take(&mut self, given: &Given) -> Result<Option<CrossProducts>> {
        if let Some(theta) = &given.theta {
            self.theta.clone_from(theta);
        }
        if let (Some(shape), None) = (given.shape, self.problem.shape) {
            self.log_shape = shape.ln();
        }
        let Some(beta) = &given.beta else {
            return Ok(None);
        };
        let kept = &self.problem.basis().kept;
        self.beta = if beta.len() == kept.len() {
            DVector::from_column_slice(beta)
        } else {
            DVector::from_iterator(kept.len(), kept.iter().map(|&j| beta[j]))
        };
        let eta = fixed_predictor(
            self.problem.rows,
            &self.problem.basis().kept,
            self.beta.as_slice(),
        );
        self.working
            .center(self.problem, &eta, self.log_shape)
            .map_err(|_| Error::Argument {
                argument: "start",
                message: "has `beta` with means that the family cannot have".into(),
            })?;
        self.statistics().map(Some)
    }

    /// Linear mixed models, each at the linear predictor of the one before.
    fn iterate(
        &mut self,
        alone: &Independent,
        mut statistics: CrossProducts,
    ) -> Result<CrossProducts> {
        let linear_problem = linear(self.problem, &statistics)?;
        let scales = Scales::of(&linear_problem);
        self.theta =
            moments(&linear_problem, &scales).unwrap_or_else(|| self.problem.structure.start());
        let settings = Settings {
            tol: 1e-4,
            max_iter: 20,
            ..Settings::default()
        };
        for _ in 0..ROUNDS {
            let linear_problem = linear(self.problem, &statistics)?;
            let Ok(mut search) = Search::new(&linear_problem) else {
                break;
            };
            let continues = &mut |_: &_| Flow::Continue;
            let found = search.minimize(&linear_problem, &self.theta, &settings, continues);
            let Ok(found) = found else { break };
            let factor = &search.factor;
            let beta = factor.coefficients();
            let mut eta = fixed_predictor(
                self.problem.rows,
                &self.problem.basis().kept,
                beta.as_slice(),
            );
            for (t, term) in self.problem.rows.terms.iter().enumerate() {
                let b = factor.lambda(t) * &factor.spherical_effects()[t];
                add_effects(term, b.as_slice(), &mut eta);
            }
            let inside = self
                .working
                .center(self.problem, &eta, self.log_shape)
                .is_ok();
            if !inside || beta.len() != self.beta.len() {
                self.working
                    .center(self.problem, &alone.eta, self.log_shape)?;
                break;
            }
            self.theta = found.coordinates;
            self.beta = beta;
            statistics = self.statistics()?;
        }
        Ok(statistics)
    }

    /// The Hessian of the linear mixed model, by (θ, β̃).
    fn metric(&self, statistics: &CrossProducts) -> Result<DMatrix<f64>> {
        let linear_problem = linear(self.problem, statistics)?;
        let thetas = self.theta.len();
        let mut search = Search::new(&linear_problem)?;
        let factor = &mut search.factor;
        linear_problem.criterion(factor, &self.theta)?;
        let covariance = factor.coefficient_covariance();
        factor.selected_inverse(false);
        let scales = Scales::of(&linear_problem);
        let mut units = vec![1.0; thetas];
        scales.units(&linear_problem, &self.theta, &mut units);
        let by_theta = hessian_at_minimum(&linear_problem, factor, &self.theta)?;
        let k = self.problem.coordinates();
        let mut metric = DMatrix::zeros(k, k);
        let raw = by_theta.unwrap_or_else(|| DMatrix::zeros(thetas, thetas));
        let raised = raised(&raw, &units)?;
        metric.view_mut((0, 0), (thetas, thetas)).copy_from(&raised);
        let p = self.beta.len();
        if p > 0 {
            let transform = self.problem.basis().matrix();
            let precision = linalg::symmetrized(&covariance)
                .cholesky()
                .ok_or(Error::NotPositiveDefinite { pivot: 0 })?
                .solve(&transform);
            let by_beta = transform.tr_mul(&precision) * 2.0;
            metric
                .view_mut((thetas, thetas), (p, p))
                .copy_from(&by_beta);
        }
        Ok(metric)
    }
}

/// A Hessian with the sizes of its eigenvalues, none below the least, in units of the coordinates.
fn raised(hessian: &DMatrix<f64>, units: &[f64]) -> Result<DMatrix<f64>> {
    let k = units.len();
    let scaled = DMatrix::from_fn(k, k, |i, j| hessian[(i, j)] * units[i] * units[j]);
    let (values, axes) = linalg::symmetric_eigen(&scaled)?;
    let largest = values.iter().fold(0.0, |m: f64, value| m.max(value.abs()));
    let least = LEAST_CURVATURE * largest.max(1.0);
    let sizes = values.map(|value| value.abs().max(least));
    let positive = &axes * DMatrix::from_diagonal(&sizes) * axes.transpose();
    Ok(DMatrix::from_fn(k, k, |i, j| {
        positive[(i, j)] / (units[i] * units[j])
    }))
}
