//! Against integrals by the trapezoidal rule on a fine grid over all u that count.

use ember_core::glmm::problem::{Criterion, Problem};
use ember_core::glmm::quadrature::AdaptiveQuadrature;
use ember_core::nalgebra::{DMatrix, DVector};

use crate::gradient::coordinates;
use crate::models::{draw, Model, FAMILIES};

/// Half-width of the grid and its step: the rule's error falls like e^(-2π²/step²) for functions like a normal density.
const REACH: f64 = 8.0;
const STEP: f64 = 0.05;

/// -2 log-likelihood.
fn integrate(model: &Model, problem: &Problem, psi: &[f64]) -> f64 {
    let parameters = problem.parameters(psi);
    let log_shape = problem.log_shape(psi);
    let q = model.z.len();
    let lambda = model.structure.lambda(0, &parameters.theta);
    let n = model.y.len();
    let x = DMatrix::from_column_slice(n, model.columns, &model.x);
    let mut fixed = x * DVector::from_vec(parameters.beta);
    if let Some(offset) = &model.offset {
        fixed += DVector::from_column_slice(offset);
    }
    let side = (2.0 * REACH / STEP) as usize + 1;
    let mut total = 0.0;
    for level in 1..=model.levels as i32 {
        let mut sum = 0.0;
        for k in 0..side.pow(q as u32) {
            let place = |a: usize| (k / side.pow(a as u32)) % side;
            let u = DVector::from_fn(q, |a, _| place(a) as f64 * STEP - REACH);
            let b = &lambda * &u;
            let mut log = -0.5 * u.norm_squared();
            for i in (0..n).filter(|&i| model.codes[i] == level) {
                let z = |a: usize| {
                    if model.z[a].is_empty() {
                        1.0
                    } else {
                        model.z[a][i]
                    }
                };
                let eta = fixed[i] + (0..q).map(|a| b[a] * z(a)).sum::<f64>();
                let weight = model.weights.as_ref().map_or(1.0, |w| w[i]);
                log += model.family.log_density(model.y[i], weight, eta, log_shape);
            }
            sum += log.exp();
        }
        let density = (STEP / (2.0 * std::f64::consts::PI).sqrt()).powi(q as i32);
        total -= 2.0 * (sum * density).ln();
    }
    total
}

#[test]
fn scalar_effects() {
    for family in FAMILIES {
        let (model, at) = draw(family, 1, 40, 6, 21);
        let rows = model.rows();
        let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
        let psi = coordinates(&problem, &model, &at);
        let exact = integrate(&model, &problem, &psi);
        let mut before = f64::INFINITY;
        for (nodes, tolerance) in [(1, 0.5), (5, 5e-3), (15, 1e-4), (50, 2e-7)] {
            let mut quadrature = AdaptiveQuadrature::new(&problem, nodes, 1).unwrap();
            let error = (quadrature.value(&psi).unwrap() - exact).abs();
            let what = format!("{:?} {nodes} nodes: {error:e}", model.family);
            assert!(error < tolerance && error < before.max(1e-9), "{what}");
            before = error;
        }
    }
}

#[test]
fn two_effects() {
    for family in FAMILIES {
        let (model, at) = draw(family, 2, 12, 2, 22);
        let rows = model.rows();
        let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
        let psi = coordinates(&problem, &model, &at);
        let exact = integrate(&model, &problem, &psi);
        let mut quadrature = AdaptiveQuadrature::new(&problem, 21, 1).unwrap();
        let error = (quadrature.value(&psi).unwrap() - exact).abs();
        assert!(error < 2e-6, "{:?}: {error:e}", model.family);
    }
}
