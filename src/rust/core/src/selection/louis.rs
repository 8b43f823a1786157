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
//! Everything is in the naturals. With u = Ω⁻¹e the score of row i is x_a u_a for the coefficients of component a,
//! u_j e_j/σ_j − 1/σ_j and the like for σ_j, σ_a σ_b u_a u_b − const for ρ(a, b).

use std::ops::Range;

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;

use super::chains::{Chains, Machine, Row, Rows, Visitor};
use super::expect::Statistics;
use super::gram::Gram;
use super::layout::{Layout, Parameters};
use crate::error::Result;
use crate::linalg::{inverse_spd, mirror};
use crate::shard::BLOCK_ROWS;

/// −Σ E[H_i], K × K, from the statistics of an E-step at `at`.
///
/// # Errors
/// [`crate::Error::NotPositiveDefinite`] when Ω is not.
pub fn complete_information(
    statistics: &Statistics,
    gram: &Gram,
    layout: &Layout,
    at: &Parameters,
) -> Result<DMatrix<f64>> {
    let precision = inverse_spd(&at.omega)?;
    let slopes = slopes(layout, at);
    let first = layout.coefficients();
    let mut information = DMatrix::zeros(layout.len(), layout.len());
    for a in 0..layout.components() {
        for b in 0..=a {
            let block = gram.block(a, b) * precision[(a, b)];
            let (rows, columns) = (layout.range(a), layout.range(b));
            information
                .view_mut((rows.start, columns.start), (rows.len(), columns.len()))
                .copy_from(&block);
        }
    }
    let second = &precision * &statistics.second * &precision;
    for (x, slope) in slopes.iter().enumerate() {
        let turned = &precision * slope * &precision;
        for a in 0..layout.components() {
            let column = &statistics.cross[a] * turned.column(a);
            let range = layout.range(a);
            let mut row = information.view_mut((first + x, range.start), (1, range.len()));
            row.tr_copy_from(&column);
        }
        // P S P Ω_ξ P, symmetric in the trace with Ω_η.
        let spread = &second * slope * &precision;
        for (y, other) in slopes.iter().enumerate().take(x + 1) {
            information[(first + x, first + y)] =
                spread.dot(other) - 0.5 * statistics.weight * turned.dot(other);
        }
    }
    for (x, y, curvature) in curvatures(layout, at) {
        let excess = second.dot(&curvature) - statistics.weight * precision.dot(&curvature);
        information[(first + x.max(y), first + x.min(y))] -= 0.5 * excess;
    }
    mirror(&mut information);
    Ok(information)
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

impl Chains {
    /// Σ Var(s_i), K × K, from `sweeps` draws of every row at `at`.
    ///
    /// # Errors
    /// As [`Chains::draw`].
    pub fn missing_information(
        &mut self,
        rows: Rows,
        at: &Parameters,
        sweeps: usize,
        machine: &mut Machine,
    ) -> Result<DMatrix<f64>> {
        let constants = self.constants(rows.data, at)?;
        let precision = inverse_spd(&at.omega)?;
        let half = sweeps.div_ceil(2).max(1);
        let visitor = || Variances::new(rows, at, &precision, half);
        let shards = self.pass(rows, at, &constants, machine, visitor)?;
        let size = rows.layout.len();
        let zero = DMatrix::zeros(size, size);
        let mut sum = shards.into_iter().fold(zero, |sum, shard| sum + shard.sum);
        mirror(&mut sum);
        Ok(sum)
    }
}

/// Variances of the rows' scores.
///
/// The draws of a row fall into two halves with means m₁, m₂. The scatter about the common mean lacks the variance of that
/// mean, which ¼(m₁ − m₂)(m₁ − m₂)' estimates whatever the autocorrelation of the chain; together they are unbiased but
/// for the covariance of the halves, which falls with the square of the number of draws.
struct Variances<'a> {
    rows: Rows<'a>,
    precision: &'a DMatrix<f64>,
    /// Standard deviations of the errors.
    sigmas: Vec<f64>,
    /// Sweeps of each half.
    half: usize,
    /// Lower triangle of Σ w Var(s_i).
    sum: DMatrix<f64>,
    /// Variances of the units of each row of the block.
    block: Vec<DMatrix<f64>>,
    weights: Vec<f64>,
    draw: Draw,
}

/// A draw of a row: its errors and the units of its score, u and the derivatives by Ω's parameters.
#[derive(Debug)]
struct Draw {
    known: Vec<f64>,
    rest: Vec<f64>,
    errors: Vec<f64>,
    units: DVector<f64>,
}

impl<'a> Variances<'a> {
    fn new(rows: Rows<'a>, at: &Parameters, precision: &'a DMatrix<f64>, half: usize) -> Self {
        let (errors, parameters) = (rows.layout.components(), rows.layout.len());
        let units = errors + parameters - rows.layout.coefficients();
        Variances {
            rows,
            precision,
            sigmas: at.omega.diagonal().iter().map(|v| v.sqrt()).collect(),
            half,
            sum: DMatrix::zeros(parameters, parameters),
            block: Vec::with_capacity(BLOCK_ROWS),
            weights: Vec::with_capacity(BLOCK_ROWS),
            draw: Draw {
                known: Vec::new(),
                rest: Vec::new(),
                errors: vec![0.0; errors],
                units: DVector::zeros(units),
            },
        }
    }

    /// The units of the newest draw of a row.
    fn units(&mut self, row: &mut Row, rng: &mut ChaCha8Rng) {
        let Draw {
            known,
            rest,
            errors,
            units,
        } = &mut self.draw;
        let conditional = row.conditional;
        known.clear();
        known.extend_from_slice(row.observed);
        known.extend(row.walker.errors().take(conditional.drawn.len()));
        rest.resize(conditional.rest.len(), 0.0);
        conditional.complete(known, rest);
        conditional.disturb(rest, rng);
        for (&component, &error) in conditional.components().zip(known.iter().chain(&*rest)) {
            errors[component] = error;
        }
        let size = errors.len();
        let (u, by_omega) = units.as_mut_slice().split_at_mut(size);
        for (u, column) in u.iter_mut().zip(self.precision.column_iter()) {
            *u = column.iter().zip(&*errors).map(|(p, e)| p * e).sum();
        }
        let (by_sigma, by_correlation) = by_omega.split_at_mut(size / 2);
        for (j, slope) in by_sigma.iter_mut().enumerate() {
            *slope = u[j] * errors[j] / self.sigmas[j];
        }
        for (slope, (a, b)) in by_correlation.iter_mut().zip(self.rows.layout.pairs()) {
            *slope = self.sigmas[a] * self.sigmas[b] * u[a] * u[b];
        }
    }
}

impl Visitor for Variances<'_> {
    fn row(&mut self, mut row: Row, rng: &mut ChaCha8Rng) {
        let size = self.draw.units.len();
        // About the first draw: digits are kept where a row's units are far from zero.
        self.units(&mut row, rng);
        let origin = self.draw.units.clone();
        let mut second = DMatrix::zeros(size, size);
        let mut means = [(); 2].map(|()| DVector::zeros(size));
        for mean in &mut means {
            for _ in 0..self.half {
                row.walker.sweep(row.conditional, 1, rng);
                self.units(&mut row, rng);
                self.draw.units -= &origin;
                *mean += &self.draw.units;
                add_square(&mut second, &self.draw.units);
            }
            *mean /= self.half as f64;
        }
        second /= 2.0 * self.half as f64;
        let [first, last] = means;
        // Scatter about the mean m, plus ¼(m₁ − m₂)(m₁ − m₂)': together less ½(m₁m₂' + m₂m₁').
        second.ger(-0.5, &first, &last, 1.0);
        second.ger(-0.5, &last, &first, 1.0);
        self.block.push(second);
        self.weights.push(row.weight);
    }

    /// Spreads the variances of the units over the parameters.
    fn block(&mut self, rows: Range<usize>) {
        let Rows { data, layout } = self.rows;
        let (errors, first) = (layout.components(), layout.coefficients());
        let mut values = vec![0.0; first];
        for ((number, second), weight) in rows.zip(self.block.drain(..)).zip(self.weights.drain(..))
        {
            for component in 0..errors {
                let columns = layout.range(component).zip(layout.kept(component));
                for (to, &column) in columns {
                    values[to] = data.designs[component].columns[column * data.n + number];
                }
            }
            for a in 0..errors {
                for k in layout.range(a) {
                    for b in 0..=a {
                        let factor = weight * values[k] * second[(a, b)];
                        for l in layout.range(b) {
                            self.sum[(k, l)] += factor * values[l];
                        }
                    }
                    for x in 0..second.nrows() - errors {
                        self.sum[(first + x, k)] += weight * values[k] * second[(errors + x, a)];
                    }
                }
            }
            for x in 0..second.nrows() - errors {
                for y in 0..=x {
                    self.sum[(first + x, first + y)] += weight * second[(errors + x, errors + y)];
                }
            }
        }
    }
}

/// Adds x x' to the lower triangle.
fn add_square(sum: &mut DMatrix<f64>, x: &DVector<f64>) {
    let size = x.len();
    let columns = sum.as_mut_slice().chunks_exact_mut(size);
    for (k, column) in columns.enumerate() {
        let entries = column[k..].iter_mut().zip(&x.as_slice()[k..]);
        entries.for_each(|(sum, value)| *sum += x[k] * value);
    }
}
