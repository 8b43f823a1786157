//! Analytic derivatives against numerical ones of a log-likelihood written in the test.

use ember_core::mixture::data::Data;
use ember_core::mixture::expect::expect;
use ember_core::mixture::inference::score::{scores, ScoreStats};
use ember_core::mixture::inference::{Chart, Inference};
use ember_core::mixture::known::Known;
use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use nalgebra::DMatrix;

use crate::oracle;

/// A mixture of the model, away from any maximum: a stored fit moved along its chart.
fn example(model: CovarianceModel, noise: bool) -> (DMatrix<f64>, Mixture) {
    let x = oracle::matrix("iris.txt");
    let (_, mut fit) = oracle::fits("iris-fits.txt", 4)
        .into_iter()
        .find(|(_, fit)| fit.model == model && fit.weights.len() == 2)
        .unwrap();
    if noise {
        fit.weights.iter_mut().for_each(|weight| *weight *= 0.9);
        fit.noise = Some(Noise {
            weight: 0.1,
            log_density: -5.0,
        });
    }
    let chart = Chart::new(&fit, &Known::default()).unwrap();
    let phi: Vec<f64> = (0..chart.len())
        .map(|c| 0.1 * ((c * 7 + 3) as f64).sin())
        .collect();
    (x, chart.mixture(&phi).unwrap())
}

fn check(x: &DMatrix<f64>, weights: Option<&[f64]>, mixture: &Mixture, known: &Known) {
    let data = Data::new(x.as_slice(), x.nrows(), x.ncols(), weights).unwrap();
    let inference = Inference::new(&data, mixture, known, 1).unwrap();
    let chart = inference.chart();
    let f = |phi: &[f64]| oracle::log_lik(x, weights, &chart.mixture(phi).unwrap());
    let origin = vec![0.0; chart.len()];
    let name = mixture.model.name();

    assert!((inference.stats().log_lik - f(&origin)).abs() < 1e-10 * f(&origin).abs());
    let gradient = oracle::gradient(&f, &origin, &vec![1e-3; chart.len()]);
    let score = &inference.stats().score;
    assert!(
        (score - &gradient).amax() < 1e-7 * (1.0 + gradient.amax()),
        "{name}: score"
    );

    let hessian = oracle::hessian(&f, &origin, &vec![4e-3; chart.len()]);
    let observed = inference.observed_information();
    let gap = (observed + &hessian).amax() / observed.amax();
    assert!(gap < 1e-6, "{name}: information is off by {gap:e}");
}

#[test]
fn every_multivariate_model_has_the_derivatives_of_its_log_likelihood() {
    for model in CovarianceModel::MULTIVARIATE {
        let (x, mixture) = example(model, false);
        let chart = Chart::new(&mixture, &Known::default()).unwrap();
        assert_eq!(chart.len(), mixture.parameters(), "{}", model.name());
        check(&x, None, &mixture, &Known::default());
    }
}

#[test]
fn one_dimension_noise_weights_and_known_parts() {
    let x = oracle::matrix("faithful.txt").columns(0, 1).into_owned();
    let weights: Vec<f64> = (0..x.nrows()).map(|i| (i % 4) as f64 * 0.7).collect();
    for (_, mut mixture) in oracle::fits("eruptions-fits.txt", 1) {
        mixture.means[0] += 0.1;
        check(&x, Some(&weights), &mixture, &Known::default());
    }
    for model in [
        CovarianceModel::VEI,
        CovarianceModel::EVE,
        CovarianceModel::VVV,
    ] {
        let (x, mixture) = example(model, true);
        let weights: Vec<f64> = (0..x.nrows()).map(|i| 0.5 + (i % 3) as f64).collect();
        check(&x, Some(&weights), &mixture, &Known::default());
        let known = Known {
            weights: Some(mixture.weights.clone()),
            covariances: Some(mixture.covariances.clone()),
            ..Known::default()
        };
        check(&x, Some(&weights), &mixture, &known);
        let known = Known {
            means: Some(mixture.means.clone()),
            ..Known::default()
        };
        check(&x, None, &mixture, &known);
    }
}

#[test]
fn missing_values_leave_the_likelihood_of_the_observed_ones() {
    for model in [
        CovarianceModel::VVV,
        CovarianceModel::VEV,
        CovarianceModel::EVE,
        CovarianceModel::EEI,
    ] {
        let (mut x, mixture) = example(model, false);
        for i in 0..x.nrows() {
            for j in 0..4 {
                if (i * 5 + j * 3) % 7 == 0 {
                    x[(i, j)] = f64::NAN;
                }
            }
        }
        x.row_mut(10).fill(f64::NAN);
        check(&x, None, &mixture, &Known::default());
    }
}

#[test]
fn row_scores_statistics_and_threads_agree() {
    let (x, mixture) = example(CovarianceModel::VVE, true);
    // Enough rows for several shards.
    let copies = 40;
    let tall = DMatrix::from_fn(x.nrows() * copies, 4, |i, j| {
        x[(i % x.nrows(), j)] + 0.01 * ((i * 4 + j) as f64).sin()
    });
    let weights: Vec<f64> = (0..tall.nrows()).map(|i| 1.0 + (i % 2) as f64).collect();
    let data = Data::new(tall.as_slice(), tall.nrows(), 4, Some(&weights)).unwrap();
    let chart = Chart::new(&mixture, &Known::default()).unwrap();
    let one = ScoreStats::new(&data, &chart, 1).unwrap();
    let two = ScoreStats::new(&data, &chart, 2).unwrap();
    assert_eq!(one.score, two.score);
    assert_eq!(one.outer, two.outer);
    assert_eq!(
        one.observed_information(&chart),
        two.observed_information(&chart)
    );

    let rows = scores(&data, &chart, 100..tall.nrows()).unwrap();
    let head = scores(&data, &chart, 0..100).unwrap();
    let mut sum = nalgebra::DVector::zeros(chart.len());
    let mut outer = DMatrix::zeros(chart.len(), chart.len());
    let mut outer_squared = outer.clone();
    for (i, weight) in weights.iter().enumerate() {
        let row = if i < 100 {
            head.row(i)
        } else {
            rows.row(i - 100)
        }
        .transpose();
        sum += &row * *weight;
        outer += &row * row.transpose() * *weight;
        outer_squared += &row * row.transpose() * (weight * weight);
    }
    assert!((&sum - &one.score).amax() < 1e-9 * outer.amax().sqrt());
    assert!(oracle::difference(&one.outer, &outer) < 1e-12);
    assert!(oracle::difference(one.outer_squared.as_ref().unwrap(), &outer_squared) < 1e-12);

    let stats = expect(&data, &mixture, None, 1).unwrap();
    let score = chart.score(&stats, &mixture).unwrap();
    assert!((&score - &one.score).amax() < 1e-9 * outer.amax().sqrt());
}

#[test]
fn wrong_input_is_an_error() {
    let (mut x, mixture) = example(CovarianceModel::VVV, true);
    let chart = Chart::new(&mixture, &Known::default()).unwrap();
    assert!(chart.mixture(&[0.0]).is_err());
    let narrow = Data::new(&x.as_slice()[..300], 150, 2, None).unwrap();
    let error = ScoreStats::new(&narrow, &chart, 1).unwrap_err();
    assert_eq!(error.kind(), "argument");
    x[(3, 1)] = f64::NAN;
    let data = Data::new(x.as_slice(), 150, 4, None).unwrap();
    assert_eq!(
        ScoreStats::new(&data, &chart, 1).unwrap_err().kind(),
        "argument"
    );
    let mut twisted = mixture.clone();
    twisted.model = CovarianceModel::VVE;
    assert_eq!(
        Chart::new(&twisted, &Known::default()).unwrap_err().kind(),
        "numerical"
    );
}
