use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::factor::Factor;
use ember_core::mixed::leverages::leverages;
use ember_core::mixed::rows::{FixedColumns, TermRows};
use ember_core::mixed::variances::{conditional_variances, prediction_variances, Points};
use ember_core::nalgebra::DMatrix;

use crate::dense::Dense;
use crate::models::{models, Model};

fn theta(model: &Model) -> Vec<f64> {
    (0..model.structure.parameters())
        .map(|k| 0.9 - 0.23 * (k as f64))
        .collect()
}

fn factor_at(
    model: &Model,
    theta: &[f64],
    dispersion: &[f64],
) -> (ember_core::mixed::cross_products::CrossProducts, Factor) {
    let statistics = cross_products(&model.rows(), 1).unwrap();
    let mut factor = Factor::new(&statistics, &model.structure).unwrap();
    factor
        .update(&statistics, &model.structure, theta, dispersion)
        .unwrap();
    (statistics, factor)
}

#[test]
fn conditional_variances_are_those_of_a_normal_vector() {
    for model in models().iter().filter(|m| m.dispersion.is_none()) {
        let theta = theta(model);
        let (statistics, mut factor) = factor_at(model, &theta, &[]);
        let dense = Dense::of(model, statistics.kept(), &theta);
        // b | y, β has covariance G - G ZᵀV⁻¹Z G.
        let gz = &dense.relative * dense.z.transpose();
        let expected = &dense.relative - &gz * &dense.inverse * gz.transpose();
        let blocks = conditional_variances(&statistics, &mut factor);
        for (t, term) in model.terms.iter().enumerate() {
            let q = term.columns.len();
            for l in 0..term.levels {
                let at = dense.starts[t] + l * q;
                let block =
                    DMatrix::from_column_slice(q, q, &blocks[t][l * q * q..(l + 1) * q * q]);
                let gap = (block - expected.view((at, at), (q, q))).amax();
                assert!(gap < 1e-9, "{}: {gap}", model.name);
            }
        }
    }
}

/// The rows of the data and as many with other combinations of levels, new levels and absent terms.
#[test]
fn prediction_variances_are_those_of_the_joint_normal() {
    for model in models().iter().filter(|m| m.dispersion.is_none()) {
        let theta = theta(model);
        let (statistics, mut factor) = factor_at(model, &theta, &[]);
        let dense = Dense::of(model, statistics.kept(), &theta);
        let rows = model.rows();
        let n = rows.len();
        let codes: Vec<Vec<i32>> = (0..model.terms.len())
            .map(|t| {
                let turned = |i: usize| model.terms[t].codes[(i + 7 * t) % n];
                let code = |i: usize| match (i + t) % 6 {
                    0 => 0,
                    1 => i32::MIN,
                    _ => turned(i),
                };
                (0..n).map(code).collect()
            })
            .collect();
        let points = Points {
            rows: n,
            fixed: Some(rows.fixed),
            terms: rows
                .terms
                .iter()
                .zip(&codes)
                .map(|(term, codes)| TermRows {
                    codes,
                    ..term.clone()
                })
                .collect(),
        };
        let variances = prediction_variances(&statistics, &mut factor, &points).unwrap();
        let without = Points {
            fixed: None,
            ..points.clone()
        };
        let random = prediction_variances(&statistics, &mut factor, &without).unwrap();

        let gz = &dense.relative * dense.z.transpose();
        let vx = &dense.inverse * &dense.x;
        // b̂ - b: G - G ZᵀPZ G; β̂ - β: Φ; between: -G ZᵀV⁻¹XΦ.
        let of_b = &dense.relative - &gz * dense.projection() * gz.transpose();
        let between = -(&gz * &vx * &dense.covariance);
        for i in 0..n {
            let mut z = DMatrix::zeros(dense.z.ncols(), 1);
            let mut own = 0.0;
            for (t, term) in model.terms.iter().enumerate() {
                let q = term.columns.len();
                let value = |a: usize| term.columns[a].get(i).copied().unwrap_or(1.0);
                let lambda = model.structure.lambda(t, &theta);
                match codes[t][i] {
                    0 => {
                        let z = DMatrix::from_fn(q, 1, |a, _| value(a));
                        own += (lambda.transpose() * z).norm_squared();
                    }
                    code if code > 0 => {
                        for a in 0..q {
                            z[(dense.starts[t] + (code as usize - 1) * q + a, 0)] = value(a);
                        }
                    }
                    _ => {}
                }
            }
            let x = dense.x.row(i).transpose();
            let b = (z.transpose() * &of_b * &z)[(0, 0)] + own;
            let mut all = b;
            if model.columns > 0 {
                all += (x.transpose() * &dense.covariance * &x)[(0, 0)]
                    + 2.0 * (z.transpose() * &between * &x)[(0, 0)];
            }
            assert!(
                (variances[i] - all).abs() < 1e-9 * (1.0 + all),
                "{}: {} {all}",
                model.name,
                variances[i]
            );
            assert!(
                (random[i] - b).abs() < 1e-9 * (1.0 + b),
                "{}: {} {b}",
                model.name,
                random[i]
            );
        }
    }
}

#[test]
fn leverages_are_the_slopes_of_the_fitted_values() {
    for model in models() {
        let theta = theta(&model);
        let groups = model.dispersion.as_ref().map_or(1, |d| d.1);
        let ratios: Vec<f64> = (0..groups).map(|g| 1.0 + 0.4 * g as f64).collect();
        let (statistics, mut factor) = factor_at(&model, &theta, &ratios);
        let hat = leverages(&model.rows(), &statistics, &mut factor, &ratios).unwrap();
        let fitted = |y: &[f64], i: usize| {
            let moved = statistics.with_response(&model.rows(), y).unwrap();
            let mut factor = Factor::new(&moved, &model.structure).unwrap();
            factor
                .update(&moved, &model.structure, &theta, &ratios)
                .unwrap();
            let beta = factor.coefficients();
            let kept = statistics.kept().iter().enumerate();
            let mut value: f64 = kept.map(|(k, &j)| beta[k] * model.x[j * y.len() + i]).sum();
            for (t, term) in model.terms.iter().enumerate() {
                let u = &factor.spherical_effects()[t];
                let b = factor.lambda(t) * u.column(term.codes[i] as usize - 1);
                let z = |a: usize| term.columns[a].get(i).copied().unwrap_or(1.0);
                value += (0..b.len()).map(|a| z(a) * b[a]).sum::<f64>();
            }
            value
        };
        for i in [0, 13, 39] {
            let mut y = model.y.clone();
            let before = fitted(&y, i);
            y[i] += 1.0;
            let slope = fitted(&y, i) - before;
            assert!(
                (slope - hat[i]).abs() < 1e-9,
                "{}: {slope} {}",
                model.name,
                hat[i]
            );
        }
    }
}

#[test]
fn rows_of_another_model_are_refused() {
    let models = models();
    let model = &models[0];
    let (statistics, mut factor) = factor_at(model, &theta(model), &[]);
    let rows = model.rows();
    let beyond = vec![99; rows.len()];
    let mut points = Points {
        rows: rows.len(),
        fixed: Some(rows.fixed),
        terms: vec![TermRows {
            codes: &beyond,
            ..rows.terms[0].clone()
        }],
    };
    let kind = |points: &Points, factor: &mut Factor| {
        prediction_variances(&statistics, factor, points)
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind(&points, &mut factor), "argument");
    points.terms = rows.terms.clone();
    points.fixed = Some(FixedColumns::Dense {
        values: &model.x,
        columns: 1,
    });
    assert_eq!(kind(&points, &mut factor), "argument");
}
