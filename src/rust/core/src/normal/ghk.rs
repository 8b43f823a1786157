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

use std::array::from_fn;
use std::sync::Arc;

use nalgebra::DMatrix;

use super::lattice::Lattice;
use super::ray;
use crate::simd::{dispatch, exp, log, Isa, Kernel, Lanes};

const INVERSE_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Most coordinates.
pub(super) const WIDEST: usize = 10;

/// Vectors of points that go side by side: one alone would wait for its own results.
const TOGETHER: usize = 2;

/// Bounds are cut here; further out nothing changes but squares that overflow.
const FARTHEST: f64 = 1e10;

/// Uniforms and their complements stay above it, so that logarithms are finite.
const LEAST: f64 = 1e-290;

/// Initial Φ⁻¹: s - (a0 + a1 s + a2 s²)/(1 + b1 s + b2 s² + b3 s³) at log p = -s²/2, p < 1/2; error below 1.2e-4, fitted for
/// this file.
const NUMERATOR: [f64; 3] = [2.616_471_23, 1.325_969_06, 0.041_631_95];
const DENOMINATOR: [f64; 3] = [1.764_927_63, 0.367_390_27, 0.006_250_55];

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
        for start in (0..size).step_by(TOGETHER * L::WIDTH) {
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
    /// [`TOGETHER`] vectors of points: their e, the variance of the last, and the two parts of their weight.
    #[inline(always)]
    fn draw<L: Lanes, const MOMENTS: bool>(
        &self,
        mean: &[f64],
        shift: &[f64],
        start: usize,
        columns: &mut [f64],
    ) {
        let (size, last) = (self.lattice.weights().len(), self.dimension - 1);
        let mut drawn = [[L::splat(0.0); TOGETHER]; WIDEST];
        let mut weights = [L::splat(0.0); TOGETHER];
        let mut logs = [L::splat(0.0); TOGETHER];
        let starts: [usize; TOGETHER] = from_fn(|v| start + v * L::WIDTH);
        for v in 0..TOGETHER {
            weights[v] = L::load(&self.lattice.weights()[starts[v]..]);
        }
        for j in 0..=last {
            let row = &self.rows[j];
            let mut bounds = [L::splat(mean[j]); TOGETHER];
            let mut uniforms = bounds;
            for v in 0..TOGETHER {
                for k in 0..j {
                    bounds[v] = drawn[k][v].mul_add(L::splat(row[k]), bounds[v]);
                }
                bounds[v] = clamp(bounds[v] * L::splat(-row[j]));
                if j < last {
                    uniforms[v] = tent(L::load(&self.lattice.column(j)[starts[v]..]), shift[j]);
                }
            }
            let tails = if j < last {
                let tails = Tail::above(bounds);
                drawn[j] = Tail::quantiles(tails, uniforms);
                tails
            } else {
                let (tails, excesses, variances) = beyond(bounds);
                for v in 0..TOGETHER {
                    drawn[j][v] = bounds[v] + excesses[v];
                    if MOMENTS {
                        variances[v].store(&mut columns[(last + 1) * size + starts[v]..]);
                    }
                }
                tails
            };
            for v in 0..TOGETHER {
                weights[v] = weights[v] * tails[v].factor;
                logs[v] = logs[v] + tails[v].exponent;
                if MOMENTS {
                    drawn[j][v].store(&mut columns[j * size + starts[v]..]);
                }
            }
        }
        for v in 0..TOGETHER {
            weights[v].store(&mut columns[(last + 2) * size + starts[v]..]);
            logs[v].store(&mut columns[(last + 3) * size + starts[v]..]);
        }
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

// Loops, not closures, which would leave the code compiled for the instruction set.
impl<L: Lanes> Tail<L> {
    /// The tail above each bound: b < 0 as a number, b ≥ 0 as Mills' ratio and the exponent of the density.
    #[inline(always)]
    fn above<const V: usize>(bounds: [L; V]) -> [Self; V] {
        let (mut distances, mut ratios) = (bounds, bounds);
        for v in 0..V {
            distances[v] = L::splat(0.0) - bounds[v].neg_abs();
            ratios[v] = ray::zeroth(distances[v]);
        }
        Tail::with_ratios(bounds, distances, ratios)
    }

    /// With Mills' ratios at |b|.
    #[inline(always)]
    fn with_ratios<const V: usize>(bounds: [L; V], distances: [L; V], ratios: [L; V]) -> [Self; V] {
        let zero = L::splat(0.0);
        let mut exponents = distances;
        for v in 0..V {
            exponents[v] = distances[v] * distances[v] * L::splat(-0.5);
        }
        let densities = exp(exponents);
        let mut tails = [Tail {
            negative: zero.less(zero),
            factor: zero,
            exponent: zero,
        }; V];
        for v in 0..V {
            let ratio = ratios[v] * L::splat(INVERSE_SQRT_TAU);
            let negative = bounds[v].less(zero);
            let most = L::splat(1.0) - densities[v] * ratio;
            tails[v] = Tail {
                negative,
                factor: L::select(negative, most, ratio),
                exponent: L::select(negative, zero, exponents[v]),
            };
        }
        tails
    }

    /// The e > b with P(e' > e | e' > b) = u: from the tail of which the probability is below 1/2, never 1 - u.
    #[inline(always)]
    fn quantiles<const V: usize>(tails: [Self; V], uniforms: [L; V]) -> [L; V] {
        let (zero, one) = (L::splat(0.0), L::splat(1.0));
        let (mut logs, mut near) = (uniforms, [zero.less(zero); V]);
        for v in 0..V {
            let upper = uniforms[v] * tails[v].factor;
            near[v] = L::select(tails[v].negative, upper, zero).less(L::splat(0.5));
            let smaller = L::select(near[v], upper, one - upper);
            logs[v] = log(smaller.max(L::splat(LEAST))) + tails[v].exponent;
        }
        let mut e = upper_quantiles(logs);
        for v in 0..V {
            e[v] = L::select(near[v], e[v], zero - e[v]);
        }
        e
    }
}

/// x with log Φ(-x) = `log_tail` ≤ log ½, to about 1e-13: one step of Halley's method on log Φ from a rational guess.
#[inline(always)]
fn upper_quantiles<L: Lanes, const V: usize>(log_tails: [L; V]) -> [L; V] {
    let [half, one, two] = [0.5, 1.0, 2.0].map(L::splat);
    let [a0, a1, a2] = NUMERATOR.map(L::splat);
    let [b1, b2, b3] = DENOMINATOR.map(L::splat);
    let (mut roots, mut ratios, mut logs) = (log_tails, log_tails, log_tails);
    for v in 0..V {
        roots[v] = log(log_tails[v] * L::splat(-2.0)) * half;
    }
    let mut x = exp(roots);
    for v in 0..V {
        let s = x[v];
        let above = s.mul_add(s.mul_add(a2, a1), a0);
        let below = s.mul_add(s.mul_add(s.mul_add(b3, b2), b1), one);
        x[v] = (s - above / below).max(L::splat(0.0));
        ratios[v] = ray::zeroth(x[v]);
    }
    for v in 0..V {
        logs[v] = log(ratios[v]);
    }
    for v in 0..V {
        let quadratic = (x[v] * x[v]).mul_add(half, L::splat(HALF_LOG_TAU));
        let gap = logs[v] - quadratic - log_tails[v];
        let bend = x[v].neg_mul_add(ratios[v], one);
        x[v] = x[v] + two * gap * ratios[v] / gap.mul_add(bend, two);
    }
    x
}

/// The tails above b with E[e] - b and Var[e] there.
#[inline(always)]
fn beyond<L: Lanes, const V: usize>(bounds: [L; V]) -> ([Tail<L>; V], [L; V], [L; V]) {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let (mut distances, mut masses) = (bounds, bounds);
    let (mut excesses, mut variances) = (bounds, bounds);
    for v in 0..V {
        distances[v] = zero - bounds[v].neg_abs();
        let [mass, first, second, _] = ray::integrals(distances[v]);
        masses[v] = mass;
        excesses[v] = first / mass;
        variances[v] = second / mass - excesses[v] * excesses[v];
    }
    let tails = Tail::with_ratios(bounds, distances, masses);
    for v in 0..V {
        // b < 0: hazard λ = φ(b)/P, mean λ, variance 1 - λ (λ - b).
        let [density] = exp([distances[v] * distances[v] * L::splat(-0.5)]);
        let hazard = density * L::splat(INVERSE_SQRT_TAU) / tails[v].factor;
        let excess = hazard + distances[v];
        let variance = hazard.neg_mul_add(excess, one);
        excesses[v] = L::select(tails[v].negative, excess, excesses[v]);
        variances[v] = L::select(tails[v].negative, variance, variances[v]);
    }
    (tails, excesses, variances)
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
