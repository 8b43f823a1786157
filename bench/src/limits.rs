//! What one core can do: fused multiply-adds, exponentials, reads.

use ember_core::simd::{exp_in_place, Isa};

use crate::clock::median;

/// Rates of one core.
pub struct Limits {
    /// Floating-point operations per second (two per fused multiply-add).
    pub flops: f64,
    /// Seconds per exponential.
    pub exp: f64,
    /// Bytes per second read from memory.
    pub bandwidth: f64,
}

impl Limits {
    pub fn measure(isa: Isa) -> Self {
        const TURNS: usize = 2_000_000;
        let flops = match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `isa` is one of those available.
            Isa::Avx512 => {
                let time = median(9, || unsafe { x86::fma_512(TURNS) });
                (TURNS * 16 * 8 * 2) as f64 / time.cpu
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `isa` is one of those available.
            Isa::Avx2 => {
                let time = median(9, || unsafe { x86::fma_256(TURNS) });
                (TURNS * 12 * 4 * 2) as f64 / time.cpu
            }
            _ => {
                let time = median(9, || multiply_add(TURNS));
                (TURNS * 8 * 2) as f64 / time.cpu
            }
        };
        let mut values = vec![0.0; 2048];
        let exp = median(9, || {
            for _ in 0..200 {
                values.fill(-0.7);
                exp_in_place(isa, &mut values);
            }
        });
        let fill = median(9, || {
            for _ in 0..200 {
                values.fill(-0.7);
                std::hint::black_box(&mut values);
            }
        });
        let memory = vec![1.0f64; 32 << 20];
        let read = median(5, || {
            std::hint::black_box(sum(isa, &memory));
        });
        Limits {
            flops,
            exp: (exp.cpu - fill.cpu) / (200.0 * 2048.0),
            bandwidth: (8 * memory.len()) as f64 / read.cpu,
        }
    }

    /// Seconds of one pass over n rows with full covariance matrices: triangular whitening, half a symmetric update,
    /// one exponential per row and component.
    pub fn full(&self, n: f64, d: f64, k: f64) -> f64 {
        n * k * (2.0 * d * (d + 1.0) + 6.0 * d) / self.flops + n * k * self.exp
    }

    /// Seconds of one pass over n rows in one dimension with two components of equal variance: one exponential and
    /// ten other operations per row.
    pub fn logit(&self, n: f64) -> f64 {
        n * self.exp + n * 10.0 / self.flops
    }
}

fn multiply_add(turns: usize) {
    let mut sums = [1.0f64; 8];
    let (a, b) = (std::hint::black_box(0.999), std::hint::black_box(0.001));
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = *sum * a + b;
        }
    }
    std::hint::black_box(sums);
}

/// Sum with sixteen chains, enough to keep the memory busy.
fn sum(isa: Isa, values: &[f64]) -> f64 {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `isa` is one of those available.
        Isa::Avx512 => unsafe { x86::sum_512(values) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `isa` is one of those available.
        Isa::Avx2 => unsafe { x86::sum_256(values) },
        _ => chains(values),
    }
}

#[inline(always)]
fn chains(values: &[f64]) -> f64 {
    let mut sums = [0.0; 64];
    for group in values.chunks_exact(64) {
        for (sum, value) in sums.iter_mut().zip(group) {
            *sum += value;
        }
    }
    sums.iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx512f")]
    pub fn fma_512(turns: usize) {
        let (a, b) = (_mm512_set1_pd(black_box(0.999)), _mm512_set1_pd(0.001));
        let mut sums = [_mm512_set1_pd(1.0); 16];
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = _mm512_fmadd_pd(*sum, a, b);
            }
        }
        for sum in sums {
            black_box(_mm512_reduce_add_pd(sum));
        }
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn fma_256(turns: usize) {
        let (a, b) = (_mm256_set1_pd(black_box(0.999)), _mm256_set1_pd(0.001));
        let mut sums = [_mm256_set1_pd(1.0); 12];
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = _mm256_fmadd_pd(*sum, a, b);
            }
        }
        for sum in sums {
            black_box(_mm256_cvtsd_f64(sum));
        }
    }

    #[target_feature(enable = "avx512f")]
    pub fn sum_512(values: &[f64]) -> f64 {
        super::chains(values)
    }

    #[target_feature(enable = "avx2")]
    pub fn sum_256(values: &[f64]) -> f64 {
        super::chains(values)
    }
}
