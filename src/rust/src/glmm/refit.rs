//! Fits to many responses.

use ember_core::em::Flow;
use ember_core::glmm::fit::Plan;
use ember_core::glmm::refit::{refit, Refit};
use ember_core::nalgebra::DMatrix;
use extendr_api::prelude::*;

use super::read::{given, Model};
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::mixed::write::matrix;
use crate::monitor::Monitor;

/// Fits to responses, one behind the other; see `native_glmm_refit()`.
/// @noRd
#[extendr]
fn glmm_refit(model: List, responses: Vec<f64>, start: Robj, control: List) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let model = Model::of(&model)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let plan = Plan {
        n_agq: model.n_agq,
        start: &given(&start)?,
        settings: &settings(&control)?,
        threads: Fields::of(&control).count("threads")?,
    };
    let total = (responses.len() / rows.len().max(1)) as i32;
    let done = refit(&problem, &responses, &plan, &mut |done| {
        monitor.poll(|| pairlist!(done as i32, total)) == Flow::Continue
    })?;
    let criterion: Vec<f64> = done.iter().map(|one| one.criterion).collect();
    let status: Vec<&str> = done.iter().map(|one| one.status.name()).collect();
    let shape: Vec<f64> = done.iter().filter_map(|one| one.parameters.shape).collect();
    Ok(list!(
        theta = table(&done, |one| &one.parameters.theta),
        beta = table(&done, |one| &one.parameters.beta),
        shape = shape,
        criterion = criterion,
        status = status
    ))
}

/// One row per response.
fn table(done: &[Refit], values: fn(&Refit) -> &Vec<f64>) -> RMatrix<f64> {
    let columns = done.first().map_or(0, |one| values(one).len());
    let all = done.iter().flat_map(|one| values(one).iter().copied());
    matrix(&DMatrix::from_row_iterator(done.len(), columns, all))
}

extendr_module! {
    mod refit;
    fn glmm_refit;
}
