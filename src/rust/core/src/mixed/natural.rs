//! The natural parameters of a full point, as users read them, and how far they may be off.

use nalgebra::DMatrix;

use super::criterion::Problem;
use super::slice::Slice;
use super::structure::Structure;

/// Standard deviations and correlations at the places of θ in `structure`, σ, ratios, and β.
pub(super) fn natural(slice: &Slice, structure: &Structure) -> Vec<f64> {
    let sigma = slice.sigma();
    let ordered = slice.structure();
    let relatives: Vec<DMatrix<f64>> = (0..structure.widths.len())
        .map(|term| {
            let lambda = ordered.lambda(term, slice.theta());
            &lambda * lambda.transpose()
        })
        .collect();
    let mut natural: Vec<f64> = structure
        .entries
        .iter()
        .map(|entry| {
            let relative = &relatives[entry.term];
            let variances =
                relative[(entry.row, entry.row)] * relative[(entry.column, entry.column)];
            match entry.row == entry.column {
                true => sigma * variances.sqrt().sqrt(),
                false => relative[(entry.row, entry.column)] / variances.sqrt(),
            }
        })
        .collect();
    natural.push(sigma);
    natural.extend(slice.ratios().iter().skip(1));
    natural.extend(slice.coefficients().iter());
    natural
}

/// Rough standard errors of the natural parameters.
pub(super) fn standard_errors(slice: &Slice, problem: &Problem) -> Vec<f64> {
    let sigma = slice.sigma();
    let natural = natural(slice, problem.structure);
    let statistics = problem.statistics;
    let entries = problem.structure.entries.iter().zip(&natural);
    let mut errors: Vec<f64> = entries
        .map(|(entry, value)| {
            let levels = statistics.levels()[entry.term] as f64;
            if entry.row == entry.column {
                let noise = sigma / slice.scale(entry.term, entry.row);
                (value * value + noise * noise).sqrt() / (2.0 * levels).sqrt()
            } else {
                (1.05 - value * value) / levels.sqrt()
            }
        })
        .collect();
    errors.push(sigma / (2.0 * statistics.rows() as f64).sqrt());
    let groups = statistics.group_rows().iter().zip(slice.ratios());
    errors.extend(groups.skip(1).map(|(&n, ratio)| ratio / (n as f64).sqrt()));
    let covariance = slice.coefficient_covariance();
    errors.extend(
        covariance
            .diagonal()
            .iter()
            .map(|variance| sigma * variance.sqrt()),
    );
    errors
}
