//! Full covariance matrices in two to four dimensions: everything in registers, unrolled.

use super::super::stats::MixtureStats;
use super::block::Columns;
use super::components::Components;
use crate::simd::Lanes;

/// A component's centre and inverse root in every lane.
struct Whitening<L, const D: usize> {
    center: [L; D],
    inverse: [[L; D]; D],
}

impl<L: Lanes, const D: usize> Whitening<L, D> {
    #[inline(always)]
    fn new(components: &Components, component: usize) -> Self {
        let (center, inverse) = (components.center(component), components.inverse(component));
        let mut whitening = Whitening {
            center: [L::splat(0.0); D],
            inverse: [[L::splat(0.0); D]; D],
        };
        for i in 0..D {
            whitening.center[i] = L::splat(center[i]);
            for j in 0..=i {
                whitening.inverse[i][j] = L::splat(inverse[j * D + i]);
            }
        }
        whitening
    }

    /// y = L⁻¹(x − μ).
    #[inline(always)]
    fn apply(&self, columns: &[&[f64]; D], at: usize) -> [L; D] {
        let mut u = [L::splat(0.0); D];
        let mut y = u;
        for i in 0..D {
            u[i] = L::load(&columns[i][at..]) - self.center[i];
            for (u, factor) in u[..=i].iter().zip(&self.inverse[i]) {
                y[i] = u.mul_add(*factor, y[i]);
            }
        }
        y
    }
}

#[inline(always)]
fn columns<'a, const D: usize>(block: Columns<'a>) -> [&'a [f64]; D] {
    let mut columns = [block.x; D];
    for (j, column) in columns.iter_mut().enumerate() {
        *column = block.column(j);
    }
    columns
}

/// c − ½‖y‖² of every row under one component.
#[inline(always)]
pub(super) fn log_density<L: Lanes, const D: usize>(
    components: &Components,
    component: usize,
    block: Columns,
    out: &mut [f64],
) {
    let columns = columns::<D>(block);
    let whitening = Whitening::<L, D>::new(components, component);
    let constant = L::splat(components.constants[component]);
    let mut at = 0;
    while at + L::WIDTH <= block.rows {
        let y = whitening.apply(&columns, at);
        let mut square = L::splat(0.0);
        for y in y {
            square = y.mul_add(y, square);
        }
        square
            .neg_mul_add(L::splat(0.5), constant)
            .store(&mut out[at..]);
        at += L::WIDTH;
    }
}

/// Adds Σ r, Σ r y and the lower triangle of Σ r y yᵀ of one component.
#[inline(always)]
pub(super) fn moments<L: Lanes, const D: usize>(
    components: &Components,
    component: usize,
    block: Columns,
    r: &[f64],
    stats: &mut MixtureStats,
) {
    let columns = columns::<D>(block);
    let whitening = Whitening::<L, D>::new(components, component);
    let mut count = L::splat(0.0);
    let mut sums = [L::splat(0.0); D];
    let mut crosses = [[L::splat(0.0); D]; D];
    let mut at = 0;
    while at + L::WIDTH <= block.rows {
        let weight = L::load(&r[at..]);
        let y = whitening.apply(&columns, at);
        count = count + weight;
        for i in 0..D {
            let weighted = weight * y[i];
            sums[i] = sums[i] + weighted;
            for j in 0..=i {
                crosses[i][j] = weighted.mul_add(y[j], crosses[i][j]);
            }
        }
        at += L::WIDTH;
    }
    stats.counts[component] += count.sum();
    let (mut sum, mut cross) = (
        stats.sums.column_mut(component),
        stats.crosses.column_mut(component),
    );
    let mut at = 0;
    for i in 0..D {
        sum[i] += sums[i].sum();
        for value in &crosses[i][..=i] {
            cross[at] += value.sum();
            at += 1;
        }
    }
}
