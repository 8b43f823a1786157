//! Predictions, their averages, and the outcomes that were not observed.

use ember_core::nalgebra::DMatrix;
use ember_core::selection::imputation::impute;
use ember_core::selection::missing_outcomes::moments;
use ember_core::selection::model::Model;
use ember_core::selection::prediction::{Quantity, Target};
use ember_core::selection::{Design, Layout, Parameters};
use ember_core::{Error, Result as CoreResult};
use extendr_api::prelude::*;

use super::read::{self, integration, RowsList};
use crate::convert::Result;
use crate::fields::{two_integers, Fields};
use crate::mixed::write::matrix;

/// Predictions and their standard errors; see `native_mssm_predict()`.
/// @noRd
#[extendr]
fn mssm_predict(
    designs: List,
    parameters: List,
    targets: List,
    vcov: Robj,
    control: List,
) -> Result<List> {
    let targets = self::targets(&targets)?;
    let covariance = vcov.as_real_vector().map(|values| {
        let size = values.len().isqrt();
        DMatrix::from_iterator(size, size, values.into_iter().take(size * size))
    });
    let predicted = with_model(&designs, &parameters, &control, |model| {
        model.predict(&targets, covariance.as_ref())
    })?;
    let errors: Robj = match covariance {
        Some(_) => table(&predicted.errors).into(),
        None => ().into(),
    };
    Ok(list!(values = table(&predicted.values), errors = errors))
}

/// Means of predictions and their gradients; see `native_mssm_average()`.
/// @noRd
#[extendr]
fn mssm_average(
    designs: List,
    parameters: List,
    targets: List,
    weights: Robj,
    control: List,
) -> Result<List> {
    let targets = self::targets(&targets)?;
    let average = with_model(&designs, &parameters, &control, |model| {
        model.average(&targets, weights.as_real_slice())
    })?;
    Ok(list!(
        means = average.means.as_slice(),
        gradient = matrix(&average.gradient)
    ))
}

/// Moments of the outcomes given what was observed; see `native_mssm_missing_moments()`.
/// @noRd
#[extendr]
fn mssm_missing_moments(rows: List, parameters: List, control: List) -> Result<List> {
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let moments = moments(
        &data,
        &layout,
        &read::parameters(&parameters, &layout)?,
        &integration(&control, data.equations)?,
        Fields::of(&control).count("threads")?,
    )?;
    let equations = data.equations;
    Ok(list!(
        expectation = columns(&moments.expectations, equations),
        covariance = columns(&moments.covariances, equations * equations)
    ))
}

/// Draws of the missing outcomes; see `native_mssm_impute()`.
/// @noRd
#[extendr]
fn mssm_impute(
    rows: List,
    parameters: List,
    m: i32,
    seed: Robj,
    control: List,
) -> Result<RMatrix<f64>> {
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let count = m.max(0) as usize;
    let drawn = impute(
        &data,
        &layout,
        &read::parameters(&parameters, &layout)?,
        &integration(&control, data.equations)?,
        count,
        two_integers(&seed)?,
        Fields::of(&control).count("threads")?,
    )?;
    Ok(columns(&drawn.0, count * data.equations))
}

/// Calls `take` with the model of R's designs and parameters.
fn with_model<T>(
    designs: &List,
    parameters: &List,
    control: &List,
    take: impl FnOnce(&Model) -> CoreResult<T>,
) -> CoreResult<T> {
    let parameters = self::parameters(parameters)?;
    let vectors: Vec<Robj> = designs.values().collect();
    let designs = vectors.iter().map(|design| {
        let columns = design.as_real_slice();
        columns
            .map(|columns| Design {
                columns,
                width: design.ncols(),
            })
            .ok_or_else(|| wrong("designs", "must be double matrices"))
    });
    let designs: Vec<Design> = designs.collect::<CoreResult<_>>()?;
    take(&Model {
        rows: vectors.first().map_or(0, |design| design.nrows()),
        designs: &designs,
        coefficients: &parameters.coefficients,
        omega: &parameters.omega,
        integration: &integration(control, designs.len() / 2)?,
        threads: Fields::of(control).count("threads")?,
    })
}

/// `list(coefficients, omega)` of designs without aliased columns.
fn parameters(list: &List) -> CoreResult<Parameters> {
    let fields = Fields::of(list);
    let vectors = fields.value("coefficients").and_then(|list| list.as_list());
    let vectors = vectors.ok_or_else(|| wrong("object", "has no coefficients"))?;
    let coefficients = vectors
        .values()
        .map(|vector| vector.as_real_vector().unwrap_or_default());
    let coefficients: Vec<Vec<f64>> = coefficients.collect();
    let (size, omega) = (coefficients.len(), fields.reals("omega")?);
    let omega = omega.filter(|omega| omega.len() == size * size);
    let omega = omega.ok_or_else(|| wrong("object", "has no covariance matrix of its errors"))?;
    Ok(Parameters {
        coefficients,
        omega: DMatrix::from_vec(size, size, omega),
    })
}

/// `list(quantity, equation, pattern (targets × J))`.
fn targets(list: &List) -> CoreResult<Vec<Target>> {
    let fields = Fields::of(list);
    let malformed = || wrong("targets", "is malformed");
    let names = fields
        .value("quantity")
        .and_then(|names| names.as_str_vector());
    let names = names.ok_or_else(malformed)?;
    let equations = fields.reals("equation")?.ok_or_else(malformed)?;
    let known = fields
        .value("pattern")
        .and_then(|known| known.as_integer_slice());
    let known = known.ok_or_else(malformed)?;
    let count = names.len();
    if count == 0 || equations.len() != count || !known.len().is_multiple_of(count) {
        return Err(malformed());
    }
    let size = known.len() / count;
    let target = |t: usize| {
        let equation = equations[t].max(1.0) as usize - 1;
        let quantity = match names[t] {
            "outcome" => Quantity::Predictor(equation),
            "selection" => Quantity::Predictor(size + equation),
            "probability" => Quantity::Probability,
            "expectation" => Quantity::Expectation(equation),
            "mills" => Quantity::Mills(equation),
            _ => return Err(malformed()),
        };
        let of_equation = |j: usize| match known[j * count + t] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        Ok(Target {
            quantity,
            pattern: (0..size).map(of_equation).collect(),
        })
    };
    (0..count).map(target).collect()
}

/// Values row by row, as a matrix in R's memory.
fn columns(values: &[f64], width: usize) -> RMatrix<f64> {
    let n = values.len().checked_div(width).unwrap_or(0);
    RMatrix::new_matrix(n, width, |i, j| values[i * width + j])
}

/// Columns, as a matrix in R's memory.
fn table(columns: &[Vec<f64>]) -> RMatrix<f64> {
    let n = columns.first().map_or(0, Vec::len);
    RMatrix::new_matrix(n, columns.len(), |i, j| columns[j][i])
}

fn wrong(argument: &'static str, message: &str) -> Error {
    Error::Argument {
        argument,
        message: message.into(),
    }
}

extendr_module! {
    mod conditional;
    fn mssm_predict;
    fn mssm_average;
    fn mssm_missing_moments;
    fn mssm_impute;
}
