//! The criterion by its definition, with an n × n covariance matrix.

use std::f64::consts::PI;

use ember_core::mixed::criterion::Parameters;
use ember_core::nalgebra::{DMatrix, DVector};

use crate::models::Model;

/// What the definition gives at a point.
pub struct Definition {
    pub criterion: f64,
    pub beta: DVector<f64>,
    /// Times σ² the covariance of β̂.
    pub covariance: DMatrix<f64>,
    pub sigma: f64,
    /// log|ΛᵀZᵀWZΛ + I|.
    pub log_det_random: f64,
    /// log|XᵀV⁻¹X|.
    pub log_det_fixed: f64,
    /// Conditional modes b of each term, q per level.
    pub effects: Vec<Vec<f64>>,
}

/// Evaluates the definition with the columns `kept` of X.
pub fn definition(model: &Model, kept: &[usize], reml: bool, point: &Parameters) -> Definition {
    let n = model.y.len();
    // Relative covariance of y: V = W⁻¹ D² + Σ ZΛΛᵀZᵀ.
    let mut residual = DMatrix::zeros(n, n);
    for i in 0..n {
        let ratio = model
            .dispersion
            .as_ref()
            .map_or(1.0, |(codes, _)| point.dispersion[codes[i] as usize - 1]);
        let weight = model.weights.as_ref().map_or(1.0, |w| w[i]);
        residual[(i, i)] = ratio * ratio / weight;
    }
    let mut v = residual.clone();
    let mut random = Vec::new();
    for (t, term) in model.terms.iter().enumerate() {
        let q = term.columns.len();
        let mut z = DMatrix::zeros(n, q * term.levels);
        for i in 0..n {
            for (a, column) in term.columns.iter().enumerate() {
                z[(i, (term.codes[i] as usize - 1) * q + a)] =
                    column.get(i).copied().unwrap_or(1.0);
            }
        }
        let lambda = model.structure.lambda(t, &point.theta);
        let wide = DMatrix::<f64>::identity(term.levels, term.levels).kronecker(&lambda);
        v += &z * &wide * wide.transpose() * z.transpose();
        random.push((z, &wide * wide.transpose()));
    }
    let x = DMatrix::from_fn(n, kept.len(), |i, j| model.x[kept[j] * n + i]);
    let y = DVector::from_fn(n, |i, _| {
        model.y[i] - model.offset.as_ref().map_or(0.0, |o| o[i])
    });
    let inverse = v.clone().try_inverse().unwrap();
    let covariance = (x.transpose() * &inverse * &x).try_inverse().unwrap();
    let beta = &covariance * x.transpose() * &inverse * &y;
    let e = y - &x * &beta;
    let weighted = &inverse * &e;
    let rss = e.dot(&weighted);
    let df = (n - if reml { kept.len() } else { 0 }) as f64;
    let sigma = point.sigma.unwrap_or((rss / df).sqrt());
    let log_det = |m: &DMatrix<f64>| {
        let lower = m.clone().cholesky().unwrap();
        2.0 * lower.l().diagonal().iter().map(|d| d.ln()).sum::<f64>()
    };
    let log_det_fixed = if kept.is_empty() {
        0.0
    } else {
        -log_det(&covariance)
    };
    let criterion = df * (2.0 * PI * sigma * sigma).ln()
        + log_det(&v)
        + if reml { log_det_fixed } else { 0.0 }
        + rss / (sigma * sigma);
    Definition {
        criterion,
        beta,
        covariance,
        sigma,
        log_det_random: log_det(&v) - log_det(&residual),
        log_det_fixed,
        effects: random
            .iter()
            .map(|(z, g)| (g * z.transpose() * &weighted).as_slice().to_vec())
            .collect(),
    }
}
