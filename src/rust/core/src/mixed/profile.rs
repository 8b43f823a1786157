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
use super::factor::Factor;
use super::natural::{natural, standard_errors};
use super::optimize::{Minimizer, Objective};
use super::order::Order;
use super::slice::{Hold, Parameter, Slice};
use crate::em::{Flow, Settings, Status};
use crate::error::{Error, Result};
use crate::tasks::{self, Stop};

/// How close to a wanted |ζ| a point must be.
const CLOSE: f64 = 1e-4;

/// Most points of one side of a curve, tries included.
const MOST_TRIES: usize = 200;

/// Most tries for one value of |ζ|.
const TRIES: usize = 12;

/// First step away from the estimate, in standard errors.
const FIRST_STEP: f64 = 0.2;

/// A drop of the criterion below the estimate's that is more than rounding and the tolerance of the fit.
const DROP: f64 = 1e-5;

/// New starts from a better point found on the way.
const RESTARTS: usize = 3;

/// Step of the differences that give the first Hessian, in units of the coordinates.
const STEP: f64 = 1e-4;

/// A point of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The parameter.
    pub value: f64,
    pub zeta: f64,
    /// dζ/dψ; NaN where it is unknown (at a bound).
    pub slope: f64,
    /// All other parameters at the constrained optimum, with this one: standard deviations and correlations
    /// at the places of θ, then σ, then the dispersion ratios of groups 1, 2, ..., then β of the columns kept.
    pub parameters: Vec<f64>,
}

/// The profile of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub parameter: Parameter,
    /// By increasing value; empty if the parameter is not defined at the fit (a correlation with a constant).
    pub points: Vec<Point>,
    /// Whether ζ increases with the parameter everywhere.
    pub monotone: bool,
    /// How far the criterion went below that of the estimate: the fit was not the best.
    pub drop: f64,
    /// Whether every minimisation converged.
    pub converged: bool,
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
    let mut slice = Slice::new(problem, problem.statistics, &order, factor, full)?;
    let first = minimize(&mut slice, &mut Vec::new(), plan.settings, stop)?;
    let (mut criterion, mut converged) = first;
    for restart in 0..=RESTARTS {
        let best = Best {
            criterion,
            natural: natural(&slice, problem.structure),
            errors: standard_errors(&slice, problem),
        };
        let mut walk = Walk {
            problem,
            order: &order,
            parameter,
            best,
            plan,
            stop,
            slice,
            hessian: Vec::new(),
            lower: None,
            converged,
        };
        let mut curve = walk.both_sides()?;
        slice = walk.slice;
        match walk.lower {
            Some((_, full)) if restart < RESTARTS => {
                slice.restore(&full);
                (criterion, converged) =
                    minimize(&mut slice, &mut Vec::new(), plan.settings, stop)?;
            }
            lower => {
                let least = lower.map_or(criterion, |(least, _)| least);
                curve.drop = if first.0 - least > DROP {
                    first.0 - least
                } else {
                    0.0
                };
                return Ok(curve);
            }
        }
    }
    Err(Error::Interrupted)
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
fn minimize(
    slice: &mut Slice,
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
fn descend(
    slice: &mut Slice,
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
fn differences(slice: &mut Slice, at: &[f64]) -> Result<Vec<f64>> {
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

/// The estimate.
struct Best {
    criterion: f64,
    natural: Vec<f64>,
    /// Rough standard errors in the order of `natural`, for first steps.
    errors: Vec<f64>,
}

/// One curve in the making.
struct Walk<'a> {
    problem: &'a Problem<'a>,
    order: &'a Order,
    parameter: Parameter,
    best: Best,
    plan: &'a Plan<'a>,
    stop: &'a Stop,
    slice: Slice<'a>,
    hessian: Vec<f64>,
    /// A full point with a criterion below the estimate's, and that criterion.
    lower: Option<(f64, Vec<f64>)>,
    converged: bool,
}

impl Walk<'_> {
    fn both_sides(&mut self) -> Result<Curve> {
        let place = self.place();
        let estimate = self.best.natural[place];
        let mut curve = Curve {
            parameter: self.parameter,
            points: Vec::new(),
            monotone: true,
            drop: 0.0,
            converged: true,
        };
        if !estimate.is_finite() {
            return Ok(curve);
        }
        let start = self.slice.full().to_vec();
        let centre = Point {
            value: estimate,
            zeta: 0.0,
            slope: f64::NAN,
            parameters: self.best.natural.clone(),
        };
        let mut below = self.side(-1.0, &centre)?;
        self.slice.restore(&start);
        self.hessian.clear();
        let above = self.side(1.0, &centre)?;
        below.reverse();
        curve.points = below;
        curve.points.push(centre);
        curve.points.extend(above);
        curve.monotone = curve
            .points
            .windows(2)
            .all(|pair| pair[0].zeta < pair[1].zeta);
        curve.converged = self.converged;
        Ok(curve)
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
        let correlation = |k: usize| {
            let entry = self.problem.structure.entries[k];
            entry.row != entry.column
        };
        match self.parameter {
            Parameter::Random(k) if correlation(k) => (-1.0, 1.0),
            Parameter::Random(_) => (0.0, f64::INFINITY),
            // A residual variance of 0 has no finite criterion.
            Parameter::Sigma | Parameter::Dispersion(_) => (f64::MIN_POSITIVE, f64::INFINITY),
            Parameter::Coefficient(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Walks from the centre towards one side.
    fn side(&mut self, sign: f64, centre: &Point) -> Result<Vec<Point>> {
        let (low, high) = self.bounds();
        let bound = if sign < 0.0 { low } else { high };
        let mut points: Vec<Point> = Vec::new();
        let mut tries = 0;
        let mut step = FIRST_STEP * self.best.errors[self.place()];
        if !(step.is_finite() && step > 0.0) {
            step = 1e-3 * (1.0 + centre.value.abs());
        }
        'targets: for &target in self.plan.zetas {
            let mut inner = points.last().unwrap_or(centre).clone();
            let mut outer: Option<Point> = None;
            for attempt in 0..TRIES {
                if (bound - inner.value) * sign <= 0.0 || tries >= MOST_TRIES {
                    break 'targets;
                }
                tries += 1;
                let value = next_value(&inner, outer.as_ref(), target, sign, step, bound);
                let point = match self.at(value, sign) {
                    Ok(point) => point,
                    // The arithmetic ends before the curve does.
                    Err(Error::Numerical { .. } | Error::NotPositiveDefinite { .. }) => {
                        self.converged = false;
                        break 'targets;
                    }
                    Err(error) => return Err(error),
                };
                let zeta = point.zeta.abs();
                let reached = (zeta - target).abs() <= CLOSE || attempt + 1 == TRIES;
                let ended = value == bound && zeta < target;
                step = (value - inner.value).abs().max(step * 0.5);
                if reached || ended {
                    points.push(point);
                    if ended {
                        break 'targets;
                    }
                    break;
                }
                if zeta < target {
                    inner = point;
                } else {
                    outer = Some(point);
                }
            }
        }
        Ok(points)
    }

    /// The point of the curve at a value.
    fn at(&mut self, value: f64, sign: f64) -> Result<Point> {
        let (criterion, converged, slope, mut parameters) = match self.parameter {
            Parameter::Coefficient(j) => self.at_coefficient(j, value)?,
            _ => {
                self.slice.hold(self.hold(value));
                let mut hessian = std::mem::take(&mut self.hessian);
                let (criterion, converged) =
                    minimize(&mut self.slice, &mut hessian, self.plan.settings, self.stop)?;
                self.hessian = hessian;
                let slope = self.slice.slope_of_held();
                (
                    criterion,
                    converged,
                    slope,
                    natural(&self.slice, self.problem.structure),
                )
            }
        };
        parameters[self.place()] = value;
        self.converged &= converged;
        let rise = criterion - self.best.criterion;
        let known = self
            .lower
            .as_ref()
            .map_or(self.best.criterion - DROP, |lower| lower.0);
        if criterion < known {
            self.lower = Some((criterion, self.slice.full().to_vec()));
        }
        let zeta = sign * rise.max(0.0).sqrt();
        Ok(Point {
            value,
            zeta,
            slope: slope.map_or(f64::NAN, |slope| 0.5 * slope / zeta),
            parameters,
        })
    }

    fn hold(&self, value: f64) -> Hold {
        match self.parameter {
            Parameter::Random(_) => self.order.hold(value),
            Parameter::Sigma => Hold::Sigma(value),
            Parameter::Dispersion(group) => Hold::Ratio(group, value),
            Parameter::Coefficient(_) => Hold::Nothing,
        }
    }

    /// With a coefficient held, its column leaves X and the response moves.
    fn at_coefficient(
        &mut self,
        j: usize,
        value: f64,
    ) -> Result<(f64, bool, Option<f64>, Vec<f64>)> {
        let statistics: CrossProducts = self.problem.statistics.without_column(j, value);
        let factor = Factor::new(&statistics, self.problem.structure)?;
        let full = self.slice.full().to_vec();
        let mut slice = Slice::new(self.problem, &statistics, self.order, factor, full)?;
        let mut hessian = std::mem::take(&mut self.hessian);
        let (criterion, converged) =
            minimize(&mut slice, &mut hessian, self.plan.settings, self.stop)?;
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
        Ok((criterion, converged, Some(slope), parameters))
    }
}

/// The next value to try on the way from `inner` (|ζ| too small) to `target`, short of `outer` (too large).
fn next_value(
    inner: &Point,
    outer: Option<&Point>,
    target: f64,
    sign: f64,
    step: f64,
    bound: f64,
) -> f64 {
    // Newton's step from the nearer side; at the centre the slope is unknown.
    let newton = |point: &Point| point.value + (sign * target - point.zeta) / point.slope;
    let nearest = match outer {
        Some(outer) if outer.zeta.abs() - target < target - inner.zeta.abs() => outer,
        _ => inner,
    };
    let guess = newton(nearest);
    let ahead = (guess - inner.value) * sign;
    match outer {
        Some(outer) => {
            let width = (outer.value - inner.value) * sign;
            if ahead > 0.02 * width && ahead < 0.98 * width {
                guess
            } else {
                0.5 * (inner.value + outer.value)
            }
        }
        None => {
            let far = if ahead.is_finite() && ahead > 0.0 {
                ahead.min(4.0 * step)
            } else {
                step
            };
            let value = inner.value + sign * far;
            if (bound - value) * sign > 0.0 {
                value
            } else if bound == f64::MIN_POSITIVE {
                0.5 * inner.value
            } else {
                bound
            }
        }
    }
}
