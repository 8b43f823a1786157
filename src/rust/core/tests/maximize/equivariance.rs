//! Shifts, units, and the order of columns and components change nothing but themselves.

use ember_core::mixture::coordinates::flatten;
use ember_core::mixture::maximize::maximize;
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::prior::Prior;
use nalgebra::{DMatrix, DVector};

use crate::data::{load, matrix_error, DataSet};

fn fit(data: &DataSet, z: &DMatrix<f64>, model: CovarianceModel) -> Mixture {
    maximize(&data.moments(z), None, model, &data.rules()).unwrap()
}

fn assert_close(x: &Mixture, y: &Mixture, tolerance: f64) {
    let name = x.model.name();
    assert!(matrix_error(&x.means, &y.means) < tolerance, "{name}");
    for (a, b) in x.covariances.iter().zip(&y.covariances) {
        assert!(
            matrix_error(a, b) < tolerance,
            "{name}: {:e}",
            matrix_error(a, b)
        );
    }
}

/// Each model in the units its family allows: any per column, or one for all columns.
fn units(model: CovarianceModel) -> DVector<f64> {
    use CovarianceModel::*;
    match model {
        EEI | VEI | EVI | VVI | EEE | VEE | EVV | VVV => {
            DVector::from_vec(vec![1e-6, 1e6, 1.0, 1e3])
        }
        _ => DVector::repeat(4, 1e6),
    }
}

#[test]
fn units_do_not_matter() {
    let data = load("iris");
    let z = data.soft();
    for model in CovarianceModel::MULTIVARIATE {
        let scale = DMatrix::from_diagonal(&units(model));
        let scaled = DataSet {
            x: &scale * &data.x,
            labels: data.labels.clone(),
            k: data.k,
        };
        let back = scale.clone().try_inverse().unwrap();
        let mut ours = fit(&scaled, &z, model);
        let before = flatten(&ours, &scaled.rules()).unwrap();
        ours.means = &back * &ours.means;
        for sigma in &mut ours.covariances {
            *sigma = &back * &*sigma * &back;
        }
        let reference = fit(&data, &z, model);
        assert_close(&ours, &reference, 1e-9);
        let after = flatten(&reference, &data.rules()).unwrap();
        for (x, y) in before.iter().zip(&after) {
            assert!((x - y).abs() < 1e-8, "{} {x} {y}", model.name());
        }
    }
}

#[test]
fn shifts_move_only_the_means() {
    let data = load("iris");
    let z = data.soft();
    let mut shifted = load("iris");
    shifted.x.add_scalar_mut(1024.0);
    for model in CovarianceModel::MULTIVARIATE {
        let mut ours = fit(&shifted, &z, model);
        ours.means.add_scalar_mut(-1024.0);
        assert_close(&ours, &fit(&data, &z, model), 1e-9);
    }
}

#[test]
fn order_of_columns_and_components_does_not_matter() {
    let data = load("iris");
    let z = data.soft();
    let columns = [2, 0, 3, 1];
    let components = [1, 2, 0];
    let permuted = DataSet {
        x: data.x.select_rows(&columns),
        labels: data.labels.clone(),
        k: data.k,
    };
    for model in CovarianceModel::MULTIVARIATE {
        let ours = fit(&permuted, &z.select_columns(&components), model);
        let mut reference = fit(&data, &z, model);
        reference.means = reference
            .means
            .select_rows(&columns)
            .select_columns(&components);
        reference.covariances = components
            .iter()
            .map(|&k| {
                let sigma = &reference.covariances[k];
                sigma.select_rows(&columns).select_columns(&columns)
            })
            .collect();
        assert_close(&ours, &reference, 1e-9);
    }
}

#[test]
fn the_default_prior_follows_the_units_of_ellipsoidal_models() {
    let data = load("iris");
    let z = data.soft();
    let scale = DMatrix::from_diagonal(&units(CovarianceModel::VVV));
    let scaled = DataSet {
        x: &scale * &data.x,
        labels: data.labels.clone(),
        k: data.k,
    };
    for model in [
        CovarianceModel::EEE,
        CovarianceModel::VEE,
        CovarianceModel::VVV,
    ] {
        let map = |data: &DataSet| {
            let mut rules = data.rules();
            let (mean, covariance) = (data.mean(), data.covariance());
            rules.prior = Some(Prior::default_for(model, 3, 150, mean, &covariance));
            maximize(&data.moments(&z), None, model, &rules).unwrap()
        };
        let reference = map(&data);
        let ours = map(&scaled);
        for (a, b) in ours.covariances.iter().zip(&reference.covariances) {
            assert!(matrix_error(a, &(&scale * b * &scale)) < 1e-11);
        }
    }
}
