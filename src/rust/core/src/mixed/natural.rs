//! The natural parameters of a full point, as users read them, and how far they may be off.

use nalgebra::DMatrix;

use super::criterion::Problem;
use super::scale::Scales;
use super::slice::{Explicit, Slice};
use super::structure::Structure;

/// Standard deviations and correlations at the places of θ in `structure`, from `theta` in another order.
pub(crate) fn deviations(
    structure: &Structure,
    ordered: &Structure,
    theta: &[f64],
    sigma: f64,
) -> Vec<f64> {
    let relatives: Vec<DMatrix<f64>> = (0..structure.widths.len())
        .map(|term| {
            let lambda = ordered.lambda(term, theta);
            &lambda * lambda.transpose()
        })
        .collect();
    let entries = structure.entries.iter();
    entries
        .map(|entry| {
            let relative = &relatives[entry.term];
            let variances =
                relative[(entry.row, entry.row)] * relative[(entry.column, entry.column)];
            match entry.row == entry.column {
                true => sigma * variances.sqrt().sqrt(),
                false => relative[(entry.row, entry.column)] / variances.sqrt(),
            }
        })
        .collect()
}

/// Rough standard errors of them.
pub(crate) fn deviation_errors(
    structure: &Structure,
    scales: &Scales,
    levels: &[usize],
    deviations: &[f64],
    sigma: f64,
) -> Vec<f64> {
    let entries = structure.entries.iter().zip(deviations);
    entries
        .map(|(entry, value)| {
            let levels = levels[entry.term] as f64;
            if entry.row == entry.column {
                let noise = sigma / scales.of_row(entry.term, entry.row);
                (value * value + noise * noise).sqrt() / (2.0 * levels).sqrt()
            } else {
                (1.05 - value * value) / levels.sqrt()
            }
        })
        .collect()
}

/// Standard deviations and correlations at the places of θ in `structure`, σ, ratios, and β.
pub(super) fn natural(slice: &Slice<Explicit>, structure: &Structure) -> Vec<f64> {
    let sigma = slice.sigma();
    let mut natural = deviations(structure, slice.structure(), slice.theta(), sigma);
    natural.push(sigma);
    natural.extend(slice.ratios().iter().skip(1));
    natural.extend(slice.coefficients().iter());
    natural
}

/// Rough standard errors of the natural parameters.
pub(super) fn standard_errors(slice: &Slice<Explicit>, problem: &Problem) -> Vec<f64> {
    let sigma = slice.sigma();
    let natural = natural(slice, problem.structure);
    let statistics = problem.statistics;
    let scales = slice.scales();
    let levels = statistics.levels();
    let mut errors = deviation_errors(problem.structure, scales, levels, &natural, sigma);
    errors.push(sigma / (2.0 * statistics.rows() as f64).sqrt());
    let groups = statistics.group_rows().iter().zip(slice.ratios());
    errors.extend(groups.skip(1).map(|(&n, ratio)| ratio / (n as f64).sqrt()));
    let covariance = slice.coefficient_covariance();
    let variances = covariance.diagonal();
    errors.extend(variances.iter().map(|variance| sigma * variance.sqrt()));
    errors
}
