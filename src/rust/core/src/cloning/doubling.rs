//! Slice sampling along a line or curve, with doubling (Neal 2003, *Annals of Statistics* 31, figures 4-6).
//!
//! The width need not fit: an interval grows by doubling, so a plateau thousands of widths long is crossed in
//! one step, and shrinks geometrically.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;

/// Most doublings of the interval.
const MAX_DOUBLINGS: usize = 14;

/// Most points tried on a slice: an interval has shrunk to rounding by then, and the step is none.
const MAX_TRIES: usize = 200;

/// A log density along a curve through the current point, which is 0.
pub(super) trait Curve {
    /// The log density at `t`.
    fn at(&mut self, t: f64) -> f64;

    /// The last point asked for may become the next.
    fn keep(&mut self);
}

/// Moves along the curve, from a point of this log density. Whether the point kept last is the next.
pub(super) fn step(
    curve: &mut impl Curve,
    log_density: f64,
    width: f64,
    rng: &mut ChaCha8Rng,
) -> bool {
    let drop: f64 = rng.sample(Exp1);
    let level = log_density - drop;
    let mut lower = -width * rng.random::<f64>();
    let mut upper = lower + width;
    let (mut at_lower, mut at_upper) = (curve.at(lower), curve.at(upper));
    for _ in 0..MAX_DOUBLINGS {
        if level >= at_lower && level >= at_upper {
            break;
        }
        if rng.random::<bool>() {
            lower -= upper - lower;
            at_lower = curve.at(lower);
        } else {
            upper += upper - lower;
            at_upper = curve.at(upper);
        }
    }
    let (ends, mut left, mut right) = ((lower, upper, at_lower, at_upper), lower, upper);
    for _ in 0..MAX_TRIES {
        let t = left + rng.random::<f64>() * (right - left);
        if level < curve.at(t) {
            curve.keep();
            if reversible(curve, level, width, t, ends) {
                return true;
            }
        }
        if t < 0.0 {
            left = t;
        } else {
            right = t;
        }
    }
    false
}

/// Whether doubling from `t` could have given the same interval (figure 6).
fn reversible(
    curve: &mut impl Curve,
    level: f64,
    width: f64,
    t: f64,
    (mut lower, mut upper, mut at_lower, mut at_upper): (f64, f64, f64, f64),
) -> bool {
    let mut differ = false;
    while upper - lower > 1.1 * width {
        let middle = 0.5 * (lower + upper);
        differ |= (middle > 0.0) != (t < middle);
        if t < middle {
            upper = middle;
            at_upper = curve.at(middle);
        } else {
            lower = middle;
            at_lower = curve.at(middle);
        }
        if differ && level >= at_lower && level >= at_upper {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    /// A mixture of a narrow normal density and a wide one beside it.
    struct Two {
        at: f64,
        last: f64,
        kept: f64,
    }

    fn log_density(x: f64) -> f64 {
        let part = |center: f64, sd: f64| (-0.5 * ((x - center) / sd).powi(2)).exp() / sd;
        (0.3 * part(0.0, 0.1) + 0.7 * part(3.0, 2.0)).ln()
    }

    impl Curve for Two {
        fn at(&mut self, t: f64) -> f64 {
            self.last = self.at + t;
            log_density(self.last)
        }

        fn keep(&mut self) {
            self.kept = self.last;
        }
    }

    #[test]
    fn moments_do_not_depend_on_the_width() {
        for (number, width) in [0.05, 2.0, 300.0].into_iter().enumerate() {
            let mut rng = stream(12, number as u64);
            let mut line = Two {
                at: 0.0,
                last: 0.0,
                kept: 0.0,
            };
            let (draws, mut sum, mut square, mut narrow) = (100_000, 0.0, 0.0, 0);
            for _ in 0..draws {
                let here = log_density(line.at);
                if step(&mut line, here, width, &mut rng) {
                    line.at = line.kept;
                }
                sum += line.at;
                square += line.at * line.at;
                narrow += i32::from(line.at.abs() < 0.3);
            }
            let mean = sum / f64::from(draws);
            let variance = square / f64::from(draws) - mean * mean;
            let share = f64::from(narrow) / f64::from(draws);
            assert!((mean - 2.1).abs() < 0.1, "{width} {mean}");
            // 0.3 0.01 + 0.7 4 + 0.21 9, and 0.3 P(|z| < 3) + 0.7 P(-1.65 < z < -1.35)
            assert!((variance - 4.693).abs() < 0.12, "{width} {variance}");
            assert!((share - 0.326_5).abs() < 0.035, "{width} {share}");
        }
    }
}
