//! The regression of PX-EM's M step: y on X and on the expanded random-effects design.
//!
//! Column (r, c) of the expanded design of a term is Σ_l (Z_l Λ)_r u_lc, and α_rc is its coefficient. Given y, its
//! expected normal equations for α − I after X is swept out are H δ = g with
//!
//! ```text
//! H = E[columnsᵀ W columns] − F (X̃ᵀWX̃)⁻¹ Fᵀ,    F = E[columns]ᵀ W X̃,
//! g = E[columnsᵀ W (y − Xβ − ZΛu)] = Σ_l E[u_l u_lᵀ] − J σ² I.
//! ```
//!
//! g needs no pass over pairs of levels: the log posterior density of u_l has the gradient (ΛᵀZ_lᵀWe − u_l) / σ²,
//! and its expected product with u_lᵀ is −I (Stein's identity). It is the gradient of the objective as well, so
//! fixed points of PX-EM are stationary points.

use nalgebra::{DMatrix, DMatrixView, DVector};

use super::covariances::Block;
use super::criterion::Problem;
use super::cross_products::Pairs;
use super::expect::{outer, Posterior};
use super::maximize::{Expansion, Variances};
use super::residual::expected_square;
use crate::error::Result;
use crate::linalg::{inverse_spd, mirror, symmetric_eigen};

/// Expected normal equations for α − I.
#[derive(Debug, Clone)]
pub struct Regression {
    /// H, one row per free entry of α, block by block and column by column.
    pub information: DMatrix<f64>,
    /// g.
    pub score: DVector<f64>,
    /// Coefficients of X̃ on the columns, p × entries.
    pub sweep: DMatrix<f64>,
}

/// An entry of α.
#[derive(Debug, Clone, Copy)]
struct Coefficient {
    /// Its row in H.
    index: usize,
    /// Row and column in the matrix of its term.
    row: usize,
    column: usize,
}

/// Directions of H below this part of the largest, in units of H's diagonal, are not estimated.
const RANK_TOLERANCE: f64 = 1e-13;

impl Regression {
    /// The normal equations at `variances`, where `posterior` was taken.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) when X̃ᵀWX̃ is not.
    pub fn new(
        problem: &Problem,
        blocks: &[Block],
        posterior: &Posterior,
        variances: &Variances,
        scatter: &[DMatrix<f64>],
    ) -> Result<Self> {
        let statistics = problem.statistics;
        let coefficients = coefficients(blocks, statistics.terms());
        let size = coefficients.iter().map(Vec::len).sum();
        let p = statistics.fixed_columns();
        let mut sums = Sums {
            information: DMatrix::zeros(size, size),
            fixed: DMatrix::zeros(p, size),
            posterior,
        };
        let mut gram = DMatrix::zeros(p, p);
        for (products, ratio) in statistics.design.products.iter().zip(&variances.dispersion) {
            let weight = ratio.powi(-2);
            gram += &products.gram * weight;
            for (term, own) in coefficients.iter().enumerate() {
                sums.add_term(
                    term,
                    own,
                    &products.diagonal[term],
                    &statistics.design.dense_fixed(term, &products.fixed[term]),
                    weight,
                );
            }
            for (k, pairs) in statistics.pairs().iter().enumerate() {
                let both = (
                    &coefficients[pairs.first][..],
                    &coefficients[pairs.second][..],
                );
                sums.add_pairs(k, pairs, both, &products.pairs[k], weight);
            }
        }
        mirror(&mut sums.information);
        let sweep = inverse_spd(&gram)? * &sums.fixed;
        let information = sums.information - sums.fixed.tr_mul(&sweep);
        Ok(Regression {
            information,
            score: score(blocks, scatter, posterior.variance),
            sweep,
        })
    }

    /// α of each block, and the residual sum of squares of each dispersion group at α; `residual` is that at I.
    ///
    /// # Errors
    /// [`Error::Numerical`](crate::Error::Numerical) when H is not finite.
    pub fn solve(
        &self,
        problem: &Problem,
        blocks: &[Block],
        posterior: &Posterior,
        residual: &[f64],
    ) -> Result<Expansion> {
        let step = self.step()?;
        let alpha = alpha(blocks, &step);
        let statistics = problem.statistics;
        let residual = match residual {
            [all] => vec![all - self.score.dot(&step)],
            groups => {
                let lambdas = expanded(statistics.terms(), posterior, blocks, &alpha);
                let beta = DVector::from_column_slice(posterior.factor.rotated_coefficients());
                let beta = beta - &self.sweep * step;
                let at = |g| expected_square(statistics, posterior, g, &lambdas, beta.as_slice());
                (0..groups.len()).map(at).collect()
            }
        };
        Ok(Expansion { alpha, residual })
    }

    /// α − I, H⁺ g. Columns of Λ that are zero leave H singular and nothing to estimate.
    ///
    /// # Errors
    /// [`Error::Numerical`](crate::Error::Numerical) when H is not finite.
    fn step(&self) -> Result<DVector<f64>> {
        let unit = |x: f64| if x > 0.0 { 1.0 / x.sqrt() } else { 0.0 };
        let units = self.information.diagonal().map(unit);
        let scaled =
            DMatrix::from_diagonal(&units) * &self.information * DMatrix::from_diagonal(&units);
        let (values, axes) = symmetric_eigen(&scaled)?;
        let mut along = axes.tr_mul(&self.score.component_mul(&units));
        for (coordinate, value) in along.iter_mut().zip(&values) {
            let estimable = *value > RANK_TOLERANCE * values[0];
            *coordinate = if estimable { *coordinate / value } else { 0.0 };
        }
        Ok((axes * along).component_mul(&units))
    }
}

/// α of every block from a step of its free entries.
fn alpha(blocks: &[Block], step: &DVector<f64>) -> Vec<DMatrix<f64>> {
    let mut steps = step.iter();
    let matrix = |block: &Block| {
        let width = block.width();
        let mut matrix = DMatrix::identity(width, width);
        for column in 0..width {
            for row in block.first_expanded()..width {
                matrix[(row, column)] += steps.next().copied().unwrap_or(0.0);
            }
        }
        matrix
    };
    blocks.iter().map(matrix).collect()
}

/// Λ α of every term.
fn expanded(
    terms: usize,
    posterior: &Posterior,
    blocks: &[Block],
    alpha: &[DMatrix<f64>],
) -> Vec<DMatrix<f64>> {
    let mut lambdas: Vec<_> = (0..terms)
        .map(|t| posterior.factor.lambda(t).clone())
        .collect();
    for (block, alpha) in blocks.iter().zip(alpha) {
        let lambda = &mut lambdas[block.term];
        let product = block.part(lambda) * alpha;
        for (j, &column) in block.effects.iter().enumerate() {
            for (i, &row) in block.effects.iter().enumerate() {
                lambda[(row, column)] = product[(i, j)];
            }
        }
    }
    lambdas
}

/// The free entries of α by term, in the order of [`alpha`].
fn coefficients(blocks: &[Block], terms: usize) -> Vec<Vec<Coefficient>> {
    let mut by_term = vec![Vec::new(); terms];
    let mut index = 0;
    for block in blocks {
        for &column in &block.effects {
            for &row in &block.effects[block.first_expanded()..] {
                by_term[block.term].push(Coefficient { index, row, column });
                index += 1;
            }
        }
    }
    by_term
}

/// g, in the order of [`alpha`].
fn score(blocks: &[Block], scatter: &[DMatrix<f64>], variance: f64) -> DVector<f64> {
    let mut score = Vec::new();
    for (block, scatter) in blocks.iter().zip(scatter) {
        for column in 0..block.width() {
            for row in block.first_expanded()..block.width() {
                let prior = if row == column {
                    block.levels as f64 * variance
                } else {
                    0.0
                };
                score.push(scatter[(row, column)] - prior);
            }
        }
    }
    DVector::from_vec(score)
}

/// Sums over levels and pairs of levels.
struct Sums<'a> {
    /// Lower triangle of E[columnsᵀ W columns].
    information: DMatrix<f64>,
    /// Fᵀ.
    fixed: DMatrix<f64>,
    posterior: &'a Posterior<'a>,
}

impl Sums<'_> {
    /// Adds the columns of one term: every row has one of its levels.
    fn add_term(
        &mut self,
        term: usize,
        own: &[Coefficient],
        diagonal: &[f64],
        fixed: &[f64],
        weight: f64,
    ) {
        let lambda = self.posterior.factor.lambda(term);
        let (p, q) = (self.fixed.nrows(), lambda.nrows());
        let mut moment = vec![0.0; q * q];
        let effects = self.posterior.factor.effects(term).chunks_exact(q);
        for (l, (effect, block)) in effects.zip(diagonal.chunks_exact(q * q)).enumerate() {
            self.posterior.second_moment(term, q, l, &mut moment);
            let product = lambda.tr_mul(&DMatrixView::from_slice(block, q, q)) * lambda * weight;
            let columns = DMatrixView::from_slice(&fixed[l * p * q..], p, q) * lambda * weight;
            for a in own {
                for b in own.iter().filter(|b| b.index <= a.index) {
                    self.information[(a.index, b.index)] +=
                        product[(a.row, b.row)] * moment[b.column * q + a.column];
                }
                self.fixed
                    .column_mut(a.index)
                    .axpy(effect[a.column], &columns.column(a.row), 1.0);
            }
        }
    }

    /// Adds the products of the columns of two terms.
    fn add_pairs(
        &mut self,
        k: usize,
        pairs: &Pairs,
        (first, second): (&[Coefficient], &[Coefficient]),
        blocks: &[f64],
        weight: f64,
    ) {
        let factor = self.posterior.factor;
        let (left, right) = (factor.lambda(pairs.first), factor.lambda(pairs.second));
        let (qa, qb) = (left.nrows(), right.nrows());
        let mut moment = vec![0.0; qa * qb];
        for (l, u) in factor.effects(pairs.first).chunks_exact(qa).enumerate() {
            for e in pairs.starts[l]..pairs.starts[l + 1] {
                let v = &factor.effects(pairs.second)[pairs.levels[e] as usize * qb..][..qb];
                let covariance = &self.posterior.covariance.pairs(k)[e * qa * qb..];
                outer(u, v, covariance, self.posterior.variance, &mut moment);
                let block = DMatrixView::from_slice(&blocks[e * qa * qb..], qa, qb);
                let product = left.tr_mul(&block) * right * weight;
                for a in first {
                    for b in second {
                        let at = (a.index.max(b.index), a.index.min(b.index));
                        self.information[at] +=
                            product[(a.row, b.row)] * moment[b.column * qa + a.column];
                    }
                }
            }
        }
    }
}
