use ember_core::mixture::data::Data;
use ember_core::mixture::start::{kmeans_plus_plus, random_start, Criterion, Tree};
use ember_core::rng::stream;
use rand::RngExt;

use super::{balls, Matrix};

/// Every kind of start of `data`.
fn starts(data: &Data) -> Vec<Vec<u32>> {
    let tree = Tree::grow(data, 9, 500, &mut stream(3, 100)).unwrap();
    (2..=9)
        .flat_map(|k| {
            [
                kmeans_plus_plus(data, k, &mut stream(3, k as u64)).unwrap(),
                random_start(data, k, &mut stream(3, k as u64)).unwrap(),
                tree.labels(data, k, Criterion::EqualSpheres).unwrap(),
                tree.labels(data, k, Criterion::UnequalEllipsoids).unwrap(),
            ]
        })
        .collect()
}

/// Distinct values without ties, so that rounding cannot tip a label.
fn generic(n: usize, d: usize) -> Matrix {
    let mut x = balls(n, d, 3, 8);
    let mut rng = stream(8, 1);
    for cell in &mut x.cells {
        *cell += 20.0 * rng.random::<f64>();
    }
    x
}

#[test]
fn units_and_origins_of_columns_do_not_matter() {
    for x in [generic(400, 3), generic(3000, 3)] {
        let before = starts(&x.data());
        let mut y = x.clone();
        for (j, unit) in [1e-6, 1e6, -3.0].into_iter().enumerate() {
            y.column_mut(j).iter_mut().for_each(|v| *v *= unit);
        }
        assert_eq!(starts(&y.data()), before);
        let mut y = x.clone();
        y.cells.iter_mut().for_each(|v| *v += 1e7);
        assert_eq!(starts(&y.data()), before);
    }
}

#[test]
fn the_stream_decides_and_nothing_else() {
    let x = generic(5000, 2);
    assert_eq!(starts(&x.data()), starts(&x.data()));
}

#[test]
fn a_weight_is_a_repeated_row() {
    let x = generic(300, 2);
    let times = |i: usize| 1 + i % 3;
    let weights: Vec<f64> = (0..300).map(|i| times(i) as f64).collect();
    let index: Vec<usize> = (0..300).flat_map(|i| vec![i; times(i)]).collect();
    let repeated = Matrix {
        cells: (0..2)
            .flat_map(|j| index.iter().map(move |&i| (i, j)))
            .map(|(i, j)| x.cells[j * 300 + i])
            .collect(),
        rows: index.len(),
        columns: 2,
    };
    for k in 2..=7 {
        let weighted = x.weighted(Some(&weights));
        let short = kmeans_plus_plus(&weighted, k, &mut stream(5, 0)).unwrap();
        let long = kmeans_plus_plus(&repeated.data(), k, &mut stream(5, 0)).unwrap();
        let spread: Vec<u32> = index.iter().map(|&i| short[i]).collect();
        assert_eq!(spread, long, "k = {k}");
    }
}

#[test]
fn only_the_ratio_of_weights_matters_and_zero_is_absence() {
    let x = generic(300, 2);
    let weights: Vec<f64> = (0..300).map(|i| f64::from(i % 4)).collect();
    let scaled: Vec<f64> = weights.iter().map(|w| w * 1024.0).collect();
    let before = starts(&x.weighted(Some(&weights)));
    assert_eq!(starts(&x.weighted(Some(&scaled))), before);
    let mut moved = x.clone();
    for i in (0..300).step_by(4) {
        moved.cells[i] = 1e12;
    }
    let after = starts(&moved.weighted(Some(&weights)));
    for (a, b) in before.iter().zip(&after) {
        assert!((0..300).filter(|i| i % 4 != 0).all(|i| a[i] == b[i]));
    }
}

#[test]
fn a_few_missing_cells_leave_separated_balls_alone() {
    let x = balls(2000, 3, 4, 6);
    let mut holes = x.clone();
    for i in (0..2000).step_by(5) {
        holes.cells[i % 3 * 2000 + i] = f64::NAN;
    }
    let truth: Vec<u32> = (0..2000).map(|i| i % 4).collect();
    let labels = kmeans_plus_plus(&holes.data(), 4, &mut stream(1, 0)).unwrap();
    assert!(super::same_partition(&labels, &truth));
    let tree = Tree::grow(&holes.data(), 4, 500, &mut stream(1, 0)).unwrap();
    assert!(super::same_partition(
        &tree
            .labels(&holes.data(), 4, Criterion::EqualSpheres)
            .unwrap(),
        &truth
    ));
}
