//! Poisson rows: y log μ - μ.

use super::special::ln_factorial;
use super::{Link, RowTerms};

#[inline(always)]
pub fn terms(link: Link, y: f64, eta: f64) -> RowTerms {
    match link {
        Link::Sqrt => {
            if eta == 0.0 && y > 0.0 {
                return RowTerms::OUTSIDE;
            }
            let ratio = if y > 0.0 { y / eta } else { 0.0 };
            let curvature = if y > 0.0 { ratio / eta } else { 0.0 };
            RowTerms {
                value: power_log(2.0 * y, eta.abs()) - eta * eta,
                score: 2.0 * (ratio - eta),
                weight: 2.0 * (curvature + 1.0),
                slope: if y > 0.0 { -4.0 * curvature / eta } else { 0.0 },
            }
        }
        Link::Identity => {
            if eta < 0.0 || (eta == 0.0 && y > 0.0) {
                return RowTerms::OUTSIDE;
            }
            let ratio = if y > 0.0 { y / eta } else { 0.0 };
            let curvature = if y > 0.0 { ratio / eta } else { 0.0 };
            RowTerms {
                value: power_log(y, eta) - eta,
                score: ratio - 1.0,
                weight: curvature,
                slope: if y > 0.0 { -2.0 * curvature / eta } else { 0.0 },
            }
        }
        _ => {
            let mu = eta.exp();
            RowTerms {
                value: y * eta - mu,
                score: y - mu,
                weight: mu,
                slope: mu,
            }
        }
    }
}

/// y log x, 0 where y is.
#[inline(always)]
pub fn power_log(y: f64, x: f64) -> f64 {
    if y > 0.0 {
        y * x.ln()
    } else {
        0.0
    }
}

/// -log y!.
pub fn constant(y: f64) -> f64 {
    -ln_factorial(y)
}

#[inline(always)]
pub fn expected_weight(link: Link, eta: f64) -> f64 {
    match link {
        Link::Sqrt => 4.0,
        Link::Identity if eta > 0.0 => 1.0 / eta,
        Link::Identity => 0.0,
        _ => eta.exp(),
    }
}
