//! Full covariance matrices in any dimension: triangular products in register tiles.

use super::components::STRIP;
use super::posterior::sum;
use crate::simd::Lanes;

/// One component as the triangular kernels see it.
pub(super) struct Triangle<'a> {
    pub center: &'a [f64],
    /// L⁻¹ as strips.
    pub inverse: &'a [f64],
    pub constant: f64,
}

/// y = L⁻¹(x − μ) into the columns of `y`, c − ½‖y‖² into `out`.
#[inline(always)]
pub(super) fn whiten<L: Lanes>(
    triangle: &Triangle,
    x: &[f64],
    stride: usize,
    y: &mut [f64],
    out: &mut [f64],
) {
    if L::MANY_REGISTERS {
        whiten_groups::<L, 4>(triangle, x, stride, y, out);
    } else {
        whiten_groups::<L, 2>(triangle, x, stride, y, out);
    }
}

/// Groups of `V` vectors of rows: their data stay in the first-level cache for all strips.
#[inline(always)]
fn whiten_groups<L: Lanes, const V: usize>(
    triangle: &Triangle,
    x: &[f64],
    stride: usize,
    y: &mut [f64],
    out: &mut [f64],
) {
    let d = triangle.center.len();
    let width = V * L::WIDTH;
    for (group, out) in out.chunks_exact_mut(width).enumerate() {
        let at = group * width;
        let mut square = [L::splat(0.0); V];
        let mut strips = triangle.inverse;
        let mut first = 0;
        while first + STRIP <= d {
            let (strip, rest) = strips.split_at((first + STRIP) * STRIP);
            strips = rest;
            let center = triangle.center;
            whiten_strip::<L, V, STRIP>(strip, center, first, x, stride, at, y, &mut square);
            first += STRIP;
        }
        let center = triangle.center;
        match d - first {
            1 => whiten_strip::<L, V, 1>(strips, center, first, x, stride, at, y, &mut square),
            2 => whiten_strip::<L, V, 2>(strips, center, first, x, stride, at, y, &mut square),
            3 => whiten_strip::<L, V, 3>(strips, center, first, x, stride, at, y, &mut square),
            _ => {}
        }
        let constant = L::splat(triangle.constant);
        for v in 0..V {
            let log_density = square[v].neg_mul_add(L::splat(0.5), constant);
            log_density.store(&mut out[v * L::WIDTH..]);
        }
    }
}

/// Rows `first..first + R` of y for `V` vectors, R × V accumulators.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn whiten_strip<L: Lanes, const V: usize, const R: usize>(
    strip: &[f64],
    center: &[f64],
    first: usize,
    x: &[f64],
    stride: usize,
    at: usize,
    y: &mut [f64],
    square: &mut [L; V],
) {
    let width = V * L::WIDTH;
    let (left, diagonal) = strip.split_at(first * R);
    let mut rows = [[L::splat(0.0); V]; R];
    let columns = left.chunks_exact(R).zip(center).zip(x.chunks_exact(stride));
    for ((factors, center), column) in columns {
        let u = centered::<L, V>(&column[at..at + width], *center);
        for i in 0..R {
            let factor = L::splat(factors[i]);
            for v in 0..V {
                rows[i][v] = u[v].mul_add(factor, rows[i][v]);
            }
        }
    }
    let diagonal = &diagonal[..R * R];
    for j in 0..R {
        let column = &x[(first + j) * stride + at..][..width];
        let u = centered::<L, V>(column, center[first + j]);
        for i in j..R {
            let factor = L::splat(diagonal[j * R + i]);
            for v in 0..V {
                rows[i][v] = u[v].mul_add(factor, rows[i][v]);
            }
        }
    }
    for (i, row) in rows.iter().enumerate() {
        let column = &mut y[(first + i) * stride + at..][..width];
        for v in 0..V {
            row[v].store(&mut column[v * L::WIDTH..]);
            square[v] = row[v].mul_add(row[v], square[v]);
        }
    }
}

#[inline(always)]
fn centered<L: Lanes, const V: usize>(column: &[f64], center: f64) -> [L; V] {
    let mut u = [L::splat(center); V];
    for (v, u) in u.iter_mut().enumerate() {
        *u = L::load(&column[v * L::WIDTH..]) - *u;
    }
    u
}

/// Adds Σ r, Σ r y and the lower triangle, row by row, of Σ r y yᵀ.
///
/// `weighted` is room for [`STRIP`] columns.
#[inline(always)]
pub(super) fn moments<L: Lanes>(
    y: &[f64],
    stride: usize,
    r: &[f64],
    weighted: &mut [f64],
    count: &mut f64,
    sums: &mut [f64],
    crosses: &mut [f64],
) {
    *count += sum::<L>(r);
    let d = sums.len();
    let mut first = 0;
    while first + STRIP <= d {
        moments_strip::<L, STRIP>(y, stride, r, weighted, first, sums, crosses);
        first += STRIP;
    }
    match d - first {
        1 => moments_strip::<L, 1>(y, stride, r, weighted, first, sums, crosses),
        2 => moments_strip::<L, 2>(y, stride, r, weighted, first, sums, crosses),
        3 => moments_strip::<L, 3>(y, stride, r, weighted, first, sums, crosses),
        _ => {}
    }
}

/// Rows `first..first + R` of the triangle.
#[inline(always)]
fn moments_strip<L: Lanes, const R: usize>(
    y: &[f64],
    stride: usize,
    r: &[f64],
    weighted: &mut [f64],
    first: usize,
    sums: &mut [f64],
    crosses: &mut [f64],
) {
    weigh::<L, R>(y, stride, r, weighted, first, sums);
    let own = columns::<R>(weighted, stride, 0, r.len());
    for j in (0..first).step_by(STRIP) {
        let other = columns::<STRIP>(y, stride, j, r.len());
        if L::MANY_REGISTERS || R < 3 {
            rectangle::<L, R>(own, other, first, j, crosses);
        } else {
            rectangle::<L, 2>([own[0], own[1]], other, first, j, crosses);
            if R == 3 {
                rectangle::<L, 1>([own[2]], other, first + 2, j, crosses);
            } else {
                rectangle::<L, 2>([own[2], own[R - 1]], other, first + 2, j, crosses);
            }
        }
    }
    diagonal::<L, R>(own, columns::<R>(y, stride, first, r.len()), first, crosses);
}

/// r y into `weighted`, Σ r y into `sums`.
#[inline(always)]
fn weigh<L: Lanes, const R: usize>(
    y: &[f64],
    stride: usize,
    r: &[f64],
    weighted: &mut [f64],
    first: usize,
    sums: &mut [f64],
) {
    for i in 0..R {
        let from = &y[(first + i) * stride..][..r.len()];
        let to = &mut weighted[i * stride..][..r.len()];
        let mut total = L::splat(0.0);
        let mut at = 0;
        while at + L::WIDTH <= r.len() {
            let product = L::load(&r[at..]) * L::load(&from[at..]);
            product.store(&mut to[at..]);
            total = total + product;
            at += L::WIDTH;
        }
        sums[first + i] += total.sum();
    }
}

#[inline(always)]
fn columns<const R: usize>(y: &[f64], stride: usize, first: usize, rows: usize) -> [&[f64]; R] {
    let mut columns = [y; R];
    for (i, column) in columns.iter_mut().enumerate() {
        *column = &y[(first + i) * stride..][..rows];
    }
    columns
}

/// An R × STRIP tile below the diagonal blocks, at row `i`, column `j`.
#[inline(always)]
fn rectangle<L: Lanes, const R: usize>(
    own: [&[f64]; R],
    other: [&[f64]; STRIP],
    i: usize,
    j: usize,
    crosses: &mut [f64],
) {
    let rows = other[0].len();
    let mut tile = [[L::splat(0.0); STRIP]; R];
    let mut at = 0;
    while at + L::WIDTH <= rows {
        let mut b = [L::splat(0.0); STRIP];
        for c in 0..STRIP {
            b[c] = L::load(&other[c][at..]);
        }
        for a in 0..R {
            let own = L::load(&own[a][at..]);
            for c in 0..STRIP {
                tile[a][c] = own.mul_add(b[c], tile[a][c]);
            }
        }
        at += L::WIDTH;
    }
    for a in 0..R {
        let row = &mut crosses[(i + a) * (i + a + 1) / 2 + j..][..STRIP];
        for (cross, sum) in row.iter_mut().zip(L::sums(tile[a])) {
            *cross += sum;
        }
    }
}

/// The R × R triangle on the diagonal at row `i`.
#[inline(always)]
fn diagonal<L: Lanes, const R: usize>(
    own: [&[f64]; R],
    other: [&[f64]; R],
    i: usize,
    crosses: &mut [f64],
) {
    let rows = other[0].len();
    let mut tile = [[L::splat(0.0); STRIP]; R];
    let mut at = 0;
    while at + L::WIDTH <= rows {
        let mut b = [L::splat(0.0); R];
        for c in 0..R {
            b[c] = L::load(&other[c][at..]);
        }
        for a in 0..R {
            let own = L::load(&own[a][at..]);
            for c in 0..=a {
                tile[a][c] = own.mul_add(b[c], tile[a][c]);
            }
        }
        at += L::WIDTH;
    }
    for a in 0..R {
        let row = &mut crosses[(i + a) * (i + a + 1) / 2 + i..][..=a];
        for (cross, sum) in row.iter_mut().zip(L::sums(tile[a])) {
            *cross += sum;
        }
    }
}
