//! Two components of one variance in one dimension: log-odds linear in x, one exponential per row.

use super::super::stats::MixtureStats;
use super::components::Components;
use super::posterior::{Evidence, SIDE_BY_SIDE};
use crate::simd::{exp, log, Lanes};

/// Rows come in multiples of this: four of the widest vectors.
pub(super) const LOGIT_ROWS: usize = 32;

/// With t = x − (μ₀ + μ₁)/2 and h = (μ₁ − μ₀)/2: log-odds ℓ = log(π₁/π₀) + 2 h t / σ², and
/// log p(x) = (c₀ + c₁)/2 − (t² + h²)/2σ² + |ℓ|/2 + log(1 + e^−|ℓ|).
pub(super) struct Logit {
    middle: f64,
    half: f64,
    scale: f64,
    intercept: f64,
    slope: f64,
    constant: f64,
}

/// Sums over rows, lane by lane.
pub(super) struct LogitSums<L> {
    counts: [L; 2],
    firsts: [L; 2],
    square: L,
    odds: L,
    logs: L,
}

impl Logit {
    pub fn new(components: &Components) -> Self {
        let (centers, constants) = (&components.centers, &components.constants);
        let scale = components.inverse(0)[0];
        let half = 0.5 * (centers[1] - centers[0]);
        Logit {
            middle: centers[0] + half,
            half,
            scale,
            intercept: constants[1] - constants[0],
            slope: 2.0 * half * scale * scale,
            constant: 0.5 * (constants[0] + constants[1]),
        }
    }

    /// Adds the sums over rows that count once each; their number is a multiple of [`LOGIT_ROWS`].
    #[inline(always)]
    pub fn add<L: Lanes>(&self, x: &[f64], sums: &mut LogitSums<L>, evidence: &mut Evidence<L>) {
        let mut x = x;
        while !x.is_empty() {
            let (run, rest) = x.split_at(evidence.run(x.len()));
            let mut product = L::splat(1.0);
            for x in run.chunks_exact(SIDE_BY_SIDE * L::WIDTH) {
                let (t, odds, term) = self.odds::<L>(x);
                for v in 0..SIDE_BY_SIDE {
                    let normaliser = L::splat(1.0) + term[v];
                    product = product * normaliser;
                    let large = L::splat(1.0) / normaliser;
                    sums.square = t[v].mul_add(t[v], sums.square);
                    sums.odds = sums.odds - odds[v].neg_abs();
                    sums.add(t[v], odds[v], large, term[v] * large);
                }
            }
            evidence.push(L::splat(0.0), product);
            x = rest;
        }
    }

    /// Adds the sums over weighted rows.
    #[inline(always)]
    pub fn add_weighted<L: Lanes>(&self, x: &[f64], weights: &[f64], sums: &mut LogitSums<L>) {
        let width = SIDE_BY_SIDE * L::WIDTH;
        for (x, weights) in x.chunks_exact(width).zip(weights.chunks_exact(width)) {
            let (t, odds, term) = self.odds::<L>(x);
            for v in 0..SIDE_BY_SIDE {
                let weight = L::load(&weights[v * L::WIDTH..]);
                let normaliser = L::splat(1.0) + term[v];
                sums.logs = weight.mul_add(log(normaliser), sums.logs);
                let large = weight / normaliser;
                sums.square = (weight * t[v]).mul_add(t[v], sums.square);
                sums.odds = weight.neg_mul_add(odds[v].neg_abs(), sums.odds);
                sums.add(t[v], odds[v], large, term[v] * large);
            }
        }
    }

    /// t, ℓ and e^−|ℓ|.
    #[inline(always)]
    fn odds<L: Lanes>(
        &self,
        x: &[f64],
    ) -> ([L; SIDE_BY_SIDE], [L; SIDE_BY_SIDE], [L; SIDE_BY_SIDE]) {
        let mut t = [L::splat(0.0); SIDE_BY_SIDE];
        let (mut odds, mut term) = (t, t);
        for v in 0..SIDE_BY_SIDE {
            t[v] = L::load(&x[v * L::WIDTH..]) - L::splat(self.middle);
            odds[v] = t[v].mul_add(L::splat(self.slope), L::splat(self.intercept));
            term[v] = odds[v].neg_abs();
        }
        (t, odds, exp(term))
    }

    /// Moves the sums into `stats`, whose log-likelihood gets all but the normalisers in the evidence.
    #[inline(always)]
    pub fn finish<L: Lanes>(
        &self,
        sums: LogitSums<L>,
        total_weight: f64,
        stats: &mut MixtureStats,
    ) {
        for (component, shift) in [self.half, -self.half].into_iter().enumerate() {
            let count = sums.counts[component].sum();
            stats.counts[component] += count;
            stats.sums[(0, component)] +=
                (sums.firsts[component].sum() + count * shift) * self.scale;
        }
        let square = sums.square.sum() + total_weight * self.half * self.half;
        stats.log_lik += total_weight * self.constant - 0.5 * square * self.scale * self.scale
            + 0.5 * sums.odds.sum()
            + sums.logs.sum();
    }
}

impl<L: Lanes> LogitSums<L> {
    #[inline(always)]
    pub fn new() -> Self {
        let zero = L::splat(0.0);
        LogitSums {
            counts: [zero; 2],
            firsts: [zero; 2],
            square: zero,
            odds: zero,
            logs: zero,
        }
    }

    /// `large` and `small` are the posteriors of the likelier and the other component.
    #[inline(always)]
    fn add(&mut self, t: L, odds: L, large: L, small: L) {
        let second = L::splat(0.0).less(odds);
        let r = [
            L::select(second, small, large),
            L::select(second, large, small),
        ];
        for (component, r) in r.into_iter().enumerate() {
            self.counts[component] = self.counts[component] + r;
            self.firsts[component] = r.mul_add(t, self.firsts[component]);
        }
    }
}
