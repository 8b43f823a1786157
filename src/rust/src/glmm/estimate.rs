//! Fits.

use ember_core::glmm::fit::{self, Plan};
use extendr_api::prelude::*;

use super::read::{given, Model};
use super::write;
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::monitor::Monitor;

/// Fits a generalised linear mixed model; see `native_glmm_fit()`.
/// @noRd
#[extendr]
fn glmm_fit(
    rows: List,
    family: List,
    structure: List,
    n_agq: i32,
    start: Robj,
    control: List,
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let model = Model::read(&rows, &family, &structure, n_agq)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let plan = Plan {
        n_agq: model.n_agq,
        start: &given(&start)?,
        settings: &settings(&control)?,
        threads: Fields::of(&control).count("threads")?,
    };
    let fitted = fit::fit(&problem, &plan, &mut |progress| monitor.flow(progress))?;
    Ok(write::fit(&problem, &fitted))
}

extendr_module! {
    mod estimate;
    fn glmm_fit;
}
