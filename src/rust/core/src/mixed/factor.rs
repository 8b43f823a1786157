//! Cholesky factor of the scaled augmented cross-products (Bates et al. 2015, section 3; eq. 18-26).

use nalgebra::{DMatrix, DVector};

use super::cross_products::{CrossProducts, Products};
use super::selected_inverse::SelectedInverse;
use super::structure::Structure;
use crate::error::{Error, Result};
use crate::linalg;

/// L Lᵀ = M = [ΛᵀZᵀWZΛ + I, ΛᵀZᵀWX̃; ·, X̃ᵀWX̃] and what follows from it at one θ.
#[derive(Debug, Clone)]
pub struct Factor {
    widths: Vec<usize>,
    levels: Vec<usize>,
    /// Where each term starts in u; then where β̃ starts.
    starts: Vec<usize>,
    transform: DMatrix<f64>,
    transform_log_det: f64,
    origin: DVector<f64>,
    lambdas: Vec<DMatrix<f64>>,
    lower: DMatrix<f64>,
    solution: DVector<f64>,
    penalized_rss: f64,
    pairs: Vec<super::cross_products::Pairs>,
    selected: Option<SelectedInverse>,
}

impl Factor {
    /// Room for the factor of these statistics.
    ///
    /// # Errors
    /// [`Error::Argument`] when the structure does not fit the terms.
    pub fn new(statistics: &CrossProducts, structure: &Structure) -> Result<Self> {
        structure.validate()?;
        if structure.widths != statistics.widths() {
            return Err(Error::Argument {
                argument: "formula",
                message: "gave a covariance structure of other terms than the data".into(),
            });
        }
        let widths = statistics.widths().to_vec();
        let levels = statistics.levels().to_vec();
        let mut starts = vec![0];
        for (q, l) in widths.iter().zip(&levels) {
            starts.push(starts[starts.len() - 1] + q * l);
        }
        let size = starts[widths.len()] + statistics.fixed_columns();
        Ok(Factor {
            lambdas: widths.iter().map(|&q| DMatrix::zeros(q, q)).collect(),
            widths,
            levels,
            starts,
            transform: statistics.transform().clone(),
            transform_log_det: statistics.design.basis.log_det(),
            origin: statistics.response.origin.clone(),
            lower: DMatrix::zeros(size, size),
            solution: DVector::zeros(size),
            penalized_rss: 0.0,
            pairs: statistics.pairs().to_vec(),
            selected: None,
        })
    }

    /// Factorises at θ. `dispersion` holds the ratios of the residual standard deviations of the dispersion
    /// groups (empty: all 1).
    ///
    /// # Errors
    /// [`Error::Numerical`] when θ is not finite or so large that the arithmetic breaks down.
    pub fn update(
        &mut self,
        statistics: &CrossProducts,
        structure: &Structure,
        theta: &[f64],
        dispersion: &[f64],
    ) -> Result<()> {
        let precision = |group: usize| dispersion.get(group).map_or(1.0, |ratio| ratio.powi(-2));
        for (t, lambda) in self.lambdas.iter_mut().enumerate() {
            *lambda = structure.lambda(t, theta);
        }
        self.origin.copy_from(&statistics.response.origin);
        self.lower.fill(0.0);
        let mut right = DVector::zeros(self.lower.nrows());
        let mut square = 0.0;
        let beta = self.starts[self.widths.len()];
        let groups = statistics
            .design
            .products
            .iter()
            .zip(&statistics.response.products);
        for (g, (products, response)) in groups.enumerate() {
            let weight = precision(g);
            self.assemble(products, weight);
            for (t, effects) in response.effects.iter().enumerate() {
                let q = self.widths[t];
                for (l, effect) in effects.chunks_exact(q).enumerate() {
                    let scaled =
                        self.lambdas[t].tr_mul(&DVector::from_column_slice(effect)) * weight;
                    let mut part = right.rows_mut(self.starts[t] + l * q, q);
                    part += scaled;
                }
            }
            let mut part = right.rows_mut(beta, response.fixed.len());
            part += &response.fixed * weight;
            square += response.square * weight;
        }
        for k in 0..beta {
            self.lower[(k, k)] += 1.0;
        }
        if !self.lower.iter().all(|x| x.is_finite()) {
            return Err(Error::Numerical {
                message: "the variance parameters are out of range".into(),
            });
        }
        linalg::factorise(&mut self.lower)?;
        self.lower.solve_lower_triangular_mut(&mut right);
        self.penalized_rss = square - right.norm_squared();
        self.lower.tr_solve_lower_triangular_mut(&mut right);
        self.solution = right;
        Ok(())
    }

    /// Adds `weight` times the scaled products to the lower triangle.
    fn assemble(&mut self, products: &Products, weight: f64) {
        let beta = self.starts[self.widths.len()];
        let p = products.gram.nrows();
        for (t, blocks) in products.diagonal.iter().enumerate() {
            let (q, lambda) = (self.widths[t], &self.lambdas[t]);
            for l in 0..self.levels[t] {
                let at = self.starts[t] + l * q;
                let block = DMatrix::from_column_slice(q, q, &blocks[l * q * q..(l + 1) * q * q]);
                let mut view = self.lower.view_mut((at, at), (q, q));
                view += lambda.tr_mul(&block) * lambda * weight;
                let fixed = &products.fixed[t][l * p * q..(l + 1) * p * q];
                let mut view = self.lower.view_mut((beta, at), (p, q));
                view += DMatrix::from_column_slice(p, q, fixed) * lambda * weight;
            }
        }
        for (pairs, values) in self.pairs.iter().zip(&products.pairs) {
            let (a, b) = (pairs.first, pairs.second);
            let (qa, qb) = (self.widths[a], self.widths[b]);
            for l in 0..self.levels[a] {
                for e in pairs.starts[l]..pairs.starts[l + 1] {
                    let block = &values[e * qa * qb..(e + 1) * qa * qb];
                    let block = self.lambdas[a].tr_mul(&DMatrix::from_column_slice(qa, qb, block))
                        * &self.lambdas[b]
                        * weight;
                    let row = self.starts[a] + l * qa;
                    let column = self.starts[b] + pairs.levels[e] as usize * qb;
                    if row > column {
                        let mut view = self.lower.view_mut((row, column), (qa, qb));
                        view += block;
                    } else {
                        let mut view = self.lower.view_mut((column, row), (qb, qa));
                        view += block.transpose();
                    }
                }
            }
        }
        let mut view = self.lower.view_mut((beta, beta), (p, p));
        view += &products.gram * weight;
    }

    fn beta(&self) -> usize {
        self.starts[self.widths.len()]
    }

    /// log |ΛᵀZᵀWZΛ + I|.
    pub fn log_det_random(&self) -> f64 {
        2.0 * (0..self.beta())
            .map(|k| self.lower[(k, k)].ln())
            .sum::<f64>()
    }

    /// log |R_X|², in the user's columns of X (those kept).
    pub fn log_det_fixed(&self) -> f64 {
        let size = self.lower.nrows();
        let rotated = 2.0
            * (self.beta()..size)
                .map(|k| self.lower[(k, k)].ln())
                .sum::<f64>();
        rotated - self.transform_log_det
    }

    /// min over (u, β) of |y - ZΛu - Xβ|²_W + |u|².
    pub fn penalized_rss(&self) -> f64 {
        self.penalized_rss
    }

    /// β̂ of the columns kept.
    pub fn coefficients(&self) -> DVector<f64> {
        let beta = self.beta();
        &self.transform * self.solution.rows(beta, self.lower.nrows() - beta) + &self.origin
    }

    /// (XᵀV⁻¹X)⁻¹ with V = ZΛΛᵀZᵀ + W⁻¹; times σ² the covariance of β̂.
    pub fn coefficient_covariance(&self) -> DMatrix<f64> {
        let (beta, p) = (self.beta(), self.lower.nrows() - self.beta());
        let lower = self.lower.view((beta, beta), (p, p)).into_owned();
        let root = &self.transform * linalg::inverse_lower(&lower).transpose();
        &root * root.transpose()
    }

    /// û of each core term, q × levels.
    pub fn spherical_effects(&self) -> Vec<DMatrix<f64>> {
        (0..self.widths.len())
            .map(|t| DMatrix::from_column_slice(self.widths[t], self.levels[t], self.effects(t)))
            .collect()
    }

    /// û of a core term: q values per level.
    pub fn effects(&self, term: usize) -> &[f64] {
        &self.solution.as_slice()[self.starts[term]..self.starts[term + 1]]
    }

    /// β̂ in the basis of the statistics, from their origin.
    pub(super) fn rotated_coefficients(&self) -> &[f64] {
        &self.solution.as_slice()[self.beta()..]
    }

    /// Λ_t of the last update.
    pub fn lambda(&self, term: usize) -> &DMatrix<f64> {
        &self.lambdas[term]
    }

    /// M⁻¹ on the pattern of the data; without `fixed` that of ΛᵀZᵀWZΛ + I alone (given β).
    pub fn selected_inverse(&mut self, fixed: bool) -> &SelectedInverse {
        let (beta, size) = (self.beta(), self.lower.nrows());
        let p = size - beta;
        let used = if fixed { size } else { beta };
        let inverse = linalg::inverse_lower(&self.lower.view((0, 0), (used, used)).into_owned());
        let mut full: DMatrix<f64> = DMatrix::zeros(size, size);
        full.view_mut((0, 0), (used, used))
            .copy_from(&inverse.tr_mul(&inverse));
        let block = |row: usize, column: usize, rows: usize, columns: usize| {
            full.view((row, column), (rows, columns))
                .into_owned()
                .as_slice()
                .to_vec()
        };
        let terms = 0..self.widths.len();
        let level = |t: usize, l: usize| self.starts[t] + l * self.widths[t];
        let selected = SelectedInverse {
            diagonal: terms
                .clone()
                .map(|t| {
                    let q = self.widths[t];
                    (0..self.levels[t])
                        .flat_map(|l| block(level(t, l), level(t, l), q, q))
                        .collect()
                })
                .collect(),
            fixed: terms
                .map(|t| {
                    let q = self.widths[t];
                    (0..self.levels[t])
                        .flat_map(|l| block(beta, level(t, l), p, q))
                        .collect()
                })
                .collect(),
            pairs: self
                .pairs
                .iter()
                .map(|pairs| {
                    let (a, b) = (pairs.first, pairs.second);
                    let mut values = Vec::new();
                    for l in 0..self.levels[a] {
                        for &k in &pairs.levels[pairs.starts[l]..pairs.starts[l + 1]] {
                            let at = (level(a, l), level(b, k as usize));
                            values.extend(block(at.0, at.1, self.widths[a], self.widths[b]));
                        }
                    }
                    values
                })
                .collect(),
            coefficients: full.view((beta, beta), (p, p)).into_owned(),
        };
        self.selected.insert(selected)
    }

    /// The last [`Factor::selected_inverse`].
    pub(super) fn selected(&self) -> Option<&SelectedInverse> {
        self.selected.as_ref()
    }

    /// Replaces a vector r in (u, β) space (core terms in order, q values per level; then β of the columns
    /// kept, user's units) by M⁻¹ r.
    pub fn solve(&self, vector: &mut [f64]) {
        let beta = self.beta();
        let mut right = DVector::from_column_slice(vector);
        let rotated = self.transform.tr_mul(&right.rows(beta, right.len() - beta));
        right.rows_mut(beta, rotated.len()).copy_from(&rotated);
        self.lower.solve_lower_triangular_mut(&mut right);
        self.lower.tr_solve_lower_triangular_mut(&mut right);
        let back = &self.transform * right.rows(beta, rotated.len());
        right.rows_mut(beta, back.len()).copy_from(&back);
        vector.copy_from_slice(right.as_slice());
    }
}
