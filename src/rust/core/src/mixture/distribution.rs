//! A mixture as a distribution: simulation, and marginal density, cdf and quantiles.

use nalgebra::{DMatrix, DVector};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::error::{Error, Result};
use crate::linalg;
use crate::mixture::model::Mixture;
use crate::normal::univariate::log_cdf;

/// Simulated rows and the components that they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// n × d.
    pub x: DMatrix<f64>,
    /// Component of each row, 1..=K; 0 is noise.
    pub classes: Vec<u32>,
}

/// Draws `rows` independent rows. Noise is uniform on `ranges`, d pairs (low, high).
///
/// The draws depend on the state of `rng` alone: one uniform per row for its class, then d normals (or
/// uniforms).
///
/// # Errors
/// [`Error::Argument`] when there is noise without valid `ranges`; [`Error::NotPositiveDefinite`].
pub fn simulate<R: Rng>(
    mixture: &Mixture,
    rows: usize,
    ranges: Option<&[(f64, f64)]>,
    rng: &mut R,
) -> Result<Sample> {
    let d = mixture.dim();
    let ranges = match (mixture.noise, ranges) {
        (None, _) => &[][..],
        (Some(_), Some(ranges)) if ranges.len() == d && ranges.iter().all(is_range) => ranges,
        (Some(_), _) => {
            return Err(Error::Argument {
                argument: "ranges",
                message: format!("must give {d} pairs low < high where noise is uniform"),
            })
        }
    };
    let roots: Vec<DMatrix<f64>> = mixture
        .covariances
        .iter()
        .map(linalg::cholesky)
        .collect::<Result<_>>()?;
    let mut x = DMatrix::zeros(rows, d);
    let mut classes = Vec::with_capacity(rows);
    for i in 0..rows {
        match draw_class(mixture, rng) {
            Some(k) => {
                let z = DVector::from_fn(d, |_, _| rng.sample::<f64, _>(StandardNormal));
                let row = mixture.means.column(k) + &roots[k] * z;
                x.set_row(i, &row.transpose());
                classes.push(k as u32 + 1);
            }
            None => {
                for (j, (low, high)) in ranges.iter().enumerate() {
                    x[(i, j)] = low + (high - low) * rng.random::<f64>();
                }
                classes.push(0);
            }
        }
    }
    Ok(Sample { x, classes })
}

/// Component by inversion of the cumulated weights; `None` is noise.
fn draw_class<R: Rng>(mixture: &Mixture, rng: &mut R) -> Option<usize> {
    let mut rest = rng.random::<f64>();
    for (k, weight) in mixture.weights.iter().enumerate() {
        rest -= weight;
        if rest < 0.0 {
            return Some(k);
        }
    }
    // Without noise only rounding of the sum leads here.
    if mixture.noise.is_some() {
        None
    } else {
        mixture.weights.iter().rposition(|weight| *weight > 0.0)
    }
}

fn is_range(range: &(f64, f64)) -> bool {
    range.0 < range.1 && (range.1 - range.0).is_finite()
}

/// Distribution of one column: a mixture of normals and, with noise, a uniform.
#[derive(Debug, Clone, PartialEq)]
pub struct Marginal {
    weights: Vec<f64>,
    means: Vec<f64>,
    sds: Vec<f64>,
    noise: Option<Uniform>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Uniform {
    weight: f64,
    low: f64,
    high: f64,
}

/// Which probability a quantile leaves on its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// P(X ≤ x).
    Lower,
    /// P(X > x).
    Upper,
}

impl Marginal {
    /// Column `column` (0-based) of `mixture`; noise is uniform on `range` (low, high).
    ///
    /// # Errors
    /// [`Error::Argument`] when the column does not exist or there is noise without a valid `range`.
    pub fn new(mixture: &Mixture, column: usize, range: Option<(f64, f64)>) -> Result<Self> {
        if column >= mixture.dim() {
            return Err(Error::Argument {
                argument: "column",
                message: format!("must be one of the {} dimensions", mixture.dim()),
            });
        }
        let noise = match (mixture.noise, range) {
            (None, _) => None,
            (Some(noise), Some((low, high))) if is_range(&(low, high)) => Some(Uniform {
                weight: noise.weight,
                low,
                high,
            }),
            (Some(_), _) => {
                return Err(Error::Argument {
                    argument: "range",
                    message: "must give low < high where noise is uniform".into(),
                })
            }
        };
        Ok(Marginal {
            weights: mixture.weights.clone(),
            means: mixture.means.row(column).iter().copied().collect(),
            sds: mixture
                .covariances
                .iter()
                .map(|sigma| sigma[(column, column)].sqrt())
                .collect(),
            noise,
        })
    }

    /// Density at `x`.
    pub fn density(&self, x: f64) -> f64 {
        let normals = self.standardized(x).map(|(weight, sd, z)| {
            weight * (-0.5 * z * z).exp() / (sd * std::f64::consts::TAU.sqrt())
        });
        let uniform = self.noise.map_or(0.0, |noise| {
            let inside = noise.low <= x && x <= noise.high;
            f64::from(inside) * noise.weight / (noise.high - noise.low)
        });
        normals.sum::<f64>() + uniform
    }

    /// Probability on one side of `x`, with full relative precision in the tails.
    pub fn probability(&self, x: f64, tail: Tail) -> f64 {
        self.log_probability(x, tail).exp()
    }

    /// log of [`Marginal::probability`]; finite far beyond where that underflows.
    pub fn log_probability(&self, x: f64, tail: Tail) -> f64 {
        let sign = match tail {
            Tail::Lower => 1.0,
            Tail::Upper => -1.0,
        };
        let normals = self
            .standardized(x)
            .map(|(weight, _, z)| weight.ln() + log_cdf(sign * z));
        let uniform = self.noise.map(|noise| {
            let share = ((x - noise.low) / (noise.high - noise.low)).clamp(0.0, 1.0);
            let share = match tail {
                Tail::Lower => share,
                Tail::Upper => 1.0 - share,
            };
            (noise.weight * share).ln()
        });
        log_sum_exp(normals.chain(uniform)).min(0.0)
    }

    /// The x with [`Marginal::probability`] `p`: ±∞ at 0 and 1, NaN outside [0, 1].
    pub fn quantile(&self, p: f64, tail: Tail) -> f64 {
        let (below, above) = match tail {
            Tail::Lower => (f64::NEG_INFINITY, f64::INFINITY),
            Tail::Upper => (f64::INFINITY, f64::NEG_INFINITY),
        };
        match (p, tail) {
            (p, _) if !(0.0..=1.0).contains(&p) => f64::NAN,
            (0.0, _) => below,
            (1.0, _) => above,
            // 1 − p is exact here, and the smaller tail has the digits.
            (p, Tail::Lower) if p > 0.5 => self.solve((1.0 - p).ln(), Tail::Upper),
            (p, Tail::Upper) if p > 0.5 => self.solve((1.0 - p).ln(), Tail::Lower),
            (p, tail) => self.solve(p.ln(), tail),
        }
    }

    /// Newton's method on the log-probability, with bisection where a step leaves the bracket or is slow.
    fn solve(&self, target: f64, tail: Tail) -> f64 {
        // Signed so that the error increases with x.
        let sign = match tail {
            Tail::Lower => 1.0,
            Tail::Upper => -1.0,
        };
        let error = |x: f64| sign * (self.log_probability(x, tail) - target);
        let (mut low, mut high) = self.bracket(&error);
        let mut x = 0.5 * (low + high);
        let mut last = high - low;
        for _ in 0..MAX_STEPS {
            let gap = error(x);
            if gap == 0.0 {
                break;
            }
            if gap < 0.0 {
                low = x;
            } else {
                high = x;
            }
            let slope = (self.density(x).ln() - self.log_probability(x, tail)).exp();
            let newton = x - gap / slope;
            let next = if newton > low && newton < high && (newton - x).abs() <= 0.5 * last {
                newton
            } else {
                0.5 * (low + high)
            };
            last = (next - x).abs();
            x = next;
            if last <= 0.5 * f64::EPSILON * x.abs() || !(low < x && x < high) {
                break;
            }
        }
        x
    }

    /// Points at which `error` has both signs.
    fn bracket(&self, error: &dyn Fn(f64) -> f64) -> (f64, f64) {
        let edge = |sign: f64, reach: f64| {
            let points = self
                .means
                .iter()
                .zip(&self.sds)
                .map(|(m, sd)| m + sign * reach * sd);
            points.fold(f64::NAN, if sign < 0.0 { f64::min } else { f64::max })
        };
        let mut reach = 1.0;
        while error(edge(-1.0, reach)) > 0.0 && reach < MAX_REACH {
            reach *= 2.0;
        }
        let low = edge(-1.0, reach);
        reach = 1.0;
        while error(edge(1.0, reach)) < 0.0 && reach < MAX_REACH {
            reach *= 2.0;
        }
        (low, edge(1.0, reach))
    }

    /// (weight, sd, z) of every normal with a positive weight.
    fn standardized(&self, x: f64) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        self.weights
            .iter()
            .zip(self.means.iter().zip(&self.sds))
            .filter(|(weight, _)| **weight > 0.0)
            .map(move |(&weight, (mean, &sd))| (weight, sd, (x - mean) / sd))
    }
}

/// Bisection alone needs about 64 steps; Newton far fewer.
const MAX_STEPS: usize = 200;

/// Standard deviations beyond which no quantile lies.
const MAX_REACH: f64 = 1e18;

fn log_sum_exp(terms: impl Iterator<Item = f64>) -> f64 {
    let terms: Vec<f64> = terms.collect();
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_finite() {
        largest
            + terms
                .iter()
                .map(|term| (term - largest).exp())
                .sum::<f64>()
                .ln()
    } else {
        largest
    }
}
