//! What draws of the random effects say about the variances.
//!
//! With b = Λ u of K draws, r = y - Xβ, and Z_j the columns of the design that belong to effect j of all terms,
//! the residual sum of squares with every effect j multiplied by s_j is, summed over the draws,
//! K |r|²_W - 2 sᵀ l + sᵀ P s with l_j = Σ_k (Z_j b_kj)ᵀ W r and P_ij = Σ_k (Z_i b_ki)ᵀ W (Z_j b_kj).
//! Dispersion groups have sums of their own.

use nalgebra::{DMatrix, DVector};

use super::cross_products::CrossProducts;

/// ZᵀWr and rᵀWr of r = y - Xβ, for each dispersion group.
#[derive(Debug, Clone)]
pub struct Residual {
    groups: Vec<GroupResidual>,
}

#[derive(Debug, Clone)]
struct GroupResidual {
    /// Core terms in order, q values per level.
    effects: Vec<f64>,
    square: f64,
}

impl Residual {
    /// At β̃, coordinates in the basis of the statistics.
    pub fn at(statistics: &CrossProducts, rotated: &[f64]) -> Self {
        let design = &*statistics.design;
        let beta = DVector::from_column_slice(rotated);
        let both = design.products.iter().zip(&statistics.response.products);
        let groups = both.map(|(products, response)| {
            let mut effects: Vec<f64> = response.effects.concat();
            let mut start = 0;
            for (term, blocks) in products.fixed.iter().enumerate() {
                let size = response.effects[term].len();
                let to = &mut effects[start..start + size];
                match &design.fixed_lists {
                    Some(lists) => {
                        subtract_listed(&lists[term], design.widths[term], blocks, rotated, to);
                    }
                    None if rotated.is_empty() => {}
                    None => to
                        .iter_mut()
                        .zip(blocks.chunks_exact(rotated.len()))
                        .for_each(|(to, block)| *to -= dot(block, rotated)),
                }
                start += size;
            }
            let square = response.square - 2.0 * beta.dot(&response.fixed)
                + beta.dot(&(&products.gram * &beta));
            GroupResidual { effects, square }
        });
        Residual {
            groups: groups.collect(),
        }
    }
}

fn subtract_listed(
    lists: &super::cross_products::Lists,
    q: usize,
    blocks: &[f64],
    beta: &[f64],
    to: &mut [f64],
) {
    for (level, to) in to.chunks_exact_mut(q).enumerate() {
        for at in lists.range(level) {
            let b = beta[lists.indices[at] as usize];
            to.iter_mut()
                .zip(&blocks[at * q..])
                .for_each(|(to, x)| *to -= x * b);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Sums over draws; see the head of this file.
#[derive(Debug, Clone)]
pub struct EffectMoments {
    /// For each core term Σ_k Σ_l b_kl b_klᵀ, q × q.
    pub scatter: Vec<DMatrix<f64>>,
    /// For each dispersion group its sums of squares.
    pub groups: Vec<ScaledSquares>,
    /// Where the effects of each term start among all.
    starts: Vec<usize>,
}

/// The residual sum of squares of one dispersion group as a function of the scales s of the effects.
#[derive(Debug, Clone)]
pub struct ScaledSquares {
    /// K |r|²_W.
    pub square: f64,
    /// l.
    pub linear: DVector<f64>,
    /// P.
    pub products: DMatrix<f64>,
}

impl ScaledSquares {
    /// At s = 1.
    pub fn residual(&self) -> f64 {
        (self.square - 2.0 * self.linear.sum() + self.products.sum()).max(0.0)
    }
}

impl EffectMoments {
    /// Room for the moments of these statistics.
    pub fn new(statistics: &CrossProducts) -> Self {
        let widths = statistics.widths();
        let mut starts = vec![0];
        for q in widths {
            starts.push(starts[starts.len() - 1] + q);
        }
        let total = starts[widths.len()];
        let group = ScaledSquares {
            square: 0.0,
            linear: DVector::zeros(total),
            products: DMatrix::zeros(total, total),
        };
        EffectMoments {
            scatter: widths.iter().map(|&q| DMatrix::zeros(q, q)).collect(),
            groups: vec![group; statistics.group_rows().len()],
            starts,
        }
    }

    /// Position of an effect of a term among all effects.
    pub fn position(&self, term: usize, effect: usize) -> usize {
        self.starts[term] + effect
    }

    /// Number of effects of all terms.
    pub fn scales(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// No draws of residuals r yet, `draws` to come.
    pub fn clear(&mut self, residual: &Residual, draws: f64) {
        self.scatter
            .iter_mut()
            .for_each(|scatter| scatter.fill(0.0));
        for (group, residual) in self.groups.iter_mut().zip(&residual.groups) {
            group.square = draws * residual.square;
            group.linear.fill(0.0);
            group.products.fill(0.0);
        }
    }

    /// Adds `draws` draws that are all b (core terms in order, q values per level).
    pub fn add(&mut self, statistics: &CrossProducts, residual: &Residual, b: &[f64], draws: f64) {
        let design = &*statistics.design;
        let mut terms = Vec::with_capacity(design.widths.len());
        let mut at = 0;
        for (term, (&q, &levels)) in design.widths.iter().zip(&design.levels).enumerate() {
            let effects = &b[at..at + q * levels];
            for level in effects.chunks_exact(q) {
                add_outer(&mut self.scatter[term], level, draws);
            }
            terms.push((at, effects));
            at += q * levels;
        }
        for (g, products) in design.products.iter().enumerate() {
            let group = &mut self.groups[g];
            for (term, &(at, effects)) in terms.iter().enumerate() {
                let (q, start) = (design.widths[term], self.starts[term]);
                let right = &residual.groups[g].effects[at..at + effects.len()];
                for ((level, right), block) in effects
                    .chunks_exact(q)
                    .zip(right.chunks_exact(q))
                    .zip(products.diagonal[term].chunks_exact(q * q))
                {
                    for j in 0..q {
                        group.linear[start + j] += draws * level[j] * right[j];
                        for i in 0..q {
                            group.products[(start + i, start + j)] +=
                                draws * block[j * q + i] * level[i] * level[j];
                        }
                    }
                }
            }
            for (pairs, blocks) in design.pairs.iter().zip(&products.pairs) {
                let (first, second) = (terms[pairs.first].1, terms[pairs.second].1);
                let widths = (design.widths[pairs.first], design.widths[pairs.second]);
                let starts = (self.starts[pairs.first], self.starts[pairs.second]);
                add_pairs(pairs, blocks, (first, second), widths, |i, j, value| {
                    let value = draws * value;
                    group.products[(starts.0 + i, starts.1 + j)] += value;
                    group.products[(starts.1 + j, starts.0 + i)] += value;
                });
            }
        }
    }

    /// Adds scatter S (q × q) of the effects about the draws already added, at levels of the only term that all
    /// have the cross-products of `level`.
    pub fn add_spread(&mut self, statistics: &CrossProducts, level: usize, spread: &DMatrix<f64>) {
        self.scatter[0] += spread;
        let size = spread.len();
        for (group, products) in self.groups.iter_mut().zip(&statistics.design.products) {
            let block = &products.diagonal[0][level * size..][..size];
            let to = group.products.iter_mut().zip(block.iter().zip(spread));
            to.for_each(|(to, (d, s))| *to += d * s);
        }
    }

    /// The moments of the effects with each effect multiplied by its scale.
    pub fn scale(&mut self, scales: &[f64]) {
        for (term, scatter) in self.scatter.iter_mut().enumerate() {
            let scales = &scales[self.starts[term]..self.starts[term + 1]];
            multiply(scatter, scales);
        }
        for group in &mut self.groups {
            multiply(&mut group.products, scales);
            let linear = group.linear.iter_mut().zip(scales);
            linear.for_each(|(l, s)| *l *= s);
        }
    }
}

fn multiply(matrix: &mut DMatrix<f64>, scales: &[f64]) {
    for (j, mut column) in matrix.column_iter_mut().enumerate() {
        let entries = column.iter_mut().zip(scales);
        entries.for_each(|(x, s)| *x *= s * scales[j]);
    }
}

fn add_outer(matrix: &mut DMatrix<f64>, v: &[f64], weight: f64) {
    for (j, mut column) in matrix.column_iter_mut().enumerate() {
        let entries = column.iter_mut().zip(v);
        entries.for_each(|(x, a)| *x += weight * a * v[j]);
    }
}

/// Calls `add(i, j, Σ b_first,i (ZᵀWZ)_ij b_second,j)` for the effects i, j of two terms.
fn add_pairs(
    pairs: &super::cross_products::Pairs,
    blocks: &[f64],
    (first, second): (&[f64], &[f64]),
    (rows, columns): (usize, usize),
    mut add: impl FnMut(usize, usize, f64),
) {
    let mut sums = vec![0.0; rows * columns];
    for (level, left) in first.chunks_exact(rows).enumerate() {
        for e in pairs.range(level) {
            let right = &second[pairs.levels[e] as usize * columns..][..columns];
            let block = &blocks[e * rows * columns..][..rows * columns];
            for (j, r) in right.iter().enumerate() {
                for (i, l) in left.iter().enumerate() {
                    sums[j * rows + i] += l * block[j * rows + i] * r;
                }
            }
        }
    }
    for (at, sum) in sums.into_iter().enumerate() {
        add(at % rows, at / rows, sum);
    }
}

/// Levels of the only term that have the same cross-products: a representative and how many there are.
pub fn level_patterns(statistics: &CrossProducts) -> Vec<(usize, usize)> {
    let design = &*statistics.design;
    let (size, levels) = (design.widths[0] * design.widths[0], design.levels[0]);
    let key = |level: usize| -> Vec<u64> {
        let blocks = design.products.iter();
        blocks
            .flat_map(|products| &products.diagonal[0][level * size..][..size])
            .map(|x| x.to_bits())
            .collect()
    };
    let mut seen = std::collections::HashMap::new();
    let mut patterns: Vec<(usize, usize)> = Vec::new();
    for level in 0..levels {
        let at = *seen.entry(key(level)).or_insert_with(|| {
            patterns.push((level, 0));
            patterns.len() - 1
        });
        patterns[at].1 += 1;
    }
    patterns
}
