use ember_core::mixed::criterion::{Known, Problem};
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::factor::Factor;
use ember_core::mixed::satterthwaite::satterthwaite;
use ember_core::nalgebra::DMatrix;

use crate::models::models;

/// Against second differences of the criterion in all parameters, σ too (not at an optimum, where both must
/// agree just as well as far as the Hessian goes).
#[test]
fn hessian_and_derivatives_are_those_of_the_criterion() {
    for model in models()
        .iter()
        .filter(|m| !m.terms.is_empty() && m.columns > 0)
    {
        for reml in [false, true] {
            let statistics = cross_products(&model.rows(), 1).unwrap();
            let mut factor = Factor::new(&statistics, &model.structure).unwrap();
            let problem =
                Problem::new(&statistics, &model.structure, reml, model.known.clone()).unwrap();
            let start = problem.start();
            let coordinates: Vec<f64> = start
                .iter()
                .enumerate()
                .map(|(k, x)| 0.8 * x + 0.1 * (k as f64 + 1.0))
                .collect();
            let result = satterthwaite(&problem, &mut factor, &coordinates).unwrap();

            problem.criterion(&mut factor, &coordinates).unwrap();
            let sigma = problem.sigma(&factor, &coordinates);
            let profiled = result.derivatives.len() > coordinates.len();
            let mut all = coordinates.clone();
            if profiled {
                all.push(sigma.ln());
            }
            let mut evaluate = |all: &[f64]| {
                let known = match profiled {
                    true => Known {
                        sigma: Some(all[all.len() - 1].exp()),
                        ..model.known.clone()
                    },
                    false => model.known.clone(),
                };
                let problem = Problem::new(&statistics, &model.structure, reml, known).unwrap();
                let coordinates = &all[..coordinates.len()];
                let value = problem.criterion(&mut factor, coordinates).unwrap();
                let sigma = problem.sigma(&factor, coordinates);
                (value, factor.coefficient_covariance() * (sigma * sigma))
            };
            let (r, h) = (all.len(), 1e-3);
            let moved = |changes: &[(usize, f64)]| {
                let mut moved = all.clone();
                changes.iter().for_each(|&(k, by)| moved[k] += by);
                moved
            };
            let hessian = DMatrix::from_fn(r, r, |i, j| {
                let mut corner = |a: f64, b: f64| evaluate(&moved(&[(i, a * h), (j, b * h)])).0;
                (corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0))
                    / (4.0 * h * h)
            });
            if result.falling == 0 && result.flat == 0 {
                let identity = &result.parameter_covariance * &hessian * 0.5;
                let gap = (identity - DMatrix::identity(r, r)).amax();
                assert!(gap < 1e-3, "{} {reml}: {gap}", model.name);
            } else {
                // Away from the optimum some directions fall; what is left out must be what falls.
                let values = hessian.symmetric_eigenvalues();
                let falling = values.iter().filter(|v| **v < -1e-3).count();
                assert_eq!(result.falling, falling, "{} {reml}", model.name);
            }
            for (k, derivative) in result.derivatives.iter().enumerate() {
                let (up, down) = (
                    evaluate(&moved(&[(k, h)])).1,
                    evaluate(&moved(&[(k, -h)])).1,
                );
                let gap = (derivative - (up - down) / (2.0 * h)).amax();
                let size = result.covariance.amax();
                assert!(gap < 1e-4 * size, "{} {reml} {k}: {gap} {size}", model.name);
            }
        }
    }
}
