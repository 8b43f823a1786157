//! Exponential and logarithm of vectors.
//!
//! Polynomials are minimax approximations computed for this file with the Remez exchange in 50 digits.

use super::Lanes;

/// Adding it rounds |x| < 2^51 to a whole number, which then stands in the low bits.
pub(super) const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// Exponent bits of 1.0.
pub(super) const EXPONENT_BIAS: f64 = 1023.0;

/// The high 32 bits of log 2: a multiple by any exponent is exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// (e^r − 1 − r) / r² on |r| ≤ log(2)/2, relative error of e^r below 4e-18.
const EXP: [f64; 10] = [
    0.500_000_000_000_001_1,
    0.166_666_666_666_664_13,
    0.041_666_666_666_530_155,
    0.008_333_333_333_494_463,
    0.001_388_888_894_363_006_8,
    0.000_198_412_695_065_763_95,
    2.480_149_309_894_855_3e-5,
    2.755_758_637_598_715_2e-6,
    2.763_024_836_578_641_4e-7,
    2.500_006_091_406_305_3e-8,
];

/// (2 artanh(s) − 2s) / s³ as a polynomial in s², |s| ≤ (√2 − 1)/(√2 + 1), relative error of the logarithm
/// below 2e-18.
const LOG: [f64; 7] = [
    0.666_666_666_666_673_4,
    0.399_999_999_994_143_04,
    0.285_714_287_424_785_1,
    0.222_221_985_631_296_53,
    0.181_835_648_839_692_22,
    0.153_140_354_236_541_51,
    0.147_961_092_741_721_62,
];

/// e^x to about one unit in the last place for x ≤ 700; NaN stays. Below −708, where e^x is no longer a normal double,
/// it is 0, or a subnormal on the way to 0; at −∞ it is 0.
///
/// x = n log 2 + r with |r| ≤ log(2)/2, e^x = 2^n (1 + r + r² p(r)), p evaluated in pairs (Estrin). Several vectors go
/// side by side: one alone would wait for its own results most of the time.
#[inline(always)]
pub(crate) fn exp<L: Lanes, const V: usize>(x: [L; V]) -> [L; V] {
    let floor = L::splat(if L::SCALES_TO_ZERO { -1500.0 } else { -708.0 });
    let rounder = L::splat(ROUNDER);
    let (mut n, mut r, mut square, mut p) = (x, x, x, x);
    for v in 0..V {
        let clamped = floor.max(x[v]);
        n[v] = clamped.mul_add(L::splat(std::f64::consts::LOG2_E), rounder) - rounder;
        r[v] = n[v].neg_mul_add(L::splat(LN_2_HIGH), clamped);
    }
    for v in 0..V {
        r[v] = n[v].neg_mul_add(L::splat(LN_2_LOW), r[v]);
        square[v] = r[v] * r[v];
    }
    for v in 0..V {
        let (r, r2) = (r[v], square[v]);
        let p01 = r.mul_add(L::splat(EXP[1]), L::splat(EXP[0]));
        let p23 = r.mul_add(L::splat(EXP[3]), L::splat(EXP[2]));
        let p45 = r.mul_add(L::splat(EXP[5]), L::splat(EXP[4]));
        let p67 = r.mul_add(L::splat(EXP[7]), L::splat(EXP[6]));
        let p89 = r.mul_add(L::splat(EXP[9]), L::splat(EXP[8]));
        let r4 = r2 * r2;
        p[v] = r4.mul_add(r4.mul_add(p89, r2.mul_add(p67, p45)), r2.mul_add(p23, p01));
    }
    for v in 0..V {
        let power = (square[v].mul_add(p[v], r[v]) + L::splat(1.0)).scale(n[v]);
        p[v] = if L::SCALES_TO_ZERO {
            power
        } else {
            L::select(x[v].less(floor), L::splat(0.0), power)
        };
    }
    p
}

/// log x to about one unit in the last place for positive normal x.
///
/// x = 2^e m with m in [√½, √2); with f = m − 1 and s = f / (2 + f), log m = f − f²/2 + s (f²/2 + s² q(s²)).
#[inline(always)]
pub(crate) fn log<L: Lanes>(x: L) -> L {
    let (m, e) = x.mantissa_exponent();
    let big = L::splat(std::f64::consts::SQRT_2).less(m);
    let m = L::select(big, m * L::splat(0.5), m);
    let e = L::select(big, e + L::splat(1.0), e);
    let f = m - L::splat(1.0);
    let s = f / (f + L::splat(2.0));
    let z = s * s;
    let mut q = L::splat(LOG[6]);
    for i in (0..6).rev() {
        q = q.mul_add(z, L::splat(LOG[i]));
    }
    let half_square = f * f * L::splat(0.5);
    let rest = s.mul_add(half_square + z * q, e * L::splat(LN_2_LOW));
    e.mul_add(L::splat(LN_2_HIGH), f - (half_square - rest))
}
