//! Σ_k = λ_k D_k A D_kᵀ, each component with axes of its own: EEV, VEV. The best axes are those of S_k, in
//! the order of its eigenvalues (Celeux & Govaert 1995, section 3.4).

use nalgebra::{DMatrix, DVector};

use super::diagonal::{unit_volume, volumes_and_shape};
use super::Evidence;
use crate::error::Result;
use crate::linalg::{from_spectrum, symmetric_eigen};

/// EEV: λA = Σ_k Ω_k / n with Ω_k the eigenvalues of S_k.
pub(super) fn equal_volume(evidence: &Evidence) -> Result<Vec<DMatrix<f64>>> {
    let Spectra { eigenvalues, axes } = spectra(evidence)?;
    let d = axes[0].nrows();
    let sum = eigenvalues.iter().fold(DVector::zeros(d), |sum, v| sum + v);
    let variances = sum / evidence.total();
    Ok(axes
        .iter()
        .map(|d_k| from_spectrum(d_k, variances.as_slice()))
        .collect())
}

/// VEV: in the axes of each S_k this is VEI.
pub(super) fn variable_volume(
    evidence: &Evidence,
    start: Option<&[DMatrix<f64>]>,
) -> Result<Vec<DMatrix<f64>>> {
    let Spectra { eigenvalues, axes } = spectra(evidence)?;
    let shape = match start {
        Some(previous) => unit_volume(&symmetric_eigen(&previous[0])?.0).map(|(shape, _)| shape),
        None => None,
    };
    let (volumes, shape) = volumes_and_shape(&evidence.counts, &eigenvalues, shape)?;
    let entries = axes.iter().zip(&volumes);
    Ok(entries
        .map(|(d_k, &volume)| from_spectrum(d_k, (&shape * volume).as_slice()))
        .collect())
}

/// The eigenvalues (not below 0, where rounding may put them) and axes of all S_k.
struct Spectra {
    eigenvalues: Vec<DVector<f64>>,
    axes: Vec<DMatrix<f64>>,
}

fn spectra(evidence: &Evidence) -> Result<Spectra> {
    let mut eigenvalues = Vec::with_capacity(evidence.scatters.len());
    let mut axes = Vec::with_capacity(evidence.scatters.len());
    for scatter in evidence.scatters.iter() {
        let (values, vectors) = symmetric_eigen(scatter)?;
        eigenvalues.push(values.map(|value| value.max(0.0)));
        axes.push(vectors);
    }
    Ok(Spectra { eigenvalues, axes })
}
