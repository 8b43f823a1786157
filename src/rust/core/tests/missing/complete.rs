use ember_core::mixture::data::Data;
use ember_core::mixture::expect::expect;
use ember_core::mixture::missing::{
    expect_missing, moments_from_responsibilities_missing, Patterns,
};
use ember_core::mixture::model::{CovarianceModel, Noise};
use ember_core::mixture::moments::moments_from_responsibilities;
use ember_core::mixture::stats::Scatter;
use ember_core::rng::stream;
use rand::RngExt;

use super::{assert_stats_close, iris_mixture, iris_with_holes};

#[test]
fn without_missing_values_it_is_the_complete_e_step() {
    let x = iris_with_holes(0.0, 1);
    let data = Data::new(&x, 150, 4, None).unwrap();
    let patterns = Patterns::new(&data);
    assert!(patterns.is_complete());
    for model in [
        CovarianceModel::VVV,
        CovarianceModel::EEE,
        CovarianceModel::VVI,
    ] {
        let mixture = iris_mixture(model, None);
        let complete = expect(&data, &mixture, None, 1).unwrap();
        assert_eq!(
            expect_missing(&data, &patterns, &mixture, 1).unwrap(),
            complete
        );
    }
}

/// Rows with missing cells and weight zero change nothing, though they switch the path.
#[test]
fn complete_rows_count_as_in_the_complete_e_step() {
    let x = iris_with_holes(0.0, 1);
    let weights: Vec<f64> = (0..150).map(|i| f64::from(i % 4)).collect();
    let noise = Some(Noise {
        weight: 0.1,
        log_density: -4.0,
    });
    for model in [CovarianceModel::VVV, CovarianceModel::EII] {
        let mixture = iris_mixture(model, noise);
        let data = Data::new(&x, 150, 4, Some(&weights)).unwrap();
        let complete = expect(&data, &mixture, None, 1).unwrap();
        let mut holes = x.clone();
        for i in (0..150).step_by(4) {
            holes[150 * (i % 3) + i] = f64::NAN;
        }
        let data = Data::new(&holes, 150, 4, Some(&weights)).unwrap();
        let stats = expect_missing(&data, &Patterns::new(&data), &mixture, 1).unwrap();
        assert_stats_close(&stats, &complete, 1e-12);
    }
}

#[test]
fn threads_do_not_change_bits() {
    let (n, d) = (6000, 4);
    let mut rng = stream(3, 0);
    let x: Vec<f64> = (0..n * d)
        .map(|_| {
            if rng.random::<f64>() < 0.2 {
                f64::NAN
            } else {
                6.0 * rng.random::<f64>()
            }
        })
        .collect();
    let data = Data::new(&x, n, d, None).unwrap();
    let patterns = Patterns::new(&data);
    assert_eq!(patterns.len(), 15);
    let mixture = iris_mixture(CovarianceModel::VVV, None);
    let one = expect_missing(&data, &patterns, &mixture, 1).unwrap();
    assert_eq!(one.rows, 6000 - patterns.empty_rows().len() as u64);
    for threads in [2, 5] {
        assert_eq!(
            expect_missing(&data, &patterns, &mixture, threads).unwrap(),
            one
        );
    }
}

#[test]
fn a_weight_is_a_repeated_row() {
    let x = iris_with_holes(0.3, 2);
    let weights = vec![2.0; 150];
    let data = Data::new(&x, 150, 4, Some(&weights)).unwrap();
    let twice: Vec<f64> = (0..4)
        .flat_map(|j| [&x[150 * j..150 * (j + 1)]; 2].concat())
        .collect();
    let repeated = Data::new(&twice, 300, 4, None).unwrap();
    let mixture = iris_mixture(CovarianceModel::VVV, None);
    let mut a = expect_missing(&data, &Patterns::new(&data), &mixture, 1).unwrap();
    let b = expect_missing(&repeated, &Patterns::new(&repeated), &mixture, 1).unwrap();
    a.rows *= 2;
    assert_stats_close(&a, &b, 1e-12);
}

#[test]
fn empty_rows_are_facts_and_change_nothing() {
    let mut x = iris_with_holes(0.1, 5);
    for j in 0..4 {
        x[150 * j + 7] = f64::NAN;
        x[150 * j + 90] = f64::NAN;
    }
    let data = Data::new(&x, 150, 4, None).unwrap();
    let patterns = Patterns::new(&data);
    assert_eq!(patterns.empty_rows(), [7, 90]);
    let kept: Vec<f64> = (0..600)
        .filter(|c| ![7, 90].contains(&(c % 150)))
        .map(|c| x[c])
        .collect();
    let without = Data::new(&kept, 148, 4, None).unwrap();
    let mixture = iris_mixture(CovarianceModel::VVI, None);
    assert_stats_close(
        &expect_missing(&data, &patterns, &mixture, 1).unwrap(),
        &expect_missing(&without, &Patterns::new(&without), &mixture, 1).unwrap(),
        1e-14,
    );
    let nothing = [f64::NAN; 4];
    let data = Data::new(&nothing, 2, 2, None).unwrap();
    assert!(Patterns::new(&data).is_empty());
    let x4 = Data::new(&nothing, 1, 4, None).unwrap();
    let error = expect_missing(&x4, &Patterns::new(&x4), &mixture, 1).unwrap_err();
    assert_eq!(error.kind(), "numerical");
}

#[test]
fn more_columns_than_a_machine_word_has_bits() {
    let (n, d) = (4, 130);
    let mut x = vec![1.0; n * d];
    // Rows 1 and 3 share a pattern; row 2 differs in the third word only.
    for i in [1, 2, 3] {
        x[n * 5 + i] = f64::NAN;
    }
    x[n * 129 + 2] = f64::NAN;
    let data = Data::new(&x, n, d, None).unwrap();
    assert_eq!(Patterns::new(&data).len(), 3);
}

#[test]
fn starting_moments_are_the_usual_ones_without_missing_values() {
    let x = iris_with_holes(0.0, 1);
    let data = Data::new(&x, 150, 4, None).unwrap();
    let mut rng = stream(1, 1);
    let first: Vec<f64> = (0..150).map(|_| rng.random::<f64>()).collect();
    let rest = first.iter().map(|r| 1.0 - r);
    let posterior: Vec<f64> = first.iter().copied().chain(rest).collect();
    let usual = moments_from_responsibilities(&data, &posterior, 1, true);
    let ours = moments_from_responsibilities_missing(&data, &posterior, 1, true);
    assert!((ours.means - usual.means).amax() < 1e-12);
    assert!((ours.scatter.pooled() - usual.scatter.pooled()).amax() < 1e-10);
    assert!((ours.counts[0] - usual.counts[0]).abs() < 1e-12);
    assert!((ours.noise_count - usual.noise_count).abs() < 1e-12);
}

#[test]
fn starting_moments_keep_the_variances_of_the_observed_cells() {
    let nan = f64::NAN;
    let x = [1.0, 2.0, 3.0, 6.0, 1.0, nan, 5.0, nan];
    let data = Data::new(&x, 4, 2, None).unwrap();
    let posterior = [1.0, 1.0, 1.0, 1.0];
    let moments = moments_from_responsibilities_missing(&data, &posterior, 1, false);
    assert_eq!(moments.means.as_slice(), [3.0, 3.0]);
    let Scatter::PerComponent(scatters) = moments.scatter else {
        panic!("one scatter per component")
    };
    // Variance 4 over two observed cells and as much for two missing ones; (−2)(−2) + 0 · 2 = 4 across.
    assert_eq!(scatters[0].as_slice(), [14.0, 4.0, 4.0, 16.0]);
}
