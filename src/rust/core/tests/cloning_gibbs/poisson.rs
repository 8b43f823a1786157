//! Clones of a Poisson model with random intercepts against its likelihood, integrated numerically.

use ember_core::cloning::cells::Cells;
use ember_core::cloning::chains::Settings;
use ember_core::cloning::clones::{ClonedGlmm, Clones};
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::cloning::walk::Guide;
use ember_core::glmm::family::Family;
use ember_core::nalgebra::DMatrix;
use ember_core::rng::stream;

use crate::joint::Design;
use crate::responses::{draw, effects};
use crate::sample::sample;
use crate::statistics::{effective_size, mean, settings, values, variance};

const GROUPS: usize = 40;

/// 40 groups of five.
fn design() -> Design {
    Design::new("Poisson", 5 * GROUPS).term(GROUPS, 0, |i| i % GROUPS)
}

/// log L(w), each integral by the trapezoidal rule, which is exact to rounding for such an integrand.
fn log_likelihood(design: &Design, family: &Family, y: &[f64], w: &[f64]) -> f64 {
    let deviation = w[2].exp();
    let fixed: Vec<f64> = (0..design.n)
        .map(|i| w[0] + w[1] * design.x[design.n + i])
        .collect();
    let (steps, end) = (400, 8.0);
    let h = 2.0 * end / f64::from(steps);
    let group = |level: usize| -> f64 {
        let nodes = (0..=steps).map(|k| {
            let u = f64::from(k) * h - end;
            let rows = (level..design.n).step_by(GROUPS);
            let logs = rows.map(|i| {
                let trials = design.weights.as_ref().map_or(1.0, |weights| weights[i]);
                family.log_density(y[i], trials, fixed[i] + deviation * u, 0.0)
            });
            logs.sum::<f64>() - 0.5 * u * u
        });
        let nodes: Vec<f64> = nodes.collect();
        let top = nodes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = nodes.iter().map(|node| (node - top).exp()).sum();
        top + (sum * h / (2.0 * std::f64::consts::PI).sqrt()).ln()
    };
    (0..GROUPS).map(group).sum()
}

/// Maximum of the likelihood and the covariance of w there, by Newton's method on differences.
fn maximum(design: &Design, family: &Family, y: &[f64]) -> (Vec<f64>, DMatrix<f64>) {
    let mut w = vec![0.5, 0.3, -0.5];
    let h = 1e-3;
    let mut covariance = DMatrix::zeros(3, 3);
    for _ in 0..12 {
        let at = |moves: &[(usize, f64)]| {
            let mut moved = w.clone();
            moves.iter().for_each(|&(j, by)| moved[j] += by);
            log_likelihood(design, family, y, &moved)
        };
        let gradient = DMatrix::from_fn(3, 1, |i, _| (at(&[(i, h)]) - at(&[(i, -h)])) / (2.0 * h));
        let information = DMatrix::from_fn(3, 3, |i, j| {
            let same = at(&[(i, h), (j, h)]) + at(&[(i, -h), (j, -h)]);
            let other = at(&[(i, h), (j, -h)]) + at(&[(i, -h), (j, h)]);
            (other - same) / (4.0 * h * h)
        });
        covariance = information.try_inverse().unwrap();
        let mut step = &covariance * gradient;
        let moves = |step: &DMatrix<f64>| -> Vec<(usize, f64)> {
            step.iter().copied().enumerate().collect()
        };
        while at(&moves(&step)) < at(&[]) - 1e-9 {
            step *= 0.5;
        }
        w.iter_mut().zip(step.iter()).for_each(|(w, s)| *w += s);
    }
    (w, covariance)
}

#[test]
fn clones_bring_the_maximum_and_the_inverse_information() {
    for (distribution, link) in [("poisson", "log"), ("binomial", "logit")] {
        let family = Family::from_names(distribution, link).unwrap();
        let mut design = design();
        if distribution == "binomial" {
            design.weights = Some(vec![6.0; design.n]);
        }
        let mut rng = stream(1, 0);
        let u = effects(&design, &mut rng);
        let lambda = DMatrix::from_element(1, 1, 0.8);
        let y = draw(&design, &family, &[0.5, 0.3], &[lambda], &u, 1.0, &mut rng);
        let (w, covariance) = maximum(&design, &family, &y);
        let cells = Cells::new(&design.rows(&y), &[0, 1]).unwrap();
        let structure = design.structure();
        let layout = Layout::new(&structure, &[GROUPS], 2, 1, Some(1.0), &[], false).unwrap();
        let normal = |coordinate| Term {
            coordinate,
            scale: Scale::Coordinate,
            density: Density::Normal {
                mean: 0.0,
                sd: 10.0,
            },
        };
        let prior = Prior::new(&layout, &[normal(0), normal(1), normal(2)]).unwrap();
        let clones = 60;
        let model = ClonedGlmm {
            cells: &cells,
            family: &family,
            structure: &structure,
            layout: &layout,
            prior: &prior,
            shape: None,
            clones,
        };
        // A mode that is a standard error off is found out during burn-in.
        let mut off = w.clone();
        off.iter_mut()
            .zip(covariance.diagonal().iter())
            .for_each(|(w, v)| *w += v.sqrt());
        let guide = Guide {
            w: off.clone(),
            covariance: &covariance / clones as f64,
        };
        let draws = |threads| {
            let settings = Settings {
                threads,
                ..settings(800)
            };
            sample(&settings, 3, |_, _| Clones::new(model, &guide, &off))
        };
        let all = draws(2);
        assert!(all == draws(1), "threads change the draws");
        let natural = [w[0], w[1], (2.0 * w[2]).exp()];
        let slopes = [1.0, 1.0, 2.0 * natural[2]];
        for at in 0..3 {
            let x = values(&all, at);
            let size = effective_size(&all, at);
            assert!(
                size > 0.1 * x.len() as f64,
                "{distribution} {at}: {size} effective"
            );
            let sd = slopes[at] * (covariance[(at, at)] / clones as f64).sqrt();
            let error = (mean(&x) - natural[at]).abs() / sd;
            // The posterior mean is off by a skewness of order 1 / √K standard deviations.
            assert!(
                error < 4.0 / size.sqrt() + 0.15,
                "{distribution} {at}: {error}"
            );
            let ratio = variance(&x) / (sd * sd);
            let allowed = 4.0 * (2.0 / size).sqrt() + 0.05;
            assert!(
                (ratio - 1.0).abs() < allowed,
                "{distribution} {at}: {ratio}"
            );
        }
    }
}
