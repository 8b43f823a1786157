//! Known parameters, pooled scatter, the collapse test and the floor.

use ember_core::linalg::{cholesky, symmetric_eigen, whiten};
use ember_core::mixture::degeneracy::thin_components;
use ember_core::mixture::maximize::{complete_log_lik, maximize};
use ember_core::mixture::model::CovarianceModel;
use ember_core::mixture::stats::Scatter;
use ember_core::Error;
use nalgebra::DMatrix;

use crate::ascent::em;
use crate::data::{load, matrix_error, DataSet};

/// Heights of the paper's section 1: N(64.5, 2.5²) and N(69.5, 2.5²) in equal parts, as exact quantiles so
/// that the answer is known without a random number.
fn heights() -> DataSet {
    use statrs::distribution::{ContinuousCDF, Normal};
    let half = 500;
    let quantile = |i: usize| {
        let (mean, rank) = if i < half {
            (64.5, i)
        } else {
            (69.5, i - half)
        };
        let normal = Normal::new(mean, 2.5).unwrap();
        normal.inverse_cdf((rank as f64 + 0.5) / half as f64)
    };
    DataSet {
        x: DMatrix::from_fn(1, 2 * half, |_, i| quantile(i)),
        labels: (0..2 * half).map(|i| i / half).collect(),
        k: 2,
    }
}

#[test]
fn means_alone_as_in_the_paper() {
    let data = heights();
    let mut rules = data.rules();
    rules.known.weights = Some(vec![0.5, 0.5]);
    rules.known.covariances = Some(vec![DMatrix::from_element(1, 1, 6.25); 2]);
    assert_eq!(
        rules.known.free_parameters(CovarianceModel::E, 1, 2, false),
        2
    );
    let limit = em(&data, &data.soft(), CovarianceModel::E, &rules);
    assert!((limit.mixture.means[0] - 64.5).abs() < 0.02);
    assert!((limit.mixture.means[1] - 69.5).abs() < 0.02);
    assert_eq!(limit.mixture.weights, vec![0.5, 0.5]);
}

#[test]
fn known_means_take_the_scatter_about_them() {
    let data = load("precip");
    let moments = data.moments(&data.soft());
    let mut rules = data.rules();
    let means = DMatrix::from_row_slice(1, 2, &[15.0, 40.0]);
    rules.known.means = Some(means.clone());
    let ours = maximize(&moments, None, CovarianceModel::V, &rules).unwrap();
    let z = data.soft();
    for k in 0..2 {
        let scatter: f64 = (0..data.labels.len())
            .map(|i| z[(i, k)] * (data.x[i] - means[k]).powi(2))
            .sum();
        let variance = scatter / moments.counts[k];
        assert!((ours.covariances[k][0] / variance - 1.0).abs() < 1e-13);
    }
    assert_eq!(ours.means, means);
}

#[test]
fn pooled_models_need_only_the_sum() {
    use CovarianceModel::*;
    let data = load("iris");
    let moments = data.moments(&data.soft());
    let mut pooled = moments.clone();
    pooled.scatter = Scatter::Pooled(moments.scatter.pooled());
    let mut rules = data.rules();
    for known_means in [false, true] {
        if known_means {
            rules.known.means = Some(data.moments(&data.hard()).means);
        }
        for model in [EII, EEI, EEE] {
            let whole = maximize(&moments, None, model, &rules).unwrap();
            let short = maximize(&pooled, None, model, &rules).unwrap();
            assert!(matrix_error(&whole.covariances[2], &short.covariances[2]) < 1e-14);
            let difference = complete_log_lik(&moments, &whole) - complete_log_lik(&pooled, &short);
            assert!(difference.abs() < 1e-9);
        }
    }
    let failure = maximize(&pooled, None, VVV, &rules).unwrap_err();
    assert!(failure.to_string().starts_with("`model`"), "{failure}");
}

/// Component 2 holds rows that lie exactly on a line (two distinct points).
fn on_a_line() -> (DataSet, DMatrix<f64>) {
    let data = load("faithful");
    let mut z = DMatrix::zeros(data.labels.len(), 3);
    for i in 0..data.labels.len() {
        z[(i, if i < 2 { 1 } else { 2 * (i % 2) })] = 1.0;
    }
    (data, z)
}

#[test]
fn collapse_is_named_in_any_units() {
    use CovarianceModel::*;
    let (data, z) = on_a_line();
    for scale in [[1.0, 1.0], [1e-6, 1e6], [1e8, 1e8]] {
        let scaled = DataSet {
            x: DMatrix::from_fn(2, data.x.ncols(), |j, i| scale[j] * data.x[(j, i)]),
            labels: data.labels.clone(),
            k: 3,
        };
        let moments = scaled.moments(&z);
        for model in [VVV, EVV] {
            match maximize(&moments, None, model, &scaled.rules()) {
                Err(Error::Degenerate { component, .. }) => assert_eq!(component, 2),
                other => panic!("{other:?}"),
            }
        }
        // Two points are no trouble for models that share their shape.
        for model in [EEE, VEE, VVI, VII] {
            let mixture = maximize(&moments, None, model, &scaled.rules()).unwrap();
            let thin = thin_components(&mixture, &moments, &scaled.rules());
            assert!(thin.is_empty());
        }
    }
    let mut rules = data.rules();
    rules.floor = Some(1e-3);
    let moments = data.moments(&z);
    let mixture = maximize(&moments, None, VVV, &rules).unwrap();
    assert_eq!(thin_components(&mixture, &moments, &rules), vec![2]);
}

#[test]
fn an_empty_component_is_named() {
    let data = load("iris");
    let mut z = data.soft();
    for mut row in z.row_iter_mut() {
        row[1] += row[2];
        row[2] = 0.0;
    }
    let mut moments = data.moments(&z);
    moments.means.set_column(2, &data.mean());
    let Scatter::PerComponent(parts) = &mut moments.scatter else {
        unreachable!()
    };
    parts[2].fill(0.0);
    for model in CovarianceModel::MULTIVARIATE {
        match maximize(&moments, None, model, &data.rules()) {
            Err(Error::Degenerate { component, .. }) => assert_eq!(component, 3),
            other => panic!("{} {other:?}", model.name()),
        }
    }
    // The paper's model stays defined.
    let mut rules = data.rules();
    rules.known.weights = Some(vec![0.3, 0.3, 0.4]);
    rules.known.covariances = Some(vec![data.covariance(); 3]);
    assert!(maximize(&moments, None, CovarianceModel::EEE, &rules).is_ok());
}

#[test]
fn zero_scatter_is_an_error_for_every_model() {
    let data = load("iris");
    let mut moments = data.moments(&data.soft());
    let zero = DMatrix::zeros(4, 4);
    for rules in [data.rules(), Default::default()] {
        for broken in [zero.clone(), DMatrix::from_element(4, 4, f64::NAN)] {
            moments.scatter = Scatter::PerComponent(vec![broken; 3]);
            for model in CovarianceModel::MULTIVARIATE {
                assert!(maximize(&moments, None, model, &rules).is_err());
            }
        }
    }
}

#[test]
fn the_floor_holds_and_is_the_constrained_maximum() {
    use CovarianceModel::*;
    let data = load("iris");
    let moments = data.moments(&data.hard());
    let floor = 0.2;
    let mut rules = data.rules();
    rules.floor = Some(floor);
    let total = cholesky(&data.covariance()).unwrap();
    for model in [VVV, EEE] {
        let free = maximize(&moments, None, model, &data.rules()).unwrap();
        let raised = maximize(&moments, None, model, &rules).unwrap();
        assert!(complete_log_lik(&moments, &raised) < complete_log_lik(&moments, &free));
        let mut touched = false;
        for sigma in &raised.covariances {
            let (values, _) = symmetric_eigen(&whiten(sigma, &total)).unwrap();
            let smallest = values[values.len() - 1];
            assert!(smallest > floor * (1.0 - 1e-12));
            touched |= smallest < floor * (1.0 + 1e-12);
        }
        assert!(touched);
        // Feasible neighbours: towards any matrix above the floor.
        let best = complete_log_lik(&moments, &raised);
        for share in [1e-4, 1e-2, 0.3] {
            for target in [
                data.covariance(),
                &free.covariances[0] + data.covariance() * floor,
            ] {
                let mut other = raised.clone();
                for sigma in &mut other.covariances {
                    *sigma = &*sigma * (1.0 - share) + &target * share;
                }
                assert!(complete_log_lik(&moments, &other) < best);
            }
        }
        em(&data, &data.hard(), model, &rules);
    }
    for model in [EII, VII, EEI, VVI] {
        em(&data, &data.hard(), model, &rules);
    }
    for model in [VEI, EVI, VEE, EVE, VVE, EEV, VEV, EVV] {
        let failure = maximize(&moments, None, model, &rules).unwrap_err();
        assert!(failure.to_string().starts_with("`floor`"), "{failure}");
    }
}
