//! Coordinates of a covariance factor in which Newton's method does not see rotations.
//!
//! The criterion depends on Λ through ΛΛᵀ alone. Its triangular form is one choice of many, and a bad one where
//! ΛΛᵀ is nearly singular: if the first effect hardly varies, the entries below it and beside it trade places on
//! circles, and Newton's method crawls along them. So each step is taken in a frame of its own. With D the scales
//! of the rows (see [`super::scale`]) and DΛ = U diag(s) Rᵀ, the step is
//!
//! ```text
//! DΛ ← U (diag(s) + M) Rᵀ,    M_ii = w_ii,    M_ij = w_ij s_j/n,  M_ji = w_ij s_i/n,   n = √(s_i² + s_j²),
//! ```
//!
//! all directions but rotations (the horizontal space of the Bures-Wasserstein metric; Massart and Absil 2020,
//! SIAM J. Matrix Anal. Appl. 41, 171-198), followed by an LQ decomposition back to the triangle. A variance of
//! zero is reached by one singular value, and the others do not notice.

use nalgebra::DMatrix;

use super::covariances::{blocks, Block};
use super::criterion::Problem;
use super::scale::Scales;

/// Sweeps of Jacobi rotations; they converge quadratically after two or three.
const MAX_SWEEPS: usize = 30;

/// The least singular value while iterating, in units of where the data begin to see it: what is below it is zero
/// in the end, but to divide by it would lose the digits of the rest.
const LEAST: f64 = 1e-5;

/// The frame of one block of effects. Matrices are q × q, column-major.
#[derive(Debug, Clone)]
pub(crate) struct BlockFrame {
    pub q: usize,
    /// Core term.
    pub term: usize,
    /// Positions of the effects in the term.
    pub effects: Vec<usize>,
    /// Coordinates of the problem that hold the lower triangle, column by column.
    coordinates: Vec<usize>,
    /// D.
    scales: Vec<f64>,
    /// U diag(s).
    columns: Vec<f64>,
    /// s.
    pub values: Vec<f64>,
    /// R.
    pub rotation: Vec<f64>,
    work: Vec<f64>,
}

/// One coordinate w_ij, i ≥ j, of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub block: usize,
    pub i: usize,
    pub j: usize,
}

/// The frames of all blocks.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub blocks: Vec<BlockFrame>,
    pub axes: Vec<Axis>,
    /// The frames of the last trial.
    trials: Vec<BlockFrame>,
}

impl Frame {
    /// `None` where more than free covariance matrices is to be estimated.
    pub(crate) fn of(problem: &Problem, scales: &Scales) -> Option<Self> {
        let one_group = problem.statistics.group_rows().len() == 1;
        if !one_group || !problem.known.deviations.is_empty() {
            return None;
        }
        let blocks = blocks(problem).ok()?;
        let mut axes = Vec::new();
        for (block, frame) in blocks.iter().enumerate() {
            let q = frame.effects.len();
            axes.extend((0..q).flat_map(|j| (j..q).map(move |i| Axis { block, i, j })));
        }
        let blocks = blocks
            .iter()
            .map(|block| BlockFrame::of(problem, block, scales));
        let blocks: Vec<BlockFrame> = blocks.collect();
        Some(Frame {
            trials: blocks.clone(),
            blocks,
            axes,
        })
    }

    /// Moves to the frame of a point.
    pub(super) fn center(&mut self, at: &[f64]) {
        for block in &mut self.blocks {
            block.center(at);
        }
    }

    /// The point at w from the centre, with no singular value below the least.
    pub(super) fn retract(&mut self, step: &[f64], to: &mut [f64]) {
        for block in &mut self.blocks {
            block.work.copy_from_slice(&block.columns);
        }
        for (axis, &w) in self.axes.iter().zip(step) {
            self.blocks[axis.block].add(axis.i, axis.j, w);
        }
        for (block, trial) in self.blocks.iter_mut().zip(&mut self.trials) {
            block.write(to);
            trial.center(to);
            trial.raise(LEAST, to);
        }
    }

    /// Whether a coordinate is held where it is: at the boundary, and not pulled inside by the gradient. Mixtures of
    /// effects that do not vary are all alike.
    pub(super) fn is_held(&self, axis: Axis, slope: f64) -> bool {
        let block = &self.blocks[axis.block];
        let least = |i: usize| block.values[i] <= LEAST * (1.0 + 1e-6);
        least(axis.i) && least(axis.j) && (axis.i != axis.j || slope >= 0.0)
    }

    /// A large change of each coordinate: what makes a correlation of what there is, or a variance double.
    pub(super) fn units(&self, units: &mut [f64]) {
        for (unit, axis) in units.iter_mut().zip(&self.axes) {
            let values = &self.blocks[axis.block].values;
            *unit = values[axis.i].min(values[axis.j]).hypot(1.0);
        }
    }

    /// Makes singular values below `least` zero; true if there were any.
    pub(crate) fn snap(&mut self, at: &[f64], least: f64, to: &mut [f64]) -> bool {
        self.center(at);
        to.copy_from_slice(at);
        let mut snapped = false;
        for block in &mut self.blocks {
            let q = block.q;
            if block.values.iter().all(|&s| s >= least) {
                continue;
            }
            snapped = true;
            block.work.copy_from_slice(&block.columns);
            for j in (0..q).filter(|&j| block.values[j] < least) {
                block.work[j * q..(j + 1) * q].fill(0.0);
            }
            block.write(to);
        }
        snapped
    }

    /// Raises singular values below `least` to it; true if there were any.
    pub(crate) fn inflate(&mut self, at: &[f64], least: f64, to: &mut [f64]) -> bool {
        self.center(at);
        to.copy_from_slice(at);
        let mut raised = false;
        for block in &mut self.blocks {
            raised |= block.raise(least, to);
        }
        raised
    }

    /// dw/d coordinates of the problem at the centre: a change of Λ without the rotation in it.
    pub(super) fn differential(&self, coordinates: usize) -> DMatrix<f64> {
        let mut differential = DMatrix::zeros(self.axes.len(), coordinates);
        for (k, axis) in self.axes.iter().enumerate() {
            let block = &self.blocks[axis.block];
            let (i, j) = (axis.i, axis.j);
            let (a, b) = (block.values[i], block.values[j]);
            for (coordinate, r, c) in block.entries() {
                let along = |i: usize, j: usize| {
                    block.scales[r] * block.axis(r, i) * block.rotation[j * block.q + c]
                };
                // The change of ΛΛᵀ in the frame is that of w_ij times n.
                differential[(k, coordinate)] = if i == j {
                    along(i, i)
                } else {
                    (along(i, j) * b + along(j, i) * a) / a.hypot(b)
                };
            }
        }
        differential
    }
}

impl BlockFrame {
    fn of(problem: &Problem, block: &Block, scales: &Scales) -> Self {
        let q = block.effects.len();
        let free = problem.free();
        let place = |theta: &usize| free.iter().position(|k| k == theta).unwrap_or(0);
        let rows = block.effects.iter();
        BlockFrame {
            q,
            term: block.term,
            coordinates: block.theta.iter().map(place).collect(),
            scales: rows.map(|&row| scales.of_row(block.term, row)).collect(),
            effects: block.effects.clone(),
            columns: vec![0.0; q * q],
            values: vec![0.0; q],
            rotation: vec![0.0; q * q],
            work: vec![0.0; q * q],
        }
    }

    /// Coordinates of the problem with their row and column.
    fn entries(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let places = (0..self.q).flat_map(|j| (j..self.q).map(move |i| (i, j)));
        let coordinates = self.coordinates.iter().zip(places);
        coordinates.map(|(&coordinate, (i, j))| (coordinate, i, j))
    }

    /// DΛ, and R = I.
    fn load(&mut self, at: &[f64]) {
        let q = self.q;
        self.columns.fill(0.0);
        self.rotation.fill(0.0);
        let mut next = self.coordinates.iter();
        for j in 0..q {
            self.rotation[j * q + j] = 1.0;
            for (i, &coordinate) in (j..q).zip(&mut next) {
                self.columns[j * q + i] = at[coordinate] * self.scales[i];
            }
        }
    }

    /// One-sided Jacobi: rotations of the columns of DΛ until they are orthogonal.
    fn center(&mut self, at: &[f64]) {
        let q = self.q;
        self.load(at);
        for _ in 0..MAX_SWEEPS {
            let mut turned = false;
            for j in 1..q {
                for i in 0..j {
                    turned |= self.orthogonalise(i, j);
                }
            }
            if !turned {
                break;
            }
        }
        for j in 0..q {
            let column = &mut self.columns[j * q..(j + 1) * q];
            let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
            self.values[j] = length;
        }
    }

    /// Rotates columns i and j to be orthogonal; false if they were.
    fn orthogonalise(&mut self, i: usize, j: usize) -> bool {
        let q = self.q;
        let (left, right) = self.columns.split_at(j * q);
        let (a, b) = (&left[i * q..(i + 1) * q], &right[..q]);
        let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
        for (x, y) in a.iter().zip(b) {
            aa += x * x;
            bb += y * y;
            ab += x * y;
        }
        if ab.abs() <= 4.0 * f64::EPSILON * (aa * bb).sqrt() || ab == 0.0 {
            return false;
        }
        let zeta = (bb - aa) / (2.0 * ab);
        let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
        let cosine = 1.0 / tangent.hypot(1.0);
        let sine = cosine * tangent;
        for matrix in [&mut self.columns, &mut self.rotation] {
            let (left, right) = matrix.split_at_mut(j * q);
            let (a, b) = (&mut left[i * q..(i + 1) * q], &mut right[..q]);
            for (x, y) in a.iter_mut().zip(b.iter_mut()) {
                (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
            }
        }
        true
    }

    /// The left singular vector i, entry r; a unit vector stands in for that of a zero.
    fn axis(&self, r: usize, i: usize) -> f64 {
        let length = self.columns[i * self.q..(i + 1) * self.q]
            .iter()
            .map(|x| x * x)
            .sum::<f64>()
            .sqrt();
        if length > 0.0 {
            self.columns[i * self.q + r] / length
        } else {
            f64::from(u8::from(r == i))
        }
    }

    /// M_ij and M_ji of a unit of w_ij.
    pub(super) fn shares(&self, i: usize, j: usize) -> (f64, f64) {
        if i == j {
            return (1.0, 0.0);
        }
        let (a, b) = (self.values[i], self.values[j]);
        (b / a.hypot(b), a / a.hypot(b))
    }

    /// What v_k = (K + Kᵀ)u has of u_j in i and of u_i in j, for K = diag(1/s) M of a unit of w_ij.
    pub(super) fn pull(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.values[i], self.values[j]);
        if i == j {
            2.0 / a
        } else {
            a.hypot(b) / (a * b)
        }
    }

    /// Adds U M to the work matrix.
    fn add(&mut self, i: usize, j: usize, w: f64) {
        let q = self.q;
        let (m_ij, m_ji) = self.shares(i, j);
        for r in 0..q {
            let (along_i, along_j) = (self.axis(r, i), self.axis(r, j));
            self.work[j * q + r] += w * m_ij * along_i;
            self.work[i * q + r] += w * m_ji * along_j;
        }
    }

    /// Writes the centre with singular values raised to `least`; false if none was below.
    fn raise(&mut self, least: f64, to: &mut [f64]) -> bool {
        let q = self.q;
        if self.values.iter().all(|&s| s >= least) {
            return false;
        }
        for j in 0..q {
            let value = self.values[j].max(least);
            for r in 0..q {
                self.work[j * q + r] = value * self.axis(r, j);
            }
        }
        self.write(to);
        true
    }

    /// Writes the triangle of D⁻¹ times the work matrix, made lower triangular by reflections from the right.
    fn write(&mut self, to: &mut [f64]) {
        let q = self.q;
        for r in 0..q {
            let tail = |work: &[f64], row: usize, j: usize| work[j * q + row];
            let rest: f64 = (r + 1..q).map(|j| tail(&self.work, r, j).powi(2)).sum();
            if rest == 0.0 {
                continue;
            }
            let head = self.work[r * q + r];
            let length = (head * head + rest).sqrt().copysign(-head);
            let pivot = head - length;
            let factor = 2.0 / (pivot * pivot + rest);
            for row in r + 1..q {
                let along: f64 = pivot * tail(&self.work, row, r)
                    + (r + 1..q)
                        .map(|j| tail(&self.work, r, j) * tail(&self.work, row, j))
                        .sum::<f64>();
                self.work[r * q + row] -= factor * along * pivot;
                for j in r + 1..q {
                    self.work[j * q + row] -= factor * along * self.work[j * q + r];
                }
            }
            self.work[r * q + r] = length;
            for j in r + 1..q {
                self.work[j * q + r] = 0.0;
            }
        }
        let largest = self.work.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let mut next = self.coordinates.iter();
        for j in 0..q {
            // A pivot that is the rounding of a zero.
            let zero = self.work[j * q + j].abs() <= 1e-15 * largest;
            for (i, &coordinate) in (j..q).zip(&mut next) {
                to[coordinate] = if zero {
                    0.0
                } else {
                    self.work[j * q + i] / self.scales[i]
                };
            }
        }
    }
}
