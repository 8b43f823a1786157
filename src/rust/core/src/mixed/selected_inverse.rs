//! M⁻¹ where the data put something: the blocks of the inverse that gradients, EM and variances need.
//!
//! M = [ΛᵀZᵀWZΛ + I, ΛᵀZᵀWX̃; ·, X̃ᵀWX̃]. Times σ² its inverse is the joint covariance of the errors of
//! (û, β̃) with X̃ = X T (see [`super::basis`]). The tail is inverted in full; a level of the chain follows
//! from its column of L and the blocks of the inverse between the rows below it (Takahashi, Fagan and Chin
//! 1973): with Y = L_Rj L_jj⁻¹, S_Rj = -S_RR Y and S_jj = (L_jj L_jjᵀ)⁻¹ - Yᵀ S_Rj.

use nalgebra::DMatrix;

use super::chain::{backward, LinkFactor};
use super::cross_products::Design;
use super::factor::Factor;
use super::layout::Link;

/// Blocks of M⁻¹, laid out as those of [`super::cross_products::CrossProducts`].
#[derive(Debug, Clone)]
pub struct SelectedInverse {
    pub(super) diagonal: Vec<Vec<f64>>,
    pub(super) pairs: Vec<Vec<f64>>,
    pub(super) fixed: Vec<Vec<f64>>,
    pub(super) coefficients: DMatrix<f64>,
}

/// The inverse of the tail and of each chain term, laid out as the factor.
#[derive(Debug, Clone, Default)]
pub(super) struct TailInverse {
    /// size × size, symmetric; the rows of X are zero in an inverse without β.
    full: Vec<f64>,
    links: Vec<LinkFactor>,
}

impl SelectedInverse {
    pub(super) fn new(design: &Design) -> Self {
        let p = design.basis.kept.len();
        let products = &design.products[0];
        SelectedInverse {
            diagonal: products.diagonal.clone(),
            pairs: products.pairs.clone(),
            fixed: products.fixed.clone(),
            coefficients: DMatrix::zeros(p, p),
        }
    }

    /// Blocks of the levels of a term with themselves: q × q per level.
    pub fn diagonal(&self, term: usize) -> &[f64] {
        &self.diagonal[term]
    }

    /// Blocks of the levels that occur together, q_first × q_second column-major, in the order of
    /// [`super::cross_products::CrossProducts::pairs`]`[k]`.
    pub fn pairs(&self, k: usize) -> &[f64] {
        &self.pairs[k]
    }

    /// Blocks of the levels of a term with β̃: p × q column-major per level; for a sparse X q values for each
    /// element of [`super::cross_products::CrossProducts::fixed_lists`]. Zero in an inverse without β.
    pub fn fixed(&self, term: usize) -> &[f64] {
        &self.fixed[term]
    }

    /// The block of β̃, p × p. Zero in an inverse without β.
    pub fn coefficients(&self) -> &DMatrix<f64> {
        &self.coefficients
    }

    /// Inverts the factor.
    pub(super) fn update(&mut self, factor: &Factor, inverse: &mut TailInverse, fixed: bool) {
        let layout = &*factor.layout;
        let used = if fixed { layout.size } else { layout.random };
        inverse.full.resize(layout.size * layout.size, 0.0);
        invert_tail(factor, used, &mut inverse.full);
        if inverse.links.is_empty() {
            inverse.links.clone_from(&factor.links);
        }
        for position in (0..layout.links.len()).rev() {
            let (links, above) = inverse.links.split_at_mut(position + 1);
            let mut level = LevelInverse {
                factor,
                link: &layout.links[position],
                position,
                full: &inverse.full,
                y: Vec::new(),
            };
            (0..level.link.levels).for_each(|l| level.invert(l, &mut links[position], above));
        }
        self.gather(factor, inverse);
    }

    /// Copies the blocks into the layout of the statistics.
    fn gather(&mut self, factor: &Factor, inverse: &TailInverse) {
        let (layout, design) = (&*factor.layout, &*factor.design);
        let p = layout.size - layout.random;
        let at = |row: usize, column: usize| inverse.full[column * layout.size + row];
        for (link, values) in layout.links.iter().zip(&inverse.links) {
            let (q, term) = (link.width, link.term);
            self.diagonal[term].copy_from_slice(&values.diagonal);
            for (parent, block) in link.parents.iter().zip(&values.parents) {
                let size = q * layout.links[parent.link].width;
                let pairs = &design.pairs[parent.pairs];
                let to = &mut self.pairs[parent.pairs];
                for level in 0..link.levels {
                    for e in pairs.range(level) {
                        to[e * size..][..size].copy_from_slice(&block[level * size..][..size]);
                    }
                }
            }
            if design.fixed_lists.is_none() && p > 0 {
                let columns = self.fixed[term].chunks_exact_mut(p);
                for (to, from) in columns.zip(values.dense.chunks_exact(p + 1)) {
                    to.copy_from_slice(&from[..p]);
                }
            }
            for level in 0..link.levels {
                let mut from = link.rows.starts[level] * q;
                for &(k, _) in &link.fills {
                    let pairs = &design.pairs[k];
                    let size = q * design.widths[pairs.second];
                    let range = pairs.range(level);
                    let length = size * range.len();
                    let to = &mut self.pairs[k][size * range.start..][..length];
                    to.copy_from_slice(&values.rows[from..from + length]);
                    from += length;
                }
                if let Some(lists) = &design.fixed_lists {
                    let range = lists[term].range(level);
                    let length = q * range.len();
                    let to = &mut self.fixed[term][q * range.start..][..length];
                    to.copy_from_slice(&values.rows[from..from + length]);
                }
            }
        }
        for &(term, start) in &layout.rest {
            let q = design.widths[term];
            for level in 0..design.levels[term] {
                let first = start + level * q;
                let block = &mut self.diagonal[term][level * q * q..][..q * q];
                for (a, column) in block.chunks_exact_mut(q).enumerate() {
                    (0..q).for_each(|b| column[b] = at(first + b, first + a));
                }
                match &design.fixed_lists {
                    Some(lists) => {
                        for e in lists[term].range(level) {
                            let row = layout.random + lists[term].indices[e] as usize;
                            (0..q).for_each(|a| self.fixed[term][e * q + a] = at(row, first + a));
                        }
                    }
                    None => {
                        let block = &mut self.fixed[term][level * q * p..][..q * p];
                        for (k, value) in block.iter_mut().enumerate() {
                            *value = at(layout.random + k % p, first + k / p);
                        }
                    }
                }
            }
        }
        for (k, pairs) in design.pairs.iter().enumerate() {
            let start_of = |term: usize| layout.rest.iter().find(|rest| rest.0 == term);
            let (Some(first), Some(second)) = (start_of(pairs.first), start_of(pairs.second))
            else {
                continue;
            };
            let (qa, qb) = (design.widths[pairs.first], design.widths[pairs.second]);
            for level in 0..design.levels[pairs.first] {
                for e in pairs.range(level) {
                    let row = first.1 + level * qa;
                    let column = second.1 + pairs.levels[e] as usize * qb;
                    let block = &mut self.pairs[k][e * qa * qb..][..qa * qb];
                    for (b, to) in block.chunks_exact_mut(qa).enumerate() {
                        (0..qa).for_each(|a| to[a] = at(row + a, column + b));
                    }
                }
            }
        }
        for j in 0..p {
            for i in 0..p {
                self.coefficients[(i, j)] = at(layout.random + i, layout.random + j);
            }
        }
    }
}

/// The inverse of the leading `used` rows of the tail, symmetric, with zeros behind.
fn invert_tail(factor: &Factor, used: usize, full: &mut [f64]) {
    let size = factor.layout.size;
    full.fill(0.0);
    if used == 0 {
        return;
    }
    if used <= SMALL {
        invert_small(factor, used, full);
    } else {
        let height = factor.tail.height;
        let lower = faer::MatRef::from_column_major_slice(&factor.tail.lower, height, height);
        let to = faer::MatMut::from_column_major_slice_mut(full, size, size);
        let scratch =
            faer::linalg::cholesky::llt::inverse::inverse_scratch::<f64>(used, faer::Par::Seq);
        let mut memory = faer::dyn_stack::MemBuffer::new(scratch);
        faer::linalg::cholesky::llt::inverse::inverse(
            to.submatrix_mut(0, 0, used, used),
            lower.submatrix(0, 0, used, used),
            faer::Par::Seq,
            faer::dyn_stack::MemStack::new(&mut memory),
        );
    }
    for j in 0..used {
        for i in j + 1..used {
            full[i * size + j] = full[j * size + i];
        }
    }
}

/// Tails up to this size are inverted column by column.
const SMALL: usize = 40;

/// Writes the lower triangle of the inverse.
fn invert_small(factor: &Factor, used: usize, full: &mut [f64]) {
    let size = factor.layout.size;
    let lower = |j: usize| &factor.tail.lower[j * factor.tail.height..][..used];
    for j in 0..used {
        let column = &mut full[j * size..][..used];
        column[j] = 1.0;
        for k in j..used {
            let (done, rest) = column.split_at_mut(k + 1);
            done[k] /= lower(k)[k];
            let below = lower(k)[k + 1..].iter();
            rest.iter_mut()
                .zip(below)
                .for_each(|(x, l)| *x -= l * done[k]);
        }
        for k in (j..used).rev() {
            let below: f64 = lower(k)[k + 1..]
                .iter()
                .zip(&column[k + 1..])
                .map(|(l, x)| l * x)
                .sum();
            column[k] = (column[k] - below) / lower(k)[k];
        }
    }
}

/// The inverse of the levels of one link.
struct LevelInverse<'a> {
    factor: &'a Factor,
    link: &'a Link,
    position: usize,
    full: &'a [f64],
    /// Y of the listed rows, then of the dense columns of X, then of each parent.
    y: Vec<f64>,
}

impl LevelInverse<'_> {
    fn invert(&mut self, level: usize, to: &mut LinkFactor, above: &[LinkFactor]) {
        let q = self.link.width;
        let layout = &*self.factor.layout;
        let from = &self.factor.links[self.position];
        let lower = &from.diagonal[level * q * q..][..q * q];
        let list = self.link.rows.range(level);
        let p = layout.dense - 1;
        // Y, row by row.
        self.y.clear();
        self.y
            .extend_from_slice(&from.rows[list.start * q..list.end * q]);
        let dense = &from.dense[level * q * layout.dense..][..q * layout.dense];
        for r in 0..p {
            self.y.extend((0..q).map(|a| dense[a * layout.dense + r]));
        }
        for (k, parent) in self.link.parents.iter().enumerate() {
            let size = q * layout.links[parent.link].width;
            self.y
                .extend_from_slice(&from.parents[k][level * size..][..size]);
        }
        self.y
            .chunks_exact_mut(q)
            .for_each(|row| backward(q, lower, row));
        // S_Rj = -S_RR Y.
        let mut below = vec![0.0; self.y.len()];
        self.multiply(level, above, &mut below);
        // S_jj.
        let diagonal = &mut to.diagonal[level * q * q..][..q * q];
        for (a, column) in diagonal.chunks_exact_mut(q).enumerate() {
            column.fill(0.0);
            column[a] = 1.0;
            super::chain::forward(q, lower, column);
            backward(q, lower, column);
        }
        for (y, s) in self.y.chunks_exact(q).zip(below.chunks_exact(q)) {
            for (column, s) in diagonal.chunks_exact_mut(q).zip(s) {
                column.iter_mut().zip(y).for_each(|(to, y)| *to -= y * s);
            }
        }
        // Back to the layout of the factor.
        let (rows, rest) = below.split_at(list.len() * q);
        to.rows[list.start * q..list.end * q].copy_from_slice(rows);
        let (columns, mut rest) = rest.split_at(p * q);
        let dense = &mut to.dense[level * q * layout.dense..][..q * layout.dense];
        for (r, row) in columns.chunks_exact(q).enumerate() {
            (0..q).for_each(|a| dense[a * layout.dense + r] = row[a]);
        }
        for (k, parent) in self.link.parents.iter().enumerate() {
            let size = q * layout.links[parent.link].width;
            let (block, others) = rest.split_at(size);
            to.parents[k][level * size..][..size].copy_from_slice(block);
            rest = others;
        }
    }

    /// -S_RR Y for the rows of a level: listed rows, dense columns of X, parents.
    fn multiply(&self, level: usize, above: &[LinkFactor], to: &mut [f64]) {
        let q = self.link.width;
        let layout = &*self.factor.layout;
        let size = layout.size;
        let list = self.link.rows.range(level);
        let p = layout.dense - 1;
        let listed = self.link.rows.indices[list.clone()]
            .iter()
            .map(|&row| row as usize);
        let rows: Vec<usize> = listed.chain((0..p).map(|j| layout.listed + j)).collect();
        for (i, &row) in rows.iter().enumerate() {
            let column = &self.full[row * size..][..size];
            let target = &mut to[i * q..][..q];
            for (&other, y) in rows.iter().zip(self.y.chunks_exact(q)) {
                let s = column[other];
                target.iter_mut().zip(y).for_each(|(t, y)| *t -= s * y);
            }
        }
        let factor = &self.factor.links[self.position];
        let mut first = rows.len() * q;
        let mut starts = Vec::new();
        for k in 0..self.link.parents.len() {
            starts.push(first);
            first += q * layout.links[self.link.parents[k].link].width;
        }
        for (k, parent) in self.link.parents.iter().enumerate() {
            let Some((above_level, _)) = self.factor.parent_block(self.link, factor, k, level)
            else {
                continue;
            };
            let width = layout.links[parent.link].width;
            let values = &above[parent.link - self.position - 1];
            // The parent with itself.
            let block = &values.diagonal[above_level * width * width..][..width * width];
            for (c, column) in block.chunks_exact(width).enumerate() {
                for (r, s) in column.iter().enumerate() {
                    add(to, &self.y, q, starts[k] + r * q, starts[k] + c * q, -s);
                }
            }
            // The parent with rows of the tail.
            let dense = &values.dense[above_level * width * layout.dense..];
            for (i, _) in rows.iter().enumerate() {
                for a in 0..width {
                    let s = match i.checked_sub(list.len()) {
                        Some(j) => dense[a * layout.dense + j],
                        None => {
                            let at = parent.positions[list.start + i] as usize;
                            values.rows[at * width + a]
                        }
                    };
                    add(to, &self.y, q, i * q, starts[k] + a * q, -s);
                    add(to, &self.y, q, starts[k] + a * q, i * q, -s);
                }
            }
            // The parent with later parents.
            for &(i, j) in &parent.grandparents {
                let wide = layout.links[self.link.parents[i].link].width;
                let block = &values.parents[j][above_level * width * wide..][..width * wide];
                for (c, column) in block.chunks_exact(width).enumerate() {
                    for (r, s) in column.iter().enumerate() {
                        add(to, &self.y, q, starts[k] + r * q, starts[i] + c * q, -s);
                        add(to, &self.y, q, starts[i] + c * q, starts[k] + r * q, -s);
                    }
                }
            }
        }
    }
}

/// Adds `factor` times a row of Y to a row of the result.
#[inline(always)]
fn add(to: &mut [f64], y: &[f64], q: usize, row: usize, of: usize, factor: f64) {
    let target = to[row..row + q].iter_mut();
    target
        .zip(&y[of..of + q])
        .for_each(|(t, y)| *t += factor * y);
}
