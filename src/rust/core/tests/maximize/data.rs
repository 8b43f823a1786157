//! Small data sets, responsibilities, and the plainest possible E-step.

use std::path::PathBuf;

use ember_core::linalg::{cholesky, inverse_lower, log_det_cholesky};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::rules::Rules;
use ember_core::mixture::stats::{Moments, Scatter};
use nalgebra::{DMatrix, DVector};

pub struct DataSet {
    /// d × n: one row of the data per column.
    pub x: DMatrix<f64>,
    /// Labels 0..K.
    pub labels: Vec<usize>,
    pub k: usize,
}

pub fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn load(name: &str) -> DataSet {
    let text = read(&format!("{name}.txt"));
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map(|x| x.parse().unwrap())
                .collect()
        })
        .collect();
    let d = rows[0].len() - 1;
    let x = DMatrix::from_fn(d, rows.len(), |j, i| rows[i][j + 1]);
    let labels: Vec<usize> = rows.iter().map(|row| row[0] as usize - 1).collect();
    let k = labels.iter().max().unwrap() + 1;
    DataSet { x, labels, k }
}

impl DataSet {
    pub fn models(&self) -> Vec<CovarianceModel> {
        if self.x.nrows() == 1 {
            CovarianceModel::UNIVARIATE.to_vec()
        } else {
            CovarianceModel::MULTIVARIATE.to_vec()
        }
    }

    /// n × K of 0 and 1.
    pub fn hard(&self) -> DMatrix<f64> {
        DMatrix::from_fn(self.labels.len(), self.k, |i, k| {
            f64::from(u8::from(self.labels[i] == k))
        })
    }

    /// The rule of data/mstep.R.
    pub fn soft(&self) -> DMatrix<f64> {
        let mut z = DMatrix::from_fn(self.labels.len(), self.k, |i, k| {
            let wave = ((7 * (i + 1) + 13 * (k + 1)) % 11) as f64 / 11.0;
            0.2 + f64::from(u8::from(self.labels[i] == k)) + 0.3 * wave
        });
        for mut row in z.row_iter_mut() {
            let sum = row.sum();
            row /= sum;
        }
        z
    }

    pub fn mean(&self) -> DVector<f64> {
        self.x.column_mean()
    }

    /// Divisor n − 1.
    pub fn covariance(&self) -> DMatrix<f64> {
        let mut centred = self.x.clone();
        let mean = self.mean();
        centred
            .column_iter_mut()
            .for_each(|mut column| column -= &mean);
        &centred * centred.transpose() / (self.labels.len() as f64 - 1.0)
    }

    pub fn rules(&self) -> Rules {
        Rules {
            spread: Some(self.covariance().into()),
            ..Rules::default()
        }
    }

    /// Two-pass moments; a column of `z` beyond K is the noise component.
    pub fn moments(&self, z: &DMatrix<f64>) -> Moments {
        let (d, n) = self.x.shape();
        let mut means = DMatrix::zeros(d, self.k);
        let mut counts = Vec::new();
        let mut scatters = Vec::new();
        for k in 0..self.k {
            let count = z.column(k).sum();
            let mean = &self.x * z.column(k) / count;
            let mut scatter = DMatrix::zeros(d, d);
            for i in 0..n {
                let deviation = self.x.column(i) - &mean;
                scatter.ger(z[(i, k)], &deviation, &deviation, 1.0);
            }
            means.set_column(k, &mean);
            counts.push(count);
            scatters.push(scatter);
        }
        let noise = if z.ncols() > self.k {
            z.column(self.k).sum()
        } else {
            0.0
        };
        Moments {
            total_weight: n as f64,
            counts,
            means,
            scatter: Scatter::PerComponent(scatters),
            noise_count: noise,
        }
    }

    /// Responsibilities (noise last) and the log-likelihood.
    pub fn expect(&self, mixture: &Mixture) -> (DMatrix<f64>, f64) {
        let (d, n) = self.x.shape();
        let k = mixture.components();
        let columns = k + usize::from(mixture.noise.is_some());
        let constant = d as f64 * (2.0 * std::f64::consts::PI).ln();
        let mut z = DMatrix::zeros(n, columns);
        for component in 0..k {
            let lower = cholesky(&mixture.covariances[component]).unwrap();
            let whitener = inverse_lower(&lower);
            let head =
                mixture.weights[component].ln() - 0.5 * (constant + log_det_cholesky(&lower));
            for i in 0..n {
                let y = &whitener * (self.x.column(i) - mixture.means.column(component));
                z[(i, component)] = head - 0.5 * y.norm_squared();
            }
        }
        if let Some(noise) = &mixture.noise {
            z.column_mut(k).fill(noise.weight.ln() + noise.log_density);
        }
        let mut log_lik = 0.0;
        for mut row in z.row_iter_mut() {
            let largest = row.max();
            row.apply(|x| *x = (*x - largest).exp());
            let sum = row.sum();
            row /= sum;
            log_lik += largest + sum.ln();
        }
        (z, log_lik)
    }
}

/// |x − y| relative to the larger of |y| and `scale`.
pub fn error(x: f64, y: f64, scale: f64) -> f64 {
    (x - y).abs() / y.abs().max(scale)
}

/// Largest difference of two matrices relative to the largest entry of the second.
pub fn matrix_error(x: &DMatrix<f64>, y: &DMatrix<f64>) -> f64 {
    (x - y).amax() / y.amax()
}
