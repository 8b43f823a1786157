//! The E-step with missing values.

use nalgebra::DMatrix;

use super::conditional::{marginal, observed_directions, roots, ObservedPart};
use super::patterns::{Pattern, Patterns};
use crate::error::Result;
use crate::mixture::data::Data;
use crate::mixture::expect::expect;
use crate::mixture::model::Mixture;
use crate::mixture::stats::MixtureStats;
use crate::shard::{map_merge, Merge};

/// One E-step at `mixture` from the observed cells of `data`: the contract of
/// [`expect`](crate::mixture::expect::expect), all cross-products included.
///
/// `patterns` are those of `data`. Rows without an observed cell count neither in `rows` nor in
/// `total_weight`. The bits do not depend on `threads`. One pattern costs O(K d³) besides its rows.
///
/// # Errors
/// Those of the complete E-step; [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite);
/// [`Error::Numerical`](crate::Error::Numerical) when no row has an observed cell.
pub fn expect_missing(
    data: &Data,
    patterns: &Patterns,
    mixture: &Mixture,
    threads: usize,
) -> Result<MixtureStats> {
    if patterns.is_complete() {
        return expect(data, mixture, None, threads);
    }
    let roots = roots(mixture)?;
    map_merge(patterns.informative_rows(), threads, |range| {
        let mut stats = no_rows(mixture);
        for (pattern, rows) in patterns.within(range) {
            let part = ObservedPart::of(data, pattern, rows);
            if part.has_weight() {
                let marginal = marginal(mixture, patterns, pattern);
                let observed = expect(&part.weighted()?, &marginal, None, 1)?;
                stats.merge(lift(observed, pattern, mixture, &roots));
            } else {
                stats.rows += rows.len() as u64;
            }
        }
        Ok(stats)
    })
}

/// The statistics of no row at all.
fn no_rows(mixture: &Mixture) -> MixtureStats {
    let (d, k) = (mixture.dim(), mixture.components());
    let p = if mixture.model.is_diagonal() {
        d
    } else {
        d * (d + 1) / 2
    };
    MixtureStats {
        rows: 0,
        total_weight: 0.0,
        counts: vec![0.0; k],
        sums: DMatrix::zeros(d, k),
        crosses: DMatrix::zeros(p, k),
        noise_count: 0.0,
        log_lik: 0.0,
    }
}

/// Statistics of the observed columns, at the marginal mixture, as statistics of all columns.
fn lift(
    observed: MixtureStats,
    pattern: &Pattern,
    mixture: &Mixture,
    roots: &[DMatrix<f64>],
) -> MixtureStats {
    if pattern.missing.is_empty() {
        return observed;
    }
    let mut stats = MixtureStats {
        rows: observed.rows,
        total_weight: observed.total_weight,
        counts: observed.counts.clone(),
        noise_count: observed.noise_count,
        log_lik: observed.log_lik,
        ..no_rows(mixture)
    };
    for (component, root) in roots.iter().enumerate() {
        if mixture.model.is_diagonal() {
            lift_diagonal(&observed, pattern, component, &mut stats);
        } else {
            lift_full(&observed, pattern, component, root, &mut stats);
        }
    }
    stats
}

/// A diagonal model's columns are independent: observed ones keep their sums, missing ones have variance one.
fn lift_diagonal(
    observed: &MixtureStats,
    pattern: &Pattern,
    component: usize,
    stats: &mut MixtureStats,
) {
    for (at, &j) in pattern.observed.iter().enumerate() {
        stats.sums[(j, component)] = observed.sums[(at, component)];
        stats.crosses[(j, component)] = observed.crosses[(at, component)];
    }
    for &j in &pattern.missing {
        stats.crosses[(j, component)] = observed.counts[component];
    }
}

/// Q s and Q V Qᵀ + N (I − Q Qᵀ).
fn lift_full(
    observed: &MixtureStats,
    pattern: &Pattern,
    component: usize,
    root: &DMatrix<f64>,
    stats: &mut MixtureStats,
) {
    let (d, count) = (root.nrows(), observed.counts[component]);
    let (q, _) = observed_directions(root, pattern);
    stats
        .sums
        .set_column(component, &(&q * observed.sums.column(component)));
    let mut excess = unpacked(observed.crosses.column(component).as_slice(), q.ncols());
    for j in 0..q.ncols() {
        excess[(j, j)] -= count;
    }
    let cross = &q * excess * q.transpose() + DMatrix::identity(d, d) * count;
    let mut at = 0;
    for i in 0..d {
        for j in 0..=i {
            stats.crosses[(at, component)] = cross[(i, j)];
            at += 1;
        }
    }
}

/// A lower triangle, row by row, as a symmetric matrix.
fn unpacked(triangle: &[f64], size: usize) -> DMatrix<f64> {
    DMatrix::from_fn(size, size, |i, j| {
        let (i, j) = (i.max(j), i.min(j));
        triangle[i * (i + 1) / 2 + j]
    })
}
