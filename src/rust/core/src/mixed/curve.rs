//! The profile of one parameter: a walk over given values of |ζ|, outwards from the estimate.
//!
//! Whatever is minimised behind it, Newton's method with the exact slope d'(ψ) (the envelope theorem) finds each
//! value in a step or two.

use crate::error::{Error, Result};

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
    /// By increasing value; empty if the parameter is not defined at the fit (a correlation with a constant).
    pub points: Vec<Point>,
    /// Whether ζ increases with the parameter everywhere.
    pub monotone: bool,
    /// How far the criterion went below that of the estimate: the fit was not the best.
    pub drop: f64,
    /// Whether every minimisation converged.
    pub converged: bool,
}

/// A minimum with the profiled parameter held.
pub(crate) struct Minimum {
    pub criterion: f64,
    pub converged: bool,
    /// d criterion / d parameter, if it is known.
    pub slope: Option<f64>,
    /// All parameters, the one held too.
    pub parameters: Vec<f64>,
}

/// A criterion whose other parameters can be minimised out.
pub(crate) trait Profiled {
    /// The minimum with the parameter held at `value`, from the last one.
    fn minimum(&mut self, value: f64) -> Result<Minimum>;

    /// Where the last minimum is.
    fn full(&self) -> Vec<f64>;

    /// Goes back to a place that [`Profiled::full`] gave.
    fn restore(&mut self, full: &[f64]);

    /// The minimum with nothing held, from where it is; and whether the minimisation converged.
    fn estimate(&mut self) -> Result<(Best, bool)>;

    /// Where the parameter stands among the natural ones.
    fn place(&self) -> usize;

    /// The values that it can have.
    fn bounds(&self) -> (f64, f64);
}

/// The curve through given values of |ζ|, around the best estimate that is met.
///
/// # Errors
/// Those of the minimisations.
pub(crate) fn trace_curve<M: Profiled>(mut model: M, zetas: &[f64]) -> Result<Curve> {
    let (first, mut converged) = model.estimate()?;
    let mut best = first.clone();
    for restart in 0..=RESTARTS {
        let mut walk = Walk {
            place: model.place(),
            bounds: model.bounds(),
            model: &mut model,
            best: best.clone(),
            zetas,
            lower: None,
            converged,
        };
        let mut curve = walk.both_sides()?;
        match walk.lower {
            Some((_, full)) if restart < RESTARTS => {
                model.restore(&full);
                (best, converged) = model.estimate()?;
            }
            lower => {
                let least = lower.map_or(best.criterion, |(least, _)| least);
                let drop = first.criterion - least;
                curve.drop = if drop > DROP { drop } else { 0.0 };
                return Ok(curve);
            }
        }
    }
    Err(Error::Interrupted)
}

/// The estimate.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    pub criterion: f64,
    pub natural: Vec<f64>,
    /// Rough standard errors in the order of `natural`, for first steps.
    pub errors: Vec<f64>,
}

/// One curve in the making.
struct Walk<'a, M> {
    model: &'a mut M,
    place: usize,
    bounds: (f64, f64),
    best: Best,
    zetas: &'a [f64],
    /// A place with a criterion below the estimate's, and that criterion.
    lower: Option<(f64, Vec<f64>)>,
    converged: bool,
}

impl<M: Profiled> Walk<'_, M> {
    fn both_sides(&mut self) -> Result<Curve> {
        let estimate = self.best.natural[self.place];
        let mut curve = Curve {
            points: Vec::new(),
            monotone: true,
            drop: 0.0,
            converged: true,
        };
        if !estimate.is_finite() {
            return Ok(curve);
        }
        let start = self.model.full();
        let centre = Point {
            value: estimate,
            zeta: 0.0,
            slope: f64::NAN,
            parameters: self.best.natural.clone(),
        };
        let mut below = self.side(-1.0, &centre)?;
        self.model.restore(&start);
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

    /// Walks from the centre towards one side.
    fn side(&mut self, sign: f64, centre: &Point) -> Result<Vec<Point>> {
        let (low, high) = self.bounds;
        let bound = if sign < 0.0 { low } else { high };
        let mut points: Vec<Point> = Vec::new();
        let mut tries = 0;
        let mut step = FIRST_STEP * self.best.errors[self.place];
        if !(step.is_finite() && step > 0.0) {
            step = 1e-3 * (1.0 + centre.value.abs());
        }
        'targets: for &target in self.zetas {
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
        let mut minimum = self.model.minimum(value)?;
        minimum.parameters[self.place] = value;
        self.converged &= minimum.converged;
        let known = self
            .lower
            .as_ref()
            .map_or(self.best.criterion - DROP, |lower| lower.0);
        if minimum.criterion < known {
            self.lower = Some((minimum.criterion, self.model.full()));
        }
        let rise = minimum.criterion - self.best.criterion;
        let zeta = sign * rise.max(0.0).sqrt();
        Ok(Point {
            value,
            zeta,
            slope: minimum.slope.map_or(f64::NAN, |slope| 0.5 * slope / zeta),
            parameters: minimum.parameters,
        })
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
