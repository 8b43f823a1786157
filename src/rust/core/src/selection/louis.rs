//! Louis's observed information, (18) of Li (2014), row by row.
//!
//! With s_i the score and H_i the Hessian of row i's complete data,
//!
//! ```text
//! I = −Σ_i E[H_i] − Σ_i Var(s_i)
//! ```
//!
//! over the hidden values given what is observed. Rows are independent, so the variance is that of each row: pooling the
//! draws of all rows first, as one reads (18), leaves a matrix that need not be positive definite.
//!
//! The identity holds for any complete data. Here they are the observed outcomes and the latent selections, K = (O, V):
//! missing outcomes, integrated out, would add as much to the first term as to the second, and noise. In the naturals,
//! with u = Ω_KK⁻¹e_K, zero for the missing outcomes, the score of row i is
//!
//! ```text
//! x_a u_a for the coefficients of a,   u_j e_j/σ_j − const for σ_j,   σ_a σ_b u_a u_b − const for ρ(a, b):
//! ```
//!
//! a quadratic w₀ + w₁z + w₂z² in the deviation z of one selection from its mean given the others. Its variance is
//! that given the others, by the moments of the truncated normal, plus that of w₀ + w₂E[z²] over the others; each
//! selection of each sweep takes its turn as the one. With one equation nothing is left to chance.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;

use super::chains::{Chains, Machine, Row, Rows, Visitor};
use super::gibbs::{Conditional, Sampler};
use super::layout::{Layout, Parameters};
use crate::error::Result;
use crate::linalg::{inverse_spd, mirror};
use crate::shard::BLOCK_ROWS;

impl Chains {
    /// The observed information at `at`, K × K in the naturals, from `sweeps` draws of every row.
    ///
    /// # Errors
    /// As [`Chains::draw`].
    pub fn information(
        &mut self,
        rows: Rows,
        at: &Parameters,
        sweeps: usize,
        machine: &mut Machine,
    ) -> Result<DMatrix<f64>> {
        let patterns = rows.data.distinct.iter();
        let constants: Vec<Conditional> = patterns
            .map(|&pattern| Conditional::new(&at.omega, pattern, Sampler::Collapsed))
            .collect::<Result<_>>()?;
        let scores = Scores::new(rows, at, &constants)?;
        let half = sweeps.div_ceil(2).max(1);
        let visitor = || Informations::new(&scores, half);
        let shards = self.pass(rows, at, &constants, machine, visitor)?;
        let size = rows.layout.len();
        let zero = DMatrix::zeros(size, size);
        let shards = shards.into_iter().map(Informations::sum);
        let mut sum = shards.fold(zero, |sum, shard| sum + shard);
        mirror(&mut sum);
        Ok(sum)
    }
}

/// What the scores of all rows have in common.
struct Scores<'a> {
    rows: Rows<'a>,
    /// Standard deviations of the errors.
    sigmas: Vec<f64>,
    /// dΩ/dξ of each error parameter ξ, and the second derivatives.
    slopes: Vec<DMatrix<f64>>,
    curvatures: Vec<(usize, usize, DMatrix<f64>)>,
    patterns: Vec<Pattern>,
}

/// Of one pattern.
struct Pattern {
    /// Ω_KK⁻¹ with zeros for the missing outcomes, 2J × 2J.
    precision: DMatrix<f64>,
    /// Ω_KK⁻¹ dΩ/dξ of each ξ.
    turns: Vec<DMatrix<f64>>,
    /// w₂ of each selection.
    curves: Vec<DVector<f64>>,
}

impl<'a> Scores<'a> {
    fn new(rows: Rows<'a>, at: &Parameters, constants: &[Conditional]) -> Result<Self> {
        let layout = rows.layout;
        let slopes = slopes(layout, at);
        let mut scores = Scores {
            rows,
            sigmas: at.omega.diagonal().iter().map(|v| v.sqrt()).collect(),
            curvatures: curvatures(layout, at),
            slopes,
            patterns: Vec::with_capacity(constants.len()),
        };
        for conditional in constants {
            let pattern = scores.pattern(conditional, &at.omega)?;
            scores.patterns.push(pattern);
        }
        Ok(scores)
    }

    fn pattern(&self, of: &Conditional, omega: &DMatrix<f64>) -> Result<Pattern> {
        let known: Vec<usize> = of.observed.iter().chain(&of.drawn).copied().collect();
        let inverse = inverse_spd(&omega.select_rows(&known).select_columns(&known))?;
        let errors = omega.nrows();
        let mut precision = DMatrix::zeros(errors, errors);
        for (x, &a) in known.iter().enumerate() {
            for (y, &b) in known.iter().enumerate() {
                precision[(a, b)] = inverse[(x, y)];
            }
        }
        let curves = of.drawn.iter().map(|&selection| {
            let slope = precision.column(selection);
            let mut curve = DVector::zeros(self.units());
            let pairs = self.rows.layout.pairs();
            for (place, (a, b)) in (errors + errors / 2..).zip(pairs) {
                curve[place] = self.sigmas[a] * self.sigmas[b] * slope[a] * slope[b];
            }
            curve
        });
        Ok(Pattern {
            curves: curves.collect(),
            turns: (self.slopes.iter())
                .map(|slope| &precision * slope)
                .collect(),
            precision,
        })
    }

    /// Number of units of a row's score: 2J values u, then the error parameters.
    fn units(&self) -> usize {
        let layout = self.rows.layout;
        layout.components() + layout.len() - layout.coefficients()
    }

    /// w₀ of a row with errors `errors` (zero for the missing outcomes), and w₁ along `selection`.
    fn units_at(
        &self,
        pattern: &Pattern,
        errors: &[f64],
        selection: usize,
        value: &mut [f64],
        slope: &mut [f64],
    ) {
        let size = errors.len();
        let (u, by_omega) = value.split_at_mut(size);
        for (u, column) in u.iter_mut().zip(pattern.precision.column_iter()) {
            *u = column.iter().zip(errors).map(|(p, e)| p * e).sum();
        }
        let (du, slope_by_omega) = slope.split_at_mut(size);
        let along = pattern.precision.column(selection);
        du.iter_mut().zip(along.iter()).for_each(|(to, p)| *to = *p);
        for j in 0..size / 2 {
            let ratio = errors[j] / self.sigmas[j];
            by_omega[j] = u[j] * ratio;
            slope_by_omega[j] = du[j] * ratio;
        }
        for (place, (a, b)) in (size / 2..).zip(self.rows.layout.pairs()) {
            let scale = self.sigmas[a] * self.sigmas[b];
            by_omega[place] = scale * u[a] * u[b];
            slope_by_omega[place] = scale * (u[a] * du[b] + u[b] * du[a]);
        }
    }
}

/// The information of the rows of a shard.
///
/// The draws of a row fall into two halves with means m₁, m₂. The scatter about the common mean lacks the variance of that
/// mean, which ¼(m₁ − m₂)(m₁ − m₂)' estimates whatever the autocorrelation of the chain; together they are unbiased but
/// for the covariance of the halves, which falls with the square of the number of draws.
struct Informations<'a> {
    scores: &'a Scores<'a>,
    /// Sweeps of each half.
    half: usize,
    /// Lower triangle of the sum.
    sum: DMatrix<f64>,
    /// Σ w and Σ w E[uu'] of each pattern.
    moments: Vec<(f64, DMatrix<f64>)>,
    /// −E[H] − Var(s) in units of each row of the block but for what `moments` give, and weights.
    block: Vec<(f64, DMatrix<f64>)>,
    errors: Vec<f64>,
    value: DVector<f64>,
    slope: DVector<f64>,
}

impl<'a> Informations<'a> {
    fn new(scores: &'a Scores<'a>, half: usize) -> Self {
        let layout = scores.rows.layout;
        let (errors, units, size) = (layout.components(), scores.units(), layout.len());
        let zero = (0.0, DMatrix::zeros(errors, errors));
        Informations {
            scores,
            half,
            sum: DMatrix::zeros(size, size),
            moments: vec![zero; scores.patterns.len()],
            block: Vec::with_capacity(BLOCK_ROWS),
            errors: vec![0.0; errors],
            value: DVector::zeros(units),
            slope: DVector::zeros(units),
        }
    }

    /// Mean and covariance matrix (lower triangle) of the units of a row's score.
    fn variance(&mut self, row: &mut Row, rng: &mut ChaCha8Rng) -> (DVector<f64>, DMatrix<f64>) {
        let pattern = &self.scores.patterns[row.pattern];
        let (size, equations) = (self.value.len(), row.conditional.drawn.len());
        self.errors.fill(0.0);
        for (&component, &error) in row.conditional.observed.iter().zip(row.observed) {
            self.errors[component] = error;
        }
        let mut second = DMatrix::zeros(size, size);
        let mut means = [(); 2].map(|()| DVector::zeros(size));
        // Σ m₃ w₁ and Σ (m₄ − m₂²) of each selection.
        let mut skews = vec![DVector::zeros(size); equations];
        let mut tails = vec![0.0; equations];
        let mut origin = None;
        for mean in &mut means {
            for turn in 0..self.half * equations {
                let k = turn % equations;
                let law = row.walker.law(row.conditional, k);
                let latent = self.errors.iter_mut().skip(equations);
                latent.zip(row.walker.errors()).for_each(|(to, e)| *to = e);
                self.errors[equations + k] = law.mean;
                let (value, slope) = (self.value.as_mut_slice(), self.slope.as_mut_slice());
                let scores = self.scores;
                scores.units_at(pattern, &self.errors, equations + k, value, slope);
                self.value.axpy(law.second, &pattern.curves[k], 1.0);
                // About the first value: digits are kept where a row's units are far from zero.
                let origin = origin.get_or_insert_with(|| self.value.clone());
                self.value -= &*origin;
                *mean += &self.value;
                add_square(&mut second, 1.0, &self.value);
                add_square(&mut second, law.second, &self.slope);
                skews[k].axpy(law.third, &self.slope, 1.0);
                tails[k] += law.fourth - law.second * law.second;
                row.walker.redraw(row.conditional, k, rng);
            }
        }
        for (k, curve) in pattern.curves.iter().enumerate() {
            second.ger(1.0, &skews[k], curve, 1.0);
            second.ger(1.0, curve, &skews[k], 1.0);
            second.ger(tails[k], curve, curve, 1.0);
        }
        let turns = (self.half * equations) as f64;
        second /= 2.0 * turns;
        let [first, last] = means.map(|mean| mean / turns);
        second.ger(-0.5, &first, &last, 1.0);
        second.ger(-0.5, &last, &first, 1.0);
        let mut mean = (first + last) * 0.5;
        if let Some(origin) = origin {
            mean += origin;
        }
        (mean, second)
    }

    /// The sum, with the part of −E[H] of the error parameters, which is linear in E[uu'].
    fn sum(mut self) -> DMatrix<f64> {
        let first = self.scores.rows.layout.coefficients();
        let slopes = &self.scores.slopes;
        for ((weight, second), pattern) in self.moments.iter().zip(&self.scores.patterns) {
            for (x, slope) in slopes.iter().enumerate() {
                let turned = &pattern.turns[x] * &pattern.precision;
                let spread = second * slope * &pattern.precision;
                for (y, other) in slopes.iter().enumerate().take(x + 1) {
                    self.sum[(first + x, first + y)] +=
                        spread.dot(other) - 0.5 * weight * turned.dot(other);
                }
            }
            for (x, y, curvature) in &self.scores.curvatures {
                let excess = second.dot(curvature) - weight * pattern.precision.dot(curvature);
                self.sum[(first + x.max(y), first + x.min(y))] -= 0.5 * excess;
            }
        }
        self.sum
    }
}

impl Visitor for Informations<'_> {
    fn row(&mut self, mut row: Row, rng: &mut ChaCha8Rng) {
        let (mean, mut information) = self.variance(&mut row, rng);
        let pattern = &self.scores.patterns[row.pattern];
        let errors = self.errors.len();
        let slopes = mean.rows(0, errors);
        let (weight, moments) = &mut self.moments[row.pattern];
        *weight += row.weight;
        for a in 0..errors {
            for b in 0..errors {
                let covariance = information[(a.max(b), a.min(b))];
                moments[(a, b)] += row.weight * (covariance + slopes[a] * slopes[b]);
            }
        }
        information.neg_mut();
        let mut corner = information.view_mut((0, 0), (errors, errors));
        corner += &pattern.precision;
        for (x, turn) in pattern.turns.iter().enumerate() {
            let mut to = information.view_mut((errors + x, 0), (1, errors));
            to += (turn * slopes).transpose();
        }
        self.block.push((row.weight, information));
    }

    /// Spreads the information in units over the parameters.
    fn block(&mut self, rows: Range<usize>) {
        let Rows { data, layout } = self.scores.rows;
        let (errors, first) = (layout.components(), layout.coefficients());
        let mut values = vec![0.0; first];
        for (number, (weight, units)) in rows.zip(self.block.drain(..)) {
            for component in 0..errors {
                let columns = layout.range(component).zip(layout.kept(component));
                for (to, &column) in columns {
                    values[to] = data.designs[component].columns[column * data.n + number];
                }
            }
            for a in 0..errors {
                for k in layout.range(a) {
                    let value = weight * values[k];
                    for b in 0..=a {
                        let factor = value * units[(a, b)];
                        for l in layout.range(b) {
                            self.sum[(k, l)] += factor * values[l];
                        }
                    }
                    for x in 0..units.nrows() - errors {
                        self.sum[(first + x, k)] += value * units[(errors + x, a)];
                    }
                }
            }
            for x in 0..units.nrows() - errors {
                for y in 0..=x {
                    self.sum[(first + x, first + y)] += weight * units[(errors + x, errors + y)];
                }
            }
        }
    }
}

/// Adds `factor` x x' to the lower triangle.
fn add_square(sum: &mut DMatrix<f64>, factor: f64, x: &DVector<f64>) {
    let size = x.len();
    let columns = sum.as_mut_slice().chunks_exact_mut(size);
    for (k, column) in columns.enumerate() {
        let scaled = factor * x[k];
        let entries = column[k..].iter_mut().zip(&x.as_slice()[k..]);
        entries.for_each(|(sum, value)| *sum += scaled * value);
    }
}

/// dΩ/dξ for σ of each outcome and each correlation.
fn slopes(layout: &Layout, at: &Parameters) -> Vec<DMatrix<f64>> {
    let omega = &at.omega;
    let errors = layout.components();
    let sigma = |a: usize| omega[(a, a)].sqrt();
    let of_sigma = (0..layout.equations).map(|j| {
        let mut slope = DMatrix::zeros(errors, errors);
        for b in 0..errors {
            slope[(j, b)] += omega[(j, b)] / sigma(j);
            slope[(b, j)] += omega[(j, b)] / sigma(j);
        }
        slope
    });
    let of_correlation = layout.pairs().map(|(a, b)| {
        let mut slope = DMatrix::zeros(errors, errors);
        slope[(a, b)] = sigma(a) * sigma(b);
        slope[(b, a)] = sigma(a) * sigma(b);
        slope
    });
    of_sigma.chain(of_correlation).collect()
}

/// The second derivatives of Ω that are not zero, each pair of parameters of Ω once.
fn curvatures(layout: &Layout, at: &Parameters) -> Vec<(usize, usize, DMatrix<f64>)> {
    let omega = &at.omega;
    let (j, errors) = (layout.equations, layout.components());
    let sigma = |a: usize| omega[(a, a)].sqrt();
    let entry = |a: usize, b: usize, value: f64| {
        let mut curvature = DMatrix::zeros(errors, errors);
        curvature[(a, b)] = value;
        curvature[(b, a)] = value;
        curvature
    };
    let mut curvatures: Vec<_> = (0..j).map(|a| (a, a, entry(a, a, 2.0))).collect();
    for (place, (a, b)) in layout.pairs().enumerate() {
        if b < j {
            curvatures.push((a, b, entry(a, b, omega[(a, b)] / (sigma(a) * sigma(b)))));
        }
        for (of, other) in [(a, b), (b, a)] {
            if of < j {
                curvatures.push((of, j + place, entry(a, b, sigma(other))));
            }
        }
    }
    curvatures
}
