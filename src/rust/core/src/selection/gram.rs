//! X_a'WX_b of all pairs of designs over all rows: what the regressions of the M-step need, once for all steps.
//!
//! Cross-products square condition numbers, so they are those of X̃ = X T (see [`Layout`]).

use std::ops::Range;

use nalgebra::DMatrix;

use super::data::Data;
use super::layout::Layout;
use crate::error::Result;
use crate::mixed::basis::dot;
use crate::shard::{map_merge, BLOCK_ROWS};

/// Weighted cross-products of the 2J designs.
#[derive(Debug, Clone)]
pub struct Gram {
    /// X̃'WX̃ of all designs side by side.
    scaled: DMatrix<f64>,
    /// Where the columns of each design stand.
    ranges: Vec<Range<usize>>,
    /// T⁻¹ of each design.
    inverses: Vec<DMatrix<f64>>,
}

impl Gram {
    /// The cross-products of `data`.
    ///
    /// # Errors
    /// [`Error::Numerical`](crate::Error::Numerical) when there are no rows.
    pub fn of(data: &Data, layout: &Layout, threads: usize) -> Result<Self> {
        let size = layout.coefficients();
        let transforms: Vec<DMatrix<f64>> = layout.bases.iter().map(|t| t.matrix()).collect();
        let sum = map_merge(data.n, threads, |rows| {
            let mut sum = DMatrix::zeros(size, size);
            let mut columns = vec![0.0; size * BLOCK_ROWS];
            let mut weighted = vec![0.0; BLOCK_ROWS];
            for start in rows.clone().step_by(BLOCK_ROWS) {
                let block = start..(start + BLOCK_ROWS).min(rows.end);
                scale(data, layout, &transforms, &block, &mut columns);
                let column = |k: usize| &columns[k * BLOCK_ROWS..][..block.len()];
                for b in 0..size {
                    let weighted = &mut weighted[..block.len()];
                    weighted.copy_from_slice(column(b));
                    if let Some(weights) = data.weights {
                        let weights = &weights[block.clone()];
                        weighted.iter_mut().zip(weights).for_each(|(x, w)| *x *= w);
                    }
                    for a in b..size {
                        sum[(a, b)] += dot(column(a), weighted);
                    }
                }
            }
            Ok(sum)
        });
        let mut scaled = sum?;
        crate::linalg::mirror(&mut scaled);
        let inverses = transforms.iter().map(|transform| {
            let mut inverse = DMatrix::identity(transform.nrows(), transform.nrows());
            // T is upper triangular with a diagonal that is not zero.
            transform.solve_upper_triangular_mut(&mut inverse);
            inverse
        });
        Ok(Gram {
            scaled,
            ranges: (0..layout.components())
                .map(|component| layout.range(component))
                .collect(),
            inverses: inverses.collect(),
        })
    }

    /// X̃_a'WX̃_b.
    pub fn scaled(&self, a: usize, b: usize) -> DMatrix<f64> {
        let (rows, columns) = (&self.ranges[a], &self.ranges[b]);
        let size = (rows.len(), columns.len());
        self.scaled
            .view((rows.start, columns.start), size)
            .into_owned()
    }

    /// X_a'WX_b of the kept columns.
    pub fn block(&self, a: usize, b: usize) -> DMatrix<f64> {
        self.inverses[a].tr_mul(&self.scaled(a, b)) * &self.inverses[b]
    }
}

/// Writes X̃ of a block of rows, designs side by side.
fn scale(
    data: &Data,
    layout: &Layout,
    transforms: &[DMatrix<f64>],
    rows: &Range<usize>,
    to: &mut [f64],
) {
    for (component, transform) in transforms.iter().enumerate() {
        let kept = layout.kept(component);
        for (k, place) in layout.range(component).enumerate() {
            let to = &mut to[place * BLOCK_ROWS..][..rows.len()];
            to.fill(0.0);
            for (l, &column) in kept.iter().enumerate().take(k + 1) {
                let x = data.column(component, column, rows.clone());
                let factor = transform[(l, k)];
                to.iter_mut().zip(x).for_each(|(to, x)| *to += factor * x);
            }
        }
    }
}
