//! Variances of zero: leaving them where they are no minimum.
//!
//! The criterion is even in the columns of Λ, so its gradient is zero wherever a column is, minimum or not. What
//! decides is the derivative S for ΛΛᵀ: with SΛ = 0, a column that is zero is at a minimum if S has no negative
//! eigenvalue, and is else worth switching on along the eigenvector.

use nalgebra::DMatrix;

use super::criterion::Problem;
use super::scale::Scales;
use super::structure::Entry;
use crate::error::Result;
use crate::linalg;

/// Size of the columns that are switched on to measure S, in units of where the data begin to see them.
const PROBE: f64 = 1e-3;

/// A derivative for a variance is negative if the criterion falls by more than this over one unit.
const DOWNHILL: f64 = 1e-6;

/// Sizes tried for a column that is switched on, in the same units.
const JUMPS: [f64; 4] = [1.0, 0.3, 0.1, 0.01];

/// A criterion, with its gradient where there is room for it. The coordinates begin with those of a [`Problem`].
pub(crate) type Surface<'a> = dyn FnMut(&[f64], Option<&mut [f64]>) -> Result<f64> + 'a;

/// A point lower than `coordinates` with a zero column of Λ switched on; `None` if each is at its minimum.
///
/// # Errors
/// Those of the surface.
pub(crate) fn escape(
    problem: &Problem,
    scales: &Scales,
    surface: &mut Surface,
    coordinates: &[f64],
    criterion: f64,
) -> Result<Option<Vec<f64>>> {
    let zero = zero_diagonals(problem, coordinates);
    if zero.is_empty() {
        return Ok(None);
    }
    let mut at = coordinates.to_vec();
    for &(i, Entry { term, row, .. }) in &zero {
        at[i] = PROBE / scales.of_row(term, row);
    }
    let mut gradient = vec![0.0; coordinates.len()];
    surface(&at, Some(&mut gradient))?;
    for term in 0..problem.structure.widths.len() {
        let of_term: Vec<usize> = zero
            .iter()
            .filter(|(_, entry)| entry.term == term)
            .map(|(_, entry)| entry.row)
            .collect();
        let Some((slope, rows)) = descent(problem, scales, term, &of_term, &gradient)? else {
            continue;
        };
        if slope >= -DOWNHILL {
            continue;
        }
        // The column of the first row with weight takes the direction.
        for jump in JUMPS {
            let mut lower = coordinates.to_vec();
            set_column(problem, scales, term, &rows, jump, &mut lower);
            let value = surface(&lower, None)?;
            if value < criterion {
                return Ok(Some(lower));
            }
        }
    }
    Ok(None)
}

/// The coordinates that are diagonals of a column of zeros.
fn zero_diagonals(problem: &Problem, coordinates: &[f64]) -> Vec<(usize, Entry)> {
    let free = problem.free().iter().map(|&k| problem.structure.entries[k]);
    free.enumerate()
        .filter(|&(i, entry)| entry.row == entry.column && coordinates[i] == 0.0)
        .collect()
}

/// The steepest way to switch on columns of a term: its slope, and rows with their weights in units.
#[allow(clippy::type_complexity)]
fn descent(
    problem: &Problem,
    scales: &Scales,
    term: usize,
    rows: &[usize],
    gradient: &[f64],
) -> Result<Option<(f64, Vec<(usize, f64)>)>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let mut score = DMatrix::zeros(rows.len(), rows.len());
    for (i, &k) in problem.free().iter().enumerate() {
        let entry = problem.structure.entries[k];
        let place = |row: usize| rows.iter().position(|&r| r == row);
        if let (true, Some(r), Some(c)) =
            (entry.term == term, place(entry.row), place(entry.column))
        {
            // The gradient is 2 SΛ, and Λ's columns are the probes alone.
            score[(r, c)] = gradient[i] / (2.0 * PROBE * scales.of_row(term, entry.row));
            score[(c, r)] = score[(r, c)];
        }
    }
    let (values, axes) = linalg::symmetric_eigen(&score)?;
    let last = rows.len() - 1;
    let weights = rows
        .iter()
        .enumerate()
        .map(|(i, &row)| (row, axes[(i, last)]));
    Ok(Some((values[last], weights.collect())))
}

/// Switches on the column of the first row with weight.
fn set_column(
    problem: &Problem,
    scales: &Scales,
    term: usize,
    rows: &[(usize, f64)],
    size: f64,
    coordinates: &mut [f64],
) {
    let Some(&(first, _)) = rows.iter().find(|(_, weight)| weight.abs() > 1e-8) else {
        return;
    };
    for (coordinate, &k) in coordinates.iter_mut().zip(problem.free()) {
        let entry = problem.structure.entries[k];
        let weight = rows.iter().find(|(row, _)| *row == entry.row);
        if let (true, true, Some((row, weight))) =
            (entry.term == term, entry.column == first, weight)
        {
            *coordinate = size * weight / scales.of_row(term, *row);
        }
    }
}
