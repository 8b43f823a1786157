use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::kenward_roger::kenward_roger;
use ember_core::nalgebra::DMatrix;

use crate::dense::Dense;
use crate::models::{models, Model};

/// G_r of every variance and covariance, the residuals' last; `true` where it is estimated.
fn patterns(model: &Model, dense: &Dense) -> Vec<(DMatrix<f64>, bool)> {
    let mut all = Vec::new();
    for (t, term) in model.terms.iter().enumerate() {
        let q = term.columns.len();
        // A covariance is free where a Λ of pure ones has one.
        let ones = model
            .structure
            .lambda(t, &vec![1.0; model.structure.parameters()]);
        let reach = &ones * ones.transpose();
        for j in 0..q {
            for i in (j..q).filter(|&i| reach[(i, j)] != 0.0) {
                let mut a = DMatrix::zeros(q, q);
                a[(i, j)] = 1.0;
                a[(j, i)] = 1.0;
                let size = q * term.levels;
                let z = dense.z.columns(dense.starts[t], size);
                let wide = DMatrix::<f64>::identity(term.levels, term.levels).kronecker(&a);
                let known = i == j
                    && model
                        .known
                        .deviations
                        .iter()
                        .any(|k| (k.term, k.index) == (t, i));
                all.push((z * wide * z.transpose(), !known));
            }
        }
    }
    all.push((dense.residual.clone(), model.known.sigma.is_none()));
    all
}

/// The formulas of the paper as they stand.
#[test]
fn blocks_agree_with_the_definition() {
    let sigma = 1.7f64;
    let singular = |theta: &[f64]| -> Vec<f64> {
        theta
            .iter()
            .enumerate()
            .map(|(k, t)| if k == 0 { 0.0 } else { *t })
            .collect()
    };
    for model in models()
        .iter()
        .filter(|m| m.dispersion.is_none() && m.columns > 0)
    {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let theta: Vec<f64> = (0..model.structure.parameters())
            .map(|k| 0.9 - 0.23 * (k as f64))
            .collect();
        for theta in [theta.clone(), singular(&theta)] {
            let dense = Dense::of(model, statistics.kept(), &theta);
            let (phi, p) = (&dense.covariance, dense.projection());
            let v = &dense.inverse * &dense.x;
            let patterns: Vec<DMatrix<f64>> = patterns(model, &dense)
                .into_iter()
                .filter_map(|(g, estimated)| estimated.then_some(g))
                .collect();
            let r = patterns.len();
            let information = DMatrix::from_fn(r, r, |i, j| {
                0.5 * (&p * &patterns[i] * &p * &patterns[j]).trace()
            });
            let weights = information.try_inverse().unwrap();
            let mut correction = DMatrix::zeros(phi.nrows(), phi.nrows());
            for i in 0..r {
                for j in 0..r {
                    let middle = v.transpose() * &patterns[i] * &p * &patterns[j] * &v;
                    correction += middle * weights[(i, j)];
                }
            }
            let adjusted = (phi + phi * correction * phi * 2.0) * (sigma * sigma);

            let result =
                kenward_roger(&statistics, &model.structure, &model.known, &theta, sigma).unwrap();
            let close = |a: &DMatrix<f64>, b: &DMatrix<f64>, tol: f64| {
                assert!((a - b).amax() <= tol * b.amax(), "{}: {a} {b}", model.name);
            };
            close(&result.covariance, &(phi * sigma * sigma), 1e-9);
            close(&result.adjusted, &adjusted, 1e-7);
            close(
                &result.parameter_covariance,
                &(weights * sigma.powi(4)),
                1e-6,
            );
            assert_eq!(result.derivatives.len(), r);
            for (derivative, g) in result.derivatives.iter().zip(&patterns) {
                let expected = phi * v.transpose() * g * &v * phi;
                assert!(
                    (derivative - &expected).amax() <= 1e-8 * phi.amax().max(expected.amax()),
                    "{}: {derivative} {expected}",
                    model.name
                );
            }
        }
    }
}

#[test]
fn dispersion_groups_are_refused() {
    let models = models();
    let model = models.iter().find(|m| m.dispersion.is_some()).unwrap();
    let statistics = cross_products(&model.rows(), 1).unwrap();
    let theta = model.structure.start();
    let error =
        kenward_roger(&statistics, &model.structure, &model.known, &theta, 1.0).unwrap_err();
    assert_eq!(error.kind(), "argument");
}
