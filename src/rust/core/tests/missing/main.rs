//! EM with missing values against complete data, brute force, and closed forms.

mod brute_force;
mod complete;
mod estimates;
mod posterior;

use std::path::PathBuf;

use ember_core::mixture::data::Data;
use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use ember_core::mixture::stats::MixtureStats;
use ember_core::rng::stream;
use nalgebra::DMatrix;
use rand::RngExt;

/// Rows of iris (column-major) with about `share` of the cells missing, chosen at random.
pub fn iris_with_holes(share: f64, seed: u64) -> Vec<f64> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/iris.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            let cells = line.split_whitespace().skip(1);
            cells.map(|x| x.parse().unwrap()).collect()
        })
        .collect();
    let mut rng = stream(seed, 0);
    (0..4)
        .flat_map(|j| rows.iter().map(move |row| row[j]))
        .map(|x| {
            if rng.random::<f64>() < share {
                f64::NAN
            } else {
                x
            }
        })
        .collect()
}

/// Three components at iris' species' places, correlated unless `model` is diagonal.
pub fn iris_mixture(model: CovarianceModel, noise: Option<Noise>) -> Mixture {
    let rest = 1.0 - noise.map_or(0.0, |noise| noise.weight);
    let covariance = |scale: f64| {
        DMatrix::from_fn(4, 4, |i, j| {
            let correlation = match (i == j, model.is_diagonal()) {
                (true, _) => 1.0,
                (false, true) => 0.0,
                (false, false) => 0.6 - 0.1 * i.abs_diff(j) as f64,
            };
            scale * correlation * [0.5, 0.4, 0.6, 0.3][i] * [0.5, 0.4, 0.6, 0.3][j]
        })
    };
    let scales = if model.is_pooled() {
        [1.0, 1.0, 1.0]
    } else {
        [0.5, 1.0, 1.3]
    };
    Mixture {
        model,
        weights: [0.3, 0.3, 0.4].iter().map(|w| w * rest).collect(),
        means: DMatrix::from_column_slice(
            4,
            3,
            &[5.0, 3.4, 1.5, 0.25, 5.9, 2.8, 4.3, 1.3, 6.6, 3.0, 5.5, 2.0],
        ),
        covariances: scales.map(covariance).to_vec(),
        noise,
    }
}

/// log N(x; mean, covariance), from the definition.
pub fn log_normal(x: &[f64], mean: &[f64], covariance: &DMatrix<f64>) -> f64 {
    let u = DMatrix::from_fn(x.len(), 1, |i, _| x[i] - mean[i]);
    let inverse = covariance.clone().try_inverse().unwrap();
    let distance = (u.transpose() * inverse * &u)[(0, 0)];
    let constant = x.len() as f64 * (2.0 * std::f64::consts::PI).ln();
    -0.5 * (constant + covariance.determinant().ln() + distance)
}

/// Densities of the observed cells of row `i` under each component times its weight; `ranges` are the
/// extents of the noise box.
pub fn terms(data: &Data, i: usize, mixture: &Mixture, ranges: &[f64]) -> Vec<f64> {
    let observed: Vec<usize> = (0..data.columns())
        .filter(|&j| !data.column(j)[i].is_nan())
        .collect();
    let x: Vec<f64> = observed.iter().map(|&j| data.column(j)[i]).collect();
    let mut terms: Vec<f64> = (0..mixture.components())
        .map(|k| {
            let mean: Vec<f64> = observed.iter().map(|&j| mixture.means[(j, k)]).collect();
            let covariance = DMatrix::from_fn(x.len(), x.len(), |a, b| {
                mixture.covariances[k][(observed[a], observed[b])]
            });
            mixture.weights[k] * log_normal(&x, &mean, &covariance).exp()
        })
        .collect();
    if let Some(noise) = mixture.noise {
        let volume: f64 = observed.iter().map(|&j| ranges[j]).product();
        terms.push(noise.weight / volume);
    }
    terms
}

/// Extent of the observed cells of every column.
pub fn ranges(data: &Data) -> Vec<f64> {
    (0..data.columns())
        .map(|j| {
            let cells = data.column(j).iter().copied();
            cells.clone().fold(f64::MIN, f64::max) - cells.fold(f64::MAX, f64::min)
        })
        .collect()
}

pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + b.abs())
}

pub fn assert_stats_close(a: &MixtureStats, b: &MixtureStats, tolerance: f64) {
    assert_eq!(a.rows, b.rows);
    let flat = |s: &MixtureStats| -> Vec<f64> {
        let scalars = [s.total_weight, s.noise_count, s.log_lik];
        let counts = s.counts.iter().chain(&scalars);
        counts
            .chain(s.sums.iter())
            .chain(s.crosses.iter())
            .copied()
            .collect()
    };
    let (a, b) = (flat(a), flat(b));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!(close(*a, *b, tolerance), "{a} {b}");
    }
}
