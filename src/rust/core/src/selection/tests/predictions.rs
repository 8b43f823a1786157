//! Predictions against simulated rows, closed forms and numerical derivatives.

use super::super::examples::Example;
use super::super::layout::{Layout, Parameters};
use super::super::model::Model;
use super::super::prediction::*;
use crate::linalg;
use crate::normal::orthant::Integration;
use crate::rng::stream;
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;

fn with_model<T>(
    example: &Example,
    parameters: &Parameters,
    threads: usize,
    take: impl FnOnce(&Model) -> T,
) -> T {
    let data = example.data();
    take(&Model {
        rows: example.n,
        designs: &data.designs,
        coefficients: &parameters.coefficients,
        omega: &parameters.omega,
        integration: &Integration::Exact,
        threads,
    })
}

/// Every quantity with every pattern of J equations.
fn targets(equations: usize) -> Vec<Target> {
    let mut targets = Vec::new();
    for code in 0..3_usize.pow(equations as u32) {
        let digit = |j: usize| code / 3_usize.pow(j as u32) % 3;
        let known = [None, Some(false), Some(true)];
        let pattern: Vec<_> = (0..equations).map(|j| known[digit(j)]).collect();
        let mut quantities = vec![Quantity::Probability];
        quantities.extend((0..2 * equations).map(Quantity::Predictor));
        quantities.extend((0..equations).map(Quantity::Expectation));
        let selected = (0..equations).filter(|&j| pattern[j].is_some());
        quantities.extend(selected.map(Quantity::Mills));
        targets.extend(quantities.into_iter().map(|quantity| Target {
            quantity,
            pattern: pattern.clone(),
        }));
    }
    targets
}

/// Frequencies and means of 10⁶ draws of the errors of a row.
#[test]
fn predictions_are_those_of_simulated_rows() {
    for equations in 1..=2 {
        let example = Example::new(equations, 2);
        let targets = targets(equations);
        let (predicted, predictors) = with_model(&example, &example.parameters, 1, |model| {
            let mut predictors = vec![0.0; 4 * equations];
            model.linear_predictors(0..2, &mut predictors);
            (model.predict(&targets, None).unwrap(), predictors)
        });
        let root = linalg::cholesky(&example.parameters.omega).unwrap();
        let mut rng = stream(3, 0);
        let count = 1_000_000;
        let mut sums = vec![[0.0; 3]; targets.len()];
        for _ in 0..count {
            let noise =
                DVector::from_fn(2 * equations, |_, _| rng.sample::<f64, _>(StandardNormal));
            let latent = &root * noise + DVector::from_column_slice(&predictors[..2 * equations]);
            for (sum, target) in sums.iter_mut().zip(&targets) {
                let inside = (0..equations)
                    .all(|j| target.pattern[j].is_none_or(|s| s == (latent[equations + j] > 0.0)));
                if !inside {
                    continue;
                }
                let value = match target.quantity {
                    Quantity::Predictor(c) => latent[c],
                    Quantity::Expectation(j) => latent[j],
                    _ => 1.0,
                };
                sum[0] += 1.0;
                sum[1] += value;
                sum[2] += value * value;
            }
        }
        for ((sum, target), values) in sums.iter().zip(&targets).zip(&predicted.values) {
            let [inside, first, second] = *sum;
            let share = inside / f64::from(count);
            let (mean, error) = match target.quantity {
                Quantity::Probability => (share, (share * (1.0 - share) / f64::from(count)).sqrt()),
                Quantity::Expectation(_) => {
                    let mean = first / inside;
                    (mean, ((second / inside - mean * mean) / inside).sqrt())
                }
                _ => continue,
            };
            let off = (values[0] - mean).abs();
            assert!(
                off <= 4.5 * error,
                "{target:?}: {} {mean} {error}",
                values[0]
            );
        }
    }
}

/// Central differences of the means in every natural parameter.
#[test]
fn gradients_are_those_of_the_means() {
    for equations in 1..=3 {
        let example = Example::new(equations, 20);
        let mut targets = targets(equations);
        if equations == 3 {
            targets.retain(|target| target.pattern[2].is_some());
        }
        let layout = Layout::of(&example.data()).unwrap();
        let naturals = layout.naturals(&example.parameters);
        let at = |naturals: &[f64]| {
            let parameters = layout.parameters(naturals).unwrap();
            with_model(&example, &parameters, 1, |model| {
                model.average(&targets, None).unwrap()
            })
        };
        let average = at(&naturals);
        let step = 1e-5;
        for k in 0..naturals.len() {
            let [high, low] = [step, -step].map(|step| {
                let mut moved = naturals.clone();
                moved[k] += step;
                at(&moved).means
            });
            for t in 0..targets.len() {
                let slope = (high[t] - low[t]) / (2.0 * step);
                let found = average.gradient[(k, t)];
                assert!(
                    (slope - found).abs() < 1e-7,
                    "{k} {:?}: {found} {slope}",
                    targets[t]
                );
            }
        }
    }
}

/// Heckman's closed forms.
#[test]
fn one_equation_is_heckmans() {
    use crate::normal::univariate::{cdf, density};
    let example = Example::new(1, 50);
    let targets = targets(1);
    let predicted = with_model(&example, &example.parameters, 1, |model| {
        model.predict(&targets, None).unwrap()
    });
    let value = |quantity, known, i: usize| {
        let wanted = Target {
            quantity,
            pattern: vec![known],
        };
        let t = targets.iter().position(|target| *target == wanted).unwrap();
        predicted.values[t][i]
    };
    let covariance = example.parameters.omega[(0, 1)];
    for i in 0..50 {
        let xb = value(Quantity::Predictor(0), None, i);
        let wg = value(Quantity::Predictor(1), None, i);
        let selected = xb + covariance * density(wg) / cdf(wg);
        let left_out = xb - covariance * density(wg) / cdf(-wg);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-13, "{a} {b}");
        close(value(Quantity::Expectation(0), Some(true), i), selected);
        close(value(Quantity::Expectation(0), Some(false), i), left_out);
        close(value(Quantity::Expectation(0), None, i), xb);
        close(value(Quantity::Probability, Some(true), i), cdf(wg));
        close(
            value(Quantity::Mills(0), Some(true), i),
            density(wg) / cdf(wg),
        );
    }
}

/// Errors of rows are those of averages over one row; threads do not change bits.
#[test]
fn errors_come_from_the_gradient_on_any_number_of_threads() {
    let example = Example::new(2, 700);
    let targets = targets(2);
    let run = |threads| {
        with_model(&example, &example.parameters, threads, |model| {
            let size = model.parameters();
            let root = DMatrix::from_fn(size, size, |a, b| ((a * 7 + b * 3) as f64).sin());
            let covariance = &root * root.transpose();
            let predicted = model.predict(&targets, Some(&covariance)).unwrap();
            let mut only = vec![0.0; 700];
            only[3] = 1.0;
            let average = model.average(&targets, Some(&only)).unwrap();
            let variance = average.gradient.tr_mul(&(covariance * &average.gradient));
            (predicted, average.means, variance.diagonal())
        })
    };
    let (predicted, means, variances) = run(1);
    for t in 0..targets.len() {
        assert!((predicted.values[t][3] - means[t]).abs() < 1e-12);
        assert!((predicted.errors[t][3] - variances[t].sqrt()).abs() < 1e-9);
    }
    assert_eq!(run(3).0, predicted);
}

#[test]
fn what_does_not_belong_together_is_an_error() {
    let example = Example::new(2, 5);
    let target = |quantity, pattern: &[Option<bool>]| Target {
        quantity,
        pattern: pattern.to_vec(),
    };
    let fails = |target: Target| {
        with_model(&example, &example.parameters, 1, |model| {
            model.predict(&[target], None).is_err()
        })
    };
    assert!(fails(target(Quantity::Probability, &[None])));
    assert!(fails(target(Quantity::Mills(0), &[None, Some(true)])));
    assert!(fails(target(Quantity::Expectation(2), &[None, None])));
    let mut other = example.parameters.clone();
    other.coefficients[0].pop();
    assert!(with_model(&example, &other, 1, |model| model
        .check()
        .is_err()));
}
