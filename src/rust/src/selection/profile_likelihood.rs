//! Profiles, and fits under a constraint.

use ember_core::nalgebra::DMatrix;
use ember_core::selection::constrained::without_selection;
use ember_core::selection::fit::Plan;
use ember_core::selection::profile::{profile, Parameter};
use ember_core::selection::Layout;
use ember_core::Error;
use extendr_api::prelude::*;

use super::read::{self, integration, parameters, RowsList};
use super::write;
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::mixed::write::matrix;
use crate::monitor::Monitor;

/// Profiles an error parameter; see `native_mssm_profile()`.
/// @noRd
#[extendr]
fn mssm_profile(rows: List, at: List, which: i32, values: &[f64], control: List) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let plan = Plan {
        start: Some(&parameters(&at, &layout)?),
        search: false,
        how: &integration(&control, data.equations)?,
        settings: &settings(&control)?,
        threads: Fields::of(&control).count("threads")?,
    };
    let place = usize::try_from(which - 1).unwrap_or(usize::MAX);
    let parameter = Parameter::at(&layout, place)?;
    let points = profile(&data, &layout, parameter, values, &plan, &mut |progress| {
        monitor.flow(progress)
    })?;
    let naturals = points
        .iter()
        .map(|point| layout.naturals(&point.parameters));
    let naturals: Vec<f64> = naturals.flatten().collect();
    let naturals = DMatrix::from_row_slice(points.len(), layout.len(), &naturals);
    Ok(list!(
        values = values,
        loglik = points
            .iter()
            .map(|point| point.log_likelihood)
            .collect::<Vec<f64>>(),
        naturals = matrix(&naturals)
    ))
}

/// Fits under a constraint; see `native_mssm_constrained()`.
/// @noRd
#[extendr]
fn mssm_constrained(rows: List, constraint: &str, start: Robj, control: List) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    if constraint != "no_selection" {
        return Err(Error::Argument {
            argument: "constraint",
            message: "must be \"no_selection\"".into(),
        }
        .into());
    }
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let start = read::start(&start, &layout)?;
    let how = integration(&control, data.equations)?;
    let plan = Plan {
        start: start.as_ref(),
        search: false,
        how: &how,
        settings: &settings(&control)?,
        threads: Fields::of(&control).count("threads")?,
    };
    let fitted = without_selection(&data, &layout, &plan, &mut |progress| {
        monitor.flow(progress)
    })?;
    Ok(write::fit(&layout, &how, &fitted))
}

extendr_module! {
    mod profile_likelihood;
    fn mssm_profile;
    fn mssm_constrained;
}
