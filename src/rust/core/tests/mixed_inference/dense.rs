//! A model at one θ as n × n matrices, σ = 1.

use ember_core::nalgebra::{DMatrix, DVector};

use crate::models::Model;

/// The matrices of a model without dispersion groups.
pub struct Dense {
    pub x: DMatrix<f64>,
    /// Z of all terms.
    pub z: DMatrix<f64>,
    /// Block diagonal ΛΛᵀ of all terms.
    pub relative: DMatrix<f64>,
    /// Where each term's effects start in Z.
    pub starts: Vec<usize>,
    pub residual: DMatrix<f64>,
    pub inverse: DMatrix<f64>,
    /// (XᵀV⁻¹X)⁻¹.
    pub covariance: DMatrix<f64>,
}

impl Dense {
    pub fn of(model: &Model, kept: &[usize], theta: &[f64]) -> Self {
        let n = model.y.len();
        let weight = |i: usize| model.weights.as_ref().map_or(1.0, |w| w[i]);
        let residual = DMatrix::from_diagonal(&DVector::from_fn(n, |i, _| 1.0 / weight(i)));
        let sizes: Vec<usize> = model
            .terms
            .iter()
            .map(|t| t.columns.len() * t.levels)
            .collect();
        let total: usize = sizes.iter().sum();
        let mut z = DMatrix::zeros(n, total);
        let mut relative = DMatrix::zeros(total, total);
        let mut starts = vec![0];
        for (t, term) in model.terms.iter().enumerate() {
            let (q, start) = (term.columns.len(), starts[t]);
            let lambda = model.structure.lambda(t, theta);
            let block = &lambda * lambda.transpose();
            for l in 0..term.levels {
                relative
                    .view_mut((start + l * q, start + l * q), (q, q))
                    .copy_from(&block);
            }
            for i in 0..n {
                for (a, column) in term.columns.iter().enumerate() {
                    let at = start + (term.codes[i] as usize - 1) * q + a;
                    z[(i, at)] = column.get(i).copied().unwrap_or(1.0);
                }
            }
            starts.push(start + sizes[t]);
        }
        let x = DMatrix::from_fn(n, kept.len(), |i, j| model.x[kept[j] * n + i]);
        let v = &residual + &z * &relative * z.transpose();
        let inverse = v.try_inverse().unwrap();
        let covariance = match kept.is_empty() {
            true => DMatrix::zeros(0, 0),
            false => (x.transpose() * &inverse * &x).try_inverse().unwrap(),
        };
        Dense {
            x,
            z,
            relative,
            starts,
            residual,
            inverse,
            covariance,
        }
    }

    /// V⁻¹ - V⁻¹X(XᵀV⁻¹X)⁻¹XᵀV⁻¹.
    pub fn projection(&self) -> DMatrix<f64> {
        let vx = &self.inverse * &self.x;
        &self.inverse - &vx * &self.covariance * vx.transpose()
    }
}
