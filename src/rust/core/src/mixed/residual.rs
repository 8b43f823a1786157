//! Expected residual sums of squares of the dispersion groups.

use nalgebra::{DMatrix, DMatrixView, DVectorView};

use super::cross_products::CrossProducts;
use super::expect::{outer, Posterior};

/// E[|y − X̃β̃ − ZΛu|²_W] over the rows of a dispersion group, with any Λ and any mean `beta` of β̃.
pub fn expected_square(
    statistics: &CrossProducts,
    posterior: &Posterior,
    group: usize,
    lambdas: &[DMatrix<f64>],
    beta: &[f64],
) -> f64 {
    let products = &statistics.design.products[group];
    let response = &statistics.response.products[group];
    let (p, variance) = (beta.len(), posterior.variance);
    let beta = DVectorView::from_slice(beta, p);
    let mut square = response.square - 2.0 * beta.dot(&response.fixed)
        + beta.dot(&(&products.gram * beta))
        + variance * products.gram.dot(posterior.covariance.coefficients());
    for (term, lambda) in lambdas.iter().enumerate() {
        let q = lambda.nrows();
        let mut moment = vec![0.0; q * q];
        let dense = |blocks| statistics.design.dense_fixed(term, blocks);
        let fixed_blocks = dense(&products.fixed[term]);
        let covariances = dense(posterior.covariance.fixed(term));
        for l in 0..statistics.levels()[term] {
            let fixed = DMatrixView::from_slice(&fixed_blocks[l * p * q..], p, q);
            let covariance = &covariances[l * p * q..];
            let target =
                DVectorView::from_slice(&response.effects[term][l * q..], q) - fixed.tr_mul(&beta);
            let effect =
                lambda * DVectorView::from_slice(&posterior.factor.effects(term)[l * q..], q);
            posterior.second_moment(term, q, l, &mut moment);
            square +=
                2.0 * variance * (fixed * lambda).dot(&DMatrixView::from_slice(covariance, p, q))
                    - 2.0 * target.dot(&effect)
                    + inner(
                        lambda,
                        &products.diagonal[term][l * q * q..],
                        lambda,
                        &moment,
                    );
        }
    }
    for (k, pairs) in statistics.pairs().iter().enumerate() {
        let (a, b) = (pairs.first, pairs.second);
        let (qa, qb) = (lambdas[a].nrows(), lambdas[b].nrows());
        let mut moment = vec![0.0; qa * qb];
        for l in 0..statistics.levels()[a] {
            let left = &posterior.factor.effects(a)[l * qa..][..qa];
            for e in pairs.starts[l]..pairs.starts[l + 1] {
                let right = &posterior.factor.effects(b)[pairs.levels[e] as usize * qb..][..qb];
                let covariance = &posterior.covariance.pairs(k)[e * qa * qb..];
                outer(left, right, covariance, variance, &mut moment);
                square += 2.0
                    * inner(
                        &lambdas[a],
                        &products.pairs[k][e * qa * qb..],
                        &lambdas[b],
                        &moment,
                    );
            }
        }
    }
    square
}

/// tr((Aᵀ P B)ᵀ E) of matrices given as slices.
fn inner(a: &DMatrix<f64>, product: &[f64], b: &DMatrix<f64>, moment: &[f64]) -> f64 {
    let (rows, columns) = (a.nrows(), b.nrows());
    let product = DMatrixView::from_slice(product, rows, columns);
    (a.tr_mul(&product) * b).dot(&DMatrixView::from_slice(moment, rows, columns))
}
