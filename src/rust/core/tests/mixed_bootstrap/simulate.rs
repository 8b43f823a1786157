//! Means and covariances of simulated responses against the definition.

use ember_core::mixed::simulate::{Law, Simulator};
use ember_core::nalgebra::{DMatrix, DVector};
use ember_core::rng;

use crate::models::{models, Model};

const DRAWS: usize = 4000;

/// A law with effects of every kind.
pub fn law(model: &Model) -> Law {
    let theta = model.structure.start();
    let moved = theta
        .iter()
        .enumerate()
        .map(|(k, t)| 0.7 * t + 0.3 * (k as f64).sin());
    let groups = model.dispersion.as_ref().map_or(1, |(_, groups)| *groups);
    Law {
        theta: moved.collect(),
        beta: (0..model.columns).map(|j| 0.5 - 0.1 * j as f64).collect(),
        sigma: 1.4,
        dispersion: (0..groups).map(|g| 1.0 + 0.5 * g as f64).collect(),
        effects: None,
    }
}

/// E y and var y, by dense matrices.
fn moments(model: &Model, law: &Law) -> (DVector<f64>, DMatrix<f64>) {
    let n = model.y.len();
    let x = DMatrix::from_column_slice(n, model.columns, &model.x);
    let mut mean = x * DVector::from_column_slice(&law.beta);
    if let Some(offset) = &model.offset {
        mean += DVector::from_column_slice(offset);
    }
    let mut covariance = DMatrix::zeros(n, n);
    for i in 0..n {
        let group = model
            .dispersion
            .as_ref()
            .map_or(0, |(codes, _)| codes[i] as usize - 1);
        let weight = model.weights.as_ref().map_or(1.0, |w| w[i]);
        covariance[(i, i)] = (law.sigma * law.dispersion[group]).powi(2) / weight;
    }
    for (t, term) in model.terms.iter().enumerate() {
        let q = term.columns.len();
        let mut z = DMatrix::zeros(n, q * term.levels);
        for i in 0..n {
            for (a, column) in term.columns.iter().enumerate() {
                let value = column.get(i).copied().unwrap_or(1.0);
                z[(i, (term.codes[i] as usize - 1) * q + a)] = value;
            }
        }
        if let Some(effects) = &law.effects {
            mean += &z * DVector::from_column_slice(effects[t].as_slice());
        } else {
            let lambda = model.structure.lambda(t, &law.theta) * law.sigma;
            let wide = &z * DMatrix::<f64>::identity(term.levels, term.levels).kronecker(&lambda);
            covariance += &wide * wide.transpose();
        }
    }
    (mean, covariance)
}

#[test]
fn draws_have_the_moments_of_the_law() {
    for model in models() {
        let rows = model.rows();
        let fresh = law(&model);
        let effects = model.terms.iter().map(|term| {
            DMatrix::from_fn(term.columns.len(), term.levels, |a, l| {
                (a as f64 - 0.1 * l as f64).cos()
            })
        });
        let kept = Law {
            effects: Some(effects.collect()),
            ..fresh.clone()
        };
        for law in [fresh, kept] {
            let simulator = Simulator::new(&rows, &model.structure, &law).unwrap();
            let n = model.y.len();
            let (wanted, covariance) = moments(&model, &law);
            let mut y = vec![0.0; n];
            let mut sum = DVector::zeros(n);
            let mut squares = DMatrix::zeros(n, n);
            for draw in 0..DRAWS {
                simulator.draw(&mut rng::stream(7, draw as u64), &mut y);
                let error = DVector::from_column_slice(&y) - &wanted;
                squares += &error * error.transpose();
                sum += error;
            }
            let (mean, got) = (sum / DRAWS as f64, squares / DRAWS as f64);
            for i in 0..n {
                for j in 0..n {
                    // Standard error of a normal covariance.
                    let (a, b, c) = (covariance[(i, i)], covariance[(j, j)], covariance[(i, j)]);
                    let error = ((a * b + c * c) / DRAWS as f64).sqrt();
                    let off = (got[(i, j)] - c).abs() / error;
                    assert!(
                        off < 5.5,
                        "{}: covariance ({i}, {j}) is {off} errors off",
                        model.name
                    );
                }
                let off = mean[i].abs() / (covariance[(i, i)] / DRAWS as f64).sqrt();
                assert!(off < 5.0, "{}: mean {i} is {off} errors off", model.name);
            }
        }
    }
}

#[test]
fn a_law_of_another_model_is_refused() {
    let model = &models()[1];
    let rows = model.rows();
    let good = law(model);
    let refused = |change: &dyn Fn(&mut Law)| {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(Simulator::new(&rows, &model.structure, &bad).is_err());
    };
    refused(&|law| law.theta.push(1.0));
    refused(&|law| law.beta.clear());
    refused(&|law| law.sigma = f64::NAN);
    refused(&|law| law.dispersion.push(1.0));
    refused(&|law| law.effects = Some(Vec::new()));
}
