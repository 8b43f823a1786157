//! X_a'WX_b of all pairs of designs over all rows: what the regressions of the M-step need, once for all steps.
//!
//! Cross-products square condition numbers, so they are those of X̃ = X T (see [`Layout`]).

use std::ops::Range;

use nalgebra::DMatrix;

use super::columns::dots;
use super::data::Data;
use super::layout::Layout;
use super::regressors::{blocks, Regressors};
use crate::error::Result;
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
        let ranges: Vec<Range<usize>> = (0..layout.components())
            .map(|component| layout.range(component))
            .collect();
        let regressors: Vec<Regressors> = (0..layout.components())
            .map(|component| Regressors::of(data, layout, component))
            .collect();
        let sum = map_merge(data.n, threads, |rows| {
            let mut sum = DMatrix::<f64>::zeros(size, size);
            let mut columns = vec![0.0; size * BLOCK_ROWS];
            let mut weighted = vec![0.0; BLOCK_ROWS];
            for block in blocks(rows) {
                let height = block.len();
                for (design, range) in regressors.iter().zip(&ranges) {
                    design.block(block.clone(), &mut columns[range.start * height..]);
                }
                let column = |k: usize| &columns[k * height..][..height];
                for b in 0..size {
                    let weighted = &mut weighted[..height];
                    weighted.copy_from_slice(column(b));
                    if let Some(weights) = data.weights {
                        let weights = &weights[block.clone()];
                        weighted.iter_mut().zip(weights).for_each(|(x, w)| *x *= w);
                    }
                    let to = &mut sum.as_mut_slice()[b * size..][b..size];
                    dots(weighted, &columns[b * height..], height, to);
                }
            }
            Ok(sum)
        });
        let mut scaled = sum?;
        crate::linalg::mirror(&mut scaled);
        let inverses = regressors.iter().map(|design| {
            let transform = &design.transform;
            let mut inverse = DMatrix::identity(transform.nrows(), transform.nrows());
            // T is upper triangular with a diagonal that is not zero.
            transform.solve_upper_triangular_mut(&mut inverse);
            inverse
        });
        Ok(Gram {
            scaled,
            ranges,
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

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::*;

    #[test]
    fn blocks_are_cross_products() {
        let mut example = Example::new(2, 700);
        let n = example.n;
        example.weights = Some((0..n).map(|i| 0.5 + (i % 3) as f64).collect());
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let gram = Gram::of(&data, &layout, 1).unwrap();
        let design = |c: usize| {
            DMatrix::from_column_slice(n, example.designs[c].len() / n, &example.designs[c])
        };
        for (a, b) in [(0, 0), (2, 1), (1, 2), (3, 3)] {
            let mut weighted = design(a);
            for (i, mut row) in weighted.row_iter_mut().enumerate() {
                row *= data.weight(i);
            }
            let expected = weighted.tr_mul(&design(b));
            let found = gram.block(a, b);
            assert!((&found - &expected).amax() < 1e-11 * (1.0 + expected.amax()));
        }
        let threads = Gram::of(&data, &layout, 3).unwrap();
        assert_eq!(threads.scaled, gram.scaled);
    }
}
