//! M⁻¹ on the pattern of its factor.
//!
//! The tail is inverted in full. A level of the chain follows from its column of L and the blocks of the inverse
//! between the rows R below it (Takahashi, Fagan and Chin 1973): with Y = L_Rj L_jj⁻¹, S_Rj = -S_RR Y and
//! S_jj = (L_jj L_jjᵀ)⁻¹ - Yᵀ S_Rj. Where rows are dense, S_RR Y is a product of matrices for many levels at once.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::inverse::{inverse, inverse_scratch};
use faer::{Accum, MatMut, MatRef, Par};

use super::chain::{backward, forward, LinkFactor};
use super::factor::Factor;
use super::layout::{Layout, Link};

/// Tails up to this size are inverted column by column.
const SMALL: usize = 40;

/// Columns of Y that are multiplied at once.
const PANEL_COLUMNS: usize = 256;

/// The inverse, laid out as the factor.
#[derive(Default)]
pub(super) struct Inverse {
    /// size × size, the lower triangle of the leading rows used (all of it where a link is dense).
    full: Vec<f64>,
    /// Rows of the tail that take part: all, or the random effects alone.
    used: usize,
    pub links: Vec<LinkFactor>,
    scratch: Option<MemBuffer>,
    buffers: Buffers,
}

/// Working memory of one level, or of a panel of levels.
#[derive(Default)]
struct Buffers {
    rows: Vec<u32>,
    /// Y: q values for each listed row, each dense column of X, each effect of a parent.
    y: Vec<f64>,
    /// S_Rj, laid out likewise.
    below: Vec<f64>,
}

impl std::fmt::Debug for Inverse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inverse")
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

impl Clone for Inverse {
    /// Another factor computes its own.
    fn clone(&self) -> Self {
        Inverse::default()
    }
}

impl Inverse {
    /// Inverts the factor; without `fixed` the block of the random effects alone.
    pub fn update(&mut self, factor: &Factor, fixed: bool) {
        let layout = &*factor.layout;
        self.used = if fixed { layout.size } else { layout.random };
        self.full.resize(layout.size * layout.size, 0.0);
        self.invert_tail(factor);
        if self.links.is_empty() {
            self.links.clone_from(&factor.links);
        }
        for position in (0..layout.links.len()).rev() {
            let (links, above) = self.links.split_at_mut(position + 1);
            let Some(to) = links.last_mut() else {
                continue;
            };
            let link = &layout.links[position];
            let mut inverter = LinkInverse {
                factor,
                layout,
                link,
                position,
                from: &factor.links[position],
                above,
                full: &self.full,
                used: self.used,
                buffers: &mut self.buffers,
            };
            match link.width {
                _ if link.is_dense && link.parents.is_empty() => inverter.invert_panels(to),
                1 => inverter.invert::<1>(to),
                2 => inverter.invert::<2>(to),
                3 => inverter.invert::<3>(to),
                _ => inverter.invert::<0>(to),
            }
        }
    }

    /// An entry of the tail.
    #[inline(always)]
    pub fn at(&self, layout: &Layout, row: usize, column: usize) -> f64 {
        let (row, column) = (row.max(column), row.min(column));
        if row < self.used {
            self.full[column * layout.size + row]
        } else {
            0.0
        }
    }

    /// Σ over the levels of a term of its diagonal blocks, q × q.
    pub fn add_diagonal(&self, factor: &Factor, term: usize, sum: &mut [f64]) {
        let layout = &*factor.layout;
        let q = factor.design.widths[term];
        if let Some(position) = layout.links.iter().position(|link| link.term == term) {
            for block in self.links[position].diagonal.chunks_exact(q * q) {
                sum.iter_mut().zip(block).for_each(|(sum, s)| *sum += s);
            }
        }
        for &(_, start) in layout.rest.iter().filter(|rest| rest.0 == term) {
            for level in 0..factor.design.levels[term] {
                let first = start + level * q;
                for (k, sum) in sum.iter_mut().enumerate() {
                    *sum += self.at(layout, first + k % q, first + k / q);
                }
            }
        }
    }

    fn invert_tail(&mut self, factor: &Factor) {
        let (size, used) = (factor.layout.size, self.used);
        if used <= SMALL {
            invert_small(factor, used, &mut self.full);
        } else {
            let scratch = self
                .scratch
                .get_or_insert_with(|| MemBuffer::new(inverse_scratch::<f64>(size, Par::Seq)));
            let height = factor.tail.height;
            let lower = MatRef::from_column_major_slice(&factor.tail.lower, height, height);
            let to = MatMut::from_column_major_slice_mut(&mut self.full, size, size);
            inverse(
                to.submatrix_mut(0, 0, used, used),
                lower.submatrix(0, 0, used, used),
                Par::Seq,
                MemStack::new(scratch),
            );
        }
        if factor.layout.links.iter().any(|link| link.is_dense) {
            mirror(&mut self.full, size, used);
        }
    }
}

/// Copies the lower triangle of the leading rows to the upper one, tile by tile.
fn mirror(full: &mut [f64], size: usize, used: usize) {
    const TILE: usize = 16;
    for first in (0..used).step_by(TILE) {
        for second in (first..used).step_by(TILE) {
            for j in first..(first + TILE).min(used) {
                for i in second.max(j + 1)..(second + TILE).min(used) {
                    full[i * size + j] = full[j * size + i];
                }
            }
        }
    }
}

/// Writes the lower triangle of the inverse of the leading rows of the tail.
fn invert_small(factor: &Factor, used: usize, full: &mut [f64]) {
    let size = factor.layout.size;
    let lower = |j: usize| &factor.tail.lower[j * factor.tail.height..][..used];
    for j in 0..used {
        let column = &mut full[j * size..][..used];
        column[j..].fill(0.0);
        column[j] = 1.0;
        for k in j..used {
            let (done, rest) = column.split_at_mut(k + 1);
            let factors = &lower(k)[k..];
            done[k] /= factors[0];
            let value = done[k];
            rest.iter_mut()
                .zip(&factors[1..])
                .for_each(|(x, l)| *x -= l * value);
        }
        for k in (j..used).rev() {
            let factors = &lower(k)[k..];
            let mut value = column[k];
            for (l, x) in factors[1..].iter().zip(&column[k + 1..]) {
                value -= l * x;
            }
            column[k] = value / factors[0];
        }
    }
}

/// The inverse of the levels of one link.
struct LinkInverse<'a> {
    factor: &'a Factor,
    layout: &'a Layout,
    link: &'a Link,
    position: usize,
    from: &'a LinkFactor,
    above: &'a [LinkFactor],
    full: &'a [f64],
    used: usize,
    buffers: &'a mut Buffers,
}

impl LinkInverse<'_> {
    /// Inverts level by level, compiled for the width of the link (0: any).
    fn invert<const WIDTH: usize>(&mut self, to: &mut LinkFactor) {
        let q = if WIDTH == 0 { self.link.width } else { WIDTH };
        for level in 0..self.link.levels {
            let lower = &self.from.diagonal[level * q * q..][..q * q];
            self.load(q, level);
            for row in self.buffers.y.chunks_exact_mut(q) {
                backward(q, lower, row);
            }
            self.buffers.below.clear();
            self.buffers.below.resize(self.buffers.y.len(), 0.0);
            self.multiply(q);
            if !self.link.parents.is_empty() {
                self.multiply_parents(q, level);
            }
            self.store(q, level, to);
        }
    }

    /// Gathers the rows of L below a level, row by row.
    #[inline(always)]
    fn load(&mut self, q: usize, level: usize) {
        let height = self.layout.dense;
        let list = self.link.rows.range(level);
        let Buffers { rows, y, .. } = &mut *self.buffers;
        rows.clear();
        rows.extend_from_slice(&self.link.rows.indices[list.clone()]);
        y.clear();
        y.extend_from_slice(&self.from.rows[list.start * q..list.end * q]);
        let dense = &self.from.dense[level * q * height..][..q * height];
        for r in 0..height - 1 {
            rows.push((self.layout.listed + r) as u32);
            for a in 0..q {
                y.push(dense[a * height + r]);
            }
        }
        for (k, parent) in self.link.parents.iter().enumerate() {
            let size = q * self.layout.links[parent.link].width;
            y.extend_from_slice(&self.from.parents[k][level * size..][..size]);
        }
    }

    /// Subtracts S_RR Y within the tail.
    #[inline(always)]
    fn multiply(&mut self, q: usize) {
        let size = self.layout.size;
        let Buffers { rows, y, below } = &mut *self.buffers;
        // Rows increase; those that take no part come last.
        let count = rows.partition_point(|&row| (row as usize) < self.used);
        let (y, below) = (&y[..count * q], &mut below[..count * q]);
        for k in 0..count {
            let row = rows[k] as usize;
            let column = &self.full[row * size..][..size];
            let (own, rest) = below.split_at_mut((k + 1) * q);
            let own = &mut own[k * q..][..q];
            let mine = &y[k * q..][..q];
            for a in 0..q {
                own[a] -= column[row] * mine[a];
            }
            let others = rest
                .chunks_exact_mut(q)
                .zip(y[(k + 1) * q..].chunks_exact(q));
            for (&other, (to, theirs)) in rows[k + 1..count].iter().zip(others) {
                let s = column[other as usize];
                for a in 0..q {
                    to[a] -= s * mine[a];
                    own[a] -= s * theirs[a];
                }
            }
        }
    }

    /// Writes S_Rj and S_jj of a level from the buffers.
    #[inline(always)]
    fn store(&mut self, q: usize, level: usize, to: &mut LinkFactor) {
        let lower = &self.from.diagonal[level * q * q..][..q * q];
        let diagonal = &mut to.diagonal[level * q * q..][..q * q];
        for (a, column) in diagonal.chunks_exact_mut(q).enumerate() {
            column.fill(0.0);
            column[a] = 1.0;
            forward(q, lower, column);
            backward(q, lower, column);
        }
        let Buffers { y, below, .. } = &*self.buffers;
        for (y, s) in y.chunks_exact(q).zip(below.chunks_exact(q)) {
            for a in 0..q {
                for b in 0..q {
                    diagonal[a * q + b] -= y[b] * s[a];
                }
            }
        }
        let height = self.layout.dense;
        let list = self.link.rows.range(level);
        let (rows, rest) = below.split_at(list.len() * q);
        to.rows[list.start * q..list.end * q].copy_from_slice(rows);
        let (columns, mut rest) = rest.split_at((height - 1) * q);
        let dense = &mut to.dense[level * q * height..][..q * height];
        for (r, row) in columns.chunks_exact(q).enumerate() {
            for a in 0..q {
                dense[a * height + r] = row[a];
            }
        }
        for (k, parent) in self.link.parents.iter().enumerate() {
            let size = q * self.layout.links[parent.link].width;
            let (block, others) = rest.split_at(size);
            to.parents[k][level * size..][..size].copy_from_slice(block);
            rest = others;
        }
    }

    /// Subtracts the part of S_RR Y that has to do with parents.
    fn multiply_parents(&mut self, q: usize, level: usize) {
        let height = self.layout.dense;
        let list = self.link.rows.range(level);
        let Buffers { rows, y, below } = &mut *self.buffers;
        let mut first = rows.len() * q;
        let mut starts = Vec::with_capacity(self.link.parents.len());
        for parent in &self.link.parents {
            starts.push(first);
            first += q * self.layout.links[parent.link].width;
        }
        for (k, parent) in self.link.parents.iter().enumerate() {
            let block = self.factor.parent_block(self.link, self.from, k, level);
            let Some((above_level, _)) = block else {
                continue;
            };
            let width = self.layout.links[parent.link].width;
            let values = &self.above[parent.link - self.position - 1];
            // The parent with itself.
            let block = &values.diagonal[above_level * width * width..][..width * width];
            for (c, column) in block.chunks_exact(width).enumerate() {
                for (r, s) in column.iter().enumerate() {
                    subtract(below, y, q, starts[k] + r * q, starts[k] + c * q, *s);
                }
            }
            // The parent with rows of the tail.
            let dense = &values.dense[above_level * width * height..];
            for i in 0..rows.len() {
                for a in 0..width {
                    let s = match i.checked_sub(list.len()) {
                        Some(j) => dense[a * height + j],
                        None => {
                            let at = parent.positions[list.start + i] as usize;
                            values.rows[at * width + a]
                        }
                    };
                    subtract(below, y, q, i * q, starts[k] + a * q, s);
                    subtract(below, y, q, starts[k] + a * q, i * q, s);
                }
            }
            // The parent with later parents.
            for &(i, j) in &parent.grandparents {
                let wide = self.layout.links[self.link.parents[i].link].width;
                let block = &values.parents[j][above_level * width * wide..][..width * wide];
                for (c, column) in block.chunks_exact(width).enumerate() {
                    for (r, s) in column.iter().enumerate() {
                        subtract(below, y, q, starts[k] + r * q, starts[i] + c * q, *s);
                        subtract(below, y, q, starts[i] + c * q, starts[k] + r * q, *s);
                    }
                }
            }
        }
    }

    /// [`LinkInverse::invert`] with products of matrices, for a link without parents.
    fn invert_panels(&mut self, to: &mut LinkFactor) {
        let (q, size, used) = (self.link.width, self.layout.size, self.used);
        let levels_at_once = (PANEL_COLUMNS / q).max(1);
        let mut panel = vec![0.0; size * q * levels_at_once];
        let mut product = panel.clone();
        for start in (0..self.link.levels).step_by(levels_at_once) {
            let levels = start..(start + levels_at_once).min(self.link.levels);
            let columns = q * levels.len();
            let panel = &mut panel[..size * columns];
            panel.fill(0.0);
            for (level, block) in levels.clone().zip(panel.chunks_exact_mut(size * q)) {
                let lower = &self.from.diagonal[level * q * q..][..q * q];
                self.load(q, level);
                let Buffers { rows, y, .. } = &mut *self.buffers;
                for (&row, y) in rows.iter().zip(y.chunks_exact_mut(q)) {
                    backward(q, lower, y);
                    let y = y.iter().enumerate();
                    y.for_each(|(a, y)| block[a * size + row as usize] = *y);
                }
            }
            let product = &mut product[..size * columns];
            let full = MatRef::from_column_major_slice(self.full, size, size);
            let y = MatRef::from_column_major_slice(panel, size, columns);
            faer::linalg::matmul::matmul(
                MatMut::from_column_major_slice_mut(product, size, columns).subrows_mut(0, used),
                Accum::Replace,
                full.submatrix(0, 0, used, used),
                y.subrows(0, used),
                -1.0,
                Par::Seq,
            );
            let blocks = panel
                .chunks_exact(size * q)
                .zip(product.chunks_exact(size * q));
            for (level, (y_block, s_block)) in levels.zip(blocks) {
                self.load(q, level);
                let Buffers { rows, y, below } = &mut *self.buffers;
                below.clear();
                for (&row, y) in rows.iter().zip(y.chunks_exact_mut(q)) {
                    let row = row as usize;
                    for (a, y) in y.iter_mut().enumerate() {
                        *y = y_block[a * size + row];
                        below.push(if row < used {
                            s_block[a * size + row]
                        } else {
                            0.0
                        });
                    }
                }
                self.store(q, level, to);
            }
        }
    }
}

/// Subtracts `factor` times a row of Y from a row of the result.
#[inline(always)]
fn subtract(to: &mut [f64], y: &[f64], q: usize, row: usize, of: usize, factor: f64) {
    let target = to[row..row + q].iter_mut();
    target
        .zip(&y[of..of + q])
        .for_each(|(t, y)| *t -= factor * y);
}
