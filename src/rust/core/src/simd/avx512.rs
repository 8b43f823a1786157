//! Eight lanes.

use std::arch::x86_64::*;

use super::{operators, Kernel, Lanes};

/// Eight doubles in a 512-bit register.
#[derive(Clone, Copy)]
pub struct Avx512(__m512d);

/// # Safety
/// The processor must have AVX-512 F, DQ and VL, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
pub unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

operators!(Avx512: Add add _mm512_add_pd, Sub sub _mm512_sub_pd, Mul mul _mm512_mul_pd, Div div _mm512_div_pd);

// SAFETY (every block below): values of this type exist only in code that `run` compiled for the instruction
// set, whose caller saw the features; loads and stores check the length first.
impl Lanes for Avx512 {
    const WIDTH: usize = 8;
    const MANY_REGISTERS: bool = true;
    const SCALES_TO_ZERO: bool = true;
    type Mask = __mmask8;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_pd(value) })
    }

    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        assert!(from.len() >= Self::WIDTH);
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_pd(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        assert!(to.len() >= Self::WIDTH);
        // SAFETY: see above.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_pd(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fnmadd_pd(self.0, factor.0, term.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_max_pd(self.0, other.0) })
    }

    #[inline(always)]
    fn neg_abs(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_or_pd(_mm512_set1_pd(-0.0), self.0) })
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mask_blend_pd(mask, no.0, yes.0) })
    }

    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_scalef_pd(self.0, n.0) })
    }

    #[inline(always)]
    fn mantissa_exponent(self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            (
                Self(_mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(
                    self.0,
                )),
                Self(_mm512_getexp_pd(self.0)),
            )
        }
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_add_pd(self.0) }
    }

    #[inline(always)]
    fn sums(v: [Self; 4]) -> [f64; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: see above; `sums` has room for four doubles.
        unsafe {
            // Neighbouring lanes first, then 128-bit quarters, then 256-bit halves.
            let pair = |a, b| _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let (ab, cd) = (pair(v[0].0, v[1].0), pair(v[2].0, v[3].0));
            let quarters = _mm512_add_pd(
                _mm512_shuffle_f64x2::<0b10_00_10_00>(ab, cd),
                _mm512_shuffle_f64x2::<0b11_01_11_01>(ab, cd),
            );
            let low = _mm512_castpd512_pd256(quarters);
            let high = _mm512_extractf64x4_pd::<1>(quarters);
            let total = _mm256_add_pd(
                _mm256_permute2f128_pd::<0x20>(low, high),
                _mm256_permute2f128_pd::<0x31>(low, high),
            );
            _mm256_storeu_pd(sums.as_mut_ptr(), total);
        }
        sums
    }
}
