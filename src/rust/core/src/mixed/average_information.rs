//! The criterion as an optimizer sees it, with a Hessian from average information.
//!
//! With V(θ) = I + ZΛΛᵀZᵀ (weights understood), P as in REML, V_k = ∂V/∂θ_k and V_kl = ∂²V/∂θ_k∂θ_l, the
//! profiled criterion has second derivatives
//!
//! ```text
//! 2 yᵀPV_kPV_lPy/σ² - tr(PV_kPV_l) - a_k a_l/(σ⁴ df) + {tr(PV_kl) - yᵀPV_klPy/σ²},   a_k = yᵀPV_kPy.
//! ```
//!
//! The trace in the second term costs a product of large matrices; its expectation under the model is that of
//! the first term's half, which replaces it (Gilmour, Thompson and Cullis 1995, Biometrics 51, 1440-1450).
//! Everything else is exact. For θ_k = Λ_rc write v_k = (K + Kᵀ)u with K = Λ⁻¹E_rc: as ΛᵀZᵀPZΛ = I - (M⁻¹)_uu,
//!
//! ```text
//! yᵀPV_kPV_lPy = v_kᵀv_l - v_kᵀM⁻¹v_l,    a_k = uᵀv_k,
//! ```
//!
//! one solve for each k. The last term is 2 S_{rr'} for entries (r, c) and (r', c) of one column, where
//! S = d criterion/d(ΛΛᵀ); the gradient is 2 SΛ, so S follows by substitution from the last column backwards.

use super::criterion::Problem;
use super::factor::Factor;
use super::optimize::Objective;
use super::scale::Scales;
use super::structure::Entry;
use super::trust_region::dot;
use crate::error::Result;

/// A diagonal of Λ below this part of its unit is at the boundary: its column is left where it is.
const BOUNDARY: f64 = 1e-7;

/// The criterion of a problem, and the factor at the last point.
pub(super) struct Likelihood<'a> {
    problem: &'a Problem<'a>,
    factor: &'a mut Factor,
    scales: &'a Scales,
    /// Every v_k, and M⁻¹v_k, in (u, β) space.
    directions: Vec<f64>,
    solutions: Vec<f64>,
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(
        problem: &'a Problem<'a>,
        factor: &'a mut Factor,
        scales: &'a Scales,
    ) -> Self {
        Likelihood {
            problem,
            factor,
            scales,
            directions: Vec::new(),
            solutions: Vec::new(),
        }
    }

    /// v_k and M⁻¹v_k of every free entry.
    fn solve_directions(&mut self, lambdas: &[nalgebra::DMatrix<f64>]) {
        let problem = self.problem;
        let statistics = problem.statistics;
        let lengths = statistics.widths().iter().zip(statistics.levels());
        let effects: usize = lengths.map(|(q, l)| q * l).sum();
        let size = effects + statistics.fixed_columns();
        self.directions.clear();
        self.directions.resize(size * problem.free().len(), 0.0);
        let columns = self.directions.chunks_exact_mut(size.max(1));
        for (&k, v) in problem.free().iter().zip(columns) {
            let Entry { term, row, column } = problem.structure.entries[k];
            let q = statistics.widths()[term];
            let start: usize = (0..term)
                .map(|t| statistics.widths()[t] * statistics.levels()[t])
                .sum();
            let preimage = inverse_column(&lambdas[term], row);
            let u = self.factor.effects(term);
            let blocks = v[start..start + u.len()].chunks_exact_mut(q);
            for (v, u) in blocks.zip(u.chunks_exact(q)) {
                for (v, p) in v.iter_mut().zip(&preimage) {
                    *v += p * u[column];
                }
                v[column] += dot(&preimage, u);
            }
        }
        self.solutions.clone_from(&self.directions);
        for solution in self.solutions.chunks_exact_mut(size.max(1)) {
            self.factor.solve(solution);
        }
    }

    /// 1/σ² at the last point.
    fn precision(&self) -> f64 {
        match self.problem.known.sigma {
            Some(sigma) => sigma.powi(-2),
            None => self.problem.degrees_of_freedom() / self.factor.penalized_rss(),
        }
    }

    /// Λ of each term with diagonals no smaller than what can be divided by; and which those are.
    fn invertible(&self, theta: &[f64]) -> (Vec<nalgebra::DMatrix<f64>>, Vec<Vec<bool>>) {
        let structure = self.problem.structure;
        let terms = structure.widths.len();
        let mut lambdas: Vec<_> = (0..terms).map(|t| structure.lambda(t, theta)).collect();
        let mut boundary: Vec<Vec<bool>> = Vec::new();
        for (t, lambda) in lambdas.iter_mut().enumerate() {
            let rows = 0..lambda.nrows();
            boundary.push(
                rows.map(|r| {
                    let least = BOUNDARY * self.scales.unit(self.problem, theta, t, r);
                    let small = lambda[(r, r)].abs() < least;
                    if small {
                        lambda[(r, r)] = least.copysign(lambda[(r, r)]);
                    }
                    small
                })
                .collect(),
            );
        }
        (lambdas, boundary)
    }

    /// S = d criterion / d(ΛΛᵀ) of each term, from the gradient 2 SΛ, last column first.
    fn scores(
        &self,
        theta: &[f64],
        gradient: &[f64],
        lambdas: &[nalgebra::DMatrix<f64>],
        boundary: &[Vec<bool>],
    ) -> Vec<nalgebra::DMatrix<f64>> {
        let problem = self.problem;
        let widths = &problem.structure.widths;
        let mut scores: Vec<_> = widths
            .iter()
            .map(|&q| nalgebra::DMatrix::<f64>::zeros(q, q))
            .collect();
        let mut order: Vec<(Entry, f64)> = problem
            .free()
            .iter()
            .zip(gradient)
            .map(|(&k, &g)| (problem.structure.entries[k], g))
            .collect();
        order.sort_by_key(|(entry, _)| std::cmp::Reverse((entry.column, entry.row)));
        for (Entry { term, row, column }, slope) in order {
            let (lambda, score) = (&lambdas[term], &mut scores[term]);
            let later: f64 = (column + 1..lambda.nrows())
                .map(|s| score[(row, s)] * lambda[(s, column)])
                .sum();
            score[(row, column)] = if !boundary[term][column] {
                (0.5 * slope - later) / lambda[(column, column)]
            } else if row == column {
                // Enough to keep the column where it is.
                let levels = problem.statistics.levels()[term] as f64;
                levels / self.scales.unit(problem, theta, term, row).powi(2)
            } else {
                0.0
            };
            score[(column, row)] = score[(row, column)];
        }
        scores
    }
}

impl Objective for Likelihood<'_> {
    fn value(&mut self, at: &[f64]) -> Result<f64> {
        self.problem.criterion(self.factor, at)
    }

    fn slope(&mut self, at: &[f64], gradient: &mut [f64]) -> Result<()> {
        self.problem.gradient(self.factor, at, gradient)?;
        Ok(())
    }

    fn curvature(&mut self, at: &[f64], gradient: &[f64], hessian: &mut [f64]) -> bool {
        let problem = self.problem;
        let free = problem.free();
        if problem.coordinates() != free.len() || problem.statistics.group_rows().len() > 1 {
            return false; // more than θ moves
        }
        let theta = problem.parameters(at).theta;
        let (lambdas, boundary) = self.invertible(&theta);
        self.solve_directions(&lambdas);
        let scores = self.scores(&theta, gradient, &lambdas, &boundary);
        let precision = self.precision();
        let size = self.directions.len() / free.len().max(1);
        let direction = |k: usize| &self.directions[k * size..(k + 1) * size];
        let solution = |k: usize| &self.solutions[k * size..(k + 1) * size];
        let profiled = problem.known.sigma.is_none();
        let along: Vec<f64> = (0..free.len())
            .map(|k| self.project(direction(k)) * precision)
            .collect();
        for (i, &a) in free.iter().enumerate() {
            for (j, &b) in free.iter().enumerate().take(i + 1) {
                let mut value = dot(direction(i), direction(j)) - dot(direction(i), solution(j));
                value *= precision;
                if profiled {
                    value -= along[i] * along[j] / problem.degrees_of_freedom();
                }
                let (first, second) = (problem.structure.entries[a], problem.structure.entries[b]);
                if first.term == second.term && first.column == second.column {
                    value += 2.0 * scores[first.term][(first.row, second.row)];
                }
                hessian[i * free.len() + j] = value;
                hessian[j * free.len() + i] = value;
            }
        }
        hessian.iter().all(|value| value.is_finite())
    }

    fn units(&self, at: &[f64], units: &mut [f64]) {
        let theta = self.problem.parameters(at).theta;
        self.scales.units(self.problem, &theta, units);
    }
}

impl Likelihood<'_> {
    /// uᵀv.
    fn project(&self, direction: &[f64]) -> f64 {
        let mut start = 0;
        (0..self.problem.structure.widths.len())
            .map(|t| {
                let u = self.factor.effects(t);
                start += u.len();
                dot(u, &direction[start - u.len()..start])
            })
            .sum()
    }
}

/// Column `row` of Λ⁻¹.
fn inverse_column(lambda: &nalgebra::DMatrix<f64>, row: usize) -> Vec<f64> {
    let q = lambda.nrows();
    let mut column = vec![0.0; q];
    column[row] = 1.0 / lambda[(row, row)];
    for r in row + 1..q {
        let above: f64 = (row..r).map(|s| lambda[(r, s)] * column[s]).sum();
        column[r] = -above / lambda[(r, r)];
    }
    column
}
