//! Gamma rows of shape a: -a (log μ + y/μ - 1).

use super::special::{digamma_excess, gamma_excess};
use super::{Link, RowTerms};

#[inline(always)]
pub fn terms(link: Link, y: f64, eta: f64, log_shape: f64) -> RowTerms {
    let shape = log_shape.exp();
    match link {
        Link::Inverse | Link::Identity if eta <= 0.0 => RowTerms::OUTSIDE,
        Link::Inverse => RowTerms {
            value: eta.ln() - y * eta + 1.0,
            score: 1.0 / eta - y,
            weight: 1.0 / (eta * eta),
            slope: -2.0 / (eta * eta * eta),
        }
        .times(shape),
        Link::Identity => {
            let (inverse, ratio) = (1.0 / eta, y / eta);
            RowTerms {
                value: 1.0 - eta.ln() - ratio,
                score: inverse * (ratio - 1.0),
                weight: inverse * inverse * (2.0 * ratio - 1.0),
                slope: inverse * inverse * inverse * (2.0 - 6.0 * ratio),
            }
            .times(shape)
        }
        _ => {
            let ratio = y * (-eta).exp();
            RowTerms {
                value: 1.0 - eta - ratio,
                score: ratio - 1.0,
                weight: ratio,
                slope: -ratio,
            }
            .times(shape)
        }
    }
}

/// (a - 1) log y + a log a - a - log Γ(a).
pub fn constant(y: f64, log_shape: f64) -> f64 {
    let shape = log_shape.exp();
    (shape - 1.0) * y.ln() + gamma_excess(shape)
}

/// a (log y + log a - ψ(a)).
pub fn constant_slope(y: f64, log_shape: f64) -> f64 {
    let shape = log_shape.exp();
    shape * (y.ln() + digamma_excess(shape))
}

#[inline(always)]
pub fn expected_weight(link: Link, eta: f64, log_shape: f64) -> f64 {
    let shape = log_shape.exp();
    match link {
        Link::Inverse | Link::Identity if eta <= 0.0 => 0.0,
        Link::Inverse | Link::Identity => shape / (eta * eta),
        _ => shape,
    }
}
