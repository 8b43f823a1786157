//! Two lanes.

use std::arch::aarch64::*;

use super::elementary::{EXPONENT_BIAS, ROUNDER};
use super::{operators, Lanes};

/// Two doubles in a 128-bit register.
#[derive(Clone, Copy)]
pub struct Neon(float64x2_t);

operators!(Neon: Add add vaddq_f64, Sub sub vsubq_f64, Mul mul vmulq_f64, Div div vdivq_f64);

// SAFETY (every block below): NEON is part of every aarch64 processor; loads and stores check the length first.
#[allow(unused_unsafe)] // newer compilers know that these intrinsics are safe where NEON is enabled
impl Lanes for Neon {
    const WIDTH: usize = 2;
    const MANY_REGISTERS: bool = true;
    const SCALES_TO_ZERO: bool = false;
    type Mask = uint64x2_t;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { vdupq_n_f64(value) })
    }

    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        assert!(from.len() >= Self::WIDTH);
        // SAFETY: see above.
        Self(unsafe { vld1q_f64(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        assert!(to.len() >= Self::WIDTH);
        // SAFETY: see above.
        unsafe { vst1q_f64(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vfmaq_f64(term.0, self.0, factor.0) })
    }

    #[inline(always)]
    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vfmsq_f64(term.0, self.0, factor.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vmaxq_f64(self.0, other.0) })
    }

    #[inline(always)]
    fn neg_abs(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vnegq_f64(vabsq_f64(self.0)) })
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { vcltq_f64(self.0, other.0) }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vbslq_f64(mask, yes.0, no.0) })
    }

    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        let biased = n + Self::splat(ROUNDER + EXPONENT_BIAS);
        // SAFETY: see above.
        let power =
            unsafe { vreinterpretq_f64_u64(vshlq_n_u64::<52>(vreinterpretq_u64_f64(biased.0))) };
        self * Self(power)
    }

    #[inline(always)]
    fn mantissa_exponent(self) -> (Self, Self) {
        // SAFETY: see above.
        let (mantissa, biased) = unsafe {
            let bits = vreinterpretq_u64_f64(self.0);
            let fraction = vandq_u64(bits, vdupq_n_u64((1 << 52) - 1));
            let one = vreinterpretq_u64_f64(vdupq_n_f64(1.0));
            (
                vreinterpretq_f64_u64(vorrq_u64(fraction, one)),
                vcvtq_f64_u64(vshrq_n_u64::<52>(bits)),
            )
        };
        (Self(mantissa), Self(biased) - Self::splat(EXPONENT_BIAS))
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        // SAFETY: see above.
        unsafe { vaddvq_f64(self.0) }
    }
}
