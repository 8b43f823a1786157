//! Geweke, Hajivassiliou and Keane's simulator of orthants, on a shifted lattice.
//!
//! X = μ + L e with L lower triangular and e standard normal: X_j > 0 bounds e_j below given e_1, …, e_{j-1}. A point draws
//! e_1, …, e_{J-1} one after the other from their truncated laws and has the weight Π_j P(X_j > 0 | e_1, …, e_{j-1});
//! the mean weight is P(X > 0), weighted means over points are moments of X given X > 0 (Hajivassiliou, McFadden and Ruud 1996,
//! *J. Econometrics* 72). The last coordinate is not drawn: its mean and variance given the others are known.
//!
//! Uniforms are lattice points shifted at random and folded by the tent map 1 - |2u - 1|, which makes the
//! integrand periodic (Hickernell 2002). For a given shift everything is a smooth function of μ and L.
//! Weights are carried as logarithms where they may underflow.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::lattice::Lattice;
use super::ray;
use crate::simd::{dispatch, exp, log, Isa, Kernel, Lanes};

const INVERSE_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Most coordinates.
pub(super) const WIDEST: usize = 10;

/// Bounds are cut here; further out nothing changes but squares that overflow.
const FARTHEST: f64 = 1e10;

/// Uniforms and their complements stay above it, so that logarithms are finite.
const LEAST: f64 = 1e-290;

/// Initial Φ⁻¹: s - (a0 + a1 s + a2 s²)/(1 + b1 s + b2 s² + b3 s³) at log p = -s²/2, p < 1/2; error below 1.2e-4, fitted for
/// this file.
const NUMERATOR: [f64; 3] = [2.616_471_23, 1.325_969_06, 0.041_631_95];
const DENOMINATOR: [f64; 4] = [1.0, 1.764_927_63, 0.367_390_27, 0.006_250_55];

/// The simulator for one L.
#[derive(Debug, Clone)]
pub(super) struct Ghk {
    dimension: usize,
    /// L row by row, with 1/L_jj in the place of L_jj.
    rows: Vec<[f64; WIDEST]>,
    lattice: Arc<Lattice>,
    isa: Isa,
}

/// Scratch memory: a column for each coordinate and a few more, all as long as the lattice.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns(Vec<f64>);

/// What is found of e.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub log_probability: f64,
    pub mean: [f64; WIDEST],
    /// Lower triangle, row by row.
    pub covariance: [[f64; WIDEST]; WIDEST],
}

/// Columns behind those of e: variance of the last e, weight and its logarithm to be added.
const EXTRA: usize = 3;

impl Ghk {
    /// `lower` is L, of at most [`WIDEST`] rows.
    pub fn new(lower: &DMatrix<f64>, points: usize) -> Self {
        let dimension = lower.nrows();
        let mut rows = vec![[0.0; WIDEST]; dimension];
        for (j, row) in rows.iter_mut().enumerate() {
            for (k, value) in row.iter_mut().enumerate().take(j) {
                *value = lower[(j, k)];
            }
            row[j] = 1.0 / lower[(j, j)];
        }
        Ghk {
            dimension,
            rows,
            lattice: Lattice::new(points, dimension - 1),
            isa: Isa::best(),
        }
    }

    /// log P(X > 0) for the mean μ; `shift` has J - 1 values in [0, 1).
    pub fn log_probability(&self, mean: &[f64], shift: &[f64], columns: &mut Columns) -> f64 {
        self.run::<false>(mean, shift, columns).log_probability
    }

    /// log P(X > 0), and the moments of e.
    pub fn moments(&self, mean: &[f64], shift: &[f64], columns: &mut Columns) -> Found {
        self.run::<true>(mean, shift, columns)
    }

    fn run<const MOMENTS: bool>(
        &self,
        mean: &[f64],
        shift: &[f64],
        columns: &mut Columns,
    ) -> Found {
        let length = self.lattice.weights().len() * (self.dimension + EXTRA);
        if columns.0.len() < length {
            columns.0.resize(length, 0.0);
        }
        let kernel = Simulate::<MOMENTS> {
            of: self,
            mean,
            shift,
            columns: &mut columns.0[..length],
        };
        dispatch(self.isa, kernel)
    }
}

struct Simulate<'a, const MOMENTS: bool> {
    of: &'a Ghk,
    mean: &'a [f64],
    shift: &'a [f64],
    columns: &'a mut [f64],
}

impl<const MOMENTS: bool> Kernel for Simulate<'_, MOMENTS> {
    type Output = Found;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Found {
        let Simulate {
            of,
            mean,
            shift,
            columns,
        } = self;
        let (size, dimension) = (of.lattice.weights().len(), of.dimension);
        for start in (0..size).step_by(L::WIDTH) {
            of.draw::<L, MOMENTS>(mean, shift, start, columns);
        }
        let (draws, rest) = columns.split_at_mut(size * dimension);
        let (variances, rest) = rest.split_at_mut(size);
        let (weights, logs) = rest.split_at_mut(size);
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = L::splat(0.0);
        let vectors = weights.chunks_exact_mut(L::WIDTH);
        for (weight, log) in vectors.zip(logs.chunks_exact(L::WIDTH)) {
            let [scale] = exp([L::load(log) - L::splat(largest)]);
            let scaled = L::load(weight) * scale;
            scaled.store(weight);
            total = total + scaled;
        }
        let total = total.sum();
        let mut found = Found {
            log_probability: largest + total.ln(),
            mean: [0.0; WIDEST],
            covariance: [[0.0; WIDEST]; WIDEST],
        };
        if MOMENTS {
            let columns = || draws.chunks_exact(size);
            for (k, column) in columns().enumerate() {
                found.mean[k] = sum::<L>(weights, column) / total;
            }
            for (j, first) in columns().enumerate() {
                for (k, second) in columns().enumerate().take(j + 1) {
                    let centres = [found.mean[j], found.mean[k]];
                    found.covariance[j][k] = cross::<L>(weights, [first, second], centres) / total;
                }
            }
            found.covariance[dimension - 1][dimension - 1] += sum::<L>(weights, variances) / total;
        }
        found
    }
}

impl Ghk {
    /// One vector of points: their e, the variance of the last, and the two parts of their weight.
    #[inline(always)]
    fn draw<L: Lanes, const MOMENTS: bool>(
        &self,
        mean: &[f64],
        shift: &[f64],
        start: usize,
        columns: &mut [f64],
    ) {
        let (size, last) = (self.lattice.weights().len(), self.dimension - 1);
        let mut drawn = [L::splat(0.0); WIDEST];
        let mut weight = L::load(&self.lattice.weights()[start..]);
        let mut log_weight = L::splat(0.0);
        for j in 0..=last {
            let row = &self.rows[j];
            let mut centre = L::splat(mean[j]);
            for k in 0..j {
                centre = drawn[k].mul_add(L::splat(row[k]), centre);
            }
            let bound = clamp(centre * L::splat(-row[j]));
            if j < last {
                let uniform = tent(L::load(&self.lattice.column(j)[start..]), shift[j]);
                let tail = Tail::above(bound);
                drawn[j] = tail.quantile(uniform);
                weight = weight * tail.factor;
                log_weight = log_weight + tail.exponent;
            } else {
                let (tail, excess, variance) = beyond(bound);
                drawn[j] = bound + excess;
                weight = weight * tail.factor;
                log_weight = log_weight + tail.exponent;
                if MOMENTS {
                    variance.store(&mut columns[(last + 1) * size + start..]);
                }
            }
            if MOMENTS {
                drawn[j].store(&mut columns[j * size + start..]);
            }
        }
        weight.store(&mut columns[(last + 2) * size + start..]);
        log_weight.store(&mut columns[(last + 3) * size + start..]);
    }
}

/// 1 - |2 frac(x + shift) - 1| for x and shift in [0, 1).
#[inline(always)]
fn tent<L: Lanes>(x: L, shift: f64) -> L {
    let one = L::splat(1.0);
    let moved = x + L::splat(shift);
    let folded = L::select(moved.less(one), moved, moved - one);
    one + folded.mul_add(L::splat(2.0), L::splat(-1.0)).neg_abs()
}

#[inline(always)]
fn clamp<L: Lanes>(x: L) -> L {
    let (least, most) = (L::splat(-FARTHEST), L::splat(FARTHEST));
    let x = L::select(x.less(least), least, x);
    L::select(most.less(x), most, x)
}

/// P(e > b) = `factor` exp(`exponent`).
#[derive(Clone, Copy)]
struct Tail<L: Lanes> {
    negative: L::Mask,
    factor: L,
    exponent: L,
}

impl<L: Lanes> Tail<L> {
    /// The tail above each bound: b < 0 as a number, b ≥ 0 as Mills' ratio and the exponent of the density.
    #[inline(always)]
    fn above(bound: L) -> Self {
        let distance = L::splat(0.0) - bound.neg_abs();
        Tail::with_ratio(bound, distance, ray::zeroth(distance))
    }

    /// With Mills' ratio at |b|.
    #[inline(always)]
    fn with_ratio(bound: L, distance: L, ratio: L) -> Self {
        let zero = L::splat(0.0);
        let exponent = distance * distance * L::splat(-0.5);
        let ratio = ratio * L::splat(INVERSE_SQRT_TAU);
        let [density] = exp([exponent]);
        let negative = bound.less(zero);
        Tail {
            negative,
            factor: L::select(negative, L::splat(1.0) - density * ratio, ratio),
            exponent: L::select(negative, zero, exponent),
        }
    }

    /// The e > b with P(e' > e | e' > b) = u: from the tail of which the probability is below 1/2, never 1 - u.
    #[inline(always)]
    fn quantile(self, uniform: L) -> L {
        let upper = uniform * self.factor;
        let near = L::select(self.negative, upper, L::splat(0.0)).less(L::splat(0.5));
        let smaller = L::select(near, upper, L::splat(1.0) - upper);
        let e = upper_quantile(log(smaller.max(L::splat(LEAST))) + self.exponent);
        L::select(near, e, L::splat(0.0) - e)
    }
}

/// x with log Φ(-x) = `log_tail` ≤ log ½, to about 1e-13: one step of Halley's method on log Φ from a rational guess.
#[inline(always)]
fn upper_quantile<L: Lanes>(log_tail: L) -> L {
    let [half, one, two] = [0.5, 1.0, 2.0].map(L::splat);
    let [s] = exp([log(log_tail * L::splat(-2.0)) * half]);
    let [a0, a1, a2] = NUMERATOR.map(L::splat);
    let [b0, b1, b2, b3] = DENOMINATOR.map(L::splat);
    let above = s.mul_add(s.mul_add(a2, a1), a0);
    let below = s.mul_add(s.mul_add(s.mul_add(b3, b2), b1), b0);
    let x = (s - above / below).max(L::splat(0.0));
    let ratio = ray::zeroth(x);
    let quadratic = (x * x).mul_add(half, L::splat(HALF_LOG_TAU));
    let gap = log(ratio) - quadratic - log_tail;
    let bend = x.neg_mul_add(ratio, one);
    x + two * gap * ratio / gap.mul_add(bend, two)
}

/// The tail above b with E[e] - b and Var[e] there.
#[inline(always)]
fn beyond<L: Lanes>(bound: L) -> (Tail<L>, L, L) {
    let [zero, one] = [0.0, 1.0].map(L::splat);
    let distance = zero - bound.neg_abs();
    let [mass, first, second, _] = ray::integrals(distance);
    let tail = Tail::with_ratio(bound, distance, mass);
    let mean = first / mass;
    let [density] = exp([distance * distance * L::splat(-0.5)]);
    // b < 0: hazard λ = φ(b)/P, mean λ, variance 1 - λ (λ - b).
    let hazard = density * L::splat(INVERSE_SQRT_TAU) / tail.factor;
    let excess = hazard + distance;
    (
        tail,
        L::select(tail.negative, excess, mean),
        L::select(
            tail.negative,
            hazard.neg_mul_add(excess, one),
            second / mass - mean * mean,
        ),
    )
}

/// Σ w x.
#[inline(always)]
fn sum<L: Lanes>(weights: &[f64], values: &[f64]) -> f64 {
    let mut sum = L::splat(0.0);
    let vectors = weights.chunks_exact(L::WIDTH);
    for (w, x) in vectors.zip(values.chunks_exact(L::WIDTH)) {
        sum = L::load(w).mul_add(L::load(x), sum);
    }
    sum.sum()
}

/// Σ w (x - centre)(y - centre).
#[inline(always)]
fn cross<L: Lanes>(weights: &[f64], values: [&[f64]; 2], centres: [f64; 2]) -> f64 {
    let [first, second] = centres.map(L::splat);
    let mut sum = L::splat(0.0);
    let vectors = weights.chunks_exact(L::WIDTH);
    let pairs = values[0]
        .chunks_exact(L::WIDTH)
        .zip(values[1].chunks_exact(L::WIDTH));
    for (w, (x, y)) in vectors.zip(pairs) {
        let product = (L::load(x) - first) * (L::load(y) - second);
        sum = L::load(w).mul_add(product, sum);
    }
    sum.sum()
}
