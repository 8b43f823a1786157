//! What the gradient and the Hessian at the end say: whether it is a minimum, and what is singular.
//!
//! A minimum is where the decrease that the quadratic still promises, gᵀH⁻¹g/2, is within the tolerance and H
//! has no negative eigenvalue. Both are free of the units of θ, so there are no false alarms from a large
//! gradient of a large data set. θ at the boundary (a column of Λ that is zero) is judged by the derivative for
//! its variance instead, which must not be negative (see [`super::boundary`]).

use nalgebra::{DMatrix, DVector};

use super::average_information::hessian_at_minimum;
use super::criterion::Problem;
use super::factor::Factor;
use super::scale::Scales;
use crate::em::Status;
use crate::error::Result;
use crate::linalg;

/// Where a Hessian comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HessianSource {
    /// Central differences of the analytic gradient.
    Differences,
    /// Average information and the exact curvature of ΛΛᵀ, as in the optimizer's steps.
    AverageInformation,
}

impl HessianSource {
    /// The words that R shows.
    pub fn name(self) -> &'static str {
        match self {
            HessianSource::Differences => "differences of the gradient",
            HessianSource::AverageInformation => "average information",
        }
    }
}

/// A singular Λ_t.
#[derive(Debug, Clone, PartialEq)]
pub struct Singular {
    /// Core term, from 0.
    pub term: usize,
    /// Combinations of its effects that do not vary: one column of weights for each.
    pub directions: DMatrix<f64>,
}

/// The facts at the end, in coordinates of the problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// d criterion / d coordinates.
    pub gradient: Vec<f64>,
    /// d² criterion / d coordinates².
    pub hessian: DMatrix<f64>,
    /// Where `hessian` comes from.
    pub source: HessianSource,
    /// Its eigenvalues in units of the coordinates, without those at the boundary; largest first.
    pub eigenvalues: Vec<f64>,
    /// gᵀH⁻¹g/2 without the coordinates at the boundary: how far the criterion may still fall.
    pub distance: f64,
    /// Coordinates in a column of Λ that is zero.
    pub boundary: Vec<bool>,
    /// Terms whose Λ is singular.
    pub singular: Vec<Singular>,
}

/// A singular value of Λ_t below this, in units of where the data begin to see it, is zero.
pub const SINGULAR: f64 = 1e-4;

/// Coordinates times random effects up to which differences of the gradient cost next to nothing.
const CHEAP: usize = 1000;

/// Step of the differences, in units of the coordinates.
const DIFFERENCE: f64 = 1e-4;

/// An eigenvalue more negative than this part of the largest is no rounding.
const NEGATIVE: f64 = 1e-6;

/// The facts at `coordinates`; `factor` is left there.
///
/// # Errors
/// As [`Problem::gradient`].
pub fn verdict(problem: &Problem, factor: &mut Factor, coordinates: &[f64]) -> Result<Verdict> {
    let k = coordinates.len();
    let scales = Scales::of(problem);
    let theta = problem.parameters(coordinates).theta;
    let mut units = vec![1.0; k];
    scales.units(problem, &theta, &mut units);
    let effects = problem
        .statistics
        .widths()
        .iter()
        .zip(problem.statistics.levels());
    let effects: usize = effects.map(|(q, levels)| q * levels).sum();
    let mut gradient = vec![0.0; k];
    problem.gradient(factor, coordinates, &mut gradient)?;
    let average = if k * effects > CHEAP {
        hessian_at_minimum(problem, factor, coordinates)?
    } else {
        None
    };
    let (hessian, source) = match average {
        Some(hessian) => (hessian, HessianSource::AverageInformation),
        None => (
            differences(problem, factor, coordinates, &units)?,
            HessianSource::Differences,
        ),
    };
    problem.criterion(factor, coordinates)?;
    let boundary = boundary(problem, &theta);
    let inside: Vec<usize> = (0..k).filter(|&i| !boundary[i]).collect();
    let scaled = DMatrix::from_fn(inside.len(), inside.len(), |i, j| {
        let (i, j) = (inside[i], inside[j]);
        hessian[(i, j)] * units[i] * units[j]
    });
    let slopes =
        DVector::from_iterator(inside.len(), inside.iter().map(|&i| gradient[i] * units[i]));
    let (eigenvalues, axes) = linalg::symmetric_eigen(&scaled)?;
    Ok(Verdict {
        distance: distance(&eigenvalues, &axes.tr_mul(&slopes)),
        gradient,
        hessian,
        source,
        eigenvalues: eigenvalues.as_slice().to_vec(),
        boundary,
        singular: singular_terms(problem, &scales, &theta),
    })
}

impl Verdict {
    /// What becomes of a run that ended with `status`: an optimizer that claims a minimum must have one.
    pub fn judge(&self, status: Status, tol: f64) -> Status {
        if status != Status::Converged {
            return status;
        }
        let smallest = self.eigenvalues.last().copied().unwrap_or(0.0);
        let largest = self.eigenvalues.first().copied().unwrap_or(0.0).abs();
        if smallest < -NEGATIVE * largest.max(smallest.abs() * NEGATIVE) && smallest < -tol {
            return Status::Saddle {
                message:
                    "the Hessian has a negative eigenvalue, so this is no minimum of the criterion"
                        .into(),
            };
        }
        if self.distance > 100.0 * tol.max(1e-8) {
            return Status::Degenerate {
                component: 0,
                message: format!(
                    "the gradient says that the criterion can still fall by {:.2e}",
                    self.distance
                ),
            };
        }
        status
    }
}

/// gᵀH⁻¹g/2 over the directions in which H is not zero.
fn distance(eigenvalues: &DVector<f64>, slopes: &DVector<f64>) -> f64 {
    let largest = eigenvalues
        .iter()
        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let parts = eigenvalues.iter().zip(slopes);
    let parts = parts
        .filter(|(value, _)| value.abs() > 1e-10 * largest)
        .map(|(value, slope)| slope * slope / value.abs());
    0.5 * parts.fold(0.0, |sum, part| sum + part)
}

/// Central differences of the gradient.
fn differences(
    problem: &Problem,
    factor: &mut Factor,
    coordinates: &[f64],
    units: &[f64],
) -> Result<DMatrix<f64>> {
    let k = coordinates.len();
    let mut hessian = DMatrix::zeros(k, k);
    let mut at = coordinates.to_vec();
    let (mut above, mut below) = (vec![0.0; k], vec![0.0; k]);
    for j in 0..k {
        let step = DIFFERENCE * units[j];
        at[j] = coordinates[j] + step;
        problem.gradient(factor, &at, &mut above)?;
        at[j] = coordinates[j] - step;
        problem.gradient(factor, &at, &mut below)?;
        at[j] = coordinates[j];
        for i in 0..k {
            hessian[(i, j)] = (above[i] - below[i]) / (2.0 * step);
        }
    }
    Ok(linalg::symmetrized(&hessian))
}

/// Which coordinates are in a column of Λ that is zero.
pub(crate) fn boundary(problem: &Problem, theta: &[f64]) -> Vec<bool> {
    let entries = &problem.structure.entries;
    let zero = |k: &usize| {
        let column = (entries[*k].term, entries[*k].column);
        let same = entries.iter().zip(theta);
        same.filter(|(entry, _)| (entry.term, entry.column) == column)
            .all(|(_, &value)| value == 0.0)
    };
    let mut boundary: Vec<bool> = problem.free().iter().map(zero).collect();
    boundary.resize(problem.coordinates(), false);
    boundary
}

/// The terms of which some combination of effects does not vary.
pub(crate) fn singular_terms(problem: &Problem, scales: &Scales, theta: &[f64]) -> Vec<Singular> {
    let terms = 0..problem.structure.widths.len();
    terms
        .filter_map(|term| {
            let mut lambda = problem.structure.lambda(term, theta);
            for (r, mut row) in lambda.row_iter_mut().enumerate() {
                row *= scales.of_row(term, r);
            }
            let (values, axes) = linalg::symmetric_eigen(&(&lambda * lambda.transpose())).ok()?;
            let flat: Vec<usize> = (0..values.len())
                .filter(|&i| values[i] < SINGULAR * SINGULAR)
                .collect();
            if flat.is_empty() {
                return None;
            }
            let mut directions = axes.select_columns(&flat);
            for (r, mut row) in directions.row_iter_mut().enumerate() {
                row *= scales.of_row(term, r);
            }
            for mut column in directions.column_iter_mut() {
                column.normalize_mut();
            }
            Some(Singular { term, directions })
        })
        .collect()
}
