//! What Gibbs draws add up to, and how far chance may have moved it.

use nalgebra::{DMatrix, DVector};

use super::expect::Statistics;
use crate::shard::Merge;

/// Statistics of equally long batches of successive draws, shard by shard, at one set of parameters.
///
/// Rows are independent, so the variance of a sum over rows is the sum of the shards' variances, each estimated by the
/// scatter of its batch means. Batches that are long enough are nearly independent of each other; all that is kept is
/// one set of statistics for each shard and batch, however many rows and draws there are.
#[derive(Debug)]
pub struct Draws {
    /// Sweeps of a batch.
    length: usize,
    /// Averages over the sweeps of a batch, at least one batch in each shard.
    shards: Vec<Vec<Statistics>>,
}

impl Draws {
    pub fn new(length: usize, shards: Vec<Vec<Statistics>>) -> Self {
        Draws { length, shards }
    }

    /// Batches.
    pub fn batches(&self) -> usize {
        self.shards.first().map_or(0, Vec::len)
    }

    /// Sweeps of all batches, G.
    pub fn sweeps(&self) -> usize {
        self.length * self.batches()
    }

    /// Adds later batches of the same length, drawn at the same parameters.
    pub fn append(&mut self, later: Draws) {
        for (shard, later) in self.shards.iter_mut().zip(later.shards) {
            shard.extend(later);
        }
    }

    /// The E-step: averages over all draws, summed over rows. `None` without rows or draws.
    pub fn statistics(&self) -> Option<Statistics> {
        let batches = self.shards.iter().flatten().cloned();
        let mut total = batches.reduce(|mut total, next| {
            total.merge(next);
            total
        })?;
        let share = (self.batches() as f64).recip();
        total.weight *= share;
        total.second *= share;
        total.cross.iter_mut().for_each(|cross| *cross *= share);
        Some(total)
    }

    /// Covariance matrix of an affine function of [`Draws::statistics`], by batch means. The constant of the function
    /// may depend on the shard. NaN with a single batch.
    pub fn covariance(&self, function: impl Fn(&Statistics) -> DVector<f64>) -> DMatrix<f64> {
        let batches = self.batches() as f64;
        let mut scatter: Option<DMatrix<f64>> = None;
        for shard in &self.shards {
            let values: Vec<DVector<f64>> = shard.iter().map(&function).collect();
            let Some(sum) = values.iter().cloned().reduce(|a, b| a + b) else {
                continue;
            };
            let mean = sum / batches;
            let scatter = scatter.get_or_insert_with(|| DMatrix::zeros(mean.len(), mean.len()));
            for value in &values {
                let from = value - &mean;
                scatter.ger(1.0, &from, &from, 1.0);
            }
        }
        scatter.unwrap_or_default() / (batches * (batches - 1.0))
    }
}
