//! Parameters as plain numbers, for extrapolation (SQUAREM, Anderson).
//!
//! Every vector of finite numbers that does not overflow is a valid mixture of the same model, so a long step
//! never leaves the family. Coordinates are in units of the spread of the data: a change of units that
//! leaves the model alone shifts them by constants, and step lengths stay the same. They need not be
//! minimal: log-ratios are centred instead of dropping one, so that no component is special.
//!
//! Order: weights (noise last), means, covariances; known parts are left out.

mod covariance;

use nalgebra::{DMatrix, DVector};

use super::degeneracy;
use super::model::{CovarianceModel, Mixture};
use super::rules::Rules;

/// Coordinates of `mixture`; `None` when a weight is 0 or a covariance matrix is not positive definite, where
/// they would be infinite.
pub fn flatten(mixture: &Mixture, rules: &Rules) -> Option<Vec<f64>> {
    let units = units(mixture.model, mixture.dim(), rules);
    let mut coordinates = Vec::new();
    if rules.known.weights.is_none() {
        let noise = mixture.noise.iter().map(|noise| noise.weight);
        let weights = mixture.weights.iter().copied().chain(noise);
        coordinates.extend(centred(weights.map(f64::ln).collect()));
    }
    if rules.known.means.is_none() {
        for mean in mixture.means.column_iter() {
            coordinates.extend(mean.component_div(&units).iter());
        }
    }
    if rules.known.covariances.is_none() {
        let inverse = units.map(|unit| 1.0 / unit);
        let standardized: Vec<_> = (mixture.covariances.iter())
            .map(|sigma| rescaled(sigma, &inverse))
            .collect();
        coordinates.extend(covariance::flatten(mixture.model, &standardized)?);
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
    let mut mixture = like.clone();
    if rules.known.weights.is_none() {
        let logs = reader.take(k + usize::from(like.noise.is_some()))?;
        let mut weights = softmax(logs)?;
        if let Some(noise) = &mut mixture.noise {
            noise.weight = weights.pop()?;
        }
        mixture.weights = weights;
    }
    if rules.known.means.is_none() {
        let means = DMatrix::from_column_slice(d, k, reader.take(d * k)?);
        mixture.means = DMatrix::from_diagonal(&units) * means;
    }
    if rules.known.covariances.is_none() {
        let standardized = covariance::unflatten(like.model, d, k, &mut reader)?;
        mixture.covariances = (standardized.iter())
            .map(|sigma| rescaled(sigma, &units))
            .collect();
    }
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

/// Standard deviations of all rows where the model allows each column its own units, else their common size.
fn units(model: CovarianceModel, d: usize, rules: &Rules) -> DVector<f64> {
    match &rules.spread {
        Some(spread) => DVector::from_vec(spread.units(model)),
        None => DVector::repeat(d, 1.0),
    }
}

/// diag(scale) Σ diag(scale).
fn rescaled(sigma: &DMatrix<f64>, scale: &DVector<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(sigma.nrows(), sigma.ncols(), |i, j| {
        scale[i] * sigma[(i, j)] * scale[j]
    })
}

/// The values minus their mean.
fn centred(mut values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    values
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
