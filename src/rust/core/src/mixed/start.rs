//! Where the minimisation starts: variances from the method of moments.
//!
//! With r the least-squares residuals, z_k the columns of one effect and variances τ² for all effects as if they
//! were not correlated, E|z_kᵀWr|² is nearly Σ_c τ_c² |z_kᵀWz_c|² + σ² |z_k|²_W, and E rᵀWr nearly
//! σ² (n - p) + Σ_c τ_c² |z_c|²_W: linear equations in the blocks that the statistics hold anyway (MINQUE with a
//! prior of no effects; Rao 1972, JASA 67, 112-115). Two Newton steps are saved.

use nalgebra::{DMatrix, DVector};

use super::criterion::Problem;
use super::scale::Scales;

/// Relative standard deviations are kept in this range, in units of where the data begin to see them.
const RANGE: (f64, f64) = (0.5, 1e3);

/// The residual variance is at least this part of that without random effects.
const LEAST_RESIDUAL: f64 = 0.02;

/// Diagonals of Λ from moments, zeros below them; `None` where the equations cannot be solved or something else is
/// to be estimated.
pub(crate) fn moments(problem: &Problem, scales: &Scales) -> Option<Vec<f64>> {
    let statistics = problem.statistics;
    if statistics.group_rows().len() > 1 || !problem.known.deviations.is_empty() {
        return None;
    }
    let response = &statistics.response.products[0];
    let places = places(statistics.widths());
    let k = places.len();
    let mut system = DMatrix::zeros(k + 1, k + 1);
    let mut right = DVector::zeros(k + 1);
    overlaps(problem, &places, &mut system);
    let freedom = statistics.rows() - statistics.fixed_columns();
    system[(k, k)] = freedom as f64;
    right[k] = response.square;
    for (i, &(term, row)) in places.iter().enumerate() {
        let levels = statistics.levels()[term] as f64;
        let square = scales.of_row(term, row).powi(2) * levels;
        system[(i, k)] = square;
        system[(k, i)] = square;
        let width = statistics.widths()[term];
        let sums = response.effects[term].iter().skip(row).step_by(width);
        right[i] = sums.map(|sum| sum * sum).sum();
    }
    // Equations and variances in units of the effects.
    let units = DVector::from_fn(k + 1, |i, _| {
        places
            .get(i)
            .map_or(1.0, |&(term, row)| scales.of_row(term, row).powi(-2))
    });
    for j in 0..=k {
        for i in 0..=k {
            system[(i, j)] *= units[i] * units[j];
        }
        right[j] *= units[j];
    }
    let variances = system.lu().solve(&right)?;
    let least = LEAST_RESIDUAL * response.square / freedom.max(1) as f64;
    let residual = match problem.known.sigma {
        Some(sigma) => sigma * sigma,
        None => variances[k].max(least),
    };
    let mut theta = vec![0.0; problem.structure.parameters()];
    for (value, entry) in theta.iter_mut().zip(&problem.structure.entries) {
        if entry.row == entry.column {
            let i = places
                .iter()
                .position(|&place| place == (entry.term, entry.row))?;
            let ratio = (variances[i] / residual).max(0.0).sqrt();
            *value = ratio.clamp(RANGE.0, RANGE.1) / scales.of_row(entry.term, entry.row);
        }
    }
    theta.iter().all(|value| value.is_finite()).then_some(theta)
}

/// Every effect: core term and row.
fn places(widths: &[usize]) -> Vec<(usize, usize)> {
    let terms = widths.iter().enumerate();
    terms
        .flat_map(|(term, &q)| (0..q).map(move |row| (term, row)))
        .collect()
}

/// |z_kᵀWz_c|² of all pairs of effects.
fn overlaps(problem: &Problem, places: &[(usize, usize)], system: &mut DMatrix<f64>) {
    let statistics = problem.statistics;
    let products = &statistics.design.products[0];
    let first = |term: usize| places.iter().position(|place| place.0 == term).unwrap_or(0);
    for (term, blocks) in products.diagonal.iter().enumerate() {
        let (q, at) = (statistics.widths()[term], first(term));
        for block in blocks.chunks_exact(q * q) {
            for (e, value) in block.iter().enumerate() {
                system[(at + e % q, at + e / q)] += value * value;
            }
        }
    }
    for (pairs, values) in statistics.pairs().iter().zip(&products.pairs) {
        let (q, r) = (
            statistics.widths()[pairs.first],
            statistics.widths()[pairs.second],
        );
        let (at, to) = (first(pairs.first), first(pairs.second));
        for block in values.chunks_exact(q * r) {
            for (e, value) in block.iter().enumerate() {
                system[(at + e % q, to + e / q)] += value * value;
            }
        }
        for i in 0..q {
            for j in 0..r {
                system[(to + j, at + i)] = system[(at + i, to + j)];
            }
        }
    }
}
