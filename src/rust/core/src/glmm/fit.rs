//! A fit of a generalised linear mixed model: from a problem to estimates with the facts about them.

use nalgebra::DMatrix;

use super::laplace::Laplace;
use super::limits::unbounded_term;
use super::modes::Approximation;
use super::problem::{Criterion, Parameters, Problem};
use super::quadrature::AdaptiveQuadrature;
use super::search::{measure_shape, minimize, Found, Space};
use super::separation::Separation;
use super::start::{linear, start, Given};
use super::verdict::{verdict, Verdict};
use crate::em::{Flow, Progress, Settings, Status, Trace};
use crate::error::{Error, Result};

/// Times that the random effects of a start are made smaller before it is given up.
const MAX_SHRINKINGS: usize = 6;

/// Estimates and what is known about them.
#[derive(Debug, Clone)]
pub struct Fit {
    /// θ, β̃ and log shape.
    pub psi: Vec<f64>,
    /// The same in the user's terms.
    pub parameters: Parameters,
    /// -2 log-likelihood, approximated.
    pub criterion: f64,
    /// Spherical random effects at their modes, q × levels for each core term.
    pub spherical: Vec<DMatrix<f64>>,
    /// η at the modes, offset included.
    pub linear_predictor: Vec<f64>,
    /// log |ΛᵀZᵀWZΛ + I| at the modes.
    pub log_det_random: f64,
    /// -2 log p(y | u) at the modes.
    pub conditional: f64,
    /// |u|².
    pub penalty: f64,
    /// Gradient, Hessian, covariance and what is singular.
    pub verdict: Verdict,
    /// A direction in which the fixed effects go to infinity.
    pub separation: Option<Separation>,
    /// How it ended.
    pub status: Status,
    /// Updates of the parameters.
    pub iterations: usize,
    /// Evaluations of the criterion, those of Laplace's approximation where a quadrature begins included.
    pub passes: usize,
    /// One entry for each update.
    pub trace: Trace,
}

/// How to fit.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Points of the quadrature in each dimension; 1 is Laplace's approximation.
    pub n_agq: usize,
    /// Where to start; penalised quasi-likelihood finds the rest.
    pub start: &'a Given,
    pub settings: &'a Settings,
    pub threads: usize,
}

/// Fits a model.
///
/// # Errors
/// [`Error::Argument`] naming `start` or `n_agq`; whatever the criterion returns at the start.
pub fn fit(
    problem: &Problem,
    plan: &Plan,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Fit> {
    let mut sought = Sought {
        problem,
        settings: plan.settings,
        monitor,
    };
    seek(problem, plan, &mut sought, describe)
}

/// What is wanted of a minimum.
pub(super) struct Sought<'a> {
    pub problem: &'a Problem<'a>,
    pub settings: &'a Settings,
    pub monitor: &'a mut dyn FnMut(&Progress) -> Flow,
}

/// What is reported of a minimum: the criterion is there.
type Report<T> =
    fn(&mut Sought, &mut dyn Approximation, &Space, Found, Option<Separation>) -> Result<T>;

/// Finds the minimum and reports of it.
///
/// # Errors
/// As [`fit`].
pub(super) fn seek<T>(
    problem: &Problem,
    plan: &Plan,
    sought: &mut Sought,
    report: Report<T>,
) -> Result<T> {
    plan.settings.validate()?;
    let quadrature = match plan.n_agq {
        1 => None,
        nodes => Some(AdaptiveQuadrature::new(problem, nodes, plan.threads)?),
    };
    let mut start = start(problem, plan.start, plan.threads)?;
    let statistics = start.statistics.clone();
    let mut space = Space::new(problem, linear(problem, &statistics)?);
    let mut laplace = Laplace::new(problem, plan.threads)?;
    make_feasible(&mut laplace, &mut start.psi[..], space.thetas())?;
    if problem.shape_is_free() {
        measure_shape(&mut laplace, &start.psi, &mut start.hessian)?;
    }
    let (psi, hessian) = (start.psi, start.hessian);
    let (settings, monitor) = (sought.settings, &mut *sought.monitor);
    let found = minimize(&mut laplace, &mut space, &psi, hessian, settings, monitor)?;
    match quadrature {
        None => report(sought, &mut laplace, &space, found, start.separation),
        Some(mut quadrature) => {
            let found = refine(&mut quadrature, &mut space, found, settings, monitor)?;
            report(sought, &mut quadrature, &space, found, start.separation)
        }
    }
}

/// Shrinks the random effects of a start at which the criterion is undefined, until it is not.
fn make_feasible(laplace: &mut Laplace, psi: &mut [f64], thetas: usize) -> Result<()> {
    for _ in 0..MAX_SHRINKINGS {
        match laplace.value(psi) {
            Err(Error::Numerical { .. } | Error::NotPositiveDefinite { .. }) => {
                psi[..thetas].iter_mut().for_each(|theta| *theta *= 0.3);
            }
            other => return other.map(|_| ()),
        }
    }
    laplace.value(psi).map(|_| ())
}

/// Minimises the criterion by quadrature from what Laplace's approximation found; its steps are not counted.
fn refine(
    quadrature: &mut AdaptiveQuadrature,
    space: &mut Space,
    mut found: Found,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Found> {
    if found.status == Status::Interrupted {
        found.value = quadrature.value(&found.psi)?;
        return Ok(found);
    }
    let passes = found.passes;
    let (psi, hessian) = (found.psi, found.hessian);
    let mut found = minimize(quadrature, space, &psi, hessian, settings, monitor)?;
    found.passes += passes;
    Ok(found)
}

/// The estimates at what was found.
fn describe(
    sought: &mut Sought,
    criterion: &mut dyn Approximation,
    space: &Space,
    mut found: Found,
    separation: Option<Separation>,
) -> Result<Fit> {
    let problem = sought.problem;
    let (tol, monitor) = (sought.settings.tol, &mut *sought.monitor);
    let verdict = verdict(problem, criterion, space, &mut found, tol, monitor)?;
    found.status = finite(problem, &found, separation.as_ref());
    Ok(Fit {
        parameters: problem.parameters(&found.psi),
        psi: found.psi,
        criterion: found.value,
        spherical: criterion.spherical(),
        linear_predictor: criterion.linear_predictor(),
        log_det_random: criterion.log_det_random(),
        conditional: criterion.conditional(),
        penalty: criterion.penalty(),
        verdict,
        separation,
        status: found.status,
        iterations: found.iterations,
        passes: found.passes,
        trace: found.trace,
    })
}

/// The status of a search whose estimates may be on their way to infinity.
pub(super) fn finite(problem: &Problem, found: &Found, separation: Option<&Separation>) -> Status {
    let theta = &found.psi[..problem.structure.parameters()];
    let message = match (separation, unbounded_term(problem, theta)) {
        (Some(separation), _) => separation.message(),
        (None, Some(_)) => {
            "the response is the same in all rows of each level of a grouping factor, so the variance of its \
             effects has no finite estimate"
                .into()
        }
        (None, None) => return found.status.clone(),
    };
    match found.status {
        Status::Interrupted => Status::Interrupted,
        _ => Status::Degenerate {
            component: 0,
            message,
        },
    }
}

/// The criterion of a number of quadrature points.
///
/// # Errors
/// [`crate::Error::Argument`] naming `n_agq`.
pub fn criterion<'a>(
    problem: &'a Problem<'a>,
    n_agq: usize,
    threads: usize,
) -> Result<Box<dyn Criterion + 'a>> {
    Ok(match n_agq {
        1 => Box::new(Laplace::new(problem, threads)?),
        _ => Box::new(AdaptiveQuadrature::new(problem, n_agq, threads)?),
    })
}
