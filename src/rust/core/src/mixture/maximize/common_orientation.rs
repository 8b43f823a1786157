//! Σ_k = λ_k D A_k Dᵀ with the axes D common to all components: EVE, VVE (Celeux & Govaert 1995,
//! section 3.3; for VVE the common principal components of Flury 1984).
//!
//! Given D the rest has a closed form, which leaves, with s_kj = (Dᵀ S_k D)_jj,
//!
//! ```text
//! VVE: minimise Σ_k n_k Σ_j log s_kj        EVE: minimise Σ_k (Π_j s_kj)^(1/d)
//! ```
//!
//! over rotations. Sweeps over all planes of two axes (the idea of Flury & Gautschi 1986), each solved over
//! the whole period of its angle, find the valley; a quasi-Newton iteration over all angles at once finds
//! its bottom. Every step of either goes down.

use nalgebra::{DMatrix, DVector};

use super::diagonal::{diagonals_of_equal_volume, geometric_mean};
use super::plane::{Block, Plane};
use super::quasi_newton::QuasiNewton;
use super::Evidence;
use crate::error::Result;
use crate::linalg::{from_spectrum, symmetric_eigen};
use crate::mixture::degeneracy::collapsed;

/// Whether the components share their volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Volume {
    Equal,
    Variable,
}

/// Sweeps over all planes before the quasi-Newton iteration.
const SWEEPS: usize = 2;

/// Largest slope along any angle, relative to the objective's scale, that counts as a minimum.
const FLAT: f64 = 1e-12;

/// Most quasi-Newton steps; a dozen are usual.
const MAX_STEPS: usize = 500;

/// Longest quasi-Newton step, in radians of the angle that changes most.
const LONGEST_STEP: f64 = 0.5;

/// Most sweeps of [`common_axes`], which converges quadratically; only nearly equal eigenvalues need more,
/// and then any axes in their plane will do.
const MAX_AXES_SWEEPS: usize = 100;

/// Covariance matrices of EVE or VVE: down from the axes of `start`, so that the objective cannot fall; without
/// it, from the best of several axes, those of the pooled scatter and of each S_k.
pub(super) fn maximize(
    evidence: &Evidence,
    start: Option<&[DMatrix<f64>]>,
    volume: Volume,
) -> Result<Vec<DMatrix<f64>>> {
    if let Some(previous) = start {
        // Inside EM the axes turn little: going down from where they were is enough to ascend.
        let mut axes = Axes::new(evidence, common_axes(previous), volume);
        axes.descend();
        return axes.covariances();
    }
    let mut best: Option<(f64, Axes)> = None;
    for axes in starts(evidence)? {
        let mut candidate = Axes::new(evidence, axes, volume);
        for _ in 0..SWEEPS {
            candidate.sweep();
        }
        let objective = candidate.objective();
        if best.as_ref().is_none_or(|(least, _)| objective < *least) {
            best = Some((objective, candidate));
        }
    }
    let (_, mut axes) = best.ok_or_else(|| collapsed(0, "it has no scatter"))?;
    axes.descend();
    axes.covariances()
}

fn starts(evidence: &Evidence) -> Result<Vec<DMatrix<f64>>> {
    let mut starts = vec![symmetric_eigen(&evidence.pooled())?.1];
    for scatter in evidence.scatters.iter() {
        starts.push(symmetric_eigen(scatter)?.1);
    }
    Ok(starts)
}

/// Candidate axes D with the scatter matrices seen in them.
struct Axes<'a> {
    evidence: &'a Evidence<'a>,
    volume: Volume,
    axes: DMatrix<f64>,
    /// All Dᵀ S_k D side by side: d × dK.
    rotated: DMatrix<f64>,
}

impl<'a> Axes<'a> {
    fn new(evidence: &'a Evidence<'a>, axes: DMatrix<f64>, volume: Volume) -> Self {
        let d = axes.nrows();
        let transposed = axes.transpose();
        let mut half = DMatrix::zeros(d, d);
        let mut rotated = DMatrix::zeros(d, d * evidence.scatters.len());
        for (k, scatter) in evidence.scatters.iter().enumerate() {
            half.gemm(1.0, &transposed, scatter, 0.0);
            rotated.columns_mut(k * d, d).gemm(1.0, &half, &axes, 0.0);
        }
        Axes {
            evidence,
            volume,
            axes,
            rotated,
        }
    }

    fn dim(&self) -> usize {
        self.axes.nrows()
    }

    /// Entry (l, m) of Dᵀ S_k D.
    fn entry(&self, k: usize, l: usize, m: usize) -> f64 {
        self.rotated[(l, k * self.dim() + m)]
    }

    /// The s_kj of component k.
    fn diagonal(&self, k: usize) -> impl ExactSizeIterator<Item = f64> + '_ {
        (0..self.dim()).map(move |j| self.entry(k, j, j))
    }

    /// What the rotation minimises.
    fn objective(&self) -> f64 {
        let counts = self.evidence.counts.iter().enumerate();
        counts
            .map(|(k, count)| match self.volume {
                Volume::Variable => count * self.diagonal(k).map(f64::ln).sum::<f64>(),
                Volume::Equal => geometric_mean(self.diagonal(k)),
            })
            .sum()
    }

    /// Turns every pair of axes to its best angle, the others held.
    fn sweep(&mut self) {
        for (l, m) in planes(self.dim()) {
            let plane = self.plane(l, m);
            let t = plane.minimize(plane.best_of_period());
            self.rotate(l, m, 0.5 * t);
        }
    }

    /// Quasi-Newton steps in all angles until the slope is zero up to rounding; Newton's method where there is
    /// one angle only. Angles are those of D ← D exp(Ω) with Ω skew-symmetric, taken afresh at each D.
    fn descend(&mut self) {
        if self.dim() == 2 {
            return self.rotate(0, 1, 0.5 * self.plane(0, 1).minimize(0.0));
        }
        let mut history = QuasiNewton::new(self.curvatures());
        let mut slope = self.gradient();
        let mut objective = self.objective();
        for _ in 0..MAX_STEPS {
            if slope.amax() <= FLAT * self.scale() || slope.iter().any(|x| x.is_nan()) {
                break;
            }
            let mut step = -history.precondition(&slope);
            if step.dot(&slope) >= 0.0 {
                step = -slope.clone();
            }
            step *= (LONGEST_STEP / step.amax()).min(1.0);
            let Some((next, taken)) = self.line_search(&slope, objective, step) else {
                break;
            };
            let next_slope = next.gradient();
            history.learn(taken, &next_slope - &slope);
            objective = next.objective();
            slope = next_slope;
            *self = next;
        }
    }

    /// The first of step, step/2, … that goes down enough (Armijo), or that leaves the objective where it is
    /// up to rounding and makes the slope smaller.
    fn line_search(
        &self,
        slope: &DVector<f64>,
        objective: f64,
        mut step: DVector<f64>,
    ) -> Option<(Axes<'a>, DVector<f64>)> {
        const HALVINGS: usize = 40;
        let rounding = 8.0 * f64::EPSILON * objective.abs().max(self.scale());
        for _ in 0..HALVINGS {
            let next = self.turned(&step);
            let change = next.objective() - objective;
            let enough = change < 1e-4 * step.dot(slope) && change < -rounding;
            if enough || (change <= rounding && next.gradient().norm() < slope.norm()) {
                return Some((next, step));
            }
            step *= 0.5;
        }
        None
    }

    /// These axes after D ← D Q, Q the Cayley transform of the skew-symmetric matrix of `angles`.
    fn turned(&self, angles: &DVector<f64>) -> Axes<'a> {
        let d = self.dim();
        let mut half = DMatrix::zeros(d, d);
        for ((l, m), angle) in planes(d).zip(angles.iter()) {
            half[(l, m)] = 0.5 * angle;
            half[(m, l)] = -0.5 * angle;
        }
        let identity = DMatrix::identity(d, d);
        // I − Ω/2 is never singular, since the eigenvalues of Ω are imaginary.
        let rotation = (&identity - &half).lu().solve(&(&identity + &half));
        let axes = &self.axes * rotation.unwrap_or(identity);
        Axes::new(self.evidence, axes, self.volume)
    }

    /// Derivatives by the angle of each plane: Σ_k 2 (Dᵀ S_k D)_lm (a_km − a_kl), a_kj the derivative by s_kj.
    fn gradient(&self) -> DVector<f64> {
        let d = self.dim();
        let mut gradient = DVector::zeros(d * (d - 1) / 2);
        for (k, &count) in self.evidence.counts.iter().enumerate() {
            let weight = match self.volume {
                Volume::Variable => count,
                Volume::Equal => geometric_mean(self.diagonal(k)) / d as f64,
            };
            let derivatives: Vec<f64> = self.diagonal(k).map(|s| weight / s).collect();
            for (slope, (l, m)) in gradient.iter_mut().zip(planes(d)) {
                *slope += 2.0 * self.entry(k, l, m) * (derivatives[m] - derivatives[l]);
            }
        }
        gradient
    }

    /// Second derivatives by the angle of each plane, made positive.
    fn curvatures(&self) -> DVector<f64> {
        let d = self.dim();
        let tiny = f64::EPSILON.sqrt() * self.scale();
        let curvatures = planes(d).map(|(l, m)| {
            let (_, second, _) = self.plane(l, m).derivatives(0.0);
            (4.0 * second).abs().max(tiny)
        });
        DVector::from_iterator(d * (d - 1) / 2, curvatures)
    }

    /// What the derivatives by log s_kj add up to.
    fn scale(&self) -> f64 {
        match self.volume {
            Volume::Variable => self.evidence.total(),
            Volume::Equal => self.objective(),
        }
    }

    /// The problem in the plane of axes l and m.
    fn plane(&self, l: usize, m: usize) -> Plane {
        let d = self.dim();
        let (exponent, is_equal) = match self.volume {
            Volume::Variable => (0.0, false),
            Volume::Equal => (1.0 / d as f64, true),
        };
        let counts = self.evidence.counts.iter().enumerate();
        let blocks = counts
            .map(|(k, &count)| {
                let [a, b, w] = [(l, l), (m, m), (l, m)].map(|(i, j)| self.entry(k, i, j));
                let weight = if is_equal {
                    let others = (0..d).filter(|&j| j != l && j != m);
                    let logs: f64 = others.map(|j| self.entry(k, j, j).ln()).sum();
                    (logs * exponent).exp()
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
        turn_blocks(&mut self.rotated, l, m, sine, cosine);
    }

    /// Σ_k from the closed forms given D.
    fn covariances(&self) -> Result<Vec<DMatrix<f64>>> {
        let counts = self.evidence.counts.iter().enumerate();
        let diagonals = counts.map(|(k, &count)| {
            let weight = match self.volume {
                Volume::Equal => 1.0,
                Volume::Variable => 1.0 / count,
            };
            DVector::from_iterator(self.dim(), self.diagonal(k).map(|s| s * weight))
        });
        let mut variances: Vec<DVector<f64>> = diagonals.collect();
        if self.volume == Volume::Equal {
            variances = diagonals_of_equal_volume(&variances, self.evidence.total())?;
        }
        Ok(variances
            .iter()
            .map(|v| from_spectrum(&self.axes, v.as_slice()))
            .collect())
    }
}

/// The pairs l < m of axes, in the order of the angles.
fn planes(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d).flat_map(move |l| (l + 1..d).map(move |m| (l, m)))
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
    for mut column in matrix.column_iter_mut() {
        let (x, y) = (column[l], column[m]);
        column[l] = cosine * x + sine * y;
        column[m] = cosine * y - sine * x;
    }
}

/// Turns both the rows and the columns of square blocks that stand side by side.
fn turn_blocks(blocks: &mut DMatrix<f64>, l: usize, m: usize, sine: f64, cosine: f64) {
    let d = blocks.nrows();
    turn_rows(blocks, l, m, sine, cosine);
    for first in (0..blocks.ncols()).step_by(d) {
        turn_columns(blocks, first + l, first + m, sine, cosine);
    }
}

/// Orthogonal axes in which all `matrices` (symmetric, of any common scale) are as diagonal as they can be:
/// least squares of the off-diagonal entries, by the Jacobi angles of Cardoso & Souloumiac (1996). Exact for
/// matrices that commute.
pub(in crate::mixture) fn common_axes(matrices: &[DMatrix<f64>]) -> DMatrix<f64> {
    let d = matrices[0].nrows();
    let mut axes = DMatrix::identity(d, d);
    let mut rotated = DMatrix::zeros(d, d * matrices.len());
    for (matrix, block) in matrices
        .iter()
        .zip(rotated.as_mut_slice().chunks_exact_mut(d * d))
    {
        let scale = 1.0 / matrix.amax().max(f64::MIN_POSITIVE);
        block
            .iter_mut()
            .zip(matrix)
            .for_each(|(to, from)| *to = from * scale);
    }
    for _ in 0..MAX_AXES_SWEEPS {
        let mut largest = 0.0_f64;
        for (l, m) in planes(d) {
            let (mut on, mut off, mut cross) = (0.0, 0.0, 0.0);
            for block in rotated.as_slice().chunks_exact(d * d) {
                let difference = block[l * d + l] - block[m * d + m];
                let twice = 2.0 * block[m * d + l];
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
            turn_blocks(&mut rotated, l, m, sine, cosine);
            largest = largest.max(sine.abs());
        }
        if largest <= f64::EPSILON {
            break;
        }
    }
    axes
}
