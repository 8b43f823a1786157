//! The step of a trust-region method: the minimum of a quadratic within a ball.
//!
//! Moré and Sorensen (1983, SIAM J. Sci. Stat. Comput. 4, 553-572), on the Cholesky factor of the shifted
//! Hessian. Matrices are k × k in a slice. The buffers live as long as the minimiser, so a step allocates
//! nothing.

/// Shifts tried before the deepest valley is searched for.
const MAX_SHIFTS: usize = 40;

/// How far the length of a step at the edge may be from the radius, relative to it.
const SLACK: f64 = 0.1;

/// Rounds of inverse iteration for the deepest valley.
const VALLEY_ROUNDS: usize = 5;

/// Buffers for steps in k coordinates.
#[derive(Debug, Clone)]
pub(crate) struct Ball {
    k: usize,
    lower: Vec<f64>,
    work: Vec<f64>,
}

impl Ball {
    pub(crate) fn new(k: usize) -> Self {
        Ball {
            k,
            lower: vec![0.0; k * k],
            work: vec![0.0; k],
        }
    }

    /// Writes to `step` the minimiser of gᵀs + sᵀBs/2 over |s| ≤ `radius`; true if it is the free minimum.
    pub(crate) fn minimize(
        &mut self,
        hessian: &[f64],
        gradient: &[f64],
        radius: f64,
        step: &mut [f64],
    ) -> bool {
        let (mut floor, mut shift) = (0.0, 0.0);
        let mut ceiling = norm(gradient) / radius + norm(hessian);
        for _ in 0..MAX_SHIFTS {
            if !self.factorise(hessian, shift) {
                floor = f64::max(floor, shift);
                shift = between(floor, ceiling);
                continue;
            }
            self.solve_downhill(gradient, step);
            let length = norm(step);
            if shift == 0.0 && length <= radius {
                return true;
            }
            if (length - radius).abs() <= SLACK * radius {
                return false;
            }
            if length > radius {
                floor = shift;
            } else {
                ceiling = shift;
            }
            // Newton's step for 1/|s| = 1/radius.
            self.forward(step);
            let turn = length / norm(&self.work);
            let newton = shift + turn * turn * (length - radius) / radius;
            shift = if newton > floor && newton < ceiling {
                newton
            } else {
                between(floor, ceiling)
            };
        }
        self.follow_valley(hessian, gradient, ceiling, radius, step);
        false
    }

    /// gᵀs + sᵀBs/2.
    pub(crate) fn change(&self, hessian: &[f64], gradient: &[f64], step: &[f64]) -> f64 {
        let rows = hessian.chunks_exact(self.k.max(1));
        let curvature: f64 = rows.zip(step).map(|(row, s)| s * dot(row, step)).sum();
        dot(gradient, step) + 0.5 * curvature
    }

    /// gᵀB⁻¹g, twice the decrease that the quadratic promises; `None` unless B is positive definite.
    pub(crate) fn decrement(&mut self, hessian: &[f64], gradient: &[f64]) -> Option<f64> {
        if !self.factorise(hessian, 0.0) {
            return None;
        }
        self.forward(gradient);
        Some(dot(&self.work, &self.work))
    }

    /// The hard case, a gradient across the deepest valley: down the valley to the edge of the ball.
    fn follow_valley(
        &mut self,
        hessian: &[f64],
        gradient: &[f64],
        shift: f64,
        radius: f64,
        step: &mut [f64],
    ) {
        let mut valley: Vec<f64> = (0..self.k).map(|i| 1.0 + 0.1 * i as f64).collect();
        if !self.factorise(hessian, shift) {
            step.fill(0.0);
            return;
        }
        for _ in 0..VALLEY_ROUNDS {
            let before = valley.clone();
            self.solve_downhill(&before, &mut valley);
            let length = norm(&valley);
            valley.iter_mut().for_each(|v| *v /= length);
        }
        self.solve_downhill(gradient, step);
        let along = dot(&valley, step);
        let left = (radius * radius - dot(step, step)).max(0.0);
        let reach = left / (along.abs() + (along * along + left).sqrt()).max(f64::MIN_POSITIVE);
        let reach = if along < 0.0 { -reach } else { reach };
        for (s, v) in step.iter_mut().zip(&valley) {
            *s += reach * v;
        }
    }

    /// Cholesky of B + shift I; false if it is not positive definite.
    fn factorise(&mut self, hessian: &[f64], shift: f64) -> bool {
        let k = self.k;
        for i in 0..k {
            for j in 0..=i {
                let (done, row) = self.lower.split_at_mut(i * k);
                let other = if j < i {
                    &done[j * k..j * k + j]
                } else {
                    &row[..0]
                };
                let above: f64 = other.iter().zip(row.iter()).map(|(a, b)| a * b).sum();
                if j < i {
                    row[j] = (hessian[i * k + j] - above) / done[j * k + j];
                } else {
                    let diagonal = hessian[i * k + i] + shift;
                    let pivot = diagonal - dot(&row[..i], &row[..i]);
                    // A pivot that is pure rounding of its own diagonal is a zero.
                    if !(pivot > 4.0 * f64::EPSILON * diagonal.abs() && pivot.is_finite()) {
                        return false;
                    }
                    row[i] = pivot.sqrt();
                }
            }
        }
        true
    }

    /// work = L⁻¹ v.
    fn forward(&mut self, vector: &[f64]) {
        let k = self.k;
        for (i, value) in vector.iter().enumerate() {
            let above = dot(&self.lower[i * k..i * k + i], &self.work[..i]);
            self.work[i] = (value - above) / self.lower[i * k + i];
        }
    }

    /// step = -(L Lᵀ)⁻¹ g.
    fn solve_downhill(&mut self, gradient: &[f64], step: &mut [f64]) {
        let k = self.k;
        self.forward(gradient);
        for i in (0..k).rev() {
            let below = step[i + 1..].iter().enumerate();
            let taken: f64 = below
                .map(|(j, s)| self.lower[(i + 1 + j) * k + i] * s)
                .sum();
            step[i] = (-self.work[i] - taken) / self.lower[i * k + i];
        }
    }
}

/// A shift inside an interval: the geometric mean, away from zero.
fn between(floor: f64, ceiling: f64) -> f64 {
    (floor * ceiling)
        .sqrt()
        .max(1e-3 * ceiling + 0.5 * floor)
        .min(0.5 * (floor + ceiling))
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(crate) fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_minimum_is_newtons() {
        let hessian = [4.0, 1.0, 1.0, 3.0];
        let mut step = [0.0; 2];
        let mut ball = Ball::new(2);
        assert!(ball.minimize(&hessian, &[1.0, 2.0], 10.0, &mut step));
        assert!((4.0 * step[0] + step[1] + 1.0).abs() < 1e-15);
        assert!((step[0] + 3.0 * step[1] + 2.0).abs() < 1e-15);
        let decrement = ball.decrement(&hessian, &[1.0, 2.0]).unwrap();
        let change = ball.change(&hessian, &[1.0, 2.0], &step);
        assert!((decrement + 2.0 * change).abs() < 1e-14);
    }

    #[test]
    fn steps_end_at_the_edge_whatever_the_curvature() {
        let (mut ball, mut step) = (Ball::new(2), [0.0; 2]);
        for hessian in [
            [4.0, 1.0, 1.0, 3.0],
            [-4.0, 1.0, 1.0, 3.0],
            [-4.0, 0.0, 0.0, -8.0],
        ] {
            for gradient in [[1.0, 2.0], [0.0, 2.0], [2.0, 0.0], [0.0, 0.0]] {
                let free = ball.minimize(&hessian, &gradient, 0.3, &mut step);
                if gradient == [0.0, 0.0] && hessian[0] > 0.0 {
                    assert!(free);
                    continue;
                }
                assert!(
                    !free && (norm(&step) - 0.3).abs() <= 0.031,
                    "{hessian:?} {step:?}"
                );
                // No worse than any other point of the circle, but for the slack of the radius.
                let value = ball.change(&hessian, &gradient, &step);
                let best = (0..360).map(|degrees| {
                    let (sine, cosine) = f64::from(degrees).to_radians().sin_cos();
                    ball.change(&hessian, &gradient, &[0.3 * cosine, 0.3 * sine])
                });
                let best = best.fold(f64::INFINITY, f64::min);
                assert!(
                    value <= 0.8 * best,
                    "{hessian:?} {gradient:?}: {value} {best}"
                );
            }
        }
    }
}
