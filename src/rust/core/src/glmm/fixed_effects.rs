//! Products with X by columns, whether it is dense or sparse.

use crate::mixed::basis::dot;
use crate::mixed::rows::{FixedColumns, Rows};
use crate::shard::map_slices;

/// Writes offset + X β; β of the columns `kept`.
pub(super) fn linear_predictor(
    rows: &Rows,
    kept: &[usize],
    beta: &[f64],
    to: &mut [f64],
    threads: usize,
) {
    let n = rows.len();
    match rows.offset {
        Some(offset) => to.copy_from_slice(offset),
        None => to.fill(0.0),
    }
    match rows.fixed {
        FixedColumns::Dense { values, .. } => {
            map_slices(n, threads, [to], |range, [to]| {
                for (&j, beta) in kept.iter().zip(beta) {
                    let x = &values[j * n..][range.clone()];
                    to.iter_mut().zip(x).for_each(|(to, x)| *to += beta * x);
                }
            });
        }
        FixedColumns::Sparse {
            starts,
            rows,
            values,
            ..
        } => {
            for (&j, beta) in kept.iter().zip(beta) {
                for e in starts[j] as usize..starts[j + 1] as usize {
                    to[rows[e] as usize] += beta * values[e];
                }
            }
        }
    }
}

/// Xᵀv for the columns `kept`.
pub(super) fn cross(rows: &Rows, kept: &[usize], v: &[f64]) -> Vec<f64> {
    let n = rows.len();
    let along = kept.iter().map(|&j| match rows.fixed {
        FixedColumns::Dense { values, .. } => dot(&values[j * n..(j + 1) * n], v),
        FixedColumns::Sparse {
            starts,
            rows,
            values,
            ..
        } => {
            let entries = starts[j] as usize..starts[j + 1] as usize;
            entries.map(|e| values[e] * v[rows[e] as usize]).sum()
        }
    });
    along.collect()
}
