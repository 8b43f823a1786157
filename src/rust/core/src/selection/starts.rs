//! Where climbs of the joint likelihood start: what the equations by themselves say.

use nalgebra::DMatrix;

use super::ascent::Likelihood;
use super::equation::{Equation, Estimates, Point};
use super::layout::{Layout, Parameters};
use super::scan::Walk;
use super::search::Scan;
use crate::linalg;
use crate::normal::univariate::mills;

/// Log units below an equation's maximum within which another mode, or the other sign of the correlation, is a start.
const WITHIN_REACH: f64 = 10.0;

/// The same for a sign of the correlation without a mode.
const FLAT: f64 = 2.0;

/// |atanh ρ| where a start is that stands for a likelihood which rises towards |ρ| = 1.
const BEFORE_THE_END: f64 = 2.6;

/// |atanh ρ| from which a correlation has a sign.
const SIGNED: f64 = 0.5;

/// The most combinations of univariate modes that are starts.
const MAX_COMBINATIONS: usize = 8;

/// What a correlation across equations is multiplied by until the matrix is positive definite.
const SHRINKAGE: f64 = 0.8;

/// An equation by itself.
pub(super) struct Marginal {
    pub scan: Scan,
    /// Log-likelihoods below the highest, and estimates; the best first.
    pub modes: Vec<(f64, Estimates)>,
    /// Ends towards which the likelihood rises.
    pub rising: Vec<Estimates>,
}

impl Marginal {
    /// What a walk saw; `several`: more starts, where the joint likelihood may have modes that this one has not.
    pub(super) fn of(rows: &Equation, walk: &Walk, several: bool) -> Self {
        let scan = Scan {
            rho: walk.points.iter().map(|point| point.tau.tanh()).collect(),
            log_likelihood: walk
                .points
                .iter()
                .map(|point| point.log_likelihood)
                .collect(),
        };
        let all = walk.points.iter().chain(&walk.maxima);
        let highest = all.map(|point| point.log_likelihood);
        let highest = highest.fold(f64::NEG_INFINITY, f64::max);
        let mut places: Vec<&Point> = walk.maxima.iter().collect();
        let inner = |point: &&Point| point.tau.abs() <= BEFORE_THE_END;
        for end in walk.rising.iter().filter(|_| several) {
            let before = walk.points.iter().filter(inner);
            let near = |point: &&Point| end.tau * point.tau;
            let before = before.max_by(|a, b| near(a).total_cmp(&near(b)));
            if highest - end.log_likelihood < WITHIN_REACH {
                places.extend(before);
            }
        }
        for side in [-1.0, 1.0] {
            let has_sign = |point: &&Point| side * point.tau >= SIGNED;
            if !several || places.iter().any(has_sign) {
                continue;
            }
            let flat = walk.points.iter().filter(inner).filter(has_sign);
            let flat = flat.max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood));
            places.extend(flat.filter(|point| highest - point.log_likelihood < FLAT));
        }
        if places.is_empty() && several {
            let points = walk.points.iter().filter(inner);
            places.extend(points.max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood)));
        }
        let modes = places.into_iter();
        let modes = modes.map(|point| (highest - point.log_likelihood, rows.estimates(point)));
        Marginal {
            scan,
            modes: modes.collect(),
            rising: walk.rising.iter().map(|end| rows.estimates(end)).collect(),
        }
    }
}

/// Combinations of univariate modes, one of each equation, the likeliest first.
pub(super) fn combinations(marginals: &[Marginal]) -> Vec<Vec<&Estimates>> {
    let mut all: Vec<(f64, Vec<&Estimates>)> = vec![(0.0, Vec::new())];
    for marginal in marginals {
        let longer = all.iter().flat_map(|(below, chosen)| {
            marginal.modes.iter().map(move |(further, mode)| {
                let mut chosen = chosen.clone();
                chosen.push(mode);
                (below + further, chosen)
            })
        });
        all = longer.collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.truncate(MAX_COMBINATIONS);
    }
    all.into_iter().map(|(_, chosen)| chosen).collect()
}

/// Parameters of equations that are independent of each other.
pub(super) fn independent(layout: &Layout, equations: &[&Estimates]) -> Parameters {
    let j = layout.equations;
    let mut omega = DMatrix::identity(2 * j, 2 * j);
    for (k, one) in equations.iter().enumerate() {
        omega[(k, k)] = one.sigma * one.sigma;
        omega[(k, j + k)] = one.rho * one.sigma;
        omega[(j + k, k)] = one.rho * one.sigma;
    }
    let outcomes = equations.iter().map(|one| one.outcome.clone());
    let selections = equations.iter().map(|one| one.selection.clone());
    Parameters {
        coefficients: outcomes.chain(selections).collect(),
        omega,
    }
}

/// `start` with the correlations of residuals across equations: of outcomes where both are seen, and generalised ones
/// of selections.
pub(super) fn correlated(likelihood: Likelihood, start: &Parameters) -> Parameters {
    let Likelihood { data, layout, .. } = likelihood;
    let (n, j) = (data.n, data.equations);
    let residuals: Vec<Vec<f64>> = (0..2 * j)
        .map(|component| {
            let mut predictor = vec![0.0; n];
            let kept = layout.kept(component).iter();
            for (&column, slope) in kept.zip(&start.coefficients[component]) {
                let x = data.column(component, column, 0..n);
                predictor
                    .iter_mut()
                    .zip(x)
                    .for_each(|(m, x)| *m += slope * x);
            }
            let residual = |i: usize| match (component < j, data.is_selected(i, component % j)) {
                (true, true) => data.response[component * n + i] - predictor[i],
                (true, false) => f64::NAN,
                (false, true) => mills(predictor[i]),
                (false, false) => -mills(-predictor[i]),
            };
            (0..n).map(residual).collect()
        })
        .collect();
    let mut cross = DMatrix::zeros(2 * j, 2 * j);
    for (a, b) in layout.pairs().filter(|(a, b)| a % j != b % j) {
        let scale = (start.omega[(a, a)] * start.omega[(b, b)]).sqrt();
        let weight = |i: usize| data.weight(i);
        let correlation = correlation(&residuals[a], &residuals[b], weight);
        cross[(a, b)] = correlation * scale;
        cross[(b, a)] = correlation * scale;
    }
    let mut share = SHRINKAGE;
    loop {
        let omega = &start.omega + &cross * share;
        // Well inside: with its off-diagonal entries a little larger it is still positive definite.
        let stretched = &omega * 1.1 - DMatrix::from_diagonal(&omega.diagonal()) * 0.1;
        if linalg::cholesky(&stretched).is_ok() || share < 1e-3 {
            let coefficients = start.coefficients.clone();
            let omega = if share < 1e-3 {
                start.omega.clone()
            } else {
                omega
            };
            return Parameters {
                coefficients,
                omega,
            };
        }
        share *= SHRINKAGE;
    }
}

/// The correlation of values that are there in the same rows; 0 if there are too few.
fn correlation(a: &[f64], b: &[f64], weight: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 6];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        if a.is_finite() && b.is_finite() {
            let terms = [1.0, *a, *b, a * a, b * b, a * b];
            let weight = weight(i);
            sums.iter_mut()
                .zip(terms)
                .for_each(|(sum, term)| *sum += weight * term);
        }
    }
    let [total, a, b, aa, bb, ab] = sums;
    let spread = ((aa - a * a / total) * (bb - b * b / total)).sqrt();
    let correlation = (ab - a * b / total) / spread;
    if correlation.is_finite() {
        correlation.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}
