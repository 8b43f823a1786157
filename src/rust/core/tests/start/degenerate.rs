use ember_core::mixture::start::{kmeans_plus_plus, random_start, Criterion, Tree};
use ember_core::rng::stream;
use ember_core::Error;

use super::{balls, Matrix};

/// Every way gives `k` non-empty labels.
fn all_labels_used(x: &Matrix, k: usize) {
    let data = x.data();
    let tree = Tree::grow(&data, k, 100, &mut stream(1, 0)).unwrap();
    let ways = [
        kmeans_plus_plus(&data, k, &mut stream(1, 0)).unwrap(),
        random_start(&data, k, &mut stream(1, 0)).unwrap(),
        tree.labels(&data, k, Criterion::EqualSpheres).unwrap(),
        tree.labels(&data, k, Criterion::UnequalEllipsoids).unwrap(),
    ];
    for labels in ways {
        assert_eq!(labels.len(), x.rows);
        assert!(labels.iter().all(|&label| (label as usize) < k));
        assert!((0..k as u32).all(|label| labels.contains(&label)));
    }
}

#[test]
fn one_row() {
    all_labels_used(&Matrix::of(&[vec![3.0, -1.0]]), 1);
}

#[test]
fn as_many_components_as_rows() {
    all_labels_used(&balls(7, 2, 3, 1), 7);
    all_labels_used(&balls(7, 1, 3, 1), 7);
}

#[test]
fn constant_columns() {
    let rows: Vec<Vec<f64>> = (0..20).map(|i| vec![1e7, f64::from(i), 0.1]).collect();
    all_labels_used(&Matrix::of(&rows), 3);
    all_labels_used(&Matrix::of(&[vec![2.0], vec![2.0]]), 1);
}

#[test]
fn collinear_columns() {
    let rows: Vec<Vec<f64>> = (0..30)
        .map(|i| vec![f64::from(i), 2.0 * f64::from(i) + 1.0, -f64::from(i)])
        .collect();
    all_labels_used(&Matrix::of(&rows), 4);
}

#[test]
fn few_distinct_rows_among_many() {
    // Three of the four distinct rows are rarer than any sample is likely to show.
    let mut rows = vec![vec![0.0, 0.0]; 50_000];
    rows[123] = vec![1.0, 0.0];
    rows[40_000] = vec![0.0, 1.0];
    rows[49_999] = vec![5.0, 5.0];
    let x = Matrix::of(&rows);
    all_labels_used(&x, 4);
    let errors = [
        kmeans_plus_plus(&x.data(), 5, &mut stream(1, 0)).unwrap_err(),
        random_start(&x.data(), 5, &mut stream(1, 0)).unwrap_err(),
        Tree::grow(&x.data(), 5, 100, &mut stream(1, 0)).unwrap_err(),
    ];
    for error in errors {
        let Error::Argument { argument, message } = error else {
            panic!("{error}");
        };
        assert_eq!(argument, "k");
        assert!(message.contains("k is 5, the data have 4"), "{message}");
    }
}

#[test]
fn more_columns_than_rows() {
    all_labels_used(&balls(6, 40, 2, 3), 2);
}

#[test]
fn extreme_units_and_outliers() {
    let mut x = balls(50, 2, 2, 1);
    x.column_mut(0).iter_mut().for_each(|v| *v *= 1e300);
    x.column_mut(1).iter_mut().for_each(|v| *v *= 1e-300);
    all_labels_used(&x, 3);
    let mut x = balls(50, 2, 2, 1);
    x.cells[0] = 1e250;
    all_labels_used(&x, 5);
}

#[test]
fn rows_that_differ_only_in_what_is_missing() {
    let nan = f64::NAN;
    let rows = [
        vec![1.0, nan],
        vec![nan, 2.0],
        vec![1.0, 2.0],
        vec![nan, nan],
    ];
    all_labels_used(&Matrix::of(&rows), 3);
}
