//! Families that a change of basis maps to themselves: EEE, VVV, VEE, EVV. No eigenvalues are needed, and
//! units do not matter. Celeux & Govaert 1995, section 3.3.

use nalgebra::DMatrix;

use super::Evidence;
use crate::error::Result;
use crate::linalg::{cholesky, inverse_lower, log_det_cholesky, trace_product};
use crate::mixture::degeneracy::collapsed;

/// Most rounds of the alternation in [`proportional`] from nowhere; it needs a few dozen, and many more where
/// the matrices are badly conditioned.
const MAX_ROUNDS: usize = 10_000;

/// Most rounds from the previous parameters. Every round ascends, so EM may go on with what they reach.
const WARM_ROUNDS: usize = 100;

/// Relative change of the volumes that ends the alternation.
const TOLERANCE: f64 = 1e-14;

/// EEE and VVV: S / n for each entry of the evidence.
pub(super) fn free(evidence: &Evidence) -> Vec<DMatrix<f64>> {
    let entries = evidence.counts.iter().zip(evidence.scatters.iter());
    entries.map(|(&count, scatter)| scatter / count).collect()
}

/// VEE: Σ_k = λ_k C with |C| = 1. Alternates λ_k = tr(S_k C⁻¹) / (n_k d) and C ∝ Σ_k S_k / λ_k to
/// convergence; the objective is geodesically convex, so the limit is the maximum.
pub(super) fn proportional(
    evidence: &Evidence,
    start: Option<&[DMatrix<f64>]>,
) -> Result<Vec<DMatrix<f64>>> {
    let pooled = evidence.pooled();
    let d = pooled.nrows();
    let mut volumes = vec![1.0; evidence.counts.len()];
    let mut shape = start
        .and_then(|previous| unit_volume(&previous[0]).ok())
        .map_or_else(|| unit_volume(&pooled), Ok)
        .map_err(|_| collapsed(0, "the scatter of all components together is singular"))?;
    let mut weighted = DMatrix::zeros(d, d);
    let rounds = if start.is_some() {
        WARM_ROUNDS
    } else {
        MAX_ROUNDS
    };
    for _ in 0..rounds {
        let inverse = inverse_lower(&shape.lower);
        let precision = inverse.tr_mul(&inverse);
        let mut change = 0.0_f64;
        weighted.fill(0.0);
        for (index, scatter) in evidence.scatters.iter().enumerate() {
            let trace = trace_product(scatter, &precision);
            let volume = trace / (evidence.counts[index] * d as f64);
            if !(volume > 0.0 && volume.is_finite()) {
                return Err(collapsed(index, "it has no variance"));
            }
            change = change.max((volume / volumes[index] - 1.0).abs());
            volumes[index] = volume;
            add_multiple(&mut weighted, scatter, 1.0 / volume);
        }
        shape = unit_volume(&weighted)
            .map_err(|_| collapsed(0, "the scatter of all components together is singular"))?;
        if change <= TOLERANCE {
            break;
        }
    }
    Ok(volumes
        .iter()
        .map(|&volume| &shape.matrix * volume)
        .collect())
}

/// Adds `factor` · `matrix` to `sum`.
fn add_multiple(sum: &mut DMatrix<f64>, matrix: &DMatrix<f64>, factor: f64) {
    for (x, y) in sum.iter_mut().zip(matrix) {
        *x += factor * y;
    }
}

/// EVV: C_k from S_k alone, λ = Σ_k |S_k|^(1/d) / n.
pub(super) fn equal_volume(evidence: &Evidence) -> Result<Vec<DMatrix<f64>>> {
    let mut shapes = Vec::with_capacity(evidence.counts.len());
    let mut volume = 0.0;
    for (index, scatter) in evidence.scatters.iter().enumerate() {
        let shape = unit_volume(scatter)
            .map_err(|_| collapsed(index, "it has no variance in one direction"))?;
        volume += shape.volume;
        shapes.push(shape.matrix);
    }
    let common = volume / evidence.total();
    Ok(shapes.into_iter().map(|shape| shape * common).collect())
}

/// A positive definite matrix split into volume |Σ|^(1/d) and a matrix of determinant 1.
struct UnitVolume {
    volume: f64,
    matrix: DMatrix<f64>,
    /// Cholesky factor of `matrix`.
    lower: DMatrix<f64>,
}

fn unit_volume(matrix: &DMatrix<f64>) -> Result<UnitVolume> {
    let lower = cholesky(matrix)?;
    let volume = (log_det_cholesky(&lower) / matrix.nrows() as f64).exp();
    Ok(UnitVolume {
        volume,
        matrix: matrix / volume,
        lower: lower / volume.sqrt(),
    })
}
