//! The part of the log density that does not depend on η, summed over the rows.

use super::family::{Distribution, Family};
use crate::mixed::rows::Rows;

/// Σ constant(y, w, shape) as a function of the shape, without another pass over the rows.
#[derive(Debug, Clone)]
pub(super) enum Constants {
    /// Does not depend on the shape.
    Fixed(f64),
    /// Different responses and the sums of their weights.
    Counts(Family, Vec<(f64, f64)>),
    /// Σ w and Σ w log y.
    Gamma(Family, f64, f64),
}

impl Constants {
    pub fn of(rows: &Rows, family: Family) -> Self {
        let all = (0..rows.len()).map(|i| (rows.response[i], rows.weight(i)));
        match family.distribution() {
            Distribution::NegativeBinomial => {
                let mut counts: Vec<(f64, f64)> = all.collect();
                counts.sort_by(|a, b| a.0.total_cmp(&b.0));
                counts.dedup_by(|next, kept| {
                    let same = next.0 == kept.0;
                    kept.1 += if same { next.1 } else { 0.0 };
                    same
                });
                Constants::Counts(family, counts)
            }
            Distribution::Gamma => {
                let sums = all.fold((0.0, 0.0), |(weights, logs), (y, w)| {
                    (weights + w, logs + w * y.ln())
                });
                Constants::Gamma(family, sums.0, sums.1)
            }
            _ => Constants::Fixed(all.map(|(y, w)| family.constant(y, w, 0.0)).sum()),
        }
    }

    /// The sum.
    pub fn value(&self, log_shape: f64) -> f64 {
        match self {
            Constants::Fixed(sum) => *sum,
            Constants::Counts(family, counts) => {
                let terms = counts
                    .iter()
                    .map(|&(y, w)| family.constant(y, w, log_shape));
                terms.sum()
            }
            // (a - 1) log y and the constant of y = 1.
            Constants::Gamma(family, weights, logs) => {
                (log_shape.exp() - 1.0) * logs + family.constant(1.0, *weights, log_shape)
            }
        }
    }

    /// d sum / d log shape.
    pub fn slope(&self, log_shape: f64) -> f64 {
        match self {
            Constants::Fixed(_) => 0.0,
            Constants::Counts(family, counts) => {
                let terms = counts.iter();
                let terms = terms.map(|&(y, w)| family.constant_slope(y, w, log_shape));
                terms.sum()
            }
            Constants::Gamma(family, weights, logs) => {
                log_shape.exp() * logs + family.constant_slope(1.0, *weights, log_shape)
            }
        }
    }
}
