//! The likelihood at given parameters: scores, information, log-likelihoods of rows.

use ember_core::em::Flow;
use ember_core::nalgebra::DMatrix;
use ember_core::normal::orthant::Integration;
use ember_core::selection::information::{information, Passes};
use ember_core::selection::score::{log_likelihoods, row_scores};
use ember_core::selection::{Data, Layout, Parameters};
use extendr_api::prelude::*;

use super::read::{integration, parameters, RowsList};
use crate::convert::Result;
use crate::fields::Fields;
use crate::mixed::write::matrix;
use crate::monitor::Monitor;

/// What a likelihood is evaluated on.
struct Place<'a> {
    data: &'a Data<'a>,
    layout: &'a Layout,
    at: &'a Parameters,
    how: Integration,
    threads: usize,
}

/// Calls `work` with the place that R's lists describe.
fn at_place<T>(
    rows: &List,
    at: &List,
    control: &List,
    work: impl FnOnce(&Place) -> ember_core::Result<T>,
) -> Result<T> {
    let rows = RowsList::read(rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let place = Place {
        at: &parameters(at, &layout)?,
        how: integration(control, data.equations)?,
        threads: Fields::of(control).count("threads")?,
        data: &data,
        layout: &layout,
    };
    Ok(work(&place)?)
}

/// Scores of rows; see `native_mssm_scores()`.
/// @noRd
#[extendr]
fn mssm_scores(rows: List, at: List, control: List) -> Result<RMatrix<f64>> {
    at_place(&rows, &at, &control, |place| {
        let Place {
            data, layout, at, ..
        } = place;
        let scores = row_scores(data, layout, at, &place.how, place.threads)?;
        Ok(matrix(&DMatrix::from_vec(data.n, layout.len(), scores)))
    })
}

/// The observed information; see `native_mssm_information()`.
/// @noRd
#[extendr]
fn mssm_information(rows: List, at: List, control: List) -> Result<RMatrix<f64>> {
    let monitor = Monitor::new(&control);
    at_place(&rows, &at, &control, |place| {
        let passes = Passes {
            how: place.how,
            threads: place.threads,
        };
        let mut go_on = || match monitor.interrupted() {
            true => Flow::Stop,
            false => Flow::Continue,
        };
        let information = information(place.data, place.layout, place.at, &passes, &mut go_on)?;
        Ok(matrix(&information))
    })
}

/// Log-likelihoods of rows; see `native_mssm_log_likelihood()`.
/// @noRd
#[extendr]
fn mssm_log_likelihood(rows: List, at: List, control: List) -> Result<Vec<f64>> {
    at_place(&rows, &at, &control, |place| {
        log_likelihoods(
            place.data,
            place.layout,
            place.at,
            &place.how,
            place.threads,
        )
    })
}

extendr_module! {
    mod likelihood;
    fn mssm_scores;
    fn mssm_information;
    fn mssm_log_likelihood;
}
