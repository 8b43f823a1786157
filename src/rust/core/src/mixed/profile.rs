//! Profile likelihood: for a parameter ψ, ζ(ψ) = ±√(d(ψ) - d̂), where d(ψ) is the least criterion with ψ held
//! (Bates et al. 2015, section 5.1).
//!
//! Variance parameters profile the criterion of the fit, REML's too. β is not a parameter of the restricted
//! likelihood, which integrates it out, so coefficients always profile -2 log L.
//!
//! Each curve starts at the estimate and walks outwards over given values of |ζ|. d'(ψ) is known from the
//! envelope theorem, so Newton's method finds each of them in a step or two, and the curve can be interpolated
//! with its exact slopes.

use super::criterion::{Parameters, Problem};
use super::cross_products::CrossProducts;
use super::curve::{trace_curve, Best, Minimum, Profiled};
pub use super::curve::{Curve, Point};
use super::factor::Factor;
use super::natural::{natural, standard_errors};
use super::order::Order;
pub use super::slice::Parameter;
use super::slice::{Explicit, Hold, Slice, Sliced};
use super::structure::Structure;
use crate::em::{Flow, Settings, Status};
use crate::error::{Error, Result};
use crate::optimize::{Minimizer, Objective};
use crate::tasks::{self, Stop};

/// Step of the differences that give the first Hessian, in units of the coordinates.
const STEP: f64 = 1e-4;

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
/// # Errors
/// [`Error::Argument`] naming `parm` for a parameter that cannot be profiled; [`Error::Interrupted`]; what the
/// criterion returns.
pub fn profile(
    problem: &Problem,
    coordinates: &[f64],
    plan: &Plan,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Curve>> {
    let task = |k: usize, stop: &Stop| curve(problem, coordinates, plan, plan.parameters[k], stop);
    let curves = tasks::run(plan.parameters.len(), plan.threads, task, monitor);
    curves
        .into_iter()
        .map(|curve| curve.unwrap_or(Err(Error::Interrupted)))
        .collect()
}

/// The profile of one parameter.
fn curve(
    problem: &Problem,
    coordinates: &[f64],
    plan: &Plan,
    parameter: Parameter,
    stop: &Stop,
) -> Result<Curve> {
    let mut problem = problem.clone();
    if let Parameter::Coefficient(_) = parameter {
        problem.reml = false;
    }
    let problem = &problem;
    let order = match parameter {
        Parameter::Random(k) => Order::of(problem.structure, &problem.known, k)?,
        _ => Order::same(problem.structure),
    };
    let full = full_point(problem, coordinates, &order)?;
    // A factor keeps to one order of effects.
    let factor = Factor::new(problem.statistics, problem.structure)?;
    let slice = Slice::new(problem, problem.statistics, &order, factor, full)?;
    let model = Model {
        problem,
        order: &order,
        parameter,
        settings: plan.settings,
        stop,
        slice,
        hessian: Vec::new(),
    };
    trace_curve(model, plan.zetas)
}

/// A fit's coordinates as a full point in another order of effects.
fn full_point(problem: &Problem, coordinates: &[f64], order: &Order) -> Result<Vec<f64>> {
    let mut factor = Factor::new(problem.statistics, problem.structure)?;
    problem.criterion(&mut factor, coordinates)?;
    let sigma = problem.sigma(&factor, coordinates);
    let Parameters {
        theta, dispersion, ..
    } = problem.parameters(coordinates);
    let mut full = order.translate(problem.structure, &theta);
    full.push(sigma.ln());
    full.extend(dispersion.iter().skip(1).map(|ratio| ratio.ln()));
    Ok(full)
}

/// Minimises over the coordinates of a slice; the slice is left at the minimum with its gradient. The Hessian
/// to start from is `hessian`, else differences of the gradient.
pub(crate) fn minimize<M: Sliced>(
    slice: &mut Slice<M>,
    hessian: &mut Vec<f64>,
    settings: &Settings,
    stop: &Stop,
) -> Result<(f64, bool)> {
    let mut least = descend(slice, hessian, settings, stop)?;
    // On the edge itself the other coordinates are free again.
    while let Some(place) = slice.vanishing() {
        let before = slice.full().to_vec();
        slice.vanish(place);
        hessian.clear();
        let edge = descend(slice, &mut Vec::new(), settings, stop)?;
        if edge.0 > least.0 {
            slice.release(&before);
            return descend(slice, hessian, settings, stop);
        }
        least = edge;
    }
    Ok(least)
}

/// One run of the minimiser.
fn descend<M: Sliced>(
    slice: &mut Slice<M>,
    hessian: &mut Vec<f64>,
    settings: &Settings,
    stop: &Stop,
) -> Result<(f64, bool)> {
    let start = slice.coordinates();
    let k = slice.dimensions();
    if hessian.len() != k * k {
        *hessian = differences(slice, &start)?;
    }
    slice.start_hessian = Some(std::mem::take(hessian));
    let mut minimizer = Minimizer::new(k);
    let reached = minimizer.run(slice, &start, settings, &mut |_| match stop.is_raised() {
        true => Flow::Stop,
        false => Flow::Continue,
    })?;
    if reached.status == Status::Interrupted {
        return Err(Error::Interrupted);
    }
    let value = slice.value(&minimizer.point)?;
    slice.slope(&minimizer.point, &mut vec![0.0; k])?;
    *hessian = minimizer.hessian;
    Ok((value, reached.status == Status::Converged))
}

/// The Hessian by central differences of the gradient.
fn differences<M: Sliced>(slice: &mut Slice<M>, at: &[f64]) -> Result<Vec<f64>> {
    let k = at.len();
    let (mut units, mut hessian) = (vec![1.0; k], vec![0.0; k * k]);
    let (mut up, mut down) = (vec![0.0; k], vec![0.0; k]);
    slice.units(at, &mut units);
    for j in 0..k {
        let mut moved = at.to_vec();
        for (sign, gradient) in [(1.0, &mut up), (-1.0, &mut down)] {
            moved[j] = at[j] + sign * STEP * units[j];
            slice.value(&moved)?;
            slice.slope(&moved, gradient)?;
        }
        for i in 0..k {
            let change = (up[i] - down[i]) / (2.0 * STEP * units[j]);
            hessian[i * k + j] += 0.5 * change;
            hessian[j * k + i] += 0.5 * change;
        }
    }
    Ok(hessian)
}

/// The criterion behind one curve.
struct Model<'a> {
    problem: &'a Problem<'a>,
    order: &'a Order,
    parameter: Parameter,
    settings: &'a Settings,
    stop: &'a Stop,
    slice: Slice<Explicit<'a>>,
    /// Of the last minimum.
    hessian: Vec<f64>,
}

impl Model<'_> {
    fn hold(&self, value: f64) -> Hold {
        match self.parameter {
            Parameter::Random(_) => self.order.hold(value),
            Parameter::Sigma => Hold::Sigma(value),
            Parameter::Dispersion(group) => Hold::Ratio(group, value),
            Parameter::Coefficient(_) => Hold::Nothing,
        }
    }

    /// With a coefficient held, its column leaves X and the response moves.
    fn at_coefficient(&mut self, j: usize, value: f64) -> Result<Minimum> {
        let statistics: CrossProducts = self.problem.statistics.without_column(j, value);
        let factor = Factor::new(&statistics, self.problem.structure)?;
        let full = self.slice.full().to_vec();
        let mut slice = Slice::new(self.problem, &statistics, self.order, factor, full)?;
        let mut hessian = std::mem::take(&mut self.hessian);
        let (criterion, converged) = minimize(&mut slice, &mut hessian, self.settings, self.stop)?;
        self.hessian = hessian;
        let mut parameters = natural(&slice, self.problem.structure);
        parameters.insert(self.place(), value);
        // d(β_j) is (β_j - β̂_j)² / var(β̂_j) plus a constant where the variance parameters stand still.
        let full = slice.full().to_vec();
        self.slice.restore(&full);
        let start = self.slice.coordinates();
        self.slice.value(&start)?;
        let sigma = self.slice.sigma();
        let variance = self.slice.coefficient_covariance()[(j, j)] * sigma * sigma;
        let slope = 2.0 * (value - self.slice.coefficients()[j]) / variance;
        Ok(Minimum {
            criterion,
            converged,
            slope: Some(slope),
            parameters,
        })
    }
}

impl Profiled for Model<'_> {
    fn minimum(&mut self, value: f64) -> Result<Minimum> {
        if let Parameter::Coefficient(j) = self.parameter {
            return self.at_coefficient(j, value);
        }
        self.slice.hold(self.hold(value));
        let mut hessian = std::mem::take(&mut self.hessian);
        let (criterion, converged) =
            minimize(&mut self.slice, &mut hessian, self.settings, self.stop)?;
        self.hessian = hessian;
        Ok(Minimum {
            criterion,
            converged,
            slope: self.slice.slope_of_held(),
            parameters: natural(&self.slice, self.problem.structure),
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
        let nothing = &mut Vec::new();
        let (criterion, converged) = minimize(&mut self.slice, nothing, self.settings, self.stop)?;
        let best = Best {
            criterion,
            natural: natural(&self.slice, self.problem.structure),
            errors: standard_errors(&self.slice, self.problem),
        };
        Ok((best, converged))
    }

    /// Where the parameter stands among the natural ones.
    fn place(&self) -> usize {
        let thetas = self.problem.structure.parameters();
        match self.parameter {
            Parameter::Random(k) => k,
            Parameter::Sigma => thetas,
            Parameter::Dispersion(group) => thetas + group,
            Parameter::Coefficient(j) => thetas + self.slice.ratios().len() + j,
        }
    }

    /// The values that the parameter can have.
    fn bounds(&self) -> (f64, f64) {
        match self.parameter {
            Parameter::Random(k) => random_bounds(self.problem.structure, k),
            // A residual variance of 0 has no finite criterion.
            Parameter::Sigma | Parameter::Dispersion(_) => (f64::MIN_POSITIVE, f64::INFINITY),
            Parameter::Coefficient(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }
}

/// The values that the random parameter at the place of an element of θ can have.
pub(crate) fn random_bounds(structure: &Structure, k: usize) -> (f64, f64) {
    let entry = structure.entries[k];
    if entry.row == entry.column {
        (0.0, f64::INFINITY)
    } else {
        (-1.0, 1.0)
    }
}
