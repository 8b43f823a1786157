//! Coordinates of K covariance matrices of one family.
//!
//! | models            | coordinates                                                                     |
//! |-------------------|---------------------------------------------------------------------------------|
//! | E, EII, V, VII    | log variances                                                                   |
//! | EEI, VVI          | log variances                                                                   |
//! | VEI, EVI          | log volumes, centred log shapes                                                 |
//! | EEE, VVV          | log-Cholesky: Σ = M diag(e^v) Mᵀ with M unit lower triangular; v, then M        |
//! | VEE, EVV          | log volumes, then log-Cholesky with v centred                                   |
//! | EEV, VEV, EVE, VVE| matrix logarithms of all Σ_k, put back into the family by averaging what is shared |
//!
//! The last line avoids a chart of rotations: log Σ_k knows nothing of the order and the signs of the axes,
//! so two mixtures need no matching before one is subtracted from the other.

use nalgebra::{DMatrix, DVector};

use super::super::maximize::common_axes;
use super::super::model::CovarianceModel;
use super::{centred, Reader};
use crate::linalg::{cholesky, symmetric_eigen, symmetrized};

/// Coordinates of the matrices of a mixture of `model`.
pub(super) fn flatten(model: CovarianceModel, matrices: &[DMatrix<f64>]) -> Option<Vec<f64>> {
    use CovarianceModel::*;
    let first = matrices.first()?;
    let log_variances = |sigma: &DMatrix<f64>| -> Vec<f64> {
        sigma
            .diagonal()
            .iter()
            .map(|variance| variance.ln())
            .collect()
    };
    let coordinates = match model {
        E | EII => vec![first[(0, 0)].ln()],
        V | VII => matrices.iter().map(|sigma| sigma[(0, 0)].ln()).collect(),
        EEI => log_variances(first),
        VVI => matrices.iter().flat_map(log_variances).collect(),
        VEI => {
            let logs: Vec<_> = matrices.iter().map(log_variances).collect();
            let mut coordinates: Vec<f64> = logs.iter().map(|v| mean(v)).collect();
            coordinates.extend(centred(logs[0].clone()));
            coordinates
        }
        EVI => {
            let logs: Vec<_> = matrices.iter().map(log_variances).collect();
            let mut coordinates = vec![mean(&logs[0])];
            coordinates.extend(logs.into_iter().flat_map(centred));
            coordinates
        }
        EEE => LogCholesky::of(first)?.join(),
        VVV => {
            let mut coordinates = Vec::new();
            for sigma in matrices {
                coordinates.extend(LogCholesky::of(sigma)?.join());
            }
            coordinates
        }
        VEE => {
            let mut coordinates = Vec::new();
            for sigma in matrices {
                coordinates.push(mean(&LogCholesky::of(sigma)?.logs));
            }
            coordinates.extend(LogCholesky::of(first)?.centred().join());
            coordinates
        }
        EVV => {
            let mut coordinates = vec![mean(&LogCholesky::of(first)?.logs)];
            for sigma in matrices {
                coordinates.extend(LogCholesky::of(sigma)?.centred().join());
            }
            coordinates
        }
        EVE | VVE | EEV | VEV => {
            let mut coordinates = Vec::new();
            for sigma in matrices {
                coordinates.extend(lower_entries(&matrix_log(sigma)?));
            }
            coordinates
        }
    };
    Some(coordinates)
}

/// The K matrices at the coordinates that `reader` gives.
pub(super) fn unflatten(
    model: CovarianceModel,
    d: usize,
    k: usize,
    reader: &mut Reader,
) -> Option<Vec<DMatrix<f64>>> {
    use CovarianceModel::*;
    let spherical = |log: f64| DMatrix::from_diagonal_element(d, d, log.exp());
    let diagonal = |volume: f64, logs: &[f64]| {
        let variances = logs.iter().map(|log| (volume + log).exp());
        DMatrix::from_diagonal(&DVector::from_iterator(d, variances))
    };
    let triangle = d * (d + 1) / 2;
    let matrices = match model {
        E | EII => vec![spherical(reader.take(1)?[0]); k],
        V | VII => reader.take(k)?.iter().map(|&log| spherical(log)).collect(),
        EEI => vec![diagonal(0.0, reader.take(d)?); k],
        VVI => {
            let logs = reader.take(k * d)?;
            logs.chunks_exact(d).map(|v| diagonal(0.0, v)).collect()
        }
        VEI => {
            let volumes = reader.take(k)?;
            let shape = centred(reader.take(d)?.to_vec());
            volumes.iter().map(|&v| diagonal(v, &shape)).collect()
        }
        EVI => {
            let volume = reader.take(1)?[0];
            let shapes = reader.take(k * d)?.chunks_exact(d);
            shapes
                .map(|shape| diagonal(volume, &centred(shape.to_vec())))
                .collect()
        }
        EEE => vec![LogCholesky::split(reader.take(triangle)?, d).matrix(0.0); k],
        VVV => {
            let entries = reader.take(k * triangle)?.chunks_exact(triangle);
            entries
                .map(|entry| LogCholesky::split(entry, d).matrix(0.0))
                .collect()
        }
        VEE => {
            let volumes = reader.take(k)?;
            let shape = LogCholesky::split(reader.take(triangle)?, d).centred();
            volumes.iter().map(|&v| shape.matrix(v)).collect()
        }
        EVV => {
            let volume = reader.take(1)?[0];
            let entries = reader.take(k * triangle)?.chunks_exact(triangle);
            entries
                .map(|entry| LogCholesky::split(entry, d).centred().matrix(volume))
                .collect()
        }
        EVE | VVE | EEV | VEV => {
            let entries = reader.take(k * triangle)?.chunks_exact(triangle);
            let logs: Vec<_> = entries.map(|entry| from_lower_entries(entry, d)).collect();
            nearest_in_family(model, &logs)?
        }
    };
    Some(matrices)
}

/// Σ = M diag(e^logs) Mᵀ with M unit lower triangular.
struct LogCholesky {
    logs: Vec<f64>,
    /// Strictly lower entries of M, column by column.
    below: Vec<f64>,
}

impl LogCholesky {
    fn of(sigma: &DMatrix<f64>) -> Option<Self> {
        let lower = cholesky(sigma).ok()?;
        let d = lower.nrows();
        let logs = lower.diagonal().iter().map(|x| 2.0 * x.ln()).collect();
        let entries = (0..d).flat_map(|j| (j + 1..d).map(move |i| (i, j)));
        let below = entries
            .map(|(i, j)| lower[(i, j)] / lower[(j, j)])
            .collect();
        Some(LogCholesky { logs, below })
    }

    fn split(coordinates: &[f64], d: usize) -> Self {
        let (logs, below) = coordinates.split_at(d);
        LogCholesky {
            logs: logs.to_vec(),
            below: below.to_vec(),
        }
    }

    fn join(self) -> Vec<f64> {
        let LogCholesky { mut logs, below } = self;
        logs.extend(below);
        logs
    }

    /// The same shape with determinant 1.
    fn centred(self) -> Self {
        LogCholesky {
            logs: centred(self.logs),
            below: self.below,
        }
    }

    /// e^volume times the matrix.
    fn matrix(&self, volume: f64) -> DMatrix<f64> {
        let d = self.logs.len();
        let mut factor = DMatrix::identity(d, d);
        let entries = (0..d).flat_map(|j| (j + 1..d).map(move |i| (i, j)));
        for ((i, j), value) in entries.zip(&self.below) {
            factor[(i, j)] = *value;
        }
        for (mut column, log) in factor.column_iter_mut().zip(&self.logs) {
            column *= (0.5 * (volume + log)).exp();
        }
        symmetrized(&(&factor * factor.transpose()))
    }
}

/// Averages, over components, what `model` says is shared by matrices with these logarithms.
fn nearest_in_family(model: CovarianceModel, logs: &[DMatrix<f64>]) -> Option<Vec<DMatrix<f64>>> {
    use CovarianceModel::*;
    let mut axes = Vec::with_capacity(logs.len());
    let mut spectra: Vec<DVector<f64>> = Vec::with_capacity(logs.len());
    if matches!(model, EVE | VVE) {
        let common = common_axes(logs);
        for log in logs {
            spectra.push((common.transpose() * log * &common).diagonal());
            axes.push(common.clone());
        }
    } else {
        for log in logs {
            let (values, vectors) = symmetric_eigen(log).ok()?;
            spectra.push(values);
            axes.push(vectors);
        }
    }
    let volumes = share(
        spectra.iter().map(|s| s.mean()).collect(),
        matches!(model, EVE | EEV),
    );
    let shapes: Vec<DVector<f64>> = spectra.iter().map(|s| s.add_scalar(-s.mean())).collect();
    let common_shape = shapes.iter().sum::<DVector<f64>>() / shapes.len() as f64;
    let matrices = axes.iter().zip(&shapes).zip(&volumes);
    Some(
        matrices
            .map(|((d_k, own), volume)| {
                let shape = if matches!(model, EVE | VVE) {
                    own
                } else {
                    &common_shape
                };
                let variances = shape.map(|log| (volume + log).exp());
                symmetrized(&(d_k * DMatrix::from_diagonal(&variances) * d_k.transpose()))
            })
            .collect(),
    )
}

/// The values, or K times their mean.
fn share(values: Vec<f64>, equal: bool) -> Vec<f64> {
    if equal {
        vec![mean(&values); values.len()]
    } else {
        values
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// log Σ; `None` unless Σ is positive definite.
fn matrix_log(sigma: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let (values, vectors) = symmetric_eigen(sigma).ok()?;
    if values.iter().any(|&value| value <= 0.0) {
        return None;
    }
    let logs = DMatrix::from_diagonal(&values.map(f64::ln));
    Some(symmetrized(&(&vectors * logs * vectors.transpose())))
}

/// Lower triangle, off-diagonal entries times √2, so that distances are those of the matrices.
fn lower_entries(matrix: &DMatrix<f64>) -> Vec<f64> {
    let d = matrix.nrows();
    let entries = (0..d).flat_map(|j| (j..d).map(move |i| (i, j)));
    entries
        .map(|(i, j)| {
            if i == j {
                matrix[(i, j)]
            } else {
                matrix[(i, j)] * std::f64::consts::SQRT_2
            }
        })
        .collect()
}

fn from_lower_entries(entries: &[f64], d: usize) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(d, d);
    let places = (0..d).flat_map(|j| (j..d).map(move |i| (i, j)));
    for ((i, j), &value) in places.zip(entries) {
        let value = if i == j {
            value
        } else {
            value / std::f64::consts::SQRT_2
        };
        matrix[(i, j)] = value;
        matrix[(j, i)] = value;
    }
    matrix
}
