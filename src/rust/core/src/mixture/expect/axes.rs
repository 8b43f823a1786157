//! Components whose axes are those of the coordinates: diagonal models, and pooled models once whitened.

use super::components::STRIP;
use super::posterior::sum;
use crate::simd::Lanes;

/// One component as the diagonal kernels see it.
#[derive(Clone, Copy)]
pub(super) struct Axes<'a> {
    pub center: &'a [f64],
    /// 1/σ per column; `None` where the columns are whitened already.
    pub scale: Option<&'a [f64]>,
}

/// c − ½ Σ_j ((x_j − μ_j)/σ_j)² of every row.
#[inline(always)]
pub(super) fn log_density<L: Lanes>(
    axes: Axes,
    constant: f64,
    x: &[f64],
    stride: usize,
    out: &mut [f64],
) {
    const V: usize = 4;
    let width = V * L::WIDTH;
    for (group, out) in out.chunks_exact_mut(width).enumerate() {
        let at = group * width;
        let mut square = [L::splat(0.0); V];
        for (j, (center, column)) in axes.center.iter().zip(x.chunks_exact(stride)).enumerate() {
            let column = &column[at..at + width];
            let center = L::splat(*center);
            let scale = L::splat(axes.scale.map_or(1.0, |scale| scale[j]));
            for v in 0..V {
                let mut y = L::load(&column[v * L::WIDTH..]) - center;
                if axes.scale.is_some() {
                    y = y * scale;
                }
                square[v] = y.mul_add(y, square[v]);
            }
        }
        for v in 0..V {
            let log_density = square[v].neg_mul_add(L::splat(0.5), L::splat(constant));
            log_density.store(&mut out[v * L::WIDTH..]);
        }
    }
}

/// y = (x − μ)/σ into the columns of `y`.
#[inline(always)]
pub(super) fn whiten<L: Lanes>(
    center: &[f64],
    scale: &[f64],
    x: &[f64],
    stride: usize,
    rows: usize,
    y: &mut [f64],
) {
    let columns = x.chunks_exact(stride).zip(y.chunks_exact_mut(stride));
    for ((from, to), (center, scale)) in columns.zip(center.iter().zip(scale)) {
        let (from, to) = (&from[..rows], &mut to[..rows]);
        let mut at = 0;
        while at + L::WIDTH <= rows {
            let y = (L::load(&from[at..]) - L::splat(*center)) * L::splat(*scale);
            y.store(&mut to[at..]);
            at += L::WIDTH;
        }
    }
}

/// Adds Σ r, Σ r y and, where `squares` has room for them, Σ r y².
#[inline(always)]
pub(super) fn moments<L: Lanes>(
    axes: Axes,
    x: &[f64],
    stride: usize,
    r: &[f64],
    count: &mut f64,
    sums: &mut [f64],
    squares: &mut [f64],
) {
    *count += sum::<L>(r);
    let d = sums.len();
    let mut first = 0;
    while first + STRIP <= d {
        moments_strip::<L, STRIP>(axes, x, stride, r, first, sums, squares);
        first += STRIP;
    }
    match d - first {
        1 => moments_strip::<L, 1>(axes, x, stride, r, first, sums, squares),
        2 => moments_strip::<L, 2>(axes, x, stride, r, first, sums, squares),
        3 => moments_strip::<L, 3>(axes, x, stride, r, first, sums, squares),
        _ => {}
    }
}

/// Columns `first..first + R`.
#[inline(always)]
fn moments_strip<L: Lanes, const R: usize>(
    axes: Axes,
    x: &[f64],
    stride: usize,
    r: &[f64],
    first: usize,
    sums: &mut [f64],
    squares: &mut [f64],
) {
    let mut columns = [x; R];
    let mut center = [L::splat(0.0); R];
    let mut scale = [L::splat(1.0); R];
    for i in 0..R {
        columns[i] = &x[(first + i) * stride..][..r.len()];
        center[i] = L::splat(axes.center[first + i]);
        if let Some(given) = axes.scale {
            scale[i] = L::splat(given[first + i]);
        }
    }
    let mut one = [L::splat(0.0); R];
    let mut two = [L::splat(0.0); R];
    let mut at = 0;
    while at + L::WIDTH <= r.len() {
        let weight = L::load(&r[at..]);
        for i in 0..R {
            let y = (L::load(&columns[i][at..]) - center[i]) * scale[i];
            let weighted = weight * y;
            one[i] = one[i] + weighted;
            two[i] = weighted.mul_add(y, two[i]);
        }
        at += L::WIDTH;
    }
    for i in 0..R {
        sums[first + i] += one[i].sum();
        if let Some(square) = squares.get_mut(first + i) {
            *square += two[i].sum();
        }
    }
}
