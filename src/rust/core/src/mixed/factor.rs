//! Cholesky factor of the scaled augmented cross-products (Bates et al. 2015, section 3; eq. 18-26).
//!
//! [`super::layout`] says which block goes where, [`super::chain`] eliminates the terms that stay block
//! diagonal, [`super::tail`] factorises the rest. An evaluation allocates nothing.

use std::sync::{Arc, OnceLock};

use nalgebra::{DMatrix, DVector};

use super::chain::{self, backward, forward, Eliminated, LinkFactor, Source};
use super::cross_products::{CrossProducts, Design, Products, ResponseProducts};
use super::inverse::Inverse;
use super::layout::Layout;
use super::selected_inverse::SelectedInverse;
use super::structure::Structure;
use super::tail::Tail;
use crate::error::{Error, Result};

/// Fixed effects from which their covariance matrix is left to faer.
const LARGE: usize = 40;

/// L Lᵀ = M = [ΛᵀZᵀWZΛ + I, ΛᵀZᵀWX̃; ·, X̃ᵀWX̃] and what follows from it at one θ.
#[derive(Debug, Clone)]
pub struct Factor {
    pub(super) design: Arc<Design>,
    pub(super) layout: Arc<Layout>,
    pub(super) lambdas: Vec<DMatrix<f64>>,
    pub(super) links: Vec<LinkFactor>,
    pub(super) tail: Tail,
    eliminated: Eliminated,
    origin: DVector<f64>,
    transform_log_det: f64,
    log_det_random: f64,
    log_det_rotated: f64,
    /// Sums over the dispersion groups, when there are several.
    combined: Option<(Products, ResponseProducts)>,
    solution: OnceLock<Solution>,
    selected: Option<SelectedInverse>,
    inverse: Inverse,
}

/// û and β̃.
#[derive(Debug, Clone)]
struct Solution {
    /// q values per level, term by term.
    effects: Vec<f64>,
    /// Where each term starts.
    starts: Vec<usize>,
    /// The tail without y.
    tail: Vec<f64>,
}

impl Factor {
    /// Room for the factor of these statistics.
    ///
    /// # Errors
    /// [`Error::Argument`] when the structure does not fit the terms, or the terms cross so much that a dense
    /// matrix of several GB would be needed.
    pub fn new(statistics: &CrossProducts, structure: &Structure) -> Result<Self> {
        structure.validate()?;
        if structure.widths != statistics.widths() {
            return Err(Error::Argument {
                argument: "formula",
                message: "gave a covariance structure of other terms than the data".into(),
            });
        }
        let design = Arc::clone(&statistics.design);
        let layout = Layout::of(&design)?;
        let widths = &design.widths;
        let links = layout
            .links
            .iter()
            .map(|link| LinkFactor::new(&layout, link))
            .collect();
        let groups = design.products.len();
        Ok(Factor {
            lambdas: widths.iter().map(|&q| DMatrix::zeros(q, q)).collect(),
            links,
            tail: Tail::new(&layout, widths.iter().copied().max().unwrap_or(0)),
            eliminated: Eliminated {
                corner: vec![0.0; layout.dense * layout.dense],
                log_det: 0.0,
            },
            origin: statistics.response.origin.clone(),
            transform_log_det: design.basis.log_det(),
            log_det_random: 0.0,
            log_det_rotated: 0.0,
            combined: (groups > 1).then(|| {
                let response = &statistics.response.products[0];
                (design.products[0].clone(), response.clone())
            }),
            solution: OnceLock::new(),
            selected: None,
            inverse: Inverse::default(),
            layout: Arc::new(layout),
            design,
        })
    }

    /// Factorises at θ. `dispersion` holds the ratios of the residual standard deviations of the dispersion
    /// groups (empty: all 1).
    ///
    /// # Errors
    /// [`Error::Numerical`] or [`Error::NotPositiveDefinite`] when θ is not finite or so large that the
    /// arithmetic breaks down.
    pub fn update(
        &mut self,
        statistics: &CrossProducts,
        structure: &Structure,
        theta: &[f64],
        dispersion: &[f64],
    ) -> Result<()> {
        self.origin.copy_from(&statistics.response.origin);
        let design = &*statistics.design;
        let Some((mut products, mut response)) = self.combined.take() else {
            let response = &statistics.response.products[0];
            return self.update_from(structure, theta, &design.products[0], response);
        };
        combine(statistics, dispersion, &mut products, &mut response);
        let updated = self.update_from(structure, theta, &products, &response);
        self.combined = Some((products, response));
        updated
    }

    /// [`Factor::update`] with cross-products of the same pattern that come from elsewhere.
    pub(super) fn update_from(
        &mut self,
        structure: &Structure,
        theta: &[f64],
        products: &Products,
        response: &ResponseProducts,
    ) -> Result<()> {
        self.solution.take();
        self.lambdas.iter_mut().for_each(|lambda| lambda.fill(0.0));
        for (entry, &value) in structure.entries.iter().zip(theta) {
            self.lambdas[entry.term][(entry.row, entry.column)] = value;
        }
        let source = Source {
            design: &self.design,
            products,
            response,
            lambdas: &self.lambdas,
        };
        let layout = &self.layout;
        chain::eliminate(layout, &source, &mut self.links, &mut self.eliminated);
        self.tail
            .fill(layout, &source, &self.links, &self.eliminated.corner);
        let (random, fixed) = self.tail.factorise(&self.layout)?;
        self.log_det_random = self.eliminated.log_det + random;
        self.log_det_rotated = fixed;
        if (self.log_det_random + fixed + self.penalized_rss()).is_finite() {
            Ok(())
        } else {
            Err(Error::Numerical {
                message: "the variance parameters are out of range".into(),
            })
        }
    }

    /// log |ΛᵀZᵀWZΛ + I|.
    pub fn log_det_random(&self) -> f64 {
        self.log_det_random
    }

    /// log |R_X|², in the user's columns of X (those kept).
    pub fn log_det_fixed(&self) -> f64 {
        self.log_det_rotated - self.transform_log_det
    }

    /// min over (u, β) of |y - ZΛu - Xβ|²_W + |u|².
    pub fn penalized_rss(&self) -> f64 {
        self.tail.at(self.layout.size, self.layout.size)
    }

    /// β̂ of the columns kept.
    pub fn coefficients(&self) -> DVector<f64> {
        let mut beta = DVector::zeros(self.layout.size - self.layout.random);
        self.design
            .basis
            .apply(self.rotated_coefficients(), beta.as_mut_slice());
        beta + &self.origin
    }

    /// (XᵀV⁻¹X)⁻¹ with V = ZΛΛᵀZᵀ + W⁻¹; times σ² the covariance of β̂.
    pub fn coefficient_covariance(&self) -> DMatrix<f64> {
        let p = self.layout.size - self.layout.random;
        let random = self.layout.random;
        if p > LARGE {
            let inverse = self.tail.inverse_of_last(p);
            return self
                .design
                .basis
                .times(&self.design.basis.times(&inverse).transpose());
        }
        let lower = DMatrix::from_fn(p, p, |i, j| match i >= j {
            true => self.tail.at(random + i, random + j),
            false => 0.0,
        });
        let root = self
            .design
            .basis
            .times(&crate::linalg::inverse_lower(&lower).transpose());
        &root * root.transpose()
    }

    /// The normal equations of the fixed effects in the basis of the statistics: writes L, p × p lower triangular
    /// with L Lᵀ = X̃ᵀV⁻¹X̃, and z with Lᵀ β̃ = z.
    pub fn fixed_system(&self, lower: &mut [f64], z: &mut [f64]) {
        let (p, random) = (z.len(), self.layout.random);
        for (j, z) in z.iter_mut().enumerate() {
            let column = &self.tail.lower[(random + j) * self.tail.height + random..];
            lower[j * p + j..(j + 1) * p].copy_from_slice(&column[j..p]);
            *z = self.tail.at(self.layout.size, random + j);
        }
    }

    /// û of each core term, q × levels.
    pub fn spherical_effects(&self) -> Vec<DMatrix<f64>> {
        let terms = self
            .design
            .widths
            .iter()
            .zip(&self.design.levels)
            .enumerate();
        terms
            .map(|(t, (&q, &levels))| DMatrix::from_column_slice(q, levels, self.effects(t)))
            .collect()
    }

    /// û of a core term: q values per level.
    pub fn effects(&self, term: usize) -> &[f64] {
        let solution = self.solution();
        &solution.effects[solution.starts[term]..solution.starts[term + 1]]
    }

    /// β̂ in the basis of the statistics, from their origin.
    pub(super) fn rotated_coefficients(&self) -> &[f64] {
        &self.solution().tail[self.layout.random..]
    }

    /// Λ_t of the last update.
    pub fn lambda(&self, term: usize) -> &DMatrix<f64> {
        &self.lambdas[term]
    }

    /// M⁻¹ on the pattern of the data; without `fixed` that of ΛᵀZᵀWZΛ + I alone (given β).
    pub fn selected_inverse(&mut self, fixed: bool) -> &SelectedInverse {
        let mut selected = self
            .selected
            .take()
            .unwrap_or_else(|| SelectedInverse::new(&self.design));
        let inverse = self.invert(fixed);
        selected.gather(self, &inverse);
        self.inverse = inverse;
        self.selected.insert(selected)
    }

    /// For each term Σ_l S_ll, q × q, of the same inverse.
    pub(super) fn diagonal_sums(&mut self, fixed: bool) -> Vec<DMatrix<f64>> {
        let inverse = self.invert(fixed);
        let widths = self.design.widths.iter().enumerate();
        let sums = widths.map(|(term, &q)| {
            let mut sum = DMatrix::zeros(q, q);
            inverse.add_diagonal(self, term, sum.as_mut_slice());
            sum
        });
        let sums = sums.collect();
        self.inverse = inverse;
        sums
    }

    /// Takes the inverse out of the factor, brought up to date.
    fn invert(&mut self, fixed: bool) -> Inverse {
        let mut inverse = std::mem::take(&mut self.inverse);
        inverse.update(self, fixed);
        inverse
    }

    /// The last [`Factor::selected_inverse`].
    pub(crate) fn selected(&self) -> Option<&SelectedInverse> {
        self.selected.as_ref()
    }

    /// Replaces a vector r in (u, β) space (core terms in order, q values per level; then β of the columns
    /// kept, user's units) by M⁻¹ r.
    pub fn solve(&self, vector: &mut [f64]) {
        let layout = &*self.layout;
        let starts = self.starts();
        let effects = starts[starts.len() - 1];
        let (effects, beta) = vector.split_at_mut(effects);
        let mut tail = vec![0.0; layout.size];
        for &(term, start) in &layout.rest {
            let values = &effects[starts[term]..starts[term + 1]];
            tail[start..start + values.len()].copy_from_slice(values);
        }
        self.design
            .basis
            .apply_transposed(beta, &mut tail[layout.random..]);
        self.forward(&starts, effects, &mut tail);
        for j in 0..layout.size {
            let column = &self.tail.lower[j * self.tail.height..][..layout.size];
            tail[j] /= column[j];
            let value = tail[j];
            tail[j + 1..]
                .iter_mut()
                .zip(&column[j + 1..])
                .for_each(|(x, l)| *x -= l * value);
        }
        self.backward(&starts, effects, &mut tail);
        self.design.basis.apply(&tail[layout.random..], beta);
    }

    /// Where each term starts in a vector of effects.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for (q, levels) in self.design.widths.iter().zip(&self.design.levels) {
            starts.push(starts[starts.len() - 1] + q * levels);
        }
        starts
    }

    fn solution(&self) -> &Solution {
        self.solution.get_or_init(|| {
            let layout = &*self.layout;
            let starts = self.starts();
            let mut effects = vec![0.0; starts[starts.len() - 1]];
            // The dense row of y is L⁻¹ times the right side already.
            for (link, factor) in layout.links.iter().zip(&self.links) {
                let values = factor.dense.chunks_exact(layout.dense);
                let to = &mut effects[starts[link.term]..starts[link.term + 1]];
                to.iter_mut()
                    .zip(values)
                    .for_each(|(u, column)| *u = column[layout.dense - 1]);
            }
            let mut tail: Vec<f64> = (0..layout.size)
                .map(|j| self.tail.at(layout.size, j))
                .collect();
            self.backward(&starts, &mut effects, &mut tail);
            Solution {
                effects,
                starts,
                tail,
            }
        })
    }

    /// The chain part of L⁻¹ r in place, and what it leaves of the tail.
    fn forward(&self, starts: &[usize], effects: &mut [f64], tail: &mut [f64]) {
        let layout = &*self.layout;
        let p = layout.dense - 1;
        let mut u = Vec::new();
        for (link, factor) in layout.links.iter().zip(&self.links) {
            let q = link.width;
            for level in 0..link.levels {
                let at = starts[link.term] + level * q;
                u.clear();
                u.extend_from_slice(&effects[at..at + q]);
                forward(q, &factor.diagonal[level * q * q..][..q * q], &mut u);
                effects[at..at + q].copy_from_slice(&u);
                for e in link.rows.range(level) {
                    let row = &factor.rows[e * q..][..q];
                    tail[link.rows.indices[e] as usize] -= chain::inner(q, row, &u);
                }
                let dense = &factor.dense[level * q * layout.dense..][..q * layout.dense];
                for (column, u) in dense.chunks_exact(layout.dense).zip(&u) {
                    let to = tail[layout.listed..].iter_mut().zip(&column[..p]);
                    to.for_each(|(x, l)| *x -= l * u);
                }
                for (k, parent) in link.parents.iter().enumerate() {
                    let Some((above, block)) = self.parent_block(link, factor, k, level) else {
                        continue;
                    };
                    let other = &layout.links[parent.link];
                    let to = &mut effects[starts[other.term] + above * other.width..];
                    for (to, column) in to.iter_mut().zip(block.chunks_exact(q)) {
                        *to -= chain::inner(q, column, &u);
                    }
                }
            }
        }
    }

    /// L⁻ᵀ in place, tail first.
    pub(super) fn backward(&self, starts: &[usize], effects: &mut [f64], tail: &mut [f64]) {
        let layout = &*self.layout;
        let size = layout.size;
        for j in (0..size).rev() {
            let column = &self.tail.lower[j * self.tail.height..][..size];
            let below: f64 = column[j + 1..]
                .iter()
                .zip(&tail[j + 1..])
                .map(|(l, x)| l * x)
                .sum();
            tail[j] = (tail[j] - below) / column[j];
        }
        for &(term, start) in &layout.rest {
            let to = &mut effects[starts[term]..starts[term + 1]];
            to.copy_from_slice(&tail[start..start + to.len()]);
        }
        let p = layout.dense - 1;
        let mut u = Vec::new();
        for (link, factor) in layout.links.iter().zip(&self.links).rev() {
            let q = link.width;
            for level in 0..link.levels {
                let at = starts[link.term] + level * q;
                u.clear();
                u.extend_from_slice(&effects[at..at + q]);
                for e in link.rows.range(level) {
                    let x = tail[link.rows.indices[e] as usize];
                    let row = &factor.rows[e * q..][..q];
                    u.iter_mut().zip(row).for_each(|(u, l)| *u -= l * x);
                }
                let dense = &factor.dense[level * q * layout.dense..][..q * layout.dense];
                for (column, u) in dense.chunks_exact(layout.dense).zip(&mut u) {
                    let below = column[..p].iter().zip(&tail[layout.listed..]);
                    *u -= below.map(|(l, x)| l * x).sum::<f64>();
                }
                for (k, parent) in link.parents.iter().enumerate() {
                    let Some((above, block)) = self.parent_block(link, factor, k, level) else {
                        continue;
                    };
                    let other = &layout.links[parent.link];
                    let from = &effects[starts[other.term] + above * other.width..];
                    for (x, column) in from.iter().zip(block.chunks_exact(q)) {
                        u.iter_mut().zip(column).for_each(|(u, l)| *u -= l * x);
                    }
                }
                backward(q, &factor.diagonal[level * q * q..][..q * q], &mut u);
                effects[at..at + q].copy_from_slice(&u);
            }
        }
    }

    /// The level of the k-th parent that a level is nested in, and the transposed block of L.
    pub(super) fn parent_block<'a>(
        &self,
        link: &super::layout::Link,
        factor: &'a LinkFactor,
        k: usize,
        level: usize,
    ) -> Option<(usize, &'a [f64])> {
        let parent = &link.parents[k];
        let pairs = &self.design.pairs[parent.pairs];
        let above = *pairs.levels[pairs.range(level)].first()?;
        let size = link.width * self.layout.links[parent.link].width;
        Some((above as usize, &factor.parents[k][level * size..][..size]))
    }
}

/// Sums the products of the dispersion groups, each with its precision.
fn combine(
    statistics: &CrossProducts,
    dispersion: &[f64],
    products: &mut Products,
    response: &mut ResponseProducts,
) {
    let precision = |group: usize| dispersion.get(group).map_or(1.0, |ratio| ratio.powi(-2));
    let all = &statistics.design.products;
    let sum = |to: &mut [f64], of: &dyn Fn(&Products) -> &[f64]| {
        to.fill(0.0);
        for (group, products) in all.iter().enumerate() {
            let weight = precision(group);
            to.iter_mut()
                .zip(of(products))
                .for_each(|(to, x)| *to += weight * x);
        }
    };
    for t in 0..statistics.terms() {
        sum(&mut products.diagonal[t], &|products| &products.diagonal[t]);
        sum(&mut products.fixed[t], &|products| &products.fixed[t]);
    }
    for k in 0..products.pairs.len() {
        sum(&mut products.pairs[k], &|products| &products.pairs[k]);
    }
    sum(products.gram.as_mut_slice(), &|products| {
        products.gram.as_slice()
    });
    response
        .effects
        .iter_mut()
        .for_each(|effects| effects.fill(0.0));
    response.fixed.fill(0.0);
    response.square = 0.0;
    for (group, part) in statistics.response.products.iter().enumerate() {
        let weight = precision(group);
        for (to, effects) in response.effects.iter_mut().zip(&part.effects) {
            to.iter_mut()
                .zip(effects)
                .for_each(|(to, x)| *to += weight * x);
        }
        response.fixed.axpy(weight, &part.fixed, 1.0);
        response.square += weight * part.square;
    }
}
