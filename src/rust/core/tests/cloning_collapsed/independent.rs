//! The model without smoothing, whose posterior is normal given σ.

use ember_core::cloning::chains::{run, Draws, Settings};
use ember_core::cloning::independent::{Independent, Unsmoothed};
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::mixed::structure::Structure;
use ember_core::nalgebra::{DMatrix, DVector};

use crate::one_way::OneWay;
use crate::statistics::{effective_size, mean, settings, values, variance};

fn term(coordinate: usize, density: Density) -> Term {
    Term {
        coordinate,
        scale: Scale::Coordinate,
        density,
    }
}

fn layout(data: &OneWay) -> Layout {
    let structure = Structure::full(&[1]);
    Layout::new(&structure, &[data.groups], 1, 1, None, &[], false).unwrap()
}

/// μ, σ² and the effects; log σ is as good as known to be log 0.5.
fn draws(data: &OneWay, mu: Density, of_levels: f64, copies: usize, settings: &Settings) -> Draws {
    let layout = layout(data);
    let known = Density::Normal {
        mean: 0.5_f64.ln(),
        sd: 1e-5,
    };
    let levels = Density::Normal {
        mean: 0.3,
        sd: of_levels.sqrt(),
    };
    let terms = [term(0, mu), term(1, known), term(2, levels)];
    let prior = Prior::new(&layout, &terms).unwrap();
    let model = Unsmoothed::new(&data.rows(), &[0], &layout, &prior, copies).unwrap();
    let start = |_, _: &mut _| Independent::new(&model, &[2.0, 0.25]);
    run(settings, model.width(), start, &mut |_| true).unwrap()
}

#[test]
fn moments_are_those_of_the_normal_posterior() {
    let data = OneWay::new(4, 2, 0.5, 0.4);
    let (copies, sigma_sq, prior_mu, of_levels) = (3.0, 0.25, 2.0_f64, 0.2);
    // Precision and linear term of (μ, α).
    let mut precision = DMatrix::<f64>::zeros(5, 5);
    let mut linear = DVector::<f64>::zeros(5);
    precision[(0, 0)] += 1.0 / prior_mu;
    for level in 1..5 {
        precision[(level, level)] += 1.0 / of_levels;
        linear[level] += 0.3 / of_levels;
    }
    for (i, y) in data.y.iter().enumerate() {
        let level = 1 + i % 4;
        for a in [0, level] {
            linear[a] += copies * y / sigma_sq;
            for b in [0, level] {
                precision[(a, b)] += copies / sigma_sq;
            }
        }
    }
    let covariance = precision.try_inverse().unwrap();
    let center: DVector<f64> = &covariance * linear;
    let mu = Density::Normal {
        mean: 0.0,
        sd: prior_mu.sqrt(),
    };
    let draws = draws(&data, mu, of_levels, 3, &settings(20_000));
    for (at, parameter) in [(0, 0), (2, 1), (3, 2), (4, 3), (5, 4)] {
        let x = values(&draws, at);
        let size = effective_size(&draws, at);
        let spread = covariance[(parameter, parameter)];
        let z = (mean(&x) - center[parameter]) / (spread / size).sqrt();
        assert!(z.abs() < 4.0, "{at}: {z}");
        let ratio = variance(&x) / spread;
        assert!(
            (ratio - 1.0).abs() < 4.0 * (2.0 / size).sqrt(),
            "{at}: {ratio}"
        );
    }
    assert!((mean(&values(&draws, 1)) - sigma_sq).abs() < 1e-4);
}

/// A prior that is not normal goes through slices: uniform and wide is as good as a wide normal one.
#[test]
fn a_uniform_prior_is_sampled_too() {
    let data = OneWay::new(4, 2, 0.5, 0.4);
    let uniform = Density::Uniform {
        lower: -40.0,
        upper: 40.0,
    };
    let wide = Density::Normal { mean: 0.0, sd: 1e4 };
    let settings = settings(20_000);
    let (a, b) = (
        draws(&data, uniform, 0.2, 1, &settings),
        draws(&data, wide, 0.2, 1, &settings),
    );
    let (x, y) = (values(&a, 0), values(&b, 0));
    let error = variance(&x) / effective_size(&a, 0) + variance(&y) / effective_size(&b, 0);
    assert!((mean(&x) - mean(&y)).abs() < 4.0 * error.sqrt());
    assert!((variance(&x) / variance(&y) - 1.0).abs() < 0.1);
}

/// Nothing helps the chain along: the autocorrelation of μ is that of single-site updates.
#[test]
fn it_mixes_as_badly_as_single_sites_do() {
    let data = OneWay::new(40, 2, 0.5, 0.4);
    for (copies, of_levels) in [(1, 0.5), (4, 0.5), (1, 5.0)] {
        let flat = Density::Normal { mean: 0.0, sd: 1e3 };
        let draws = draws(&data, flat, of_levels, copies, &settings(20_000));
        let x = values(&draws, 0);
        let center = mean(&x);
        let products = x
            .windows(2)
            .map(|two| (two[0] - center) * (two[1] - center));
        let r = products.sum::<f64>() / x.len() as f64 / variance(&x);
        let information = copies as f64 * 2.0 * of_levels;
        let expected = information / (information + 0.25);
        assert!((r - expected).abs() < 0.03, "{r} {expected}");
    }
}

#[test]
fn other_models_are_refused() {
    let data = OneWay::new(4, 2, 0.5, 0.4);
    let rows = data.rows();
    let layout = layout(&data);
    let normal = Density::Normal {
        mean: 0.0,
        sd: 30.0,
    };
    let flat = Prior::new(&layout, &[]).unwrap();
    assert!(Unsmoothed::new(&rows, &[0], &layout, &flat, 1).is_err());
    let prior = Prior::new(&layout, &[term(2, normal)]).unwrap();
    let model = Unsmoothed::new(&rows, &[0], &layout, &prior, 1).unwrap();
    assert!(Independent::new(&model, &[0.0, 0.0]).is_err());
    let mut known = layout.clone();
    known.sigma = Some(1.0);
    let prior = Prior::new(&known, &[term(1, normal)]).unwrap();
    assert!(Unsmoothed::new(&rows, &[0], &known, &prior, 1).is_err());
}
