//! Random effects given parameters, against integrals.

use ember_core::cloning::cells::Cells;
use ember_core::cloning::clones::ClonedGlmm;
use ember_core::cloning::gibbs::ClonedGaussian;
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::predict::{effects, normal_draws, Predictor};
use ember_core::cloning::prior::Prior;
use ember_core::glmm::family::Family;
use ember_core::glmm::problem::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::nalgebra::DMatrix;
use ember_core::rng::stream;

use crate::joint::Design;
use crate::statistics::{mean, variance};

const DRAWS: usize = 20_000;

/// Mean and variance of each effect, with their errors.
fn check(name: &str, drawn: &[Vec<f64>], at: usize, centre: f64, spread: f64) {
    let x: Vec<f64> = drawn.iter().map(|b| b[at]).collect();
    let z = (mean(&x) - centre) / (spread / DRAWS as f64).sqrt();
    assert!(z.abs() < 4.5, "{name} {at}: {z}");
    let ratio = variance(&x) / spread;
    assert!((ratio - 1.0).abs() < 0.06, "{name} {at}: {ratio}");
}

/// Two factors of a Gaussian model: the covariance matrix of (b, y) gives what b is given y.
#[test]
fn gaussian_effects_have_their_conditional_moments() {
    let mut design = Design::new("Gaussian", 15)
        .term(5, 1, |i| i % 5)
        .term(3, 0, |i| (i * i + i / 4) % 3);
    design.weights = Some((0..15).map(|i| 0.5 + 0.1 * f64::from(i)).collect());
    let y: Vec<f64> = (0..15).map(|i| (2.1 * f64::from(i)).sin()).collect();
    let rows = design.rows(&y);
    let statistics = cross_products(&rows, 1).unwrap();
    let structure = design.structure();
    let layout = Layout::new(&structure, &[5, 3], 2, 1, None, &[], false).unwrap();
    let prior = Prior::new(&layout, &[]).unwrap();
    let model = ClonedGaussian {
        statistics: &statistics,
        structure: &structure,
        layout: &layout,
        prior: &prior,
        clones: 1,
    };
    let w = vec![0.2, -0.3, -0.9, -0.4, -0.8, 0.5, -0.2];
    let draws = vec![w.clone(); DRAWS];
    let of = |threads| {
        effects(&Predictor::Gaussian(model), &draws, 5, threads, &mut |_| {
            true
        })
        .unwrap()
    };
    let drawn = of(2);
    assert!(drawn[..100] == of(1)[..100], "threads change the draws");

    let parameters = layout.parameters(&w);
    let variance_of = parameters.sigma * parameters.sigma;
    let mut z = DMatrix::zeros(15, 13);
    let mut covariance = DMatrix::zeros(13, 13);
    let blocks = [layout.covariance(0, &w), layout.covariance(1, &w)];
    for i in 0..15 {
        let level = |term: usize| design.terms[term].0[i] as usize - 1;
        z[(i, 2 * level(0))] = 1.0;
        z[(i, 2 * level(0) + 1)] = design.terms[0].2[0][i];
        z[(i, 10 + level(1))] = 1.0;
    }
    for l in 0..5 {
        covariance
            .view_mut((2 * l, 2 * l), (2, 2))
            .copy_from(&blocks[0]);
    }
    for l in 10..13 {
        covariance[(l, l)] = blocks[1][(0, 0)];
    }
    let mut total = &z * &covariance * z.transpose();
    for i in 0..15 {
        total[(i, i)] += variance_of / rows.weight(i);
    }
    let gain = &covariance * z.transpose() * total.try_inverse().unwrap();
    let residual = DMatrix::from_fn(15, 1, |i, _| y[i] - w[0] - w[1] * design.x[15 + i]);
    let centre = &gain * residual;
    let spread = &covariance - &gain * &z * &covariance;
    for at in 0..13 {
        check("Gaussian", &drawn, at, centre[at], spread[(at, at)]);
    }
}

/// Integrals on a grid, two levels of two crossed factors (the effects of one level at a time have no closed form).
#[test]
fn effects_of_generalised_models_have_their_conditional_moments() {
    let family = Family::from_names("poisson", "log").unwrap();
    let y = [0.0, 3.0, 1.0, 6.0];
    let grid: Vec<f64> = (0..60).map(|k| (f64::from(k) - 29.5) * 0.2).collect();
    for crossed in [false, true] {
        let mut design = Design::new("small", 4).term(2, 0, |i| i % 2);
        if crossed {
            design = design.term(2, 0, |i| i / 2);
        }
        let rows = design.rows(&y);
        let structure = design.structure();
        let levels = design.levels();
        let layout = Layout::new(&structure, &levels, 2, 1, Some(1.0), &[], false).unwrap();
        let prior = Prior::new(&layout, &[]).unwrap();
        let cells = Cells::new(&rows, &[0, 1]).unwrap();
        let problem = Problem::new(&rows, family, &structure, None).unwrap();
        let model = ClonedGlmm {
            cells: &cells,
            family: &family,
            structure: &structure,
            layout: &layout,
            prior: &prior,
            shape: None,
            clones: 1,
        };
        let mut w = vec![0.3, 0.4, 0.1];
        if crossed {
            w.push(-0.2);
        }
        let draws = vec![w.clone(); DRAWS];
        let predictor = Predictor::Generalised(model, &problem);
        let drawn = effects(&predictor, &draws, 6, 2, &mut |_| true).unwrap();
        // Given the effects of the second factor those of the first are independent, so sums are over three.
        let sd = |at: usize| w[2 + at].exp();
        let other = if crossed { sd(1) } else { 0.0 };
        let second: Vec<f64> = if crossed { grid.clone() } else { vec![0.0] };
        let mut sums = [[0.0; 3]; 4];
        for &c in &second {
            for &d in &second {
                let others = [other * c, other * d];
                let mut moments = [[0.0; 3]; 2];
                for (level, moments) in moments.iter_mut().enumerate() {
                    for &u in &grid {
                        let b = sd(0) * u;
                        let mut log = -0.5 * u * u;
                        for i in (level..4).step_by(2) {
                            let eta = w[0] + w[1] * design.x[4 + i] + b + others[i / 2];
                            log += y[i] * eta - eta.exp();
                        }
                        for (power, moment) in moments.iter_mut().enumerate() {
                            *moment += log.exp() * b.powi(power as i32);
                        }
                    }
                }
                let weight = (-0.5 * (c * c + d * d)).exp();
                for power in 0..3 {
                    sums[0][power] += weight * moments[0][power] * moments[1][0];
                    sums[1][power] += weight * moments[1][power] * moments[0][0];
                    let both = weight * moments[0][0] * moments[1][0];
                    sums[2][power] += both * others[0].powi(power as i32);
                    sums[3][power] += both * others[1].powi(power as i32);
                }
            }
        }
        for (at, [total, first, square]) in sums.into_iter().enumerate().take(2 * levels.len()) {
            let centre = first / total;
            check(
                "Poisson",
                &drawn,
                at,
                centre,
                square / total - centre * centre,
            );
        }
    }
}

#[test]
fn parameters_are_drawn_from_their_normal_law() {
    let covariance = DMatrix::from_row_slice(2, 2, &[4.0, -1.0, -1.0, 0.5]);
    let drawn = normal_draws(&[1.0, 2.0], &covariance, DRAWS, &mut stream(1, 1)).unwrap();
    for at in 0..2 {
        check("normal", &drawn, at, [1.0, 2.0][at], covariance[(at, at)]);
    }
    let sum: Vec<Vec<f64>> = drawn.iter().map(|w| vec![w[0] + w[1]]).collect();
    check("sum", &sum, 0, 3.0, 2.5);
}
