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
use crate::linalg::{inverse_spd, mirror, symmetrized};

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
            let row = information.view_mut((first + x, range.start), (1, range.len()));
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
        let sum = shards.into_iter().fold(zero, |sum, shard| sum + shard.sum);
        Ok(symmetrized(&sum))
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
