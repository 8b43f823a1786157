//! Criterion, estimates and conditional modes at arbitrary points.

use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::factor::Factor;

use crate::definition::definition;
use crate::models::models;
use crate::wide::{many_columns, wide};

/// A few points: the start, somewhere else, and a singular one.
pub fn points(problem: &Problem) -> Vec<Vec<f64>> {
    let start = problem.start();
    let moved: Vec<f64> = (0..start.len())
        .map(|k| 0.9 * start[k] - 0.25 + 0.17 * (k as f64 * 1.7).sin())
        .collect();
    let mut singular = moved.clone();
    for (value, _) in singular.iter_mut().zip(problem.free()).step_by(2) {
        *value = 0.0;
    }
    vec![start, moved, singular]
}

fn near(what: &str, got: f64, wanted: f64, scale: f64) {
    assert!(
        (got - wanted).abs() <= 1e-10 * (scale + wanted.abs()),
        "{what}: {got} instead of {wanted}"
    );
}

#[test]
fn everything_agrees_with_the_definition() {
    for model in models().into_iter().chain([wide(), many_columns()]) {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let mut factor = Factor::new(&statistics, &model.structure).unwrap();
        for reml in [false, true] {
            let problem =
                Problem::new(&statistics, &model.structure, reml, model.known.clone()).unwrap();
            for point in points(&problem) {
                let what = |field: &str| format!("{}, REML {reml}, {point:?}: {field}", model.name);
                let criterion = problem.criterion(&mut factor, &point).unwrap();
                let parameters = problem.parameters(&point);
                let wanted = definition(&model, statistics.kept(), reml, &parameters);
                near(&what("criterion"), criterion, wanted.criterion, 1.0);
                near(
                    &what("sigma"),
                    problem.sigma(&factor, &point),
                    wanted.sigma,
                    0.0,
                );
                near(
                    &what("ldL2"),
                    factor.log_det_random(),
                    wanted.log_det_random,
                    1.0,
                );
                near(
                    &what("ldRX2"),
                    factor.log_det_fixed(),
                    wanted.log_det_fixed,
                    1.0,
                );
                let scale = wanted.covariance.amax();
                for (got, wanted) in factor.coefficients().iter().zip(wanted.beta.iter()) {
                    near(&what("beta"), *got, *wanted, scale);
                }
                let covariance = factor.coefficient_covariance();
                for (got, wanted) in covariance.iter().zip(wanted.covariance.iter()) {
                    near(&what("vcov"), *got, *wanted, scale);
                }
                for (t, u) in factor.spherical_effects().iter().enumerate() {
                    let b = model.structure.lambda(t, &parameters.theta) * u;
                    for (got, wanted) in b.iter().zip(&wanted.effects[t]) {
                        near(&what("modes"), *got, *wanted, 1.0);
                    }
                }
            }
        }
    }
}

#[test]
fn dependent_columns_are_dropped_as_lm_drops_them() {
    for model in models() {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let wanted: &[usize] = match model.name {
            "rank-deficient X" => &[2],
            name if name.starts_with("sparse X") => &[6],
            _ => &[],
        };
        assert_eq!(statistics.aliased(), wanted, "{}", model.name);
        assert_eq!(statistics.kept().len() + wanted.len(), model.columns);
    }
}
