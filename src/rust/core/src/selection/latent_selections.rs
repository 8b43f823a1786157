//! Draws of the latent selections of a row: a normal vector restricted to an orthant.
//!
//! Components are proposed one after the other, each truncated given those before it, and the vector is accepted with
//! the probability that is left, ∏ Φ (the weights of Geweke, Hajivassiliou and Keane are at most 1): accepted vectors
//! have exactly the law sought. Where acceptance is rare, a Gibbs sampler goes on from a proposal chosen by its weight.

use nalgebra::{Cholesky, DMatrix};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::normal::truncated;
use crate::normal::univariate::cdf;

/// Proposals before the Gibbs sampler takes over.
const PROPOSALS: usize = 1000;
/// Sweeps of the Gibbs sampler.
const SWEEPS: usize = 200;

/// s* ~ N(m, C) with signs q.
#[derive(Debug, Clone)]
pub(super) struct LatentSelections {
    signs: Vec<f64>,
    /// Lower triangular root of C.
    root: DMatrix<f64>,
    /// C⁻¹.
    precision: DMatrix<f64>,
}

impl LatentSelections {
    /// # Errors
    /// [`Error::NotPositiveDefinite`] when `covariance` is singular.
    pub fn new(covariance: &DMatrix<f64>, signs: &[f64]) -> Result<Self> {
        let factor = Cholesky::new(covariance.clone());
        let factor = factor.ok_or(Error::NotPositiveDefinite { pivot: 0 })?;
        Ok(LatentSelections {
            signs: signs.to_vec(),
            precision: factor.inverse(),
            root: factor.unpack(),
        })
    }

    /// One draw into `draw`; `proposal` is room for as many values.
    pub fn draw(&self, mean: &[f64], rng: &mut ChaCha8Rng, proposal: &mut [f64], draw: &mut [f64]) {
        let mut total = 0.0;
        for _ in 0..PROPOSALS {
            let weight = self.propose(mean, rng, proposal);
            total += weight;
            let u: f64 = rng.random();
            // With probability weight / total: the last of the proposals kept so has probability ∝ its weight.
            if u * total < weight || total == 0.0 {
                draw.copy_from_slice(proposal);
            }
            let accept: f64 = rng.random();
            if accept < weight {
                draw.copy_from_slice(proposal);
                return;
            }
        }
        for _ in 0..SWEEPS {
            self.sweep(mean, rng, draw);
        }
    }

    /// Truncated components one after the other; returns the probability left to those after the first.
    fn propose(&self, mean: &[f64], rng: &mut ChaCha8Rng, proposal: &mut [f64]) -> f64 {
        let mut weight = 1.0;
        for k in 0..mean.len() {
            let deviation = self.root[(k, k)];
            // `proposal` holds the standardised errors until all are drawn.
            let shift: f64 = (0..k).map(|l| self.root[(k, l)] * proposal[l]).sum();
            let centre = mean[k] + shift;
            if k > 0 {
                weight *= cdf(self.signs[k] * centre / deviation);
            }
            let value = truncated::draw(centre, deviation, self.signs[k] > 0.0, rng);
            proposal[k] = (value - centre) / deviation;
        }
        for k in (0..mean.len()).rev() {
            proposal[k] = mean[k]
                + (0..=k)
                    .map(|l| self.root[(k, l)] * proposal[l])
                    .sum::<f64>();
        }
        weight
    }

    /// Every component given the others.
    fn sweep(&self, mean: &[f64], rng: &mut ChaCha8Rng, draw: &mut [f64]) {
        for k in 0..mean.len() {
            let own = self.precision[(k, k)];
            let others = (0..mean.len()).filter(|&l| l != k);
            let pull: f64 = others
                .map(|l| self.precision[(k, l)] * (draw[l] - mean[l]))
                .sum();
            let centre = mean[k] - pull / own;
            draw[k] = truncated::draw(centre, 1.0 / own.sqrt(), self.signs[k] > 0.0, rng);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::orthant::{Integration, Orthant, Work};
    use crate::rng::stream;

    /// Means and covariances of draws against those of the orthant.
    fn check(rho: f64, mean: [f64; 2], signs: [f64; 2], draws: usize) {
        let covariance = DMatrix::from_row_slice(2, 2, &[1.0, rho, rho, 1.2]);
        let orthant = Orthant::new(&covariance, &signs, &Integration::Exact).unwrap();
        let (mut expected, mut spread) = ([0.0; 2], [0.0; 4]);
        orthant.moments(&mean, 0, &mut Work::default(), &mut expected, &mut spread);
        let law = LatentSelections::new(&covariance, &signs).unwrap();
        let (mut rng, mut proposal, mut draw) = (stream(11, 0), [0.0; 2], [0.0; 2]);
        let (mut first, mut second) = ([0.0; 2], [0.0; 4]);
        for _ in 0..draws {
            law.draw(&mean, &mut rng, &mut proposal, &mut draw);
            for a in 0..2 {
                assert!(signs[a] * draw[a] >= -1e-12);
                first[a] += (draw[a] - expected[a]) / draws as f64;
                for b in 0..2 {
                    let product = (draw[a] - expected[a]) * (draw[b] - expected[b]);
                    second[2 * a + b] += product / draws as f64;
                }
            }
        }
        let error = 5.0 / (draws as f64).sqrt();
        for a in 0..2 {
            assert!(first[a].abs() < error * spread[3 * a].sqrt(), "{first:?}");
            for b in 0..2 {
                // The fourth moment of a truncated normal is at most 9 variances squared (the exponential's).
                let scale = 3.0 * (spread[3 * a] * spread[3 * b]).sqrt();
                let off = second[2 * a + b] - spread[2 * a + b];
                assert!(off.abs() < error * scale, "{second:?} {spread:?}");
            }
        }
    }

    #[test]
    fn draws_have_the_moments_of_the_orthant() {
        check(0.5, [0.3, -0.4], [1.0, 1.0], 200_000);
        check(-0.8, [-1.0, -0.5], [1.0, 1.0], 20_000);
        check(0.7, [2.0, -3.0], [-1.0, 1.0], 4_000);
    }

    /// Proposals are accepted about once in 10⁸: the Gibbs sampler takes over.
    #[test]
    fn improbable_orthants_are_sampled_too() {
        check(-0.97, [-1.5, -1.5], [1.0, 1.0], 2_000);
    }
}
