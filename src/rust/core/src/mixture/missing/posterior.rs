//! What the observed cells of each row say: its label, its density, its missing cells.

use nalgebra::{DMatrix, DVector};

use super::conditional::{marginal, observed_directions, roots, ObservedPart};
use super::patterns::{Pattern, Patterns};
use crate::error::{Error, Result};
use crate::mixture::data::Data;
use crate::mixture::expect::{log_density, responsibilities};
use crate::mixture::model::Mixture;

/// Rows that are copied at once.
const PIECE_ROWS: usize = 16_384;

/// Posterior probabilities given the observed cells, n × (K + noise), column-major, noise last.
///
/// A row without an observed cell has the mixing weights.
///
/// # Errors
/// Those of the complete case.
pub fn responsibilities_missing(
    data: &Data,
    patterns: &Patterns,
    mixture: &Mixture,
    threads: usize,
    posterior: &mut [f64],
) -> Result<()> {
    if patterns.is_complete() {
        return responsibilities(data, mixture, threads, posterior);
    }
    let n = data.rows();
    for (pattern, rows) in pieces(patterns) {
        let part = posterior_part(data, patterns, pattern, rows, mixture, threads)?;
        for (column, part) in posterior
            .chunks_exact_mut(n)
            .zip(part.chunks_exact(rows.len()))
        {
            for (&i, r) in rows.iter().zip(part) {
                column[i] = *r;
            }
        }
    }
    for (column, weight) in posterior.chunks_exact_mut(n).zip(mixing_weights(mixture)) {
        for &i in patterns.empty_rows() {
            column[i] = weight;
        }
    }
    Ok(())
}

/// Log-density of the observed cells of every row under the mixture, row weights not applied; 0 for a row
/// without any.
///
/// # Errors
/// Those of the complete case.
pub fn log_density_missing(
    data: &Data,
    patterns: &Patterns,
    mixture: &Mixture,
    threads: usize,
    out: &mut [f64],
) -> Result<()> {
    if patterns.is_complete() {
        return log_density(data, mixture, threads, out);
    }
    for (pattern, rows) in pieces(patterns) {
        let part = ObservedPart::of(data, pattern, rows);
        let marginal = marginal(mixture, patterns, pattern);
        let mut densities = vec![0.0; rows.len()];
        log_density(&part.unweighted()?, &marginal, threads, &mut densities)?;
        for (&i, density) in rows.iter().zip(densities) {
            out[i] = density;
        }
    }
    for &i in patterns.empty_rows() {
        out[i] = 0.0;
    }
    Ok(())
}

/// The data with every missing cell replaced by its posterior mean, n × d, column-major:
/// Σ_k r_k E_k[x_M | x_O], where E_k[x_M | x_O] = μ_M + L_M Q R⁻ᵀ (x_O − μ_O).
///
/// The noise component's mean is the centre of its region. Posterior means understate the spread of the
/// missing cells: they are predictions, not data to fit again.
///
/// # Errors
/// Those of the complete E-step; [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite).
pub fn impute(
    data: &Data,
    patterns: &Patterns,
    mixture: &Mixture,
    threads: usize,
) -> Result<Vec<f64>> {
    let n = data.rows();
    let mut cells: Vec<f64> = (0..data.columns())
        .flat_map(|j| data.column(j).iter().copied())
        .collect();
    let roots = roots(mixture)?;
    for (pattern, rows) in pieces(patterns).filter(|(pattern, _)| !pattern.missing.is_empty()) {
        let posterior = posterior_part(data, patterns, pattern, rows, mixture, threads)?;
        let regressions: Vec<DMatrix<f64>> = roots
            .iter()
            .map(|root| regression(root, pattern))
            .collect::<Result<_>>()?;
        for (at, &i) in rows.iter().enumerate() {
            let r: Vec<f64> = posterior
                .iter()
                .skip(at)
                .step_by(rows.len())
                .copied()
                .collect();
            let x = DVector::from_fn(pattern.observed.len(), |o, _| {
                data.column(pattern.observed[o])[i]
            });
            for (m, &j) in pattern.missing.iter().enumerate() {
                let conditional = |component: usize, regression: &DMatrix<f64>| {
                    let center = mixture.means.column(component);
                    let offset = &x - center.select_rows(&pattern.observed);
                    center[j] + regression.row(m).transpose().dot(&offset)
                };
                let means = regressions.iter().enumerate();
                let means = means.map(|(component, regression)| conditional(component, regression));
                cells[j * n + i] = average(means, &r, patterns.noise_mean(j));
            }
        }
    }
    let weights = mixing_weights(mixture);
    for j in 0..data.columns() {
        let means = (0..mixture.components()).map(|component| mixture.means[(j, component)]);
        let mean = average(means, &weights, patterns.noise_mean(j));
        for &i in patterns.empty_rows() {
            cells[j * n + i] = mean;
        }
    }
    Ok(cells)
}

/// Σ r_k m_k over the components, and r_0 m_0 where there is a noise component.
fn average(means: impl ExactSizeIterator<Item = f64>, r: &[f64], noise_mean: f64) -> f64 {
    let noise = r.get(means.len()).map_or(0.0, |r| r * noise_mean);
    means.zip(r).map(|(mean, r)| r * mean).sum::<f64>() + noise
}

/// Coefficients Σ_MO Σ_OO⁻¹ = L_M Q R⁻ᵀ, |M| × |O|.
fn regression(root: &DMatrix<f64>, pattern: &Pattern) -> Result<DMatrix<f64>> {
    let (q, r) = observed_directions(root, pattern);
    let projected = root.select_rows(&pattern.missing) * q;
    match r.solve_upper_triangular(&projected.transpose()) {
        Some(transposed) => Ok(transposed.transpose()),
        None => Err(Error::NotPositiveDefinite { pivot: 0 }),
    }
}

/// Mixing weights, that of the noise component last.
fn mixing_weights(mixture: &Mixture) -> Vec<f64> {
    let mut weights = mixture.weights.clone();
    weights.extend(mixture.noise.map(|noise| noise.weight));
    weights
}

/// Posterior probabilities of some rows of one pattern, column-major.
fn posterior_part(
    data: &Data,
    patterns: &Patterns,
    pattern: &Pattern,
    rows: &[usize],
    mixture: &Mixture,
    threads: usize,
) -> Result<Vec<f64>> {
    let part = ObservedPart::of(data, pattern, rows);
    let marginal = marginal(mixture, patterns, pattern);
    let mut posterior = vec![0.0; rows.len() * mixing_weights(mixture).len()];
    responsibilities(&part.unweighted()?, &marginal, threads, &mut posterior)?;
    Ok(posterior)
}

/// Rows of one pattern each, [`PIECE_ROWS`] at most.
fn pieces(patterns: &Patterns) -> impl Iterator<Item = (&Pattern, &[usize])> {
    let n = patterns.informative_rows();
    (0..n)
        .step_by(PIECE_ROWS)
        .flat_map(move |start| patterns.within(start..(start + PIECE_ROWS).min(n)))
}
