//! Special functions that keep their digits in the tails.

use std::f64::consts::PI;

use statrs::function::gamma::{digamma, ln_gamma};

/// From here on Stirling's series has all digits.
const STIRLING: f64 = 16.0;

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn logistic(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    let small = e / (1.0 + e);
    if x < 0.0 {
        small
    } else {
        1.0 / (1.0 + e)
    }
}

/// log(1 + e^x).
#[inline(always)]
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// log(1 - e^x) for x < 0.
#[inline(always)]
pub fn log_one_minus_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 {
        (-x.exp_m1()).ln()
    } else {
        (-x.exp()).ln_1p()
    }
}

/// The Cauchy distribution function, in (0, 1/2) as exact in the left tail.
pub fn cauchy_cdf(x: f64) -> f64 {
    1f64.atan2(-x) / PI
}

/// 1 / (12 x) - 1 / (360 x³) + ...: log Γ(x) less (x - 1/2) log x - x + log(2π) / 2.
fn stirling_error(x: f64) -> f64 {
    let z = 1.0 / (x * x);
    (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z / 1188.0)))) / x
}

/// x log x - x - log Γ(x).
pub fn gamma_excess(x: f64) -> f64 {
    if x < STIRLING {
        x * x.ln() - x - ln_gamma(x)
    } else {
        0.5 * (x / (2.0 * PI)).ln() - stirling_error(x)
    }
}

/// log x - ψ(x).
pub fn digamma_excess(x: f64) -> f64 {
    if x < STIRLING {
        return x.ln() - digamma(x);
    }
    let z = 1.0 / (x * x);
    0.5 / x
        + z * (1.0 / 12.0 - z * (1.0 / 120.0 - z * (1.0 / 252.0 - z * (1.0 / 240.0 - z / 132.0))))
}

/// log Γ(y + 1).
pub fn ln_factorial(y: f64) -> f64 {
    if y == 0.0 || y == 1.0 {
        0.0
    } else {
        ln_gamma(y + 1.0)
    }
}

/// Counts up to this are multiplied out.
const SMALL_COUNT: f64 = 32.0;

fn is_small_count(y: f64) -> bool {
    y <= SMALL_COUNT && y.fract() == 0.0
}

/// log Γ(k + y) - log Γ(k) - y log k, without cancellation for large k.
pub fn log_rising(k: f64, y: f64) -> f64 {
    if is_small_count(y) {
        (1..y as usize).map(|j| (j as f64 / k).ln_1p()).sum()
    } else if k < STIRLING {
        ln_gamma(k + y) - ln_gamma(k) - y * k.ln()
    } else {
        (k + y - 0.5) * (y / k).ln_1p() - y + stirling_error(k + y) - stirling_error(k)
    }
}

/// k d/dk of [`log_rising`]: k (ψ(k + y) - ψ(k)) - y.
pub fn log_rising_slope(k: f64, y: f64) -> f64 {
    if is_small_count(y) {
        let terms = (1..y as usize).map(|j| j as f64 / (k + j as f64));
        -terms.sum::<f64>()
    } else {
        let excess = digamma_excess(k) - digamma_excess(k + y);
        k * ((y / k).ln_1p() + excess) - y
    }
}
