//! Profile likelihood of generalised linear mixed models: curves as in [`crate::mixed::profile`].
//!
//! Full points are (θ, log σ, β̃, log shape) with σ = 1 held. For the curve of a coefficient, β_j itself stands in
//! the place of one β̃.

use nalgebra::DMatrix;

use super::fit::criterion;
use super::laplace::Laplace;
use super::problem::{Criterion, Problem};
use super::start::linear;
use super::working::Working;
use crate::em::Settings;
use crate::error::{Error, Result};
use crate::mixed::criterion::Known;
use crate::mixed::cross_products::cross_products;
use crate::mixed::curve::{trace_curve, Best, Minimum, Profiled};
pub use crate::mixed::curve::{Curve, Point};
use crate::mixed::natural::{deviation_errors, deviations};
use crate::mixed::order::Order;
use crate::mixed::profile::{minimize, random_bounds};
use crate::mixed::scale::Scales;
use crate::mixed::slice::{Hold, Slice, Sliced};
use crate::mixed::structure::Structure;
use crate::tasks::{self, Stop};

/// A natural parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// The standard deviation or correlation at the place of an element of θ.
    Random(usize),
    /// The shape of the distribution.
    Shape,
    /// A coefficient, by its place among the columns kept.
    Coefficient(usize),
}

/// A fit whose parameters are profiled.
#[derive(Debug, Clone)]
pub struct Estimate<'a> {
    pub problem: &'a Problem<'a>,
    pub n_agq: usize,
    /// (θ, β̃, log shape) at the minimum.
    pub psi: &'a [f64],
    /// Covariance of (θ, β, log shape), for the lengths of first steps.
    pub covariance: &'a DMatrix<f64>,
}

/// What to profile, and how far.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    pub parameters: &'a [Parameter],
    /// Values of |ζ| to pass through, increasing.
    pub zetas: &'a [f64],
    pub settings: &'a Settings,
    pub threads: usize,
}

/// Profiles parameters of a fit. `monitor(done)` is told how many are done and stops the rest with `false`.
///
/// Parameters of a point: standard deviations and correlations at the places of θ, the shape if it is estimated, β.
///
/// # Errors
/// [`Error::Argument`] naming `parm`; [`Error::Interrupted`]; what the criterion returns.
pub fn profile(
    estimate: &Estimate,
    plan: &Plan,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Curve>> {
    let problem = estimate.problem;
    let mut working = Working::new(problem.rows.len());
    let mut laplace = Laplace::new(problem, plan.threads)?;
    laplace.value(estimate.psi)?;
    let log_shape = problem.log_shape(estimate.psi);
    working.center(problem, laplace.eta(), log_shape)?;
    let statistics = cross_products(&working.rows(problem.rows, true), plan.threads)?;
    let scales = Scales::of(&linear(problem, &statistics)?);
    let task = |k: usize, stop: &Stop| curve(estimate, plan, &scales, plan.parameters[k], stop);
    let curves = tasks::run(plan.parameters.len(), plan.threads, task, monitor);
    curves
        .into_iter()
        .map(|curve| curve.unwrap_or(Err(Error::Interrupted)))
        .collect()
}

/// The profile of one parameter.
fn curve(
    estimate: &Estimate,
    plan: &Plan,
    scales: &Scales,
    parameter: Parameter,
    stop: &Stop,
) -> Result<Curve> {
    let problem = estimate.problem;
    check(problem, parameter)?;
    let order = match parameter {
        Parameter::Random(k) => Order::of(problem.structure, &Known::default(), k)?,
        _ => Order::same(problem.structure),
    };
    let ordered = problem.with_structure(&order.structure);
    let thetas = problem.structure.parameters();
    let line = match parameter {
        Parameter::Coefficient(j) => Some(Line::of(problem, j)),
        _ => None,
    };
    let (theta, rest) = estimate.psi.split_at(thetas);
    let mut full = order.translate(problem.structure, theta);
    full.push(0.0);
    full.extend_from_slice(rest);
    if let Some(line) = &line {
        line.enter(&mut full[thetas + 1..]);
    }
    let slice = Slice::of(
        Cut {
            criterion: criterion(&ordered, estimate.n_agq, 1)?,
            structure: &order.structure,
            scales,
            units: units(estimate, rest.len()),
            line,
        },
        Vec::new(),
        true,
        full,
    );
    let model = Model {
        estimate,
        order: &order,
        parameter,
        settings: plan.settings,
        stop,
        slice,
        hessian: Vec::new(),
    };
    trace_curve(model, plan.zetas)
}

fn check(problem: &Problem, parameter: Parameter) -> Result<()> {
    let exists = match parameter {
        Parameter::Random(k) => k < problem.structure.parameters(),
        Parameter::Shape => problem.shape_is_free(),
        Parameter::Coefficient(j) => j < problem.fixed_columns(),
    };
    if exists {
        return Ok(());
    }
    Err(Error::Argument {
        argument: "parm",
        message: "names a parameter that the model does not have".into(),
    })
}

/// Large changes of β̃ and log shape: several standard errors, but of a logarithm no more than 1.
fn units(estimate: &Estimate, size: usize) -> Vec<f64> {
    let problem = estimate.problem;
    let (p, thetas) = (problem.fixed_columns(), problem.structure.parameters());
    let of_beta = estimate
        .covariance
        .view((thetas, thetas), (p, p))
        .into_owned();
    let back = problem.basis().matrix().try_inverse();
    let rotated = back.map(|back| &back * of_beta * back.transpose());
    (0..size)
        .map(|k| match (&rotated, k < p) {
            (Some(rotated), true) if rotated[(k, k)] > 0.0 => 10.0 * rotated[(k, k)].sqrt(),
            _ => 1.0,
        })
        .collect()
}

/// β_j in the place of the β̃ that it depends on most.
#[derive(Debug, Clone)]
struct Line {
    pivot: usize,
    /// Row j of T.
    row: Vec<f64>,
}

impl Line {
    fn of(problem: &Problem, j: usize) -> Self {
        let transform = problem.basis().matrix();
        let row: Vec<f64> = transform.row(j).iter().copied().collect();
        let mut pivot = 0;
        for (k, value) in row.iter().enumerate() {
            if value.abs() > row[pivot].abs() {
                pivot = k;
            }
        }
        Line { pivot, row }
    }

    /// β̃ to (β_j, other β̃); more may follow.
    fn enter(&self, values: &mut [f64]) {
        values[self.pivot] = self.row.iter().zip(&*values).map(|(t, b)| t * b).sum();
    }

    /// The way back.
    fn leave(&self, values: &mut [f64]) {
        let others = self.others(values);
        values[self.pivot] = (values[self.pivot] - others) / self.row[self.pivot];
    }

    fn others(&self, values: &[f64]) -> f64 {
        let all = self.row.iter().zip(values).enumerate();
        let others = all.filter(|(k, _)| *k != self.pivot);
        others.map(|(_, (t, b))| t * b).sum()
    }

    /// The gradient by β̃ to that by (β_j, other β̃).
    fn pull(&self, gradient: &mut [f64]) {
        let slope = gradient[self.pivot] / self.row[self.pivot];
        for (k, t) in self.row.iter().enumerate() {
            if k != self.pivot {
                gradient[k] -= slope * t;
            }
        }
        gradient[self.pivot] = slope;
    }
}

/// The criterion in full points.
struct Cut<'a> {
    criterion: Box<dyn Criterion + 'a>,
    structure: &'a Structure,
    scales: &'a Scales,
    /// Of the elements behind log σ.
    units: Vec<f64>,
    line: Option<Line>,
}

impl Cut<'_> {
    fn psi(&self, full: &[f64]) -> Vec<f64> {
        let (theta, rest) = full.split_at(self.structure.parameters());
        let mut psi = theta.to_vec();
        psi.extend_from_slice(&rest[1..]);
        if let Some(line) = &self.line {
            line.leave(&mut psi[theta.len()..]);
        }
        psi
    }
}

impl Sliced for Cut<'_> {
    fn structure(&self) -> &Structure {
        self.structure
    }

    fn scales(&self) -> &Scales {
        self.scales
    }

    fn unit(&self, place: usize) -> f64 {
        let behind = place.checked_sub(self.structure.parameters() + 1);
        behind
            .and_then(|k| self.units.get(k))
            .copied()
            .unwrap_or(1.0)
    }

    fn criterion(&mut self, full: &[f64]) -> Result<f64> {
        let psi = self.psi(full);
        self.criterion.value(&psi)
    }

    fn differentiate(&mut self, full: &[f64], gradient: &mut [f64]) -> Result<()> {
        let thetas = self.structure.parameters();
        let psi = self.psi(full);
        let mut by_psi = vec![0.0; psi.len()];
        self.criterion.gradient(&psi, &mut by_psi)?;
        if let Some(line) = &self.line {
            line.pull(&mut by_psi[thetas..]);
        }
        gradient[..thetas].copy_from_slice(&by_psi[..thetas]);
        gradient[thetas] = 0.0;
        gradient[thetas + 1..].copy_from_slice(&by_psi[thetas..]);
        Ok(())
    }
}

/// The criterion behind one curve.
struct Model<'a> {
    estimate: &'a Estimate<'a>,
    order: &'a Order,
    parameter: Parameter,
    settings: &'a Settings,
    stop: &'a Stop,
    slice: Slice<Cut<'a>>,
    /// Of the last minimum.
    hessian: Vec<f64>,
}

impl Model<'_> {
    fn thetas(&self) -> usize {
        self.estimate.problem.structure.parameters()
    }

    fn hold(&self, value: f64) -> Hold {
        let problem = self.estimate.problem;
        match self.parameter {
            Parameter::Random(_) => self.order.hold(value),
            // Counted behind log σ.
            Parameter::Shape => Hold::Ratio(problem.fixed_columns() + 1, value),
            Parameter::Coefficient(_) => {
                let pivot = self.slice.model.line.as_ref().map_or(0, |line| line.pivot);
                Hold::Value(self.thetas() + 1 + pivot, value)
            }
        }
    }

    fn minimize(&mut self) -> Result<(f64, bool)> {
        let mut hessian = std::mem::take(&mut self.hessian);
        let least = minimize(&mut self.slice, &mut hessian, self.settings, self.stop);
        self.hessian = hessian;
        least
    }

    /// All natural parameters at the last minimum.
    fn natural(&self) -> Vec<f64> {
        let problem = self.estimate.problem;
        let ordered = self.slice.structure();
        let mut natural = deviations(problem.structure, ordered, self.slice.theta(), 1.0);
        let psi = self.slice.model.psi(self.slice.full());
        let parameters = problem.parameters(&psi);
        if problem.shape_is_free() {
            natural.extend(parameters.shape);
        }
        natural.extend(&parameters.beta);
        natural
    }

    /// Rough standard errors of them.
    fn errors(&self, natural: &[f64]) -> Vec<f64> {
        let problem = self.estimate.problem;
        let scales = self.slice.scales();
        let levels: Vec<usize> = problem.rows.terms.iter().map(|term| term.levels).collect();
        let mut errors = deviation_errors(problem.structure, scales, &levels, natural, 1.0);
        let (thetas, p) = (self.thetas(), problem.fixed_columns());
        let variance = |k: usize| self.estimate.covariance[(k, k)].max(0.0).sqrt();
        if problem.shape_is_free() {
            errors.push(natural[thetas] * variance(thetas + p));
        }
        errors.extend((0..p).map(|j| variance(thetas + j)));
        errors
    }
}

impl Profiled for Model<'_> {
    fn minimum(&mut self, value: f64) -> Result<Minimum> {
        self.slice.hold(self.hold(value));
        let (criterion, converged) = self.minimize()?;
        Ok(Minimum {
            criterion,
            converged,
            slope: self.slice.slope_of_held(),
            parameters: self.natural(),
        })
    }

    fn full(&self) -> Vec<f64> {
        self.slice.full().to_vec()
    }

    fn restore(&mut self, full: &[f64]) {
        self.slice.restore(full);
        self.hessian.clear();
    }

    fn estimate(&mut self) -> Result<(Best, bool)> {
        self.hessian.clear();
        let (criterion, converged) = self.minimize()?;
        let natural = self.natural();
        let best = Best {
            criterion,
            errors: self.errors(&natural),
            natural,
        };
        self.hessian.clear();
        Ok((best, converged))
    }

    fn place(&self) -> usize {
        let shapes = usize::from(self.estimate.problem.shape_is_free());
        match self.parameter {
            Parameter::Random(k) => k,
            Parameter::Shape => self.thetas(),
            Parameter::Coefficient(j) => self.thetas() + shapes + j,
        }
    }

    fn bounds(&self) -> (f64, f64) {
        match self.parameter {
            Parameter::Random(k) => random_bounds(self.estimate.problem.structure, k),
            Parameter::Shape => (f64::MIN_POSITIVE, f64::INFINITY),
            Parameter::Coefficient(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }
}
