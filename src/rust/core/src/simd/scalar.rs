//! One lane: plain Rust for processors without a vector unit that we know.

use std::ops::{Add, Div, Mul, Sub};

use super::elementary::{EXPONENT_BIAS, ROUNDER};
use super::Lanes;

/// One double.
#[derive(Clone, Copy)]
pub struct Scalar(f64);

impl Add for Scalar {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Scalar {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Scalar {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl Div for Scalar {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(self.0 / other.0)
    }
}

impl Lanes for Scalar {
    const WIDTH: usize = 1;
    const MANY_REGISTERS: bool = false;
    const SCALES_TO_ZERO: bool = false;
    type Mask = bool;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self(value)
    }

    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        Self(from[0])
    }

    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        to[0] = self.0;
    }

    // Two roundings: `f64::mul_add` is a slow library call where the processor has no fused instruction.
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(self.0 * factor.0 + term.0)
    }

    #[inline(always)]
    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        Self(term.0 - self.0 * factor.0)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(if self.0 > other.0 { self.0 } else { other.0 })
    }

    #[inline(always)]
    fn neg_abs(self) -> Self {
        Self(-self.0.abs())
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        self.0 < other.0
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        if mask {
            yes
        } else {
            no
        }
    }

    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        Self(self.0 * f64::from_bits((n.0 + (ROUNDER + EXPONENT_BIAS)).to_bits() << 52))
    }

    #[inline(always)]
    fn mantissa_exponent(self) -> (Self, Self) {
        let bits = self.0.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        (
            Self(f64::from_bits(fraction | 1f64.to_bits())),
            Self((bits >> 52) as f64 - EXPONENT_BIAS),
        )
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        self.0
    }
}
