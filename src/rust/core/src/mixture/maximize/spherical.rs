//! Σ_k = λ_k I: E and EII (one volume), V and VII (K volumes). Celeux & Govaert 1995, section 3.1.

use nalgebra::DMatrix;

use super::Evidence;

/// λ = tr(S) / (n d) for each entry of the evidence.
pub(super) fn variances(evidence: &Evidence) -> Vec<DMatrix<f64>> {
    let entries = evidence.counts.iter().zip(evidence.scatters.iter());
    entries
        .map(|(count, scatter)| {
            let d = scatter.nrows();
            DMatrix::from_diagonal_element(d, d, scatter.trace() / (count * d as f64))
        })
        .collect()
}
