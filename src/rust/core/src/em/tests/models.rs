//! Models small enough to check by hand.

use std::cell::RefCell;

use crate::em::Model;
use crate::error::Result;

/// The paper's heights: two normals of known variance and known weights, unknown means.
pub struct Heights {
    y: Vec<f64>,
    pub visited: RefCell<Vec<[f64; 2]>>,
}

pub struct HeightStats {
    pub n: [f64; 2],
    pub sum: [f64; 2],
    pub squares: f64,
    pub log_lik: f64,
}

pub const SD: f64 = 2.5;

impl Heights {
    /// A hundred quantiles of each group: logistic ones, so that no random numbers are needed.
    pub fn new() -> Self {
        let z = (1..=100).map(|i| {
            let p = (i as f64 - 0.5) / 100.0;
            (p / (1.0 - p)).ln() / 1.8
        });
        let y = z.flat_map(|z| [69.5 + SD * z, 64.5 + SD * z]).collect();
        Heights {
            y,
            visited: RefCell::default(),
        }
    }

    pub fn log_joint(y: f64, mean: f64) -> f64 {
        0.5f64.ln() - 0.5 * ((y - mean) / SD).powi(2) - SD.ln() - 0.918_938_533_204_672_7
    }

    pub fn responsibility(y: f64, means: &[f64; 2]) -> f64 {
        1.0 / (1.0 + (Self::log_joint(y, means[1]) - Self::log_joint(y, means[0])).exp())
    }

    /// KL(q ‖ p) summed over people, with q and p the posteriors at two values of the means.
    pub fn divergence(&self, q: &[f64; 2], p: &[f64; 2]) -> f64 {
        let term = |q: f64, p: f64| if q > 0.0 { q * (q / p).ln() } else { 0.0 };
        self.y
            .iter()
            .map(|y| (Self::responsibility(*y, q), Self::responsibility(*y, p)))
            .map(|(q, p)| term(q, p) + term(1.0 - q, 1.0 - p))
            .sum()
    }
}

impl Model for Heights {
    type Params = [f64; 2];
    type Stats = HeightStats;

    fn expect(&mut self, means: &[f64; 2]) -> Result<HeightStats> {
        self.visited.borrow_mut().push(*means);
        let mut stats = HeightStats {
            n: [0.0; 2],
            sum: [0.0; 2],
            squares: 0.0,
            log_lik: 0.0,
        };
        for y in &self.y {
            let first = Self::responsibility(*y, means);
            for (k, r) in [first, 1.0 - first].into_iter().enumerate() {
                stats.n[k] += r;
                stats.sum[k] += r * y;
            }
            stats.squares += y * y;
            let joint = means.map(|mean| Self::log_joint(*y, mean).exp());
            stats.log_lik += (joint[0] + joint[1]).ln();
        }
        Ok(stats)
    }

    fn maximize(&mut self, stats: &HeightStats, _: &[f64; 2]) -> Result<[f64; 2]> {
        Ok([0, 1].map(|k| stats.sum[k] / stats.n[k]))
    }

    fn objective(&self, stats: &HeightStats) -> f64 {
        stats.log_lik
    }

    fn complete_objective(&self, stats: &HeightStats, means: &[f64; 2]) -> Option<f64> {
        let n: f64 = stats.n.iter().sum();
        let deviance: f64 = (0..2)
            .map(|k| means[k] * (stats.n[k] * means[k] - 2.0 * stats.sum[k]))
            .sum();
        Some(n * Self::log_joint(0.0, 0.0) - 0.5 * (stats.squares + deviance) / (SD * SD))
    }

    fn flatten(&self, means: &[f64; 2]) -> Option<Vec<f64>> {
        Some(means.to_vec())
    }

    fn unflatten(&self, coordinates: &[f64], _: &[f64; 2]) -> Option<[f64; 2]> {
        Some([coordinates[0], coordinates[1]])
    }
}

/// Rao's genetic linkage: cells (1/2 + θ/4, (1 − θ)/4, (1 − θ)/4, θ/4), counts 125, 18, 20, 34.
pub struct Linkage;

impl Model for Linkage {
    type Params = f64;
    type Stats = (f64, f64); // expected count of the hidden cell θ/4, log-likelihood without constant

    fn expect(&mut self, theta: &f64) -> Result<(f64, f64)> {
        let hidden = 125.0 * theta / (2.0 + theta);
        let log_lik = 125.0 * (2.0 + theta).ln() + 38.0 * (1.0 - theta).ln() + 34.0 * theta.ln();
        Ok((hidden, log_lik))
    }

    fn maximize(&mut self, stats: &(f64, f64), _: &f64) -> Result<f64> {
        Ok((stats.0 + 34.0) / (stats.0 + 72.0))
    }

    fn objective(&self, stats: &(f64, f64)) -> f64 {
        stats.1
    }

    fn complete_objective(&self, stats: &(f64, f64), theta: &f64) -> Option<f64> {
        Some((stats.0 + 34.0) * theta.ln() + 38.0 * (1.0 - theta).ln())
    }

    fn flatten(&self, theta: &f64) -> Option<Vec<f64>> {
        Some(vec![(theta / (1.0 - theta)).ln()])
    }

    fn unflatten(&self, coordinates: &[f64], _: &f64) -> Option<f64> {
        Some(1.0 / (1.0 + (-coordinates[0]).exp()))
    }
}

/// A quadratic objective whose EM map is exactly linear, θᵢ → λᵢθᵢ: what every model is near its maximum.
pub struct Linear {
    pub rates: Vec<f64>,
    pub offset: f64,
    pub coordinates: bool,
    pub objective: bool,
}

impl Linear {
    pub fn new(rates: &[f64]) -> Self {
        Linear {
            rates: rates.to_vec(),
            offset: -1000.0,
            coordinates: true,
            objective: true,
        }
    }

    pub fn gap(theta: &[f64]) -> f64 {
        0.5 * theta.iter().map(|t| t * t).sum::<f64>()
    }
}

impl Model for Linear {
    type Params = Vec<f64>;
    type Stats = f64;

    fn expect(&mut self, theta: &Vec<f64>) -> Result<f64> {
        Ok(self.offset - Self::gap(theta))
    }

    fn maximize(&mut self, _: &f64, theta: &Vec<f64>) -> Result<Vec<f64>> {
        Ok(theta.iter().zip(&self.rates).map(|(t, r)| t * r).collect())
    }

    fn objective(&self, stats: &f64) -> f64 {
        *stats
    }

    fn has_objective(&self) -> bool {
        self.objective
    }

    fn complete_objective(&self, _: &f64, _: &Vec<f64>) -> Option<f64> {
        None
    }

    fn flatten(&self, theta: &Vec<f64>) -> Option<Vec<f64>> {
        self.coordinates.then(|| theta.clone())
    }

    fn unflatten(&self, coordinates: &[f64], _: &Vec<f64>) -> Option<Vec<f64>> {
        Some(coordinates.to_vec())
    }
}

/// A model that changes what another one returns.
pub struct Faulty<F> {
    pub calls: usize,
    pub fault: F,
}

impl<F: FnMut(usize, f64) -> Result<(f64, f64)>> Model for Faulty<F> {
    type Params = f64;
    type Stats = (f64, f64);

    fn expect(&mut self, theta: &f64) -> Result<(f64, f64)> {
        self.calls += 1;
        let (hidden, _) = Linkage.expect(theta)?;
        let (shift, objective) = (self.fault)(self.calls, *theta)?;
        Ok((hidden + shift, objective))
    }

    fn maximize(&mut self, stats: &(f64, f64), previous: &f64) -> Result<f64> {
        Linkage.maximize(stats, previous)
    }

    fn objective(&self, stats: &(f64, f64)) -> f64 {
        stats.1
    }

    fn complete_objective(&self, _: &(f64, f64), _: &f64) -> Option<f64> {
        None
    }

    fn flatten(&self, theta: &f64) -> Option<Vec<f64>> {
        Linkage.flatten(theta)
    }

    fn unflatten(&self, coordinates: &[f64], like: &f64) -> Option<f64> {
        Linkage.unflatten(coordinates, like)
    }
}

/// Heights with the first mean in other units.
pub struct Scaled {
    pub model: Heights,
    pub unit: f64,
}

impl Model for Scaled {
    type Params = Vec<f64>;
    type Stats = HeightStats;

    fn expect(&mut self, means: &Vec<f64>) -> Result<HeightStats> {
        self.model.expect(&[means[0] / self.unit, means[1]])
    }

    fn maximize(&mut self, stats: &HeightStats, _: &Vec<f64>) -> Result<Vec<f64>> {
        let means = self.model.maximize(stats, &[0.0; 2])?;
        Ok(vec![means[0] * self.unit, means[1]])
    }

    fn objective(&self, stats: &HeightStats) -> f64 {
        stats.log_lik
    }

    fn complete_objective(&self, _: &HeightStats, _: &Vec<f64>) -> Option<f64> {
        None
    }

    fn flatten(&self, means: &Vec<f64>) -> Option<Vec<f64>> {
        Some(means.clone())
    }

    fn unflatten(&self, coordinates: &[f64], _: &Vec<f64>) -> Option<Vec<f64>> {
        Some(coordinates.to_vec())
    }
}
