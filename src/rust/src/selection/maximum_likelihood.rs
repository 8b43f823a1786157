//! Fits by maximum likelihood.

use ember_core::selection::fit::{self, Plan};
use ember_core::selection::Layout;
use extendr_api::prelude::*;

use super::read::{self, integration, RowsList};
use super::write;
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::monitor::Monitor;

/// Fits a sample selection model; see `native_mssm_fit()`.
/// @noRd
#[extendr]
fn mssm_fit(rows: List, start: Robj, search: bool, control: List) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let start = read::start(&start, &layout)?;
    let how = integration(&control, data.equations)?;
    let plan = Plan {
        start: start.as_ref(),
        search,
        how: &how,
        settings: &settings(&control)?,
        threads: Fields::of(&control).count("threads")?,
    };
    let fitted = fit::fit(&data, &layout, &plan, &mut |progress| {
        monitor.flow(progress)
    })?;
    Ok(write::fit(&layout, &how, &fitted))
}

extendr_module! {
    mod maximum_likelihood;
    fn mssm_fit;
}
