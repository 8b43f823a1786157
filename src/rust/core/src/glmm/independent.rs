//! The model without random effects, by Fisher scoring (iteratively reweighted least squares).
//!
//! It starts the fit and finds separation: then Fisher scoring never ends, and its steps point to infinity.

use nalgebra::DVector;

use super::family::{Distribution, Family};
use super::problem::Problem;
use super::separation::{separation, Separation};
use super::working::Working;
use crate::error::{Error, Result};
use crate::mixed::cross_products::{cross_products, CrossProducts};
use crate::mixed::factor::Factor;
use crate::mixed::rows::Rows;
use crate::mixed::simulate::add_fixed;
use crate::mixed::structure::Structure;

/// Most steps.
const MAX_STEPS: usize = 30;

/// Most halvings of one.
const MAX_HALVINGS: usize = 20;

/// The log-likelihood has converged when it rises by less than this part of itself.
const FLAT: f64 = 1e-8;

/// A linear predictor that still moves by more than this then, relative to 1 + its size, goes to infinity.
const RUNAWAY: f64 = 1e-3;

/// Fitted values without random effects.
#[derive(Debug, Clone)]
pub(super) struct Independent {
    /// β of the columns kept.
    pub beta: DVector<f64>,
    /// η, offset included.
    pub eta: Vec<f64>,
    /// Logarithm of the shape by moments; 0 if the family has none.
    pub log_shape: f64,
    pub separation: Option<Separation>,
}

/// Where Fisher scoring is.
struct Point {
    beta: DVector<f64>,
    eta: Vec<f64>,
    log_likelihood: f64,
}

/// Fits the model without random effects; `working` is left at its linear predictor.
///
/// # Errors
/// [`Error::Argument`] naming `start` when no fixed effects give means that the family can have.
pub(super) fn independent(problem: &Problem, working: &mut Working) -> Result<Independent> {
    let known = problem.shape.map_or(0.0, f64::ln);
    let mut point = first_point(problem, working, known)?;
    let mut converged: Option<Point> = None;
    let mut path = vec![point.beta.clone()];
    for _ in 0..MAX_STEPS {
        let next = match step(problem, working, &point, known)? {
            Some(next) => next,
            None => break,
        };
        let moved = largest_move(&point.eta, &next.eta);
        let gain = next.log_likelihood - point.log_likelihood;
        path.push(next.beta.clone());
        let flat = gain <= FLAT * (1.0 + next.log_likelihood.abs());
        if flat && converged.is_none() {
            converged = Some(next.clone_point());
        }
        point = next;
        if flat && moved <= RUNAWAY {
            break;
        }
    }
    let found = separation(problem, &path);
    // A start on the way to infinity is no better than one where the likelihood becomes flat.
    let point = match (&found, converged) {
        (Some(_), Some(early)) => early,
        _ => point,
    };
    let log_shape = match problem.shape {
        Some(shape) => shape.ln(),
        None if problem.family.has_shape() => shape_by_moments(problem, &point.eta),
        None => 0.0,
    };
    working.center(problem, &point.eta, log_shape)?;
    Ok(Independent {
        beta: point.beta,
        eta: point.eta,
        log_shape,
        separation: found,
    })
}

impl Point {
    fn clone_point(&self) -> Point {
        Point {
            beta: self.beta.clone(),
            eta: self.eta.clone(),
            log_likelihood: self.log_likelihood,
        }
    }
}

/// Weighted least squares of the working response on X.
fn least_squares(rows: &Rows) -> Result<(CrossProducts, DVector<f64>)> {
    let statistics = cross_products(rows, 1)?;
    let none = Structure::full(&[]);
    let mut factor = Factor::new(&statistics, &none)?;
    factor.update(&statistics, &none, &[], &[])?;
    let beta = factor.coefficients();
    Ok((statistics, beta))
}

/// η = offset + Xβ, for β of the columns kept.
pub(super) fn fixed_predictor(rows: &Rows, kept: &[usize], beta: &[f64]) -> Vec<f64> {
    let mut all = vec![0.0; rows.fixed.columns()];
    for (&j, &value) in kept.iter().zip(beta) {
        all[j] = value;
    }
    let n = rows.len();
    let mut eta = rows.offset.map_or_else(|| vec![0.0; n], <[f64]>::to_vec);
    add_fixed(&rows.fixed, &all, &mut eta);
    eta
}

/// The first step from the data, else from means that are all alike.
fn first_point(problem: &Problem, working: &mut Working, log_shape: f64) -> Result<Point> {
    let (rows, family) = (problem.rows, &problem.family);
    let data: Vec<f64> = (0..rows.len())
        .map(|i| family.linear(inside(family, rows.response[i], rows.weight(i))))
        .collect();
    let mean = weighted_mean(rows, rows.response);
    let level = family.linear(inside(family, mean, 1.0));
    let flat = vec![level; rows.len()];
    for eta in [data, flat] {
        if working.center(problem, &eta, log_shape).is_err() {
            continue;
        }
        let Ok((_, beta)) = least_squares(&working.rows(rows, false)) else {
            continue;
        };
        if beta.len() != problem.fixed_columns() {
            continue;
        }
        let eta = fixed_predictor(rows, &problem.basis().kept, beta.as_slice());
        if let Ok(log_likelihood) = working.center(problem, &eta, log_shape) {
            return Ok(Point {
                beta,
                eta,
                log_likelihood,
            });
        }
    }
    // The mean itself, as near as X comes to it.
    let level: Vec<f64> = vec![level; rows.len()];
    let constant = Rows {
        response: &level,
        weights: None,
        terms: Vec::new(),
        dispersion: None,
        ..rows.clone()
    };
    let (_, beta) = least_squares(&constant)?;
    let eta = fixed_predictor(rows, &problem.basis().kept, beta.as_slice());
    let log_likelihood = working
        .center(problem, &eta, log_shape)
        .map_err(|_| Error::Argument {
            argument: "start",
            message:
                "must be given: no fixed effects were found that give means the family can have"
                    .into(),
        })?;
    Ok(Point {
        beta,
        eta,
        log_likelihood,
    })
}

/// One step of Fisher scoring, halved until the likelihood rises; `None` if it does not.
fn step(
    problem: &Problem,
    working: &mut Working,
    point: &Point,
    log_shape: f64,
) -> Result<Option<Point>> {
    working.center(problem, &point.eta, log_shape)?;
    let Ok((_, target)) = least_squares(&working.rows(problem.rows, false)) else {
        return Ok(None);
    };
    if target.len() != point.beta.len() {
        return Ok(None);
    }
    let mut change = target - &point.beta;
    let slack = 1e-12 * (1.0 + point.log_likelihood.abs());
    for _ in 0..MAX_HALVINGS {
        let beta = &point.beta + &change;
        let eta = fixed_predictor(problem.rows, &problem.basis().kept, beta.as_slice());
        match working.center(problem, &eta, log_shape) {
            Ok(log_likelihood) if log_likelihood >= point.log_likelihood - slack => {
                return Ok(Some(Point {
                    beta,
                    eta,
                    log_likelihood,
                }));
            }
            _ => change *= 0.5,
        }
    }
    Ok(None)
}

/// The largest change of η, relative to 1 + its size.
fn largest_move(from: &[f64], to: &[f64]) -> f64 {
    let pairs = from.iter().zip(to);
    pairs.fold(0.0, |largest: f64, (a, b)| {
        largest.max((b - a).abs() / (1.0 + a.abs()))
    })
}

/// A mean near y that the family can have.
fn inside(family: &Family, y: f64, weight: f64) -> f64 {
    match family.distribution() {
        Distribution::Binomial => (weight * y + 0.5) / (weight + 1.0),
        Distribution::Poisson | Distribution::NegativeBinomial => y + 0.1,
        Distribution::Gamma => y,
    }
}

fn weighted_mean(rows: &Rows, values: &[f64]) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        sum += rows.weight(i) * value;
        total += rows.weight(i);
    }
    sum / total
}

/// The shape at which Pearson's residuals have mean square 1: variance μ²/shape, or μ + μ²/shape.
fn shape_by_moments(problem: &Problem, eta: &[f64]) -> f64 {
    let (rows, family) = (problem.rows, &problem.family);
    let (mut excess, mut square) = (0.0, 0.0);
    for (i, &eta) in eta.iter().enumerate() {
        let mean = family.mean(eta);
        let noise = match family.distribution() {
            Distribution::NegativeBinomial => mean,
            _ => 0.0,
        };
        let residual = rows.response[i] - mean;
        // Relative to the squared mean, so that no large mean decides alone.
        let scale = rows.weight(i) / (mean * mean + noise);
        excess += scale * (residual * residual - noise);
        square += scale * mean * mean;
    }
    let shape = square / excess.max(1e-3 * square);
    shape.clamp(1e-3, 1e3).ln()
}
