//! The E-step: expected complete-data statistics and the log-likelihood, exactly or by quasi-Monte Carlo.
//!
//! The latent selections alone are integrated: y_M given them is normal (see [`pattern`](super::pattern)). The
//! statistics are those of the errors e = z − XΘ at the parameters of the step, not of z, so that nothing cancels near
//! the maximum.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::block::{Block, Posterior};
use super::columns::{dot, dots};
use super::data::Data;
use super::layout::{Layout, Parameters};
use super::regressors::blocks;
use crate::error::Result;
use crate::normal::orthant::Integration;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Expected statistics of the errors e of all rows, which have weights w.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    pub log_likelihood: f64,
    /// Σ w.
    pub weight: f64,
    /// Of each design Σ w x E[e]', p_j × 2J, x the kept columns.
    pub cross: Vec<DMatrix<f64>>,
    /// Σ w E[e e'], 2J × 2J.
    pub second: DMatrix<f64>,
}

impl Merge for Statistics {
    fn merge(&mut self, other: Self) {
        self.log_likelihood += other.log_likelihood;
        self.weight += other.weight;
        for (cross, other) in self.cross.iter_mut().zip(other.cross) {
            *cross += other;
        }
        self.second += other.second;
    }
}

impl Statistics {
    /// Those of no rows.
    pub fn zeros(layout: &Layout) -> Self {
        let errors = layout.components();
        let widths = (0..errors).map(|component| layout.kept(component).len());
        Statistics {
            log_likelihood: 0.0,
            weight: 0.0,
            cross: widths.map(|p| DMatrix::zeros(p, errors)).collect(),
            second: DMatrix::zeros(errors, errors),
        }
    }

    /// Adds Σ w x E[e]' of `rows`, with w E[e] in 2J columns of [`BLOCK_ROWS`].
    pub(crate) fn add_cross(
        &mut self,
        data: &Data,
        layout: &Layout,
        rows: Range<usize>,
        weighted_errors: &[f64],
    ) {
        let mut sums = vec![0.0; layout.components()];
        for (component, cross) in self.cross.iter_mut().enumerate() {
            for (k, &column) in layout.kept(component).iter().enumerate() {
                let x = data.column(component, column, rows.clone());
                sums.fill(0.0);
                dots(x, weighted_errors, BLOCK_ROWS, &mut sums);
                let to = cross.row_mut(k);
                to.into_iter().zip(&sums).for_each(|(to, sum)| *to += sum);
            }
        }
    }
}

/// The E-step at `at`.
///
/// # Errors
/// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) when Ω is not;
/// [`Error::Argument`](crate::Error::Argument) when `how` cannot serve J; [`Error::Numerical`](crate::Error::Numerical)
/// when a log-likelihood is not finite.
pub fn expect(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    threads: usize,
) -> Result<Statistics> {
    let posterior = Posterior::new(data, layout, at, how)?;
    map_merge(data.n, threads, |rows| shard(&posterior, rows))
}

fn shard(posterior: &Posterior, rows: Range<usize>) -> Result<Statistics> {
    let (data, layout) = (posterior.data, posterior.layout);
    let (errors, j) = (data.components(), data.equations);
    let mut block = Block::new(j);
    let mut statistics = Statistics::zeros(layout);
    let mut weighted = vec![0.0; errors * BLOCK_ROWS];
    // Of each pattern Σ w and Σ w V.
    let mut weights = vec![0.0; posterior.patterns.len()];
    let mut variances = vec![DVector::<f64>::zeros(j * j); posterior.patterns.len()];
    for rows in blocks(rows) {
        posterior.moments(rows.clone(), &mut block)?;
        for group in &block.groups {
            let sum = variances[group.pattern].as_mut_slice();
            for position in group.positions.clone() {
                let weight = data.weight(block.row(position));
                weights[group.pattern] += weight;
                let variance = block.variance(position).iter();
                sum.iter_mut()
                    .zip(variance)
                    .for_each(|(sum, v)| *sum += weight * v);
            }
        }
        weigh(data, &rows, &block.errors, &mut weighted);
        let log_likelihood = &block.log_likelihood[..rows.len()];
        statistics.log_likelihood += match data.weights {
            None => log_likelihood.iter().sum::<f64>(),
            Some(weights) => dot(log_likelihood, &weights[rows.clone()]),
        };
        statistics.add_cross(data, layout, rows.clone(), &weighted);
        for a in 0..errors {
            let weighted = &weighted[a * BLOCK_ROWS..][..rows.len()];
            let to = &mut statistics.second.as_mut_slice()[a * errors..][a..errors];
            dots(weighted, &block.errors[a * BLOCK_ROWS..], BLOCK_ROWS, to);
        }
    }
    crate::linalg::mirror(&mut statistics.second);
    for ((pattern, &weight), variance) in posterior.patterns.iter().zip(&weights).zip(variances) {
        let spread = pattern.spread();
        let variance = variance.reshape_generic(nalgebra::Dyn(j), nalgebra::Dyn(j));
        statistics.second += &spread * variance * spread.transpose() + &pattern.residual * weight;
    }
    statistics.weight = weights.iter().sum();
    Ok(statistics)
}

/// w E[e] of a block, in columns.
fn weigh(data: &Data, rows: &Range<usize>, errors: &[f64], weighted: &mut [f64]) {
    let Some(weights) = data.weights else {
        weighted.copy_from_slice(errors);
        return;
    };
    let weights = &weights[rows.clone()];
    let columns = errors.chunks_exact(BLOCK_ROWS);
    for (to, errors) in weighted.chunks_exact_mut(BLOCK_ROWS).zip(columns) {
        let products = errors.iter().zip(weights).map(|(e, w)| e * w);
        to.iter_mut().zip(products).for_each(|(to, x)| *to = x);
    }
}
