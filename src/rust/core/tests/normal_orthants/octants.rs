//! Three dimensions, exactly.

use super::{correlations, lines, moments, octant, EXACT};
use ember_core::normal::orthant::{Orthant, Work};

/// Probabilities by mvtnorm, moments by quadrature in R (data/normal/octants.R).
#[test]
fn moments_are_those_of_quadrature() {
    let table = lines("octants");
    assert!(table.len() > 25);
    for line in table {
        let found = moments(&octant(&line[..3]), &line[3..6], 0);
        // R's quadrature ends at nine standard deviations.
        let tolerance = if line[6] > -25.0 { 2e-13 } else { 2e-10 };
        assert!(
            (found.log_probability - line[6]).abs() < tolerance,
            "{line:?}"
        );
        for k in 0..3 {
            // Z = X + h.
            assert!(
                (found.mean[k] - line[3 + k] - line[7 + k]).abs() < tolerance,
                "{line:?}"
            );
        }
        let entries = [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (2, 2)];
        for (entry, value) in entries.into_iter().zip(&line[10..]) {
            assert!(
                (found.covariance[entry] - value).abs() < tolerance,
                "{line:?} {entry:?}"
            );
        }
    }
}

/// Ten thousand rows: mvtnorm's TVPACK row by row.
#[test]
fn log_likelihoods_are_those_of_mvtnorm() {
    for line in lines("octant-sums") {
        let orthant = octant(&line[..3]);
        let mut work = Work::default();
        let total: f64 = (1..=10_000)
            .map(|i| {
                let h = [1.0, 1.7, 2.3].map(|pace| 2.0 * (pace * f64::from(i)).sin());
                orthant.log_probability(&h, 0, &mut work)
            })
            .sum();
        assert!((total - line[3]).abs() < 1e-7, "{line:?} {total}");
    }
}

/// Orthants of mean zero have P = (1/2 + Σ asin r / π) / 4, however close to singular.
#[test]
fn at_the_centre() {
    for r in [
        [0.3, 0.5, 0.2],
        [0.999, 0.998, 0.997],
        [-0.9, -0.9, 0.7],
        [0.99, 0.99, 0.99],
        [0.999_99, 0.999_99, 0.999_98],
        [-0.999_9, 0.1, -0.09],
    ] {
        let angles: f64 = r.iter().map(|r: &f64| r.asin()).sum();
        let exact = (0.125 + angles / (4.0 * std::f64::consts::PI)).ln();
        let found = moments(&octant(&r), &[0.0; 3], 0);
        assert!(
            (found.log_probability - exact).abs() < 1e-11,
            "{r:?} {exact} {}",
            found.log_probability
        );
    }
}

/// Signs and scales: of q∘Z, D Z.
#[test]
fn signs_and_scales() {
    let c = correlations(&[0.3, -0.5, 0.4]);
    let mean = [0.4, -1.1, 0.7];
    let signs = [1.0, -1.0, 1.0];
    let scales = [2.0, 0.5, 3.0];
    let scaled =
        ember_core::nalgebra::DMatrix::from_fn(3, 3, |i, j| scales[i] * scales[j] * c[(i, j)]);
    let flipped = octant(&[-0.3, -0.5, -0.4]);
    let positive = moments(&flipped, &[0.4, 1.1, 0.7], 0);
    let orthant = Orthant::new(&scaled, &signs, &EXACT).unwrap();
    let found = moments(&orthant, &[0, 1, 2].map(|k| scales[k] * mean[k]), 0);
    assert!((found.log_probability - positive.log_probability).abs() < 1e-14);
    for i in 0..3 {
        let scale = signs[i] * scales[i];
        assert!((found.mean[i] - scale * positive.mean[i]).abs() < 1e-13);
        for j in 0..3 {
            let expected = scale * signs[j] * scales[j] * positive.covariance[(i, j)];
            assert!((found.covariance[(i, j)] - expected).abs() < 1e-12);
        }
    }
}

/// The two ways of integrating meet where one takes over from the other.
#[test]
fn the_tail_joins_smoothly() {
    let orthant = octant(&[0.4, 0.3, -0.2]);
    let at = |x: f64| moments(&orthant, &[x, x - 0.2, x + 0.1], 0);
    // Bisect for P = 3e-4.
    let (mut low, mut high) = (-4.0, 0.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if at(middle).log_probability < 3e-4f64.ln() {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (below, above) = (at(low), at(high));
    assert!((below.log_probability - above.log_probability).abs() < 1e-11);
    for k in 0..3 {
        assert!((below.mean[k] - above.mean[k]).abs() < 1e-11);
    }
    assert!((below.covariance - above.covariance).amax() < 1e-10);
}
