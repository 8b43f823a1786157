//! The Laplace approximation of the likelihood and its gradient.
//!
//! With û the mode of log p(y | u) - |u|²/2 and -H the Hessian there,
//!
//! ```text
//! log L ≈ log p(y | û) - |û|²/2 - log |H| / 2,    H = ΛᵀZᵀWZΛ + I,
//! ```
//!
//! with the observed weights W = -d² log p / dη² (Tierney and Kadane 1986; glmmTMB does the same, and lme4 where the
//! link is canonical). For the gradient let v_i = W'_i h_i with h_i = z_iᵀΛH⁻¹Λᵀz_i, a = H⁻¹ΛᵀZᵀv, s the scores and
//! t = s - (v - WZΛa)/2. Implicit differentiation of û gives
//!
//! ```text
//! d log L / dβ = Xᵀt,
//! d log L / dΛ = Zᵀt uᵀ - Zᵀs aᵀ / 2 - ZᵀWZΛ H⁻¹ (blocks of levels, summed),
//! d log L / dκ = Σ dℓ/dκ - Σ h dW/dκ / 2 - Σ (ZΛa) ds/dκ / 2    for κ = log shape.
//! ```

use super::family::{Block, BlockTerms};
use super::fixed_effects::cross;
use super::pirls::{multiply, multiply_transposed, Modes};
use super::problem::{Criterion, Problem};
use crate::error::{Error, Result};
use crate::mixed::basis::dot;
use crate::mixed::factor::Factor;
use crate::mixed::working::{add_effects, LevelBlocks};
use crate::shard::{map_slices, BLOCK_ROWS};

/// -2 log-likelihood by Laplace's approximation.
#[derive(Debug, Clone)]
pub struct Laplace<'a> {
    modes: Modes<'a>,
    /// Where the modes are.
    at: Option<Vec<f64>>,
    /// Covariance blocks of b given y, up to date if the flag says so.
    covariances: LevelBlocks,
    has_covariances: bool,
    /// v, then t.
    rows: Vec<f64>,
    /// ZΛa of each row.
    along: Vec<f64>,
    /// ds/dκ and dW/dκ of each row, if κ is free.
    score_slopes: Vec<f64>,
    weight_slopes: Vec<f64>,
    /// a, and vectors of its size.
    adjoint: Vec<f64>,
    projected: Vec<f64>,
}

impl<'a> Laplace<'a> {
    /// The criterion of a problem; `threads` changes nothing but the time.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `formula` when the terms cross so much that a dense matrix of several GB would be
    /// needed.
    pub fn new(problem: &'a Problem<'a>, threads: usize) -> Result<Self> {
        let modes = Modes::new(problem, threads)?;
        let (n, size) = (problem.rows.len(), modes.u.len());
        let shapes = vec![0.0; if problem.shape_is_free() { n } else { 0 }];
        Ok(Laplace {
            modes,
            at: None,
            covariances: LevelBlocks::default(),
            has_covariances: false,
            rows: vec![0.0; n],
            along: vec![0.0; n],
            score_slopes: shapes.clone(),
            weight_slopes: shapes,
            adjoint: vec![0.0; size],
            projected: vec![0.0; size],
        })
    }

    /// The problem.
    pub fn problem(&self) -> &'a Problem<'a> {
        self.modes.problem
    }

    /// û of a core term at the last point, q per level.
    pub fn spherical_modes(&self, term: usize) -> &[f64] {
        let starts = self.modes.starts();
        &self.modes.u[starts[term]..starts[term + 1]]
    }

    /// η of each row at the last point.
    pub fn eta(&self) -> &[f64] {
        &self.modes.eta
    }

    /// The factor of H at the last point.
    pub fn factor(&self) -> &Factor {
        &self.modes.factor
    }

    /// log p(y | û) at the last point, constants included.
    pub fn conditional_log_likelihood(&self) -> f64 {
        self.modes.kernel + self.modes.constants.value(self.modes.log_shape)
    }

    /// Passes over the rows so far.
    pub fn passes(&self) -> usize {
        self.modes.passes
    }

    /// Covariances of b given y at the last point, ΛH⁻¹Λᵀ: blocks of levels, and of levels that occur together.
    pub fn conditional_covariances(&mut self) -> &LevelBlocks {
        if !self.has_covariances {
            let modes = &mut self.modes;
            modes.factor.selected_inverse(false);
            if let Some(inverse) = modes.factor.selected() {
                let to = &mut self.covariances;
                modes.working.rotate(&modes.factor, inverse, to);
            }
            self.has_covariances = true;
        }
        &self.covariances
    }

    /// Moves the modes to a point, unless they are there.
    fn locate(&mut self, psi: &[f64]) -> Result<()> {
        if self.at.as_deref() == Some(psi) {
            return Ok(());
        }
        self.at = None;
        self.has_covariances = false;
        let problem = self.modes.problem;
        if !psi.iter().all(|x| x.is_finite()) {
            return Err(Error::Numerical {
                message: "the parameters are not finite".into(),
            });
        }
        let parameters = problem.parameters(psi);
        let log_shape = problem.log_shape(psi);
        self.modes
            .locate(&parameters.theta, &parameters.beta, log_shape)?;
        self.at = Some(psi.to_vec());
        Ok(())
    }

    /// Writes v; returns Σ h dW/dκ.
    fn leverage_slopes(&mut self) -> f64 {
        self.conditional_covariances();
        let (modes, covariances) = (&self.modes, &self.covariances);
        let (rows, shapes) = (modes.problem.rows, &self.weight_slopes);
        let slices = [&mut self.rows[..]];
        let sums = map_slices(rows.len(), modes.threads, slices, |range, [v]| {
            v.fill(0.0);
            modes
                .working
                .add_quadratic_forms(rows, covariances, range.clone(), v);
            let along = shapes
                .get(range.clone())
                .map_or(0.0, |shapes| dot(v, shapes));
            let slopes = &modes.slope[range];
            v.iter_mut().zip(slopes).for_each(|(v, slope)| *v *= slope);
            along
        });
        sums.iter().sum()
    }

    /// Writes a from v.
    fn solve_adjoint(&mut self) {
        let modes = &self.modes;
        let rows = modes.problem.rows;
        modes
            .working
            .project(rows, &self.rows, &mut self.projected, modes.threads);
        let starts = modes.starts();
        for (t, bounds) in starts.windows(2).enumerate() {
            let range = bounds[0]..bounds[1];
            let (from, to) = (&self.projected[range.clone()], &mut self.adjoint[range]);
            multiply_transposed(modes.factor.lambda(t), from, to);
        }
        modes.factor.solve(&mut self.adjoint);
    }

    /// Writes t over v; returns Σ (ZΛa) ds/dκ.
    fn total_scores(&mut self) -> f64 {
        let modes = &self.modes;
        let rows = modes.problem.rows;
        let starts = modes.starts();
        for (t, bounds) in starts.windows(2).enumerate() {
            let range = bounds[0]..bounds[1];
            let (from, to) = (&self.adjoint[range.clone()], &mut self.projected[range]);
            multiply(modes.factor.lambda(t), from, to);
        }
        let (effects, shapes) = (&self.projected, &self.score_slopes);
        let slices = [&mut self.rows[..], &mut self.along[..]];
        let sums = map_slices(rows.len(), modes.threads, slices, |range, [t, along]| {
            along.fill(0.0);
            for (block, along) in along.chunks_mut(BLOCK_ROWS).enumerate() {
                for (term, bounds) in rows.terms.iter().zip(starts.windows(2)) {
                    let b = &effects[bounds[0]..bounds[1]];
                    add_effects(term, range.start + block * BLOCK_ROWS, b, along);
                }
            }
            let (scores, weights) = (&modes.score[range.clone()], &modes.weight[range.clone()]);
            let terms = scores.iter().zip(weights).zip(along.iter());
            for (t, ((score, weight), along)) in t.iter_mut().zip(terms) {
                *t = score - 0.5 * (*t - weight * along);
            }
            shapes.get(range).map_or(0.0, |shapes| dot(along, shapes))
        });
        sums.iter().sum()
    }

    /// Writes ds/dκ and dW/dκ; returns Σ dℓ/dκ without constants. Nothing where κ is not free.
    fn shape_slopes(&mut self) -> f64 {
        let modes = &self.modes;
        let (rows, family) = (modes.problem.rows, modes.problem.family);
        if self.score_slopes.is_empty() {
            return 0.0;
        }
        let slices = [&mut self.score_slopes[..], &mut self.weight_slopes[..]];
        let sums = map_slices(
            rows.len(),
            modes.threads,
            slices,
            |range, [score, weight]| {
                let block = Block {
                    response: &rows.response[range.clone()],
                    weights: rows.weights.map(|weights| &weights[range.clone()]),
                    eta: &modes.eta[range],
                    log_shape: modes.log_shape,
                };
                let mut to = BlockTerms {
                    score,
                    weight,
                    ..BlockTerms::default()
                };
                family.shape_block(&block, &mut to)
            },
        );
        sums.iter().sum()
    }

    /// X̃ᵀt.
    fn fixed_scores(&self) -> Vec<f64> {
        let problem = self.modes.problem;
        let basis = problem.basis();
        let along = cross(problem.rows, &basis.kept, &self.rows);
        let mut scores = vec![0.0; along.len()];
        basis.apply_transposed(&along, &mut scores);
        scores
    }

    /// d log L / dθ from t and a.
    fn covariance_scores(&mut self, to: &mut [f64]) {
        let modes = &self.modes;
        let structure = modes.problem.structure;
        modes.working.project(
            modes.problem.rows,
            &self.rows,
            &mut self.projected,
            modes.threads,
        );
        let Some(inverse) = modes.factor.selected() else {
            return;
        };
        let mut slopes = modes.working.log_det_slopes(&modes.factor, inverse);
        for (t, bounds) in modes.starts().windows(2).enumerate() {
            let q = structure.widths[t];
            let range = bounds[0]..bounds[1];
            let levels = self.projected[range.clone()].chunks_exact(q);
            let levels = levels.zip(modes.u[range.clone()].chunks_exact(q));
            let scores = modes.working.scores(t).chunks_exact(q);
            let levels = levels.zip(scores.zip(self.adjoint[range].chunks_exact(q)));
            slopes[t].iter_mut().for_each(|slope| *slope = -*slope);
            for ((total, u), (score, adjoint)) in levels {
                for (column, (u, a)) in slopes[t].chunks_exact_mut(q).zip(u.iter().zip(adjoint)) {
                    for (slope, (total, score)) in column.iter_mut().zip(total.iter().zip(score)) {
                        *slope += total * u - 0.5 * score * a;
                    }
                }
            }
        }
        for (to, entry) in to.iter_mut().zip(&structure.entries) {
            *to = slopes[entry.term][entry.column * structure.widths[entry.term] + entry.row];
        }
    }
}

impl Criterion for Laplace<'_> {
    fn coordinates(&self) -> usize {
        self.modes.problem.coordinates()
    }

    fn value(&mut self, psi: &[f64]) -> Result<f64> {
        self.locate(psi)?;
        Ok(-2.0 * self.modes.log_likelihood())
    }

    fn gradient(&mut self, psi: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let value = self.value(psi)?;
        let kernels = self.shape_slopes();
        let weights = self.leverage_slopes();
        self.solve_adjoint();
        let scores = self.total_scores();
        let (theta, rest) = gradient.split_at_mut(self.modes.problem.structure.parameters());
        self.covariance_scores(theta);
        let (beta, shape) = rest.split_at_mut(self.modes.problem.fixed_columns());
        beta.copy_from_slice(&self.fixed_scores());
        if let Some(shape) = shape.first_mut() {
            let constants = self.modes.constants.slope(self.modes.log_shape);
            *shape = constants + kernels - 0.5 * (weights + scores);
        }
        gradient.iter_mut().for_each(|slope| *slope *= -2.0);
        Ok(value)
    }
}
