//! GHK on shifted lattices.

use super::{correlations, lines, moments, octant, EXACT};
use ember_core::nalgebra::DMatrix;
use ember_core::normal::orthant::{Integration, Orthant, Work};
use ember_core::Error;

fn ghk(covariance: &DMatrix<f64>, signs: &[f64], points: usize, seed: u64) -> Orthant {
    Orthant::new(covariance, signs, &Integration::Ghk { points, seed }).unwrap()
}

/// mvtnorm's probabilities (data/normal/octants.R) in 4 to 8 dimensions: every row is another shift.
#[test]
fn probabilities_are_those_of_mvtnorm() {
    for line in lines("orthants") {
        let j = line[0] as usize;
        let mut c = DMatrix::identity(j, j);
        let mut entries = line[1..].iter();
        for b in 0..j {
            for a in b + 1..j {
                (c[(a, b)], c[(b, a)]) = {
                    let r = *entries.next().unwrap();
                    (r, r)
                };
            }
        }
        let h: Vec<f64> = entries.copied().collect();
        let exact = h[j].ln();
        let error = |points: usize| {
            let orthant = ghk(&c, &vec![1.0; j], points, 3);
            let mut work = Work::default();
            let squares = (0..20).map(|row| {
                let found = orthant.log_probability(&h[..j], row, &mut work);
                (found - exact).powi(2)
            });
            (squares.sum::<f64>() / 20.0).sqrt()
        };
        let (few, many) = (error(128), error(1280));
        let tolerance = if j == 4 { 4e-3 } else { 3e-2 };
        assert!(few < tolerance, "{j} {few}");
        // Random points would gain a factor 3.2.
        assert!(
            many < tolerance / 5.0 && many < few / 3.0,
            "{j} {few} {many}"
        );
    }
}

/// Two and three dimensions, simulated and exact.
#[test]
fn moments_are_the_exact_ones() {
    let c = DMatrix::from_row_slice(3, 3, &[2.0, 0.6, -0.4, 0.6, 1.0, 0.3, -0.4, 0.3, 1.5]);
    for j in [2, 3] {
        let c = c.view((0, 0), (j, j)).into_owned();
        for (signs, mean) in [
            ([1.0, 1.0, 1.0], [0.3, -0.2, 0.5]),
            ([1.0, -1.0, 1.0], [-1.0, 1.5, 0.4]),
            ([-1.0, -1.0, -1.0], [3.0, 2.5, 2.0]),
        ] {
            let exact = moments(
                &Orthant::new(&c, &signs[..j], &EXACT).unwrap(),
                &mean[..j],
                0,
            );
            let orthant = ghk(&c, &signs[..j], 20_000, 11);
            let found = moments(&orthant, &mean[..j], 4);
            let error = found.log_probability - exact.log_probability;
            // In the tails the weights have a pole in the uniforms.
            let tolerance = if mean[0] > 2.0 { 2e-4 } else { 2e-5 };
            assert!(error.abs() < tolerance, "{j} {mean:?} {error:e}");
            for k in 0..j {
                assert!((found.mean[k] - exact.mean[k]).abs() < 20.0 * tolerance);
            }
            let scale = exact.covariance.amax();
            assert!((found.covariance - exact.covariance).amax() < 3e-3 * scale);
        }
    }
}

/// The error falls faster than that of random points, and repeats with other seeds estimate it.
#[test]
fn seeds_are_replications() {
    let h = [0.2, -0.5, 0.8];
    let r = [0.5, 0.3, 0.4];
    let exact = moments(&octant(&r), &h, 0).log_probability;
    let errors = |points: usize| {
        let found = (0..200).map(|seed| {
            let orthant = ghk(&correlations(&r), &[1.0; 3], points, seed);
            orthant.log_probability(&h, 0, &mut Work::default()) - exact
        });
        let errors: Vec<f64> = found.collect();
        let mean = errors.iter().sum::<f64>() / 200.0;
        let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 199.0;
        assert!(
            mean.abs() < 4.0 * (variance / 200.0).sqrt() + 1e-7,
            "{points} {mean} {variance}"
        );
        variance.sqrt()
    };
    let (few, many) = (errors(128), errors(2048));
    assert!(few < 1e-3, "{few}");
    // Random points would gain a factor 4.
    assert!(many < few / 8.0, "{few} {many}");
}

/// The same bits again, whatever was computed before; other rows and seeds are other shifts.
#[test]
fn rows_and_seeds_choose_the_shift() {
    let c = DMatrix::from_fn(5, 5, |i, j| if i == j { 1.0 } else { 0.3 });
    let mean = [0.1, -0.2, 0.3, 0.4, -0.5];
    let (orthant, other) = (ghk(&c, &[1.0; 5], 128, 9), ghk(&c, &[1.0; 5], 128, 10));
    let mut work = Work::default();
    let first = orthant.log_probability(&mean, 7, &mut work);
    assert_ne!(first, orthant.log_probability(&mean, 8, &mut work));
    assert_ne!(first, other.log_probability(&mean, 7, &mut work));
    let (mut e, mut v) = ([0.0; 5], [0.0; 25]);
    orthant.moments(&[3.0; 5], 1, &mut work, &mut e, &mut v);
    assert_eq!(first, orthant.log_probability(&mean, 7, &mut work));
    assert_eq!(
        first,
        orthant.log_probability(&mean, 7, &mut Work::default())
    );
}

/// Common random numbers: third differences of log P in the means and in C are those of a smooth function.
#[test]
fn smooth_in_means_and_covariances() {
    let at = |x: f64| {
        let c = DMatrix::from_fn(4, 4, |i, j| if i == j { 1.0 } else { 0.3 + 0.1 * x });
        let mean = [0.1 + x, -1.2 + 0.5 * x, 0.3 - x, 2.0 * x - 0.4];
        moments(&ghk(&c, &[1.0, -1.0, 1.0, 1.0], 64, 2), &mean, 5)
    };
    let step = 1e-3;
    for centre in [-1.0, -0.3, 0.4, 1.1] {
        let values: Vec<f64> = (-2..=2)
            .map(|i| at(centre + f64::from(i) * step).log_probability)
            .collect();
        let third = -values[0] + 2.0 * values[1] - 2.0 * values[3] + values[4];
        assert!((third / (2.0 * step.powi(3))).abs() < 10.0, "{third}");
        let means: Vec<f64> = (-2..=2)
            .map(|i| at(centre + f64::from(i) * step).mean[3])
            .collect();
        let third = -means[0] + 2.0 * means[1] - 2.0 * means[3] + means[4];
        assert!((third / (2.0 * step.powi(3))).abs() < 10.0, "{third}");
    }
}

/// Far in the tails the probability stays finite and near the exact one.
#[test]
fn tails_do_not_underflow() {
    let r = [0.3, 0.2, 0.1];
    for size in [10.0, 50.0, 1e3, 1e5] {
        let mean = [-size, -1.1 * size, -0.9 * size];
        let exact = moments(&octant(&r), &mean, 0);
        let found = moments(&ghk(&correlations(&r), &[1.0; 3], 512, 1), &mean, 0);
        let error = found.log_probability - exact.log_probability;
        assert!(error.abs() < 1e-2 + 1e-15 * size * size, "{size} {error}");
        for k in 0..3 {
            assert!(
                (found.mean[k] / exact.mean[k] - 1.0).abs() < 0.05,
                "{size} {k}"
            );
            assert!(found.covariance[(k, k)] > 0.0);
        }
    }
}

#[test]
fn what_cannot_be_integrated_is_an_argument_error() {
    let c = DMatrix::identity(4, 4);
    let argument = |integration: Integration| {
        let made = Orthant::new(&c, &[1.0; 4], &integration);
        matches!(
            made,
            Err(Error::Argument {
                argument: "integration",
                ..
            })
        )
    };
    assert!(argument(Integration::Exact));
    assert!(argument(Integration::Ghk { points: 0, seed: 1 }));
    let singular = DMatrix::from_element(4, 4, 1.0);
    let made = Orthant::new(
        &singular,
        &[1.0; 4],
        &Integration::Ghk { points: 8, seed: 1 },
    );
    assert!(matches!(made, Err(Error::NotPositiveDefinite { .. })));
}
