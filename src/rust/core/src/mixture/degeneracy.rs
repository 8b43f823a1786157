//! Collapse, judged without units.
//!
//! The likelihood of a mixture is unbounded where a covariance matrix becomes singular. A component counts
//! as collapsed when some direction holds less than [`COLLAPSE`] of the variance that all rows together have
//! in that direction: the smallest eigenvalue of Σ_k in the metric of Σ_total. The metric follows the
//! symmetry of the covariance model, so that no change of units that leaves the model alone changes the
//! verdict: all of Σ_total for ellipsoidal models, its diagonal for diagonal ones, its mean variance for
//! spherical ones.

use nalgebra::{DMatrix, DVector};

use super::model::{CovarianceModel, Mixture};
use super::rules::Rules;
use super::spread::Metric;
use super::stats::Moments;
use crate::error::{Error, Result};
use crate::linalg::{cholesky, factorise, from_spectrum, symmetric_eigen, whiten};

/// Smallest variance of a component, relative to that of all rows in the same direction: standard
/// deviations a million times smaller than the spread of the data.
pub const COLLAPSE: f64 = 1e-12;

/// Fewest rows, in units of an average row, whose weighted mean still means something.
pub const LOST_ROWS: f64 = 1e-8;

/// The error of component `index` (0-based).
pub fn collapsed(index: usize, message: impl Into<String>) -> Error {
    Error::Degenerate {
        component: index + 1,
        message: message.into(),
    }
}

/// Components (1-based) with fewer rows than their own parameters need: d + 1 where Σ_k is free in every
/// direction, else 1. Such a component need not be wrong, but the fit should say so.
pub fn thin_components(mixture: &Mixture, moments: &Moments, rules: &Rules) -> Vec<usize> {
    use CovarianceModel::*;
    let own = matches!(mixture.model, EEV | VEV | EVV | VVV) && rules.known.covariances.is_none();
    let rows = if own { mixture.dim() as f64 + 1.0 } else { 1.0 };
    let thin = |&k: &usize| moments.counts[k] < rows * rules.row_weight;
    (0..mixture.components())
        .filter(thin)
        .map(|k| k + 1)
        .collect()
}

/// Checks that every component still has rows to be estimated from.
///
/// # Errors
/// [`Error::Degenerate`] with the first component that lost its rows.
pub fn check_counts(moments: &Moments, model: CovarianceModel, rules: &Rules) -> Result<()> {
    // A known weight keeps an empty component alive; a shared or known Σ_k keeps it defined.
    let known = &rules.known;
    if known.weights.is_some() && (model.is_pooled() || known.covariances.is_some()) {
        return Ok(());
    }
    for (index, &count) in moments.counts.iter().enumerate() {
        let enough = count > LOST_ROWS * rules.row_weight;
        if !enough {
            return Err(collapsed(
                index,
                "no rows are left to it; use fewer components or another start",
            ));
        }
    }
    Ok(())
}

/// Checks that no covariance matrix of `mixture` is singular or collapsed.
///
/// # Errors
/// [`Error::Degenerate`] with the first component that is.
pub fn check_covariances(mixture: &Mixture, rules: &Rules) -> Result<()> {
    if rules.known.covariances.is_some() {
        return Ok(());
    }
    let pooled = mixture.model.is_pooled();
    let matrices = if pooled { 1 } else { mixture.components() };
    let yardstick = yardstick(mixture.model, rules);
    let mut room = DMatrix::zeros(mixture.dim(), mixture.dim());
    for (index, sigma) in mixture.covariances.iter().take(matrices).enumerate() {
        if !stands_above(sigma, yardstick, COLLAPSE, &mut room) {
            let whose = if pooled {
                "the covariance matrix that all components share"
            } else {
                "its covariance matrix"
            };
            return Err(collapsed(
                index,
                format!(
                    "{whose} is singular{}; use fewer components, a simpler model or a prior",
                    describe(sigma, yardstick)
                ),
            ));
        }
    }
    Ok(())
}

/// Whether every Σ_k of `mixture` obeys the floor of `rules`, up to rounding.
pub fn obeys_floor(mixture: &Mixture, rules: &Rules) -> bool {
    let (Some(floor), None) = (rules.floor, &rules.known.covariances) else {
        return true;
    };
    let yardstick = yardstick(mixture.model, rules);
    let slightly_less = floor * (1.0 - 1e-9);
    let mut room = DMatrix::zeros(mixture.dim(), mixture.dim());
    (mixture.covariances.iter())
        .all(|sigma| stands_above(sigma, yardstick, slightly_less, &mut room))
}

/// Raises Σ_k to the floor: the maximiser of the M-step objective under Σ_k ⪰ floor · yardstick, for the
/// models whose Σ_k (or pooled Σ) is otherwise free within its metric. Eigenvalues below the floor move up to
/// it in the metric of the yardstick; a matrix that obeys the floor is returned as it is.
///
/// # Errors
/// [`Error::Numerical`] when the eigenvalues cannot be computed.
pub fn raise_to_floor(
    sigma: DMatrix<f64>,
    model: CovarianceModel,
    rules: &Rules,
) -> Result<DMatrix<f64>> {
    let (Some(floor), Some(yardstick)) = (rules.floor, yardstick(model, rules)) else {
        return Ok(sigma);
    };
    let d = sigma.nrows();
    if stands_above(&sigma, Some(yardstick), floor, &mut DMatrix::zeros(d, d)) {
        return Ok(sigma);
    }
    if model.is_diagonal() {
        let raised = |j: usize| sigma[(j, j)].max(yardstick.entry(j, j) * floor);
        return Ok(DMatrix::from_diagonal(&DVector::from_fn(d, |j, _| {
            raised(j)
        })));
    }
    let lower = cholesky(&yardstick.matrix(d))?;
    let (values, vectors) = symmetric_eigen(&whiten(&sigma, &lower))?;
    let raised = values.map(|value| value.max(floor));
    Ok(from_spectrum(&(lower * vectors), raised.as_slice()))
}

/// Σ_total in the metric of the model; `None` when it is unknown or has no variance to compare with.
fn yardstick(model: CovarianceModel, rules: &Rules) -> Option<Metric<'_>> {
    rules.spread.as_ref()?.metric(model)
}

/// Whether Σ − fraction · yardstick is positive definite, which needs no eigenvalues; `room` is d × d.
fn stands_above(
    sigma: &DMatrix<f64>,
    yardstick: Option<Metric>,
    fraction: f64,
    room: &mut DMatrix<f64>,
) -> bool {
    if !sigma.iter().all(|x| x.is_finite()) {
        return false;
    }
    room.copy_from(sigma);
    if let Some(metric) = yardstick {
        for j in 0..sigma.nrows() {
            for i in j..sigma.nrows() {
                room[(i, j)] -= metric.entry(i, j) * fraction;
            }
        }
    }
    factorise(room).is_ok()
}

/// How small the smallest relative variance is, in words.
fn describe(sigma: &DMatrix<f64>, yardstick: Option<Metric>) -> String {
    yardstick
        .and_then(|metric| cholesky(&metric.matrix(sigma.nrows())).ok())
        .and_then(|lower| symmetric_eigen(&whiten(sigma, &lower)).ok())
        .and_then(|(values, _)| values.iter().copied().last())
        .map_or_else(String::new, |smallest| {
            format!(
                " (in one direction it holds {:.1e} of the variance of the data)",
                smallest.max(0.0)
            )
        })
}
