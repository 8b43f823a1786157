//! Fits.

use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::fit::{self, Method};
use ember_core::Error;
use extendr_api::prelude::*;

use super::read::{known, structure, RowsList};
use super::write;
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::monitor::Monitor;

/// Fits a linear mixed model; see `native_mixed_fit()`.
/// @noRd
#[extendr]
fn mixed_fit(
    rows: List,
    structure: List,
    known: Robj,
    reml: bool,
    method: &str,
    start: Robj,
    control: List,
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let settings = settings(&control)?;
    let threads = Fields::of(&control).count("threads")?;
    let method = Method::from_name(method).ok_or_else(|| Error::Argument {
        argument: "method",
        message: r#"must be "profile", "em" or "px-em""#.into(),
    })?;
    let structure = self::structure(&structure)?;
    let rows = RowsList::read(&rows)?;
    let statistics = cross_products(&rows.rows()?, threads)?;
    let problem = Problem::new(&statistics, &structure, reml, self::known(&known)?)?;
    let start = start.as_real_vector();
    let fitted = fit::fit(
        &problem,
        method,
        start.as_deref(),
        &settings,
        &mut |progress| monitor.flow(progress),
    )?;
    Ok(write::fit(&problem, &fitted))
}

extendr_module! {
    mod fit;
    fn mixed_fit;
}
