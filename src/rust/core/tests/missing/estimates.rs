use ember_core::mixture::data::Data;
use ember_core::mixture::maximize::maximize;
use ember_core::mixture::missing::{
    expect_missing, moments_from_responsibilities_missing, Patterns,
};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::moments::moments;
use ember_core::mixture::rules::Rules;
use ember_core::rng::stream;
use nalgebra::DMatrix;
use rand::RngExt;

use super::{iris_mixture, iris_with_holes, ranges, terms};

/// `steps` of plain EM; every step must not lower the log-likelihood.
fn climb(data: &Data, mut mixture: Mixture, steps: usize) -> (Mixture, f64) {
    let patterns = Patterns::new(data);
    let rules = Rules::default();
    let mut log_lik = f64::NEG_INFINITY;
    for step in 0..steps {
        let stats = expect_missing(data, &patterns, &mixture, 1).unwrap();
        let slack = 1e-11 * stats.log_lik.abs();
        assert!(
            stats.log_lik >= log_lik - slack,
            "step {step}: {log_lik} to {}",
            stats.log_lik
        );
        log_lik = stats.log_lik;
        let moments = moments(&stats, &mixture, None).unwrap();
        mixture = maximize(&moments, Some(&mixture), mixture.model, &rules).unwrap();
    }
    (mixture, log_lik)
}

fn observed_log_lik(data: &Data, mixture: &Mixture) -> f64 {
    let ranges = ranges(data);
    (0..data.rows())
        .filter(|&i| (0..data.columns()).any(|j| !data.column(j)[i].is_nan()))
        .map(|i| terms(data, i, mixture, &ranges).iter().sum::<f64>().ln())
        .sum()
}

#[test]
fn em_on_iris_with_a_tenth_missing_climbs_to_a_stationary_point() {
    let x = iris_with_holes(0.1, 20);
    let data = Data::new(&x, 150, 4, None).unwrap();
    for model in [
        CovarianceModel::VVV,
        CovarianceModel::EEE,
        CovarianceModel::VVI,
        CovarianceModel::VEE,
    ] {
        let (fit, _) = climb(&data, iris_mixture(model, None), 1500);
        let at = |shift: &dyn Fn(&mut Mixture, f64)| {
            let value = |h: f64| {
                let mut moved = fit.clone();
                shift(&mut moved, h);
                observed_log_lik(&data, &moved)
            };
            (value(1e-4) - value(-1e-4)) / 2e-4
        };
        for k in 0..3 {
            for j in 0..4 {
                let slope = at(&|m, h| m.means[(j, k)] += h);
                assert!(slope.abs() < 1e-3, "{model:?} mean {j} {k}: {slope}");
            }
        }
        let slope = at(&|m, h| m.covariances.iter_mut().for_each(|s| *s *= 1.0 + h));
        assert!(slope.abs() < 1e-3, "{model:?} scale: {slope}");
        let slope = at(&|m, h| {
            m.weights[0] += h;
            m.weights[1] -= h;
        });
        assert!(slope.abs() < 1e-3, "{model:?} weights: {slope}");
        if model == CovarianceModel::VVV {
            for (a, b) in [(0, 0), (1, 0), (3, 2)] {
                let slope = at(&|m, h| {
                    m.covariances[1][(a, b)] += 0.1 * h;
                    m.covariances[1][(b, a)] = m.covariances[1][(a, b)];
                });
                assert!(slope.abs() < 1e-3, "covariance {a} {b}: {slope}");
            }
        }
    }
}

/// Anderson (1957): with x_2 missing in some rows the likelihood factors into that of x_1 (all rows) and the
/// regression of x_2 on x_1 (complete rows).
#[test]
fn one_normal_with_a_monotone_pattern_has_its_closed_form() {
    let (n, complete) = (80, 50);
    let mut rng = stream(4, 0);
    let first: Vec<f64> = (0..n).map(|_| 5.0 + 3.0 * rng.random::<f64>()).collect();
    let second: Vec<f64> = (0..n)
        .map(|i| {
            let noise = rng.random::<f64>();
            if i < complete {
                2.0 - 0.7 * first[i] + noise
            } else {
                f64::NAN
            }
        })
        .collect();
    let x = [first.clone(), second.clone()].concat();
    let data = Data::new(&x, n, 2, None).unwrap();

    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (m1, c1, c2) = (
        mean(&first),
        mean(&first[..complete]),
        mean(&second[..complete]),
    );
    let products = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
        let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum();
        sum / a.len() as f64
    };
    let s11 = products(&first, m1, &first, m1);
    let (u, v) = (&first[..complete], &second[..complete]);
    let slope = products(u, c1, v, c2) / products(u, c1, u, c1);
    let residual = products(v, c2, v, c2) - slope * products(u, c1, v, c2);
    let mu = [m1, c2 + slope * (m1 - c1)];
    let sigma = [
        s11,
        slope * s11,
        slope * s11,
        residual + slope * slope * s11,
    ];

    let start = moments_from_responsibilities_missing(&data, &vec![1.0; n], 1, false);
    let start = maximize(&start, None, CovarianceModel::VVV, &Rules::default()).unwrap();
    let (fit, log_lik) = climb(&data, start, 300);
    for (a, b) in fit.means.iter().zip(mu) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    for (a, b) in fit.covariances[0].iter().zip(sigma) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    assert!((log_lik - observed_log_lik(&data, &fit)).abs() < 1e-9);
}

#[test]
fn units_and_origins_change_the_log_likelihood_by_the_jacobian_alone() {
    let x = iris_with_holes(0.15, 30);
    let data = Data::new(&x, 150, 4, None).unwrap();
    let units = [1e-6, 1e6, 10.0, 1.0];
    let y: Vec<f64> = (0..600).map(|c| units[c / 150] * (x[c] + 100.0)).collect();
    let scaled = Data::new(&y, 150, 4, None).unwrap();
    let start = iris_mixture(CovarianceModel::VVV, None);
    let mut moved = start.clone();
    moved.means = DMatrix::from_fn(4, 3, |j, k| units[j] * (start.means[(j, k)] + 100.0));
    for sigma in &mut moved.covariances {
        *sigma = DMatrix::from_fn(4, 4, |a, b| units[a] * units[b] * sigma[(a, b)]);
    }
    let (_, before) = climb(&data, start, 50);
    let (_, after) = climb(&scaled, moved, 50);
    let jacobian: f64 = (0..600)
        .filter(|&c| !x[c].is_nan())
        .map(|c| units[c / 150].ln())
        .sum();
    assert!(
        (before - (after + jacobian)).abs() < 1e-8,
        "{before} {}",
        after + jacobian
    );
}
