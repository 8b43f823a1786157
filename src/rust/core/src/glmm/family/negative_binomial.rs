//! Negative binomial rows of shape k: y log μ - (y + k) log(1 + μ/k).

use super::poisson::power_log;
use super::special::{ln_factorial, log_rising, log_rising_slope, logistic, softplus};
use super::{Link, RowTerms, ShapeTerms};

#[inline(always)]
pub fn terms(link: Link, y: f64, eta: f64, log_shape: f64) -> RowTerms {
    let k = log_shape.exp();
    match link {
        Link::Sqrt => {
            if eta == 0.0 && y > 0.0 {
                return RowTerms::OUTSIDE;
            }
            let mu = eta * eta;
            let (total, ratio) = (k + mu, (y + k) / (k + mu));
            let along = if y > 0.0 { y / eta } else { 0.0 };
            let curvature = if y > 0.0 { along / eta } else { 0.0 };
            let third = if y > 0.0 { curvature / eta } else { 0.0 };
            RowTerms {
                value: power_log(2.0 * y, eta.abs()) - (y + k) * (mu / k).ln_1p(),
                score: 2.0 * (along - eta * ratio),
                weight: 2.0 * (curvature + ratio * (k - mu) / total),
                slope: 4.0 * (ratio * eta * (mu - 3.0 * k) / (total * total) - third),
            }
        }
        Link::Identity => {
            if eta < 0.0 || (eta == 0.0 && y > 0.0) {
                return RowTerms::OUTSIDE;
            }
            let (total, ratio) = (k + eta, (y + k) / (k + eta));
            let along = if y > 0.0 { y / eta } else { 0.0 };
            let curvature = if y > 0.0 { along / eta } else { 0.0 };
            let third = if y > 0.0 { curvature / eta } else { 0.0 };
            RowTerms {
                value: power_log(y, eta) - (y + k) * (eta / k).ln_1p(),
                score: along - ratio,
                weight: curvature - ratio / total,
                slope: 2.0 * (ratio / (total * total) - third),
            }
        }
        _ => {
            // A binomial of y + k trials with log odds η - log k.
            let z = eta - log_shape;
            let (p, q) = (logistic(z), logistic(-z));
            RowTerms {
                value: y * eta - (y + k) * softplus(z),
                score: y * q - k * p,
                weight: (y + k) * p * q,
                slope: (y + k) * p * q * (q - p),
            }
        }
    }
}

#[inline(always)]
pub fn shape_terms(link: Link, y: f64, eta: f64, log_shape: f64) -> ShapeTerms {
    let k = log_shape.exp();
    if link == Link::Log {
        let z = eta - log_shape;
        let (p, q) = (logistic(z), logistic(-z));
        return ShapeTerms {
            value: (y + k) * p - k * softplus(z),
            score: p * (y * q - k * p),
            weight: p * q * (k - (y + k) * (q - p)),
        };
    }
    let mu = if link == Link::Sqrt { eta * eta } else { eta };
    let total = k + mu;
    let ratio = (y + k) / total;
    // k d ratio / dk.
    let slope = k * (mu - y) / (total * total);
    let value = ratio * mu - k * (mu / k).ln_1p();
    if link == Link::Sqrt {
        ShapeTerms {
            value,
            score: -2.0 * eta * slope,
            weight: 2.0 * (slope * (k - mu) / total + ratio * 2.0 * mu * k / (total * total)),
        }
    } else {
        ShapeTerms {
            value,
            score: -slope,
            weight: (ratio * k / total - slope) / total,
        }
    }
}

/// log Γ(y + k) - log Γ(k) - y log k - log y!.
pub fn constant(y: f64, log_shape: f64) -> f64 {
    log_rising(log_shape.exp(), y) - ln_factorial(y)
}

pub fn constant_slope(y: f64, log_shape: f64) -> f64 {
    log_rising_slope(log_shape.exp(), y)
}

#[inline(always)]
pub fn expected_weight(link: Link, eta: f64, log_shape: f64) -> f64 {
    let k = log_shape.exp();
    match link {
        Link::Sqrt => 4.0 * k / (k + eta * eta),
        Link::Identity if eta > 0.0 => k / (eta * (k + eta)),
        Link::Identity => 0.0,
        _ => k * logistic(eta - log_shape),
    }
}
