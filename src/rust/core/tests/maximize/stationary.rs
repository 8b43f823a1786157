//! Each M-step is the maximum of Q inside its own family; larger families do better; coordinates return.

use ember_core::mixture::coordinates::{flatten, unflatten};
use ember_core::mixture::maximize::{complete_log_lik, maximize};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::prior::{log_prior, Prior};
use ember_core::mixture::rules::Rules;
use ember_core::mixture::stats::Scatter;
use nalgebra::DMatrix;
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{load, matrix_error, DataSet};

const DATA: [&str; 3] = ["iris", "faithful", "precip"];

/// Q + log prior at the maximum and at coordinates around it.
fn assert_is_maximum(data: &DataSet, model: CovarianceModel, rules: &Rules) {
    let moments = data.moments(&data.soft());
    let best = maximize(&moments, None, model, rules).unwrap();
    let at = flatten(&best, rules).unwrap();
    let q = |mixture: &Mixture| complete_log_lik(&moments, mixture) + log_prior(mixture, rules);
    let q_at = |point: &[f64]| q(&unflatten(point, &best, rules).unwrap());
    let peak = q(&best);
    let n = moments.total_weight;
    for j in 0..at.len() {
        let step = 1e-4;
        let side = |h: f64| {
            let mut point = at.clone();
            point[j] += h;
            q_at(&point)
        };
        let slope = (8.0 * (side(step) - side(-step)) - (side(2.0 * step) - side(-2.0 * step)))
            / (12.0 * step);
        assert!(slope.abs() / n < 1e-8, "{} {j}: {slope:e}", model.name());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for trial in 0..200 {
        let size = [1e-3, 1e-2, 0.1, 0.5][trial % 4];
        let point: Vec<f64> = at
            .iter()
            .map(|x| x + size * (rng.random::<f64>() - 0.5))
            .collect();
        let value = q_at(&point);
        assert!(
            value <= peak + 1e-10 * n,
            "{} {:e}",
            model.name(),
            value - peak
        );
    }
}

#[test]
fn no_member_of_the_family_does_better() {
    for name in DATA {
        let data = load(name);
        for model in data.models() {
            assert_is_maximum(&data, model, &data.rules());
        }
    }
}

#[test]
fn no_member_of_the_family_does_better_under_rules() {
    let data = load("iris");
    for model in data.models() {
        let mut prior = Prior::default_for(model, data.k, 150, data.mean(), &data.covariance());
        prior.shrinkage = 5.0;
        let mut rules = data.rules();
        rules.prior = Some(prior);
        assert_is_maximum(&data, model, &rules);

        let mut means = data.moments(&data.hard()).means;
        means.add_scalar_mut(0.25);
        rules.prior = None;
        rules.known.means = Some(means.clone());
        rules.known.weights = Some(vec![0.2, 0.3, 0.5]);
        assert_is_maximum(&data, model, &rules);
    }
}

/// The condition of Flury (1984): Σ_k (Dᵀ S_k D)_lm (1/σ_kl − 1/σ_km) = 0 for every plane; it holds for EVE
/// and VVE alike.
#[test]
fn common_axes_are_stationary() {
    for name in ["iris", "faithful"] {
        let data = load(name);
        let moments = data.moments(&data.hard());
        let Scatter::PerComponent(scatters) = &moments.scatter else {
            unreachable!()
        };
        for model in [CovarianceModel::EVE, CovarianceModel::VVE] {
            let best = maximize(&moments, None, model, &data.rules()).unwrap();
            // Generic weights make the shared axes those of the sum.
            let axes = (best.covariances.iter())
                .enumerate()
                .fold(
                    DMatrix::zeros(data.x.nrows(), data.x.nrows()),
                    |sum, (k, sigma)| sum + sigma * (1.0 + 0.37 * k as f64),
                )
                .symmetric_eigen()
                .eigenvectors;
            let inside = |matrix: &DMatrix<f64>| axes.transpose() * matrix * &axes;
            for l in 0..axes.ncols() {
                for m in 0..l {
                    let mut slope = 0.0;
                    for (scatter, sigma) in scatters.iter().zip(&best.covariances) {
                        let (s, v) = (inside(scatter), inside(sigma));
                        assert!(v[(l, m)].abs() < 1e-13);
                        slope += s[(l, m)] * (1.0 / v[(l, l)] - 1.0 / v[(m, m)]);
                    }
                    let relative = slope.abs() / moments.total_weight;
                    assert!(relative < 1e-10, "{name} {} {relative:e}", model.name());
                }
            }
        }
    }
}

#[test]
fn larger_families_do_better() {
    use CovarianceModel::*;
    let nested = [
        (VII, EII),
        (EEI, EII),
        (VEI, VII),
        (VEI, EEI),
        (EVI, EEI),
        (VVI, VEI),
        (VVI, EVI),
        (EEE, EEI),
        (VEE, EEE),
        (VEE, VEI),
        (EVE, EEE),
        (EVE, EVI),
        (VVE, VEE),
        (VVE, EVE),
        (EEV, EEE),
        (VEV, EEV),
        (VEV, VEE),
        (EVV, EEV),
        (EVV, EVE),
        (VVV, VEV),
        (VVV, EVV),
        (VVV, VVE),
        (VVE, VVI),
    ];
    for name in ["iris", "faithful"] {
        let data = load(name);
        let moments = data.moments(&data.soft());
        let q = |model| {
            let best = maximize(&moments, None, model, &data.rules()).unwrap();
            complete_log_lik(&moments, &best)
        };
        for (large, small) in nested {
            let gain = q(large) - q(small);
            assert!(
                gain > 1e-6,
                "{name} {} {}: {gain}",
                large.name(),
                small.name()
            );
        }
    }
}

#[test]
fn coordinates_return() {
    for name in DATA {
        let data = load(name);
        let moments = data.moments(&data.hard());
        let mut rules = data.rules();
        rules.noise = Some(-9.0);
        for model in data.models() {
            let mut noisy = moments.clone();
            noisy.noise_count = 11.0;
            let best = maximize(&noisy, None, model, &rules).unwrap();
            let at = flatten(&best, &rules).unwrap();
            let back = unflatten(&at, &best, &rules).unwrap();
            let weights = best.weights.iter().zip(&back.weights);
            assert!(weights.map(|(x, y)| (x - y).abs()).sum::<f64>() < 1e-14);
            assert!((best.noise.unwrap().weight - back.noise.unwrap().weight).abs() < 1e-14);
            assert!(matrix_error(&back.means, &best.means) < 1e-14);
            for (x, y) in back.covariances.iter().zip(&best.covariances) {
                let error = matrix_error(x, y);
                assert!(error < 1e-12, "{name} {}: {error:e}", model.name());
            }
            for (x, y) in flatten(&back, &rules).unwrap().iter().zip(&at) {
                assert!((x - y).abs() < 1e-11, "{name} {}", model.name());
            }
            assert!(unflatten(&at[1..], &best, &rules).is_none());
            for bad in [f64::NAN, f64::INFINITY, 1e4, -1e4] {
                let mut far = at.clone();
                *far.last_mut().unwrap() = bad;
                if let Some(mixture) = unflatten(&far, &best, &rules) {
                    assert!(mixture.covariances.iter().flatten().all(|x| x.is_finite()));
                }
            }
        }
    }
}

#[test]
fn known_parts_have_no_coordinates() {
    let data = load("precip");
    let moments = data.moments(&data.hard());
    let mut rules = data.rules();
    rules.known.weights = Some(vec![0.5, 0.5]);
    rules.known.covariances = Some(vec![DMatrix::from_element(1, 1, 40.0); 2]);
    let best = maximize(&moments, None, CovarianceModel::E, &rules).unwrap();
    assert_eq!(flatten(&best, &rules).unwrap().len(), 2);
    let back = unflatten(&flatten(&best, &rules).unwrap(), &best, &rules).unwrap();
    assert_eq!(back.covariances, best.covariances);
    assert!(matrix_error(&back.means, &best.means) < 1e-15);
}
