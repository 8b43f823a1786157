//! How the rows spread, seen with the symmetry of a covariance model.

use nalgebra::DMatrix;

use super::model::CovarianceModel;
use crate::linalg::cholesky;

/// Covariance matrix Σ_total of all rows, looked at once per fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    covariance: DMatrix<f64>,
    /// With n ≤ d rows Σ_total is singular, and only its variances are left to compare with.
    is_singular: bool,
}

impl From<DMatrix<f64>> for Spread {
    /// The spread of rows with a d × d covariance matrix.
    fn from(covariance: DMatrix<f64>) -> Self {
        Spread {
            is_singular: cholesky(&covariance).is_err(),
            covariance,
        }
    }
}

impl Spread {
    /// Σ_total reduced to the symmetry of `model`; `None` when it has no variance to compare with.
    pub fn metric(&self, model: CovarianceModel) -> Option<Metric<'_>> {
        use CovarianceModel::*;
        let metric = match model {
            E | V | EII | VII => Metric::Spherical(self.mean_variance()),
            EEI | VEI | EVI | VVI => Metric::Diagonal(&self.covariance),
            _ if self.is_singular => Metric::Diagonal(&self.covariance),
            _ => Metric::Full(&self.covariance),
        };
        let d = self.covariance.nrows();
        (0..d).all(|j| metric.entry(j, j) > 0.0).then_some(metric)
    }

    /// Standard deviations where `model` allows each column its own units, else their common size.
    pub fn units(&self, model: CovarianceModel) -> Vec<f64> {
        use CovarianceModel::*;
        let common = self.mean_variance();
        let variances = (0..self.covariance.nrows()).map(|j| match model {
            EEI | VEI | EVI | VVI | EEE | VEE | EVV | VVV => self.covariance[(j, j)],
            E | V | EII | VII | EVE | VVE | EEV | VEV => common,
        });
        // A constant column has no units to offer.
        let unit = |variance: f64| if variance > 0.0 { variance.sqrt() } else { 1.0 };
        variances.map(unit).collect()
    }

    fn mean_variance(&self) -> f64 {
        self.covariance.trace() / self.covariance.nrows() as f64
    }
}

/// A covariance matrix with the symmetry of a model.
#[derive(Debug, Clone, Copy)]
pub enum Metric<'a> {
    Spherical(f64),
    /// The diagonal of the matrix.
    Diagonal(&'a DMatrix<f64>),
    Full(&'a DMatrix<f64>),
}

impl Metric<'_> {
    /// Entry (i, j) of the matrix.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        match self {
            Metric::Full(covariance) => covariance[(i, j)],
            Metric::Diagonal(covariance) if i == j => covariance[(i, j)],
            Metric::Spherical(variance) if i == j => *variance,
            _ => 0.0,
        }
    }

    /// The d × d matrix.
    pub fn matrix(&self, d: usize) -> DMatrix<f64> {
        DMatrix::from_fn(d, d, |i, j| self.entry(i, j))
    }
}
