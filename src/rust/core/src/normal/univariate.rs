//! The standard normal distribution with all its digits in both tails.

use statrs::function::erf::erfc_inv;

use super::ray;
use crate::simd::{dispatch, exp, log, Isa, Kernel, Lanes, Scalar};

const INVERSE_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Arguments are split at this multiple of 2^-20, whose square is exact.
const SPLIT: f64 = 6_755_399_441_055_744.0 / 1_048_576.0;

/// As far as the moments of [`Positive`] go: beyond, they are those of this distance.
const FARTHEST: f64 = 1e75;

/// φ(x). Squaring x loses x² units in the last place; the square of its leading bits is exact, and the rest is small.
pub fn density(x: f64) -> f64 {
    let x = x.abs();
    let head = (x + SPLIT) - SPLIT;
    if head > 40.0 {
        return 0.0;
    }
    let rest = -0.5 * (x - head) * (x + head);
    INVERSE_SQRT_TAU * (-0.5 * head * head).exp() * (1.0 + rest * (1.0 + 0.5 * rest))
}

/// Φ(-x) for x ≥ 0.
fn upper(x: f64) -> f64 {
    density(x) * ratio(x)
}

/// Mills' ratio Φ(-x)/φ(x) for x ≥ 0.
fn ratio(x: f64) -> f64 {
    ray::zeroth(Scalar::splat(x.min(f64::MAX))).sum()
}

/// Φ(x).
pub fn cdf(x: f64) -> f64 {
    if x < 0.0 {
        upper(-x)
    } else {
        1.0 - upper(x)
    }
}

/// log Φ(x), finite for every |x| < 1e154.
pub fn log_cdf(x: f64) -> f64 {
    if x < 0.0 {
        ratio(-x).ln() - 0.5 * x * x - HALF_LOG_TAU
    } else {
        (-upper(x)).ln_1p()
    }
}

/// φ(x)/Φ(x), the inverse Mills ratio: the mean of Z - x where Z ~ N(x, 1) is known to be positive.
pub fn mills(x: f64) -> f64 {
    if x < 0.0 {
        1.0 / ratio(-x)
    } else {
        let density = density(x);
        density / (1.0 - density * ratio(x))
    }
}

/// Φ⁻¹(p): ±∞ at 0 and 1, NaN outside [0, 1].
pub fn quantile(p: f64) -> f64 {
    if (0.0..=1.0).contains(&p) {
        -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
    } else {
        f64::NAN
    }
}

/// What is known of Z ~ N(a, 1) given Z > 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Positive {
    /// log Φ(a).
    pub log_probability: f64,
    /// E[Z] - a = φ(a)/Φ(a), the first derivative of log Φ.
    pub mills: f64,
    /// E[Z] = a + mills, with all its digits where the two cancel.
    pub mean: f64,
    /// Var[Z] = 1 - mills (mills + a), 1 more than the second derivative of log Φ.
    pub variance: f64,
    /// E[(Z - E Z)³], the third derivative of log Φ.
    pub third: f64,
}

impl Positive {
    /// At one `a`, or at the nearest to it in [-1e75, 1e75].
    pub fn new(a: f64) -> Self {
        let a = a.clamp(-FARTHEST, FARTHEST);
        let lane = Scalar::splat(a.abs());
        let [log_probability, mills, mean, variance, third] = if a < 0.0 {
            behind(lane)
        } else {
            ahead(lane, ray::zeroth(lane))
        }
        .map(Lanes::sum);
        Positive {
            log_probability,
            mills,
            mean,
            variance,
            third,
        }
    }
}

/// a = -t < 0: moments of the distance along the ray.
#[inline(always)]
fn behind<L: Lanes>(t: L) -> [L; 5] {
    let integrals = ray::integrals(t);
    let quadratic = (t * t).mul_add(L::splat(-0.5), L::splat(-HALF_LOG_TAU));
    let mills = L::splat(1.0) / integrals[0];
    let [first, second, third] = [1, 2, 3].map(|n| integrals[n] * mills);
    let square = first * first;
    [
        log(integrals[0]) + quadratic,
        mills,
        first,
        second - square,
        first.mul_add(
            square.mul_add(L::splat(2.0), second * L::splat(-3.0)),
            third,
        ),
    ]
}

/// a ≥ 0 with Mills' ratio Φ(-a)/φ(a).
#[inline(always)]
fn ahead<L: Lanes>(a: L, ratio: L) -> [L; 5] {
    let density = density_lanes(a);
    let complement = density * ratio;
    let one = L::splat(1.0);
    let probability = one - complement;
    // What `probability` lost by rounding.
    let lost = (probability - one) + complement;
    let mills = density / probability;
    let mean = a + mills;
    [
        log(probability) - lost / probability,
        mills,
        mean,
        mills.neg_mul_add(mean, one),
        mills * mean.mul_add(mean + mills, L::splat(-1.0)),
    ]
}

/// φ(x) for x ≥ 0, as [`density`]; 0 where it is no longer a normal double.
#[inline(always)]
fn density_lanes<L: Lanes>(x: L) -> L {
    let [split, farthest, half] = [SPLIT, 40.0, -0.5].map(L::splat);
    let x = L::select(farthest.less(x), farthest, x);
    let head = (x + split) - split;
    let rest = (x - head) * (x + head) * half;
    let [leading] = exp([head * head * half]);
    let [one, scale] = [1.0, INVERSE_SQRT_TAU].map(L::splat);
    let slope = rest.neg_mul_add(half, one);
    leading * scale * rest.mul_add(slope, one)
}

/// [`Positive`] for a block of values, on the widest vectors of this processor.
pub fn positive(a: &[f64], to: PositiveBlock<'_>) {
    dispatch(Isa::best(), PositiveKernel { a, to });
}

/// Where [`positive`] writes, each of the length of its input.
pub struct PositiveBlock<'a> {
    pub log_probability: &'a mut [f64],
    pub mills: &'a mut [f64],
    pub variance: &'a mut [f64],
}

struct PositiveKernel<'a> {
    a: &'a [f64],
    to: PositiveBlock<'a>,
}

/// Lanes of the widest vector.
const WIDEST: usize = 8;

impl Kernel for PositiveKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let PositiveBlock {
            log_probability,
            mills,
            variance,
        } = self.to;
        let (mut padded, mut results) = ([0.0; WIDEST], [[0.0; WIDEST]; 3]);
        for start in (0..self.a.len()).step_by(L::WIDTH) {
            let width = L::WIDTH.min(self.a.len() - start);
            padded[..width].copy_from_slice(&self.a[start..start + width]);
            let both = either_side(L::load(&padded));
            for (result, lanes) in results.iter_mut().zip(both) {
                lanes.store(result);
            }
            let rows = start..start + width;
            log_probability[rows.clone()].copy_from_slice(&results[0][..width]);
            mills[rows.clone()].copy_from_slice(&results[1][..width]);
            variance[rows].copy_from_slice(&results[2][..width]);
        }
    }
}

/// log Φ, mills and variance of lanes of either sign.
#[inline(always)]
fn either_side<L: Lanes>(a: L) -> [L; 3] {
    let [zero, farthest] = [0.0, FARTHEST].map(L::splat);
    let distance = zero - a.neg_abs();
    let distance = L::select(farthest.less(distance), farthest, distance);
    let below = behind(distance);
    let above = ahead(distance, L::splat(1.0) / below[1]);
    let negative = a.less(zero);
    [0, 1, 3].map(|i| L::select(negative, below[i], above[i]))
}
