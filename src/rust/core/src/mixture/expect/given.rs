//! Moments under given responsibilities, about a given centre.

use super::super::data::Data;
use super::axes;
use super::block::{Columns, Scratch};
use super::tiled;
use crate::shard::BLOCK_ROWS;
use crate::simd::{dispatch, Isa, Kernel, Lanes};

/// Σ w z, Σ w z u and the lower triangle, row by row, of Σ w z u uᵀ, with u = x − centre.
pub(in super::super) struct Sums {
    pub count: f64,
    pub firsts: Vec<f64>,
    pub crosses: Vec<f64>,
}

/// Sums over all rows, z being one value per row (1 when `None`) and w the row weights.
pub(in super::super) fn sums_about(data: &Data, z: Option<&[f64]>, center: &[f64]) -> Sums {
    dispatch(Isa::best(), Given { data, z, center })
}

struct Given<'a> {
    data: &'a Data<'a>,
    z: Option<&'a [f64]>,
    center: &'a [f64],
}

impl Kernel for Given<'_> {
    type Output = Sums;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Sums {
        let Given { data, z, center } = self;
        let (n, d) = (data.rows(), data.columns());
        let unit = vec![1.0; d];
        let mut scratch = Scratch::of(BLOCK_ROWS, d, 1, d);
        let (x, y) = (scratch.x.as_mut_slice(), scratch.y.as_mut_slice());
        let (r, strip) = (scratch.r.as_mut_slice(), scratch.strip.as_mut_slice());
        let mut sums = Sums {
            count: 0.0,
            firsts: vec![0.0; d],
            crosses: vec![0.0; d * (d + 1) / 2],
        };
        for start in (0..n).step_by(BLOCK_ROWS) {
            let range = start..(start + BLOCK_ROWS).min(n);
            let block = Columns::copy(data, &range, BLOCK_ROWS, x);
            r[range.len()..block.rows].fill(0.0);
            let own = &mut r[..range.len()];
            match z {
                Some(z) => own.copy_from_slice(&z[range.clone()]),
                None => own.fill(1.0),
            }
            if let Some(weights) = data.weights() {
                for (r, weight) in own.iter_mut().zip(&weights[range]) {
                    *r *= weight;
                }
            }
            axes::whiten::<L>(center, &unit, block.x, BLOCK_ROWS, block.rows, y);
            tiled::moments::<L>(
                y,
                BLOCK_ROWS,
                &r[..block.rows],
                strip,
                &mut sums.count,
                &mut sums.firsts,
                &mut sums.crosses,
            );
        }
        sums
    }
}
