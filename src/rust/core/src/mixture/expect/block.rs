//! A block of rows in the cache: contiguous columns, padded to whole vectors with rows of weight zero.

use std::ops::Range;

use super::super::data::Data;
use super::components::{Components, Family, STRIP};
use crate::simd::Lines;

/// Rows are padded to a multiple of this: four of the widest vectors.
pub(super) const PADDING: usize = 32;

/// Memory of one thread, reused from block to block.
pub(super) struct Scratch {
    /// Distance between columns: the rows of a full block.
    pub stride: usize,
    /// d columns of data.
    pub x: Lines,
    /// One column per component: log-densities, then responsibilities times row weights.
    pub r: Lines,
    /// Whitened columns: d per component (full), d (pooled), none otherwise.
    pub y: Lines,
    /// Responsibilities times whitened columns, one strip.
    pub strip: Lines,
    /// Row weights of a padded block.
    pub weights: Lines,
    /// Log-densities of the rows.
    pub log_density: Lines,
}

impl Scratch {
    pub fn new(components: &Components) -> Self {
        let stride = components.block_rows();
        let whitened = match components.family {
            Family::Full => components.dim * components.count,
            Family::PooledFull | Family::PooledDiagonal => components.dim,
            Family::Diagonal | Family::Logit => 0,
        };
        let columns = |count: usize| Lines::new(count * stride);
        Scratch {
            stride,
            x: columns(components.dim),
            r: columns(components.terms()),
            y: columns(whitened),
            strip: columns(STRIP),
            weights: columns(1),
            log_density: columns(1),
        }
    }
}

/// Copies `rows` of `data` into `x` and returns the padded number of rows; padding repeats the first row.
pub(super) fn fill(data: &Data, rows: &Range<usize>, stride: usize, x: &mut [f64]) -> usize {
    let padded = rows.len().next_multiple_of(PADDING);
    for (j, to) in x.chunks_exact_mut(stride).take(data.columns()).enumerate() {
        let from = &data.column(j)[rows.clone()];
        to[..rows.len()].copy_from_slice(from);
        to[rows.len()..padded].fill(from[0]);
    }
    padded
}

/// Row weights of a block of `padded` rows; `None` when every row counts once.
pub(super) fn weights<'a>(
    data: &Data<'a>,
    rows: &Range<usize>,
    padded: usize,
    own: &'a mut [f64],
) -> Option<&'a [f64]> {
    match data.weights() {
        Some(weights) if padded == rows.len() => Some(&weights[rows.clone()]),
        None if padded == rows.len() => None,
        given => {
            let (real, padding) = own[..padded].split_at_mut(rows.len());
            match given {
                Some(weights) => real.copy_from_slice(&weights[rows.clone()]),
                None => real.fill(1.0),
            }
            padding.fill(0.0);
            Some(own)
        }
    }
}
