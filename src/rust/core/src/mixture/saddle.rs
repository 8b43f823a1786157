//! Is the point where EM stopped a maximum?
//!
//! EM stops wherever the score is zero. Where components coincide it can stay for ever, whatever the data
//! (equal starts in section 3 of sources/1), and at a saddle it crawls. The smallest share of information (see
//! [`crate::mixture::inference::information`]) tells: where it is negative the likelihood rises.
//!
//! It is found without the information matrix, by Lanczos' method on products of that matrix with a vector,
//! each a central difference of the score over two E-steps. So the check costs some tens of E-steps, in
//! memory or in chunks.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::em::Status;
use crate::error::Result;
use crate::linalg;
use crate::mixture::inference::information::FLAT_INFORMATION;
use crate::mixture::inference::Chart;
use crate::mixture::known::Known;
use crate::mixture::model::Mixture;
use crate::mixture::stats::MixtureStats;
use crate::rng::stream;

/// Share of information (see [`crate::mixture::inference::information`]) below which the likelihood counts as
/// rising away from the fit.
pub const NEGATIVE_SHARE: f64 = -1e-5;

/// Distance in standard deviations, and relative difference of covariances, below which two components are
/// one.
pub const COINCIDENCE: f64 = 1e-3;

/// Lengths of the steps tried along a rising direction, in standard deviations per row.
const STEPS: [f64; 4] = [0.03, 0.1, 0.3, 1.0];

/// Length of the step of a difference, in standard deviations per row: its error is about its square.
const DIFFERENCE: f64 = 1e-4;

/// Most products of Lanczos' method, each of two E-steps.
const MAX_PRODUCTS: usize = 30;

/// Fewest products: most shares are near one, and a first product may see no others.
const MIN_PRODUCTS: usize = 12;

/// Relative accuracy of the smallest share at which Lanczos' method stops.
const ACCURACY: f64 = 0.02;

/// Absolute accuracy of the differences, below which nothing is resolved.
const RESOLUTION: f64 = 1e-6;

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

    /// Examines the fit `mixture`, where `expect` takes the sufficient statistics, second moments included, at
    /// any mixture.
    ///
    /// # Errors
    /// Those of [`Chart::new`] and of `expect`.
    pub fn new(
        mixture: &Mixture,
        known: &Known,
        expect: &mut dyn FnMut(&Mixture) -> Result<MixtureStats>,
    ) -> Result<Self> {
        let chart = Chart::new(mixture, known)?;
        let here = expect(mixture)?;
        let (smallest_share, direction) = smallest_share(&chart, &here, expect)?;
        let mut stationarity = Stationarity {
            smallest_share,
            coinciding: coinciding(mixture)?,
            restart: None,
        };
        let mut candidates = Vec::new();
        if stationarity.is_saddle() {
            candidates.extend(along(&chart, &direction, here.total_weight));
        }
        if known.means.is_none() {
            for &(a, b) in &stationarity.coinciding {
                candidates.extend(splits(mixture, a - 1, b - 1)?);
            }
        }
        for candidate in candidates {
            // A candidate may be too far out to have a density everywhere; the others remain.
            let Ok(there) = expect(&candidate) else {
                continue;
            };
            let gain = there.log_lik - here.log_lik;
            let best = stationarity.restart.as_ref();
            if gain.is_finite() && best.is_none_or(|best| gain > best.gain) {
                stationarity.restart = Some(Restart {
                    mixture: candidate,
                    gain,
                });
            }
        }
        Ok(stationarity)
    }
}

/// Smallest eigenvalue of C⁻¹ I and its direction v, vᵀ C v = 1 (1 and 0 when nothing is free).
fn smallest_share(
    chart: &Chart,
    here: &MixtureStats,
    expect: &mut dyn FnMut(&Mixture) -> Result<MixtureStats>,
) -> Result<(f64, DVector<f64>)> {
    let complete = chart.complete_information(&here.counts, here.total_weight);
    let least = FLAT_INFORMATION * here.total_weight;
    let scale = complete.map(|c| if c > least { 1.0 / c.sqrt() } else { 0.0 });
    let free = scale.iter().filter(|s| **s > 0.0).count();
    let mut lanczos = Lanczos::new(&scale);
    for products in 1..=free.min(MAX_PRODUCTS) {
        let Some(vector) = lanczos.next() else {
            break;
        };
        let moved = information_product(chart, here, &vector.component_mul(&scale), expect)?;
        lanczos.push(moved.component_mul(&scale));
        let (share, residual) = lanczos.smallest()?;
        if products >= MIN_PRODUCTS && residual < (ACCURACY * share.abs()).max(RESOLUTION) {
            break;
        }
    }
    let (share, direction) = lanczos.eigenvector()?;
    Ok((share, direction.component_mul(&scale)))
}

/// −∂²ℓ/∂φ² v at φ = 0.
fn information_product(
    chart: &Chart,
    here: &MixtureStats,
    v: &DVector<f64>,
    expect: &mut dyn FnMut(&Mixture) -> Result<MixtureStats>,
) -> Result<DVector<f64>> {
    let step = DIFFERENCE * here.total_weight.sqrt();
    let mut score_at = |signed: f64| {
        let moved = chart.mixture((v * signed).as_slice())?;
        chart.score(&expect(&moved)?, &moved)
    };
    // The score is carried back to the tangent space at the fit; what the space turns meanwhile is the bend.
    let mut product = (score_at(-step)? - score_at(step)?) / (2.0 * step);
    let mut bend = DVector::zeros(v.len());
    let gradients = chart.covariance_gradients(here, chart.origin())?;
    for (component, gradient) in gradients.iter().enumerate() {
        chart.add_bend(component, gradient, v.as_slice(), bend.as_mut_slice());
    }
    product -= bend;
    Ok(product)
}

/// Lanczos' method with full reorthogonalisation.
struct Lanczos {
    basis: Vec<DVector<f64>>,
    diagonal: Vec<f64>,
    off_diagonal: Vec<f64>,
    next: Option<DVector<f64>>,
}

impl Lanczos {
    /// Starts from a fixed random vector over the coordinates with a positive scale.
    fn new(scale: &DVector<f64>) -> Self {
        let mut rng = stream(0, 0);
        let start = scale.map(|s| {
            let draw = rng.sample::<f64, _>(StandardNormal);
            if s > 0.0 {
                draw
            } else {
                0.0
            }
        });
        Lanczos {
            basis: Vec::new(),
            diagonal: Vec::new(),
            off_diagonal: Vec::new(),
            next: start.try_normalize(0.0),
        }
    }

    /// The vector whose product is wanted.
    fn next(&mut self) -> Option<DVector<f64>> {
        let vector = self.next.take()?;
        self.basis.push(vector.clone());
        Some(vector)
    }

    /// Takes the product with the last basis vector.
    fn push(&mut self, mut product: DVector<f64>) {
        let Some(last) = self.basis.last() else {
            return;
        };
        self.diagonal.push(product.dot(last));
        for _ in 0..2 {
            for vector in &self.basis {
                let overlap = product.dot(vector);
                product.axpy(-overlap, vector, 1.0);
            }
        }
        self.off_diagonal.push(product.norm());
        // What is left below the accuracy of the differences is not a direction.
        self.next = product.try_normalize(RESOLUTION);
    }

    /// Smallest Ritz value and a bound of its error.
    fn smallest(&self) -> Result<(f64, f64)> {
        let (share, weights) = self.ritz()?;
        let beta = self.off_diagonal.last().copied().unwrap_or(0.0);
        let last = weights.iter().next_back().copied().unwrap_or(0.0);
        Ok((share, (beta * last).abs()))
    }

    fn eigenvector(&self) -> Result<(f64, DVector<f64>)> {
        let (share, weights) = self.ritz()?;
        let size = self
            .next
            .as_ref()
            .or(self.basis.first())
            .map_or(0, DVector::len);
        let mut vector = DVector::zeros(size);
        for (part, weight) in self.basis.iter().zip(weights.iter()) {
            vector.axpy(*weight, part, 1.0);
        }
        Ok((share, vector))
    }

    fn ritz(&self) -> Result<(f64, DVector<f64>)> {
        let m = self.diagonal.len();
        let Some(last) = m.checked_sub(1) else {
            return Ok((1.0, DVector::zeros(0)));
        };
        let mut tridiagonal = DMatrix::zeros(m, m);
        for i in 0..m {
            tridiagonal[(i, i)] = self.diagonal[i];
            if i > 0 {
                tridiagonal[(i, i - 1)] = self.off_diagonal[i - 1];
                tridiagonal[(i - 1, i)] = self.off_diagonal[i - 1];
            }
        }
        let (values, vectors) = linalg::symmetric_eigen(&tridiagonal)?;
        Ok((values[last], vectors.column(last).into_owned()))
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

/// The status of a point that is not a maximum; `None` if nothing speaks against it.
pub fn saddle_status(rises: bool, coinciding: &[(usize, usize)]) -> Option<Status> {
    let message = match coinciding.first() {
        Some((a, b)) => format!("components {a} and {b} coincide"),
        None if rises => "the log-likelihood rises in some direction".into(),
        None => return None,
    };
    Some(Status::Saddle { message })
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
    let share = if total > 0.0 {
        mixture.weights[a] / total
    } else {
        0.5
    };
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
