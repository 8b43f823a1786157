//! The gradient is that of the approximation itself: differences of the criterion agree for every family, width and
//! number of nodes.

use ember_core::glmm::problem::{Criterion, Parameters, Problem};
use ember_core::glmm::quadrature::AdaptiveQuadrature;

use crate::models::{draw, Model, FAMILIES};

/// ψ of θ, β and shape 2.3.
pub fn coordinates(problem: &Problem, model: &Model, at: &[f64]) -> Vec<f64> {
    let (theta, beta) = at.split_at(model.structure.parameters());
    problem.locate(&Parameters {
        theta: theta.to_vec(),
        beta: beta.to_vec(),
        shape: problem.shape_is_free().then_some(2.3),
    })
}

fn check(model: &Model, at: &[f64], nodes: usize) {
    let rows = model.rows();
    let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
    let mut quadrature = AdaptiveQuadrature::new(&problem, nodes, 1).unwrap();
    let psi = coordinates(&problem, model, at);
    let mut gradient = vec![0.0; psi.len()];
    let value = quadrature.gradient(&psi, &mut gradient).unwrap();
    assert_eq!(quadrature.coordinates(), psi.len());
    let again = quadrature.value(&psi).unwrap();
    assert!((again - value).abs() <= 1e-13 * value.abs().max(100.0));
    for k in 0..psi.len() {
        let mut at = |step: f64| {
            let mut moved = psi.clone();
            moved[k] += step;
            quadrature.value(&moved).unwrap()
        };
        let h = 2e-3 * psi[k].abs().clamp(0.1, 1.0);
        let mut central = |h: f64| (at(h) - at(-h)) / (2.0 * h);
        // Two steps of Richardson's extrapolation.
        let [a, b, c] = [central(h), central(0.5 * h), central(0.25 * h)];
        let (ab, bc) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
        let slope = (16.0 * bc - ab) / 15.0;
        let error = (gradient[k] - slope).abs();
        assert!(
            error <= 1e-7 * slope.abs() + 1e-7,
            "{:?} width {} nodes {nodes} coordinate {k}: {} is not {slope}",
            model.family,
            model.z.len(),
            gradient[k],
        );
    }
}

#[test]
fn scalar_effects() {
    for family in FAMILIES {
        let (model, at) = draw(family, 1, 70, 9, 11);
        for nodes in [1, 2, 5, 9] {
            check(&model, &at, nodes);
        }
    }
}

#[test]
fn two_effects() {
    for family in FAMILIES {
        let (model, at) = draw(family, 2, 80, 9, 12);
        for nodes in [1, 3, 5] {
            check(&model, &at, nodes);
        }
    }
}

#[test]
fn three_effects() {
    for family in FAMILIES {
        let (model, at) = draw(family, 3, 80, 7, 13);
        check(&model, &at, 1);
        check(&model, &at, 3);
    }
}

#[test]
fn singular_covariances() {
    for family in FAMILIES {
        let (model, mut at) = draw(family, 2, 80, 9, 14);
        at[2] = 0.0;
        check(&model, &at, 5);
        at[..3].fill(0.0);
        check(&model, &at, 4);
    }
}

#[test]
fn more_rows_than_a_batch() {
    for family in FAMILIES {
        let (model, at) = draw(family, 1, 1500, 4, 15);
        check(&model, &at, 5);
        let (model, at) = draw(family, 2, 900, 301, 16);
        check(&model.sorted(), &at, 3);
    }
}
