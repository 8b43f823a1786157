//! Where the statistics come from: rows in memory, rows with holes, or rows somebody else holds.
//!
//! EM needs nothing of the data but [`Source`]. So one model serves a matrix, a file read in chunks, and
//! workers that send back sums.

use super::data::Data;
use super::entropy::icl;
use super::expect;
use super::missing::{expect_missing, log_density_missing, responsibilities_missing, Patterns};
use super::model::Mixture;
use super::moments::{moments, TotalScatter};
use super::stats::{MixtureStats, Moments};
use crate::error::{Error, Result};

/// Anything that can take the sufficient statistics of its rows at given parameters.
pub trait Source {
    /// E-step over all rows of the source.
    fn expect(&mut self, mixture: &Mixture) -> Result<MixtureStats>;

    /// The moments of `stats`, which were taken at `mixture`.
    fn moments(&mut self, stats: &MixtureStats, mixture: &Mixture) -> Result<Moments> {
        moments(stats, mixture, None)
    }
}

impl<F: FnMut(&Mixture) -> Result<MixtureStats>> Source for F {
    fn expect(&mut self, mixture: &Mixture) -> Result<MixtureStats> {
        self(mixture)
    }
}

/// Rows whose probabilities are held at once for [`Memory::icl`].
const ICL_ROWS: usize = 16_384;

/// Rows in memory, complete or with missing values.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    pub data: &'a Data<'a>,
    /// Missingness patterns; `None` when every cell is observed.
    pub patterns: Option<&'a Patterns>,
    /// Lets pooled models do with first moments; `None` forces full statistics.
    pub total: Option<&'a TotalScatter>,
    pub threads: usize,
}

impl Source for Memory<'_> {
    fn expect(&mut self, mixture: &Mixture) -> Result<MixtureStats> {
        match self.patterns {
            Some(patterns) => expect_missing(self.data, patterns, mixture, self.threads),
            None => expect::expect(self.data, mixture, self.total, self.threads),
        }
    }

    fn moments(&mut self, stats: &MixtureStats, mixture: &Mixture) -> Result<Moments> {
        match moments(stats, mixture, self.total) {
            // The components became too tight for first moments to tell their scatter.
            Err(Error::Numerical { .. }) if self.total.is_some() => {
                self.total = None;
                let stats = self.expect(mixture)?;
                moments(&stats, mixture, None)
            }
            result => result,
        }
    }
}

impl Memory<'_> {
    /// Posterior probabilities, n × K (K + 1 with noise, the last column), column-major.
    pub fn responsibilities(&self, mixture: &Mixture) -> Result<Vec<f64>> {
        let columns = mixture.components() + usize::from(mixture.noise.is_some());
        let mut posterior = vec![0.0; self.data.rows() * columns];
        match self.patterns {
            Some(patterns) => {
                let (data, threads) = (self.data, self.threads);
                responsibilities_missing(data, patterns, mixture, threads, &mut posterior)?;
            }
            None => expect::responsibilities(self.data, mixture, self.threads, &mut posterior)?,
        }
        Ok(posterior)
    }

    /// Log density of every row; of its observed cells where some are missing.
    pub fn log_density(&self, mixture: &Mixture) -> Result<Vec<f64>> {
        let mut density = vec![0.0; self.data.rows()];
        match self.patterns {
            Some(patterns) => {
                let (data, threads) = (self.data, self.threads);
                log_density_missing(data, patterns, mixture, threads, &mut density)?;
            }
            None => expect::log_density(self.data, mixture, self.threads, &mut density)?,
        }
        Ok(density)
    }

    /// ICL of `mixture`, whose BIC is `bic` (see [`super::entropy::icl`]), a block of rows at a time: the
    /// probabilities of all rows would take more memory than the rows.
    pub fn icl(&self, mixture: &Mixture, bic: f64) -> Result<f64> {
        if mixture.components() == 1 && mixture.noise.is_none() {
            return Ok(bic);
        }
        let (n, d) = (self.data.rows(), self.data.columns());
        let mut sum = bic;
        for start in (0..n).step_by(ICL_ROWS) {
            let rows = start..(start + ICL_ROWS).min(n);
            let weights = self.data.weights().map(|weights| &weights[rows.clone()]);
            if weights.is_some_and(|weights| weights.iter().all(|&weight| weight == 0.0)) {
                continue;
            }
            let columns = (0..d).map(|j| &self.data.column(j)[rows.clone()]);
            let cells: Vec<f64> = columns.flatten().copied().collect();
            let block = Data::new(&cells, rows.len(), d, weights)?;
            let patterns = self.patterns.map(|_| Patterns::new(&block));
            let memory = Memory {
                data: &block,
                patterns: patterns.as_ref(),
                total: None,
                threads: 1,
            };
            sum = icl(sum, &memory.responsibilities(mixture)?, rows.len(), weights)?;
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::mixture::model::CovarianceModel;

    #[test]
    fn icl_in_blocks_is_that_of_all_rows() {
        let n = 2 * ICL_ROWS + 77;
        let x: Vec<f64> = (0..n).map(|i| ((i * 37) % 1000) as f64 / 200.0).collect();
        // A block of weight zero in the middle.
        let weights: Vec<f64> = (0..n)
            .map(|i| f64::from(i / ICL_ROWS != 1) * (1 + i % 3) as f64)
            .collect();
        let data = Data::new(&x, n, 1, Some(&weights)).unwrap();
        let mixture = Mixture {
            model: CovarianceModel::V,
            weights: vec![0.3, 0.7],
            means: DMatrix::from_row_slice(1, 2, &[1.0, 3.0]),
            covariances: vec![
                DMatrix::from_element(1, 1, 0.5),
                DMatrix::from_element(1, 1, 2.0),
            ],
            noise: None,
        };
        let memory = Memory {
            data: &data,
            patterns: None,
            total: None,
            threads: 1,
        };
        let posterior = memory.responsibilities(&mixture).unwrap();
        let whole = icl(5.0, &posterior, n, Some(&weights)).unwrap();
        let blocks = memory.icl(&mixture, 5.0).unwrap();
        assert!((whole - blocks).abs() < 1e-9 * whole.abs());
        assert!(whole > 6.0);
    }
}
