//! The columns of a design that count, in their well-conditioned basis, block by block.

use std::ops::Range;

use nalgebra::DMatrix;

use super::data::Data;
use super::layout::Layout;
use crate::mixed::basis::dot;
use crate::shard::BLOCK_ROWS;

/// X̃ = X T of the kept columns of one design.
#[derive(Debug, Clone)]
pub struct Regressors<'a> {
    /// All columns, n × p column-major.
    pub columns: &'a [f64],
    pub n: usize,
    /// Columns that count, k of them.
    pub kept: &'a [usize],
    /// T, k × k.
    pub transform: DMatrix<f64>,
}

impl<'a> Regressors<'a> {
    /// Those of one of the 2J designs (0-based).
    pub fn of(data: &Data<'a>, layout: &'a Layout, component: usize) -> Self {
        Regressors {
            columns: data.designs[component].columns,
            n: data.n,
            kept: layout.kept(component),
            transform: layout.bases[component].matrix(),
        }
    }

    /// Columns of X̃.
    pub fn width(&self) -> usize {
        self.kept.len()
    }

    /// Writes X̃ of at most [`BLOCK_ROWS`] rows to the front of `to`, column-major.
    pub fn block(&self, rows: Range<usize>, to: &mut [f64]) {
        let height = rows.len();
        for (l, column) in to.chunks_exact_mut(height).take(self.width()).enumerate() {
            column.fill(0.0);
            for (&j, &t) in self.kept.iter().zip(self.transform.column(l).iter()) {
                if t != 0.0 {
                    let x = &self.columns[j * self.n..][rows.clone()];
                    column.iter_mut().zip(x).for_each(|(to, x)| *to += t * x);
                }
            }
        }
    }

    /// Writes the kept columns of one row, as they are.
    pub fn row(&self, row: usize, to: &mut [f64]) {
        let columns = self.kept.iter().map(|&j| self.columns[j * self.n + row]);
        to.iter_mut().zip(columns).for_each(|(to, x)| *to = x);
    }

    /// Room for a block of X̃ and `more` columns.
    pub fn room(&self, more: usize) -> Vec<f64> {
        vec![0.0; BLOCK_ROWS.min(self.n) * (self.width() + more)]
    }
}

/// Blocks of at most [`BLOCK_ROWS`] rows.
pub fn blocks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(BLOCK_ROWS)
        .map(move |start| start..(start + BLOCK_ROWS).min(end))
}

/// Writes X̃ b of one block.
pub fn predictor(block: &[f64], height: usize, coefficients: &[f64], to: &mut [f64]) {
    to.fill(0.0);
    for (column, b) in block.chunks_exact(height).zip(coefficients) {
        to.iter_mut().zip(column).for_each(|(to, x)| *to += b * x);
    }
}

/// Adds Aᵀ W B of one block, W diagonal; of a square result (A = B) the lower triangle only.
pub fn add_cross(
    to: &mut DMatrix<f64>,
    (a, b): (&[f64], &[f64]),
    weights: &[f64],
    weighted: &mut [f64],
) {
    let height = weights.len();
    let same = std::ptr::eq(a, b);
    let weighted = &mut weighted[..height];
    for (k, right) in b.chunks_exact(height).take(to.ncols()).enumerate() {
        weighted
            .iter_mut()
            .zip(right.iter().zip(weights))
            .for_each(|(to, (x, w))| *to = w * x);
        let first = if same { k } else { 0 };
        for (j, left) in a
            .chunks_exact(height)
            .take(to.nrows())
            .enumerate()
            .skip(first)
        {
            to[(j, k)] += dot(left, weighted);
        }
    }
}
