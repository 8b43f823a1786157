//! Rows in blocks: X̃ = X T of a few of them at a time, their residuals and weights.

use super::basis::{dot, Basis, Transform, BLOCK_ROWS};
use super::coincidence::SparseRows;
use super::rows::{FixedColumns, Rows};

/// X̃ of a few rows at a time.
pub(super) struct Conditioned<'a> {
    rows: &'a Rows<'a>,
    basis: &'a Basis,
    /// X̃ by rows, if X is sparse.
    pub sparse: Option<SparseRows>,
    /// X̃ of the block, one column of [`BLOCK_ROWS`] behind the other.
    pub block: Vec<f64>,
}

impl<'a> Conditioned<'a> {
    pub fn new(rows: &'a Rows<'a>, basis: &'a Basis) -> Self {
        let sparse = SparseRows::of(&rows.fixed, rows.len(), &basis.kept).map(|mut x| {
            if let Transform::Diagonal(scale) = &basis.transform {
                let values = x.values.iter_mut().zip(&x.lists.indices);
                values.for_each(|(x, &k)| *x *= scale[k as usize]);
            }
            x
        });
        let columns = if sparse.is_some() {
            0
        } else {
            basis.kept.len()
        };
        Conditioned {
            rows,
            basis,
            sparse,
            block: vec![0.0; columns * BLOCK_ROWS],
        }
    }

    /// Computes the block that starts at row `start`, unless X is sparse.
    pub fn load(&mut self, start: usize, height: usize) {
        let n = self.rows.len();
        let (FixedColumns::Dense { values, .. }, Transform::Full(transform)) =
            (&self.rows.fixed, &self.basis.transform)
        else {
            return;
        };
        for (j, column) in self.block.chunks_exact_mut(BLOCK_ROWS).enumerate() {
            let column = &mut column[..height];
            column.fill(0.0);
            for (k, &source) in self.basis.kept.iter().enumerate().take(j + 1) {
                let t = transform[(k, j)];
                let x = &values[source * n + start..][..height];
                column.iter_mut().zip(x).for_each(|(sum, x)| *sum += t * x);
            }
        }
    }
}

impl Conditioned<'_> {
    /// Writes y - offset - X̃ c of the block.
    pub fn residuals(&self, y: &[f64], start: usize, c: &[f64], to: &mut [f64]) {
        to.copy_from_slice(&y[start..start + to.len()]);
        if let Some(offset) = self.rows.offset {
            to.iter_mut()
                .zip(&offset[start..])
                .for_each(|(y, offset)| *y -= offset);
        }
        match &self.sparse {
            Some(x) => {
                for (i, y) in to.iter_mut().enumerate() {
                    *y -= x.row(start + i).map(|(k, x)| c[k] * x).sum::<f64>();
                }
            }
            None => {
                for (column, c) in self.block.chunks_exact(BLOCK_ROWS).zip(c) {
                    to.iter_mut().zip(column).for_each(|(y, x)| *y -= c * x);
                }
            }
        }
    }

    /// Adds X̃ᵀv of the block.
    pub fn project(&self, v: &[f64], start: usize, to: &mut [f64]) {
        match &self.sparse {
            Some(x) => {
                for (i, v) in v.iter().enumerate() {
                    x.row(start + i).for_each(|(k, x)| to[k] += v * x);
                }
            }
            None => {
                for (column, to) in self.block.chunks_exact(BLOCK_ROWS).zip(to) {
                    *to += dot(v, &column[..v.len()]);
                }
            }
        }
    }
}

/// Ranges of rows, [`BLOCK_ROWS`] each.
pub(super) fn blocks(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n)
        .step_by(BLOCK_ROWS)
        .map(move |start| (start, BLOCK_ROWS.min(n - start)))
}

/// Multiplies the values of a block of rows by their weights.
pub(super) fn weigh(rows: &Rows, start: usize, values: &mut [f64]) {
    if let Some(weights) = rows.weights {
        values
            .iter_mut()
            .zip(&weights[start..])
            .for_each(|(x, w)| *x *= w);
    }
}

/// Sets the values of rows outside a dispersion group to 0.
pub(super) fn only_group(rows: &Rows, start: usize, group: usize, values: &mut [f64]) {
    if let Some((codes, _)) = rows.dispersion {
        for (value, &code) in values.iter_mut().zip(&codes[start..]) {
            *value = if code as usize == group + 1 {
                *value
            } else {
                0.0
            };
        }
    }
}
