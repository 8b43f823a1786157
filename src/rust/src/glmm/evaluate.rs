//! The criterion at given points, and the densities of rows.

use ember_core::glmm::fit::criterion;
use ember_core::glmm::problem::Parameters;
use ember_core::nalgebra::DMatrix;
use ember_core::Error;
use extendr_api::prelude::*;

use super::read::{family, Model};
use crate::convert::Result;
use crate::mixed::write::matrix;

/// The criterion and its gradient at the columns of `points`; see `native_glmm_criterion()`.
/// @noRd
#[extendr]
fn glmm_criterion(
    rows: List,
    family: List,
    structure: List,
    n_agq: i32,
    points: Robj,
) -> Result<List> {
    let model = Model::read(&rows, &family, &structure, n_agq)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let mut criterion = criterion(&problem, model.n_agq, 1)?;
    let (thetas, p) = (problem.structure.parameters(), problem.fixed_columns());
    let size = problem.coordinates();
    let points = points.as_real_slice().unwrap_or_default();
    if points.is_empty() || !points.len().is_multiple_of(size) {
        return Err(wrong("points", "must have a row for each parameter").into());
    }
    let count = points.len() / size;
    let mut values = Vec::with_capacity(count);
    let mut gradients = DMatrix::zeros(size, count);
    for (k, point) in points.chunks_exact(size).enumerate() {
        let parameters = Parameters {
            theta: point[..thetas].to_vec(),
            beta: point[thetas..thetas + p].to_vec(),
            shape: point.get(thetas + p).copied(),
        };
        let mut by_psi = vec![0.0; size];
        values.push(criterion.gradient(&problem.locate(&parameters), &mut by_psi)?);
        // By β and by the shape itself.
        let by_beta = problem.basis().matrix().transpose().lu();
        let rotated = DMatrix::from_column_slice(p, 1, &by_psi[thetas..thetas + p]);
        let by_beta = by_beta.solve(&rotated).unwrap_or(rotated);
        by_psi[thetas..thetas + p].copy_from_slice(by_beta.as_slice());
        if let Some(shape) = parameters.shape {
            by_psi[thetas + p] /= shape;
        }
        gradients.column_mut(k).copy_from_slice(&by_psi);
    }
    Ok(list!(criterion = values, gradient = matrix(&gradients)))
}

/// Score and weights of rows at linear predictors; see `native_glmm_working()`.
/// @noRd
#[extendr]
fn glmm_working(y: &[f64], weights: Robj, eta: &[f64], family: List) -> Result<List> {
    let known = self::family(&family)?;
    let log_shape = known.shape.map_or(0.0, f64::ln);
    let weights = weights.as_real_slice();
    let n = y.len();
    if eta.len() != n || weights.is_some_and(|weights| weights.len() != n) {
        return Err(wrong("eta", "must have a value for each row").into());
    }
    let (mut score, mut observed, mut expected) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        let weight = weights.map_or(1.0, |weights| weights[i]);
        let terms = known.family.derivatives(y[i], weight, eta[i], log_shape);
        score[i] = terms.score;
        observed[i] = terms.weight;
        expected[i] = known.family.expected_weight(weight, eta[i], log_shape);
    }
    Ok(list!(
        score = score,
        observed = observed,
        expected = expected
    ))
}

fn wrong(argument: &'static str, message: &str) -> Error {
    Error::Argument {
        argument,
        message: message.into(),
    }
}

extendr_module! {
    mod evaluate;
    fn glmm_criterion;
    fn glmm_working;
}
