//! From log-densities to responsibilities, for a block of rows.

use crate::simd::{exp, log, Lanes};

/// Log-likelihood of rows that count once each, with one logarithm for many rows: the normalisers are multiplied,
/// each being between 1 and the number of components because the largest term was divided out.
pub(super) struct Evidence<L> {
    product: L,
    factors: usize,
    most_factors: usize,
    tops: L,
    logs: L,
    weighted: f64,
}

impl<L: Lanes> Evidence<L> {
    /// For normalisers between 1 and `terms`.
    #[inline(always)]
    pub fn new(terms: usize) -> Self {
        // e^700 is a double, and the bound is one more than the largest normaliser.
        let most_factors = (700.0 / ((terms + 1) as f64).ln()) as usize;
        Evidence {
            product: L::splat(1.0),
            factors: 0,
            most_factors: most_factors.max(1),
            tops: L::splat(0.0),
            logs: L::splat(0.0),
            weighted: 0.0,
        }
    }

    /// One vector of rows whose log-density is `top + log(normaliser)`.
    #[inline(always)]
    pub fn push(&mut self, top: L, normaliser: L) {
        self.tops = self.tops + top;
        self.product = self.product * normaliser;
        self.factors += 1;
        if self.factors == self.most_factors {
            self.flush();
        }
    }

    /// Log-densities already weighted and summed.
    #[inline(always)]
    pub fn push_sum(&mut self, weighted: f64) {
        self.weighted += weighted;
    }

    #[inline(always)]
    fn flush(&mut self) {
        self.logs = self.logs + log(self.product);
        self.product = L::splat(1.0);
        self.factors = 0;
    }

    #[inline(always)]
    pub fn log_lik(mut self) -> f64 {
        self.flush();
        self.tops.sum() + self.logs.sum() + self.weighted
    }
}

/// Log-densities in the columns of `r` become responsibilities of rows that count once each.
#[inline(always)]
pub(super) fn normalise<L: Lanes>(
    r: &mut [f64],
    stride: usize,
    rows: usize,
    evidence: &mut Evidence<L>,
) {
    let mut at = 0;
    while at + L::WIDTH <= rows {
        let (top, sum) = exponentiate::<L>(r, stride, at);
        evidence.push(top, sum);
        scale(r, stride, at, L::splat(1.0) / sum);
        at += L::WIDTH;
    }
}

/// The same for weighted rows (responsibilities are multiplied by the weights); keeps each row's log-density.
#[inline(always)]
pub(super) fn normalise_rows<L: Lanes>(
    r: &mut [f64],
    stride: usize,
    weights: &[f64],
    log_density: &mut [f64],
    evidence: &mut Evidence<L>,
) {
    let mut weighted = L::splat(0.0);
    let mut at = 0;
    while at + L::WIDTH <= weights.len() {
        let weight = L::load(&weights[at..]);
        let (top, sum) = exponentiate::<L>(r, stride, at);
        let log_row = top + log(sum);
        log_row.store(&mut log_density[at..]);
        weighted = weight.mul_add(log_row, weighted);
        scale(r, stride, at, weight / sum);
        at += L::WIDTH;
    }
    evidence.push_sum(weighted.sum());
}

/// Subtracts the largest term, so that no row underflows however far it is, and exponentiates.
#[inline(always)]
fn exponentiate<L: Lanes>(r: &mut [f64], stride: usize, at: usize) -> (L, L) {
    let mut top = L::splat(f64::NEG_INFINITY);
    for column in r.chunks_exact(stride) {
        top = top.max(L::load(&column[at..]));
    }
    let mut sum = L::splat(0.0);
    for column in r.chunks_exact_mut(stride) {
        let term = exp(L::load(&column[at..]) - top);
        term.store(&mut column[at..]);
        sum = sum + term;
    }
    (top, sum)
}

#[inline(always)]
fn scale<L: Lanes>(r: &mut [f64], stride: usize, at: usize, factor: L) {
    for column in r.chunks_exact_mut(stride) {
        (L::load(&column[at..]) * factor).store(&mut column[at..]);
    }
}

/// Σ of a column.
#[inline(always)]
pub(super) fn sum<L: Lanes>(column: &[f64]) -> f64 {
    let mut sums = [L::splat(0.0); 4];
    for group in column.chunks_exact(4 * L::WIDTH) {
        for (sum, values) in sums.iter_mut().zip(group.chunks_exact(L::WIDTH)) {
            *sum = *sum + L::load(values);
        }
    }
    ((sums[0] + sums[1]) + (sums[2] + sums[3])).sum()
}
