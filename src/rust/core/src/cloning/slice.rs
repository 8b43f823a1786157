//! Slice sampling of one coordinate (Neal 2003, *Annals of Statistics* 31, 705-767): exact for any density, and
//! nothing to tune but a width that is right to an order of magnitude.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;

/// Most steps by which an interval grows.
const MAX_STEPS: usize = 60;

/// Most points that are tried before the old one is kept: by then the interval has no other points.
const MAX_TRIALS: usize = 200;

/// The next point after `x`, where the log density (up to a constant) is `here`; with the log density there.
///
/// The interval steps out by `width`, then shrinks towards `x` (Neal's figures 3 and 5). `width` must not depend
/// on `x`. Points where the density is not a number count as impossible.
pub fn slice(
    x: f64,
    here: f64,
    width: f64,
    rng: &mut ChaCha8Rng,
    mut log_density: impl FnMut(f64) -> f64,
) -> (f64, f64) {
    let height = here - rng.sample::<f64, _>(Exp1);
    let mut left = x - width * rng.random::<f64>();
    let mut right = left + width;
    // The steps are divided at random between the two ends, so that the interval could have come from any of its
    // points.
    let steps = rng.random_range(0..=MAX_STEPS);
    for _ in 0..steps {
        if log_density(left) > height {
            left -= width;
        } else {
            break;
        }
    }
    for _ in steps..MAX_STEPS {
        if log_density(right) > height {
            right += width;
        } else {
            break;
        }
    }
    for _ in 0..MAX_TRIALS {
        let trial = left + (right - left) * rng.random::<f64>();
        let there = log_density(trial);
        if there > height {
            return (trial, there);
        }
        if trial < x {
            left = trial;
        } else {
            right = trial;
        }
    }
    (x, here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    #[test]
    fn moments_are_those_of_the_density() {
        // log of a Gamma(3, 1) variable: mean ψ(3), variance ψ'(3); any width gives the same law.
        let log_density = |x: f64| 3.0 * x - x.exp();
        for (number, width) in [0.05, 1.0, 30.0].into_iter().enumerate() {
            let mut rng = stream(11, number as u64);
            let draws = 60_000;
            let (mut x, mut here) = (0.0, log_density(0.0));
            let (mut sum, mut square) = (0.0, 0.0);
            for _ in 0..draws {
                (x, here) = slice(x, here, width, &mut rng, log_density);
                assert_eq!(here, log_density(x));
                sum += x;
                square += x * x;
            }
            let mean = sum / f64::from(draws);
            let variance = square / f64::from(draws) - mean * mean;
            assert!(
                (mean - 0.922_784_335_098_467).abs() < 0.02,
                "{width} {mean}"
            );
            assert!(
                (variance - 0.394_934_066_848_226).abs() < 0.02,
                "{width} {variance}"
            );
        }
    }
}
