//! Elimination of the chain: one small Cholesky factor per level.

use nalgebra::DMatrix;

use super::cross_products::{Design, Products, ResponseProducts};
use super::layout::{Layout, Link};

/// The columns of L that belong to a chain term.
#[derive(Debug, Clone)]
pub(super) struct LinkFactor {
    /// L_jj, q × q lower triangular per level.
    pub diagonal: Vec<f64>,
    /// Rows for the columns of a dense X and for y, dense × q per level.
    pub dense: Vec<f64>,
    /// Listed rows of the tail, q values for each.
    pub rows: Vec<f64>,
    /// For each parent q × q_parent per level, the transpose of the block of L.
    pub parents: Vec<Vec<f64>>,
}

impl LinkFactor {
    pub fn new(layout: &Layout, link: &Link) -> Self {
        let (q, levels) = (link.width, link.levels);
        let parents = link.parents.iter();
        LinkFactor {
            diagonal: vec![0.0; q * q * levels],
            dense: vec![0.0; layout.dense * q * levels],
            rows: vec![0.0; q * link.rows.indices.len()],
            parents: parents
                .map(|parent| vec![0.0; q * layout.links[parent.link].width * levels])
                .collect(),
        }
    }
}

/// What eliminating the chain leaves behind.
#[derive(Debug, Clone, Default)]
pub(super) struct Eliminated {
    /// Σ over levels of the products of the dense rows, dense × dense (lower triangle).
    pub corner: Vec<f64>,
    /// log of the product of the squared pivots.
    pub log_det: f64,
}

/// A product of pivots whose logarithm is taken once, or before it leaves the range of doubles.
pub(super) struct LogProduct {
    product: f64,
    log: f64,
}

impl LogProduct {
    pub fn new() -> Self {
        LogProduct {
            product: 1.0,
            log: 0.0,
        }
    }

    #[inline(always)]
    pub fn multiply(&mut self, factor: f64) {
        self.product *= factor;
        if !(1e-150..1e150).contains(&self.product) {
            self.log += self.product.ln();
            self.product = 1.0;
        }
    }

    pub fn log(&self) -> f64 {
        self.log + self.product.ln()
    }
}

/// The data of an evaluation.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub design: &'a Design,
    pub products: &'a Products,
    pub response: &'a ResponseProducts,
    pub lambdas: &'a [DMatrix<f64>],
}

/// Eliminates the chain, link by link.
pub(super) fn eliminate(
    layout: &Layout,
    source: &Source,
    links: &mut [LinkFactor],
    eliminated: &mut Eliminated,
) {
    eliminated.corner.fill(0.0);
    let mut pivots = LogProduct::new();
    // Children subtract from their parents, so those must be there; the first link has no children.
    for (link, factor) in layout.links.iter().zip(links.iter_mut()).skip(1) {
        let loader = Loader::new(layout, source, link);
        (0..link.levels).for_each(|level| loader.load(link.width, level, factor));
    }
    for position in 0..layout.links.len() {
        let (link, rest) = (&layout.links[position], &mut links[position..]);
        let eliminate = match link.width {
            1 => eliminate_link::<1>,
            2 => eliminate_link::<2>,
            3 => eliminate_link::<3>,
            4 => eliminate_link::<4>,
            _ => eliminate_link::<0>,
        };
        eliminate(layout, source, position, rest, eliminated, &mut pivots);
    }
    eliminated.log_det = 2.0 * pivots.log();
}

/// Eliminates the levels of one link, compiled for its width (0: any); `links` begins with its factor.
fn eliminate_link<const WIDTH: usize>(
    layout: &Layout,
    source: &Source,
    position: usize,
    links: &mut [LinkFactor],
    eliminated: &mut Eliminated,
    pivots: &mut LogProduct,
) {
    let link = &layout.links[position];
    let q = if WIDTH == 0 { link.width } else { WIDTH };
    let Some((factor, above)) = links.split_first_mut() else {
        return;
    };
    let loader = Loader::new(layout, source, link);
    let height = layout.dense;
    for level in 0..link.levels {
        if position == 0 {
            loader.load(q, level, factor);
        }
        let lower = &mut factor.diagonal[level * q * q..][..q * q];
        factorise(q, lower, pivots);
        let dense = &mut factor.dense[level * q * height..][..q * height];
        solve_columns(q, height, lower, dense);
        for row in factor.rows[link.rows.starts[level] * q..link.rows.starts[level + 1] * q]
            .chunks_exact_mut(q)
        {
            forward(q, lower, row);
        }
        add_corner(q, height, dense, &mut eliminated.corner);
        for (parent, blocks) in link.parents.iter().zip(&mut factor.parents) {
            let width = layout.links[parent.link].width;
            for column in blocks[level * q * width..][..q * width].chunks_exact_mut(q) {
                forward(q, lower, column);
            }
        }
        for (k, parent) in link.parents.iter().enumerate() {
            let pairs = &source.design.pairs[parent.pairs];
            let Some(&above_level) = pairs.levels[pairs.range(level)].first() else {
                continue;
            };
            let child = Child {
                q,
                height,
                level,
                above_level: above_level as usize,
            };
            child.subtract(
                layout,
                link,
                k,
                factor,
                &mut above[parent.link - position - 1],
            );
        }
    }
}

/// A level and the level of a parent that it is nested in.
struct Child {
    q: usize,
    height: usize,
    level: usize,
    above_level: usize,
}

impl Child {
    /// Subtracts the products of the child's blocks from those of its parent.
    #[inline(always)]
    fn subtract(
        &self,
        layout: &Layout,
        link: &Link,
        k: usize,
        factor: &LinkFactor,
        above: &mut LinkFactor,
    ) {
        let (q, height, level) = (self.q, self.height, self.level);
        let parent = &link.parents[k];
        let width = layout.links[parent.link].width;
        let block = &factor.parents[k][level * q * width..][..q * width];
        let dense = &factor.dense[level * q * height..][..q * height];
        let diagonal = &mut above.diagonal[self.above_level * width * width..][..width * width];
        let above_dense = &mut above.dense[self.above_level * width * height..][..width * height];
        for (c, column) in block.chunks_exact(q).enumerate() {
            for (r, row) in block.chunks_exact(q).enumerate().skip(c) {
                diagonal[c * width + r] -= inner(q, row, column);
            }
            let target = &mut above_dense[c * height..][..height];
            for (a, value) in column.iter().enumerate() {
                let source = &dense[a * height..][..height];
                target
                    .iter_mut()
                    .zip(source)
                    .for_each(|(t, s)| *t -= s * value);
            }
        }
        for at in link.rows.range(level) {
            let row = &factor.rows[at * q..][..q];
            let target = &mut above.rows[parent.positions[at] as usize * width..][..width];
            for (target, column) in target.iter_mut().zip(block.chunks_exact(q)) {
                *target -= inner(q, row, column);
            }
        }
        for &(i, j) in &parent.grandparents {
            let wide = layout.links[link.parents[i].link].width;
            let rows = &factor.parents[i][level * q * wide..][..q * wide];
            let target = &mut above.parents[j][self.above_level * width * wide..][..width * wide];
            for (target, row) in target.chunks_exact_mut(width).zip(rows.chunks_exact(q)) {
                for (target, column) in target.iter_mut().zip(block.chunks_exact(q)) {
                    *target -= inner(q, row, column);
                }
            }
        }
    }
}

/// Writes the scaled cross-products of a link's levels where its factor will be.
struct Loader<'a> {
    layout: &'a Layout,
    source: &'a Source<'a>,
    link: &'a Link,
    lambda: &'a [f64],
    diagonal: &'a [f64],
    fixed: &'a [f64],
    effects: &'a [f64],
    lists: Option<&'a super::coincidence::Lists>,
}

impl<'a> Loader<'a> {
    fn new(layout: &'a Layout, source: &'a Source<'a>, link: &'a Link) -> Self {
        let term = link.term;
        Loader {
            layout,
            source,
            link,
            lambda: source.lambdas[term].as_slice(),
            diagonal: &source.products.diagonal[term],
            fixed: &source.products.fixed[term],
            effects: &source.response.effects[term],
            lists: source.design.fixed_lists.as_ref().map(|lists| &lists[term]),
        }
    }

    #[inline(always)]
    fn load(&self, q: usize, level: usize, factor: &mut LinkFactor) {
        let lambda = &self.lambda[..q * q];
        let block = &self.diagonal[level * q * q..][..q * q];
        congruence(
            q,
            lambda,
            block,
            &mut factor.diagonal[level * q * q..][..q * q],
        );
        self.load_dense(q, level, factor);
        let mut at = self.link.rows.starts[level] * q;
        for &(k, _) in &self.link.fills {
            let pairs = &self.source.design.pairs[k];
            let width = self.source.design.widths[pairs.second];
            let right = self.source.lambdas[pairs.second].as_slice();
            let values = &self.source.products.pairs[k];
            for e in pairs.range(level) {
                let block = &values[e * q * width..][..q * width];
                let to = &mut factor.rows[at..at + q * width];
                sandwich(q, width, lambda, block, right, to);
                at += q * width;
            }
        }
        if let Some(lists) = self.lists {
            for e in lists.range(level) {
                transposed_times(
                    q,
                    lambda,
                    &self.fixed[e * q..][..q],
                    &mut factor.rows[at..at + q],
                );
                at += q;
            }
        }
        for (parent, blocks) in self.link.parents.iter().zip(&mut factor.parents) {
            let pairs = &self.source.design.pairs[parent.pairs];
            let width = self.layout.links[parent.link].width;
            let right = self.source.lambdas[pairs.second].as_slice();
            let to = &mut blocks[level * q * width..][..q * width];
            to.fill(0.0);
            for e in pairs.range(level) {
                let block = &self.source.products.pairs[parent.pairs][e * q * width..][..q * width];
                sandwich(q, width, lambda, block, right, to);
            }
        }
    }

    /// Rows of a dense X and of y: F Λ.
    #[inline(always)]
    fn load_dense(&self, q: usize, level: usize, factor: &mut LinkFactor) {
        let height = self.layout.dense;
        let p = height - 1;
        let lambda = &self.lambda[..q * q];
        let dense = &mut factor.dense[level * q * height..][..q * height];
        let fixed = &self.fixed[if p == 0 { 0 } else { level * q * p }..];
        let effects = &self.effects[level * q..][..q];
        for a in 0..q {
            let column = &mut dense[a * height..][..height];
            column[p] = inner(q, effects, &lambda[a * q..][..q]);
            for b in 0..q {
                let l = lambda[a * q + b];
                let other = &fixed[b * p..][..p];
                if b == 0 {
                    for r in 0..p {
                        column[r] = other[r] * l;
                    }
                } else {
                    for r in 0..p {
                        column[r] += other[r] * l;
                    }
                }
            }
        }
    }
}

/// Σ a b over q values.
#[inline(always)]
pub(super) fn inner(q: usize, a: &[f64], b: &[f64]) -> f64 {
    let mut sum = a[0] * b[0];
    for k in 1..q {
        sum += a[k] * b[k];
    }
    sum
}

/// Widths up to which a column fits on the stack.
const STACK_WIDTH: usize = 16;

/// The lower triangle of ΛᵀAΛ + I.
#[inline(always)]
pub(super) fn congruence(q: usize, lambda: &[f64], a: &[f64], to: &mut [f64]) {
    sandwich(q, q, lambda, a, lambda, to);
    for j in 0..q {
        to[j * q + j] += 1.0;
    }
}

/// Λᵀ A R, q × width.
#[inline(always)]
pub(super) fn sandwich(
    q: usize,
    width: usize,
    lambda: &[f64],
    a: &[f64],
    right: &[f64],
    to: &mut [f64],
) {
    if q == 1 && width == 1 {
        to[0] = lambda[0] * a[0] * right[0];
    } else if q <= STACK_WIDTH {
        sandwich_columns(q, width, lambda, a, right, to, &mut [0.0; STACK_WIDTH][..q]);
    } else {
        sandwich_columns(q, width, lambda, a, right, to, &mut vec![0.0; q]);
    }
}

#[inline(always)]
fn sandwich_columns(
    q: usize,
    width: usize,
    lambda: &[f64],
    a: &[f64],
    right: &[f64],
    to: &mut [f64],
    half: &mut [f64],
) {
    for c in 0..width {
        for r in 0..q {
            let mut sum = 0.0;
            for k in 0..width {
                sum += a[k * q + r] * right[c * width + k];
            }
            half[r] = sum;
        }
        transposed_times(q, lambda, half, &mut to[c * q..][..q]);
    }
}

/// Λᵀ v.
#[inline(always)]
pub(super) fn transposed_times(q: usize, lambda: &[f64], v: &[f64], to: &mut [f64]) {
    for r in 0..q {
        to[r] = inner(q, &lambda[r * q..][..q], v);
    }
}

/// Lower Cholesky factor in place. A pivot that is not positive becomes NaN, and so does the criterion.
#[inline(always)]
fn factorise(q: usize, a: &mut [f64], pivots: &mut LogProduct) {
    for j in 0..q {
        for k in 0..j {
            let factor = a[k * q + j];
            for i in j..q {
                a[j * q + i] -= factor * a[k * q + i];
            }
        }
        let root = a[j * q + j].sqrt();
        pivots.multiply(root);
        a[j * q + j] = root;
        let inverse = 1.0 / root;
        for i in j + 1..q {
            a[j * q + i] *= inverse;
        }
    }
}

/// L⁻¹ v in place.
#[inline(always)]
pub(super) fn forward(q: usize, lower: &[f64], v: &mut [f64]) {
    for j in 0..q {
        let mut x = v[j];
        for k in 0..j {
            x -= lower[k * q + j] * v[k];
        }
        v[j] = x / lower[j * q + j];
    }
}

/// L⁻ᵀ v in place.
#[inline(always)]
pub(super) fn backward(q: usize, lower: &[f64], v: &mut [f64]) {
    for j in (0..q).rev() {
        let mut x = v[j];
        for k in j + 1..q {
            x -= lower[j * q + k] * v[k];
        }
        v[j] = x / lower[j * q + j];
    }
}

/// B L⁻ᵀ in place for B of height × q.
#[inline(always)]
fn solve_columns(q: usize, height: usize, lower: &[f64], block: &mut [f64]) {
    for a in 0..q {
        let (done, rest) = block.split_at_mut(a * height);
        let column = &mut rest[..height];
        let inverse = 1.0 / lower[a * q + a];
        for b in 0..a {
            let l = lower[b * q + a];
            let earlier = &done[b * height..][..height];
            for r in 0..height {
                column[r] -= l * earlier[r];
            }
        }
        for x in column {
            *x *= inverse;
        }
    }
}

/// Adds the lower triangle of B Bᵀ.
#[inline(always)]
fn add_corner(q: usize, height: usize, block: &[f64], corner: &mut [f64]) {
    for a in 0..q {
        let column = &block[a * height..][..height];
        for c in 0..height {
            let value = column[c];
            let target = &mut corner[c * height..][..height];
            for r in c..height {
                target[r] += column[r] * value;
            }
        }
    }
}
