//! Cross-products of all designs, X_a'WX_b: what (16) needs of the rows besides the E-step, once for a fit.

use nalgebra::DMatrix;

use super::data::Data;
use super::layout::Layout;
use super::regressors::blocks;
use crate::error::Result;
use crate::mixed::basis::dot;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// X'WX of the kept columns of all designs side by side.
#[derive(Debug, Clone)]
pub struct Gram {
    /// Where the columns of each design begin.
    starts: Vec<usize>,
    products: DMatrix<f64>,
}

impl Merge for Gram {
    fn merge(&mut self, other: Self) {
        self.products += other.products;
    }
}

impl Gram {
    /// The cross-products of `data`.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] when there are no rows.
    pub fn of(data: &Data, layout: &Layout, threads: usize) -> Result<Self> {
        let errors = layout.components();
        let size = layout.coefficients();
        let kept = |component| layout.kept(component).iter().map(move |&k| (component, k));
        let columns: Vec<(usize, usize)> = (0..errors).flat_map(kept).collect();
        let mut sum = map_merge(data.n, threads, |rows| {
            let mut products = DMatrix::zeros(size, size);
            let mut weighted = vec![0.0; BLOCK_ROWS];
            for rows in blocks(rows) {
                for (l, &(component, column)) in columns.iter().enumerate() {
                    let x = data.column(component, column, rows.clone());
                    let weighted = &mut weighted[..rows.len()];
                    let values = rows.clone().zip(x).map(|(i, x)| data.weight(i) * x);
                    weighted.iter_mut().zip(values).for_each(|(to, x)| *to = x);
                    for (k, &(component, column)) in columns.iter().enumerate().skip(l) {
                        let x = data.column(component, column, rows.clone());
                        products[(k, l)] += dot(x, weighted);
                    }
                }
            }
            let starts = (0..errors).map(|component| layout.range(component).start);
            Ok(Gram {
                starts: starts.chain([size]).collect(),
                products,
            })
        })?;
        crate::linalg::mirror(&mut sum.products);
        Ok(sum)
    }

    /// X_a'WX_b.
    pub fn block(&self, a: usize, b: usize) -> DMatrix<f64> {
        let size = |c: usize| self.starts[c + 1] - self.starts[c];
        let at = (self.starts[a], self.starts[b]);
        self.products.view(at, (size(a), size(b))).into_owned()
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
        assert_eq!(threads.products, gram.products);
    }
}
