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

    /// ICL of `mixture`, whose BIC is `bic` (see [`super::entropy::icl`]).
    pub fn icl(&self, mixture: &Mixture, bic: f64) -> Result<f64> {
        if mixture.components() == 1 && mixture.noise.is_none() {
            return Ok(bic);
        }
        let posterior = self.responsibilities(mixture)?;
        icl(bic, &posterior, self.data.rows(), self.data.weights())
    }
}
