//! The analytic gradient against differences of the criterion.

use ember_core::glmm::family::Family;
use ember_core::glmm::laplace::Laplace;
use ember_core::glmm::problem::{Criterion, Parameters, Problem};

use crate::models::{Data, EFFECTS, FAMILIES};

#[test]
fn the_gradient_is_that_of_the_criterion() {
    for (distribution, link) in FAMILIES {
        for effects in EFFECTS {
            let data = Data::new(Family::new(distribution, link).unwrap(), effects);
            let (rows, structure) = (data.rows(), data.structure());
            let problem = Problem::new(&rows, data.family, &structure, None).unwrap();
            let (beta, scale) = data.point();
            let theta = data.theta().iter().map(|x| scale * x).collect();
            let shape = Some(1.7);
            let psi = problem.locate(&Parameters { theta, beta, shape });
            let mut laplace = Laplace::new(&problem, 1).unwrap();
            let mut gradient = vec![0.0; psi.len()];
            let what = format!("{:?} {effects:?}", data.family);
            laplace
                .gradient(&psi, &mut gradient)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            for (k, slope) in gradient.iter().enumerate() {
                let mut at = |step: f64| {
                    let mut moved = psi.clone();
                    moved[k] += step;
                    laplace.value(&moved).unwrap()
                };
                let mut central = |h: f64| (at(h) - at(-h)) / (2.0 * h);
                let h = 1e-3 * scale;
                let difference = (4.0 * central(h) - central(2.0 * h)) / 3.0;
                assert!(
                    (difference - slope).abs() < 3e-7 * (1.0 + slope.abs()),
                    "{what} coordinate {k}: {slope} and {difference}"
                );
            }
        }
    }
}

#[test]
fn the_gradient_is_exact_where_a_variance_is_zero() {
    let (distribution, link) = FAMILIES[0];
    let data = Data::new(Family::new(distribution, link).unwrap(), EFFECTS[3]);
    let (rows, structure) = (data.rows(), data.structure());
    let problem = Problem::new(&rows, data.family, &structure, None).unwrap();
    let mut psi = problem.locate(&Parameters {
        theta: vec![0.6, 0.2, 0.0, 0.0],
        beta: vec![0.3, -0.4, 0.2],
        shape: None,
    });
    let mut laplace = Laplace::new(&problem, 1).unwrap();
    let mut gradient = vec![0.0; psi.len()];
    laplace.gradient(&psi, &mut gradient).unwrap();
    // Even in the parameters at zero.
    assert!(gradient[2].abs() < 1e-10 && gradient[3].abs() < 1e-10);
    let slope = gradient[1];
    let mut at = |step: f64| {
        psi[1] = 0.2 + step;
        laplace.value(&psi).unwrap()
    };
    let difference = (8.0 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3;
    assert!((slope - difference).abs() < 1e-7 * slope.abs().max(1.0));
}
