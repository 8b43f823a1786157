//! Counts with a log link and a random intercept: one row for each group says everything.
//!
//! With f_i the part of η_i that a group's u does not touch, Σ_i w_i (y_i η_i − e^{η_i}) is, up to a term without u,
//! the kernel of one count Σ w y with the linear predictor log E + λu, E = Σ w e^f. The integral over u then costs
//! the same however many rows a group has.

use super::family::{Distribution, Family, Link};
use super::groups::Groups;
use crate::mixed::rows::{Column, Rows};

/// The rows of a Poisson model with a random intercept, summed by group.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    /// The rows of each level.
    groups: Groups,
    /// Σ w y of each level.
    pub counts: Vec<f64>,
    /// Σ w e^f of each level, its logarithm, at the last point.
    pub logs: Vec<f64>,
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
            let rows_of_level = groups.rows_at(groups.positions(level..level + 1));
            counts.push(
                rows_of_level
                    .map(|i| rows.weight(i) * rows.response[i])
                    .sum(),
            );
        }
        Exposure {
            logs: vec![0.0; counts.len()],
            groups,
            counts,
        }
    }

    /// Takes the part of η without u (by rows); returns what the kernels of the rows have beyond those of the sums.
    pub fn update(&mut self, rows: &Rows, fixed: &[f64]) -> f64 {
        let mut beyond = 0.0;
        for (level, log) in self.logs.iter_mut().enumerate() {
            let members = || self.groups.rows_at(self.groups.positions(level..level + 1));
            // The largest outside the sum: exponentials neither overflow nor all vanish.
            let largest = members()
                .map(|i| fixed[i])
                .fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = members()
                .map(|i| rows.weight(i) * (fixed[i] - largest).exp())
                .sum();
            *log = largest + sum.ln();
            let kernel: f64 = members()
                .map(|i| rows.weight(i) * rows.response[i] * fixed[i])
                .sum();
            beyond += kernel - self.counts[level] * *log;
        }
        beyond
    }

    /// Turns derivatives in the groups' logarithms into those in the parts of η (by rows).
    pub fn spread(&self, rows: &Rows, fixed: &[f64], slopes: &[f64]) -> Vec<f64> {
        let mut to = vec![0.0; fixed.len()];
        for (level, (&log, &slope)) in self.logs.iter().zip(slopes).enumerate() {
            for i in self.groups.rows_at(self.groups.positions(level..level + 1)) {
                let share = (fixed[i] - log).exp();
                let own = rows.response[i] + (slope - self.counts[level]) * share;
                to[i] = rows.weight(i) * own;
            }
        }
        to
    }
}
