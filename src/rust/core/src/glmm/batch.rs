//! A few whole groups at a time: their rows side by side, so that densities are computed over long slices.
//!
//! Within a group g the integrand over the spherical effects u is exp h(u) with
//! h(u) = Σ_i log f(y_i | η_i) − |u|²/2, η_i = f_i + s_iᵀu, s_i = Λᵀz_i and f the known part and that of the
//! fixed effects.

use std::array::from_fn;
use std::ops::Range;

use super::family::{Block, BlockTerms, Family};
use super::sample::Sample;
use super::small::{
    cholesky, identity, inner, solve_lower, solve_upper, Square, Vector, MAX_WIDTH,
};
use crate::error::{Error, Result};
use crate::mixed::basis::dot;

/// Rows of a batch, unless one group has more: what fits in the fastest cache.
pub(super) const BATCH_ROWS: usize = 256;

/// A mode counts as found when the Newton step is that short: gᵀH⁻¹g, in squared conditional standard deviations.
const MODE_TOLERANCE: f64 = 1e-22;

/// Steps this short that no longer shrink are rounding.
const ROUNDING: f64 = 1e-13;

/// Newton steps and halvings before a mode counts as impossible to find.
const MAX_STEPS: usize = 200;

/// A decrease of h, relative to its size, that is still rounding.
const SLACK: f64 = 1e-10;

/// Where the criterion is evaluated, for one core term.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    /// q.
    pub width: usize,
    /// Λ.
    pub lambda: Square,
    /// Logarithm of the shape, if the family has one.
    pub log_shape: f64,
}

impl Point {
    /// Λᵀ v.
    pub fn lambda_transposed(&self, v: &Vector) -> Vector {
        from_fn(|c| (0..MAX_WIDTH).map(|r| self.lambda[r][c] * v[r]).sum())
    }
}

/// Conditional mode û of one group and the Cholesky factor L of the curvature −h''(û).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mode {
    pub u: Vector,
    pub scale: Square,
}

/// Rows of some consecutive groups, one slice for each quantity.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Where the rows of each group start; one more than there are groups.
    pub starts: Vec<usize>,
    pub y: Vec<f64>,
    pub weights: Vec<f64>,
    /// Known part of η, that of the fixed effects included.
    pub fixed: Vec<f64>,
    /// Columns of Z.
    pub z: [Vec<f64>; MAX_WIDTH],
    /// Columns of ZΛ.
    pub s: [Vec<f64>; MAX_WIDTH],
    /// η at the modes.
    pub eta: Vec<f64>,
    /// log f(y | η) at the modes.
    pub value: Vec<f64>,
    /// Its derivative in η.
    pub score: Vec<f64>,
    /// Minus its second derivative.
    pub curvature: Vec<f64>,
    /// Derivative of the curvature.
    pub slope: Vec<f64>,
}

impl Batch {
    /// Reads the rows of `levels`.
    pub fn load(&mut self, sample: &Sample, levels: Range<usize>, point: &Point) {
        let positions = sample.groups.positions(levels.clone());
        let first = positions.start;
        self.starts.clear();
        let ends = levels
            .clone()
            .map(|l| sample.groups.positions(l..l + 1).end - first);
        self.starts.extend(std::iter::once(0).chain(ends));
        let q = point.width;
        let columns = [
            &mut self.y,
            &mut self.weights,
            &mut self.fixed,
            &mut self.eta,
            &mut self.value,
            &mut self.score,
            &mut self.curvature,
            &mut self.slope,
        ];
        let effects = self.z[..q].iter_mut().chain(&mut self.s[..q]);
        for column in columns.into_iter().chain(effects) {
            column.resize(positions.len(), 0.0);
        }
        let rows = [&mut self.y[..], &mut self.weights, &mut self.fixed];
        sample.load(positions, rows, &mut self.z[..q]);
        for (c, s) in self.s[..q].iter_mut().enumerate() {
            s.fill(0.0);
            for (r, z) in self.z[..q].iter().enumerate() {
                let lambda = point.lambda[r][c];
                if lambda != 0.0 {
                    s.iter_mut().zip(z).for_each(|(s, z)| *s += lambda * z);
                }
            }
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Positions of the rows of a group in the slices.
    pub fn rows(&self, group: usize) -> Range<usize> {
        self.starts[group]..self.starts[group + 1]
    }

    /// Moves every group to its mode by Newton's method, from where `modes` are; fills the slices there.
    ///
    /// # Errors
    /// [`Error::Numerical`] when a group has no mode: the mean leaves its range or the curvature is not positive.
    pub fn find_modes(&mut self, family: &Family, point: &Point, modes: &mut [Mode]) -> Result<()> {
        let q = point.width;
        let mut searches = vec![Search::default(); modes.len()];
        for _ in 0..MAX_STEPS {
            self.evaluate(family, point, modes);
            let mut moving = false;
            for (group, (mode, search)) in modes.iter_mut().zip(&mut searches).enumerate() {
                if !search.done {
                    search.advance(mode, &self.local(group, &mode.u, q), q)?;
                    moving |= !search.done;
                }
            }
            if !moving {
                return Ok(());
            }
        }
        Err(no_mode())
    }

    /// Densities and their derivatives at the modes.
    fn evaluate(&mut self, family: &Family, point: &Point, modes: &[Mode]) {
        self.eta.copy_from_slice(&self.fixed);
        for (group, mode) in modes.iter().enumerate() {
            let rows = self.rows(group);
            for (s, &u) in self.s[..point.width].iter().zip(&mode.u) {
                let eta = &mut self.eta[rows.clone()];
                eta.iter_mut()
                    .zip(&s[rows.clone()])
                    .for_each(|(eta, s)| *eta += s * u);
            }
        }
        let rows = Block {
            response: &self.y,
            weights: Some(&self.weights),
            eta: &self.eta,
            log_shape: point.log_shape,
        };
        let mut terms = BlockTerms {
            value: &mut self.value,
            score: &mut self.score,
            weight: &mut self.curvature,
            slope: &mut self.slope,
        };
        family.block(&rows, &mut terms);
    }

    /// h and its derivatives in one group.
    fn local(&self, group: usize, u: &Vector, q: usize) -> Local {
        let rows = self.rows(group);
        let mut local = Local {
            value: self.value[rows.clone()].iter().sum::<f64>() - 0.5 * inner(u, u),
            gradient: self.project(&self.score, group, q),
            curvature: identity(q),
        };
        for (a, left) in self.s[..q].iter().enumerate() {
            local.gradient[a] -= u[a];
            for (b, right) in self.s[..=a].iter().enumerate() {
                let products = rows.clone().map(|i| self.curvature[i] * left[i] * right[i]);
                let sum: f64 = products.sum();
                local.curvature[a][b] += sum;
                if a != b {
                    local.curvature[b][a] += sum;
                }
            }
        }
        local
    }

    /// Σ_i v_i s_i over one group.
    pub fn project(&self, v: &[f64], group: usize, q: usize) -> Vector {
        project(&self.s[..q], v, self.rows(group))
    }

    /// Σ_i v_i z_i over one group.
    pub fn project_plain(&self, v: &[f64], group: usize, q: usize) -> Vector {
        project(&self.z[..q], v, self.rows(group))
    }
}

fn project(columns: &[Vec<f64>], v: &[f64], rows: Range<usize>) -> Vector {
    let mut sums = [0.0; MAX_WIDTH];
    for (sum, column) in sums.iter_mut().zip(columns) {
        *sum = dot(&v[rows.clone()], &column[rows.clone()]);
    }
    sums
}

/// h, its gradient and its negative Hessian.
struct Local {
    value: f64,
    gradient: Vector,
    curvature: Square,
}

/// Newton's method with step halving in one group.
#[derive(Debug, Clone, Copy)]
struct Search {
    /// The last point with an acceptable h.
    from: Vector,
    value: f64,
    /// The step from there.
    step: Vector,
    decrement: f64,
    done: bool,
}

impl Default for Search {
    fn default() -> Self {
        Search {
            from: [0.0; MAX_WIDTH],
            value: f64::NEG_INFINITY,
            step: [0.0; MAX_WIDTH],
            decrement: f64::INFINITY,
            done: false,
        }
    }
}

impl Search {
    /// Looks at h at the mode's present u and moves on, or stops there.
    fn advance(&mut self, mode: &mut Mode, local: &Local, q: usize) -> Result<()> {
        let begun = self.value > f64::NEG_INFINITY;
        if !local.value.is_finite() && !begun {
            // Not even a start: the origin is the only other point that is known beforehand.
            if mode.u == [0.0; MAX_WIDTH] {
                return Err(no_mode());
            }
            mode.u = [0.0; MAX_WIDTH];
            return Ok(());
        }
        let acceptable = local.value >= self.value - SLACK * (1.0 + self.value.abs());
        if begun && !acceptable {
            self.step.iter_mut().for_each(|step| *step *= 0.5);
            mode.u = from_fn(|a| self.from[a] + self.step[a]);
            return Ok(());
        }
        let factor = cholesky(&local.curvature, q);
        let scale = factor
            .or_else(|| damped(&local.curvature, q))
            .ok_or_else(no_mode)?;
        let half = solve_lower(&scale, &local.gradient, q);
        let decrement = inner(&half, &half);
        let stalled = decrement <= ROUNDING && decrement >= 0.25 * self.decrement;
        if decrement <= MODE_TOLERANCE || stalled {
            mode.scale = factor.ok_or_else(no_mode)?;
            self.done = true;
            return Ok(());
        }
        self.from = mode.u;
        self.value = local.value;
        self.decrement = decrement;
        self.step = solve_upper(&scale, &half, q);
        mode.u = from_fn(|a| self.from[a] + self.step[a]);
        Ok(())
    }
}

/// Factor of the curvature with enough of the identity added to be positive definite.
fn damped(curvature: &Square, q: usize) -> Option<Square> {
    let size: f64 = (0..q).map(|a| curvature[a][a].abs()).sum();
    let mut shift = 1e-3 * (1.0 + size);
    while shift.is_finite() {
        let mut sum = *curvature;
        (0..q).for_each(|a| sum[a][a] += shift);
        if let Some(factor) = cholesky(&sum, q) {
            return Some(factor);
        }
        shift *= 4.0;
    }
    None
}

fn no_mode() -> Error {
    Error::Numerical {
        message: "the conditional mode of a group's random effects could not be found".into(),
    }
}
