//! The integrals of a batch of groups by adaptive quadrature, and their derivatives.
//!
//! With û the mode of h, L Lᵀ = −h''(û) and nodes u_k = û + L⁻ᵀz_k,
//!
//! ```text
//! log ∫ exp h(u) du / (2π)^(q/2) ≈ h(û) − log|L| + log P,   P = Σ_k w_k exp(h(u_k) − h(û) + |z_k|²/2)
//! ```
//!
//! (Pinheiro and Bates 1995, *J. Comp. Graph. Stat.* 4, section 2.4); one node gives Laplace's approximation.
//! The derivatives are those of the right-hand side itself: nodes move with the mode, dû = H⁻¹ ∂h', and with the
//! scale, dL = L Φ(L⁻¹ dH L⁻ᵀ), Φ taking the lower triangle and half the diagonal. Both are carried backwards,
//! so that a group costs the same whatever the number of parameters.

use std::array::from_fn;

use super::batch::{Batch, Mode, Point};
use super::family::{Block, BlockTerms, Family};
use super::gauss_hermite::Grid;
use super::small::{
    add_outer, identity, inner, solve_lower, solve_upper, times, unwhiten, Square, Vector,
    MAX_WIDTH,
};
use crate::simd::exp_slice;

/// Sums over the nodes of one group, each node weighted by its share in P (before division by P).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    /// P.
    total: f64,
    /// h'(u).
    gradient: Vector,
    /// L⁻¹h'(u) zᵀ.
    stretch: Square,
    /// (Σ_i score_i z_i) uᵀ.
    effects: Square,
    /// Σ_i d log f / d log shape.
    shape: f64,
}

/// What a batch adds to the derivatives of the log-likelihood.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slopes {
    /// In Λ.
    pub lambda: Square,
    /// In the logarithm of the shape.
    pub log_shape: f64,
}

impl Slopes {
    /// Adds those of other groups.
    pub fn add(&mut self, other: &Slopes) {
        for (row, other) in self.lambda.iter_mut().zip(&other.lambda) {
            row.iter_mut()
                .zip(other)
                .for_each(|(sum, other)| *sum += other);
        }
        self.log_shape += other.log_shape;
    }
}

/// What all groups have in common.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub family: &'a Family,
    pub point: &'a Point,
    pub grid: &'a Grid,
}

/// Buffers for the nodes of one batch.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// Columns of ZΛL⁻ᵀ: how η moves with z.
    sigma: [Vec<f64>; MAX_WIDTH],
    eta: Vec<f64>,
    value: Vec<f64>,
    score: Vec<f64>,
    /// Score of each row, summed over the nodes as [`Moments`] are.
    scores: Vec<f64>,
    /// d log f, d score and d curvature by d log shape.
    shape: [Vec<f64>; 3],
    /// With |u|² = |û|² + 2 Σ z_a linear_a + Σ z_a z_b square_ab: for each group the inner products of û and the columns of
    /// L⁻ᵀ.
    linear: [Vec<f64>; MAX_WIDTH],
    square: [[Vec<f64>; MAX_WIDTH]; MAX_WIDTH],
    /// Shares of the groups at one node.
    shares: Vec<f64>,
    moments: Vec<Moments>,
}

impl Nodes {
    /// Writes the log-likelihood of every group; the batch must be at its modes.
    pub fn integrate(&mut self, batch: &Batch, set: Setting, modes: &[Mode], logs: &mut [f64]) {
        let q = set.point.width;
        self.prepare(batch, q, modes);
        for (z, log_weight) in set.grid.iter() {
            self.place(batch, z);
            self.evaluate(batch, set, false);
            self.weigh(batch, z, log_weight);
            let shares = self.moments.iter_mut().zip(&self.shares);
            shares.for_each(|(moments, share)| moments.total += share);
        }
        self.write_logs(batch, q, modes, logs);
    }

    /// As [`integrate`](Self::integrate); adds the derivatives of the sum of the log-likelihoods to `slopes` and
    /// writes those in each row's fixed part to `fixed`.
    pub fn differentiate(
        &mut self,
        batch: &Batch,
        set: Setting,
        modes: &[Mode],
        logs: &mut [f64],
        (slopes, fixed): (&mut Slopes, &mut [f64]),
    ) {
        let (q, with_shape) = (set.point.width, set.family.has_shape());
        self.prepare(batch, q, modes);
        for (z, log_weight) in set.grid.iter() {
            self.place(batch, z);
            self.evaluate(batch, set, true);
            if with_shape {
                fill_shape(&mut self.shape, batch, set, &self.eta);
            }
            self.weigh(batch, z, log_weight);
            for (group, mode) in modes.iter().enumerate() {
                self.add_node(batch, set, (group, mode), z);
            }
        }
        if with_shape {
            fill_shape(&mut self.shape, batch, set, &batch.eta);
        }
        for (group, mode) in modes.iter().enumerate() {
            let fixed = &mut fixed[batch.rows(group)];
            self.differentiate_group(batch, set, (group, mode), (slopes, fixed));
        }
        self.write_logs(batch, q, modes, logs);
    }

    fn prepare(&mut self, batch: &Batch, q: usize, modes: &[Mode]) {
        self.moments.clear();
        self.moments.resize(modes.len(), Moments::default());
        let buffers = [
            &mut self.eta,
            &mut self.value,
            &mut self.score,
            &mut self.scores,
        ];
        let columns = buffers.into_iter().chain(&mut self.sigma[..q]);
        for column in columns.chain(&mut self.shape) {
            column.clear();
            column.resize(batch.len(), 0.0);
        }
        self.shares.clear();
        self.shares.resize(modes.len(), 0.0);
        self.measure(q, modes);
        // Forward substitution in L σ = s, all rows of a group at once.
        for (group, mode) in modes.iter().enumerate() {
            let rows = batch.rows(group);
            for a in 0..q {
                let (solved, rest) = self.sigma.split_at_mut(a);
                let column = &mut rest[0][rows.clone()];
                column.copy_from_slice(&batch.s[a][rows.clone()]);
                for (b, earlier) in solved.iter().enumerate() {
                    let factor = mode.scale[a][b];
                    let earlier = &earlier[rows.clone()];
                    column
                        .iter_mut()
                        .zip(earlier)
                        .for_each(|(x, e)| *x -= factor * e);
                }
                let factor = 1.0 / mode.scale[a][a];
                column.iter_mut().for_each(|x| *x *= factor);
            }
        }
    }

    /// Inner products of û and the columns of L⁻ᵀ.
    fn measure(&mut self, q: usize, modes: &[Mode]) {
        let one = identity(q);
        for a in 0..q {
            self.linear[a].clear();
            self.square[a].iter_mut().for_each(Vec::clear);
            for mode in modes {
                let column = solve_upper(&mode.scale, &one[a], q);
                self.linear[a].push(inner(&mode.u, &column));
                for (b, square) in self.square[a].iter_mut().enumerate().take(a + 1) {
                    square.push(inner(&column, &solve_upper(&mode.scale, &one[b], q)));
                }
            }
        }
    }

    /// Moves η to a node.
    fn place(&mut self, batch: &Batch, z: &[f64]) {
        self.eta.copy_from_slice(&batch.eta);
        for (sigma, &z) in self.sigma.iter().zip(z) {
            self.eta
                .iter_mut()
                .zip(sigma)
                .for_each(|(eta, sigma)| *eta += z * sigma);
        }
    }

    /// Kernels, and scores if they are wanted, at a node.
    fn evaluate(&mut self, batch: &Batch, set: Setting, scores: bool) {
        let rows = Block {
            response: &batch.y,
            weights: Some(&batch.weights),
            eta: &self.eta,
            log_shape: set.point.log_shape,
        };
        let mut terms = BlockTerms {
            value: &mut self.value,
            score: if scores { &mut self.score } else { &mut [] },
            weight: &mut [],
            slope: &mut [],
        };
        set.family.block(&rows, &mut terms);
    }

    /// w_k exp(h(u_k) − h(û) + |z_k|²/2) of every group: at most about 1, since û is the mode; 0 where the density is
    /// not defined.
    fn weigh(&mut self, batch: &Batch, z: &[f64], log_weight: f64) {
        for (group, share) in self.shares.iter_mut().enumerate() {
            let rows = batch.rows(group);
            let here = self.value[rows.clone()].iter().zip(&batch.value[rows]);
            *share = log_weight + here.map(|(node, mode)| node - mode).sum::<f64>();
        }
        for (a, &along) in z.iter().enumerate() {
            let both = self.shares.iter_mut().zip(&self.linear[a]);
            both.for_each(|(share, linear)| *share -= along * linear);
            for (b, &across) in z.iter().enumerate().take(a + 1) {
                let factor = if a == b { 0.5 } else { 1.0 } * along * across;
                let both = self.shares.iter_mut().zip(&self.square[a][b]);
                both.for_each(|(share, square)| *share -= factor * square);
            }
        }
        exp_slice(&mut self.shares);
        for share in &mut self.shares {
            *share = if share.is_nan() { 0.0 } else { *share };
        }
    }

    fn add_node(&mut self, batch: &Batch, set: Setting, (group, mode): (usize, &Mode), z: &[f64]) {
        let q = set.point.width;
        let share = self.shares[group];
        if share == 0.0 {
            return;
        }
        let u = shifted(mode, z, q);
        let rows = batch.rows(group);
        let effects = batch.project_plain(&self.score, group, q);
        let along = set.point.lambda_transposed(&effects);
        let gradient: Vector = from_fn(|a| along[a] - u[a]);
        let mut place = [0.0; MAX_WIDTH];
        place[..q].copy_from_slice(z);
        let moments = &mut self.moments[group];
        moments.total += share;
        (0..q).for_each(|a| moments.gradient[a] += share * gradient[a]);
        add_outer(
            &mut moments.stretch,
            share,
            &solve_lower(&mode.scale, &gradient, q),
            &place,
        );
        add_outer(&mut moments.effects, share, &effects, &u);
        if set.family.has_shape() {
            moments.shape += share * self.shape[0][rows.clone()].iter().sum::<f64>();
        }
        let score = &self.score[rows.clone()];
        let scores = &mut self.scores[rows];
        scores
            .iter_mut()
            .zip(score)
            .for_each(|(sum, score)| *sum += share * score);
    }

    /// Carries the derivatives of a group back to Λ, the shape and the rows.
    fn differentiate_group(
        &mut self,
        batch: &Batch,
        set: Setting,
        (group, mode): (usize, &Mode),
        (slopes, fixed): (&mut Slopes, &mut [f64]),
    ) {
        let q = set.point.width;
        let rows = batch.rows(group);
        let moments = &self.moments[group];
        let norm = 1.0 / moments.total;
        // Minus the derivative in H is L⁻ᵀ K L⁻¹.
        let one = identity(q);
        let k: Square = from_fn(|a| {
            from_fn(|b| 0.5 * (one[a][b] + norm * moments.stretch[a.min(b)][a.max(b)]))
        });
        // First what the scale says about every row's curvature, then, that included, what the mode does.
        let mut pull: Vector = from_fn(|a| norm * moments.gradient[a]);
        for i in rows.clone() {
            let sigma = vector_at(&self.sigma[..q], i);
            let leverage = inner(&sigma, &times(&k, &sigma));
            let weight = batch.slope[i] * leverage;
            let s = vector_at(&batch.s[..q], i);
            pull = from_fn(|a| pull[a] - weight * s[a]);
            self.value[i] = leverage;
        }
        let whitened = solve_lower(&mode.scale, &pull, q);
        let mut products = [[0.0; MAX_WIDTH]; MAX_WIDTH];
        for (i, fixed) in rows.clone().zip(fixed.iter_mut()) {
            let shift = inner(&whitened, &vector_at(&self.sigma[..q], i));
            let leverage = self.value[i];
            let at_mode = -batch.slope[i] * leverage - batch.curvature[i] * shift;
            *fixed = norm * self.scores[i] + at_mode;
            self.score[i] = at_mode;
            let (z, s) = (vector_at(&batch.z[..q], i), vector_at(&batch.s[..q], i));
            add_outer(&mut products, batch.curvature[i], &z, &s);
            if set.family.has_shape() {
                slopes.log_shape += shift * self.shape[1][i] - leverage * self.shape[2][i];
            }
        }
        slopes.log_shape += norm * moments.shape;
        let precision = unwhiten(&k, &mode.scale, q);
        for (row, product) in products.iter().enumerate() {
            let scale = times(&precision, product);
            let effects = &moments.effects[row];
            let to = &mut slopes.lambda[row];
            *to = from_fn(|c| to[c] + norm * effects[c] - 2.0 * scale[c]);
        }
        let toward = solve_upper(&mode.scale, &whitened, q);
        let at_mode = batch.project_plain(&self.score, group, q);
        add_outer(&mut slopes.lambda, 1.0, &at_mode, &mode.u);
        let scores = batch.project_plain(&batch.score, group, q);
        add_outer(&mut slopes.lambda, 1.0, &scores, &toward);
    }

    fn write_logs(&self, batch: &Batch, q: usize, modes: &[Mode], logs: &mut [f64]) {
        let groups = modes.iter().zip(&self.moments).zip(logs).enumerate();
        for (group, ((mode, moments), log)) in groups {
            let height: f64 = batch.value[batch.rows(group)].iter().sum();
            let scale: f64 = (0..q).map(|a| mode.scale[a][a].ln()).sum();
            *log = height - 0.5 * inner(&mode.u, &mode.u) - scale + moments.total.ln();
        }
    }
}

/// Element `i` of every column.
#[inline(always)]
fn vector_at(columns: &[Vec<f64>], i: usize) -> Vector {
    let mut vector = [0.0; MAX_WIDTH];
    let both = vector.iter_mut().zip(columns);
    both.for_each(|(to, column)| *to = column[i]);
    vector
}

/// Derivatives of kernel, score and curvature in the logarithm of the shape.
fn fill_shape(to: &mut [Vec<f64>; 3], batch: &Batch, set: Setting, eta: &[f64]) {
    let [value, score, curvature] = to;
    for (i, &eta) in eta.iter().enumerate() {
        let (y, weight) = (batch.y[i], batch.weights[i]);
        let terms = set
            .family
            .shape_derivatives(y, weight, eta, set.point.log_shape);
        (value[i], score[i], curvature[i]) = (terms.value, terms.score, terms.weight);
    }
}

/// û + L⁻ᵀz.
fn shifted(mode: &Mode, z: &[f64], q: usize) -> Vector {
    let mut place = [0.0; MAX_WIDTH];
    place[..q].copy_from_slice(z);
    let step = solve_upper(&mode.scale, &place, q);
    from_fn(|a| mode.u[a] + step[a])
}
