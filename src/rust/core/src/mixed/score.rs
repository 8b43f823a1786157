//! Derivatives of the criterion where Λ may be singular and dispersion groups have their own precision.

use nalgebra::{DMatrix, DVector};

use super::coincidence::Pairs;
use super::cross_products::{CrossProducts, Products, ResponseProducts};
use super::factor::Factor;
use super::selected_inverse::SelectedInverse;

/// What one dispersion group adds to the derivatives, for unit precision.
pub(super) struct Score {
    /// Σ_l (ZᵀW[ZΛ X] S)_ll for each term, q × q.
    pub log_det: Vec<Vec<f64>>,
    /// Σ_l (ZᵀWe)_l u_lᵀ for each term, q × q.
    pub residual: Vec<Vec<f64>>,
    /// tr(S [ZΛ X]ᵀW[ZΛ X]).
    pub trace: f64,
    /// eᵀWe.
    pub rss: f64,
}

/// The sums while they grow.
struct Sums<'a> {
    statistics: &'a CrossProducts,
    factor: &'a Factor,
    selected: &'a SelectedInverse,
    beta: &'a [f64],
    /// b = Λu of each term.
    effects: Vec<Vec<f64>>,
    /// ZᵀWe of each term.
    cross: Vec<Vec<f64>>,
    /// XᵀWe.
    fixed_cross: DVector<f64>,
    log_det: Vec<Vec<f64>>,
    trace: f64,
    /// A column of a block.
    half: Vec<f64>,
}

impl Score {
    pub fn of(
        statistics: &CrossProducts,
        factor: &Factor,
        selected: &SelectedInverse,
        products: &Products,
        response: &ResponseProducts,
    ) -> Self {
        let beta = DVector::from_column_slice(factor.rotated_coefficients());
        let widths = statistics.widths();
        let mut sums = Sums {
            statistics,
            factor,
            selected,
            beta: beta.as_slice(),
            effects: (0..widths.len()).map(|t| modes(factor, t)).collect(),
            cross: response.effects.clone(),
            fixed_cross: &response.fixed - &products.gram * &beta,
            log_det: widths.iter().map(|&q| vec![0.0; q * q]).collect(),
            trace: products.gram.dot(selected.coefficients()),
            half: vec![0.0; widths.iter().copied().max().unwrap_or(0)],
        };
        for t in 0..widths.len() {
            sums.add_fixed(t, &products.fixed[t]);
            sums.add_diagonal(t, &products.diagonal[t]);
        }
        for (k, pairs) in statistics.pairs().iter().enumerate() {
            sums.add_pairs(pairs, &products.pairs[k], selected.pairs(k));
        }
        sums.finish(response)
    }
}

/// Λu of a term, q values per level.
fn modes(factor: &Factor, term: usize) -> Vec<f64> {
    let lambda = factor.lambda(term);
    let q = lambda.nrows();
    let mut modes = vec![0.0; factor.effects(term).len()];
    for (b, u) in modes
        .chunks_exact_mut(q)
        .zip(factor.effects(term).chunks_exact(q))
    {
        multiply_add(b, lambda.as_slice(), u, 1.0);
    }
    modes
}

/// Adds `factor` times A x for a column-major A.
#[inline(always)]
fn multiply_add(to: &mut [f64], a: &[f64], x: &[f64], factor: f64) {
    let rows = to.len();
    for (column, x) in a.chunks_exact(rows).zip(x) {
        let x = factor * x;
        to.iter_mut().zip(column).for_each(|(to, a)| *to += a * x);
    }
}

/// Adds `factor` times Aᵀ x for a column-major A.
#[inline(always)]
fn multiply_add_transposed(to: &mut [f64], a: &[f64], x: &[f64], factor: f64) {
    for (to, column) in to.iter_mut().zip(a.chunks_exact(x.len())) {
        let sum: f64 = column.iter().zip(x).map(|(a, x)| a * x).sum();
        *to += factor * sum;
    }
}

impl Sums<'_> {
    /// Blocks of a term with the fixed effects.
    fn add_fixed(&mut self, t: usize, fixed: &[f64]) {
        let (q, p) = (self.statistics.widths()[t], self.beta.len());
        let inverse = self.selected.fixed(t);
        let lists = self.statistics.fixed_lists(t);
        let mut products = vec![0.0; q * q];
        for level in 0..self.statistics.levels()[t] {
            let count = lists.map_or(p, |lists| lists.range(level).len());
            let b = &self.effects[t][level * q..][..q];
            let cross = &mut self.cross[t][level * q..][..q];
            for k in 0..count {
                // Dense blocks are p × q, those of a sparse X have q values for each column.
                let (first, step, column) = match lists {
                    Some(lists) => {
                        let at = lists.starts[level] + k;
                        (at * q, 1, lists.indices[at] as usize)
                    }
                    None => (level * q * p + k, p, k),
                };
                let mut along = 0.0;
                for a in 0..q {
                    let x = fixed[first + a * step];
                    along += x * b[a];
                    cross[a] -= x * self.beta[column];
                    for c in 0..q {
                        products[c * q + a] += x * inverse[first + c * step];
                    }
                }
                self.fixed_cross[column] -= along;
            }
        }
        let lambda = self.factor.lambda(t).as_slice();
        self.trace += inner(lambda, &products);
        self.log_det[t]
            .iter_mut()
            .zip(&products)
            .for_each(|(sum, x)| *sum += x);
    }

    /// Blocks of the levels of a term with themselves.
    fn add_diagonal(&mut self, t: usize, diagonal: &[f64]) {
        let q = self.statistics.widths()[t];
        let lambda = self.factor.lambda(t).as_slice();
        let half = &mut self.half[..q];
        let inverse = self.selected.diagonal(t).chunks_exact(q * q);
        for (level, (a, s)) in diagonal.chunks_exact(q * q).zip(inverse).enumerate() {
            let b = &self.effects[t][level * q..][..q];
            multiply_add(&mut self.cross[t][level * q..][..q], a, b, -1.0);
            for (to, s) in self.log_det[t].chunks_exact_mut(q).zip(s.chunks_exact(q)) {
                half.fill(0.0);
                multiply_add(half, lambda, s, 1.0);
                multiply_add(to, a, half, 1.0);
            }
        }
    }

    /// Blocks of the levels of two terms that occur together.
    fn add_pairs(&mut self, pairs: &Pairs, values: &[f64], inverse: &[f64]) {
        let (first, second) = (pairs.first, pairs.second);
        let (qa, qb) = (
            self.statistics.widths()[first],
            self.statistics.widths()[second],
        );
        let left = self.factor.lambda(first).as_slice();
        let right = self.factor.lambda(second).as_slice();
        let size = qa * qb;
        for level in 0..self.statistics.levels()[first] {
            for e in pairs.range(level) {
                let other = pairs.levels[e] as usize;
                let a = &values[e * size..][..size];
                let s = &inverse[e * size..][..size];
                let (mine, theirs) = (
                    &self.effects[first][level * qa..][..qa],
                    &self.effects[second][other * qb..][..qb],
                );
                multiply_add(&mut self.cross[first][level * qa..][..qa], a, theirs, -1.0);
                let cross = &mut self.cross[second][other * qb..][..qb];
                multiply_add_transposed(cross, a, mine, -1.0);
                // A Λ_b Sᵀ, column by column.
                let half = &mut self.half[..qb];
                for (c, to) in self.log_det[first].chunks_exact_mut(qa).enumerate() {
                    half.fill(0.0);
                    for (m, column) in right.chunks_exact(qb).enumerate() {
                        let s = s[m * qa + c];
                        half.iter_mut().zip(column).for_each(|(h, l)| *h += l * s);
                    }
                    multiply_add(to, a, half, 1.0);
                }
                // Aᵀ Λ_a S.
                let half = &mut self.half[..qa];
                let columns = self.log_det[second]
                    .chunks_exact_mut(qb)
                    .zip(s.chunks_exact(qa));
                for (to, s) in columns {
                    half.fill(0.0);
                    multiply_add(half, left, s, 1.0);
                    multiply_add_transposed(to, a, half, 1.0);
                }
            }
        }
    }

    fn finish(self, response: &ResponseProducts) -> Score {
        // tr(S [ZΛ X]ᵀW[ZΛ X]) = Σ_t <Λ_t, (ZᵀW[ZΛ X] S)_tt> and the part of X.
        let mut trace = self.trace;
        // eᵀWe = yᵀWe - βᵀXᵀWe - bᵀZᵀWe.
        let beta = DMatrix::from_column_slice(self.beta.len(), 1, self.beta);
        let mut rss = response.square - beta.dot(&response.fixed) - beta.dot(&self.fixed_cross);
        let mut residual = Vec::new();
        for (t, effects) in self.effects.iter().enumerate() {
            let q = self.statistics.widths()[t];
            trace += inner(self.factor.lambda(t).as_slice(), &self.log_det[t]);
            rss -= inner(effects, &response.effects[t]) + inner(effects, &self.cross[t]);
            let mut products = vec![0.0; q * q];
            let levels = self.cross[t]
                .chunks_exact(q)
                .zip(self.factor.effects(t).chunks_exact(q));
            for (cross, u) in levels {
                for (column, u) in products.chunks_exact_mut(q).zip(u) {
                    column
                        .iter_mut()
                        .zip(cross)
                        .for_each(|(to, r)| *to += r * u);
                }
            }
            residual.push(products);
        }
        Score {
            log_det: self.log_det,
            residual,
            trace,
            rss,
        }
    }
}

/// Σ a b.
fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
