//! M⁻¹ where the data put something: the blocks of the inverse that gradients, EM and variances need.
//!
//! M = [ΛᵀZᵀWZΛ + I, ΛᵀZᵀWX̃; ·, X̃ᵀWX̃]. Times σ² its inverse is the joint covariance of the errors of
//! (û, β̃) with X̃ = X T (see [`super::basis`]). The numbers are those of [`super::inverse`].

use nalgebra::DMatrix;

use super::cross_products::Design;
use super::factor::Factor;
use super::inverse::Inverse;

/// Blocks of M⁻¹, laid out as those of [`super::cross_products::CrossProducts`].
#[derive(Debug, Clone)]
pub struct SelectedInverse {
    pub(super) diagonal: Vec<Vec<f64>>,
    pub(super) pairs: Vec<Vec<f64>>,
    pub(super) fixed: Vec<Vec<f64>>,
    pub(super) coefficients: DMatrix<f64>,
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

    /// Copies the blocks into the layout of the statistics.
    pub(super) fn gather(&mut self, factor: &Factor, inverse: &Inverse) {
        let (layout, design) = (&*factor.layout, &*factor.design);
        let p = layout.size - layout.random;
        let at = |row: usize, column: usize| inverse.at(layout, row, column);
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
