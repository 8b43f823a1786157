//! ZᵀPZ without n × n or m × m matrices: the largest term is eliminated level by level, the others and X
//! are dense.
//!
//! With V = ZΨZᵀ + W⁻¹ (σ = 1), V₁ the part of V that belongs to the first term and the residuals, Q = V₁⁻¹,
//! and T = [Z₂ ... X̃] the *tail*: P = V⁻¹ - V⁻¹X(XᵀV⁻¹X)⁻¹XᵀV⁻¹ = Q - Q T G TᵀQ, where
//! G = Λ (Λᵀ TᵀQT Λ + I)⁻¹ Λᵀ with Λ = I and no ridge for X̃. Nothing divides by Λ, which may be singular.

use faer::{Mat, MatRef, Side};
use nalgebra::{DMatrix, DMatrixView};

use super::cross_products::CrossProducts;
use super::structure::Structure;
use crate::error::{Error, Result};
use crate::linalg;

/// A tail of this size takes 1.8 GB for each of its dense matrices.
const LARGEST_TAIL: usize = 15_000;

/// A term of the tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TailTerm {
    pub term: usize,
    /// Its first row in the tail.
    pub start: usize,
    pub width: usize,
    pub levels: usize,
}

/// ZᵀPZ at one θ, in pieces.
pub(super) struct Projection {
    /// The term that is eliminated, if there is one.
    pub first: Option<usize>,
    /// Its width, q (0 without one).
    pub width: usize,
    /// Its levels.
    pub levels: usize,
    pub tail: Vec<TailTerm>,
    /// Size of the tail without X.
    pub effects: usize,
    /// Z_lᵀQZ_l of each level of the first term, q × q.
    within: Vec<f64>,
    /// Where the tail indices of each level start.
    starts: Vec<usize>,
    indices: Vec<usize>,
    /// Z_lᵀQT, q × 1 for each tail index.
    across: Vec<f64>,
    /// TᵀQT.
    pub gram: Mat<f64>,
    /// G.
    pub shrinkage: Mat<f64>,
    /// I - G TᵀQT.
    pub outside: Mat<f64>,
    /// ZᵀV⁻¹X Φ of the first term, q × p for each level.
    fixed: Vec<f64>,
    /// ZᵀV⁻¹X Φ of the tail's terms, `effects` × p.
    pub tail_fixed: DMatrix<f64>,
    /// Φ = (XᵀV⁻¹X)⁻¹ of the columns kept.
    pub covariance: DMatrix<f64>,
}

/// One level of the first term.
pub(super) struct Level<'a> {
    /// Z_lᵀQZ_l, q × q.
    pub within: DMatrixView<'a, f64>,
    /// Tail indices that the level occurs with.
    pub indices: &'a [usize],
    /// Z_lᵀQT at these indices, q × their number.
    pub across: DMatrixView<'a, f64>,
    /// Z_lᵀV⁻¹X Φ, q × p.
    pub fixed: DMatrixView<'a, f64>,
}

impl Projection {
    /// Eliminates the term with the most random effects.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `ddf` when there are dispersion groups or the tail is too large;
    /// [`Error::Numerical`] when the arithmetic breaks down.
    pub fn of(statistics: &CrossProducts, structure: &Structure, theta: &[f64]) -> Result<Self> {
        let mut projection = Projection::shape(statistics)?;
        projection.gather(statistics);
        projection.eliminate(structure, theta)?;
        projection.shrink(structure, theta)?;
        projection.regress(statistics);
        Ok(projection)
    }

    /// Which term is eliminated and where the others stand.
    fn shape(statistics: &CrossProducts) -> Result<Self> {
        let (widths, levels) = (statistics.widths(), statistics.levels());
        // Pairs of terms run from the larger to the smaller one.
        let first =
            (0..widths.len()).find(|&t| statistics.pairs().iter().all(|pairs| pairs.second != t));
        let mut tail = Vec::new();
        let mut effects = 0;
        for term in (0..widths.len()).filter(|&t| Some(t) != first) {
            tail.push(TailTerm {
                term,
                start: effects,
                width: widths[term],
                levels: levels[term],
            });
            effects += widths[term] * levels[term];
        }
        let size = effects + statistics.fixed_columns();
        if size > LARGEST_TAIL {
            return Err(Error::Argument {
                argument: "ddf",
                message: format!(
                    "cannot be \"Kenward-Roger\" with {size} effects beside those of the largest \
                     grouping factor: use \"Satterthwaite\""
                ),
            });
        }
        if statistics.group_rows().len() > 1 {
            return Err(Error::Argument {
                argument: "ddf",
                message: "cannot be \"Kenward-Roger\" in a model with `dispersion`: use \"Satterthwaite\""
                    .into(),
            });
        }
        Ok(Projection {
            first,
            width: first.map_or(0, |t| widths[t]),
            levels: first.map_or(0, |t| levels[t]),
            tail,
            effects,
            within: Vec::new(),
            starts: vec![0],
            indices: Vec::new(),
            across: Vec::new(),
            gram: Mat::zeros(size, size),
            shrinkage: Mat::zeros(size, size),
            outside: Mat::zeros(size, size),
            fixed: Vec::new(),
            tail_fixed: DMatrix::zeros(0, 0),
            covariance: DMatrix::zeros(0, 0),
        })
    }

    /// TᵀWT, and ZᵀWT of the first term.
    fn gather(&mut self, statistics: &CrossProducts) {
        let products = &statistics.design.products[0];
        let p = statistics.fixed_columns();
        let start_of = |term: usize| self.tail.iter().find(|t| t.term == term).map(|t| t.start);
        for tail in &self.tail {
            let (q, start) = (tail.width, tail.start);
            let fixed = statistics
                .design
                .dense_fixed(tail.term, &products.fixed[tail.term]);
            for l in 0..tail.levels {
                let at = start + l * q;
                let block = &products.diagonal[tail.term][l * q * q..(l + 1) * q * q];
                add_block(&mut self.gram, at, at, block, q);
                let block = &fixed[l * p * q..(l + 1) * p * q];
                add_block(&mut self.gram, self.effects, at, block, p);
            }
        }
        add_block(
            &mut self.gram,
            self.effects,
            self.effects,
            products.gram.as_slice(),
            p,
        );
        for (pairs, values) in statistics.pairs().iter().zip(&products.pairs) {
            let (Some(rows), Some(columns)) = (start_of(pairs.first), start_of(pairs.second))
            else {
                continue;
            };
            let (qa, qb) = (
                statistics.widths()[pairs.first],
                statistics.widths()[pairs.second],
            );
            for l in 0..statistics.levels()[pairs.first] {
                for e in pairs.starts[l]..pairs.starts[l + 1] {
                    let (row, column) = (rows + l * qa, columns + pairs.levels[e] as usize * qb);
                    let block = &values[e * qa * qb..(e + 1) * qa * qb];
                    add_block(&mut self.gram, row, column, block, qa);
                    add_transposed(&mut self.gram, column, row, block, qa);
                }
            }
        }
        for j in 0..self.effects {
            for i in self.effects..self.gram.nrows() {
                self.gram[(j, i)] = self.gram[(i, j)];
            }
        }
        self.gather_first(statistics);
    }

    /// ZᵀWZ and ZᵀWT of the levels of the first term.
    fn gather_first(&mut self, statistics: &CrossProducts) {
        let Some(first) = self.first else { return };
        let products = &statistics.design.products[0];
        let (q, p) = (self.width, statistics.fixed_columns());
        self.within = products.diagonal[first].clone();
        let fixed = statistics.design.dense_fixed(first, &products.fixed[first]);
        for l in 0..self.levels {
            for tail in &self.tail {
                let both = statistics.pairs().iter().zip(&products.pairs);
                let Some((pairs, values)) = both
                    .into_iter()
                    .find(|(pairs, _)| (pairs.first, pairs.second) == (first, tail.term))
                else {
                    continue;
                };
                for e in pairs.starts[l]..pairs.starts[l + 1] {
                    let at = tail.start + pairs.levels[e] as usize * tail.width;
                    self.indices.extend(at..at + tail.width);
                    let size = q * tail.width;
                    self.across.extend(&values[e * size..(e + 1) * size]);
                }
            }
            let block = &fixed[l * p * q..(l + 1) * p * q];
            self.indices.extend(self.effects..self.effects + p);
            self.across
                .extend(DMatrixView::from_slice(block, p, q).transpose().iter());
            self.starts.push(self.indices.len());
        }
    }

    /// From W to Q: every product loses what the first term explains.
    fn eliminate(&mut self, structure: &Structure, theta: &[f64]) -> Result<()> {
        let Some(first) = self.first else {
            return Ok(());
        };
        let q = self.width;
        let lambda = structure.lambda(first, theta);
        for l in 0..self.levels {
            let range = self.starts[l]..self.starts[l + 1];
            let block = DMatrix::from_column_slice(q, q, &self.within[l * q * q..(l + 1) * q * q]);
            let raw = DMatrix::from_column_slice(
                q,
                range.len(),
                &self.across[q * range.start..q * range.end],
            );
            let ridged = lambda.tr_mul(&block) * &lambda + DMatrix::identity(q, q);
            let shrinkage = &lambda * linalg::inverse_spd(&ridged)? * lambda.transpose();
            let explained = &shrinkage * &raw;
            for (column, &j) in self.indices[range.clone()].iter().enumerate() {
                for (row, &i) in self.indices[range.clone()].iter().enumerate() {
                    let mut sum = 0.0;
                    for a in 0..q {
                        sum += raw[(a, row)] * explained[(a, column)];
                    }
                    self.gram[(i, j)] -= sum;
                }
            }
            let rest = DMatrix::identity(q, q) - &block * &shrinkage;
            let within = linalg::symmetrized(&(&rest * &block));
            self.within[l * q * q..(l + 1) * q * q].copy_from_slice(within.as_slice());
            self.across[q * range.start..q * range.end].copy_from_slice((rest * raw).as_slice());
        }
        Ok(())
    }

    /// G and I - G TᵀQT.
    fn shrink(&mut self, structure: &Structure, theta: &[f64]) -> Result<()> {
        let size = self.gram.nrows();
        let lambdas: Vec<DMatrix<f64>> = self
            .tail
            .iter()
            .map(|tail| structure.lambda(tail.term, theta))
            .collect();
        let mut ridged = self.scaled(&self.gram, &lambdas, true);
        for k in 0..self.effects {
            ridged[(k, k)] += 1.0;
        }
        let factor = ridged.llt(Side::Lower).map_err(|_| Error::Numerical {
            message: "the fixed effects cannot be told apart at these variances".into(),
        })?;
        let inverse = faer::linalg::solvers::DenseSolveCore::inverse(&factor);
        self.shrinkage = self.scaled(&inverse, &lambdas, false);
        self.outside = &self.shrinkage * &self.gram;
        for j in 0..size {
            for i in 0..size {
                self.outside[(i, j)] = f64::from(u8::from(i == j)) - self.outside[(i, j)];
            }
        }
        Ok(())
    }

    /// Λᵀ A Λ (`inner`) or Λ A Λᵀ with the tail's Λ.
    fn scaled(&self, matrix: &Mat<f64>, lambdas: &[DMatrix<f64>], inner: bool) -> Mat<f64> {
        let mut left = matrix.clone();
        for (tail, lambda) in self.tail.iter().zip(lambdas) {
            let factor = if inner {
                lambda.transpose()
            } else {
                lambda.clone()
            };
            for j in 0..left.ncols() {
                let column = left.col_as_slice_mut(j);
                scale_levels(&mut column[tail.start..], tail, &factor);
            }
        }
        let mut both = left.transpose().to_owned();
        for (tail, lambda) in self.tail.iter().zip(lambdas) {
            let factor = if inner {
                lambda.transpose()
            } else {
                lambda.clone()
            };
            for j in 0..both.ncols() {
                let column = both.col_as_slice_mut(j);
                scale_levels(&mut column[tail.start..], tail, &factor);
            }
        }
        both
    }

    /// Φ and ZᵀV⁻¹XΦ in the user's columns of X.
    fn regress(&mut self, statistics: &CrossProducts) {
        let (size, p) = (self.gram.nrows(), statistics.fixed_columns());
        let transform = statistics.transform();
        let rotated = DMatrix::from_fn(size, p, |i, j| self.shrinkage[(i, self.effects + j)]);
        let solved = rotated * transform.transpose();
        self.covariance = linalg::symmetrized(&(transform * solved.rows(self.effects, p)));
        let tail = &self.gram * MatRef::from_column_major_slice(solved.as_slice(), size, p);
        self.tail_fixed = DMatrix::from_fn(self.effects, p, |i, j| tail[(i, j)]);
        let mut fixed = Vec::with_capacity(self.levels * self.width * p);
        for l in 0..self.levels {
            let range = self.starts[l]..self.starts[l + 1];
            for j in 0..p {
                for a in 0..self.width {
                    let terms = range
                        .clone()
                        .map(|e| self.across[self.width * e + a] * solved[(self.indices[e], j)]);
                    fixed.push(terms.sum());
                }
            }
        }
        self.fixed = fixed;
    }

    /// One level of the first term.
    pub fn level(&self, l: usize) -> Level<'_> {
        let (q, p) = (self.width, self.covariance.nrows());
        let range = self.starts[l]..self.starts[l + 1];
        Level {
            within: DMatrixView::from_slice(&self.within[l * q * q..], q, q),
            indices: &self.indices[range.clone()],
            across: DMatrixView::from_slice(&self.across[q * range.start..], q, range.len()),
            fixed: DMatrixView::from_slice(&self.fixed[l * q * p..], q, p),
        }
    }
}

fn add_block(matrix: &mut Mat<f64>, row: usize, column: usize, block: &[f64], rows: usize) {
    for (j, values) in block.chunks_exact(rows.max(1)).enumerate() {
        for (i, value) in values.iter().enumerate() {
            matrix[(row + i, column + j)] += value;
        }
    }
}

fn add_transposed(matrix: &mut Mat<f64>, row: usize, column: usize, block: &[f64], rows: usize) {
    for (j, values) in block.chunks_exact(rows.max(1)).enumerate() {
        for (i, value) in values.iter().enumerate() {
            matrix[(row + j, column + i)] += value;
        }
    }
}

/// Multiplies the part of every level by `factor`.
fn scale_levels(column: &mut [f64], tail: &TailTerm, factor: &DMatrix<f64>) {
    let q = tail.width;
    if q == 1 {
        column[..tail.levels]
            .iter_mut()
            .for_each(|x| *x *= factor[(0, 0)]);
        return;
    }
    for part in column[..tail.levels * q].chunks_exact_mut(q) {
        let scaled = factor * nalgebra::DVectorView::from_slice(part, q);
        part.copy_from_slice(scaled.as_slice());
    }
}
