use ember_core::linalg::{cholesky, inverse_lower};
use ember_core::mixture::data::Data;
use ember_core::mixture::missing::{expect_missing, Patterns};
use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use ember_core::mixture::stats::MixtureStats;
use nalgebra::{DMatrix, DVector};

use super::{assert_stats_close, close, iris_mixture, iris_with_holes, log_normal, ranges, terms};

#[test]
fn log_likelihood_is_that_of_the_marginal_mixtures() {
    let x = iris_with_holes(0.3, 11);
    let weights: Vec<f64> = (0..150).map(|i| 0.5 + f64::from(i % 3)).collect();
    let data = Data::new(&x, 150, 4, Some(&weights)).unwrap();
    let ranges = ranges(&data);
    let noise = Noise {
        weight: 0.15,
        log_density: -ranges.iter().product::<f64>().ln(),
    };
    let patterns = Patterns::new(&data);
    for model in [
        CovarianceModel::VVV,
        CovarianceModel::EEE,
        CovarianceModel::VVI,
    ] {
        for noise in [None, Some(noise)] {
            let mixture = iris_mixture(model, noise);
            let stats = expect_missing(&data, &patterns, &mixture, 1).unwrap();
            let informative = (0..150).filter(|i| !patterns.empty_rows().contains(i));
            let (mut log_lik, mut noise_count) = (0.0, 0.0);
            for i in informative {
                let terms = terms(&data, i, &mixture, &ranges);
                let density: f64 = terms.iter().sum();
                log_lik += weights[i] * density.ln();
                noise_count += weights[i] * terms.get(3).map_or(0.0, |t| t / density);
            }
            assert!(close(stats.log_lik, log_lik, 1e-12));
            assert!(close(stats.noise_count, noise_count, 1e-12));
        }
    }
}

/// Two correlated components in three dimensions.
fn two_components(model: CovarianceModel) -> Mixture {
    let full = [
        [2.0, 0.9, -0.4, 0.9, 1.0, 0.2, -0.4, 0.2, 0.7],
        [0.6, -0.3, 0.1, -0.3, 1.5, 0.8, 0.1, 0.8, 1.2],
    ];
    Mixture {
        model,
        weights: vec![0.35, 0.65],
        means: DMatrix::from_column_slice(3, 2, &[0.0, 1.0, -1.0, 1.5, -0.5, 0.5]),
        covariances: full
            .iter()
            .map(|cells| {
                let full = DMatrix::from_row_slice(3, 3, cells);
                if model.is_diagonal() {
                    DMatrix::from_diagonal(&full.diagonal())
                } else {
                    full
                }
            })
            .collect(),
        noise: None,
    }
}

/// The statistics of `rows`, every missing cell integrated over a grid (the trapezoid rule is exact to
/// rounding for such integrands).
fn integrated(rows: &[[f64; 3]], mixture: &Mixture) -> MixtureStats {
    let (low, step, points) = (-13.0, 0.2, 131);
    let diagonal = mixture.model.is_diagonal();
    let mut stats = MixtureStats {
        rows: rows.len() as u64,
        total_weight: rows.len() as f64,
        counts: vec![0.0; 2],
        sums: DMatrix::zeros(3, 2),
        crosses: DMatrix::zeros(if diagonal { 3 } else { 6 }, 2),
        noise_count: 0.0,
        log_lik: 0.0,
    };
    for row in rows {
        let missing: Vec<usize> = (0..3).filter(|&j| row[j].is_nan()).collect();
        let cells = points_of_grid(missing.len(), points);
        let volume = f64::powi(step, missing.len() as i32);
        // Joint density, and joint density times y and y yᵀ, of every component.
        let mut mass = [0.0; 2];
        let mut first = DMatrix::<f64>::zeros(3, 2);
        let mut second = [DMatrix::<f64>::zeros(3, 3), DMatrix::<f64>::zeros(3, 3)];
        for cell in cells {
            let mut x = *row;
            for (&j, at) in missing.iter().zip(cell) {
                x[j] = low + step * at as f64;
            }
            for k in 0..2 {
                let mean: Vec<f64> = mixture.means.column(k).iter().copied().collect();
                let sigma = &mixture.covariances[k];
                let p = volume * mixture.weights[k] * log_normal(&x, &mean, sigma).exp();
                let root = inverse_lower(&cholesky(sigma).unwrap());
                let y = root * DVector::from_fn(3, |j, _| x[j] - mean[j]);
                mass[k] += p;
                first.set_column(k, &(first.column(k) + &y * p));
                second[k] += &y * y.transpose() * p;
            }
        }
        let density: f64 = mass.iter().sum();
        stats.log_lik += density.ln();
        for k in 0..2 {
            stats.counts[k] += mass[k] / density;
            let sum = stats.sums.column(k) + first.column(k) / density;
            stats.sums.set_column(k, &sum);
            let mut at = 0;
            for a in 0..3 {
                for b in if diagonal { a } else { 0 }..=a {
                    stats.crosses[(at, k)] += second[k][(a, b)] / density;
                    at += 1;
                }
            }
        }
    }
    stats
}

fn points_of_grid(dimensions: usize, points: usize) -> Vec<Vec<usize>> {
    (0..points.pow(dimensions as u32))
        .map(|cell| {
            (0..dimensions)
                .map(|j| cell / points.pow(j as u32) % points)
                .collect()
        })
        .collect()
}

#[test]
fn statistics_are_those_of_brute_force_integration() {
    let nan = f64::NAN;
    let rows = [
        [0.3, nan, -0.2],
        [nan, nan, 0.9],
        [1.2, 0.1, 0.4],
        [nan, 1.7, nan],
        [-1.0, 0.4, nan],
        [0.9, nan, 1.1],
    ];
    let x: Vec<f64> = (0..3).flat_map(|j| rows.map(|row| row[j])).collect();
    let data = Data::new(&x, rows.len(), 3, None).unwrap();
    for model in [CovarianceModel::VVV, CovarianceModel::VVI] {
        let mixture = two_components(model);
        let stats = expect_missing(&data, &Patterns::new(&data), &mixture, 1).unwrap();
        assert_stats_close(&stats, &integrated(&rows, &mixture), 1e-9);
    }
}
