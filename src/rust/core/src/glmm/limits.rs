//! Estimates at infinity other than separated fixed effects: the likelihood rises for ever, if less and less.

use super::family::{Distribution, Family};
use super::problem::Problem;
use crate::mixed::rows::{Column, TermRows};

/// A negative binomial whose variance exceeds a Poisson's by less than this part is one.
const EXCESS: f64 = 1e-4;

/// A standard deviation above this, in units of the linear predictor, may be on its way to infinity.
const WIDE: f64 = 10.0;

/// Where the shape of a negative binomial stops growing, relative to the mean: beyond, its density loses its digits.
const LARGEST: f64 = 1e6;

/// The largest log shape worth a visit; infinite if there is no such limit.
pub(super) fn largest_log_shape(problem: &Problem) -> f64 {
    let negative_binomial = problem.family.distribution() == Distribution::NegativeBinomial;
    if !(negative_binomial && problem.shape_is_free()) {
        return f64::INFINITY;
    }
    let sum: f64 = problem.rows.response.iter().sum();
    (LARGEST * (sum / problem.rows.len() as f64).max(1.0)).ln()
}

/// Whether a negative binomial's shape has gone so far that the distribution is a Poisson.
pub(super) fn shape_is_endless(problem: &Problem, psi: &[f64], eta: &[f64]) -> bool {
    let negative_binomial = problem.family.distribution() == Distribution::NegativeBinomial;
    if !(negative_binomial && problem.shape_is_free()) {
        return false;
    }
    let means: f64 = eta.iter().map(|&eta| problem.family.mean(eta)).sum();
    let excess = means / eta.len() as f64 / problem.log_shape(psi).exp();
    excess < EXCESS
}

/// A core term with an intercept each of whose levels has only successes or only failures: the larger its
/// variance, the better.
pub(super) fn unbounded_term(problem: &Problem, theta: &[f64]) -> Option<usize> {
    if !is_binary(problem.family) {
        return None;
    }
    let terms = problem.rows.terms.iter().enumerate();
    let mut terms = terms.filter(|(t, term)| {
        let lambda = problem.structure.lambda(*t, theta);
        let intercept = |column: &Column| matches!(column, Column::One);
        let row = term.columns.iter().position(intercept);
        row.is_some_and(|row| lambda.row(row).norm() > WIDE)
            && is_homogeneous(term, problem.rows.response)
    });
    terms.next().map(|(t, _)| t)
}

fn is_binary(family: Family) -> bool {
    family.distribution() == Distribution::Binomial
}

/// Whether the responses of every level are all 0 or all 1.
fn is_homogeneous(term: &TermRows, response: &[f64]) -> bool {
    let mut seen: Vec<Option<f64>> = vec![None; term.levels];
    term.codes.iter().zip(response).all(|(&code, &y)| {
        let first = *seen[code as usize - 1].get_or_insert(y);
        first == y && (y == 0.0 || y == 1.0)
    })
}
