//! Vectors of doubles on whatever the processor offers, chosen at run time.
//!
//! Packages are built for the baseline of their platform, so a numerical kernel is written once, generic over
//! [`Lanes`] and `#[inline(always)]` throughout, and [`dispatch`] instantiates it inside a function compiled for
//! each instruction set. Nothing outside this folder needs `unsafe`.

mod elementary;
mod lines;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use std::ops::{Add, Div, Mul, Sub};

pub(crate) use elementary::{exp, log};
pub(crate) use lines::Lines;
pub(crate) use scalar::Scalar;

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// 8 lanes (x86-64 with AVX-512 F, DQ, VL).
    Avx512,
    /// 4 lanes (x86-64 with AVX2 and FMA).
    Avx2,
    /// 2 lanes (every aarch64).
    Neon,
    /// One lane, plain Rust.
    Scalar,
}

impl Isa {
    const ALL: [Isa; 4] = [Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Scalar];

    /// The widest instruction set of this processor.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Isa::Scalar)
    }

    /// Every instruction set of this processor, widest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// Whether this processor has it (the answer is cached by the standard library).
    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        match self {
            Isa::Avx512 => {
                avx2 && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            Isa::Avx2 => avx2,
            Isa::Neon => false,
            Isa::Scalar => true,
        }
    }

    /// Whether this processor has it.
    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        match self {
            Isa::Avx512 | Isa::Avx2 => false,
            Isa::Neon => cfg!(target_arch = "aarch64"),
            Isa::Scalar => true,
        }
    }
}

/// A vector of `WIDTH` doubles. Only [`dispatch`] makes one, in code compiled for its instruction set.
pub(crate) trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Number of doubles.
    const WIDTH: usize;
    /// Whether there are 32 registers of this kind rather than 16.
    const MANY_REGISTERS: bool;
    /// Whether [`scale`](Lanes::scale) underflows to zero by itself, however negative n is.
    const SCALES_TO_ZERO: bool;
    /// One truth value per lane.
    type Mask: Copy;

    /// All lanes equal `value`.
    fn splat(value: f64) -> Self;
    /// The first `WIDTH` values.
    fn load(from: &[f64]) -> Self;
    /// Writes to the first `WIDTH` values.
    fn store(self, to: &mut [f64]);
    /// `self * factor + term`, rounded once where there is a fused instruction.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `term - self * factor`, rounded once where there is a fused instruction.
    fn neg_mul_add(self, factor: Self, term: Self) -> Self;
    /// The larger of the two; a NaN in `other` stays.
    fn max(self, other: Self) -> Self;
    /// −|x|.
    fn neg_abs(self) -> Self;
    /// Lanes where `self < other`.
    fn less(self, other: Self) -> Self::Mask;
    /// `yes` where the mask holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// `self * 2^n` for whole n in [-1022, 1023].
    fn scale(self, n: Self) -> Self;
    /// m in [1, 2) and e with `self = m 2^e`, for positive normal values.
    fn mantissa_exponent(self) -> (Self, Self);
    /// Sum of the lanes.
    fn sum(self) -> f64;

    /// Sums of four vectors; cheaper than four times [`sum`](Lanes::sum) where lanes can be shuffled.
    #[inline(always)]
    fn sums(v: [Self; 4]) -> [f64; 4] {
        [v[0].sum(), v[1].sum(), v[2].sum(), v[3].sum()]
    }
}

/// A computation to be compiled once per instruction set; `run` and all it calls must be `#[inline(always)]`.
pub(crate) trait Kernel {
    type Output;
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Runs `kernel` on vectors of `isa`, or of the best instruction set when this processor lacks that.
pub(crate) fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    let isa = if isa.is_available() { isa } else { Isa::best() };
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `is_available` saw every feature that the function enables.
        Isa::Avx512 => unsafe { avx512::run(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `is_available` saw every feature that the function enables.
        Isa::Avx2 => unsafe { avx2::run(kernel) },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => kernel.run::<neon::Neon>(),
        _ => kernel.run::<scalar::Scalar>(),
    }
}

/// e^x for every value (whose number is a multiple of 16) on a given instruction set, for benchmarks.
#[doc(hidden)]
pub fn exp_in_place(isa: Isa, values: &mut [f64]) {
    dispatch(isa, ExpInPlace(values));
}

/// e^x for every value, none above 700.
pub(crate) fn exp_slice(values: &mut [f64]) {
    let whole = values.len() / EXP_STEP * EXP_STEP;
    let (values, tail) = values.split_at_mut(whole);
    exp_in_place(Isa::best(), values);
    let mut padded = [0.0; EXP_STEP];
    padded[..tail.len()].copy_from_slice(tail);
    exp_in_place(Isa::best(), &mut padded);
    tail.copy_from_slice(&padded[..tail.len()]);
}

/// Two of the widest vectors.
const EXP_STEP: usize = 16;

struct ExpInPlace<'a>(&'a mut [f64]);

impl Kernel for ExpInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for values in self.0.chunks_exact_mut(2 * L::WIDTH) {
            let (first, second) = values.split_at_mut(L::WIDTH);
            let [a, b] = exp([L::load(first), L::load(second)]);
            a.store(first);
            b.store(second);
        }
    }
}

/// Implements the four operators of a vector type from its intrinsics.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! operators {
    ($lanes:ident: $($op:ident $method:ident $intrinsic:ident),*) => {$(
        impl std::ops::$op for $lanes {
            type Output = Self;
            #[inline(always)]
            #[allow(unused_unsafe)] // safe where the instruction set is part of the platform (NEON)
            fn $method(self, other: Self) -> Self {
                // SAFETY: values of this type exist only in code compiled for the instruction set.
                Self(unsafe { $intrinsic(self.0, other.0) })
            }
        }
    )*};
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use operators;

#[cfg(test)]
mod tests;
