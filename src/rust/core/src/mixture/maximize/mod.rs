//! M-step: parameters that maximise the expected complete-data log-likelihood (plus log prior).
//!
//! Weights and means have closed forms. Given the means, the covariance matrices of all sixteen models
//! maximise
//!
//! ```text
//! -1/2 Σ_k { n_k log|Σ_k| + tr(S_k Σ_k⁻¹) }
//! ```
//!
//! inside their family (Celeux & Govaert 1995), where n_k and the scatter S_k about μ_k already hold what a
//! prior adds. One file per kind of family: `spherical`, `diagonal`, `ellipsoidal` (no axes of their own, so
//! no units either: EEE, VEE, EVV, VVV), `own_orientation` (EEV, VEV), `common_orientation` (EVE, VVE).

mod common_orientation;
mod diagonal;
mod ellipsoidal;
mod own_orientation;
mod plane;
mod quasi_newton;
mod spherical;

use std::borrow::Cow;

use nalgebra::DMatrix;

pub(super) use common_orientation::common_axes;

use super::degeneracy;
use super::model::{CovarianceModel, Mixture, Noise};
use super::prior::Prior;
use super::rules::Rules;
use super::stats::{Moments, Scatter};
use crate::error::{Error, Result};
use crate::linalg::{cholesky, inverse_spd, log_det_cholesky, trace_product};

/// Counts n_k and scatter matrices S_k that the covariance matrices are estimated from. Pooled models have
/// one entry: the sums over components.
struct Evidence<'a> {
    counts: Cow<'a, [f64]>,
    scatters: Cow<'a, [DMatrix<f64>]>,
}

impl Evidence<'_> {
    /// Σ_k n_k.
    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Σ_k S_k.
    fn pooled(&self) -> DMatrix<f64> {
        let d = self.scatters.first().map_or(0, DMatrix::nrows);
        let mut sum = DMatrix::zeros(d, d);
        self.scatters.iter().for_each(|scatter| sum += scatter);
        sum
    }
}

/// The parameters that maximise Q(θ | θ_t) + log prior(θ) under `rules`.
///
/// `previous` is θ_t, where the moments were taken. Models without a closed form start their inner iteration
/// there, so the objective never falls below its value at θ_t.
///
/// # Errors
/// [`Error::Degenerate`] when a component has lost its rows or its covariance matrix collapsed;
/// [`Error::Argument`] when `rules` do not fit the model or the moments lack what the model needs;
/// [`Error::Numerical`] when an eigenvalue decomposition fails.
pub fn maximize(
    moments: &Moments,
    previous: Option<&Mixture>,
    model: CovarianceModel,
    rules: &Rules,
) -> Result<Mixture> {
    let (d, k) = moments.means.shape();
    rules.validate(model, k, d)?;
    degeneracy::check_counts(moments, model, rules)?;
    let (weights, noise) = weights(moments, rules);
    let means = means(moments, rules);
    let covariances = match &rules.known.covariances {
        Some(known) => known.clone(),
        None => {
            let evidence = evidence(moments, &means, model, rules)?;
            let warm = previous.filter(|mixture| mixture.covariances.len() == k);
            let free = covariances(&evidence, warm, model)?;
            raise_to_floor(free, k, model, rules)?
        }
    };
    let mixture = Mixture {
        model,
        weights,
        means,
        covariances,
        noise,
    };
    degeneracy::check_covariances(&mixture, rules)?;
    Ok(mixture)
}

/// Expected complete-data log-likelihood Q(θ | θ_t), prior excluded, of the moments taken at θ_t (the paper,
/// section 3). With noise its constant log density is included.
///
/// NaN when a covariance matrix is not positive definite, or when the moments hold only the pooled scatter
/// and the covariance matrices differ.
pub fn complete_log_lik(moments: &Moments, mixture: &Mixture) -> f64 {
    let d = mixture.dim();
    let constant = d as f64 * (2.0 * std::f64::consts::PI).ln();
    let pooled_scatter = match &moments.scatter {
        Scatter::Pooled(sum) => Some(sum),
        Scatter::PerComponent(_) => None,
    };
    let first = mixture.covariances.first();
    if pooled_scatter.is_some() && mixture.covariances.iter().any(|s| Some(s) != first) {
        return f64::NAN;
    }
    let mut sum = 0.0;
    for (index, sigma) in mixture.covariances.iter().enumerate() {
        let (Ok(lower), Ok(precision)) = (cholesky(sigma), inverse_spd(sigma)) else {
            return f64::NAN;
        };
        let count = moments.counts[index];
        let deviation = moments.means.column(index) - mixture.means.column(index);
        let mut distances = count * deviation.dot(&(&precision * &deviation));
        distances += match (&moments.scatter, index) {
            (Scatter::PerComponent(parts), _) => trace_product(&parts[index], &precision),
            (Scatter::Pooled(sum), 0) => trace_product(sum, &precision),
            (Scatter::Pooled(_), _) => 0.0,
        };
        sum += count_times_log(count, mixture.weights[index]);
        sum -= 0.5 * (count * (constant + log_det_cholesky(&lower)) + distances);
    }
    if let Some(noise) = &mixture.noise {
        sum += count_times_log(moments.noise_count, noise.weight);
        sum += moments.noise_count * noise.log_density;
    }
    sum
}

/// N log p with 0 log 0 = 0.
fn count_times_log(count: f64, probability: f64) -> f64 {
    if count == 0.0 {
        0.0
    } else {
        count * probability.ln()
    }
}

/// N_k / Σ N, or the known weights; the noise component takes what is left.
fn weights(moments: &Moments, rules: &Rules) -> (Vec<f64>, Option<Noise>) {
    let noise = |weight| {
        rules.noise.map(|log_density| Noise {
            weight,
            log_density,
        })
    };
    if let Some(known) = &rules.known.weights {
        return (known.clone(), noise(1.0 - known.iter().sum::<f64>()));
    }
    let noise_count = rules.noise.map_or(0.0, |_| moments.noise_count);
    let total = moments.counts.iter().sum::<f64>() + noise_count;
    let weights = moments.counts.iter().map(|count| count / total).collect();
    (weights, noise(noise_count / total))
}

/// x̄_k, drawn towards the prior mean by κ rows, or the known means.
fn means(moments: &Moments, rules: &Rules) -> DMatrix<f64> {
    if let Some(known) = &rules.known.means {
        return known.clone();
    }
    let mut means = moments.means.clone();
    if let Some(prior) = rules.prior.as_ref().filter(|prior| prior.shrinkage > 0.0) {
        for (index, mut mean) in means.column_iter_mut().enumerate() {
            let share = prior.shrinkage / (prior.shrinkage + moments.counts[index]);
            let step = (&prior.mean - &mean) * share;
            mean += step;
        }
    }
    means
}

/// N_k + c_k and S_k = W_k + N_k δδᵀ + κ εεᵀ + Λ_k, with δ = x̄_k − μ_k and ε = μ_k − μ_p.
fn evidence<'a>(
    moments: &'a Moments,
    means: &DMatrix<f64>,
    model: CovarianceModel,
    rules: &Rules,
) -> Result<Evidence<'a>> {
    let (d, k) = means.shape();
    let mut all = Evidence {
        counts: Cow::Borrowed(&moments.counts),
        scatters: match &moments.scatter {
            Scatter::PerComponent(parts) => Cow::Borrowed(parts),
            Scatter::Pooled(sum) if model.is_pooled() => {
                // The sum is all that counts, so it may stand in the first place.
                let mut parts = vec![DMatrix::zeros(d, d); k];
                parts[0].copy_from(sum);
                Cow::Owned(parts)
            }
            Scatter::Pooled(_) => {
                return Err(Error::Argument {
                    argument: "model",
                    message: format!(
                        "{} needs the scatter of every component, not only their sum",
                        model.name()
                    ),
                })
            }
        },
    };
    if rules.known.means.is_some() || rules.prior.is_some() {
        for (index, scatter) in all.scatters.to_mut().iter_mut().enumerate() {
            let deviation = moments.means.column(index) - means.column(index);
            scatter.ger(moments.counts[index], &deviation, &deviation, 1.0);
        }
    }
    if let Some(prior) = &rules.prior {
        let (counts, scatters) = (all.counts.to_mut(), all.scatters.to_mut());
        add_prior(counts, scatters, means, model, prior, rules);
    }
    if model.is_pooled() {
        let (total, pooled) = (all.total(), all.pooled());
        return Ok(Evidence {
            counts: Cow::Owned(vec![total]),
            scatters: Cow::Owned(vec![pooled]),
        });
    }
    Ok(all)
}

/// Adds the pseudo-data of the prior to counts and scatter matrices.
fn add_prior(
    counts: &mut [f64],
    scatters: &mut [DMatrix<f64>],
    means: &DMatrix<f64>,
    model: CovarianceModel,
    prior: &Prior,
    rules: &Rules,
) {
    let means_known = rules.known.means.is_some();
    let pseudo = prior.pseudo_data(model, counts.len(), means_known);
    for (index, scatter) in scatters.iter_mut().enumerate() {
        counts[index] += pseudo.counts[index];
        *scatter += &pseudo.scatter;
        if !means_known {
            let deviation = means.column(index) - &prior.mean;
            scatter.ger(prior.shrinkage, &deviation, &deviation, 1.0);
        }
    }
}

/// The covariance matrices that maximise the objective above: K of them, or one for a pooled model.
fn covariances(
    evidence: &Evidence,
    previous: Option<&Mixture>,
    model: CovarianceModel,
) -> Result<Vec<DMatrix<f64>>> {
    use CovarianceModel::*;
    let start = previous.map(|mixture| mixture.covariances.as_slice());
    match model {
        E | EII | V | VII => Ok(spherical::variances(evidence)),
        EEI | VVI => Ok(diagonal::free(evidence)),
        EVI => diagonal::equal_volume(evidence),
        VEI => diagonal::equal_shape(evidence, start),
        EEE | VVV => Ok(ellipsoidal::free(evidence)),
        VEE => ellipsoidal::proportional(evidence, start),
        EVV => ellipsoidal::equal_volume(evidence),
        EEV => own_orientation::equal_volume(evidence),
        VEV => own_orientation::variable_volume(evidence, start),
        EVE => common_orientation::maximize(evidence, start, common_orientation::Volume::Equal),
        VVE => common_orientation::maximize(evidence, start, common_orientation::Volume::Variable),
    }
}

/// Applies the floor and hands the one matrix of a pooled model to all K components.
fn raise_to_floor(
    free: Vec<DMatrix<f64>>,
    k: usize,
    model: CovarianceModel,
    rules: &Rules,
) -> Result<Vec<DMatrix<f64>>> {
    let mut raised = free;
    if rules.floor.is_some() {
        raised = (raised.into_iter())
            .map(|sigma| degeneracy::raise_to_floor(sigma, model, rules))
            .collect::<Result<_>>()?;
    }
    if model.is_pooled() {
        let shared = raised.swap_remove(0);
        raised = vec![shared; k];
    }
    Ok(raised)
}
