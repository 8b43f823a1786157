//! The normal distribution and its draws against values of 60 digits, and against each other.

use ember_core::normal::truncated::draw;
use ember_core::normal::univariate::{
    cdf, density, log_cdf, mills, positive, quantile, Positive, PositiveBlock,
};
use ember_core::rng::stream;

fn lines(name: &str) -> Vec<Vec<f64>> {
    let path = format!(
        "{}/tests/data/normal/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let numbers = |line: &str| {
        let words = line.split_whitespace();
        words.map(|word| word.parse().unwrap()).collect()
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(numbers).collect()
}

fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let error = (got - want).abs();
    assert!(error <= tolerance * want.abs(), "{what}: {got} {want}");
}

/// a, then log Φ(a), φ(a)/Φ(a), and mean, variance and third central moment of N(a, 1) given that it is positive.
#[test]
fn tails_have_fourteen_digits() {
    for line in lines("univariate") {
        let a = line[0];
        let what = format!("{a}");
        close(log_cdf(a), line[1], 5e-15, &what);
        if (-37.5..1.0).contains(&a) {
            close(cdf(a).ln(), log_cdf(a), 1e-15, &what);
        }
        close(mills(a), line[2], 1e-14, &what);
        let one = Positive::new(a);
        close(one.log_probability, line[1], 5e-15, &what);
        close(one.mills, line[2], 1e-14, &what);
        close(one.mean, line[3], 1e-14, &what);
        close(one.variance, line[4], 2e-14, &what);
        close(one.third, line[5], 1e-13, &what);
    }
}

#[test]
fn the_density_keeps_its_digits_far_out() {
    // exp(-648 - 0.5 · 36 · 2 · 2⁻³⁰ - ...) at x = 36 + 2⁻³⁰.
    let x = 36.0 + 2f64.powi(-30);
    let log_ratio = -(36.0 * 2f64.powi(-30) + 0.5 * 2f64.powi(-60));
    close(
        density(x) / density(36.0),
        log_ratio.exp(),
        1e-15,
        "density",
    );
    close(
        density(0.0),
        1.0 / std::f64::consts::TAU.sqrt(),
        1e-16,
        "density",
    );
    assert_eq!(density(f64::INFINITY), 0.0);
    assert!(density(f64::NAN).is_nan());
}

#[test]
fn blocks_are_the_scalars() {
    let a: Vec<f64> = (0..1003)
        .map(|i| 0.08 * f64::from(i) - 45.0)
        .chain([-1e4, 1e4, -1e80, 1e80, f64::NAN])
        .collect();
    let mut got = vec![vec![0.0; a.len()]; 3];
    let [log_probability, mills, variance] = got.get_disjoint_mut([0, 1, 2]).unwrap();
    positive(
        &a,
        PositiveBlock {
            log_probability,
            mills,
            variance,
        },
    );
    for (i, a) in a.iter().enumerate() {
        let one = Positive::new(*a);
        for (k, want) in [one.log_probability, one.mills, one.variance]
            .into_iter()
            .enumerate()
        {
            // Subnormals are zero in vectors.
            let error = (got[k][i] - want).abs();
            assert!(
                error <= 1e-14 * want.abs() + 1e-300 || a.is_nan() && got[k][i].is_nan(),
                "{a} {k} {} {want}",
                got[k][i]
            );
        }
    }
}

/// p and Φ⁻¹(p).
#[test]
fn quantiles_have_fourteen_digits() {
    for line in lines("quantiles") {
        close(quantile(line[0]), line[1], 1e-14, &format!("{}", line[0]));
    }
    assert_eq!(quantile(0.5), 0.0);
    assert_eq!(quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(quantile(1.0), f64::INFINITY);
    assert!(quantile(1.1).is_nan() && quantile(-0.1).is_nan());
}

#[test]
fn the_ends_of_the_line() {
    assert_eq!(cdf(f64::INFINITY), 1.0);
    assert_eq!(cdf(f64::NEG_INFINITY), 0.0);
    assert_eq!(log_cdf(f64::NEG_INFINITY), f64::NEG_INFINITY);
    assert_eq!(log_cdf(f64::INFINITY), 0.0);
    assert!(log_cdf(f64::NAN).is_nan());
    let certain = Positive::new(f64::INFINITY);
    assert_eq!(
        (certain.mills, certain.variance, certain.third),
        (0.0, 1.0, 0.0)
    );
}

const DRAWS: usize = 200_000;

/// Kolmogorov's distance, mean and variance, for bounds from far behind to far ahead of the mean.
#[test]
fn draws_have_the_truncated_distribution() {
    let sd = 1.7;
    for (number, bound) in [-9.0, -2.0, 0.0, 1.5, 3.9, 4.1, 8.0, 40.0, 1e4]
        .into_iter()
        .enumerate()
    {
        for positive in [true, false] {
            let sign = if positive { 1.0 } else { -1.0 };
            let mean = -sign * bound * sd;
            let mut rng = stream(9, number as u64);
            let mut draws: Vec<f64> = (0..DRAWS)
                .map(|_| sign * draw(mean, sd, positive, &mut rng))
                .collect();
            assert!(draws
                .iter()
                .all(|z| if positive { *z > 0.0 } else { *z >= 0.0 }));
            draws.sort_by(f64::total_cmp);
            let inside = Positive::new(-bound);
            let distance = draws.iter().enumerate().map(|(i, z)| {
                let beyond = (log_cdf(-bound - z / sd) - inside.log_probability).exp();
                (1.0 - beyond - (i as f64 + 0.5) / DRAWS as f64).abs()
            });
            // Each bound is passed once in a million samples: there are 54 comparisons.
            let distance = distance.fold(0.0, f64::max) * (DRAWS as f64).sqrt();
            assert!(distance < 2.7, "{bound} {positive} {distance}");
            let average = draws.iter().sum::<f64>() / DRAWS as f64;
            let error = (average / sd - inside.mean) / (inside.variance / DRAWS as f64).sqrt();
            assert!(error.abs() < 5.0, "{bound} {positive} {error}");
            let spread = draws
                .iter()
                .map(|z| (z / sd - inside.mean).powi(2))
                .sum::<f64>()
                / DRAWS as f64;
            assert!(
                (spread / inside.variance - 1.0).abs() < 0.035,
                "{bound} {spread}"
            );
        }
    }
}

#[test]
fn draws_end_whatever_the_arguments() {
    let mut rng = stream(1, 1);
    assert!(draw(-1e300, 1.0, true, &mut rng) > 0.0);
    assert!(draw(1e300, 1.0, false, &mut rng) <= 0.0);
    draw(f64::NAN, 1.0, true, &mut rng);
    draw(f64::NEG_INFINITY, 1.0, true, &mut rng);
}
