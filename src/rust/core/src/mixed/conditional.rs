//! The normal laws that a [`Factor`] holds: of β, and of the random effects given β.
//!
//! With M = L Lᵀ at one θ and σ, the likelihood in β̃ (the basis of the statistics, from their origin) is that of
//! N(β̂, σ² (L_X L_Xᵀ)⁻¹), and u given y and β̃ is normal with L_Rᵀ u = c - L_Xᵣᵀ β̃, c = (L⁻¹ [ΛᵀZᵀWy])_R, and
//! covariance σ² (L_R L_Rᵀ)⁻¹: a back substitution gives its mean, or a draw when c has noise added.

use nalgebra::{DMatrix, DVector};

use super::cross_products::CrossProducts;
use super::factor::Factor;

impl CrossProducts {
    /// β of the columns kept, in the user's units, from coordinates β̃ in the basis of the statistics.
    pub fn coefficients_at(&self, rotated: &[f64], beta: &mut [f64]) {
        self.design.basis.apply(rotated, beta);
        let origin = self.response.origin.iter();
        beta.iter_mut().zip(origin).for_each(|(b, o)| *b += o);
    }

    /// The coordinates β̃ of a β in the user's units; `None` if the basis is singular.
    pub fn rotated_at(&self, beta: &[f64]) -> Option<Vec<f64>> {
        let from_origin = DVector::from_column_slice(beta) - &self.response.origin;
        let rotated = self.design.basis.matrix().lu().solve(&from_origin)?;
        Some(rotated.as_slice().to_vec())
    }
}

impl Factor {
    /// β̂ in the basis of the statistics, from their origin.
    pub fn rotated_maximum(&self) -> &[f64] {
        self.rotated_coefficients()
    }

    /// L_X, p × p lower triangular: the likelihood of β̃ is normal with covariance σ² (L_X L_Xᵀ)⁻¹.
    pub fn fixed_root(&self) -> DMatrix<f64> {
        let (random, size) = (self.layout.random, self.layout.size);
        let mut root = DMatrix::zeros(size - random, size - random);
        for j in random..size {
            for i in j..size {
                root[(i - random, j - random)] = self.tail.at(i, j);
            }
        }
        root
    }

    /// Number of random effects.
    pub fn effects_count(&self) -> usize {
        let sizes = self.design.widths.iter().zip(&self.design.levels);
        sizes.map(|(q, levels)| q * levels).sum()
    }

    /// Replaces noise by û(β̃) + L_R⁻ᵀ noise: the mean of u given y and β̃ for zeros, a draw for N(0, σ²) values.
    /// Core terms in order, q values per level.
    pub fn conditional_effects(&self, rotated: &[f64], effects: &mut [f64]) {
        let layout = &*self.layout;
        let starts = self.starts();
        let mut tail = vec![0.0; layout.size];
        for &(term, start) in &layout.rest {
            let values = &effects[starts[term]..starts[term + 1]];
            tail[start..start + values.len()].copy_from_slice(values);
        }
        for (j, value) in tail[..layout.random].iter_mut().enumerate() {
            *value += self.tail.at(layout.size, j);
        }
        // What the back substitution turns into β̃: L_Xᵀ β̃.
        for (j, value) in tail[layout.random..].iter_mut().enumerate() {
            let column = layout.random + j;
            let below = rotated[j..].iter().enumerate();
            *value = below
                .map(|(i, b)| self.tail.at(column + i, column) * b)
                .sum();
        }
        for (link, factor) in layout.links.iter().zip(&self.links) {
            let values = factor.dense.chunks_exact(layout.dense);
            let to = &mut effects[starts[link.term]..starts[link.term + 1]];
            to.iter_mut()
                .zip(values)
                .for_each(|(u, column)| *u += column[layout.dense - 1]);
        }
        self.backward(&starts, effects, &mut tail);
    }

    /// Replaces z by L⁻ᵀ z, for the factor of a model without fixed effects: N(0, (L Lᵀ)⁻¹) from N(0, I).
    pub fn spread(&self, effects: &mut [f64]) {
        let layout = &*self.layout;
        let starts = self.starts();
        let mut tail = vec![0.0; layout.size];
        for &(term, start) in &layout.rest {
            let values = &effects[starts[term]..starts[term + 1]];
            tail[start..start + values.len()].copy_from_slice(values);
        }
        self.backward(&starts, effects, &mut tail);
    }

    /// Replaces u by z = Lᵀ u: the inverse of [`Factor::spread`].
    pub fn whiten(&self, effects: &mut [f64]) {
        let layout = &*self.layout;
        let starts = self.starts();
        let mut tail = vec![0.0; layout.size];
        for &(term, start) in &layout.rest {
            let values = &effects[starts[term]..starts[term + 1]];
            tail[start..start + values.len()].copy_from_slice(values);
        }
        // Links only need later ones, which are still what they were.
        for (link, factor) in layout.links.iter().zip(&self.links) {
            let q = link.width;
            for level in 0..link.levels {
                let at = starts[link.term] + level * q;
                let mut z = effects[at..at + q].to_vec();
                let lower = &factor.diagonal[level * q * q..][..q * q];
                for j in 0..q {
                    z[j] = (j..q).map(|i| lower[j * q + i] * z[i]).sum();
                }
                for e in link.rows.range(level) {
                    let x = tail[link.rows.indices[e] as usize];
                    let row = &factor.rows[e * q..][..q];
                    z.iter_mut().zip(row).for_each(|(z, l)| *z += l * x);
                }
                for (k, parent) in link.parents.iter().enumerate() {
                    let Some((above, block)) = self.parent_block(link, factor, k, level) else {
                        continue;
                    };
                    let other = &layout.links[parent.link];
                    let from = &effects[starts[other.term] + above * other.width..];
                    for (x, column) in from.iter().zip(block.chunks_exact(q)) {
                        z.iter_mut().zip(column).for_each(|(z, l)| *z += l * x);
                    }
                }
                effects[at..at + q].copy_from_slice(&z);
            }
        }
        for &(term, start) in &layout.rest {
            let to = &mut effects[starts[term]..starts[term + 1]];
            for (j, z) in to.iter_mut().enumerate() {
                let column = &self.tail.lower[(start + j) * self.tail.height..][..layout.random];
                let below = column[start + j..].iter().zip(&tail[start + j..]);
                *z = below.map(|(l, x)| l * x).sum();
            }
        }
    }

    /// Replaces u by b = Λu; core terms in order, q values per level.
    pub fn to_original_scale(&self, effects: &mut [f64]) {
        let mut rest = effects;
        for (lambda, levels) in self.lambdas.iter().zip(&self.design.levels) {
            let q = lambda.nrows();
            let (own, others) = rest.split_at_mut(q * levels);
            for u in own.chunks_exact_mut(q.max(1)) {
                // Λ is lower triangular: from the last row up nothing is overwritten too early.
                for i in (0..q).rev() {
                    u[i] = (0..=i).map(|j| lambda[(i, j)] * u[j]).sum();
                }
            }
            rest = others;
        }
    }

    /// L_ll of a level, q × q lower triangular, when levels are independent given β: one core term.
    pub fn level_root(&self, level: usize) -> Option<&[f64]> {
        match (&self.layout.links[..], self.layout.random) {
            ([link], 0) => {
                let size = link.width * link.width;
                Some(&self.links[0].diagonal[level * size..][..size])
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixed::cross_products::cross_products;
    use crate::mixed::rows::{Column, FixedColumns, Rows, TermRows};
    use crate::mixed::structure::Structure;

    /// Nested in one another, and crossed with a third: a chain with parents, and a tail.
    #[test]
    fn whitening_undoes_spreading() {
        let n = 60;
        let value = |i: usize| (1.3 * i as f64 + 0.2).sin();
        let y: Vec<f64> = (0..n).map(value).collect();
        let slope: Vec<f64> = (0..n).map(|i| value(i + 7)).collect();
        let codes = [
            (0..n).map(|i| (i % 12) as i32 + 1).collect::<Vec<_>>(),
            (0..n).map(|i| (i % 12 % 4) as i32 + 1).collect(),
            (0..n).map(|i| (i * i % 5) as i32 + 1).collect(),
        ];
        let term = |t: usize, levels, columns| TermRows {
            codes: &codes[t],
            levels,
            columns,
        };
        let rows = Rows {
            response: &y,
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &[],
                columns: 0,
            },
            terms: vec![
                term(0, 12, vec![Column::One, Column::Values(&slope)]),
                term(1, 4, vec![Column::One]),
                term(2, 5, vec![Column::One]),
            ],
            dispersion: None,
        };
        let statistics = cross_products(&rows, 1).unwrap();
        let structure = Structure::full(&[2, 1, 1]);
        let mut factor = Factor::new(&statistics, &structure).unwrap();
        let theta = [0.9, -0.4, 0.6, 0.8, 1.3];
        factor.update(&statistics, &structure, &theta, &[]).unwrap();
        let z: Vec<f64> = (0..factor.effects_count()).map(value).collect();
        let mut u = z.clone();
        factor.spread(&mut u);
        // |Lᵀu|² = uᵀMu = rss(u) + |u|² without a response.
        let mut b = u.clone();
        factor.to_original_scale(&mut b);
        let squares: f64 = (0..n)
            .map(|i| {
                let at = |t: usize| codes[t][i] as usize - 1;
                let first = 2 * at(0);
                (b[first] + slope[i] * b[first + 1] + b[24 + at(1)] + b[28 + at(2)]).powi(2)
            })
            .sum();
        let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
        assert!((squares + length(&u) - length(&z)).abs() < 1e-12 * length(&z));
        factor.whiten(&mut u);
        for (a, b) in u.iter().zip(&z) {
            assert!((a - b).abs() < 1e-13);
        }
    }
}
