//! One equation by itself, at a known correlation of its two errors.
//!
//! With θ = β/σ, h = 1/σ and τ = atanh ρ, a row that is not selected adds log Φ(−w'γ) to the log-likelihood, and one
//! that is adds
//!
//! ```text
//! log h − u²/2 − log(2π)/2 + log Φ(a),   u = h y − x'θ,   a = w'γ cosh τ + u sinh τ.
//! ```
//!
//! At a known τ this is concave in (θ, h, γ) (Olsen 1982, International Economic Review 23, 223-240): Newton's steps
//! find its one maximum from anywhere.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::data::Data;
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::normal::univariate::{log_cdf, mills};

/// Newton's steps at one τ.
const MAX_STEPS: usize = 100;

/// Half the squared Newton decrement at which the maximum at one τ is reached.
pub(super) const CLOSE: f64 = 1e-11;

/// Changes of the log-likelihood up to this many ulps may be rounding.
const NOISE_ULPS: f64 = 64.0;

/// Halvings of a Newton step.
const MAX_SHORTENINGS: usize = 40;

/// 1/σ in units of that of the outcome, beyond which the outcome is fitted without error.
const NO_ERROR: f64 = 1e7;

/// log √(2π).
pub(super) const LOG_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_7;

/// The maximum at one τ.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub tau: f64,
    pub log_likelihood: f64,
    /// First and second derivative of the maximum by τ.
    pub slope: f64,
    pub curvature: f64,
    /// (θ, h, γ).
    place: DVector<f64>,
    /// d place / dτ.
    tangent: DVector<f64>,
}

/// Estimates of one equation, in naturals.
#[derive(Debug, Clone)]
pub(super) struct Estimates {
    /// Of the kept columns.
    pub outcome: Vec<f64>,
    pub selection: Vec<f64>,
    pub sigma: f64,
    pub rho: f64,
}

/// The rows of one equation, with columns that are orthogonal and have mean square 1.
pub(super) struct Equation<'a> {
    layout: &'a Layout,
    equation: usize,
    /// Columns of X.
    p: usize,
    /// Rows selected: −X, y in units of its root mean square, W.
    seen: DMatrix<f64>,
    seen_turned: DMatrix<f64>,
    seen_weights: Vec<f64>,
    /// W of the others.
    unseen: DMatrix<f64>,
    unseen_turned: DMatrix<f64>,
    unseen_weights: Vec<f64>,
    /// Root mean square of y.
    unit: f64,
    /// Weighted cross-products of (−X, y).
    gram: DMatrix<f64>,
    /// Sum of the weights of the rows selected.
    weight: f64,
}

/// The log-likelihood at some (θ, h, γ) and τ, with its derivatives.
struct Expansion {
    value: f64,
    gradient: DVector<f64>,
    /// Minus the second derivatives.
    information: DMatrix<f64>,
    slope: f64,
    curvature: f64,
    /// d gradient / dτ.
    cross: DVector<f64>,
}

impl<'a> Equation<'a> {
    /// Equation `equation` (0-based) of `data`.
    pub(super) fn of(data: &Data, layout: &'a Layout, equation: usize) -> Self {
        let (outcome, selection) = (equation, data.equations + equation);
        let (seen, unseen): (Vec<usize>, Vec<usize>) =
            (0..data.n).partition(|&i| data.is_selected(i, equation));
        let gather = |component: usize, rows: &[usize]| {
            let kept = layout.kept(component);
            let mut raw = DMatrix::zeros(rows.len(), kept.len());
            for (mut to, &column) in raw.column_iter_mut().zip(kept) {
                let from = data.column(component, column, 0..data.n);
                to.iter_mut().zip(rows).for_each(|(x, &i)| *x = from[i]);
            }
            raw * layout.bases[component].matrix()
        };
        let weights = |rows: &[usize]| rows.iter().map(|&i| data.weight(i)).collect::<Vec<f64>>();
        let (seen_weights, unseen_weights) = (weights(&seen), weights(&unseen));
        let x = gather(outcome, &seen);
        let w = gather(selection, &seen);
        let (p, k) = (x.ncols(), w.ncols());
        let response = &data.response[equation * data.n..(equation + 1) * data.n];
        let mut y = DVector::from_iterator(seen.len(), seen.iter().map(|&i| response[i]));
        let largest = y.amax();
        let unit = match largest > 0.0 {
            true => largest * ((&y / largest).norm_squared() / seen.len() as f64).sqrt(),
            false => 1.0,
        };
        y /= unit;
        let mut all = DMatrix::zeros(seen.len(), p + 1 + k);
        all.columns_mut(0, p).copy_from(&-x);
        all.column_mut(p).copy_from(&y);
        all.columns_mut(p + 1, k).copy_from(&w);
        let unseen = gather(selection, &unseen);
        let mut equation = Equation {
            layout,
            equation,
            p,
            seen_turned: all.transpose(),
            seen: all,
            unseen_turned: unseen.transpose(),
            unseen,
            unit,
            gram: DMatrix::zeros(0, 0),
            weight: seen_weights.iter().sum(),
            seen_weights,
            unseen_weights,
        };
        let gram = gram(
            &equation.seen,
            &equation.seen_turned,
            &equation.seen_weights,
        );
        equation.gram = gram.view((0, 0), (p + 1, p + 1)).into_owned();
        equation
    }

    /// Number of (θ, h, γ).
    fn len(&self) -> usize {
        self.seen.ncols()
    }

    /// The log-likelihood at (θ, h, γ) and τ; `None` where h is not positive or a value is not finite.
    fn expand(&self, tau: f64, place: &DVector<f64>) -> Option<Expansion> {
        let (p, size) = (self.p, self.len());
        let (sinh, cosh) = (tau.sinh(), tau.cosh());
        let h = place[p];
        if !(h > 0.0 && h.is_finite()) {
            return None;
        }
        let u = self.seen.columns(0, p + 1) * place.rows(0, p + 1);
        let m = self.seen.columns(p + 1, size - p - 1) * place.rows(p + 1, size - p - 1);
        let mut value = self.weight * (h.ln() - self.unit.ln() - LOG_ROOT_TWO_PI);
        let (mut slope, mut curvature) = (0.0, 0.0);
        let mut bend = vec![0.0; u.len()];
        // Factors of the rows of (−X, y) and of W in the gradient and in its derivative by τ.
        let mut outcome = DMatrix::zeros(u.len(), 2);
        let mut selection = DMatrix::zeros(u.len(), 2);
        for i in 0..u.len() {
            let (u, m, weight) = (u[i], m[i], self.seen_weights[i]);
            let (a, b) = (m * cosh + u * sinh, m * sinh + u * cosh);
            let lambda = mills(a);
            let fall = -lambda * (lambda + a);
            value += weight * (log_cdf(a) - 0.5 * u * u);
            slope += weight * lambda * b;
            curvature += weight * (lambda * a + fall * b * b);
            bend[i] = -weight * fall;
            outcome[(i, 0)] = weight * (lambda * sinh - u);
            outcome[(i, 1)] = weight * (fall * b * sinh + lambda * cosh);
            selection[(i, 0)] = weight * lambda * cosh;
            selection[(i, 1)] = weight * (fall * b * cosh + lambda * sinh);
        }
        let mut information = gram(&self.seen, &self.seen_turned, &bend);
        let factor = |i: usize| if i <= p { sinh } else { cosh };
        for i in 0..size {
            for j in 0..size {
                information[(i, j)] *= factor(i) * factor(j);
            }
        }
        let mut corner = information.view_mut((0, 0), (p + 1, p + 1));
        corner += &self.gram;
        information[(p, p)] += self.weight / (h * h);
        let mut slopes = DMatrix::zeros(size, 2);
        let by_outcome = self.seen_turned.rows(0, p + 1) * outcome;
        let by_selection = self.seen_turned.rows(p + 1, size - p - 1) * selection;
        slopes.rows_mut(0, p + 1).copy_from(&by_outcome);
        slopes
            .rows_mut(p + 1, size - p - 1)
            .copy_from(&by_selection);
        slopes[(p, 0)] += self.weight / h;
        let mut gradient = slopes.column(0).into_owned();
        value += self.add_unseen(place, &mut gradient, &mut information);
        let sound = value.is_finite()
            && slope.is_finite()
            && gradient.iter().all(|x| x.is_finite())
            && information.iter().all(|x| x.is_finite());
        sound.then(|| Expansion {
            value,
            gradient,
            information,
            slope,
            curvature,
            cross: slopes.column(1).into_owned(),
        })
    }

    /// Adds the rows that are not selected; their log-likelihood.
    fn add_unseen(
        &self,
        place: &DVector<f64>,
        gradient: &mut DVector<f64>,
        information: &mut DMatrix<f64>,
    ) -> f64 {
        let (from, k) = (self.p + 1, self.len() - self.p - 1);
        let m = &self.unseen * place.rows(from, k);
        let mut factors = DVector::zeros(m.len());
        let mut bend = vec![0.0; m.len()];
        let mut value = 0.0;
        for i in 0..m.len() {
            let (a, weight) = (-m[i], self.unseen_weights[i]);
            let lambda = mills(a);
            value += weight * log_cdf(a);
            factors[i] = -weight * lambda;
            bend[i] = weight * lambda * (lambda + a);
        }
        let mut slopes = gradient.rows_mut(from, k);
        slopes += &self.unseen_turned * factors;
        let mut corner = information.view_mut((from, from), (k, k));
        corner += gram(&self.unseen, &self.unseen_turned, &bend);
        value
    }

    /// The maximum at τ, from `place`.
    ///
    /// # Errors
    /// [`Error::Degenerate`] naming the equation when there is none.
    fn maximize(&self, tau: f64, mut place: DVector<f64>) -> Result<Point> {
        let mut here = self
            .expand(tau, &place)
            .ok_or_else(|| self.failure(&place))?;
        for _ in 0..MAX_STEPS {
            let factor = self.factor(&here.information);
            let factor = factor.ok_or_else(|| self.failure(&place))?;
            let step = factor.solve(&here.gradient);
            let gain = here.gradient.dot(&step);
            let noise = NOISE_ULPS * f64::EPSILON * here.value.abs();
            if 0.5 * gain <= CLOSE.max(noise) {
                let tangent = factor.solve(&here.cross);
                return Ok(Point {
                    tau,
                    log_likelihood: here.value,
                    slope: here.slope,
                    curvature: here.curvature + here.cross.dot(&tangent),
                    place,
                    tangent,
                });
            }
            let mut share = 1.0;
            let taken = (0..MAX_SHORTENINGS).find_map(|_| {
                let to = &place + &step * share;
                let there = self.expand(tau, &to);
                let better =
                    there.filter(|there| there.value > here.value + 1e-4 * share * gain - noise);
                share *= 0.5;
                better.map(|there| (to, there))
            });
            let (to, there) = taken.ok_or_else(|| self.failure(&place))?;
            place = to;
            here = there;
            if place[self.p] > NO_ERROR {
                break;
            }
        }
        Err(self.failure(&place))
    }

    /// The Cholesky factor of the information, made regular along columns of which the rows say nothing.
    fn factor(&self, information: &DMatrix<f64>) -> Option<Cholesky<f64, Dyn>> {
        let ridge = 1e-13 * information.diagonal().amax();
        (0..4).find_map(|round| {
            let mut shifted = information.clone();
            if round > 0 {
                let shift = ridge * 1e3f64.powi(round - 1);
                (0..shifted.nrows()).for_each(|i| shifted[(i, i)] += shift);
            }
            shifted.cholesky()
        })
    }

    /// Why there is no maximum at some τ.
    fn failure(&self, place: &DVector<f64>) -> Error {
        let which = self.equation + 1;
        let words = match place[self.p] > NO_ERROR {
            true => "outcome is fitted without error, so its likelihood is unbounded",
            false => "likelihood has no maximum that could be found",
        };
        Error::Degenerate {
            component: which,
            message: format!("in equation {which} the {words}"),
        }
    }

    /// The maximum at τ near that of `from`.
    pub(super) fn follow(&self, from: &Point, tau: f64) -> Result<Point> {
        let moved = &from.place + &from.tangent * (tau - from.tau);
        if moved[self.p] > 0.3 * from.place[self.p] {
            let reached = self.maximize(tau, moved);
            if reached.is_ok() {
                return reached;
            }
        }
        self.maximize(tau, from.place.clone())
    }

    /// The maximum at ρ = 0, where γ is that of `probit`.
    ///
    /// # Errors
    /// [`Error::Degenerate`] naming the equation when there is none.
    pub(super) fn uncorrelated(&self, probit: &DVector<f64>) -> Result<Point> {
        let mut place = DVector::zeros(self.len());
        place.rows_mut(self.p + 1, probit.len()).copy_from(probit);
        place[self.p] = 1.0;
        self.maximize(0.0, place)
    }

    /// The estimates at a point.
    pub(super) fn estimates(&self, point: &Point) -> Estimates {
        let (p, k) = (self.p, self.len() - self.p - 1);
        let sigma = self.unit / point.place[p];
        let apply = |component: usize, from: Vec<f64>| {
            let mut to = vec![0.0; from.len()];
            self.layout.bases[component].apply(&from, &mut to);
            to
        };
        let theta = point.place.rows(0, p) * sigma;
        let gamma = point.place.rows(p + 1, k);
        Estimates {
            outcome: apply(self.equation, theta.as_slice().to_vec()),
            selection: apply(
                self.layout.equations + self.equation,
                gamma.as_slice().to_vec(),
            ),
            sigma,
            rho: point.tau.tanh(),
        }
    }
}

/// Σ factor x x' over rows x, which are in the rows of `rows` and in the columns of `turned`.
fn gram(rows: &DMatrix<f64>, turned: &DMatrix<f64>, factors: &[f64]) -> DMatrix<f64> {
    let mut scaled = turned.clone();
    for (mut column, factor) in scaled.column_iter_mut().zip(factors) {
        column *= *factor;
    }
    scaled * rows
}
