//! The plane of two common axes: one angle, one smooth function of period π.
//!
//! A rotation by t/2 changes s_kl s_km, the product of the variances of component k along the two axes, to
//! det_k + y_k(t)² with y_k(t) = w_k cos t − δ_k sin t: w_k is the off-diagonal entry of the 2 × 2 block of
//! S_k, 2δ_k the difference of its diagonal and det_k its determinant.

/// Points of the period that a global search looks at.
const ANGLES: usize = 24;

/// One component's 2 × 2 block, and its weight in the objective of the plane.
pub(super) struct Block {
    pub weight: f64,
    pub determinant: f64,
    pub off_diagonal: f64,
    pub half_difference: f64,
}

/// h(t) = Σ_k weight_k φ(q_k(t)), q_k = det_k + y_k(t)², period π; φ = log for exponent 0, else a power.
pub(super) struct Plane {
    pub blocks: Vec<Block>,
    pub exponent: f64,
}

impl Plane {
    fn objective(&self, t: f64) -> f64 {
        let (sine, cosine) = t.sin_cos();
        (self.blocks.iter())
            .map(|block| {
                let y = block.off_diagonal * cosine - block.half_difference * sine;
                let log = (block.determinant + y * y).ln();
                if self.exponent == 0.0 {
                    block.weight * log
                } else {
                    block.weight * (self.exponent * log).exp()
                }
            })
            .sum()
    }

    /// h'(t), h''(t), and the size of the terms that h' is the sum of.
    pub(super) fn derivatives(&self, t: f64) -> (f64, f64, f64) {
        let (sine, cosine) = t.sin_cos();
        let (mut first, mut second, mut size) = (0.0, 0.0, 0.0);
        for block in &self.blocks {
            let y = block.off_diagonal * cosine - block.half_difference * sine;
            let slope = -block.off_diagonal * sine - block.half_difference * cosine;
            let q = block.determinant + y * y;
            if q <= 0.0 {
                continue;
            }
            let weight = if self.exponent == 0.0 {
                block.weight
            } else {
                block.weight * self.exponent * (self.exponent * q.ln()).exp()
            };
            let relative = 2.0 * y * slope / q;
            let curvature = 2.0 * (slope * slope - y * y) / q;
            first += weight * relative;
            second += weight * (curvature + (self.exponent - 1.0) * relative * relative);
            size += weight * relative.abs();
        }
        (first, second, size)
    }

    /// The best of equally spaced angles; 0 unless another is better.
    pub(super) fn best_of_period(&self) -> f64 {
        let mut best = (self.objective(0.0), 0.0);
        for step in 1..ANGLES {
            // From just above −π/2 to π/2, the angle nearest to 0 of each class.
            let t = std::f64::consts::PI * (step as f64 / ANGLES as f64 - 0.5);
            let value = self.objective(t);
            if value < best.0 {
                best = (value, t);
            }
        }
        best.1
    }

    /// Newton's method from `t`, damped so that h falls until only rounding is left of h'.
    pub(super) fn minimize(&self, mut t: f64) -> f64 {
        const LONGEST: f64 = std::f64::consts::PI / ANGLES as f64;
        let mut value = self.objective(t);
        for _ in 0..60 {
            let (first, second, size) = self.derivatives(t);
            if !(first.abs() > 4.0 * f64::EPSILON * size && first.is_finite()) {
                break;
            }
            let newton = -first / second;
            let mut step = if second > 0.0 && newton.abs() <= LONGEST {
                newton
            } else {
                -LONGEST * first.signum()
            };
            let accepted = loop {
                let next = self.objective(t + step);
                if next < value {
                    break Some(next);
                }
                // Near the minimum h is flat to rounding long before h' is.
                let (new_first, new_second, _) = self.derivatives(t + step);
                let in_valley = second > 0.0 && new_second > 0.0 && step == newton;
                if in_valley && new_first.abs() < 0.5 * first.abs() {
                    break Some(next);
                }
                step *= 0.5;
                if step.abs() < 1e-16 || step.is_nan() {
                    break None;
                }
            };
            let Some(next) = accepted else {
                break;
            };
            t += step;
            value = next;
            if step.abs() < 1e-15 {
                break;
            }
        }
        t
    }
}
