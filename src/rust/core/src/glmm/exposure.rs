//! Counts with a log link and a random intercept: one row for each group says everything.
//!
//! With f_i the part of η_i that a group's u does not touch, Σ_i w_i (y_i η_i − e^{η_i}) is, up to a term without u,
//! the kernel of one count Σ w y with the linear predictor log E + λu, E = Σ w e^f. The integral over u then costs
//! the same however many rows a group has.

use super::family::{Distribution, Family, Link};
use super::groups::Groups;
use crate::mixed::rows::{Column, Rows};
use crate::simd::exp_slice;

/// The rows of a Poisson model with a random intercept, summed by group.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    /// The rows of each level.
    groups: Groups,
    /// Σ w y of each level.
    pub counts: Vec<f64>,
    /// log Σ w e^f of each level, at the last point.
    pub logs: Vec<f64>,
    /// w e^f relative to the sum over the level, by position, at the last point.
    shares: Vec<f64>,
}

impl Exposure {
    /// Whether sums over groups suffice: every level must have rows.
    pub fn suffices(family: &Family, columns: &[Column], groups: &Groups) -> bool {
        family.distribution() == Distribution::Poisson
            && family.link() == Link::Log
            && matches!(columns, [Column::One])
            && (0..groups.levels()).all(|level| !groups.positions(level..level + 1).is_empty())
    }

    /// The counts of `rows`.
    pub fn of(rows: &Rows, groups: Groups) -> Self {
        let mut counts = Vec::with_capacity(groups.levels());
        for level in 0..groups.levels() {
            let members = groups.rows_at(groups.positions(level..level + 1));
            counts.push(members.map(|i| rows.weight(i) * rows.response[i]).sum());
        }
        Exposure {
            logs: vec![0.0; counts.len()],
            shares: vec![0.0; groups.rows()],
            groups,
            counts,
        }
    }

    /// Takes the part of η without u (by rows); returns what the kernels of the rows have beyond those of the sums.
    pub fn update(&mut self, rows: &Rows, fixed: &[f64]) -> f64 {
        let all = 0..fixed.len();
        self.groups.gather(all.clone(), fixed, &mut self.shares);
        for (level, log) in self.logs.iter_mut().enumerate() {
            let shares = &mut self.shares[self.groups.positions(level..level + 1)];
            // The largest outside the sum: exponentials neither overflow nor all vanish.
            *log = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            shares.iter_mut().for_each(|f| *f -= *log);
        }
        exp_slice(&mut self.shares);
        if let Some(weights) = rows.weights {
            let by_position = self.shares.iter_mut().zip(self.groups.rows_at(all));
            by_position.for_each(|(share, i)| *share *= weights[i]);
        }
        for (level, log) in self.logs.iter_mut().enumerate() {
            let shares = &mut self.shares[self.groups.positions(level..level + 1)];
            let sum: f64 = shares.iter().sum();
            *log += sum.ln();
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        let both = fixed.iter().zip(rows.response).enumerate();
        let kernels: f64 = both.map(|(i, (f, y))| rows.weight(i) * y * f).sum();
        let sums = self.counts.iter().zip(&self.logs);
        kernels - sums.map(|(count, log)| count * log).sum::<f64>()
    }

    /// Turns derivatives in the groups' logarithms into those in the parts of η (by rows).
    pub fn spread(&self, rows: &Rows, slopes: &[f64]) -> Vec<f64> {
        let mut to = vec![0.0; rows.len()];
        for (level, (&count, &slope)) in self.counts.iter().zip(slopes).enumerate() {
            let positions = self.groups.positions(level..level + 1);
            let members = self.groups.rows_at(positions.clone());
            for (i, share) in members.zip(&self.shares[positions]) {
                to[i] = rows.weight(i) * rows.response[i] + (slope - count) * share;
            }
        }
        to
    }
}
