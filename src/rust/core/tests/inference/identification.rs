//! Points where standard errors do not exist, and saddles.

use ember_core::mixture::data::Data;
use ember_core::mixture::expect::expect;
use ember_core::mixture::inference::{
    Chart, CoefficientKind, CovarianceScale, Estimator, Inference,
};
use ember_core::mixture::known::Known;
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::saddle::Stationarity;
use nalgebra::DMatrix;

use crate::oracle;

fn data(x: &DMatrix<f64>) -> Data<'_> {
    Data::new(x.as_slice(), x.nrows(), x.ncols(), None).unwrap()
}

fn examine(x: &DMatrix<f64>, mixture: &Mixture, known: &Known) -> Stationarity {
    let mut passes = 0;
    let point = Stationarity::new(mixture, known, &mut |mixture| {
        passes += 1;
        expect(&data(x), mixture, None, 1)
    })
    .unwrap();
    assert!(passes < 100, "{passes}");
    point
}

/// The stored fit of faithful with its component `k` cut in two equal halves.
fn doubled(model: &str, k: usize) -> (DMatrix<f64>, Mixture) {
    let x = oracle::matrix("faithful.txt");
    let (_, fit) = oracle::fits("faithful-fits.txt", 2)
        .into_iter()
        .find(|(_, fit)| fit.model.name() == model && fit.weights.len() == 2)
        .unwrap();
    let mut twice = fit.clone();
    twice.weights[k] *= 0.5;
    twice.weights.push(twice.weights[k]);
    twice.means = DMatrix::from_fn(2, 3, |i, j| fit.means[(i, if j == 2 { k } else { j })]);
    twice.covariances.push(fit.covariances[k].clone());
    (x, twice)
}

#[test]
fn coinciding_components_have_no_standard_errors_but_the_others_do() {
    let (x, fit) = doubled("VVV", 1);
    let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
    let reported = inference
        .covariance(Estimator::OuterProduct, CovarianceScale::Entries)
        .unwrap();
    assert!(reported.singular);
    assert!(reported.smallest_share.abs() < 1e-10);
    // The first component stands alone: what is said of it agrees with the fit of two.
    let (_, two) = oracle::fits("faithful-fits.txt", 2).swap_remove(13);
    let alone = Inference::new(&data(&x), &two, &Known::default(), 1)
        .unwrap()
        .covariance(Estimator::OuterProduct, CovarianceScale::Entries)
        .unwrap();
    for (i, c) in reported.coefficients.iter().enumerate() {
        let found = reported.matrix[(i, i)];
        assert_eq!(c.component != 1, found.is_nan(), "{c:?}");
        assert_eq!(
            c.component != 1,
            reported.unidentified.contains(&i),
            "{c:?}"
        );
        if c.component == 1 {
            let same = alone
                .coefficients
                .iter()
                .position(|other| other == c)
                .unwrap();
            let expected = alone.matrix[(same, same)];
            assert!(
                (found / expected - 1.0).abs() < 1e-8,
                "{c:?}: {found} {expected}"
            );
        }
    }
}

#[test]
fn equal_lengths_of_rotating_axes_are_singular() {
    let x = oracle::matrix("faithful.txt");
    let (_, mut fit) = oracle::fits("faithful-fits.txt", 2)
        .into_iter()
        .find(|(_, fit)| fit.model == CovarianceModel::VII && fit.weights.len() == 2)
        .unwrap();
    let spherical = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
    assert!(spherical.flat().is_empty());
    fit.model = CovarianceModel::VEV;
    let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
    assert_eq!(inference.flat().len(), 2);
    let reported = inference
        .covariance(Estimator::OuterProduct, CovarianceScale::Entries)
        .unwrap();
    assert!(reported.singular);
    for (i, c) in reported.coefficients.iter().enumerate() {
        assert_eq!(
            c.kind == CoefficientKind::Covariance,
            reported.matrix[(i, i)].is_nan(),
            "{c:?}"
        );
    }
    // A model without rotations has nothing to be singular about.
    fit.model = CovarianceModel::VVV;
    let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
    assert!(inference.flat().is_empty());
}

#[test]
fn an_empty_component_is_reported_and_not_a_failure() {
    let x = oracle::matrix("faithful.txt");
    let (_, mut fit) = oracle::fits("faithful-fits.txt", 2).swap_remove(13);
    fit.weights = vec![1.0, 0.0];
    let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
    let reported = inference
        .covariance(Estimator::OuterProduct, CovarianceScale::Deviations)
        .unwrap();
    assert!(reported.singular);
    for (i, c) in reported.coefficients.iter().enumerate() {
        if c.component == 2 {
            assert!(reported.unidentified.contains(&i), "{c:?}");
        }
    }
}

#[test]
fn fewer_rows_than_parameters_make_the_outer_product_singular() {
    let x = oracle::matrix("faithful.txt").rows(0, 8).into_owned();
    let (_, fit) = oracle::fits("faithful-fits.txt", 2).swap_remove(13);
    let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
    let reported = inference
        .covariance(Estimator::OuterProduct, CovarianceScale::Entries)
        .unwrap();
    assert!(reported.singular && !reported.unidentified.is_empty());
}

/// The paper's heights with both means at the overall mean: a saddle, known weights and variance.
#[test]
fn equal_starts_of_the_heights_are_a_saddle_with_a_way_out() {
    let heights: Vec<f64> = (0..200)
        .map(|i| if i % 2 == 0 { 69.5 } else { 64.5 } + 2.5 * (i as f64 * 1.7).sin())
        .collect();
    let x = DMatrix::from_vec(200, 1, heights);
    let mixture = Mixture {
        model: CovarianceModel::E,
        weights: vec![0.5, 0.5],
        means: DMatrix::from_element(1, 2, x.mean()),
        covariances: vec![DMatrix::from_element(1, 1, 6.25); 2],
        noise: None,
    };
    let known = Known {
        weights: Some(mixture.weights.clone()),
        covariances: Some(mixture.covariances.clone()),
        ..Known::default()
    };
    let point = examine(&x, &mixture, &known);
    assert!(point.is_saddle());
    assert_eq!(point.coinciding, [(1, 2)]);
    // At equal means the difference of the means has information n (1/σ² − s²/σ⁴)/2 ...
    let variance = x.variance();
    let share = 1.0 - variance / 6.25;
    assert!(
        (point.smallest_share - share).abs() < 1e-6,
        "{}",
        point.smallest_share
    );
    let restart = point.restart.unwrap();
    assert!(restart.gain > 1.0);
    let there = expect(&data(&x), &restart.mixture, None, 1)
        .unwrap()
        .log_lik;
    let here = expect(&data(&x), &mixture, None, 1).unwrap().log_lik;
    assert!((there - here - restart.gain).abs() < 1e-8);
    assert_eq!(restart.mixture.covariances, mixture.covariances);
    assert_eq!(restart.mixture.weights, mixture.weights);
}

#[test]
fn a_maximum_is_not_a_saddle() {
    let x = oracle::matrix("faithful.txt");
    for (_, fit) in oracle::fits("faithful-fits.txt", 2) {
        let point = examine(&x, &fit, &Known::default());
        // mclust's VVE and EVE stop near, not at, the maximum; they are not saddles either.
        assert!(
            !point.is_saddle(),
            "{} {}",
            fit.model.name(),
            fit.weights.len()
        );
        let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
        let exact = inference.spectrum().unwrap().shares.min();
        let gap = (point.smallest_share - exact).abs();
        assert!(
            exact > 1e-4 && gap < 0.05 * exact + 1e-6,
            "{} {exact}",
            point.smallest_share
        );
        assert!(point.coinciding.is_empty() && point.restart.is_none());
    }
}

/// Off a maximum, in models whose charts bend, and where the largest share is not one.
#[test]
fn the_smallest_share_is_that_of_the_whole_matrix() {
    let x = oracle::matrix("iris.txt");
    for (_, fit) in oracle::fits("iris-fits.txt", 4) {
        let chart = Chart::new(&fit, &Known::default()).unwrap();
        let phi: Vec<f64> = (0..chart.len())
            .map(|c| 0.2 * ((c * 5 + 1) as f64).sin())
            .collect();
        let moved = chart.mixture(&phi).unwrap();
        let inference = Inference::new(&data(&x), &moved, &Known::default(), 1).unwrap();
        let exact = inference.spectrum().unwrap().shares.min();
        let found = examine(&x, &moved, &Known::default()).smallest_share;
        let gap = (found - exact).abs();
        assert!(
            gap < 0.05 * exact.abs() + 1e-6,
            "{} {found} {exact}",
            fit.model.name()
        );
    }
}

/// One component: known labels tell no more, so every share is one.
#[test]
fn one_component_has_all_the_information() {
    let x = oracle::matrix("iris.txt");
    let mean = x.row_mean().transpose();
    let centered = DMatrix::from_fn(x.nrows(), 4, |i, j| x[(i, j)] - mean[j]);
    let sigma = centered.transpose() * &centered / x.nrows() as f64;
    for model in CovarianceModel::MULTIVARIATE {
        let covariance = match model.name() {
            "EII" | "VII" => DMatrix::identity(4, 4) * (sigma.trace() / 4.0),
            name if name.ends_with('I') => DMatrix::from_diagonal(&sigma.diagonal()),
            _ => sigma.clone(),
        };
        let mixture = Mixture {
            model,
            weights: vec![1.0],
            means: DMatrix::from_column_slice(4, 1, mean.as_slice()),
            covariances: vec![covariance],
            noise: None,
        };
        let inference = Inference::new(&data(&x), &mixture, &Known::default(), 1).unwrap();
        let shares = inference.spectrum().unwrap().shares;
        assert_eq!(shares.len(), mixture.parameters());
        assert!(
            (shares.add_scalar(-1.0)).amax() < 1e-9,
            "{} {shares}",
            model.name()
        );
    }
}

#[test]
fn coinciding_components_with_free_variances_get_a_restart() {
    let (x, fit) = doubled("EEE", 0);
    let point = examine(&x, &fit, &Known::default());
    assert_eq!(point.coinciding, [(1, 3)]);
    let restart = point.restart.unwrap();
    assert!(restart.mixture.means.column(0) != restart.mixture.means.column(2));
}
