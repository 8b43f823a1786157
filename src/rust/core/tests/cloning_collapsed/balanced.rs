//! Posterior moments in the balanced one-way layout.

use ember_core::cloning::chains::Draws;
use ember_core::cloning::collapsed;
use ember_core::cloning::prior::{Density, Scale, Term};

use crate::one_way::{note, Grid, Model, OneWay};
use crate::statistics::{effective, effective_size, mean, settings, values, variance};

/// A function of the draws (μ, σ², τ²), chain by chain.
fn chains(draws: &Draws, of: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
    let chains = draws.chains.iter();
    chains
        .map(|chain| chain.values.chunks_exact(draws.width).map(&of).collect())
        .collect()
}

/// The mean of a function of the draws is this, within Monte Carlo error.
fn check_mean(draws: &Draws, name: &str, of: impl Fn(&[f64]) -> f64, expected: f64) {
    let chains = chains(draws, of);
    let size: f64 = chains.iter().map(|x| effective(x)).sum();
    let all = chains.concat();
    let z = (mean(&all) - expected) / (variance(&all) / size).sqrt();
    assert!(z.abs() < 4.0, "{name}: {} is {expected}, z {z}", mean(&all));
}

/// The same for mean and variance.
fn check(draws: &Draws, name: &str, of: impl Fn(&[f64]) -> f64, (center, spread): (f64, f64)) {
    check_mean(draws, name, &of, center);
    check_mean(
        draws,
        &format!("{name}, variance"),
        |x| (of(x) - center).powi(2),
        spread,
    );
}

fn log_sd(variance: f64) -> f64 {
    0.5 * variance.ln()
}

fn note_prior(s: f64, t: f64) -> f64 {
    -(s * s + t * t) / 2000.0
}

#[test]
fn moments_are_those_of_numerical_integration() {
    let data = OneWay::new(12, 2, 0.6, 0.3);
    let model = Model::new(&data, &note());
    for (clones, axes) in [
        (1, [(-2.5, 0.7, 300), (-180.0, 2.5, 12_000)]),
        (10, [(-1.7, -0.5, 300), (-1.6, 0.4, 300)]),
    ] {
        let grid = Grid::new(&data, clones as f64, (0.0, 0.1), note_prior, axes);
        let draws = model.draws(clones, &settings(8000));
        check(&draws, "mu", |x| x[0], grid.mu());
        check(
            &draws,
            "log sigma",
            |x| log_sd(x[1]),
            grid.moments(|s, _| s),
        );
        check(&draws, "log tau", |x| log_sd(x[2]), grid.moments(|_, t| t));
        check(
            &draws,
            "sigma_sq",
            |x| x[1],
            grid.moments(|s, _| (2.0 * s).exp()),
        );
        check(
            &draws,
            "sum",
            |x| (x[1] + x[2]).ln(),
            grid.moments(|s, t| ((2.0 * s).exp() + (2.0 * t).exp()).ln()),
        );
        let accepted = draws.chains.iter().map(|chain| chain.acceptance);
        assert!(clones == 1 || accepted.fold(1.0, f64::min) > 0.7);
    }
}

/// The maximum likelihood estimate of τ is 0, and with a vague prior log τ has a plateau of hundreds of units.
#[test]
fn a_variance_that_may_be_zero_is_explored_to_the_end() {
    let data = OneWay::new(10, 4, 0.1, 0.9);
    let model = Model::new(&data, &note());
    for clones in [1, 10] {
        let axes = [(-1.2, 1.0, 300), (-150.0, 1.0, 6000)];
        let grid = Grid::new(&data, f64::from(clones), (0.0, 0.1), note_prior, axes);
        let draws = model.draws(clones as usize, &settings(4000));
        let size = effective_size(&draws, 1);
        assert!(size > 2000.0, "{size}");
        check(&draws, "mu", |x| x[0], grid.mu());
        check(
            &draws,
            "log sigma",
            |x| log_sd(x[1]),
            grid.moments(|s, _| s),
        );
        check(&draws, "log tau", |x| log_sd(x[2]), grid.moments(|_, t| t));
        let visible = |t: f64| f64::from(u8::from(t > -4.0));
        let share = grid.mean(|_, t| visible(t));
        check_mean(&draws, "visible", |x| visible(log_sd(x[2])), share);
    }
}

/// One row for each group: σ and τ are exchangeable, only their sum is known, whatever K.
#[test]
fn a_ridge_is_crossed() {
    let data = OneWay::new(40, 1, 0.5, 0.0);
    let model = Model::new(&data, &note());
    for clones in [1, 50] {
        let draws = model.draws(clones, &settings(3000));
        let larger = |x: &[f64]| f64::from(u8::from(x[2] > x[1]));
        check_mean(&draws, "tau > sigma", larger, 0.5);
        let smaller = |x: &[f64]| log_sd(x[1].min(x[2]));
        let all: Vec<f64> = draws
            .chains
            .iter()
            .flat_map(|chain| chain.values.chunks_exact(3).map(smaller))
            .collect();
        // About half normal with standard deviation 31.6, from where the sum lies.
        let center = -0.7 - 31.6 * (2.0 / std::f64::consts::PI).sqrt();
        assert!((mean(&all) - center).abs() < 3.0, "{}", mean(&all));
        assert!((variance(&all).sqrt() - 19.06).abs() < 2.0);
        let sums: Vec<f64> = draws
            .chains
            .iter()
            .flat_map(|chain| chain.values.chunks_exact(3).map(|x| (x[1] + x[2]).ln()))
            .collect();
        let (sd, known) = (
            variance(&sums).sqrt(),
            (2.0 / (40.0 * clones as f64)).sqrt(),
        );
        assert!((sd / known - 1.0).abs() < 0.2, "{sd} {known}");
    }
}

#[test]
fn the_prior_is_the_users() {
    let data = OneWay::new(12, 2, 0.6, 0.3);
    let terms = [
        Term {
            coordinate: 0,
            scale: Scale::Coordinate,
            density: Density::Normal {
                mean: 10.0,
                sd: 1.0,
            },
        },
        // The estimate of σ² is outside.
        Term {
            coordinate: 1,
            scale: Scale::Power(2.0),
            density: Density::Uniform {
                lower: 0.25,
                upper: 0.6,
            },
        },
        Term {
            coordinate: 2,
            scale: Scale::Power(2.0),
            density: Density::Gamma {
                shape: 0.01,
                rate: 0.01,
            },
        },
    ];
    let model = Model::new(&data, &terms);
    let (lower, upper) = (0.5 * 0.25_f64.ln(), 0.5 * 0.6_f64.ln());
    let prior = |s: f64, t: f64| 2.0 * s + 0.02 * t - 0.01 * (2.0 * t).exp();
    let axes = [(lower, upper, 300), (-700.0, 4.5, 30_000)];
    let grid = Grid::new(&data, 1.0, (10.0, 1.0), prior, axes);
    let draws = model.draws(1, &settings(6000));
    assert!(values(&draws, 1).iter().all(|v| (0.25..0.6).contains(v)));
    check(&draws, "mu", |x| x[0], grid.mu());
    check(
        &draws,
        "sigma_sq",
        |x| x[1],
        grid.moments(|s, _| (2.0 * s).exp()),
    );
    let capped = |t: f64| t.max(-5.0);
    check(
        &draws,
        "log tau",
        |x| capped(log_sd(x[2])),
        grid.moments(|_, t| capped(t)),
    );
}

/// K times the covariance of the posterior tends to the inverse information, its mean to the maximum.
#[test]
fn many_clones_give_the_inverse_information() {
    let data = OneWay::new(50, 2, 0.5, 0.2);
    let model = Model::new(&data, &note());
    let (mu, between, within) = data.sums();
    let (g, m) = (50.0, 2.0);
    let sigma_sq = within / (g * (m - 1.0));
    let tau_sq = between / g - sigma_sq / m;
    let lambda = sigma_sq + m * tau_sq;
    // From the independence of the two sums of squares.
    let (of_sigma, of_lambda) = (
        2.0 * sigma_sq.powi(2) / (g * (m - 1.0)),
        2.0 * lambda.powi(2) / g,
    );
    let expected = [
        (mu, lambda / (g * m)),
        (sigma_sq, of_sigma),
        (tau_sq, (of_lambda + of_sigma) / (m * m)),
    ];
    let clones = 2000;
    let draws = model.draws(clones, &settings(4000));
    let mode = model.mode(clones);
    let covariance = mode.natural_covariance(&model.layout);
    let mut natural = [0.0; 3];
    model.layout.natural_into(&mode.w, &mut natural);
    for (at, (center, spread)) in expected.into_iter().enumerate() {
        let x = values(&draws, at);
        let size = effective_size(&draws, at);
        assert!(size > 0.5 * x.len() as f64, "{at}: {size}");
        let sd = (spread / clones as f64).sqrt();
        assert!((mean(&x) - center).abs() < 0.1 * sd, "{at}");
        let ratio = variance(&x) / (sd * sd);
        assert!(
            (ratio - 1.0).abs() < 5.0 * (2.0 / size).sqrt() + 0.01,
            "{at}: {ratio}"
        );
        // The prior moves the mode by 1/K, the information likewise.
        assert!(
            (natural[at] - center).abs() < 1e-2 * sd.max(1e-4),
            "{at}: {}",
            natural[at]
        );
        assert!(
            (covariance[(at, at)] / (sd * sd) - 1.0).abs() < 2e-3,
            "{at}: {} {}",
            covariance[(at, at)],
            sd * sd
        );
    }
    assert!((covariance[(1, 2)] * clones as f64 / (-of_sigma / m) - 1.0).abs() < 2e-3);
    assert!(mode.regular);
}

#[test]
fn threads_do_not_change_a_bit() {
    let data = OneWay::new(12, 2, 0.1, 0.3);
    let model = Model::new(&data, &note());
    let draws = |threads| {
        let mut settings = settings(200);
        settings.threads = threads;
        model.draws(3, &settings)
    };
    let one = draws(1);
    assert!(one == draws(2) && one == draws(3));
}

/// Chains go on where they are told to; one that cannot is reported, and does not take the others along.
#[test]
fn a_chain_that_cannot_start_is_reported() {
    let data = OneWay::new(12, 2, 0.6, 0.3);
    let uniform = Term {
        coordinate: 1,
        scale: Scale::Power(2.0),
        density: Density::Uniform {
            lower: 0.001,
            upper: 5.0,
        },
    };
    let model = Model::new(&data, &[uniform]);
    let inside = vec![2.5, -1.0, -1.0];
    let outside = vec![2.5, 3.0, -1.0];
    let resume = [inside.clone(), outside, inside];
    let mut settings = settings(50);
    settings.burn_in = 0;
    let mode = model.mode(1);
    let draws = collapsed::run(
        &model.posterior(1),
        &mode,
        Some(&resume),
        &settings,
        &mut |_| true,
    );
    let draws = draws.unwrap();
    let failed: Vec<bool> = draws.chains.iter().map(|c| c.failure.is_some()).collect();
    assert_eq!(failed[..3], [false, true, false]);
    assert_eq!(draws.chains[0].values.len(), 150);
    assert!(draws.chains[1].values.is_empty());
}
