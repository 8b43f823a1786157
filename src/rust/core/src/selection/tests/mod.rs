//! The exact path against formulas that are written independently, and against itself.

mod em;
mod fit;
mod information;
mod invariance;
mod likelihood;
mod monte_carlo;
mod predictions;
mod profile;

use nalgebra::DMatrix;

use super::coordinates::Coordinates;
use super::data::Data;
use super::examples::Example;
use super::layout::{Layout, Parameters};
use crate::normal::orthant::Integration;

pub(super) const EXACT: Integration = Integration::Exact;

/// Parameters a little off those that the rows were drawn with.
pub(super) fn nearby(layout: &Layout, parameters: &Parameters) -> Parameters {
    let coordinates = Coordinates::new(layout);
    let mut w = coordinates.locate(parameters).unwrap();
    for (k, w) in w.iter_mut().enumerate() {
        *w += 0.1 * (1.7 * k as f64).sin();
    }
    coordinates.parameters(&w).unwrap()
}

/// The linear predictor of one row, from the definition.
pub(super) fn predictor(data: &Data, at: &Parameters, component: usize, row: usize) -> f64 {
    let slopes = at.coefficients[component].iter().enumerate();
    slopes
        .map(|(k, b)| b * data.column(component, k, row..row + 1)[0])
        .sum()
}

/// Central differences of a vector function, one column for each coordinate.
pub(super) fn differences(
    at: &[f64],
    step: f64,
    mut function: impl FnMut(&[f64]) -> Vec<f64>,
) -> DMatrix<f64> {
    let columns: Vec<Vec<f64>> = (0..at.len())
        .map(|k| {
            let mut side = |sign: f64| {
                let mut moved = at.to_vec();
                moved[k] += sign * step;
                function(&moved)
            };
            let (above, below) = (side(1.0), side(-1.0));
            let slopes = above.iter().zip(&below);
            slopes.map(|(a, b)| (a - b) / (2.0 * step)).collect()
        })
        .collect();
    DMatrix::from_fn(columns[0].len(), at.len(), |i, k| columns[k][i])
}

/// An example with weights that are not all 1.
pub(super) fn weighted(mut example: Example) -> Example {
    let weights = (0..example.n).map(|i| 0.5 + (i % 4) as f64);
    example.weights = Some(weights.collect());
    example
}
