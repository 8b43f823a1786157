//! The dense tail: what is left when the chain is eliminated, and its Cholesky factor.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    cholesky_in_place, cholesky_in_place_scratch, LltParams, LltRegularization,
};
use faer::linalg::cholesky::llt::inverse::{inverse, inverse_scratch};
use faer::linalg::matmul::triangular::{matmul as triangular_matmul, BlockStructure};
use faer::prelude::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par, Spec};

use nalgebra::DMatrix;

use super::chain::{congruence, inner, sandwich, transposed_times, LinkFactor, LogProduct, Source};
use super::layout::{Layout, Link};
use crate::error::{Error, Result};

/// Tails up to this size are factorised by our own loops: a call of faer costs more.
const SMALL: usize = 40;

/// Columns of a panel of dense rows that are multiplied at once.
const PANEL_COLUMNS: usize = 256;

/// The tail: (size + 1)² column-major, the lower triangle; its last row is y.
pub(super) struct Tail {
    pub lower: Vec<f64>,
    /// Rows, size + 1.
    pub height: usize,
    scratch: MemBuffer,
    panel: Vec<f64>,
    /// One block of a term with itself or another.
    block: Vec<f64>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail")
            .field("height", &self.height)
            .field("lower", &self.lower)
            .finish_non_exhaustive()
    }
}

impl Clone for Tail {
    fn clone(&self) -> Self {
        Tail {
            lower: self.lower.clone(),
            height: self.height,
            scratch: MemBuffer::new(scratch(self.height - 1)),
            panel: self.panel.clone(),
            block: self.block.clone(),
        }
    }
}

fn scratch(size: usize) -> faer::dyn_stack::StackReq {
    cholesky_in_place_scratch::<f64>(size, Par::Seq, Spec::default())
}

impl Tail {
    pub fn new(layout: &Layout, widest: usize) -> Self {
        let height = layout.size + 1;
        let dense = layout.links.iter().any(|link| link.is_dense);
        Tail {
            lower: vec![0.0; height * height],
            height,
            scratch: MemBuffer::new(scratch(layout.size)),
            panel: vec![0.0; if dense { height * PANEL_COLUMNS } else { 0 }],
            block: vec![0.0; widest * widest],
        }
    }

    /// The entry of a row and a column, row at least column.
    #[inline(always)]
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.lower[column * self.height + row]
    }

    /// Fills the tail with the cross-products less what the chain explains.
    pub fn fill(&mut self, layout: &Layout, source: &Source, links: &[LinkFactor], corner: &[f64]) {
        let height = self.height;
        for &(term, start) in &layout.rest {
            self.load_term(layout, source, links, (term, start));
        }
        let p = layout.size - layout.random;
        for j in 0..p {
            let column = &mut self.lower[(layout.random + j) * height..][..height];
            let gram = &source.products.gram.as_slice()[j * p..][..p];
            column[layout.random + j..layout.size].copy_from_slice(&gram[j..]);
            column[layout.size] = source.response.fixed[j];
            if layout.random + j < layout.listed {
                subtract_listed(layout, links, layout.random + j, column);
            }
        }
        self.lower[layout.size * height + layout.size] = source.response.square;
        for (link, factor) in layout
            .links
            .iter()
            .zip(links)
            .filter(|(link, _)| link.is_dense)
        {
            self.subtract_panels(layout, link, factor);
        }
        let dense = layout.dense;
        for c in 0..dense {
            let column = &mut self.lower[(layout.listed + c) * height + layout.listed..][..dense];
            let corner = &corner[c * dense..][..dense];
            column[c..]
                .iter_mut()
                .zip(&corner[c..])
                .for_each(|(t, x)| *t -= x);
        }
    }

    /// Writes the columns of a term of the tail, less what lists of the chain explain (while they are in cache).
    fn load_term(
        &mut self,
        layout: &Layout,
        source: &Source,
        links: &[LinkFactor],
        (term, start): (usize, usize),
    ) {
        let height = self.height;
        let design = source.design;
        let (q, levels) = (design.widths[term], design.levels[term]);
        let lambda = source.lambdas[term].as_slice();
        let p = layout.size - layout.random;
        let fixed = &source.products.fixed[term];
        let below: Vec<(usize, usize)> = layout
            .rest
            .iter()
            .filter_map(|&(other, start)| {
                let both = design
                    .pairs
                    .iter()
                    .position(|pairs| pairs.first == term && pairs.second == other);
                Some((both?, start))
            })
            .collect();
        for level in 0..levels {
            let first = start + level * q;
            let columns = &mut self.lower[first * height..(first + q) * height];
            for (a, column) in columns.chunks_exact_mut(height).enumerate() {
                column[first + a..].fill(0.0);
            }
            let block = &mut self.block[..q * q];
            congruence(
                q,
                lambda,
                &source.products.diagonal[term][level * q * q..][..q * q],
                block,
            );
            for (column, block) in columns.chunks_exact_mut(height).zip(block.chunks_exact(q)) {
                column[first..first + q].copy_from_slice(block);
            }
            for &(k, start) in &below {
                let pairs = &design.pairs[k];
                let width = design.widths[pairs.second];
                let right = source.lambdas[pairs.second].as_slice();
                let block = &mut self.block[..q * width];
                for e in pairs.range(level) {
                    let values = &source.products.pairs[k][e * q * width..][..q * width];
                    sandwich(q, width, lambda, values, right, block);
                    let row = start + pairs.levels[e] as usize * width;
                    for (b, entries) in block.chunks_exact(q).enumerate() {
                        for (a, value) in entries.iter().enumerate() {
                            columns[a * height + row + b] = *value;
                        }
                    }
                }
            }
            match &design.fixed_lists {
                Some(lists) => {
                    let scaled = &mut self.block[..q];
                    for e in lists[term].range(level) {
                        transposed_times(q, lambda, &fixed[e * q..][..q], scaled);
                        let row = layout.random + lists[term].indices[e] as usize;
                        for (a, value) in scaled.iter().enumerate() {
                            columns[a * height + row] = *value;
                        }
                    }
                }
                None => {
                    for (a, lambda) in lambda.chunks_exact(q).enumerate() {
                        let rows = &mut columns[a * height + layout.random..][..p];
                        for (b, l) in lambda.iter().enumerate() {
                            let fixed = &fixed[(level * q + b) * p..][..p];
                            rows.iter_mut().zip(fixed).for_each(|(to, f)| *to += f * l);
                        }
                    }
                }
            }
            let effects = &source.response.effects[term][level * q..][..q];
            for (a, column) in columns.chunks_exact_mut(height).enumerate() {
                column[layout.size] = inner(q, effects, &lambda[a * q..][..q]);
                subtract_listed(layout, links, first + a, column);
            }
        }
    }

    /// Subtracts what a link with many rows per level explains, as products of dense panels.
    fn subtract_panels(&mut self, layout: &Layout, link: &Link, factor: &LinkFactor) {
        let (q, height) = (link.width, self.height);
        let (listed, dense) = (layout.listed, layout.dense);
        let levels_at_once = (PANEL_COLUMNS / q).max(1);
        if self.panel.len() < height * q * levels_at_once {
            self.panel.resize(height * q * levels_at_once, 0.0);
        }
        for first in (0..link.levels).step_by(levels_at_once) {
            let levels = first..(first + levels_at_once).min(link.levels);
            let columns = levels.len() * q;
            let panel = &mut self.panel[..height * columns];
            panel.fill(0.0);
            for (level, block) in levels.zip(panel.chunks_exact_mut(height * q)) {
                for at in link.rows.range(level) {
                    let row = link.rows.indices[at] as usize;
                    for (a, value) in factor.rows[at * q..][..q].iter().enumerate() {
                        block[a * height + row] = *value;
                    }
                }
                let rows = factor.dense[level * q * dense..][..q * dense].chunks_exact(dense);
                for (column, rows) in block.chunks_exact_mut(height).zip(rows) {
                    column[listed..].copy_from_slice(rows);
                }
            }
            let panel = MatRef::from_column_major_slice(panel, height, columns);
            let tail = MatMut::from_column_major_slice_mut(&mut self.lower, height, height);
            let (mut tail, _) = tail.split_at_col_mut(listed);
            let above = panel.subrows(0, listed);
            triangular_matmul(
                tail.rb_mut().subrows_mut(0, listed),
                BlockStructure::TriangularLower,
                Accum::Add,
                above,
                BlockStructure::Rectangular,
                above.transpose(),
                BlockStructure::Rectangular,
                -1.0,
                Par::Seq,
            );
            faer::linalg::matmul::matmul(
                tail.subrows_mut(listed, dense),
                Accum::Add,
                panel.subrows(listed, dense),
                above.transpose(),
                -1.0,
                Par::Seq,
            );
        }
    }

    /// Factorises all but the row of y, solves for that, and returns (log of the product of squared pivots of
    /// random effects, of X).
    pub fn factorise(&mut self, layout: &Layout) -> Result<(f64, f64)> {
        let (size, height) = (layout.size, self.height);
        if size <= SMALL {
            factorise_small(&mut self.lower, size)?;
        } else {
            let tail = MatMut::from_column_major_slice_mut(&mut self.lower, height, height);
            let tail = tail.submatrix_mut(0, 0, size, size);
            let params: Spec<LltParams, f64> = Spec::default();
            let stack = MemStack::new(&mut self.scratch);
            cholesky_in_place(tail, LltRegularization::default(), Par::Seq, stack, params)
                .map_err(|error| {
                    let faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index } =
                        error;
                    Error::NotPositiveDefinite { pivot: index }
                })?;
            self.solve_response(size);
        }
        let mut logs = [0.0; 2];
        for (k, rows) in [0..layout.random, layout.random..size]
            .into_iter()
            .enumerate()
        {
            let mut pivots = LogProduct::new();
            rows.for_each(|j| pivots.multiply(self.lower[j * height + j]));
            logs[k] = 2.0 * pivots.log();
        }
        Ok((logs[0], logs[1]))
    }

    /// (L Lᵀ)⁻¹ of the last rows before y, symmetric.
    pub fn inverse_of_last(&self, rows: usize) -> DMatrix<f64> {
        let first = self.height - 1 - rows;
        let lower = MatRef::from_column_major_slice(&self.lower, self.height, self.height);
        let mut result = DMatrix::zeros(rows, rows);
        let mut memory = MemBuffer::new(inverse_scratch::<f64>(rows, Par::Seq));
        inverse(
            MatMut::from_column_major_slice_mut(result.as_mut_slice(), rows, rows),
            lower.submatrix(first, first, rows, rows),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        result.fill_upper_triangle_with_lower_triangle();
        result
    }

    /// Solves for the row of y behind a factor.
    fn solve_response(&mut self, size: usize) {
        let height = self.height;
        let mut response: Vec<f64> = (0..size).map(|j| self.lower[j * height + size]).collect();
        for j in 0..size {
            let column = &self.lower[j * height..(j + 1) * height];
            let (done, rest) = response.split_at_mut(j + 1);
            done[j] /= column[j];
            let value = done[j];
            rest.iter_mut()
                .zip(&column[j + 1..])
                .for_each(|(y, l)| *y -= l * value);
        }
        let square: f64 = response.iter().map(|y| y * y).sum();
        for (j, value) in response.into_iter().enumerate() {
            self.lower[j * height + size] = value;
        }
        self.lower[size * height + size] -= square;
    }
}

/// Subtracts what the links with short lists explain of one listed column of the tail.
fn subtract_listed(layout: &Layout, links: &[LinkFactor], c: usize, column: &mut [f64]) {
    for (link, factor) in layout.links.iter().zip(links) {
        match link.width {
            _ if link.is_dense => {}
            1 => subtract_link::<1>(layout, link, factor, c, column),
            2 => subtract_link::<2>(layout, link, factor, c, column),
            _ => subtract_link::<0>(layout, link, factor, c, column),
        }
    }
}

/// The part of one link, compiled for its width (0: any).
fn subtract_link<const WIDTH: usize>(
    layout: &Layout,
    link: &Link,
    factor: &LinkFactor,
    c: usize,
    column: &mut [f64],
) {
    let q = if WIDTH == 0 { link.width } else { WIDTH };
    let height = layout.dense;
    let slots = link.columns.range(c);
    let positions = &link.columns.indices[slots.clone()];
    let levels = &link.column_levels[slots];
    for k in 0..positions.len() {
        let (at, level) = (positions[k] as usize, levels[k] as usize);
        let end = link.rows.starts[level + 1];
        let rows = &link.rows.indices[at..end];
        let values = &factor.rows[at * q..end * q];
        let own = &values[..q];
        for i in 0..rows.len() {
            column[rows[i] as usize] -= inner(q, &values[i * q..][..q], own);
        }
        let block = &factor.dense[level * q * height..][..q * height];
        let target = &mut column[layout.listed..][..height];
        for a in 0..q {
            let value = own[a];
            for r in 0..height {
                target[r] -= block[a * height + r] * value;
            }
        }
    }
}

/// Cholesky factor of all but the last row and column, which are solved for; right-looking.
fn factorise_small(lower: &mut [f64], size: usize) -> Result<()> {
    let height = size + 1;
    for j in 0..size {
        let (done, rest) = lower.split_at_mut((j + 1) * height);
        let column = &mut done[j * height..];
        let pivot = column[j];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err(Error::NotPositiveDefinite { pivot: j });
        }
        let root = pivot.sqrt();
        column[j] = root;
        let inverse = 1.0 / root;
        column[j + 1..].iter_mut().for_each(|x| *x *= inverse);
        for (k, target) in rest.chunks_exact_mut(height).enumerate() {
            let k = j + 1 + k;
            let factor = column[k];
            target[k..]
                .iter_mut()
                .zip(&column[k..])
                .for_each(|(t, x)| *t -= factor * x);
        }
    }
    Ok(())
}
