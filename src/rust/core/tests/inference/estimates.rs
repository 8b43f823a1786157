//! Standard errors against numerical Hessians in another parametrisation, closed forms and simulation.

use ember_core::mixture::data::Data;
use ember_core::mixture::inference::information::Covariance;
use ember_core::mixture::inference::{
    Coefficient, CoefficientKind, CovarianceScale, Estimator, Inference,
};
use ember_core::mixture::known::Known;
use ember_core::mixture::model::{CovarianceModel, Mixture};
use nalgebra::DMatrix;

use crate::oracle;
use crate::textbook::{value, Textbook};

fn data(x: &DMatrix<f64>) -> Data<'_> {
    Data::new(x.as_slice(), x.nrows(), x.ncols(), None).unwrap()
}

fn covariance(x: &DMatrix<f64>, mixture: &Mixture, known: &Known, how: Estimator) -> Covariance {
    Inference::new(&data(x), mixture, known, 2)
        .unwrap()
        .covariance(how, CovarianceScale::Entries)
        .unwrap()
}

/// Newton's method from a nearby fit to the maximum.
fn maximum(x: &DMatrix<f64>, mut mixture: Mixture, known: &Known) -> (f64, Mixture) {
    for _ in 0..200 {
        let inference = Inference::new(&data(x), &mixture, known, 1).unwrap();
        let spectrum = inference.spectrum().unwrap();
        let along = spectrum.directions.transpose() * &inference.stats().score;
        if along.norm() < 1e-9 * (x.nrows() as f64).sqrt() {
            return (inference.stats().log_lik, mixture);
        }
        let shares = spectrum.shares.map(|share| share.abs().max(0.01));
        let mut step = &spectrum.directions * along.component_div(&shares);
        let length = (step.dot(&inference.stats().score)).sqrt();
        step *= (0.2 * (x.nrows() as f64).sqrt() / length).min(1.0);
        mixture = inference.chart().mixture(step.as_slice()).unwrap();
    }
    panic!("{} did not converge", mixture.model.name());
}

/// The Hessian in the textbook's coordinates, inverted, and the delta method to reported coefficients.
struct TextbookCovariance {
    book: Textbook,
    psi: Vec<f64>,
    steps: Vec<f64>,
    inverse: DMatrix<f64>,
}

impl TextbookCovariance {
    fn new(x: &DMatrix<f64>, mixture: &Mixture) -> Self {
        let book = Textbook::new(mixture);
        let psi = book.coordinates();
        let back = book.mixture(&psi);
        for (a, b) in back.covariances.iter().zip(&mixture.covariances) {
            assert!((a - b).amax() < 1e-9 * b.amax(), "{}", mixture.model.name());
        }
        let f = |psi: &[f64]| oracle::log_lik(x, None, &book.mixture(psi));
        // Steps of a twentieth of a conditional standard error.
        let rough: Vec<f64> = psi.iter().map(|value| 1e-4 * (0.1 + value.abs())).collect();
        let steps: Vec<f64> = (0..psi.len())
            .map(|i| {
                let slice = |t: &[f64]| {
                    let mut moved = psi.clone();
                    moved[i] += t[0];
                    f(&moved)
                };
                let curvature = oracle::hessian(&slice, &[0.0], &rough[i..=i])[(0, 0)];
                0.05 / curvature.abs().sqrt()
            })
            .collect();
        let inverse = (-oracle::hessian(&f, &psi, &steps)).try_inverse().unwrap();
        TextbookCovariance {
            book,
            psi,
            steps,
            inverse,
        }
    }

    fn of(&self, coefficients: &[Coefficient]) -> DMatrix<f64> {
        let mut jacobian = DMatrix::zeros(coefficients.len(), self.psi.len());
        for i in 0..coefficients.len() {
            let g = |psi: &[f64]| self.book.values(psi, &coefficients[i..=i])[0];
            let gradient = oracle::gradient(&g, &self.psi, &self.steps);
            jacobian.set_row(i, &gradient.transpose());
        }
        &jacobian * &self.inverse * jacobian.transpose()
    }
}

fn every_fit_has_the_covariance_of_the_textbook(
    data_file: &str,
    columns: usize,
    fits: &str,
    k: usize,
) {
    let x = oracle::matrix(data_file).columns(0, columns).into_owned();
    let mut checked = 0;
    for (log_lik, fit) in oracle::fits(fits, columns) {
        if fit.weights.len() != k {
            continue;
        }
        let name = fit.model.name();
        let (maximum, fit) = maximum(&x, fit, &Known::default());
        // mclust does not quite maximise VVE and EVE.
        let slack = if matches!(name, "VVE" | "EVE") {
            2.0
        } else {
            1e-6
        };
        assert!(
            maximum > log_lik - 1e-9 && maximum < log_lik + slack,
            "{name}: {maximum} {log_lik}"
        );
        let inference = Inference::new(&data(&x), &fit, &Known::default(), 1).unwrap();
        let textbook = TextbookCovariance::new(&x, &fit);
        for scale in [CovarianceScale::Entries, CovarianceScale::Deviations] {
            let reported = inference.covariance(Estimator::Observed, scale).unwrap();
            assert!(!reported.singular, "{name}: {}", reported.smallest_share);
            for (estimate, coefficient) in reported.estimates.iter().zip(&reported.coefficients) {
                let expected = value(&fit, coefficient);
                assert!((estimate - expected).abs() <= 1e-14 * expected.abs());
            }
            let expected = textbook.of(&reported.coefficients);
            let gap = oracle::difference(&expected, &reported.matrix);
            assert!(gap < 1e-5, "{name}, {k} components, {scale:?}: {gap:e}");
        }
        checked += 1;
    }
    assert_eq!(checked, if columns == 1 { 2 } else { 14 });
}

#[test]
fn faithful_two_components() {
    every_fit_has_the_covariance_of_the_textbook("faithful.txt", 2, "faithful-fits.txt", 2);
}

#[test]
fn faithful_three_components() {
    every_fit_has_the_covariance_of_the_textbook("faithful.txt", 2, "faithful-fits.txt", 3);
}

#[test]
fn iris_two_components() {
    every_fit_has_the_covariance_of_the_textbook("iris.txt", 4, "iris-fits.txt", 2);
}

#[test]
fn iris_three_components() {
    every_fit_has_the_covariance_of_the_textbook("iris.txt", 4, "iris-fits.txt", 3);
}

#[test]
fn eruptions_in_one_dimension() {
    for k in 2..=3 {
        every_fit_has_the_covariance_of_the_textbook("faithful.txt", 1, "eruptions-fits.txt", k);
    }
}

/// One normal sample: the closed forms of its information.
#[test]
fn one_component_has_closed_forms() {
    let x = oracle::matrix("iris.txt");
    let n = x.nrows() as f64;
    let mean = x.row_mean().transpose();
    let centered = DMatrix::from_fn(x.nrows(), 4, |i, j| x[(i, j)] - mean[j]);
    let sigma = centered.transpose() * &centered / n;
    let mixture = Mixture {
        model: CovarianceModel::EEE,
        weights: vec![1.0],
        means: DMatrix::from_column_slice(4, 1, mean.as_slice()),
        covariances: vec![sigma.clone()],
        noise: None,
    };
    let reported = covariance(&x, &mixture, &Known::default(), Estimator::Observed);
    assert_eq!(reported.coefficients.len(), 1 + 4 + 10);
    for (i, a) in reported.coefficients.iter().enumerate() {
        for (j, b) in reported.coefficients.iter().enumerate() {
            use CoefficientKind::{Covariance as Entry, Mean};
            let expected = match (a.kind, b.kind) {
                (Mean, Mean) => sigma[(a.row - 1, b.row - 1)] / n,
                (Entry, Entry) => {
                    let at = |i: usize, j: usize| sigma[(i - 1, j - 1)];
                    (at(a.row, b.row) * at(a.column, b.column)
                        + at(a.row, b.column) * at(a.column, b.row))
                        / n
                }
                _ => 0.0,
            };
            let found = reported.matrix[(i, j)];
            assert!(
                (found - expected).abs() < 1e-13 * sigma.amax(),
                "{a:?} {b:?}: {found} {expected}"
            );
        }
    }
    let sandwich = covariance(&x, &mixture, &Known::default(), Estimator::Sandwich);
    // Robust covariance of a mean is its plug-in one; of variances it holds fourth moments.
    for j in 0..4 {
        assert!((sandwich.matrix[(1 + j, 1 + j)] - sigma[(j, j)] / n).abs() < 1e-13);
        let fourth: f64 = centered.column(j).iter().map(|y| y.powi(4)).sum::<f64>() / n;
        let at = reported
            .coefficients
            .iter()
            .position(|c| {
                c.kind == CoefficientKind::Covariance && c.row == j + 1 && c.column == j + 1
            })
            .unwrap();
        let expected = (fourth - sigma[(j, j)].powi(2)) / n;
        assert!((sandwich.matrix[(at, at)] / expected - 1.0).abs() < 1e-10);
    }
}

/// Heights of sources/1: N(69.5, 2.5²) and N(64.5, 2.5²), half each, everything known but the means.
fn heights(n: usize) -> DMatrix<f64> {
    use rand::RngExt;
    let mut rng = ember_core::rng::stream(20, 0);
    let normal = rand_distr::Normal::new(0.0, 2.5).unwrap();
    DMatrix::from_fn(
        n,
        1,
        |i, _| if i % 2 == 0 { 69.5 } else { 64.5 } + rng.sample(normal),
    )
}

fn heights_truth() -> Mixture {
    Mixture {
        model: CovarianceModel::E,
        weights: vec![0.5, 0.5],
        means: DMatrix::from_row_slice(1, 2, &[69.5, 64.5]),
        covariances: vec![DMatrix::from_element(1, 1, 6.25); 2],
        noise: None,
    }
}

fn heights_fit(x: &DMatrix<f64>) -> (Mixture, Known) {
    let start = heights_truth();
    let known = Known {
        weights: Some(start.weights.clone()),
        covariances: Some(start.covariances.clone()),
        ..Known::default()
    };
    (maximum(x, start, &known).1, known)
}

#[test]
fn known_weights_and_variances_follow_louis_formula() {
    let x = heights(2000);
    let (fit, known) = heights_fit(&x);
    let mut information = DMatrix::zeros(2, 2);
    for value in x.iter() {
        let u: Vec<f64> = fit.means.iter().map(|mean| (value - mean) / 6.25).collect();
        let density: Vec<f64> = u.iter().map(|u| (-0.5 * 6.25 * u * u).exp()).collect();
        let r: Vec<f64> = density
            .iter()
            .map(|p| p / density.iter().sum::<f64>())
            .collect();
        for j in 0..2 {
            for k in 0..2 {
                let same = if j == k { r[j] } else { 0.0 };
                information[(j, k)] += same / 6.25 - (same - r[j] * r[k]) * u[j] * u[k];
            }
        }
    }
    let expected = information.try_inverse().unwrap();
    let reported = covariance(&x, &fit, &known, Estimator::Observed);
    assert_eq!(reported.coefficients.len(), 2);
    assert!(oracle::difference(&expected, &reported.matrix) < 1e-11);
    // With labels known it would be 2.5/√1000 = 0.079; the paper's model gives about 0.1.
    for j in 0..2 {
        let se = reported.matrix[(j, j)].sqrt();
        assert!((0.09..0.11).contains(&se), "{se}");
    }
}

#[test]
fn estimators_agree_when_the_model_is_true_and_n_is_large() {
    let x = heights(200_000);
    let mut truth = heights_truth();
    truth.model = CovarianceModel::V;
    let (_, fit) = maximum(&x, truth, &Known::default());
    let observed = covariance(&x, &fit, &Known::default(), Estimator::Observed);
    for how in [Estimator::OuterProduct, Estimator::Sandwich] {
        let other = covariance(&x, &fit, &Known::default(), how);
        for i in 0..observed.coefficients.len() {
            let ratio = other.matrix[(i, i)] / observed.matrix[(i, i)];
            assert!((ratio - 1.0).abs() < 0.05, "{how:?} {i}: {ratio}");
        }
    }
}

#[test]
fn frequency_weights_are_repeated_rows() {
    let x = oracle::matrix("faithful.txt");
    let (_, fit) = oracle::fits("faithful-fits.txt", 2).swap_remove(13);
    let weights: Vec<f64> = (0..x.nrows()).map(|i| (i % 3) as f64).collect();
    let rows: Vec<usize> = (0..x.nrows()).flat_map(|i| vec![i; i % 3]).collect();
    let repeated = x.select_rows(&rows);
    let weighted = Data::new(x.as_slice(), x.nrows(), 2, Some(&weights)).unwrap();
    let weighted = Inference::new(&weighted, &fit, &Known::default(), 1).unwrap();
    let repeated = Inference::new(&data(&repeated), &fit, &Known::default(), 1).unwrap();
    for how in [Estimator::Observed, Estimator::OuterProduct] {
        let scale = CovarianceScale::Deviations;
        let a = weighted.covariance(how, scale).unwrap().matrix;
        let b = repeated.covariance(how, scale).unwrap().matrix;
        assert!(oracle::difference(&a, &b) < 1e-9);
    }
    // The sandwich takes a row of weight 2 for one unit, so it is larger there.
    let units = weighted
        .covariance(Estimator::Sandwich, CovarianceScale::Entries)
        .unwrap();
    let rows = repeated
        .covariance(Estimator::Sandwich, CovarianceScale::Entries)
        .unwrap();
    assert!(units.matrix[(2, 2)] > 1.1 * rows.matrix[(2, 2)]);
}

#[test]
fn standard_errors_move_with_the_units() {
    let x = oracle::matrix("faithful.txt");
    let (_, fit) = oracle::fits("faithful-fits.txt", 2).swap_remove(13);
    let units = [1e-6, 1e6];
    let shifts = [3.0, 1e9];
    let moved = DMatrix::from_fn(x.nrows(), 2, |i, j| x[(i, j)] * units[j] + shifts[j]);
    let mut moved_fit = fit.clone();
    for k in 0..2 {
        for i in 0..2 {
            moved_fit.means[(i, k)] = fit.means[(i, k)] * units[i] + shifts[i];
            for j in 0..2 {
                moved_fit.covariances[k][(i, j)] *= units[i] * units[j];
            }
        }
    }
    let here = covariance(&x, &fit, &Known::default(), Estimator::Observed);
    let there = covariance(&moved, &moved_fit, &Known::default(), Estimator::Observed);
    assert_eq!(here.coefficients, there.coefficients);
    for (i, c) in here.coefficients.iter().enumerate() {
        let unit = match c.kind {
            CoefficientKind::Mean => units[c.row - 1],
            CoefficientKind::Covariance => units[c.row - 1] * units[c.column - 1],
            _ => 1.0,
        };
        let ratio = there.matrix[(i, i)].sqrt() / (unit * here.matrix[(i, i)].sqrt());
        assert!((ratio - 1.0).abs() < 1e-6, "{c:?}: {ratio}");
    }
}
