//! From whitened statistics back to the coordinates of the data.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::data::{unpack, Data};
use super::expect::given::sums_about;
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
    let k = reference.components();
    let first_only = stats.crosses.nrows() == 0;
    let mut means = reference.means.clone();
    let mut scatters = Vec::with_capacity(k);
    let mut shared = None;
    for component in 0..k {
        let root = match shared.take() {
            Some(root) if reference.model.is_pooled() => root,
            _ => root(&reference.covariances[component])?,
        };
        let count = stats.counts[component];
        if count > 0.0 {
            means.column_mut(component).gemv(
                1.0 / count,
                &root,
                &stats.sums.column(component),
                1.0,
            );
        }
        if !first_only {
            scatters.push(component_scatter(stats, component, &root));
        }
        shared = Some(root);
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

/// W_k = L_k (S_k − N_k ȳ_k ȳ_kᵀ) L_kᵀ, diagonal when only the diagonal of S_k was kept.
///
/// Written out, because small mixtures spend their time here: W = L M is filled from below, where nothing is
/// needed any more, and W Lᵀ likewise.
fn component_scatter(stats: &MixtureStats, component: usize, root: &DMatrix<f64>) -> DMatrix<f64> {
    let d = root.nrows();
    let count = stats.counts[component];
    let cross = stats.crosses.column(component);
    let sum = stats.sums.column(component);
    let scale = if count > 0.0 { 1.0 / count } else { 0.0 };
    let mut scatter = DMatrix::zeros(d, d);
    if cross.len() == d {
        for i in 0..d {
            let within = (cross[i] - scale * sum[i] * sum[i]).max(0.0);
            scatter[(i, i)] = root[(i, i)] * root[(i, i)] * within;
        }
        return scatter;
    }
    let mut at = 0;
    for i in 0..d {
        for j in 0..=i {
            let within = cross[at] - scale * sum[i] * sum[j];
            scatter[(i, j)] = within;
            scatter[(j, i)] = within;
            at += 1;
        }
    }
    for j in 0..d {
        for i in (0..d).rev() {
            scatter[(i, j)] = (0..=i).map(|l| root[(i, l)] * scatter[(l, j)]).sum();
        }
    }
    for i in 0..d {
        for j in (0..d).rev() {
            scatter[(i, j)] = (0..=j).map(|l| scatter[(i, l)] * root[(j, l)]).sum();
        }
    }
    for i in 0..d {
        for j in 0..i {
            let entry = 0.5 * (scatter[(i, j)] + scatter[(j, i)]);
            scatter[(i, j)] = entry;
            scatter[(j, i)] = entry;
        }
    }
    scatter
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
    let mut counts = Vec::with_capacity(k);
    let mut means = DMatrix::zeros(d, k);
    let mut scatters = Vec::with_capacity(k);
    for (component, z) in posterior.chunks_exact(n).take(k).enumerate() {
        let rough = sums_about(data, Some(z), overall.as_slice());
        let mut mean = overall.clone();
        if rough.count > 0.0 {
            mean += DVector::from_vec(rough.firsts) / rough.count;
        }
        // A second pass, about the component's own mean, so that tight components far apart lose no digits.
        let sums = sums_about(data, Some(z), mean.as_slice());
        counts.push(sums.count);
        means.set_column(component, &mean);
        scatters.push(unpack(&sums.crosses, d));
    }
    let noise_count = posterior
        .chunks_exact(n)
        .nth(k)
        .filter(|_| noise)
        .map_or(0.0, |z| sums_about(data, Some(z), overall.as_slice()).count);
    Moments {
        total_weight: data.total_weight(),
        counts,
        means,
        scatter: Scatter::PerComponent(scatters),
        noise_count,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels as responsibilities: the moments are those of the groups.
    #[test]
    fn labels_give_the_moments_of_the_groups() {
        let x = [1.0, 3.0, 10.0, 12.0, 17.0, 0.0, 2.0, 1.0, 1.0, 4.0];
        let data = Data::new(&x, 5, 2, None).unwrap();
        let mut posterior = [0.0; 20];
        for (i, label) in [0, 0, 1, 1, 3].into_iter().enumerate() {
            posterior[label * 5 + i] = 1.0;
        }
        let moments = moments_from_responsibilities(&data, &posterior, 3, true);
        assert_eq!(moments.counts, [2.0, 2.0, 0.0]);
        assert_eq!(moments.noise_count, 1.0);
        assert_eq!(moments.means.column(0).as_slice(), [2.0, 1.0]);
        assert_eq!(moments.means.column(1).as_slice(), [11.0, 1.0]);
        // No weight: the overall mean, no scatter.
        assert_eq!(moments.means.column(2), data.mean());
        let Scatter::PerComponent(scatters) = moments.scatter else {
            panic!("scatter is per component");
        };
        assert_eq!(scatters[0].as_slice(), [2.0, 2.0, 2.0, 2.0]);
        assert_eq!(scatters[1].as_slice(), [2.0, 0.0, 0.0, 0.0]);
        assert_eq!(scatters[2].as_slice(), [0.0; 4]);
    }

    /// Two tight groups far apart keep their scatter.
    #[test]
    fn distance_between_groups_costs_no_digits() {
        let x: Vec<f64> = (0..600)
            .map(|i| f64::from(i % 2) * 1e9 + f64::from(i / 2 % 3))
            .collect();
        let data = Data::new(&x, 600, 1, None).unwrap();
        let label = |k: i32| (0..600).map(move |i| f64::from(u8::from(i % 2 == k)));
        let posterior: Vec<f64> = label(0).chain(label(1)).collect();
        let moments = moments_from_responsibilities(&data, &posterior, 2, false);
        let Scatter::PerComponent(scatters) = moments.scatter else {
            panic!("scatter is per component");
        };
        for scatter in scatters {
            assert!((scatter[(0, 0)] - 200.0).abs() < 1e-4, "{scatter}");
        }
    }
}
