//! Heckman's two-step estimates.

use ember_core::nalgebra::DMatrix;
use ember_core::selection::start::start;
use ember_core::selection::two_step::{two_steps, TwoStep};
use ember_core::selection::Layout;
use extendr_api::prelude::*;

use super::read::RowsList;
use super::write;
use crate::convert::Result;
use crate::fields::Fields;
use crate::mixed::write::matrix;

/// Heckman's two-step estimates of every equation; see `native_mssm_two_step()`.
/// @noRd
#[extendr]
fn mssm_two_step(rows: List, control: List) -> Result<List> {
    let threads = Fields::of(&control).count("threads")?;
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let steps = two_steps(&data, &layout, threads)?;
    let parameters = start(&data, &layout, &steps, threads)?;
    let equations = steps.iter().enumerate().map(|(j, step)| {
        let columns = |component: usize, kept: &[f64]| numbers(layout.all_columns(component, kept));
        let outcome = columns(j, step.outcome.as_slice());
        let selection = columns(data.equations + j, step.selection.as_slice());
        equation(step, outcome, selection)
    });
    Ok(list!(
        coefficients = write::coefficients(&layout, &parameters),
        omega = matrix(&estimated(&parameters.omega, &steps)),
        aliased = write::aliased(&layout),
        equations = List::from_values(equations)
    ))
}

/// Ω with the correlations within equations as they were estimated, between -1 and 1 or not; those across equations are
/// those of the starting values.
fn estimated(start: &DMatrix<f64>, steps: &[TwoStep]) -> DMatrix<f64> {
    let mut omega = start.clone();
    for (j, step) in steps.iter().enumerate() {
        let covariance = step.inverse_mills.unwrap_or(f64::NAN);
        omega[(j, steps.len() + j)] = covariance;
        omega[(steps.len() + j, j)] = covariance;
    }
    omega
}

fn equation(step: &TwoStep, outcome: Robj, selection: Robj) -> List {
    list!(
        outcome = outcome,
        selection = selection,
        inverse_mills = number(step.inverse_mills),
        sigma = step.sigma,
        rho = number(step.rho),
        vcov_outcome = matrix(&step.outcome_covariance),
        vcov_selection = matrix(&step.selection_covariance),
        probit_loglik = step.probit_log_likelihood,
        collinearity = step.collinearity
    )
}

/// NA where there is no number.
fn number(value: Option<f64>) -> Rfloat {
    value.map_or_else(Rfloat::na, Rfloat::from)
}

/// Doubles with NA for NaN.
fn numbers(values: Vec<f64>) -> Robj {
    let known = |value: f64| (!value.is_nan()).then_some(value);
    Doubles::from_values(values.into_iter().map(|value| number(known(value)))).into()
}

extendr_module! {
    mod two_step;
    fn mssm_two_step;
}
