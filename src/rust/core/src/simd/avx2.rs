//! Four lanes.

use std::arch::x86_64::*;

use super::elementary::{EXPONENT_BIAS, ROUNDER};
use super::{operators, Kernel, Lanes};

/// Four doubles in a 256-bit register.
#[derive(Clone, Copy)]
pub struct Avx2(__m256d);

/// # Safety
/// The processor must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

operators!(Avx2: Add add _mm256_add_pd, Sub sub _mm256_sub_pd, Mul mul _mm256_mul_pd, Div div _mm256_div_pd);

// SAFETY (every block below): values of this type exist only in code that `run` compiled for the instruction
// set, whose caller saw the features; loads and stores check the length first.
impl Lanes for Avx2 {
    const WIDTH: usize = 4;
    const MANY_REGISTERS: bool = false;
    const SCALES_TO_ZERO: bool = false;
    type Mask = __m256d;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_pd(value) })
    }

    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        assert!(from.len() >= Self::WIDTH);
        // SAFETY: see above.
        Self(unsafe { _mm256_loadu_pd(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        assert!(to.len() >= Self::WIDTH);
        // SAFETY: see above.
        unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fmadd_pd(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fnmadd_pd(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_max_pd(self.0, other.0) })
    }

    #[inline(always)]
    fn neg_abs(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_or_pd(_mm256_set1_pd(-0.0), self.0) })
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_blendv_pd(no.0, yes.0, mask) })
    }

    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        let biased = n + Self::splat(ROUNDER + EXPONENT_BIAS);
        // SAFETY: see above.
        let power = unsafe {
            let bits = _mm256_slli_epi64::<52>(_mm256_castpd_si256(biased.0));
            _mm256_castsi256_pd(bits)
        };
        self * Self(power)
    }

    #[inline(always)]
    fn mantissa_exponent(self) -> (Self, Self) {
        const TWO_52: f64 = 4_503_599_627_370_496.0;
        // SAFETY: see above.
        let (mantissa, exponent) = unsafe {
            let bits = _mm256_castpd_si256(self.0);
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi64x((1 << 52) - 1));
            let one = _mm256_castpd_si256(_mm256_set1_pd(1.0));
            let magic = _mm256_castpd_si256(_mm256_set1_pd(TWO_52));
            (
                _mm256_castsi256_pd(_mm256_or_si256(fraction, one)),
                _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64::<52>(bits), magic)),
            )
        };
        (
            Self(mantissa),
            Self(exponent) - Self::splat(TWO_52 + EXPONENT_BIAS),
        )
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        // SAFETY: see above.
        unsafe {
            let halves = _mm_add_pd(
                _mm256_castpd256_pd128(self.0),
                _mm256_extractf128_pd::<1>(self.0),
            );
            _mm_cvtsd_f64(_mm_add_sd(halves, _mm_unpackhi_pd(halves, halves)))
        }
    }

    #[inline(always)]
    fn sums(v: [Self; 4]) -> [f64; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: see above; `sums` has room for four doubles.
        unsafe {
            let ab = _mm256_hadd_pd(v[0].0, v[1].0);
            let cd = _mm256_hadd_pd(v[2].0, v[3].0);
            let total = _mm256_add_pd(
                _mm256_permute2f128_pd::<0x20>(ab, cd),
                _mm256_permute2f128_pd::<0x31>(ab, cd),
            );
            _mm256_storeu_pd(sums.as_mut_ptr(), total);
        }
        sums
    }
}
