//! Is the point where EM stopped a maximum?
//!
//! EM stops wherever the score is zero. Where components coincide it can stay for ever, whatever the data
//! (equal starts in section 3 of sources/1), and at a saddle it crawls. The observed information tells: a
//! negative eigenvalue is a direction in which the likelihood rises.

use nalgebra::{DMatrix, DVector};

use crate::error::Result;
use crate::linalg;
use crate::mixture::data::Data;
use crate::mixture::inference::chart::Chart;
use crate::mixture::inference::score::ScoreStats;
use crate::mixture::inference::Inference;
use crate::mixture::known::Known;
use crate::mixture::model::Mixture;

/// Share of information (see [`crate::mixture::inference::information`]) below which the likelihood counts as
/// rising away from the fit.
pub const NEGATIVE_SHARE: f64 = -1e-6;

/// Distance in standard deviations, and relative difference of covariances, below which two components are
/// one.
pub const COINCIDENCE: f64 = 1e-3;

/// Lengths of the steps tried along a rising direction, in standard deviations per row.
const STEPS: [f64; 4] = [0.03, 0.1, 0.3, 1.0];

/// How far apart the means of coinciding components are put, in standard deviations.
const SPLIT: f64 = 1.0;

/// What is known about the point.
#[derive(Debug, Clone)]
pub struct Stationarity {
    /// Smallest share of information; negative at a saddle.
    pub smallest_share: f64,
    /// Pairs of components (1-based, smaller first) with the same mean and covariance.
    pub coinciding: Vec<(usize, usize)>,
    /// Where to start again, when the point is a saddle or components coincide and something free can move
    /// them apart.
    pub restart: Option<Restart>,
}

/// A point off the saddle.
#[derive(Debug, Clone)]
pub struct Restart {
    pub mixture: Mixture,
    /// Its log-likelihood minus the saddle's. Positive along a rising direction; EM may have to climb first
    /// where coinciding components were pulled apart.
    pub gain: f64,
}

impl Stationarity {
    /// Whether the likelihood rises in some direction.
    pub fn is_saddle(&self) -> bool {
        self.smallest_share < NEGATIVE_SHARE
    }

    /// Examines the fit `mixture` of `data`: one pass for the information, and a few for the restart when it
    /// is needed.
    ///
    /// # Errors
    /// Those of [`Inference::new`].
    pub fn new(data: &Data, mixture: &Mixture, known: &Known, threads: usize) -> Result<Self> {
        let inference = Inference::new(data, mixture, known, threads)?;
        let spectrum = inference.spectrum()?;
        let coinciding = coinciding(mixture)?;
        let last = spectrum.shares.len().checked_sub(1);
        let mut stationarity = Stationarity {
            smallest_share: last.map_or(1.0, |last| spectrum.shares[last]),
            coinciding,
            restart: None,
        };
        let mut candidates = Vec::new();
        if let (true, Some(last)) = (stationarity.is_saddle(), last) {
            let direction = spectrum.directions.column(last).into_owned();
            candidates.extend(along(inference.chart(), &direction, inference.stats().total_weight));
        }
        if known.means.is_none() {
            for &(a, b) in &stationarity.coinciding {
                candidates.extend(splits(mixture, a - 1, b - 1)?);
            }
        }
        let here = inference.stats().log_lik;
        for candidate in candidates {
            // A candidate may be too far out to have a density everywhere; the others remain.
            let Ok(there) = log_lik(data, &candidate, threads) else {
                continue;
            };
            let gain = there - here;
            if stationarity.restart.as_ref().is_none_or(|best| gain > best.gain) {
                stationarity.restart = Some(Restart {
                    mixture: candidate,
                    gain,
                });
            }
        }
        Ok(stationarity)
    }
}

/// Points on both sides along a direction of unit complete information.
fn along(chart: &Chart, direction: &DVector<f64>, total_weight: f64) -> Vec<Mixture> {
    STEPS
        .iter()
        .flat_map(|step| [*step, -step])
        .filter_map(|step| {
            let phi = direction * (step * total_weight.sqrt());
            chart.mixture(phi.as_slice()).ok()
        })
        .collect()
}

/// Pairs of components (1-based, smaller first) with the same mean and covariance.
///
/// # Errors
/// [`crate::Error::NotPositiveDefinite`].
pub fn coinciding(mixture: &Mixture) -> Result<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    let d = mixture.dim();
    for a in 0..mixture.components() {
        let lower = linalg::cholesky(&mixture.covariances[a])?;
        let inverse = linalg::inverse_lower(&lower);
        for b in a + 1..mixture.components() {
            let distance = (&inverse * (mixture.means.column(b) - mixture.means.column(a))).norm();
            let relative = &inverse * &mixture.covariances[b] * inverse.transpose();
            let difference = (relative - DMatrix::identity(d, d)).amax();
            if distance < COINCIDENCE && difference < COINCIDENCE {
                pairs.push((a + 1, b + 1));
            }
        }
    }
    Ok(pairs)
}

/// Two components pulled apart along each axis of their covariance, their common mean kept.
fn splits(mixture: &Mixture, a: usize, b: usize) -> Result<Vec<Mixture>> {
    let (values, axes) = linalg::symmetric_eigen(&mixture.covariances[a])?;
    let total = mixture.weights[a] + mixture.weights[b];
    let share = if total > 0.0 { mixture.weights[a] / total } else { 0.5 };
    Ok((0..mixture.dim())
        .map(|j| {
            let apart = axes.column(j) * (SPLIT * values[j].max(0.0).sqrt());
            let mut split = mixture.clone();
            split.means.column_mut(a).axpy(1.0 - share, &apart, 1.0);
            split.means.column_mut(b).axpy(-share, &apart, 1.0);
            split
        })
        .collect())
}

fn log_lik(data: &Data, mixture: &Mixture, threads: usize) -> Result<f64> {
    let everything = Known {
        weights: Some(mixture.weights.clone()),
        means: Some(mixture.means.clone()),
        covariances: Some(mixture.covariances.clone()),
    };
    Ok(ScoreStats::new(data, &Chart::new(mixture, &everything)?, threads)?.log_lik)
}
