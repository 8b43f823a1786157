//! A block of rows in the cache: contiguous columns, padded to whole vectors with rows of weight zero.

use std::cell::Cell;
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
    /// Whitened columns: d per component (full), d once (pooled), else none.
    pub y: Lines,
    /// Responsibilities times whitened columns, one strip.
    pub strip: Lines,
    /// Row weights of a padded block.
    pub weights: Lines,
    /// Log-densities of the rows.
    pub log_density: Lines,
    shape: Shape,
}

/// What a scratch has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    stride: usize,
    /// Columns of data, responsibilities and whitened data.
    x: usize,
    r: usize,
    y: usize,
}

thread_local! {
    /// What this thread used last: small data come back thousands of times.
    static SPARE: Cell<Option<Scratch>> = const { Cell::new(None) };
}

impl Scratch {
    /// Lends this thread's scratch memory for `components` to `work`.
    pub fn with<T>(components: &Components, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let whitened = match components.family {
            Family::Full => components.dim * components.count,
            Family::PooledFull | Family::PooledDiagonal => components.dim,
            Family::Small | Family::Diagonal | Family::Logit => 0,
        };
        let shape = Shape {
            stride: components.block_rows(),
            x: components.dim,
            r: components.terms(),
            y: whitened,
        };
        let spare = SPARE.take().filter(|spare| spare.shape == shape);
        let mut scratch = spare.unwrap_or_else(|| Self::new(shape));
        let result = work(&mut scratch);
        SPARE.set(Some(scratch));
        result
    }

    /// Blocks of `stride` rows with that many columns of each kind.
    pub fn of(stride: usize, x: usize, r: usize, y: usize) -> Self {
        Self::new(Shape { stride, x, r, y })
    }

    fn new(shape: Shape) -> Self {
        let columns = |count: usize| Lines::new(count * shape.stride);
        Scratch {
            stride: shape.stride,
            x: columns(shape.x),
            r: columns(shape.r),
            y: columns(shape.y),
            strip: columns(STRIP),
            weights: columns(1),
            log_density: columns(1),
            shape,
        }
    }
}

/// The data of a block: column j is the `rows` values from j `stride` on.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub x: &'a [f64],
    pub stride: usize,
    /// A multiple of [`PADDING`]; the last ones may repeat the first row.
    pub rows: usize,
}

impl<'a> Columns<'a> {
    /// Copies `range` of `data` into `room`, whose columns are `stride` apart.
    pub fn copy(data: &Data, range: &Range<usize>, stride: usize, room: &'a mut [f64]) -> Self {
        let rows = range.len().next_multiple_of(PADDING);
        for (j, to) in room
            .chunks_exact_mut(stride)
            .take(data.columns())
            .enumerate()
        {
            let from = &data.column(j)[range.clone()];
            to[..range.len()].copy_from_slice(from);
            to[range.len()..rows].fill(from[0]);
        }
        Columns {
            x: room,
            stride,
            rows,
        }
    }

    /// Views `range` of `data` in place where it needs no padding, else copies it. Kernels of few columns read them
    /// that way; many columns would compete for the same cache sets when n is a power of two.
    pub fn view(data: &Data<'a>, range: &Range<usize>, stride: usize, room: &'a mut [f64]) -> Self {
        if !range.len().is_multiple_of(PADDING) {
            return Self::copy(data, range, stride, room);
        }
        Columns {
            x: data.tail(range.start),
            stride: data.rows(),
            rows: range.len(),
        }
    }

    /// Column `j`.
    #[inline(always)]
    pub fn column(&self, j: usize) -> &'a [f64] {
        &self.x[j * self.stride..][..self.rows]
    }
}

/// Row weights of a block of `padded` rows; `None` when every row counts once.
pub(super) fn row_weights<'a>(
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
