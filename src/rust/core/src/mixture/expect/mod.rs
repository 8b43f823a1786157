//! The E-step: rows in, sufficient statistics out, in one pass.
//!
//! Blocks of rows stay in the cache while each component whitens them (y = L_k⁻¹(x − μ_k) with a triangular
//! inverse), log-densities become responsibilities, and first and second moments of y are added up. Nothing of
//! size n × K is stored. `components` prepares the parameters and chooses the kernels, `pass` walks the blocks,
//! `posterior` normalises; `small`, `tiled`, `axes` and `logit` are the kernels. `given` uses them where the
//! responsibilities are known.

mod axes;
mod block;
mod components;
pub(super) mod given;
mod logit;
mod pass;
mod posterior;
mod small;
mod tiled;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Mutex;

use super::data::Data;
use super::model::Mixture;
use super::moments::TotalScatter;
use super::stats::MixtureStats;
use crate::error::{Error, Result};
use crate::shard::{map_merge, shards, Merge};
use crate::simd::{dispatch, Isa};
use block::Scratch;
use components::Components;
use pass::{Output, Pass, Posterior, Statistics};

/// One E-step at `mixture`: its sufficient statistics and the log-likelihood, on `threads` threads (the same
/// bits on any number of them).
///
/// With `total`, the scatter of all rows of the fit (`data` may be a chunk of them), pooled models without noise
/// take first moments only, unless the components are so tight that [`moments`](super::moments::moments) would
/// lose digits; then, and without `total`, second moments are there too.
///
/// # Errors
/// [`Error::NotPositiveDefinite`] when a covariance is not; [`Error::Numerical`] when the log-likelihood is not
/// finite, because some row is too far from every component for its distance to be a number.
pub fn expect(
    data: &Data,
    mixture: &Mixture,
    total: Option<&TotalScatter>,
    threads: usize,
) -> Result<MixtureStats> {
    expect_on(Isa::best(), data, mixture, total, threads)
}

/// [`expect`] on a given instruction set, for tests and benchmarks.
#[doc(hidden)]
pub fn expect_on(
    isa: Isa,
    data: &Data,
    mixture: &Mixture,
    total: Option<&TotalScatter>,
    threads: usize,
) -> Result<MixtureStats> {
    check_columns(data, mixture)?;
    let components = Components::new(mixture, total)?;
    let pool = Pool::new(&components);
    map_merge(data.rows(), threads, |rows| {
        let mut stats = pool.stats();
        Scratch::with(&components, |scratch| {
            let pass = Pass {
                data,
                components: &components,
                rows,
                scratch,
            };
            dispatch(isa, Statistics(pass, &mut stats));
        });
        if stats.log_lik.is_finite() {
            Ok(Part { stats, pool: &pool })
        } else {
            Err(not_finite())
        }
    })
    .map(|whole| whole.stats)
}

/// Statistics of some shards; their memory goes back to the pool when they are merged.
struct Part<'a> {
    stats: MixtureStats,
    pool: &'a Pool<'a>,
}

impl Merge for Part<'_> {
    fn merge(&mut self, other: Self) {
        self.stats.add(&other.stats);
        other.pool.put_stats(other.stats);
    }
}

/// Posterior probabilities, n × K (n × (K + 1) with noise, which comes last), column-major, into `posterior`.
///
/// # Errors
/// As [`expect`]; [`Error::Argument`] when `posterior` has another length.
pub fn responsibilities(
    data: &Data,
    mixture: &Mixture,
    threads: usize,
    posterior: &mut [f64],
) -> Result<()> {
    let terms = mixture.components() + usize::from(mixture.noise.is_some());
    check_length("posterior", posterior.len(), data.rows() * terms)?;
    posterior_pass(data, mixture, threads, Some(posterior), None)
}

/// Log-density of every row under the mixture into `out` (length n); row weights are not applied.
///
/// # Errors
/// As [`expect`]; [`Error::Argument`] when `out` has another length.
pub fn log_density(data: &Data, mixture: &Mixture, threads: usize, out: &mut [f64]) -> Result<()> {
    check_length("out", out.len(), data.rows())?;
    posterior_pass(data, mixture, threads, None, Some(out))
}

/// Fills whichever of the two outputs is there.
fn posterior_pass(
    data: &Data,
    mixture: &Mixture,
    threads: usize,
    posterior: Option<&mut [f64]>,
    log_density: Option<&mut [f64]>,
) -> Result<()> {
    check_columns(data, mixture)?;
    let components = Components::new(mixture, None)?;
    let shards = shards(data.rows());
    let outputs = split(&shards, data.rows(), posterior, log_density);
    let shard_rows = shards[0].len();
    map_merge(data.rows(), threads, |rows| {
        // Each shard has its own output, so the lock is never contended and never poisoned.
        let mut output = outputs[rows.start / shard_rows]
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let finite = Scratch::with(&components, |scratch| {
            let pass = Pass {
                data,
                components: &components,
                rows,
                scratch,
            };
            dispatch(Isa::best(), Posterior(pass, &mut output))
        });
        if finite {
            Ok(Done)
        } else {
            Err(not_finite())
        }
    })
    .map(|Done| ())
}

/// What is left of a pass that writes its results.
struct Done;

impl Merge for Done {
    fn merge(&mut self, _other: Self) {}
}

/// Cuts the outputs, columns of n rows, at the bounds of the shards.
fn split<'a>(
    shards: &[Range<usize>],
    n: usize,
    posterior: Option<&'a mut [f64]>,
    log_density: Option<&'a mut [f64]>,
) -> Vec<Mutex<Output<'a>>> {
    let columns = posterior.into_iter().flat_map(|p| p.chunks_exact_mut(n));
    let mut columns: Vec<&mut [f64]> = columns.collect();
    let mut log_density = log_density;
    let mut outputs = Vec::with_capacity(shards.len());
    for shard in shards {
        let mut cut = |column: &mut &'a mut [f64]| {
            let (own, rest) = std::mem::take(column).split_at_mut(shard.len());
            *column = rest;
            own
        };
        outputs.push(Mutex::new(Output {
            posterior: columns.iter_mut().map(&mut cut).collect(),
            log_density: log_density.as_mut().map(&mut cut),
        }));
    }
    outputs
}

/// Statistics for the threads at work, so that shards do not allocate.
struct Pool<'a> {
    components: &'a Components,
    stats: Mutex<Vec<MixtureStats>>,
}

impl<'a> Pool<'a> {
    fn new(components: &'a Components) -> Self {
        Pool {
            components,
            stats: Mutex::new(Vec::new()),
        }
    }

    /// Statistics of no rows.
    fn stats(&self) -> MixtureStats {
        match self.stats.lock().ok().and_then(|mut idle| idle.pop()) {
            Some(mut stats) => {
                stats.clear();
                stats
            }
            None => self.components.empty_stats(),
        }
    }

    fn put_stats(&self, stats: MixtureStats) {
        if let Ok(mut idle) = self.stats.lock() {
            idle.push(stats);
        }
    }
}

fn check_columns(data: &Data, mixture: &Mixture) -> Result<()> {
    if data.columns() == mixture.dim() && mixture.components() > 0 {
        return Ok(());
    }
    Err(Error::Argument {
        argument: "x",
        message: format!(
            "must have {} columns, one per dimension of the mixture, not {}",
            mixture.dim(),
            data.columns()
        ),
    })
}

fn check_length(argument: &'static str, length: usize, want: usize) -> Result<()> {
    if length == want {
        return Ok(());
    }
    Err(Error::Argument {
        argument,
        message: format!("must have length {want}, not {length}"),
    })
}

fn not_finite() -> Error {
    Error::Numerical {
        message: "the log-likelihood is not finite: some row is too far from every component"
            .into(),
    }
}
