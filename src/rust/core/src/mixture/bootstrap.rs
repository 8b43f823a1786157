//! How many components: the likelihood ratio, and what it would be if the smaller model were true.
//!
//! −2 log Λ for k against k + 1 components has no χ² limit, so its distribution is simulated from the fit with
//! k (McLachlan 1987, Applied Statistics 36, 318–324). The statistic is the same function of the data and of
//! the samples, random k-means++ starts included, so the test is exact up to the parameters of the null model
//! even where a fit misses the highest maximum. Trees would find it more often, at several times the cost.

use super::criteria::Criterion;
use super::data::Data;
use super::distribution::simulate;
use super::fit::Fit;
use super::model::CovarianceModel;
use super::problem::{Assumptions, Method, Problem};
use super::search::{PartitionsOf, Search, Starts};
use crate::em::{Flow, Settings};
use crate::error::{Error, Result};
use crate::rng;
use crate::tasks;

/// The two hypotheses, and how they are fitted.
#[derive(Debug, Clone)]
pub struct LikelihoodRatio {
    pub model: CovarianceModel,
    /// Components under the null hypothesis.
    pub k_null: usize,
    /// Components under the alternative, more than `k_null`.
    pub k_alternative: usize,
    /// Starts of each fit.
    pub n_starts: usize,
    pub settings: Settings,
    pub seed: u64,
    pub threads: usize,
}

/// The observed ratio and its simulated distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapTest {
    /// 2 (log L_alternative − log L_null) of the data.
    pub statistic: f64,
    /// The same of every simulated sample; NaN where a model could not be fitted. Fewer than asked for if the
    /// user stopped before.
    pub replicates: Vec<f64>,
}

impl LikelihoodRatio {
    /// Fits both models to `data` and to `asked` samples of its size drawn from the smaller one.
    ///
    /// Sample b depends on the seed and b alone, so threads do not change the answer. `monitor(done)` returns
    /// `false` to stop.
    ///
    /// # Errors
    /// [`Error::Degenerate`] when one of the models has no fit to the data themselves; [`Error::Interrupted`]
    /// when stopped before the first sample was done.
    pub fn bootstrap(
        &self,
        data: &Data,
        asked: usize,
        monitor: &mut dyn FnMut(usize) -> bool,
    ) -> Result<BootstrapTest> {
        let go_on = &mut || monitor(0);
        let null = self.fit(data, self.k_null, self.seed, go_on)?;
        let statistic = self.statistic(data, &null, self.seed, go_on)?;
        let samples = tasks::run(
            asked,
            self.threads,
            |b, stop| {
                let go_on = &mut || !stop.is_raised();
                let rows = data.rows();
                let mut stream = rng::stream(self.seed, b as u64 + 1);
                let sample = simulate(&null.mixture, rows, None, &mut stream)?;
                let data = Data::new(sample.x.as_slice(), rows, data.columns(), None)?;
                let seed = self.seed.wrapping_add(b as u64 + 1);
                let null = self.fit(&data, self.k_null, seed, go_on)?;
                self.statistic(&data, &null, seed, go_on)
            },
            monitor,
        );
        let finished = samples
            .into_iter()
            .flatten()
            .filter(|sample| !matches!(sample, Err(Error::Interrupted)));
        let replicates: Vec<f64> = finished.map(|sample| sample.unwrap_or(f64::NAN)).collect();
        if replicates.is_empty() && asked > 0 {
            return Err(Error::Interrupted);
        }
        Ok(BootstrapTest {
            statistic,
            replicates,
        })
    }

    /// The ratio for rows whose null fit is `null`. The larger model contains the smaller, so it is at least 0.
    fn statistic(
        &self,
        data: &Data,
        null: &Fit,
        seed: u64,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<f64> {
        let alternative = self.fit(data, self.k_alternative, seed, go_on)?;
        let gain = alternative.criteria.log_lik - null.criteria.log_lik;
        Ok((2.0 * gain).max(0.0))
    }

    fn fit(
        &self,
        data: &Data,
        k: usize,
        seed: u64,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Fit> {
        let problem = Problem::new(data, Assumptions::default(), 1)?;
        let moments = problem.partitions(&[k], Method::Kmeans, self.n_starts, seed)?;
        let partitions = moments
            .into_iter()
            .map(|moments| PartitionsOf { k, moments });
        let search = Search {
            problem: &problem,
            models: vec![self.model],
            starts: Starts::Partitions(partitions.collect()),
            leave_saddles: false,
            criterion: Criterion::Bic,
            settings: self.settings.clone(),
        };
        let mut stopped = false;
        let found = search.run(&mut |_| {
            stopped |= !go_on();
            if stopped {
                Flow::Stop
            } else {
                Flow::Continue
            }
        })?;
        if stopped {
            return Err(Error::Interrupted); // what it reached is not the maximum
        }
        let reason = found.table.first().map_or("", |cell| cell.status.message());
        found.fit.ok_or_else(|| Error::Degenerate {
            component: 0,
            message: format!("the mixture of {k} components has no fit: {reason}"),
        })
    }
}
