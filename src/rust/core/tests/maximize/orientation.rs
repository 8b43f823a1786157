//! Common axes (EVE, VVE) where no component agrees with another, and the edges: one component, one dimension.

use ember_core::mixture::coordinates::{flatten, unflatten};
use ember_core::mixture::maximize::{complete_log_lik, maximize};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::rules::Rules;
use ember_core::mixture::stats::{Moments, Scatter};
use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::matrix_error;

fn random_matrix(rng: &mut ChaCha8Rng, d: usize) -> DMatrix<f64> {
    DMatrix::from_fn(d, d, |_, _| rng.random::<f64>() - 0.5)
}

/// Scatter matrices with nothing in common.
fn random_moments(rng: &mut ChaCha8Rng, d: usize, k: usize) -> Moments {
    let counts: Vec<f64> = (0..k).map(|_| 50.0 + 100.0 * rng.random::<f64>()).collect();
    let scatters = (counts.iter())
        .map(|&count| {
            let root = random_matrix(rng, d);
            (&root * root.transpose() + DMatrix::from_diagonal_element(d, d, 0.01)) * count
        })
        .collect();
    Moments {
        total_weight: counts.iter().sum(),
        counts,
        means: DMatrix::from_fn(d, k, |_, _| rng.random::<f64>()),
        scatter: Scatter::PerComponent(scatters),
        noise_count: 0.0,
    }
}

/// Largest slope of Q, per row, when all Σ_k turn together: Σ_k → R Σ_k Rᵀ with R = exp(Ω) changes Q at the
/// rate tr(Ω G), G = ½ Σ_k (S_k Σ_k⁻¹ − Σ_k⁻¹ S_k).
fn steepest(moments: &Moments, best: &Mixture) -> f64 {
    let Scatter::PerComponent(scatters) = &moments.scatter else {
        unreachable!()
    };
    let mut slope = DMatrix::zeros(best.dim(), best.dim());
    for (scatter, sigma) in scatters.iter().zip(&best.covariances) {
        let product = scatter * sigma.clone().try_inverse().unwrap();
        slope += (&product - product.transpose()) * 0.5;
    }
    slope.amax() / moments.total_weight
}

#[test]
fn the_slope_over_rotations_is_zero() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (d, k) in [(2, 2), (3, 4), (6, 5), (8, 3)] {
        for _ in 0..3 {
            let moments = random_moments(&mut rng, d, k);
            for model in [CovarianceModel::EVE, CovarianceModel::VVE] {
                let best = maximize(&moments, None, model, &Rules::default()).unwrap();
                let slope = steepest(&moments, &best);
                assert!(slope < 1e-11, "{} d = {d}: {slope:e}", model.name());
            }
        }
    }
}

#[test]
fn a_bad_previous_orientation_never_costs_likelihood() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let rules = Rules::default();
    for trial in 0..20 {
        let moments = random_moments(&mut rng, 4, 3);
        for model in [CovarianceModel::EVE, CovarianceModel::VVE] {
            let elsewhere = random_moments(&mut rng, 4, 3);
            let mut previous = maximize(&elsewhere, None, model, &rules).unwrap();
            previous.means = moments.means.clone();
            let next = maximize(&moments, Some(&previous), model, &rules).unwrap();
            let q = |mixture: &Mixture| complete_log_lik(&moments, mixture);
            assert!(q(&next) > q(&previous), "{} {trial}", model.name());
            // From its own answer it does not move.
            let again = maximize(&moments, Some(&next), model, &rules).unwrap();
            assert!(q(&again) - q(&next) > -1e-10);
        }
    }
}

#[test]
fn one_component_is_the_plain_covariance() {
    use CovarianceModel::*;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for d in [1, 2, 5] {
        let moments = random_moments(&mut rng, d, 1);
        let whole = moments.scatter.pooled() / moments.counts[0];
        for model in [EEE, VEE, EVE, VVE, EEV, VEV, EVV, VVV] {
            let rules = Rules::default();
            let best = maximize(&moments, None, model, &rules).unwrap();
            let error = matrix_error(&best.covariances[0], &whole);
            assert!(error < 1e-11, "{} d = {d}: {error:e}", model.name());
            let at = flatten(&best, &rules).unwrap();
            let back = unflatten(&at, &best, &rules).unwrap();
            assert!(matrix_error(&back.covariances[0], &whole) < 1e-11);
        }
    }
}

#[test]
fn equal_scatters_leave_the_axes_free_and_do_no_harm() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut moments = random_moments(&mut rng, 4, 3);
    let spheres = (1..4).map(|k| DMatrix::from_diagonal_element(4, 4, 10.0 * k as f64));
    moments.scatter = Scatter::PerComponent(spheres.collect());
    for model in CovarianceModel::MULTIVARIATE {
        let rules = Rules::default();
        let best = maximize(&moments, None, model, &rules).unwrap();
        let again = maximize(&moments, Some(&best), model, &rules).unwrap();
        assert!(matrix_error(&again.covariances[1], &best.covariances[1]) < 1e-12);
        let back = unflatten(&flatten(&best, &rules).unwrap(), &best, &rules).unwrap();
        assert!(matrix_error(&back.covariances[1], &best.covariances[1]) < 1e-12);
    }
}
