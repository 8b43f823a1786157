//! Where the statistics come from: rows in memory, rows with holes, or rows somebody else holds.
//!
//! EM needs nothing of the data but [`Source`]. So one model serves a matrix, a file read in chunks, and
//! workers that send back sums.

use super::data::Data;
use super::expect;
use super::missing::{expect_missing, Patterns};
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
