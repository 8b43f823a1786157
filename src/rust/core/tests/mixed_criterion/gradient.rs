//! The gradient against central differences of the definition.

use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::factor::Factor;

use crate::definition::definition;
use crate::models::models;
use crate::values::points;
use crate::wide::{many_columns, wide};

#[test]
fn gradient_is_the_derivative_of_the_definition() {
    for model in models().into_iter().chain([wide(), many_columns()]) {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let mut factor = Factor::new(&statistics, &model.structure).unwrap();
        for reml in [false, true] {
            let problem =
                Problem::new(&statistics, &model.structure, reml, model.known.clone()).unwrap();
            let value = |point: &[f64]| {
                let parameters = problem.parameters(point);
                definition(&model, statistics.kept(), reml, &parameters).criterion
            };
            for point in points(&problem) {
                let mut gradient = vec![f64::NAN; problem.coordinates()];
                let criterion = problem
                    .gradient(&mut factor, &point, &mut gradient)
                    .unwrap();
                assert!((criterion - value(&point)).abs() < 1e-9 * criterion.abs());
                for k in 0..point.len() {
                    let difference = |h: f64| {
                        let (mut up, mut down) = (point.clone(), point.clone());
                        up[k] += h;
                        down[k] -= h;
                        (value(&up) - value(&down)) / (2.0 * h)
                    };
                    // Richardson's extrapolation.
                    let wanted = (4.0 * difference(1e-3) - difference(2e-3)) / 3.0;
                    assert!(
                        (gradient[k] - wanted).abs() <= 1e-6 * (1.0 + wanted.abs()),
                        "{}, REML {reml}, {point:?}, coordinate {k}: {} instead of {wanted}",
                        model.name,
                        gradient[k]
                    );
                }
            }
        }
    }
}
