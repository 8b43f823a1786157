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
use super::{centre, Reader};
use crate::linalg::{factorise, from_spectrum, mirror, symmetric_eigen};

/// Appends coordinates to those that are there.
pub(super) struct Writer<'a> {
    /// d units, one per column of the data.
    pub units: &'a [f64],
    pub coordinates: &'a mut Vec<f64>,
}

impl Writer<'_> {
    /// Coordinates of the matrices of a mixture of `model`.
    pub fn flatten(&mut self, model: CovarianceModel, matrices: &[DMatrix<f64>]) -> Option<()> {
        use CovarianceModel::*;
        let first = matrices.first()?;
        let start = self.coordinates.len();
        let is_diagonal = model.is_diagonal();
        match model {
            E | EII => self.log_variances(first, 1),
            V | VII => matrices
                .iter()
                .for_each(|sigma| self.log_variances(sigma, 1)),
            EEI | EEE => self.volume_and_shape(first, is_diagonal)?,
            VVI | VVV => {
                for sigma in matrices {
                    self.volume_and_shape(sigma, is_diagonal)?;
                }
            }
            VEI | VEE => {
                self.coordinates.resize(start + matrices.len(), 0.0);
                let end = self.coordinates.len();
                // The first comes last, for its shape is the one that stays.
                for (index, sigma) in matrices.iter().enumerate().rev() {
                    self.coordinates.truncate(end);
                    self.volume_and_shape(sigma, is_diagonal)?;
                    self.coordinates[start + index] = self.take_volume(end);
                }
            }
            EVI | EVV => {
                self.coordinates.push(0.0);
                for sigma in matrices.iter() {
                    let end = self.coordinates.len();
                    self.volume_and_shape(sigma, is_diagonal)?;
                    self.coordinates[start] = self.take_volume(end);
                }
            }
            EVE | VVE | EEV | VEV => {
                for sigma in matrices {
                    self.matrix_log(sigma)?;
                }
            }
        }
        Some(())
    }

    /// Logarithms of the first `count` variances.
    fn log_variances(&mut self, sigma: &DMatrix<f64>, count: usize) {
        let variances = (0..count).map(|j| sigma[(j, j)] / (self.units[j] * self.units[j]));
        self.coordinates.extend(variances.map(f64::ln));
    }

    /// v and M of Σ = M diag(e^v) Mᵀ with M unit lower triangular; v alone for a diagonal matrix.
    fn volume_and_shape(&mut self, sigma: &DMatrix<f64>, is_diagonal: bool) -> Option<()> {
        let d = sigma.nrows();
        if is_diagonal {
            self.log_variances(sigma, d);
            return Some(());
        }
        let mut lower = self.standardized(sigma);
        factorise(&mut lower).ok()?;
        self.coordinates
            .extend((0..d).map(|j| 2.0 * lower[(j, j)].ln()));
        for j in 0..d {
            let below = (j + 1..d).map(|i| lower[(i, j)] / lower[(j, j)]);
            self.coordinates.extend(below);
        }
        Some(())
    }

    /// Takes the mean of the v that start at `at` away from them.
    fn take_volume(&mut self, at: usize) -> f64 {
        centre(&mut self.coordinates[at..at + self.units.len()])
    }

    /// Lower triangle of log Σ, off-diagonal entries times √2, so that distances are those of the matrices.
    fn matrix_log(&mut self, sigma: &DMatrix<f64>) -> Option<()> {
        let (mut values, vectors) = symmetric_eigen(&self.standardized(sigma)).ok()?;
        if values.iter().any(|&value| value <= 0.0) {
            return None;
        }
        values.apply(|value| *value = value.ln());
        let log = from_spectrum(&vectors, values.as_slice());
        for j in 0..log.nrows() {
            self.coordinates.push(log[(j, j)]);
            let below = (j + 1..log.nrows()).map(|i| log[(i, j)] * std::f64::consts::SQRT_2);
            self.coordinates.extend(below);
        }
        Some(())
    }

    fn standardized(&self, sigma: &DMatrix<f64>) -> DMatrix<f64> {
        let mut standardized = sigma.clone();
        rescale(&mut standardized, |j| 1.0 / self.units[j]);
        standardized
    }
}

/// Σ becomes diag(scale) Σ diag(scale).
pub(super) fn rescale(sigma: &mut DMatrix<f64>, scale: impl Fn(usize) -> f64) {
    for (j, mut column) in sigma.column_iter_mut().enumerate() {
        let scale_j = scale(j);
        for (i, entry) in column.iter_mut().enumerate() {
            *entry *= scale(i) * scale_j;
        }
    }
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
    let triangle = d * (d + 1) / 2;
    let size = if model.is_diagonal() { d } else { triangle };
    let matrices = match model {
        E | EII => vec![spherical(reader.take(1)?[0]); k],
        V | VII => reader.take(k)?.iter().map(|&log| spherical(log)).collect(),
        EEI | EEE => vec![from_log_cholesky(0.0, reader.take(size)?, d); k],
        VVI | VVV => {
            let entries = reader.take(k * size)?.chunks_exact(size);
            entries
                .map(|entry| from_log_cholesky(0.0, entry, d))
                .collect()
        }
        VEI | VEE => {
            let volumes = reader.take(k)?;
            let shape = reader.take(size)?;
            let centre = mean(&shape[..d]);
            (volumes.iter())
                .map(|volume| from_log_cholesky(volume - centre, shape, d))
                .collect()
        }
        EVI | EVV => {
            let volume = reader.take(1)?[0];
            let entries = reader.take(k * size)?.chunks_exact(size);
            entries
                .map(|entry| from_log_cholesky(volume - mean(&entry[..d]), entry, d))
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

/// M diag(e^(volume + v)) Mᵀ, where `entries` are v and the entries below the diagonal of M, if there are any.
fn from_log_cholesky(volume: f64, entries: &[f64], d: usize) -> DMatrix<f64> {
    let (logs, mut below) = entries.split_at(d);
    if below.is_empty() {
        let variances = logs.iter().map(|log| (volume + log).exp());
        return DMatrix::from_diagonal(&DVector::from_iterator(d, variances));
    }
    let mut matrix = DMatrix::zeros(d, d);
    for (j, log) in logs.iter().enumerate() {
        let root = (0.5 * (volume + log)).exp();
        matrix[(j, j)] = root;
        let (column, rest) = below.split_at(d - 1 - j);
        for (i, entry) in column.iter().enumerate() {
            matrix[(j + 1 + i, j)] = root * entry;
        }
        below = rest;
    }
    // L becomes L Lᵀ from its last entry on, since no later entry is needed.
    for j in (0..d).rev() {
        for i in (j..d).rev() {
            matrix[(i, j)] = (0..=j).map(|l| matrix[(i, l)] * matrix[(j, l)]).sum();
        }
    }
    mirror(&mut matrix);
    matrix
}

/// Averages, over components, what `model` says is shared by matrices with these logarithms.
fn nearest_in_family(model: CovarianceModel, logs: &[DMatrix<f64>]) -> Option<Vec<DMatrix<f64>>> {
    use CovarianceModel::*;
    let share_axes = matches!(model, EVE | VVE);
    let mut axes = Vec::with_capacity(logs.len());
    let mut spectra: Vec<DVector<f64>> = Vec::with_capacity(logs.len());
    if share_axes {
        let common = common_axes(logs);
        for log in logs {
            let product = log * &common;
            let along = |j: usize| common.column(j).dot(&product.column(j));
            spectra.push(DVector::from_fn(common.nrows(), |j, _| along(j)));
        }
        axes.push(common);
    } else {
        for log in logs {
            let (values, vectors) = symmetric_eigen(log).ok()?;
            spectra.push(values);
            axes.push(vectors);
        }
    }
    let mut volumes: Vec<f64> = (spectra.iter_mut())
        .map(|spectrum| centre(spectrum.as_mut_slice()))
        .collect();
    if matches!(model, EVE | EEV) {
        let common = mean(&volumes);
        volumes.fill(common);
    }
    if !share_axes {
        let common = spectra.iter().sum::<DVector<f64>>() / spectra.len() as f64;
        spectra.fill(common);
    }
    let axes = axes.iter().cycle();
    Some(
        (axes.zip(spectra).zip(volumes))
            .map(|((axes, mut variances), volume)| {
                variances.apply(|log| *log = (volume + *log).exp());
                from_spectrum(axes, variances.as_slice())
            })
            .collect(),
    )
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The matrix with that lower triangle, its off-diagonal entries divided by √2.
fn from_lower_entries(entries: &[f64], d: usize) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(d, d);
    let places = (0..d).flat_map(|j| (j..d).map(move |i| (i, j)));
    for ((i, j), &value) in places.zip(entries) {
        matrix[(i, j)] = if i == j {
            value
        } else {
            value / std::f64::consts::SQRT_2
        };
    }
    mirror(&mut matrix);
    matrix
}
