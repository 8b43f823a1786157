//! The mode of a posterior and its curvature there.
//!
//! Newton's method on second differences. They are wide first, a fifth of a standard deviation each way whatever K:
//! that finds the posterior's body, and its curvature is what proposals need. Narrow ones then give the mode
//! itself and the information there.

use nalgebra::{DMatrix, DVector};

use super::parameters::{Kind, Layout};
use super::posterior::{Point, Posterior};
use super::proposal::Proposal;
use super::target::Likelihood;
use crate::error::{Error, Result};

/// The log posterior should fall by about this much in a wide and in a narrow step; half as much and four times as
/// much will do.
const WIDE: f64 = 0.02;
const NARROW: f64 = 2e-5;

/// Longest step of a difference in a coordinate that is a logarithm.
const LONGEST: f64 = 20.0;

/// Most changes of the length of a step.
const MAX_SCALINGS: usize = 60;

/// Curvature below this part of the drop in a step does not count.
const FLAT: f64 = 1e-4;

const MAX_ITERATIONS: usize = 60;

/// The search ends when the log posterior is expected to rise by less than this part of the drop in a step.
const RISE: f64 = 1e-3;

/// The first Newton step is no longer than so many standard deviations along an axis; the limit grows by a factor
/// with each step that is taken whole, so that a far start with many clones costs a few steps.
const FIRST_STEP: f64 = 4.0;
const GROWTH: f64 = 4.0;

/// Standard deviations start no smaller than exp(-5) of σ, correlations no closer to ±1 than tanh 2.
const FIRST_LOG_RATIO: f64 = -5.0;
const FIRST_CORRELATION: f64 = 2.0;

/// The mode of the joint posterior of w, and the normal distribution that the curvature there stands for.
#[derive(Debug, Clone)]
pub struct Mode {
    pub w: Vec<f64>,
    /// Covariance of w: minus the inverse Hessian of the log posterior.
    pub covariance: DMatrix<f64>,
    /// Whether the log posterior is strictly concave there, and the mode inside the support of the prior.
    pub regular: bool,
    pub(super) proposal: Proposal,
}

impl Mode {
    /// Looks for the mode from w.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `prior` if the posterior vanishes at the start.
    pub fn find<L: Likelihood + Clone>(posterior: &Posterior<L>, w: &[f64]) -> Result<Self> {
        let posterior = &mut posterior.clone();
        let mut point = posterior.point();
        point.v = start(posterior, w);
        posterior.evaluate(&mut point);
        if point.log_density == f64::NEG_INFINITY {
            return Err(Error::Argument {
                argument: "prior",
                message: "has no density near the estimates: the posterior vanishes there".into(),
            });
        }
        let mut surface = Surface {
            steps: vec![1e-2; point.v.len()],
            drop: WIDE,
            trial: posterior.point(),
            posterior,
        };
        let wide = surface.maximize(&mut point);
        let proposal = surface.proposal(&point, &wide)?;
        let mut moved = point.clone();
        surface.narrow();
        surface.posterior.evaluate(&mut moved);
        let narrow = surface.maximize(&mut moved);
        let trusted = wide.regular && narrow.regular;
        let (point, normal) = match trusted {
            true => (moved, surface.proposal(&point, &narrow)?),
            false => (point, proposal.clone()),
        };
        Ok(Mode {
            w: surface.center(&point),
            covariance: surface.covariance(&point, &normal),
            regular: trusted,
            proposal,
        })
    }

    /// Covariance of the natural parameters, by linearisation.
    pub fn natural_covariance(&self, layout: &Layout) -> DMatrix<f64> {
        let n = self.w.len();
        let mut jacobian = DMatrix::zeros(n, n);
        let (mut up, mut down) = (vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            // The cube root of the machine precision, relative to the scale on which parameters change.
            let h = 6e-6 * self.w[j].abs().max(1.0);
            let mut moved = self.w.clone();
            moved[j] += h;
            layout.natural_into(&moved, &mut up);
            moved[j] -= 2.0 * h;
            layout.natural_into(&moved, &mut down);
            for i in 0..n {
                jacobian[(i, j)] = (up[i] - down[i]) / (2.0 * h);
            }
        }
        &jacobian * &self.covariance * jacobian.transpose()
    }
}

/// v of a start, moved away from where the posterior is flat or vanishes.
fn start<L: Likelihood>(posterior: &Posterior<L>, w: &[f64]) -> Vec<f64> {
    let (layout, first) = (posterior.layout(), posterior.first());
    let log_sigma = layout.sigma(w).ln();
    let coordinates = w.iter().zip(layout.coordinate_kinds()).enumerate();
    let moved = coordinates.skip(first).map(|(j, (&value, kind))| {
        let value = match kind {
            Kind::Covariance { row, column, .. } if row == column => {
                value.max(log_sigma + FIRST_LOG_RATIO)
            }
            Kind::Covariance { .. } => value.clamp(-FIRST_CORRELATION, FIRST_CORRELATION),
            _ => value,
        };
        inside(value, posterior.prior().support(j))
    });
    moved.collect()
}

/// The nearest value inside an interval, a little away from its ends.
fn inside(value: f64, (lower, upper): (f64, f64)) -> f64 {
    let margin = 0.01 * (upper - lower).min(1.0);
    value.max(lower + margin).min(upper - margin)
}

/// The log posterior around points.
struct Surface<'s, 'a, L> {
    posterior: &'s mut Posterior<'a, L>,
    /// Length of a difference in each coordinate.
    steps: Vec<f64>,
    /// By how much the log posterior should fall in a step.
    drop: f64,
    trial: Point,
}

/// Slope and curvature in units of the steps.
struct Curvature {
    gradient: DVector<f64>,
    /// Eigenvalues of minus the Hessian, those that are not positive replaced.
    values: DVector<f64>,
    axes: DMatrix<f64>,
    regular: bool,
}

impl<L: Likelihood> Surface<'_, '_, L> {
    /// The log posterior where coordinates moved by so many steps.
    fn moved(&mut self, from: &Point, moves: &[(usize, f64)]) -> f64 {
        self.trial.v.copy_from_slice(&from.v);
        for &(j, steps) in moves {
            self.trial.v[j] += steps * self.steps[j];
        }
        self.posterior.evaluate(&mut self.trial);
        self.trial.log_density
    }

    /// Moves a point to the mode.
    fn maximize(&mut self, point: &mut Point) -> Curvature {
        let mut curvature = self.curvature(point);
        let mut longest = FIRST_STEP;
        for _ in 0..MAX_ITERATIONS {
            let (step, rise) = curvature.newton(&self.steps, longest);
            if rise < RISE * self.drop {
                break;
            }
            match self.climb(point, &step) {
                Some(share) => longest = f64::max(FIRST_STEP, longest * share * GROWTH),
                None => break,
            }
            curvature = self.curvature(point);
        }
        curvature
    }

    /// Narrow differences from now on, of the joint posterior of β and the rest.
    fn narrow(&mut self) {
        self.posterior.profile();
        let factor = (NARROW / self.drop).sqrt();
        self.steps.iter_mut().for_each(|step| *step *= factor);
        self.drop = NARROW;
    }

    fn curvature(&mut self, point: &Point) -> Curvature {
        let d = point.v.len();
        let mut gradient = DVector::zeros(d);
        let mut hessian = DMatrix::zeros(d, d);
        let mut regular = true;
        let mut sides = Vec::with_capacity(d);
        for j in 0..d {
            let (up, down) = self.scale(point, j);
            if up.is_finite() && down.is_finite() {
                gradient[j] = 0.5 * (up - down);
                hessian[(j, j)] = 2.0 * point.log_density - up - down;
            } else {
                // Next to the end of the support the density is about exponential.
                let slope = if up.is_finite() {
                    up - point.log_density
                } else {
                    point.log_density - down
                };
                gradient[j] = if slope.is_finite() { slope } else { 0.0 };
                hessian[(j, j)] = gradient[j].powi(2).max(FLAT * self.drop);
                regular = false;
            }
            sides.push(up + down);
        }
        for j in 0..d {
            for i in j + 1..d {
                let both = self.moved(point, &[(i, 1.0), (j, 1.0)])
                    + self.moved(point, &[(i, -1.0), (j, -1.0)]);
                let mixed = 0.5 * (sides[i] + sides[j] - both) - point.log_density;
                if mixed.is_finite() {
                    hessian[(i, j)] = mixed;
                    hessian[(j, i)] = mixed;
                }
            }
        }
        let eigen = hessian.symmetric_eigen();
        let mut values = eigen.eigenvalues;
        for value in values.iter_mut() {
            regular &= *value > FLAT * self.drop;
            *value = value.abs().max(FLAT * self.drop);
        }
        Curvature {
            gradient,
            values,
            axes: eigen.eigenvectors,
            regular,
        }
    }

    /// Fits the length of the steps in coordinate j; the log posterior a step up and a step down.
    fn scale(&mut self, point: &Point, j: usize) -> (f64, f64) {
        let mut sides = (f64::NAN, f64::NAN);
        let longest = LONGEST.max(point.v[j].abs());
        for _ in 0..MAX_SCALINGS {
            sides = (
                self.moved(point, &[(j, 1.0)]),
                self.moved(point, &[(j, -1.0)]),
            );
            let fall = point.log_density - 0.5 * (sides.0 + sides.1);
            // A slope alone does not fix the length, but one that the curvature hides must not be stepped over.
            let fall = fall.abs().max(0.1 * (sides.0 - sides.1).abs());
            let factor = if fall < 0.5 * self.drop && self.steps[j] < longest {
                (self.drop / fall).sqrt().clamp(1.5, 8.0)
            } else if fall > 4.0 * self.drop {
                (self.drop / fall).sqrt().max(0.2)
            } else {
                break;
            };
            let next = (self.steps[j] * factor).min(longest);
            if next < 1e-12 * point.v[j].abs().max(1e-12) {
                break;
            }
            self.steps[j] = next;
        }
        sides
    }

    /// Goes along a step, shortened until the posterior rises: the share of it that was gone, if it rises at all.
    fn climb(&mut self, point: &mut Point, step: &DVector<f64>) -> Option<f64> {
        let mut length = 1.0;
        for _ in 0..30 {
            self.trial.v.copy_from_slice(&point.v);
            let moved = self.trial.v.iter_mut().zip(step.iter());
            moved.for_each(|(v, step)| *v += length * step);
            self.posterior.evaluate(&mut self.trial);
            if self.trial.log_density > point.log_density {
                std::mem::swap(&mut self.trial, point);
                return Some(length);
            }
            length *= 0.5;
        }
        None
    }

    /// The t distribution that fits a mode and its curvature.
    fn proposal(&self, point: &Point, curvature: &Curvature) -> Result<Proposal> {
        let d = point.v.len();
        let root = DMatrix::from_fn(d, d, |i, k| {
            self.steps[i] * curvature.axes[(i, k)] / curvature.values[k].sqrt()
        });
        let whitening = DMatrix::from_fn(d, d, |k, j| {
            curvature.values[k].sqrt() * curvature.axes[(j, k)] / self.steps[j]
        });
        let center = DVector::from_column_slice(&point.v);
        Proposal::new(center, root, whitening).ok_or_else(|| Error::Numerical {
            message: "the posterior has no finite curvature at its mode".into(),
        })
    }

    /// w at a point.
    fn center(&self, point: &Point) -> Vec<f64> {
        let mut w = vec![0.0; self.posterior.first() + point.v.len()];
        self.posterior.center_into(point, &mut w);
        w
    }

    /// Covariance of w: that of v, and β given v, whose mean moves with v.
    fn covariance(&mut self, point: &Point, normal: &Proposal) -> DMatrix<f64> {
        let (d, first) = (point.v.len(), self.posterior.first());
        let mut slopes = DMatrix::zeros(first + d, d);
        for j in 0..d {
            let up = self.moved(point, &[(j, 1.0)]);
            let above = self.center(&self.trial);
            let down = self.moved(point, &[(j, -1.0)]);
            let below = self.center(&self.trial);
            for i in (0..first).filter(|_| (up + down).is_finite()) {
                slopes[(i, j)] = (above[i] - below[i]) / (2.0 * self.steps[j]);
            }
            slopes[(first + j, j)] = 1.0;
        }
        let axes = slopes * &normal.root;
        let mut covariance = &axes * axes.transpose();
        for column in self.posterior.coefficient_root(point) {
            for j in 0..first {
                for i in 0..first {
                    covariance[(i, j)] += column[i] * column[j];
                }
            }
        }
        covariance
    }
}

impl Curvature {
    /// The Newton step in units of the coordinates, no longer than so many standard deviations along an axis, and the
    /// rise that it promises.
    fn newton(&self, steps: &[f64], longest: f64) -> (DVector<f64>, f64) {
        let mut along = self.axes.tr_mul(&self.gradient);
        let mut rise = 0.0;
        for (g, value) in along.iter_mut().zip(self.values.iter()) {
            rise += 0.5 * *g * *g / value;
            let longest = longest / value.sqrt();
            *g = (*g / value).clamp(-longest, longest);
        }
        let mut step = &self.axes * along;
        step.iter_mut().zip(steps).for_each(|(to, h)| *to *= h);
        (step, rise)
    }
}
