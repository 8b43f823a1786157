//! From log-densities to responsibilities, for a block of rows.

use crate::simd::{exp, log, Lanes};

/// Vectors of rows that are exponentiated side by side.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// Log-likelihood of the rows seen so far, lane by lane.
///
/// Rows that count once each need one logarithm for many: their normalisers are multiplied, each being between 1 and the
/// number of components because the largest term was divided out.
pub(super) struct Evidence<L> {
    most_rows: usize,
    tops: L,
    logs: L,
}

impl<L: Lanes> Evidence<L> {
    /// For normalisers between 1 and `terms`.
    #[inline(always)]
    pub fn new(terms: usize) -> Self {
        // e^700 is a double, and the base is one more than the largest normaliser.
        let most_factors = (700.0 / ((terms + 1) as f64).ln()) as usize;
        Evidence {
            most_rows: most_factors * L::WIDTH,
            tops: L::splat(0.0),
            logs: L::splat(0.0),
        }
    }

    /// The number of rows, up to `rows`, whose normalisers can be multiplied.
    #[inline(always)]
    pub fn run(&self, rows: usize) -> usize {
        let step = SIDE_BY_SIDE * L::WIDTH;
        rows.min((self.most_rows / step).max(1) * step)
    }

    /// A run of rows whose log-densities are the sum of `tops` plus the logarithm of `product`.
    #[inline(always)]
    pub fn push(&mut self, tops: L, product: L) {
        self.tops = self.tops + tops;
        self.logs = self.logs + log(product);
    }

    #[inline(always)]
    pub fn log_lik(self) -> f64 {
        self.tops.sum() + self.logs.sum()
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
    while at < rows {
        let end = at + evidence.run(rows - at);
        let (mut tops, mut product) = (L::splat(0.0), L::splat(1.0));
        while at < end {
            let (top, sum) = exponentiate::<L>(r, stride, at);
            let mut factor = sum;
            for v in 0..SIDE_BY_SIDE {
                tops = tops + top[v];
                product = product * sum[v];
                factor[v] = L::splat(1.0) / sum[v];
            }
            scale(r, stride, at, factor);
            at += SIDE_BY_SIDE * L::WIDTH;
        }
        evidence.push(tops, product);
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
    while at < weights.len() {
        let (top, sum) = exponentiate::<L>(r, stride, at);
        let mut factor = sum;
        for v in 0..SIDE_BY_SIDE {
            let weight = L::load(&weights[at + v * L::WIDTH..]);
            let log_row = top[v] + log(sum[v]);
            log_row.store(&mut log_density[at + v * L::WIDTH..]);
            weighted = weight.mul_add(log_row, weighted);
            factor[v] = weight / sum[v];
        }
        scale(r, stride, at, factor);
        at += SIDE_BY_SIDE * L::WIDTH;
    }
    evidence.push(weighted, L::splat(1.0));
}

/// Subtracts the largest term, so that no row underflows however far it is, and exponentiates; returns that term and
/// the normaliser.
#[inline(always)]
fn exponentiate<L: Lanes>(
    r: &mut [f64],
    stride: usize,
    at: usize,
) -> ([L; SIDE_BY_SIDE], [L; SIDE_BY_SIDE]) {
    let width = SIDE_BY_SIDE * L::WIDTH;
    let mut top = [L::splat(f64::NEG_INFINITY); SIDE_BY_SIDE];
    for column in r.chunks_exact(stride) {
        let column = &column[at..at + width];
        for (v, top) in top.iter_mut().enumerate() {
            *top = top.max(L::load(&column[v * L::WIDTH..]));
        }
    }
    let mut sum = [L::splat(0.0); SIDE_BY_SIDE];
    for column in r.chunks_exact_mut(stride) {
        let column = &mut column[at..at + width];
        let mut term = top;
        for v in 0..SIDE_BY_SIDE {
            term[v] = L::load(&column[v * L::WIDTH..]) - top[v];
        }
        term = exp(term);
        for v in 0..SIDE_BY_SIDE {
            term[v].store(&mut column[v * L::WIDTH..]);
            sum[v] = sum[v] + term[v];
        }
    }
    (top, sum)
}

#[inline(always)]
fn scale<L: Lanes>(r: &mut [f64], stride: usize, at: usize, factor: [L; SIDE_BY_SIDE]) {
    let width = SIDE_BY_SIDE * L::WIDTH;
    for column in r.chunks_exact_mut(stride) {
        let column = &mut column[at..at + width];
        for (v, factor) in factor.iter().enumerate() {
            let values = &mut column[v * L::WIDTH..];
            (L::load(values) * *factor).store(values);
        }
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
