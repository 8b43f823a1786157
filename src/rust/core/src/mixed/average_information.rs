//! The criterion as an optimizer sees it, with a Hessian from average information.
//!
//! With V = I + ZΛΛᵀZᵀ (weights understood), P as in REML, V_k = ∂V/∂w_k and V_kl = ∂²V/∂w_k∂w_l, the profiled
//! criterion has second derivatives
//!
//! ```text
//! 2 yᵀPV_kPV_lPy/σ² - tr(PV_kPV_l) - a_k a_l/(σ⁴ df) + {tr(PV_kl) - yᵀPV_klPy/σ²},   a_k = yᵀPV_kPy.
//! ```
//!
//! The trace in the second place costs a product of large matrices; its expectation under the model is that of
//! half the first term, which replaces it (Gilmour, Thompson and Cullis 1995, Biometrics 51, 1440-1450).
//! Everything else is exact. For a change Λ ← Λ(I + K) write v = (K + Kᵀ)u: as ΛᵀZᵀPZΛ = I - (M⁻¹)_uu,
//!
//! ```text
//! yᵀPV_kPV_lPy = v_kᵀv_l - v_kᵀM⁻¹v_l,    a_k = uᵀv_k,
//! ```
//!
//! one solve for each k. First derivatives, and the last term, come from
//!
//! ```text
//! Γ = Σ_levels (I - (M⁻¹)_uu - u uᵀ/σ²):    d criterion = 2 tr(KᵀΓ) and 2 tr(K_kᵀΓK_l),
//! ```
//!
//! M⁻¹ without β under ML. Coordinates are those of [`super::frame`].

use nalgebra::DMatrix;

use super::criterion::Problem;
use super::factor::Factor;
use super::frame::{Axis, Frame};
use super::scale::Scales;
use crate::error::Result;
use crate::optimize::trust_region::dot;
use crate::optimize::Objective;

/// The criterion of a problem, and the factor at the last point.
pub(super) struct Likelihood<'a> {
    problem: &'a Problem<'a>,
    factor: &'a mut Factor,
    space: &'a mut Space,
}

/// The coordinates of steps, and buffers.
#[derive(Debug, Clone)]
pub(super) struct Space {
    pub scales: Scales,
    /// `None` where steps are taken in the coordinates of the problem.
    pub frame: Option<Frame>,
    /// Γ and Σ u uᵀ/σ² of each block, in its frame.
    gammas: Vec<Vec<f64>>,
    squares: Vec<Vec<f64>>,
    /// Every v_k, and M⁻¹v_k, in (u, β) space.
    directions: Vec<f64>,
    solutions: Vec<f64>,
    /// Where each term starts there.
    starts: Vec<usize>,
    size: usize,
}

impl Space {
    pub(super) fn of(problem: &Problem) -> Self {
        let scales = Scales::of(problem);
        let frame = Frame::of(problem, &scales);
        let matrices = || -> Vec<Vec<f64>> {
            let blocks = frame.iter().flat_map(|frame| &frame.blocks);
            blocks.map(|block| vec![0.0; block.q * block.q]).collect()
        };
        let (gammas, squares) = (matrices(), matrices());
        let statistics = problem.statistics;
        let mut starts = vec![0];
        for (q, levels) in statistics.widths().iter().zip(statistics.levels()) {
            starts.push(starts[starts.len() - 1] + q * levels);
        }
        let size = starts[starts.len() - 1] + statistics.fixed_columns();
        let axes = frame.as_ref().map_or(0, |frame| frame.axes.len());
        Space {
            scales,
            frame,
            gammas,
            squares,
            directions: vec![0.0; size * axes],
            solutions: vec![0.0; size * axes],
            starts,
            size,
        }
    }
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(
        problem: &'a Problem<'a>,
        factor: &'a mut Factor,
        space: &'a mut Space,
    ) -> Self {
        Likelihood {
            problem,
            factor,
            space,
        }
    }
}

/// 1/σ² at the last point.
fn precision(problem: &Problem, factor: &Factor) -> f64 {
    match problem.known.sigma {
        Some(sigma) => sigma.powi(-2),
        None => problem.degrees_of_freedom() / factor.penalized_rss(),
    }
}

/// Γ and Σ u uᵀ/σ² of each block, turned into its frame, from the last selected inverse.
fn measure(problem: &Problem, factor: &Factor, space: &mut Space) {
    let Some(frame) = &space.frame else { return };
    let precision = precision(problem, factor);
    let Some(selected) = factor.selected() else {
        return;
    };
    let matrices = space.gammas.iter_mut().zip(&mut space.squares);
    for (block, (gamma, square)) in frame.blocks.iter().zip(matrices) {
        let width = problem.structure.widths[block.term];
        let inverses = selected.diagonal(block.term).chunks_exact(width * width);
        gamma.fill(0.0);
        square.fill(0.0);
        let effects = factor.effects(block.term).chunks_exact(width);
        for (inverse, u) in inverses.zip(effects) {
            for (b, &row) in block.effects.iter().enumerate() {
                for (a, &column) in block.effects.iter().enumerate().take(b + 1) {
                    gamma[a * block.q + b] -= inverse[column * width + row];
                    square[a * block.q + b] += u[row] * u[column];
                }
            }
        }
        let levels = problem.statistics.levels()[block.term] as f64;
        for j in 0..block.q {
            gamma[j * block.q + j] += levels;
            for i in j..block.q {
                square[j * block.q + i] *= precision;
                gamma[j * block.q + i] -= square[j * block.q + i];
                square[i * block.q + j] = square[j * block.q + i];
                gamma[i * block.q + j] = gamma[j * block.q + i];
            }
        }
        turn(gamma, &block.rotation, block.q);
        turn(square, &block.rotation, block.q);
    }
}

/// Rᵀ A R in place, for a symmetric A.
fn turn(matrix: &mut [f64], rotation: &[f64], q: usize) {
    if q == 1 {
        return;
    }
    let mut half = vec![0.0; q * q];
    for j in 0..q {
        for i in 0..q {
            half[j * q + i] = dot(&matrix[i * q..(i + 1) * q], &rotation[j * q..(j + 1) * q]);
        }
    }
    for j in 0..q {
        for i in 0..q {
            matrix[j * q + i] = dot(&rotation[i * q..(i + 1) * q], &half[j * q..(j + 1) * q]);
        }
    }
}

impl Space {
    /// v_k of an axis, from the spherical effects of its term.
    fn direct(&mut self, k: usize, axis: Axis, width: usize, effects: &[f64]) {
        let Some(frame) = &self.frame else { return };
        let block = &frame.blocks[axis.block];
        let (i, j, q) = (axis.i, axis.j, block.q);
        let pull = if i == j {
            0.5 * block.pull(i, j)
        } else {
            block.pull(i, j)
        };
        let start = k * self.size + self.starts[block.term];
        let direction = &mut self.directions[k * self.size..(k + 1) * self.size];
        direction.fill(0.0);
        let direction = &mut self.directions[start..start + effects.len()];
        let (first, second) = (&block.rotation[i * q..][..q], &block.rotation[j * q..][..q]);
        for (v, u) in direction
            .chunks_exact_mut(width)
            .zip(effects.chunks_exact(width))
        {
            let (mut along_i, mut along_j) = (0.0, 0.0);
            for (r, &row) in block.effects.iter().enumerate() {
                along_i += first[r] * u[row];
                along_j += second[r] * u[row];
            }
            for (r, &row) in block.effects.iter().enumerate() {
                v[row] = pull * (first[r] * along_j + second[r] * along_i);
            }
        }
    }

    /// The average information and the exact rest, in the frame; k × k.
    fn hessian(&mut self, problem: &Problem, factor: &Factor, hessian: &mut [f64]) {
        let Some(axes) = self.frame.as_ref().map(|frame| frame.axes.len()) else {
            return;
        };
        for k in 0..axes {
            let Some(frame) = &self.frame else { return };
            let (axis, term) = (frame.axes[k], frame.blocks[frame.axes[k].block].term);
            self.direct(
                k,
                axis,
                problem.structure.widths[term],
                factor.effects(term),
            );
        }
        self.solutions.copy_from_slice(&self.directions);
        for solution in self.solutions.chunks_exact_mut(self.size.max(1)) {
            factor.solve(solution);
        }
        let precision = precision(problem, factor);
        let Some(frame) = &self.frame else { return };
        for k in 0..axes {
            let v = &self.directions[k * self.size..(k + 1) * self.size];
            for l in 0..=k {
                let other = &self.directions[l * self.size..(l + 1) * self.size];
                let solved = &self.solutions[l * self.size..(l + 1) * self.size];
                let mut value = precision * (dot(v, other) - dot(v, solved));
                if problem.known.sigma.is_none() {
                    value -= self.along(frame.axes[k]) * self.along(frame.axes[l])
                        / problem.degrees_of_freedom();
                }
                value += self.bend(frame.axes[k], frame.axes[l]);
                hessian[k * axes + l] = value;
                hessian[l * axes + k] = value;
            }
        }
    }

    /// Uncouples the coordinates that are held.
    fn hold(&self, gradient: &[f64], hessian: &mut [f64]) {
        let Some(frame) = &self.frame else { return };
        let axes = frame.axes.len();
        for (k, axis) in frame.axes.iter().enumerate() {
            if frame.is_held(*axis, gradient[k]) {
                for l in 0..axes {
                    hessian[k * axes + l] = 0.0;
                    hessian[l * axes + k] = 0.0;
                }
                hessian[k * axes + k] = 1.0;
            }
        }
    }

    /// a_k/σ².
    fn along(&self, Axis { block, i, j }: Axis) -> f64 {
        let Some(frame) = &self.frame else { return 0.0 };
        let block_frame = &frame.blocks[block];
        let square = self.squares[block][j * block_frame.q + i];
        let both = if i == j { 1.0 } else { 2.0 };
        both * block_frame.pull(i, j) * square
    }

    /// 2 tr(K_kᵀΓK_l).
    fn bend(&self, first: Axis, second: Axis) -> f64 {
        let (Some(frame), true) = (&self.frame, first.block == second.block) else {
            return 0.0;
        };
        let block = &frame.blocks[first.block];
        let gamma = &self.gammas[first.block];
        let entries = |axis: Axis| {
            let (m_ij, m_ji) = block.shares(axis.i, axis.j);
            [(axis.i, axis.j, m_ij), (axis.j, axis.i, m_ji)]
        };
        let mut sum = 0.0;
        for (a, column, m) in entries(first) {
            for (b, other, n) in entries(second) {
                if column == other {
                    let scale = block.values[a] * block.values[b];
                    sum += 2.0 * m * n * gamma[b * block.q + a] / scale;
                }
            }
        }
        sum
    }
}

impl Objective for Likelihood<'_> {
    fn value(&mut self, at: &[f64]) -> Result<f64> {
        self.problem.criterion(self.factor, at)
    }

    fn slope(&mut self, at: &[f64], gradient: &mut [f64]) -> Result<()> {
        if self.space.frame.is_none() {
            self.problem.gradient(self.factor, at, gradient)?;
            return Ok(());
        }
        if let Some(frame) = &mut self.space.frame {
            frame.center(at);
        }
        self.factor.selected_inverse(self.problem.reml);
        measure(self.problem, self.factor, self.space);
        if let Some(frame) = &self.space.frame {
            for (slope, axis) in gradient.iter_mut().zip(&frame.axes) {
                let block = &frame.blocks[axis.block];
                let gamma = self.space.gammas[axis.block][axis.j * block.q + axis.i];
                let both = if axis.i == axis.j { 1.0 } else { 2.0 };
                *slope = both * block.pull(axis.i, axis.j) * gamma;
                if frame.is_held(*axis, *slope) {
                    *slope = 0.0;
                }
            }
        }
        Ok(())
    }

    fn curvature(&mut self, gradient: &[f64], hessian: &mut [f64]) -> bool {
        self.space.hessian(self.problem, self.factor, hessian);
        self.space.hold(gradient, hessian);
        self.space.frame.is_some()
    }

    fn units(&self, at: &[f64], units: &mut [f64]) {
        match &self.space.frame {
            Some(frame) => frame.units(units),
            None => {
                let theta = self.problem.parameters(at).theta;
                self.space.scales.units(self.problem, &theta, units);
            }
        }
    }

    fn retract(&mut self, at: &[f64], step: &[f64], to: &mut [f64]) {
        match &mut self.space.frame {
            Some(frame) => frame.retract(step, to),
            None => {
                for ((to, at), step) in to.iter_mut().zip(at).zip(step) {
                    *to = at + step;
                }
            }
        }
    }
}

/// Singular values that are raised for a Hessian by θ, in units of where the data begin to see them.
const RAISED: f64 = 1e-4;

/// The Hessian by the coordinates of the problem at a minimum, whose selected inverse the factor holds; `None` if
/// there is no frame. The factor may be left nearby.
///
/// # Errors
/// As [`Problem::criterion`].
pub(crate) fn hessian_at_minimum(
    problem: &Problem,
    factor: &mut Factor,
    coordinates: &[f64],
) -> Result<Option<DMatrix<f64>>> {
    let mut space = Space::of(problem);
    let Some(frame) = &mut space.frame else {
        return Ok(None);
    };
    let mut raised = coordinates.to_vec();
    if frame.inflate(coordinates, RAISED, &mut raised) {
        problem.criterion(factor, &raised)?;
        factor.selected_inverse(problem.reml);
        frame.center(&raised);
    }
    let differential = frame.differential(coordinates.len());
    measure(problem, factor, &mut space);
    let k = differential.nrows();
    let mut hessian = DMatrix::zeros(k, k);
    space.hessian(problem, factor, hessian.as_mut_slice());
    Ok(Some(differential.tr_mul(&hessian) * differential))
}
