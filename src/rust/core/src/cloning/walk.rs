//! Random walks on some coordinates, scaled by the curvature at the mode.

use std::ops::Range;

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::linalg::{cholesky, inverse_spd};

/// The share of accepted proposals that a walk in several dimensions should have (Roberts, Gelman and Gilks 1997).
const TARGET: f64 = 0.3;

/// The largest standard deviation of a coordinate that a scale is taken from: logarithms do not vary more unless
/// the data say nothing.
const WIDEST: f64 = 3.0;

/// Where the posterior is thought to be, and how wide. Samplers are exact whatever it says; they are fast where it
/// is right to an order of magnitude.
#[derive(Debug, Clone, PartialEq)]
pub struct Guide {
    /// Unconstrained vector.
    pub w: Vec<f64>,
    /// Its covariance.
    pub covariance: DMatrix<f64>,
}

impl Guide {
    /// A width of slices for each coordinate: two standard deviations.
    pub fn widths(&self) -> Vec<f64> {
        let variances = self.covariance.diagonal();
        variances
            .iter()
            .map(|&variance| match variance.sqrt() {
                sd if sd.is_finite() && sd > 0.0 => 2.0 * sd.min(WIDEST),
                _ => 1.0,
            })
            .collect()
    }

    /// A root of the covariance of some coordinates given the others; a diagonal one where the covariance matrix is
    /// not one.
    pub fn conditional_root(&self, range: Range<usize>) -> DMatrix<f64> {
        let size = range.len();
        let part = |matrix: &DMatrix<f64>| {
            matrix
                .view((range.start, range.start), (size, size))
                .into_owned()
        };
        let conditional = inverse_spd(&self.covariance).and_then(|all| inverse_spd(&part(&all)));
        let usable = |matrix: &DMatrix<f64>| {
            let mut sizes = matrix
                .diagonal()
                .into_iter()
                .copied()
                .collect::<Vec<f64>>()
                .into_iter();
            sizes.all(|v| v.is_finite() && v.sqrt() <= WIDEST)
        };
        let root = match conditional {
            Ok(covariance) if usable(&covariance) => cholesky(&covariance).ok(),
            _ => None,
        };
        match root {
            Some(root) => root,
            None => {
                let widths = self.widths();
                DMatrix::from_fn(size, size, |i, j| match i == j {
                    true => 0.5 * widths[range.start + i],
                    false => 0.0,
                })
            }
        }
    }
}

/// A random walk whose scale adapts during burn-in.
#[derive(Debug, Clone)]
pub struct Walk {
    range: Range<usize>,
    root: DMatrix<f64>,
    log_scale: f64,
    steps: f64,
    adapting: bool,
}

impl Walk {
    /// A walk of the coordinates `range`.
    pub fn new(guide: &Guide, range: Range<usize>) -> Self {
        let size = range.len().max(1) as f64;
        Walk {
            root: guide.conditional_root(range.clone()),
            range,
            log_scale: (2.38 / size.sqrt()).ln(),
            steps: 0.0,
            adapting: true,
        }
    }

    /// Takes a step.
    pub fn propose(&self, w: &mut [f64], rng: &mut ChaCha8Rng) {
        let scale = self.log_scale.exp();
        let to = &mut w[self.range.clone()];
        for column in self.root.column_iter() {
            let noise = scale * rng.sample::<f64, _>(StandardNormal);
            to.iter_mut()
                .zip(column.iter())
                .for_each(|(x, l)| *x += noise * l);
        }
    }

    /// Learns from the log acceptance ratio of a step (Robbins and Monro).
    pub fn adapt(&mut self, log_ratio: f64) {
        if self.adapting {
            self.steps += 1.0;
            let acceptance = if log_ratio.is_nan() {
                0.0
            } else {
                log_ratio.min(0.0).exp()
            };
            self.log_scale += (acceptance - TARGET) * 2.0 / self.steps.powf(0.6);
        }
    }

    /// No more learning.
    pub fn settle(&mut self) {
        self.adapting = false;
    }
}
