//! The law of the outcomes that a row does not show, given those it shows and its selections.

use nalgebra::{DMatrix, DMatrixView};

use super::block::{Block, Posterior};
use super::data::Data;
use super::layout::{Layout, Parameters};
use crate::error::Result;
use crate::normal::orthant::Integration;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Moments of all outcomes of every row, row by row: observed ones are themselves, with variance 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// n × J.
    pub expectations: Vec<f64>,
    /// n × J × J.
    pub covariances: Vec<f64>,
}

/// Mean and covariance of the outcomes of every row given what was observed in it: E[y_M] = xβ + E[e_M] and
/// Var[y_M] = T Var[s*] T' + R, the moments of the E-step.
///
/// # Errors
/// As [`super::expect::expect`].
pub fn moments(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    threads: usize,
) -> Result<Moments> {
    let posterior = Posterior::new(data, layout, at, how)?;
    let j = data.equations;
    let spreads: Vec<DMatrix<f64>> = posterior
        .patterns
        .iter()
        .map(|pattern| pattern.spread().rows(0, j).into_owned())
        .collect();
    map_merge(data.n, threads, |rows| {
        let mut block = Block::new(j);
        let mut predictors = vec![0.0; 2 * j * BLOCK_ROWS];
        let mut moments = Moments {
            expectations: vec![0.0; rows.len() * j],
            covariances: vec![0.0; rows.len() * j * j],
        };
        for start in rows.clone().step_by(BLOCK_ROWS) {
            let within = start..(start + BLOCK_ROWS).min(rows.end);
            posterior.moments(within.clone(), &mut block)?;
            super::block::predict(data, layout, at, within.clone(), &mut predictors);
            for i in within {
                let expectations = &mut moments.expectations[(i - rows.start) * j..][..j];
                for (a, expectation) in expectations.iter_mut().enumerate() {
                    *expectation = if data.is_selected(i, a) {
                        data.response[a * data.n + i]
                    } else {
                        let place = a * BLOCK_ROWS + i - start;
                        predictors[place] + block.errors[place]
                    };
                }
            }
            for group in &block.groups {
                let (pattern, spread) =
                    (&posterior.patterns[group.pattern], &spreads[group.pattern]);
                for position in group.positions.clone() {
                    let variance = DMatrixView::from_slice(block.variance(position), j, j);
                    let covariance = spread * variance * spread.transpose()
                        + pattern.residual.view((0, 0), (j, j));
                    let place = (block.row(position) - rows.start) * j * j;
                    moments.covariances[place..][..j * j].copy_from_slice(covariance.as_slice());
                }
            }
        }
        Ok(moments)
    })
}

impl Merge for Moments {
    fn merge(&mut self, other: Self) {
        self.expectations.extend(other.expectations);
        self.covariances.extend(other.covariances);
    }
}
