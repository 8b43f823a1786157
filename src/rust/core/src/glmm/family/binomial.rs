//! Binomial rows: y log F(η) + (1 - y) log(1 - F(η)), each logarithm with its own tail.

use super::special::{cauchy_cdf, ln_factorial, log_one_minus_exp, logistic, softplus};
use super::{Link, RowTerms};
use crate::normal::univariate::Positive;

/// A logarithm of a probability and its first three derivatives.
#[derive(Clone, Copy)]
struct Tail {
    value: f64,
    first: f64,
    second: f64,
    third: f64,
}

/// Where a probability of 1 has no derivatives that count.
const CERTAIN: Tail = Tail {
    value: 0.0,
    first: 0.0,
    second: 0.0,
    third: 0.0,
};

impl Tail {
    /// The same function of -η.
    #[inline(always)]
    fn mirrored(self) -> Tail {
        Tail {
            value: self.value,
            first: -self.first,
            second: self.second,
            third: -self.third,
        }
    }
}

pub fn terms(link: Link, y: f64, trials: f64, eta: f64) -> RowTerms {
    if link == Link::Log && (eta > 0.0 || (eta == 0.0 && y < 1.0)) {
        return RowTerms::OUTSIDE;
    }
    let mut terms = RowTerms::default();
    // What did not happen says nothing, even where its probability is 0.
    if y > 0.0 {
        add(&mut terms, trials * y, success(link, eta));
    }
    if y < 1.0 {
        add(&mut terms, trials * (1.0 - y), failure(link, eta));
    }
    terms
}

#[inline(always)]
fn add(terms: &mut RowTerms, count: f64, tail: Tail) {
    terms.value += count * tail.value;
    terms.score += count * tail.first;
    terms.weight -= count * tail.second;
    terms.slope -= count * tail.third;
}

/// log F(η).
#[inline(always)]
fn success(link: Link, eta: f64) -> Tail {
    match link {
        Link::Probit => log_normal_cdf(eta),
        Link::Cloglog => log_cloglog(eta),
        Link::Cauchit => log_cauchy_cdf(eta),
        Link::Log => Tail {
            value: eta,
            first: 1.0,
            second: 0.0,
            third: 0.0,
        },
        _ => log_logistic(eta),
    }
}

/// log(1 - F(η)).
#[inline(always)]
fn failure(link: Link, eta: f64) -> Tail {
    match link {
        Link::Probit => log_normal_cdf(-eta).mirrored(),
        Link::Cloglog => {
            let rate = -eta.exp();
            Tail {
                value: rate,
                first: rate,
                second: rate,
                third: rate,
            }
        }
        Link::Cauchit => log_cauchy_cdf(-eta).mirrored(),
        Link::Log => {
            // s = e^η / (1 - e^η) and s' = s (1 + s).
            let odds = 1.0 / (-eta).exp_m1();
            let slope = odds * (1.0 + odds);
            Tail {
                value: log_one_minus_exp(eta),
                first: -odds,
                second: -slope,
                third: -slope * (1.0 + 2.0 * odds),
            }
        }
        _ => log_logistic(-eta).mirrored(),
    }
}

#[inline(always)]
fn log_logistic(eta: f64) -> Tail {
    let (p, q) = (logistic(eta), logistic(-eta));
    Tail {
        value: -softplus(-eta),
        first: q,
        second: -p * q,
        third: p * q * (p - q),
    }
}

/// With Z ~ N(η, 1) the derivatives of log Φ(η) are the cumulants of Z given Z > 0, the first less η and the second less 1.
fn log_normal_cdf(eta: f64) -> Tail {
    let inside = Positive::new(eta);
    Tail {
        value: inside.log_probability,
        first: inside.mills,
        second: -inside.mills * inside.mean,
        third: inside.third,
    }
}

/// Rates above which a cloglog success is certain.
const CERTAIN_RATE: f64 = 745.0;

/// Rates up to which t / (e^t - 1) is a series.
const SMALL_RATE: f64 = 0.25;

/// log(1 - e^-t), t = e^η: with g = t / (e^t - 1) and h = 1 - t - g, g' = g h and h' = -t - g h.
fn log_cloglog(eta: f64) -> Tail {
    let t = eta.exp();
    if t > CERTAIN_RATE {
        return CERTAIN;
    }
    let (g, h) = if t < SMALL_RATE {
        // Bernoulli numbers.
        let z = t * t;
        let even = z
            * (1.0 / 12.0
                - z * (1.0 / 720.0
                    - z * (1.0 / 30_240.0 - z * (1.0 / 1_209_600.0 - z * (1.0 / 47_900_160.0)))));
        (1.0 - 0.5 * t + even, -0.5 * t - even)
    } else {
        let g = t / t.exp_m1();
        (g, 1.0 - t - g)
    };
    Tail {
        // log(1 - e^-t) = η + log((1 - e^-t) / t) where t has no digits left.
        value: if t < f64::MIN_POSITIVE {
            eta
        } else {
            log_one_minus_exp(-t)
        },
        first: g,
        second: g * h,
        third: g * (h * h - t - g * h),
    }
}

/// With r = F'/F and c = F''/F': r' = r (c - r).
fn log_cauchy_cdf(eta: f64) -> Tail {
    let cdf = cauchy_cdf(eta);
    let u = 1.0 / (1.0 + eta * eta);
    let r = u / (std::f64::consts::PI * cdf);
    let c = -2.0 * eta * u;
    let slope = r * (c - r);
    Tail {
        value: if eta > 1.0 {
            (-cauchy_cdf(-eta)).ln_1p()
        } else {
            cdf.ln()
        },
        first: r,
        second: slope,
        third: slope * (c - r) + r * (2.0 * u * (1.0 - 2.0 * u) - slope),
    }
}

/// log of the binomial coefficient.
pub fn constant(y: f64, trials: f64) -> f64 {
    let successes = trials * y;
    if trials == 1.0 && (successes == 0.0 || successes == 1.0) {
        return 0.0;
    }
    ln_factorial(trials) - ln_factorial(successes) - ln_factorial(trials - successes)
}

/// F (log F)'² + (1 - F) (log(1 - F))'².
pub fn expected_weight(link: Link, eta: f64) -> f64 {
    if link == Link::Log && eta >= 0.0 {
        return 0.0;
    }
    let share = |tail: Tail| {
        let weight = tail.value.exp() * tail.first * tail.first;
        if weight.is_finite() {
            weight
        } else {
            0.0
        }
    };
    share(success(link, eta)) + share(failure(link, eta))
}
