//! Σ_k = λ_k A_k with A_k diagonal and |A_k| = 1: EEI, VVI, EVI, VEI. Celeux & Govaert 1995, section 3.2.

use nalgebra::{DMatrix, DVector};

use super::Evidence;
use crate::error::Result;
use crate::mixture::degeneracy::collapsed;

/// Most rounds of the alternation in [`volumes_and_shape`]; it needs a few dozen. At the limit the step is
/// still an ascent, and the next M-step goes on from there.
const MAX_ROUNDS: usize = 10_000;

/// Relative change of the volumes that ends the alternation.
const TOLERANCE: f64 = 1e-14;

/// EEI and VVI: each variance on its own.
pub(super) fn free(evidence: &Evidence) -> Vec<DMatrix<f64>> {
    let entries = evidence.counts.iter().zip(evidence.scatters.iter());
    entries
        .map(|(&count, scatter)| DMatrix::from_diagonal(&(scatter.diagonal() / count)))
        .collect()
}

/// EVI: A_k from S_k alone, λ = Σ_k |diag S_k|^(1/d) / n.
pub(super) fn equal_volume(evidence: &Evidence) -> Result<Vec<DMatrix<f64>>> {
    let diagonals: Vec<_> = evidence.scatters.iter().map(|s| s.diagonal()).collect();
    let shapes = diagonals_of_equal_volume(&diagonals, evidence.total())?;
    Ok(shapes.iter().map(DMatrix::from_diagonal).collect())
}

/// VEI: volumes and the common shape, alternated to convergence.
pub(super) fn equal_shape(
    evidence: &Evidence,
    start: Option<&[DMatrix<f64>]>,
) -> Result<Vec<DMatrix<f64>>> {
    let diagonals: Vec<_> = evidence.scatters.iter().map(|s| s.diagonal()).collect();
    let shape = start.and_then(|previous| Some(unit_volume(&previous[0].diagonal())?.0));
    let (volumes, shape) = volumes_and_shape(&evidence.counts, &diagonals, shape)?;
    Ok(volumes
        .iter()
        .map(|&volume| DMatrix::from_diagonal(&(&shape * volume)))
        .collect())
}

/// λ A_k for diagonal scatters of one volume: also EVE, in the common axes.
pub(super) fn diagonals_of_equal_volume(
    diagonals: &[DVector<f64>],
    total: f64,
) -> Result<Vec<DVector<f64>>> {
    let mut shapes = Vec::with_capacity(diagonals.len());
    let mut volume = 0.0;
    for (index, diagonal) in diagonals.iter().enumerate() {
        let (shape, own) = unit_volume(diagonal)
            .ok_or_else(|| collapsed(index, "it has no variance in one direction"))?;
        volume += own;
        shapes.push(shape);
    }
    Ok(shapes
        .into_iter()
        .map(|shape| shape * (volume / total))
        .collect())
}

/// λ_k and A of Σ_k = λ_k A for diagonal scatters s_k: also VEV, in the axes of each S_k.
///
/// Alternates the two closed forms λ_k = tr(s_k A⁻¹) / (n_k d) and A ∝ Σ_k s_k / λ_k. In log λ and log A the
/// objective is convex, so the limit is the maximum.
pub(super) fn volumes_and_shape(
    counts: &[f64],
    diagonals: &[DVector<f64>],
    start: Option<DVector<f64>>,
) -> Result<(Vec<f64>, DVector<f64>)> {
    let d = diagonals[0].len();
    let no_variance = |index| collapsed(index, "it has no variance in one direction");
    let mut volumes = vec![1.0; counts.len()];
    let mut shape = match start {
        Some(shape) => shape,
        None => {
            let pooled = diagonals.iter().fold(DVector::zeros(d), |sum, s| sum + s);
            unit_volume(&pooled).ok_or_else(|| no_variance(0))?.0
        }
    };
    let mut weighted = DVector::zeros(d);
    for _ in 0..MAX_ROUNDS {
        let mut change = 0.0_f64;
        weighted.fill(0.0);
        for (index, diagonal) in diagonals.iter().enumerate() {
            let ratios = diagonal.iter().zip(&shape).map(|(s, a)| s / a);
            let volume = ratios.sum::<f64>() / (counts[index] * d as f64);
            if !(volume > 0.0 && volume.is_finite()) {
                return Err(no_variance(index));
            }
            change = change.max((volume / volumes[index] - 1.0).abs());
            volumes[index] = volume;
            weighted.axpy(1.0 / volume, diagonal, 1.0);
        }
        shape = unit_volume(&weighted).ok_or_else(|| no_variance(0))?.0;
        if change <= TOLERANCE {
            break;
        }
    }
    Ok((volumes, shape))
}

/// (Π_j x_j)^(1/d), without overflow; 0 if one factor is 0.
pub(super) fn geometric_mean(diagonal: impl ExactSizeIterator<Item = f64>) -> f64 {
    let d = diagonal.len() as f64;
    (diagonal.map(f64::ln).sum::<f64>() / d).exp()
}

/// The diagonal divided by its geometric mean, and that mean; `None` unless all entries are positive.
pub(super) fn unit_volume(diagonal: &DVector<f64>) -> Option<(DVector<f64>, f64)> {
    let volume = geometric_mean(diagonal.iter().copied());
    let positive = diagonal.iter().all(|x| *x > 0.0 && x.is_finite());
    (positive && volume > 0.0).then(|| (diagonal / volume, volume))
}
