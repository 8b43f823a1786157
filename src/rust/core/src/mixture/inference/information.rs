//! Information matrices, their inverses, and where these do not exist.
//!
//! The observed information I is compared with C, the information that the rows would carry were their labels
//! known. The eigenvalues of C⁻¹ I are the shares of information that the data do tell, one minus the rates
//! of EM (Dempster, Laird & Rubin 1977, section 3): 1 when components are far apart, 0 in a direction that
//! the likelihood does not see (coinciding components), negative when the fit is not a maximum. They have no
//! units, so one tolerance serves all data.

use nalgebra::{DMatrix, DVector};

use super::chart::{Chart, Motion};
use super::coefficients::{Coefficient, CovarianceScale, Report};
use super::score::ScoreStats;
use crate::error::{Error, Result};
use crate::linalg;
use crate::mixture::data::Data;
use crate::mixture::known::Known;
use crate::mixture::model::Mixture;

/// Share of information below which a direction counts as not identified.
pub const SINGULAR_SHARE: f64 = 1e-7;

/// Information of known labels, per unit of row weight, below which a coordinate moves nothing: an empty
/// component, or a rotation between axes of the same length.
pub const FLAT_INFORMATION: f64 = 1e-8;

/// How far a unit coefficient may lean on a direction that is not identified.
const LEANING: f64 = 1e-5;

/// Which estimate of the covariance matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// I⁻¹ with the observed information (Louis 1982).
    Observed,
    /// (Σ w s sᵀ)⁻¹, the outer product of scores: row weights are frequencies, a row of weight 2 is two
    /// rows, as in the log-likelihood.
    OuterProduct,
    /// I⁻¹ (Σ w² s sᵀ) I⁻¹ (White 1982): holds when the model is wrong; each row is one independent unit
    /// whatever its weight.
    Sandwich,
}

/// Derivatives at a fit and the coordinates they are taken in.
#[derive(Debug, Clone)]
pub struct Inference {
    chart: Chart,
    stats: ScoreStats,
    observed: DMatrix<f64>,
    metric: Metric,
}

/// Estimated covariance matrix of reported parameters.
#[derive(Debug, Clone)]
pub struct Covariance {
    pub coefficients: Vec<Coefficient>,
    pub estimates: Vec<f64>,
    /// Rows and columns of coefficients that are not identified are NaN.
    pub matrix: DMatrix<f64>,
    /// Whether any direction is not identified.
    pub singular: bool,
    /// Smallest share of information (see the module); 1 when nothing is free.
    pub smallest_share: f64,
    /// Indices into `coefficients` of those that are not identified.
    pub unidentified: Vec<usize>,
}

/// C over the coordinates that move something; it is diagonal in the chart.
#[derive(Debug, Clone)]
struct Metric {
    kept: Vec<usize>,
    flat: Vec<usize>,
    /// C^(−½) of the kept coordinates.
    scale: DVector<f64>,
}

/// Eigenvalues of C⁻¹ I, largest first, and the directions in which they are taken: columns v of length P
/// with vᵀ C v = 1.
#[derive(Debug, Clone)]
pub struct Spectrum {
    pub shares: DVector<f64>,
    pub directions: DMatrix<f64>,
}

impl Inference {
    /// Differentiates the log-likelihood of `data` (NaN marks a missing value) at `mixture`.
    ///
    /// # Errors
    /// Those of [`Chart::new`] and [`ScoreStats::new`].
    pub fn new(data: &Data, mixture: &Mixture, known: &Known, threads: usize) -> Result<Self> {
        let chart = Chart::new(mixture, known)?;
        let stats = ScoreStats::new(data, &chart, threads)?;
        let observed = stats.observed_information(&chart);
        let metric = Metric::new(&chart, &stats);
        if !observed.iter().all(|value| value.is_finite()) {
            return Err(Error::Numerical {
                message: "the information matrix is not finite".into(),
            });
        }
        Ok(Inference {
            chart,
            stats,
            observed,
            metric,
        })
    }

    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Sums of scores at the fit.
    pub fn stats(&self) -> &ScoreStats {
        &self.stats
    }

    /// −∂²ℓ/∂φ² at φ = 0, P × P.
    pub fn observed_information(&self) -> &DMatrix<f64> {
        &self.observed
    }

    /// Shares of information of the observed information.
    ///
    /// # Errors
    /// [`Error::Numerical`] when eigenvalues cannot be computed.
    pub fn spectrum(&self) -> Result<Spectrum> {
        self.metric.spectrum(&self.observed)
    }

    /// Coordinates of the chart that move nothing.
    pub fn flat(&self) -> &[usize] {
        &self.metric.flat
    }

    /// Covariance matrix of the reported parameters, by the delta method.
    ///
    /// # Errors
    /// [`Error::Numerical`] when eigenvalues cannot be computed.
    pub fn covariance(&self, estimator: Estimator, scale: CovarianceScale) -> Result<Covariance> {
        let report = Report::new(&self.chart, scale);
        let bread = match estimator {
            Estimator::OuterProduct => self.metric.spectrum(&self.stats.outer)?,
            Estimator::Observed | Estimator::Sandwich => self.spectrum()?,
        };
        let identified = bread
            .shares
            .iter()
            .filter(|share| **share > SINGULAR_SHARE)
            .count();
        // Coefficients along the directions, scaled to unit variance: J V Λ^(−½).
        let along = &report.jacobian * &bread.directions;
        let mut root = along.columns(0, identified).into_owned();
        for (mut column, share) in root.column_iter_mut().zip(bread.shares.iter()) {
            column /= share.sqrt();
        }
        let mut matrix = match estimator {
            Estimator::Observed | Estimator::OuterProduct => &root * root.transpose(),
            Estimator::Sandwich => {
                let meat = self
                    .stats
                    .outer_squared
                    .as_ref()
                    .unwrap_or(&self.stats.outer);
                let mut inverse = bread.directions.columns(0, identified).into_owned();
                for (mut column, share) in inverse.column_iter_mut().zip(bread.shares.iter()) {
                    column /= share.sqrt();
                }
                let middle = inverse.transpose() * meat * &inverse;
                &root * middle * root.transpose()
            }
        };
        matrix = linalg::symmetrized(&matrix);
        let unidentified: Vec<usize> = (0..report.coefficients.len())
            .filter(|&i| {
                let row = along.row(i);
                let null = row.columns(identified, row.len() - identified).norm();
                null > LEANING * row.norm() || self.rests_on_flat(&report, i)
            })
            .collect();
        for &i in &unidentified {
            matrix.row_mut(i).fill(f64::NAN);
            matrix.column_mut(i).fill(f64::NAN);
        }
        Ok(Covariance {
            coefficients: report.coefficients,
            estimates: report.estimates,
            matrix,
            singular: identified < bread.shares.len() || !self.metric.flat.is_empty(),
            smallest_share: bread.shares.iter().copied().fold(1.0, f64::min),
            unidentified,
        })
    }

    /// Whether a coefficient belongs to a part of the model whose chart is singular.
    fn rests_on_flat(&self, report: &Report, index: usize) -> bool {
        use super::coefficients::CoefficientKind as Kind;
        let coefficient = report.coefficients[index];
        self.metric.flat.iter().any(|&c| {
            let coordinate = self.chart.coordinates()[c];
            let owner = coordinate.component.map_or(0, |component| component + 1);
            let same = owner == 0 || coefficient.component == 0 || owner == coefficient.component;
            let moved = match coordinate.motion {
                Motion::Weight(_) => matches!(coefficient.kind, Kind::Weight | Kind::NoiseWeight),
                Motion::Mean(_) => coefficient.kind == Kind::Mean,
                Motion::Stretch(_) | Motion::Rotation(_) => matches!(
                    coefficient.kind,
                    Kind::Covariance | Kind::Deviation | Kind::Correlation
                ),
            };
            same && moved
        })
    }
}

impl Metric {
    fn new(chart: &Chart, stats: &ScoreStats) -> Self {
        let complete = chart.complete_information(&stats.counts, stats.total_weight);
        let least = FLAT_INFORMATION * stats.total_weight;
        let (kept, flat): (Vec<usize>, Vec<usize>) =
            (0..chart.len()).partition(|&c| complete[c] > least);
        let scale =
            DVector::from_iterator(kept.len(), kept.iter().map(|&c| 1.0 / complete[c].sqrt()));
        Metric { kept, flat, scale }
    }

    fn spectrum(&self, information: &DMatrix<f64>) -> Result<Spectrum> {
        let size = self.kept.len();
        let relative = DMatrix::from_fn(size, size, |i, j| {
            self.scale[i] * information[(self.kept[i], self.kept[j])] * self.scale[j]
        });
        let (shares, vectors) = linalg::symmetric_eigen(&relative)?;
        let mut directions = DMatrix::zeros(information.nrows(), size);
        for (from, &row) in self.kept.iter().enumerate() {
            directions.set_row(row, &(vectors.row(from) * self.scale[from]));
        }
        Ok(Spectrum { shares, directions })
    }
}
