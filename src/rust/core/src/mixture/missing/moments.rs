//! First parameters when cells are missing.

use nalgebra::DMatrix;

use crate::mixture::data::Data;
use crate::mixture::stats::{Moments, Scatter};

/// Weighted means and scatters for given responsibilities, n × K (K + 1 with `noise`, the last column),
/// column-major, from the observed cells.
///
/// Means and variances are those of a component's observed cells. A missing cell enters the scatter as one
/// with that mean, that variance, and no correlation: one E-step of a model with independent columns. The
/// scatter stays positive semi-definite, and without missing cells it is the usual one. Meant as a start, not
/// as an estimate. Where a component observes no cell of a column, the column's overall mean and variance serve.
pub fn moments_from_responsibilities_missing(
    data: &Data,
    posterior: &[f64],
    k: usize,
    noise: bool,
) -> Moments {
    let n = data.rows();
    let informative: Vec<f64> = (0..n)
        .map(|i| {
            let observed = (0..data.columns()).any(|j| !data.column(j)[i].is_nan());
            let weight = data.weights().map_or(1.0, |weights| weights[i]);
            if observed {
                weight
            } else {
                0.0
            }
        })
        .collect();
    let overall: Vec<Available> = columns(data, &informative, None);
    let mut counts = Vec::with_capacity(k);
    let mut means = DMatrix::zeros(data.columns(), k);
    let mut scatters = Vec::with_capacity(k);
    for component in 0..k {
        let r = &posterior[component * n..(component + 1) * n];
        let masses: Vec<f64> = std::iter::zip(&informative, r)
            .map(|(w, r)| w * r)
            .collect();
        let count = masses.iter().sum();
        let available = columns(data, &masses, Some(&overall));
        for (j, cell) in available.iter().enumerate() {
            means[(j, component)] = cell.mean;
        }
        scatters.push(scatter(data, &masses, count, &available));
        counts.push(count);
    }
    let noise_count = if noise {
        let r = &posterior[k * n..(k + 1) * n];
        std::iter::zip(&informative, r).map(|(w, r)| w * r).sum()
    } else {
        0.0
    };
    Moments {
        total_weight: informative.iter().sum(),
        counts,
        means,
        scatter: Scatter::PerComponent(scatters),
        noise_count,
    }
}

/// What the observed cells of a column say.
#[derive(Clone, Copy)]
struct Available {
    mass: f64,
    mean: f64,
    variance: f64,
}

fn columns(data: &Data, masses: &[f64], fallback: Option<&[Available]>) -> Vec<Available> {
    (0..data.columns())
        .map(|j| {
            let start = fallback.map_or(0.0, |overall| overall[j].mean);
            let cells = || {
                let cells = std::iter::zip(data.column(j), masses);
                cells.filter(|(x, _)| !x.is_nan())
            };
            let mass: f64 = cells().map(|(_, r)| r).sum();
            if mass <= 0.0 {
                let nothing = Available {
                    mass,
                    mean: start,
                    variance: 0.0,
                };
                return fallback.map_or(nothing, |overall| Available { mass, ..overall[j] });
            }
            // The second pass takes back what a large mean cost the first.
            let mean_from = |origin: f64| -> f64 {
                let sum: f64 = cells().map(|(x, r)| r * (x - origin)).sum();
                origin + sum / mass
            };
            let mean = mean_from(mean_from(start));
            let squares: f64 = cells().map(|(x, r)| r * (x - mean) * (x - mean)).sum();
            Available {
                mass,
                mean,
                variance: squares / mass,
            }
        })
        .collect()
}

fn scatter(data: &Data, masses: &[f64], count: f64, available: &[Available]) -> DMatrix<f64> {
    let d = available.len();
    let mut scatter = DMatrix::zeros(d, d);
    for a in 0..d {
        for b in 0..=a {
            let cells = std::iter::zip(data.column(a), data.column(b)).zip(masses);
            let sum: f64 = cells
                .filter(|((x, y), _)| !x.is_nan() && !y.is_nan())
                .map(|((x, y), r)| r * (x - available[a].mean) * (y - available[b].mean))
                .sum();
            scatter[(a, b)] = sum;
            scatter[(b, a)] = sum;
        }
        scatter[(a, a)] += (count - available[a].mass).max(0.0) * available[a].variance;
    }
    scatter
}
