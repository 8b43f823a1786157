//! From whitened statistics back to the coordinates of the data.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::data::Data;
use super::model::Mixture;
use super::stats::{MixtureStats, Moments, Scatter};
use crate::error::{Error, Result};

/// Within-component scatter over total scatter below which W = T − B has lost too many digits: 1e-6 leaves ten.
const CANCELLATION: f64 = 1e-6;

/// Scatter T of all rows about their mean: constant during a fit, so computed once.
///
/// In a pooled model without noise the within-component scatter is W = T − Σ N_k (x̄_k − x̄)(x̄_k − x̄)ᵀ, so
/// an E-step needs first moments only.
#[derive(Debug, Clone, PartialEq)]
pub struct TotalScatter {
    /// Weighted mean x̄ of all rows.
    pub mean: DVector<f64>,
    /// T = Σ w (x − x̄)(x − x̄)ᵀ.
    pub scatter: DMatrix<f64>,
    /// Σ w.
    pub total_weight: f64,
}

impl TotalScatter {
    /// One pass over `data` (two for the mean).
    pub fn of(data: &Data) -> Self {
        TotalScatter {
            mean: data.mean(),
            scatter: data.scatter(),
            total_weight: data.total_weight(),
        }
    }

    /// L⁻¹ T L⁻ᵀ, with L = chol Σ of the pooled covariance.
    fn whitened(&self, root: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        let half = solve_lower(root, &self.scatter)?;
        solve_lower(root, &half.transpose())
    }

    /// Whether first moments at the pooled covariance L Lᵀ keep enough digits of the within scatter.
    pub fn suffices(&self, root: &DMatrix<f64>) -> bool {
        self.whitened(root)
            .is_ok_and(|t| t.trace() * CANCELLATION <= self.total_weight)
    }
}

/// Weighted means and within-component scatters from statistics taken at `reference`.
///
/// x̄_k = μ_k + L_k ȳ_k and W_k = L_k (S_k − N_k ȳ_k ȳ_kᵀ) L_kᵀ, diagonal for a diagonal model. `total` is needed where `stats` hold first
/// moments only ([`expect`](super::expect::expect) was given it).
///
/// # Errors
/// [`Error::NotPositiveDefinite`] when a covariance of `reference` is not;
/// [`Error::Argument`] when `total` is missing;
/// [`Error::Numerical`] only when W = T − B would cancel: the new components are so tight that the caller must
/// repeat `expect` without `total` and call again.
pub fn moments(
    stats: &MixtureStats,
    reference: &Mixture,
    total: Option<&TotalScatter>,
) -> Result<Moments> {
    let (d, k) = (reference.dim(), reference.components());
    let first_only = stats.crosses.nrows() == 0;
    let mut means = reference.means.clone();
    let mut scatters = Vec::with_capacity(k);
    for component in 0..k {
        let root = root(&reference.covariances[component])?;
        let count = stats.counts[component];
        let mean = if count > 0.0 {
            stats.sums.column(component) / count
        } else {
            DVector::zeros(d)
        };
        let shift = &root * &mean;
        means.set_column(component, &(means.column(component) + shift));
        if !first_only {
            let within = centered_cross(stats, component, count, &mean);
            scatters.push(symmetric(&root * within * root.transpose()));
        }
    }
    let scatter = if first_only {
        Scatter::Pooled(pooled_scatter(stats, reference, total)?)
    } else {
        Scatter::PerComponent(scatters)
    };
    Ok(Moments {
        total_weight: stats.total_weight,
        counts: stats.counts.clone(),
        means,
        scatter,
        noise_count: stats.noise_count,
    })
}

/// S_k − N_k ȳ ȳᵀ in whitened coordinates (diagonal when only the diagonal was kept).
fn centered_cross(
    stats: &MixtureStats,
    component: usize,
    count: f64,
    mean: &DVector<f64>,
) -> DMatrix<f64> {
    let d = mean.len();
    let cross = stats.crosses.column(component);
    let mut within = DMatrix::zeros(d, d);
    if cross.len() == d {
        for i in 0..d {
            within[(i, i)] = (cross[i] - count * mean[i] * mean[i]).max(0.0);
        }
        return within;
    }
    let mut at = 0;
    for i in 0..d {
        for j in 0..=i {
            let value = cross[at] - count * mean[i] * mean[j];
            within[(i, j)] = value;
            within[(j, i)] = value;
            at += 1;
        }
    }
    within
}

/// W = T − B from first moments, computed in whitened coordinates.
fn pooled_scatter(
    stats: &MixtureStats,
    reference: &Mixture,
    total: Option<&TotalScatter>,
) -> Result<DMatrix<f64>> {
    let total = total.ok_or_else(|| Error::Argument {
        argument: "total",
        message: "is needed where the statistics hold first moments only".into(),
    })?;
    let root = root(&reference.covariances[0])?;
    let mut within = total.whitened(&root)?;
    let ceiling = within.trace();
    for component in 0..reference.components() {
        let count = stats.counts[component];
        if count > 0.0 {
            let offset = reference.means.column(component) - &total.mean;
            let deviation = root
                .solve_lower_triangular(&offset)
                .ok_or(Error::NotPositiveDefinite { pivot: 0 })?
                + stats.sums.column(component) / count;
            within -= &deviation * deviation.transpose() * count;
        }
    }
    if reference.model.is_diagonal() {
        within = DMatrix::from_diagonal(&within.diagonal());
    }
    let mut margin = symmetric(within.clone());
    for i in 0..margin.nrows() {
        margin[(i, i)] -= CANCELLATION * ceiling;
    }
    if Cholesky::new(margin).is_none() {
        return Err(Error::Numerical {
            message:
                "the components are too tight for the total scatter; second moments are needed"
                    .into(),
        });
    }
    Ok(symmetric(&root * within * root.transpose()))
}

/// Weighted means and scatters for given responsibilities (labels are a special case), n × K (K + 1 with
/// `noise`, the last column), column-major. A component without weight gets the overall mean and no scatter.
pub fn moments_from_responsibilities(
    data: &Data,
    posterior: &[f64],
    k: usize,
    noise: bool,
) -> Moments {
    let (n, d) = (data.rows(), data.columns());
    let overall = data.mean();
    let weight = |i: usize| data.weights().map_or(1.0, |w| w[i]);
    let count = |column: usize| -> f64 {
        let r = &posterior[column * n..(column + 1) * n];
        r.iter().enumerate().map(|(i, r)| weight(i) * r).sum()
    };
    let counts: Vec<f64> = (0..k).map(count).collect();
    let mut means = DMatrix::zeros(d, k);
    let mut scatters = Vec::with_capacity(k);
    for component in 0..k {
        let r: Vec<f64> = (0..n)
            .map(|i| weight(i) * posterior[component * n + i])
            .collect();
        let mut mean = overall.clone();
        if counts[component] > 0.0 {
            for j in 0..d {
                let sum: f64 = data
                    .column(j)
                    .iter()
                    .zip(&r)
                    .map(|(x, r)| r * (x - overall[j]))
                    .sum();
                mean[j] += sum / counts[component];
            }
        }
        scatters.push(DMatrix::from_fn(d, d, |i, j| {
            let (i, j) = (i.max(j), i.min(j));
            let pairs = data.column(i).iter().zip(data.column(j));
            pairs
                .zip(&r)
                .map(|((a, b), r)| r * (a - mean[i]) * (b - mean[j]))
                .sum()
        }));
        means.set_column(component, &mean);
    }
    Moments {
        total_weight: data.total_weight(),
        counts,
        means,
        scatter: Scatter::PerComponent(scatters),
        noise_count: if noise { count(k) } else { 0.0 },
    }
}

/// The lower Cholesky factor.
pub(crate) fn root(covariance: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    match Cholesky::new(covariance.clone()) {
        Some(factor) => Ok(factor.unpack()),
        None => Err(Error::NotPositiveDefinite {
            pivot: first_bad_pivot(covariance),
        }),
    }
}

/// The size of the largest leading block that still has a Cholesky factor.
fn first_bad_pivot(covariance: &DMatrix<f64>) -> usize {
    (0..covariance.nrows())
        .find(|&i| Cholesky::new(covariance.view((0, 0), (i + 1, i + 1)).into_owned()).is_none())
        .unwrap_or(0)
}

fn solve_lower(root: &DMatrix<f64>, right: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    root.solve_lower_triangular(right)
        .ok_or(Error::NotPositiveDefinite { pivot: 0 })
}

/// Removes the asymmetry that rounding left.
fn symmetric(matrix: DMatrix<f64>) -> DMatrix<f64> {
    let transpose = matrix.transpose();
    (matrix + transpose) * 0.5
}
