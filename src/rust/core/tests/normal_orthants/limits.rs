//! Three dimensions that are really fewer.

use super::{correlations, moments, octant, EXACT};
use ember_core::nalgebra::DMatrix;
use ember_core::normal::orthant::Orthant;

fn one(mean: f64) -> super::Moments {
    moments(
        &Orthant::new(&DMatrix::identity(1, 1), &[1.0], &EXACT).unwrap(),
        &[mean],
        0,
    )
}

fn two(r: f64, mean: [f64; 2]) -> super::Moments {
    let c = DMatrix::from_row_slice(2, 2, &[1.0, r, r, 1.0]);
    moments(&Orthant::new(&c, &[1.0; 2], &EXACT).unwrap(), &mean, 0)
}

/// One variable that has nothing to do with the others, in the middle and in the tails, whichever it is.
#[test]
fn independent_variables_factor() {
    let orders = [[0, 1, 2], [1, 0, 2], [1, 2, 0]];
    for r in [0.0, 0.4, -0.95, 0.999] {
        for h in [
            [0.3, -0.5, 0.8],
            [-9.0, -5.0, -7.0],
            [-40.0, 3.0, 2.0],
            [2.0, -30.0, -31.0],
        ] {
            for [alone, first, second] in orders {
                let mut c = DMatrix::identity(3, 3);
                (c[(first, second)], c[(second, first)]) = (r, r);
                let mut mean = [0.0; 3];
                (mean[alone], mean[first], mean[second]) = (h[0], h[1], h[2]);
                let found = moments(&Orthant::new(&c, &[1.0; 3], &EXACT).unwrap(), &mean, 0);
                let (a, b) = (one(h[0]), two(r, [h[1], h[2]]));
                let sum = a.log_probability + b.log_probability;
                assert!(
                    (found.log_probability - sum).abs() < 1e-11 * (1.0 + sum.abs()),
                    "{r} {h:?} {} {sum}",
                    found.log_probability
                );
                for (k, expected) in [(alone, a.mean[0]), (first, b.mean[0]), (second, b.mean[1])] {
                    assert!(
                        (found.mean[k] / expected - 1.0).abs() < 1e-9,
                        "{r} {h:?} {k}"
                    );
                }
                let variances = [
                    (alone, alone, a.covariance[(0, 0)]),
                    (first, second, b.covariance[(1, 0)]),
                    (second, second, b.covariance[(1, 1)]),
                ];
                for (i, j, expected) in variances {
                    let scale = (found.covariance[(i, i)] * found.covariance[(j, j)]).sqrt();
                    assert!(
                        (found.covariance[(i, j)] - expected).abs() < 1e-8 * scale,
                        "{r} {h:?} {i} {j}"
                    );
                }
                assert!(found.covariance[(alone, first)].abs() < 1e-10);
            }
        }
    }
}

/// Two variables that become one: the nearer bound alone counts.
#[test]
fn equal_variables_are_one() {
    let near = 1.0 - 1e-13;
    let orthant = octant(&[near, 0.5, 0.5]);
    let found = moments(&orthant, &[0.3, 0.7, -0.2], 0);
    let pair = two(0.5, [0.3, -0.2]);
    assert!((found.log_probability - pair.log_probability).abs() < 1e-10);
    assert!((found.mean[0] - pair.mean[0]).abs() < 1e-8);
    assert!((found.mean[1] - pair.mean[0] - 0.4).abs() < 1e-6);
    assert!((found.mean[2] - pair.mean[1]).abs() < 1e-8);
}

/// A bound that is never met.
#[test]
fn certain_signs_change_nothing() {
    for far in [20.0, 1e3, 1e8] {
        let found = moments(&octant(&[0.4, 0.3, -0.6]), &[0.2, far, -0.5], 0);
        let pair = two(0.3, [0.2, -0.5]);
        assert!((found.log_probability - pair.log_probability).abs() < 1e-14);
        assert!((found.mean[0] - pair.mean[0]).abs() < 1e-13);
        assert!((found.covariance[(2, 0)] - pair.covariance[(1, 0)]).abs() < 1e-13);
    }
}

/// Far out, and nearly singular: finite, on the right side, of positive variance.
#[test]
fn extremes_are_finite() {
    for r in [
        [0.3, 0.5, 0.2],
        [0.999_999, 0.999_998, 0.999_997],
        [-0.9, -0.9, 0.63],
        [0.99, -0.99, -0.995],
    ] {
        if ember_core::linalg::cholesky(&correlations(&r)).is_err() {
            continue;
        }
        let orthant = octant(&r);
        for h in [
            [0.0; 3],
            [-1e3, 5.0, 1e3],
            [-1e5, -1e5, -1e5],
            [1e5, -1e5, 0.0],
            [-37.0, 37.0, 1.0],
            [3.0, -3.0, 3.0],
        ] {
            let found = moments(&orthant, &h, 0);
            assert!(
                found.log_probability.is_finite() && found.log_probability <= 0.0,
                "{r:?} {h:?}"
            );
            for k in 0..3 {
                assert!(
                    found.mean[k] >= 0.0 && found.mean[k].is_finite(),
                    "{r:?} {h:?} {:?}",
                    found.mean
                );
                assert!(
                    found.covariance[(k, k)] >= 0.0,
                    "{r:?} {h:?} {}",
                    found.covariance
                );
            }
        }
    }
}
