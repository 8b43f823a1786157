//! Products with X by columns, whether it is dense or sparse.

use crate::mixed::basis::dot;
use crate::mixed::rows::{FixedColumns, Rows};

/// Rows that are processed at once, so that what is summed stays in the fastest cache.
const BLOCK_ROWS: usize = 1024;

/// Writes offset + X β; β of the columns `kept`.
pub(super) fn linear_predictor(rows: &Rows, kept: &[usize], beta: &[f64], to: &mut [f64]) {
    match rows.offset {
        Some(offset) => to.copy_from_slice(offset),
        None => to.fill(0.0),
    }
    let n = rows.len();
    let columns = || kept.iter().zip(beta).filter(|(_, &beta)| beta != 0.0);
    match rows.fixed {
        FixedColumns::Dense { values, .. } => {
            for (block, to) in to.chunks_mut(BLOCK_ROWS).enumerate() {
                for (&column, &beta) in columns() {
                    let x = &values[column * n + block * BLOCK_ROWS..][..to.len()];
                    to.iter_mut().zip(x).for_each(|(to, x)| *to += beta * x);
                }
            }
        }
        FixedColumns::Sparse {
            starts,
            rows,
            values,
            ..
        } => {
            for (&column, &beta) in columns() {
                let range = starts[column] as usize..starts[column + 1] as usize;
                for (&i, x) in rows[range.clone()].iter().zip(&values[range]) {
                    to[i as usize] += beta * x;
                }
            }
        }
    }
}

/// Xᵀv for the columns `kept`.
pub(super) fn cross(rows: &Rows, kept: &[usize], v: &[f64]) -> Vec<f64> {
    let n = rows.len();
    match rows.fixed {
        FixedColumns::Dense { values, .. } => {
            let mut sums = vec![0.0; kept.len()];
            for (block, v) in v.chunks(BLOCK_ROWS).enumerate() {
                for (sum, &column) in sums.iter_mut().zip(kept) {
                    *sum += dot(v, &values[column * n + block * BLOCK_ROWS..][..v.len()]);
                }
            }
            sums
        }
        FixedColumns::Sparse {
            starts,
            rows,
            values,
            ..
        } => {
            let sum = |&column: &usize| {
                let range = starts[column] as usize..starts[column + 1] as usize;
                let entries = rows[range.clone()].iter().zip(&values[range]);
                entries.map(|(&i, x)| v[i as usize] * x).sum()
            };
            kept.iter().map(sum).collect()
        }
    }
}
