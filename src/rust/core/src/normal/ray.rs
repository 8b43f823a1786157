//! Integrals of a normal density along a ray, the common stock of tails and orthants.
//!
//! With ρ the distance along a ray that leaves a point at distance t from the mean's foot,
//!
//! ```text
//! I_n(t) = ∫_0^∞ ρ^n exp(-ρ t - ρ²/2) dρ,   n I_{n-1} = I_{n+1} + t I_n,   I_1 = 1 - t I_0.
//! ```
//!
//! I_0 is Mills' ratio Φ(-t)/φ(t), and ρ with density proportional to the integrand of I_0 is a normal variable of mean -t
//! and variance 1 given that it is positive. Going down the recurrence adds positive terms where t ≥ 0, so I_2 and I_3 give
//! all four to full relative precision however large t is (going up would cancel, as t²).
//!
//! Polynomials are Chebyshev interpolants computed for this file in 60 digits, as Shepherd and Laframboise (1981),
//! *Math. Comp.* 36, did for erfc: I_n(t) (t + c)^(n+1) in z = (t + τ - 5)/(t + τ + 5).

use crate::simd::Lanes;

/// Centre of the map from [0, ∞) to [-1, 1).
const CENTRE: f64 = 5.0;

/// [`integrals`] holds from -REACH on.
pub(super) const REACH: f64 = 1.0;

/// Larger t would overflow in (t + 2)⁴; the integrals are then those of this t.
const FARTHEST: f64 = 1e75;

/// (t + 1) I_0(t) for t ≥ 0 (τ = 0), relative error 5e-17.
const ZEROTH: [f64; 24] = [
    1.156_848_628_291_894_6,
    -0.229_487_538_252_113_15,
    0.077_781_598_868_737_69,
    0.025_072_179_301_638_8,
    -0.066_177_600_779_096_3,
    0.061_505_045_840_186_5,
    -0.038_026_592_185_841_39,
    0.016_348_231_281_029_38,
    -0.004_201_290_329_187_307,
    1.953_063_837_079_078_6e-5,
    0.000_457_043_923_579_536_55,
    -0.000_134_374_278_557_113_5,
    -2.480_583_845_192_319e-5,
    2.270_961_270_923_768e-5,
    -1.763_323_926_573_674_6e-7,
    -3.277_287_633_208_865e-6,
    3.205_431_665_258_957_4e-7,
    4.919_962_331_478_34e-7,
    -6.588_974_491_108_954e-8,
    -7.758_520_236_786_343e-8,
    9.092_476_134_019_147e-9,
    1.103_207_115_157_433_6e-8,
    -7.073_898_575_561_589e-10,
    -9.564_832_934_712_551e-10,
];

/// (t + 2)³ I_2(t) for t ≥ -1 (τ = 1), relative error 3e-17.
const SECOND: [f64; 31] = [
    4.987_550_058_594_783,
    -6.207_070_616_906_399,
    4.867_832_580_259_751,
    -0.833_328_753_527_653_7,
    -3.297_802_289_677_362,
    4.846_067_417_722_669_5,
    -3.306_599_521_918_350_6,
    0.492_007_054_026_266_93,
    1.372_490_112_532_990_5,
    -1.493_364_712_247_900_1,
    0.630_274_053_235_639_3,
    0.112_054_604_106_562_5,
    -0.292_386_043_718_281_1,
    0.137_580_910_358_460_6,
    0.009_216_134_215_469_155,
    -0.036_385_291_765_758_92,
    0.009_146_686_970_215_558,
    0.006_175_855_474_303_611,
    -0.003_400_454_023_255_163,
    -0.000_903_605_952_151_191_6,
    0.000_911_539_011_917_563_5,
    0.000_135_918_435_347_820_82,
    -0.000_223_959_483_995_971_67,
    -2.516_662_075_237_836e-5,
    5.213_555_708_660_903e-5,
    5.482_099_528_198_426e-6,
    -1.075_152_616_702_281_8e-5,
    -1.004_895_779_288_028_6e-6,
    1.670_579_681_557_443_4e-6,
    9.798_956_087_758_401e-8,
    -1.389_064_275_804_796_7e-7,
];

/// (t + 2)⁴ I_3(t) for t ≥ -1 (τ = 1), relative error 3e-17.
const THIRD: [f64; 33] = [
    18.686_892_545_928_185,
    -25.704_025_070_412_168,
    15.567_794_282_470_656,
    8.809_008_046_732_54,
    -28.069_845_458_197_694,
    26.011_544_286_382_545,
    -6.262_012_782_817_286,
    -12.358_960_356_688_135,
    15.755_243_703_497_428,
    -6.557_826_556_161_447,
    -2.964_302_970_428_884_4,
    5.208_959_484_400_234,
    -2.158_976_222_212_967,
    -0.710_414_395_484_460_8,
    1.096_345_260_505_858_3,
    -0.254_513_716_696_292_47,
    -0.224_606_575_160_220_7,
    0.134_800_835_014_390_47,
    0.029_878_235_091_536_25,
    -0.041_590_158_857_227_33,
    -0.002_240_067_051_729_703_5,
    0.011_262_749_772_333_543,
    -0.000_118_230_277_649_132_65,
    -0.002_950_859_651_006_103,
    4.881_941_355_071_527e-5,
    0.000_740_487_452_731_191_7,
    1.002_138_885_062_049_2e-5,
    -0.000_162_419_680_926_099_65,
    -9.174_980_503_156_185e-6,
    2.624_400_089_001_454_5e-5,
    2.515_694_132_631_906_3e-6,
    -2.223_531_390_059_610_5e-6,
    -2.794_558_751_391_47e-7,
];

/// Σ c_k z^k in four interleaved chains, so that no step waits for the one before.
#[inline(always)]
fn polynomial<L: Lanes, const N: usize>(coefficients: &[f64; N], z: L) -> L {
    let z2 = z * z;
    let z4 = z2 * z2;
    let mut chains = [L::splat(0.0); 4];
    for k in (0..N).rev() {
        chains[k % 4] = chains[k % 4].mul_add(z4, L::splat(coefficients[k]));
    }
    let [c0, c1, c2, c3] = chains;
    c3.mul_add(z, c2).mul_add(z2, c1.mul_add(z, c0))
}

/// I_0(t), Mills' ratio, for t ≥ 0.
#[inline(always)]
pub(super) fn zeroth<L: Lanes>(t: L) -> L {
    let z = (t - L::splat(CENTRE)) / (t + L::splat(CENTRE));
    polynomial(&ZEROTH, z) / (t + L::splat(1.0))
}

/// I_0(t) to I_3(t) for t ≥ -[`REACH`].
#[inline(always)]
pub(super) fn integrals<L: Lanes>(t: L) -> [L; 4] {
    let farthest = L::splat(FARTHEST);
    let t = L::select(farthest.less(t), farthest, t);
    let shifted = t + L::splat(REACH);
    let z = (shifted - L::splat(CENTRE)) / (shifted + L::splat(CENTRE));
    let scale = L::splat(1.0) / (t + L::splat(2.0));
    let square = scale * scale;
    let second = polynomial(&SECOND, z) * (square * scale);
    let third = polynomial(&THIRD, z) * (square * square);
    let first = t.mul_add(second, third) * L::splat(0.5);
    [t.mul_add(first, second), first, second, third]
}
