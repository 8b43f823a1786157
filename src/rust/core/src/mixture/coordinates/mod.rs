//! Parameters as plain numbers, for extrapolation (SQUAREM, Anderson).
//!
//! Every vector of finite numbers that does not overflow is a valid mixture of the same model, so a long step
//! never leaves the family. Coordinates are in units of the spread of the data: a change of units that
//! leaves the model alone shifts them by constants, and step lengths stay the same. They need not be
//! minimal: log-ratios are centred instead of dropping one, so that no component is special.
//!
//! Order: weights (noise last), means, covariances; known parts are left out.

mod covariance;

use nalgebra::DMatrix;

use super::degeneracy;
use super::model::{CovarianceModel, Mixture};
use super::rules::Rules;
use covariance::Writer;

/// Coordinates of `mixture`; `None` when a weight is 0 or a covariance matrix is not positive definite, where
/// they would be infinite.
pub fn flatten(mixture: &Mixture, rules: &Rules) -> Option<Vec<f64>> {
    let units = units(mixture.model, mixture.dim(), rules);
    let mut coordinates = Vec::with_capacity(1 + mixture.parameters() + mixture.means.len());
    if rules.known.weights.is_none() {
        let noise = mixture.noise.iter().map(|noise| noise.weight);
        let weights = mixture.weights.iter().copied().chain(noise);
        coordinates.extend(weights.map(f64::ln));
        centre(&mut coordinates);
    }
    if rules.known.means.is_none() {
        for mean in mixture.means.column_iter() {
            coordinates.extend(mean.iter().zip(&units).map(|(mean, unit)| mean / unit));
        }
    }
    if rules.known.covariances.is_none() {
        let mut writer = Writer {
            units: &units,
            coordinates: &mut coordinates,
        };
        writer.flatten(mixture.model, &mixture.covariances)?;
    }
    coordinates
        .iter()
        .all(|x| x.is_finite())
        .then_some(coordinates)
}

/// The mixture at `coordinates`: the inverse of [`flatten`], with the known parts, the noise density and the
/// shape of `like`. `None` when the length is wrong, a number overflows, a component collapses (see
/// [`degeneracy`]) or the floor of `rules` is broken.
pub fn unflatten(coordinates: &[f64], like: &Mixture, rules: &Rules) -> Option<Mixture> {
    let (k, d) = (like.components(), like.dim());
    let units = units(like.model, d, rules);
    let mut reader = Reader(coordinates);
    let mut noise = like.noise;
    let weights = if rules.known.weights.is_none() {
        let logs = reader.take(k + usize::from(noise.is_some()))?;
        let mut weights = softmax(logs)?;
        if let Some(noise) = &mut noise {
            noise.weight = weights.pop()?;
        }
        weights
    } else {
        like.weights.clone()
    };
    let means = if rules.known.means.is_none() {
        let mut means = DMatrix::from_column_slice(d, k, reader.take(d * k)?);
        for mut mean in means.column_iter_mut() {
            mean.iter_mut()
                .zip(&units)
                .for_each(|(mean, unit)| *mean *= unit);
        }
        means
    } else {
        like.means.clone()
    };
    let covariances = if rules.known.covariances.is_none() {
        let mut covariances = covariance::unflatten(like.model, d, k, &mut reader)?;
        for sigma in &mut covariances {
            covariance::rescale(sigma, |j| units[j]);
        }
        covariances
    } else {
        like.covariances.clone()
    };
    let mixture = Mixture {
        model: like.model,
        weights,
        means,
        covariances,
        noise,
    };
    let finite = mixture.means.iter().all(|x| x.is_finite())
        && degeneracy::check_covariances(&mixture, rules).is_ok()
        && degeneracy::obeys_floor(&mixture, rules);
    (reader.0.is_empty() && finite).then_some(mixture)
}

/// Takes coordinates from the front.
struct Reader<'a>(&'a [f64]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [f64]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

/// The unit of each column: its spread over all rows, as far as the model allows it.
fn units(model: CovarianceModel, d: usize, rules: &Rules) -> Vec<f64> {
    match &rules.spread {
        Some(spread) => spread.units(model),
        None => vec![1.0; d],
    }
}

/// Subtracts their mean from the values, and returns it.
fn centre(values: &mut [f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    mean
}

/// Probabilities proportional to the exponentials of `logs`; `None` if one underflows to 0.
fn softmax(logs: &[f64]) -> Option<Vec<f64>> {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut weights: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
        .iter()
        .all(|&weight| weight > 0.0)
        .then_some(weights)
}
