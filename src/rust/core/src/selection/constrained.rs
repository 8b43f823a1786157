//! Maximum likelihood with outcomes and selections uncorrelated: no selection on what is hidden.
//!
//! The outcomes are then seemingly unrelated regressions with values missing at random, and the selections a
//! multivariate probit.

use super::ascent::{climb, Likelihood};
use super::coordinates::Coordinates;
use super::data::Data;
use super::equation::Equation;
use super::fit::{finish, Fit, Plan};
use super::layout::{Layout, Parameters};
use super::probit::probit;
use super::search::rough;
use super::starts::{correlated, independent};
use super::two_step;
use super::verdict::settle;
use crate::em::{Flow, Progress};
use crate::error::Result;

/// Fits without selection on the hidden; the correlations that are 0 have no variance.
///
/// # Errors
/// As [`fit`](super::fit::fit()).
pub fn without_selection(
    data: &Data,
    layout: &Layout,
    plan: &Plan,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Fit> {
    plan.settings.validate()?;
    let likelihood = Likelihood::of(data, layout, plan);
    let coordinates = Coordinates::without_selection(layout);
    let start = match plan.start {
        Some(start) => uncorrelated(layout, start),
        None => univariate(likelihood)?,
    };
    let rough = rough(plan.settings);
    let mut reached = climb(likelihood, &coordinates, &start, None, &rough, monitor)?;
    let facts = settle(likelihood, &coordinates, &mut reached, monitor)?;
    finish(likelihood, reached, facts)
}

/// Regressions and probits, and the correlations of their residuals.
fn univariate(likelihood: Likelihood) -> Result<Parameters> {
    let Likelihood {
        data,
        layout,
        threads,
        ..
    } = likelihood;
    let mut estimates = Vec::with_capacity(data.equations);
    for equation in 0..data.equations {
        let columns = two_step::Equation::of(data, layout, equation);
        let probit = probit(&columns.selection, &columns.selected, threads)?;
        let rows = Equation::of(data, layout, equation);
        estimates.push(rows.estimates(&rows.uncorrelated(&probit.coefficients)?));
    }
    let start = independent(layout, &estimates.iter().collect::<Vec<_>>());
    Ok(uncorrelated(layout, &correlated(likelihood, &start)))
}

/// `parameters` without the correlations of outcomes and selections.
fn uncorrelated(layout: &Layout, parameters: &Parameters) -> Parameters {
    let mut without = parameters.clone();
    let j = layout.equations;
    for (a, b) in layout.pairs().filter(|&(a, b)| a < j && b >= j) {
        without.omega[(a, b)] = 0.0;
        without.omega[(b, a)] = 0.0;
    }
    without
}
