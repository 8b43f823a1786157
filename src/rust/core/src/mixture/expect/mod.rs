//! The E-step: rows in, sufficient statistics out.

mod reference;

use super::data::Data;
use super::model::Mixture;
use super::moments::TotalScatter;
use super::stats::MixtureStats;
use crate::error::Result;
use crate::shard::map_merge;

/// One E-step at `mixture`: its sufficient statistics and the log-likelihood, on `threads` threads.
///
/// With `total`, pooled models without noise take first moments only (see [`TotalScatter`]).
pub fn expect(
    data: &Data,
    mixture: &Mixture,
    _total: Option<&TotalScatter>,
    threads: usize,
) -> Result<MixtureStats> {
    map_merge(data.rows(), threads, |rows| {
        let columns: Vec<f64> = (0..data.columns())
            .flat_map(|j| data.column(j)[rows.clone()].iter().copied())
            .collect();
        let weights = data.weights().map(|w| &w[rows.clone()]);
        let part = Data::new(&columns, rows.len(), data.columns(), weights)?;
        Ok(reference::expect(&part, mixture))
    })
}

/// Posterior probabilities, n × K (K + 1 with noise, which comes last), column-major, into `posterior`.
pub fn responsibilities(
    data: &Data,
    mixture: &Mixture,
    _threads: usize,
    posterior: &mut [f64],
) -> Result<()> {
    for i in 0..data.rows() {
        let (_, r) = reference::posterior(data, mixture, i);
        for (k, r) in r.into_iter().enumerate() {
            posterior[k * data.rows() + i] = r;
        }
    }
    Ok(())
}

/// Log-density of every row under the mixture, row weights not applied, into `out` (length n).
pub fn log_density(data: &Data, mixture: &Mixture, _threads: usize, out: &mut [f64]) -> Result<()> {
    for (i, out) in out.iter_mut().enumerate() {
        *out = reference::posterior(data, mixture, i).0;
    }
    Ok(())
}
