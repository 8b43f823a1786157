//! Draws from a normal distribution cut at zero.

use rand::distr::Open01;
use rand::{Rng, RngExt};
use rand_distr::Exp1;

use super::univariate::{cdf, quantile};

/// Standard deviations between mean and interval from which rejection beats inversion.
const FAR: f64 = 4.0;

/// A draw of N(`mean`, `sd`²) given that it lies in (0, ∞), or in (-∞, 0] if not `positive`.
///
/// With b standard deviations to go: inversion of the tail probability u Φ(-b) for b < 4, which keeps its digits where
/// 1 - u would not; then rejection from an exponential (Robert 1995, *Statistics and Computing* 5).
pub fn draw<R: Rng>(mean: f64, sd: f64, positive: bool, rng: &mut R) -> f64 {
    let sign = if positive { 1.0 } else { -1.0 };
    let bound = -sign * mean / sd;
    let distance = if bound < FAR {
        let u: f64 = rng.sample(Open01);
        sign * mean - sd * quantile(u * cdf(-bound))
    } else {
        sd * tail_excess(bound, rng)
    };
    // A draw beside the bound may round to its wrong side.
    if positive {
        distance.max(f64::MIN_POSITIVE)
    } else {
        -distance.max(0.0)
    }
}

/// X - b for a standard normal X > b > 0: an exponential of rate a = (b + √(b² + 4))/2, accepted with probability
/// exp(-(X - a)²/2). A NaN is accepted, so that it ends.
fn tail_excess<R: Rng>(bound: f64, rng: &mut R) -> f64 {
    let sum = bound + bound.hypot(2.0);
    let (rate, offset) = (0.5 * sum, 2.0 / sum);
    loop {
        let exponential: f64 = rng.sample(Exp1);
        let excess = exponential / rate;
        let gap = excess - offset;
        let refused: f64 = rng.sample(Exp1);
        let rejected = refused < 0.5 * gap * gap;
        if !rejected {
            return excess;
        }
    }
}
