//! Σ_k = λ_k D A_k Dᵀ with the axes D common to all components: EVE, VVE (Celeux & Govaert 1995,
//! section 3.3; for VVE the common principal components of Flury 1984).
//!
//! Given D the rest has a closed form, which leaves, with s_kj = (Dᵀ S_k D)_jj,
//!
//! ```text
//! VVE: minimise Σ_k n_k Σ_j log s_kj        EVE: minimise Σ_k (Π_j s_kj)^(1/d)
//! ```
//!
//! over rotations. A rotation by t/2 in the plane of two axes changes s_kl s_km to det_k + y_k(t)² with
//! y_k(t) = w_k cos t − δ_k sin t, where w_k is the off-diagonal entry of the 2 × 2 block, 2δ_k the difference
//! of its diagonal and det_k its determinant. So each plane is a smooth problem in one angle, solved over its
//! whole period; sweeps over all planes can only improve (the idea of Flury & Gautschi 1986).

use nalgebra::{DMatrix, DVector};

use super::diagonal::diagonals_of_equal_volume;
use super::own_orientation::along;
use super::Evidence;
use crate::error::Result;
use crate::linalg::symmetric_eigen;
use crate::mixture::degeneracy::collapsed;

/// Whether the components share their volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Volume {
    Equal,
    Variable,
}

/// Sweeps that look at the whole period of each angle; later ones stay in the valley they are in.
const GLOBAL_SWEEPS: usize = 2;

/// Points of the period that a global search looks at.
const ANGLES: usize = 24;

/// Most sweeps from one start.
const MAX_SWEEPS: usize = 1000;

/// Most sweeps of [`common_axes`], which converges quadratically; only nearly equal eigenvalues need more,
/// and then any axes in their plane will do.
const MAX_AXES_SWEEPS: usize = 100;

/// Largest angle of a sweep that counts as standing still.
const STILL: f64 = 1e-12;

/// Covariance matrices of EVE or VVE from the best of several starts: the axes of `start`, of the pooled
/// scatter and of each S_k. With the axes of `start` among them the objective cannot fall.
pub(super) fn maximize(
    evidence: &Evidence,
    start: Option<&[DMatrix<f64>]>,
    volume: Volume,
) -> Result<Vec<DMatrix<f64>>> {
    let mut best: Option<Axes> = None;
    for axes in starts(evidence, start)? {
        let mut candidate = Axes::new(evidence, axes, volume);
        candidate.descend();
        if best
            .as_ref()
            .is_none_or(|b| candidate.objective() < b.objective())
        {
            best = Some(candidate);
        }
    }
    best.map_or_else(
        || Err(collapsed(0, "its scatter is not finite")),
        |axes| axes.covariances(),
    )
}

/// Starting axes. In two dimensions the one plane is searched over its whole period, so one start is enough.
fn starts(evidence: &Evidence, start: Option<&[DMatrix<f64>]>) -> Result<Vec<DMatrix<f64>>> {
    let mut starts = Vec::new();
    if let Some(previous) = start {
        starts.push(common_axes(previous));
    }
    let pooled = evidence.pooled();
    let two_dimensions = pooled.nrows() <= 2;
    starts.push(symmetric_eigen(&pooled)?.1);
    if two_dimensions {
        starts.truncate(1);
        return Ok(starts);
    }
    for scatter in &evidence.scatters {
        starts.push(symmetric_eigen(scatter)?.1);
    }
    Ok(starts)
}

/// Candidate axes D with the scatter matrices seen in them.
struct Axes<'a> {
    evidence: &'a Evidence,
    volume: Volume,
    axes: DMatrix<f64>,
    /// Dᵀ S_k D.
    rotated: Vec<DMatrix<f64>>,
}

impl<'a> Axes<'a> {
    fn new(evidence: &'a Evidence, axes: DMatrix<f64>, volume: Volume) -> Self {
        let rotated = (evidence.scatters.iter())
            .map(|scatter| axes.transpose() * scatter * &axes)
            .collect();
        Axes {
            evidence,
            volume,
            axes,
            rotated,
        }
    }

    /// What the rotation minimises.
    fn objective(&self) -> f64 {
        let entries = self.rotated.iter().zip(&self.evidence.counts);
        entries
            .map(|(rotated, count)| {
                let logs: f64 = rotated.diagonal().iter().map(|x| x.ln()).sum();
                match self.volume {
                    Volume::Variable => count * logs,
                    Volume::Equal => (logs / rotated.nrows() as f64).exp(),
                }
            })
            .sum()
    }

    /// Sweeps over all planes until the axes stand still.
    fn descend(&mut self) {
        let d = self.axes.nrows();
        for sweep in 0..MAX_SWEEPS {
            let mut largest = 0.0_f64;
            for l in 0..d {
                for m in l + 1..d {
                    let plane = self.plane(l, m);
                    let from = if sweep < GLOBAL_SWEEPS {
                        plane.best_of_period()
                    } else {
                        0.0
                    };
                    let t = plane.minimize(from);
                    self.rotate(l, m, 0.5 * t);
                    largest = largest.max(t.abs());
                }
            }
            if largest <= STILL {
                break;
            }
        }
    }

    /// The problem in the plane of axes l and m.
    fn plane(&self, l: usize, m: usize) -> Plane {
        let d = self.axes.nrows() as f64;
        let (exponent, is_equal) = match self.volume {
            Volume::Variable => (0.0, false),
            Volume::Equal => (1.0 / d, true),
        };
        let entries = self.rotated.iter().zip(&self.evidence.counts);
        let blocks = entries
            .map(|(rotated, &count)| {
                let (a, b, w) = (rotated[(l, l)], rotated[(m, m)], rotated[(l, m)]);
                let weight = if is_equal {
                    let others = (0..rotated.nrows()).filter(|&j| j != l && j != m);
                    let logs: f64 = others.map(|j| rotated[(j, j)].ln()).sum();
                    (logs / d).exp()
                } else {
                    count
                };
                Block {
                    weight,
                    determinant: (a * b - w * w).max(0.0),
                    off_diagonal: w,
                    half_difference: 0.5 * (a - b),
                }
            })
            .collect();
        Plane { blocks, exponent }
    }

    /// Turns axes l and m by `angle` in their plane.
    fn rotate(&mut self, l: usize, m: usize, angle: f64) {
        if angle == 0.0 {
            return;
        }
        let (sine, cosine) = angle.sin_cos();
        turn_columns(&mut self.axes, l, m, sine, cosine);
        for rotated in &mut self.rotated {
            turn_columns(rotated, l, m, sine, cosine);
            turn_rows(rotated, l, m, sine, cosine);
        }
    }

    /// Σ_k from the closed forms given D.
    fn covariances(&self) -> Result<Vec<DMatrix<f64>>> {
        let diagonals: Vec<DVector<f64>> = self.rotated.iter().map(|s| s.diagonal()).collect();
        let variances = match self.volume {
            Volume::Equal => diagonals_of_equal_volume(&diagonals, self.evidence.total())?,
            Volume::Variable => {
                let entries = diagonals.iter().zip(&self.evidence.counts);
                entries.map(|(s, &count)| s / count).collect()
            }
        };
        Ok(variances.iter().map(|v| along(&self.axes, v)).collect())
    }
}

/// One component's 2 × 2 block, and its weight in the objective of the plane.
struct Block {
    weight: f64,
    determinant: f64,
    off_diagonal: f64,
    half_difference: f64,
}

/// h(t) = Σ_k weight_k φ(q_k(t)), q_k = det_k + y_k(t)², period π; φ = log for exponent 0, else a power.
struct Plane {
    blocks: Vec<Block>,
    exponent: f64,
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
    fn derivatives(&self, t: f64) -> (f64, f64, f64) {
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
    fn best_of_period(&self) -> f64 {
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
    fn minimize(&self, mut t: f64) -> f64 {
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

/// Columns l and m of M become c·l + s·m and c·m − s·l.
fn turn_columns(matrix: &mut DMatrix<f64>, l: usize, m: usize, sine: f64, cosine: f64) {
    for i in 0..matrix.nrows() {
        let (x, y) = (matrix[(i, l)], matrix[(i, m)]);
        matrix[(i, l)] = cosine * x + sine * y;
        matrix[(i, m)] = cosine * y - sine * x;
    }
}

/// The same for rows.
fn turn_rows(matrix: &mut DMatrix<f64>, l: usize, m: usize, sine: f64, cosine: f64) {
    for j in 0..matrix.ncols() {
        let (x, y) = (matrix[(l, j)], matrix[(m, j)]);
        matrix[(l, j)] = cosine * x + sine * y;
        matrix[(m, j)] = cosine * y - sine * x;
    }
}

/// Orthogonal axes in which all `matrices` (symmetric, of any common scale) are as diagonal as they can be:
/// least squares of the off-diagonal entries, by the Jacobi angles of Cardoso & Souloumiac (1996). Exact for
/// matrices that commute.
pub(in crate::mixture) fn common_axes(matrices: &[DMatrix<f64>]) -> DMatrix<f64> {
    let d = matrices[0].nrows();
    let mut axes = DMatrix::identity(d, d);
    let mut rotated: Vec<DMatrix<f64>> = (matrices.iter())
        .map(|matrix| matrix / matrix.amax().max(f64::MIN_POSITIVE))
        .collect();
    for _ in 0..MAX_AXES_SWEEPS {
        let mut largest = 0.0_f64;
        for l in 0..d {
            for m in l + 1..d {
                let (mut on, mut off, mut cross) = (0.0, 0.0, 0.0);
                for matrix in &rotated {
                    let difference = matrix[(l, l)] - matrix[(m, m)];
                    let twice = 2.0 * matrix[(l, m)];
                    on += difference * difference;
                    off += twice * twice;
                    cross += difference * twice;
                }
                // Rounding noise has no axes.
                if cross.hypot(on - off) <= 1e-28 {
                    continue;
                }
                let angle = 0.25 * (2.0 * cross).atan2(on - off);
                let (sine, cosine) = angle.sin_cos();
                turn_columns(&mut axes, l, m, sine, cosine);
                for matrix in &mut rotated {
                    turn_columns(matrix, l, m, sine, cosine);
                    turn_rows(matrix, l, m, sine, cosine);
                }
                largest = largest.max(sine.abs());
            }
        }
        if largest <= f64::EPSILON {
            break;
        }
    }
    axes
}
