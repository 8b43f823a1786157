//! Moments of orthants in one and two dimensions: the derivatives of the log-probability, symmetry, and hard corners.

use ember_core::nalgebra::{DMatrix, DVector};
use ember_core::normal::orthant::{Integration, Orthant, Work};
use ember_core::Error;

struct Inside {
    log_probability: f64,
    expectation: DVector<f64>,
    covariance: DMatrix<f64>,
}

fn inside(covariance: &DMatrix<f64>, signs: &[f64], mean: &[f64]) -> Inside {
    let orthant = Orthant::new(covariance, signs, &Integration::Exact).unwrap();
    let j = signs.len();
    let (mut expectation, mut square) = (vec![0.0; j], vec![0.0; j * j]);
    let mut work = Work::default();
    let log_probability = orthant.moments(mean, 0, &mut work, &mut expectation, &mut square);
    let alone = orthant.log_probability(mean, 0, &mut work);
    assert!((log_probability - alone).abs() <= 1e-15 * (1.0 + alone.abs()));
    Inside {
        log_probability,
        expectation: DVector::from_vec(expectation),
        covariance: DMatrix::from_vec(j, j, square),
    }
}

fn pair(c11: f64, c22: f64, r: f64) -> DMatrix<f64> {
    let c12 = r * (c11 * c22).sqrt();
    DMatrix::from_row_slice(2, 2, &[c11, c12, c12, c22])
}

const SIGNS: [[f64; 2]; 4] = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]];

/// d log P / dm = C⁻¹(E - m) and d² log P / dm dm' = C⁻¹(V - C)C⁻¹, by central differences.
#[test]
fn moments_are_the_derivatives_of_the_log_probability() {
    for r in [-0.97, -0.6, 0.0, 0.3, 0.8, 0.97] {
        let c = pair(1.0, 2.5, r);
        let inverse = c.clone().try_inverse().unwrap();
        for mean in [
            [0.2, -0.4],
            [1.5, 2.0],
            [-3.0, 1.0],
            [4.0, -6.0],
            [-9.0, -7.0],
        ] {
            for signs in SIGNS {
                let gradient = |mean: &[f64]| {
                    let here = inside(&c, &signs, mean);
                    &inverse * (here.expectation - DVector::from_column_slice(mean))
                };
                let here = inside(&c, &signs, &mean);
                let first = gradient(&mean);
                let second = &inverse * (&here.covariance - &c) * &inverse;
                for k in 0..2 {
                    let step = 1e-4;
                    let moved = |by: f64| {
                        let mut moved = mean;
                        moved[k] += by * step;
                        moved
                    };
                    let value = |by: f64| inside(&c, &signs, &moved(by)).log_probability;
                    // Fourth order.
                    let slope = (8.0 * (value(1.0) - value(-1.0)) - value(2.0) + value(-2.0))
                        / (12.0 * step);
                    let scale = 1.0 + here.log_probability.abs();
                    assert!(
                        (slope - first[k]).abs() < 1e-10 * scale,
                        "{r} {mean:?} {signs:?} {slope} {}",
                        first[k]
                    );
                    let slopes = (8.0 * (gradient(&moved(1.0)) - gradient(&moved(-1.0)))
                        - gradient(&moved(2.0))
                        + gradient(&moved(-2.0)))
                        / (12.0 * step);
                    let error = (slopes - second.column(k)).amax();
                    assert!(
                        error < 1e-9 * (1.0 + second.amax()),
                        "{r} {mean:?} {signs:?} {error}"
                    );
                }
            }
        }
    }
}

/// P, E and V over the four quadrants make up the whole.
#[test]
fn quadrants_add_up_to_the_plane() {
    for r in [-0.9999, -0.9, -0.5, 0.0, 0.4, 0.93, 0.9999] {
        let c = pair(0.7, 1.9, r);
        for mean in [
            [0.0, 0.0],
            [0.3, -1.1],
            [-2.0, 0.5],
            [2.5, 2.4],
            [-0.01, 0.02],
        ] {
            let (mut total, mut first, mut second) = (0.0, DVector::zeros(2), DMatrix::zeros(2, 2));
            for signs in SIGNS {
                let part = inside(&c, &signs, &mean);
                let p = part.log_probability.exp();
                total += p;
                second += (part.covariance + &part.expectation * part.expectation.transpose()) * p;
                first += part.expectation * p;
            }
            let mean = DVector::from_column_slice(&mean);
            assert!((total - 1.0).abs() < 4e-15, "{r} {total}");
            assert!((first - &mean).amax() < 1e-14, "{r}");
            assert!(
                (second - &c - &mean * mean.transpose()).amax() < 3e-14,
                "{r}"
            );
        }
    }
}

#[test]
fn independent_selections_are_two_single_ones() {
    for mean in [[0.3, -0.2], [-8.0, 5.0], [-60.0, -0.4], [1e3, -1e3]] {
        for signs in SIGNS {
            let both = inside(&pair(1.3, 0.4, 0.0), &signs, &mean);
            let one = |k: usize, c: f64| {
                inside(&DMatrix::from_element(1, 1, c), &signs[k..=k], &mean[k..=k])
            };
            let (a, b) = (one(0, 1.3), one(1, 0.4));
            let log = a.log_probability + b.log_probability;
            assert!((both.log_probability - log).abs() <= 1e-14 * (1.0 + log.abs()));
            for (k, single) in [a, b].into_iter().enumerate() {
                let (e, v) = (single.expectation[0], single.covariance[0]);
                assert!(
                    (both.expectation[k] - e).abs() <= 4e-14 * e.abs(),
                    "{mean:?} {signs:?}"
                );
                assert!(
                    (both.covariance[(k, k)] - v).abs() <= 1e-12 * v,
                    "{mean:?} {signs:?}"
                );
            }
            let cross = both.covariance[(0, 1)].powi(2);
            assert!(cross < 1e-24 * both.covariance[(0, 0)] * both.covariance[(1, 1)]);
        }
    }
}

/// Finite, inside the quadrant, positive semidefinite to rounding, symmetric in the order of the coordinates.
#[test]
fn no_corner_is_too_far() {
    let places = [
        -1e6, -300.0, -40.0, -7.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 7.0, 40.0, 300.0, 1e6,
    ];
    for r in [
        -1.0 + 1e-12,
        -1.0 + 1e-7,
        -0.999,
        -0.5,
        0.0,
        0.5,
        0.999,
        1.0 - 1e-7,
        1.0 - 1e-12,
    ] {
        let c = pair(1.0, 1.0, r);
        for x in places {
            for y in places {
                let here = inside(&c, &[1.0, 1.0], &[x, y]);
                let what = format!(
                    "{r} {x} {y} {} {} {}",
                    here.log_probability, here.expectation, here.covariance
                );
                assert!(
                    here.log_probability <= 1e-15 && here.log_probability.is_finite(),
                    "{what}"
                );
                assert!(
                    here.expectation.iter().all(|e| *e >= 0.0 && e.is_finite()),
                    "{what}"
                );
                let (v, w) = (here.covariance[(0, 0)], here.covariance[(1, 1)]);
                assert!(
                    v >= 0.0 && w >= 0.0 && v.is_finite() && w.is_finite(),
                    "{what}"
                );
                let cross = here.covariance[(0, 1)];
                assert!(cross * cross <= v * w * (1.0 + 1e-9), "{what}");
                let turned = inside(&c, &[1.0, 1.0], &[y, x]);
                let gap = (turned.log_probability - here.log_probability).abs();
                assert!(gap <= 1e-12 * (1.0 + here.log_probability.abs()), "{what}");
            }
        }
    }
}

#[test]
fn what_cannot_be_integrated_is_refused() {
    let singular = pair(1.0, 1.0, 1.0);
    let refused = Orthant::new(&singular, &[1.0, 1.0], &Integration::Exact);
    assert!(matches!(
        refused,
        Err(Error::NotPositiveDefinite { pivot: 1 })
    ));
    let refused = Orthant::new(&singular, &[1.0], &Integration::Exact);
    assert!(matches!(
        refused,
        Err(Error::Argument {
            argument: "covariance",
            ..
        })
    ));
}
