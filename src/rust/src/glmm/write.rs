//! The core's fits as R's lists.

use ember_core::glmm::fit::Fit;
use ember_core::glmm::problem::Problem;
use ember_core::glmm::separation::Separation;
use ember_core::glmm::verdict::Verdict;
use ember_core::nalgebra::DMatrix;
use extendr_api::prelude::*;

use crate::convert::trace;
use crate::mixed::write::{matrix, positions};

/// A fit.
pub fn fit(problem: &Problem, fit: &Fit) -> List {
    let parameters = &fit.parameters;
    let p = parameters.beta.len();
    let thetas = parameters.theta.len();
    let of_beta = fit.verdict.covariance.view((thetas, thetas), (p, p));
    let mut pairs = vec![
        ("theta", Robj::from(&parameters.theta)),
        ("beta", coefficients(problem, &parameters.beta)),
        ("aliased", positions(&problem.basis().aliased).into()),
        (
            "shape",
            parameters.shape.map_or_else(|| ().into(), Robj::from),
        ),
        ("criterion", fit.criterion.into()),
        ("log_det_random", fit.log_det_random.into()),
        ("conditional", fit.conditional.into()),
        ("pwrss_u", fit.penalty.into()),
        ("eta", (&fit.linear_predictor).into()),
        ("u", matrices(&fit.spherical).into()),
        ("b", matrices(&conditional_modes(problem, fit)).into()),
        ("vcov", matrix(&of_beta.into_owned()).into()),
        ("vcov_parameters", matrix(&fit.verdict.covariance).into()),
        (
            "separation",
            fit.separation
                .as_ref()
                .map_or_else(|| ().into(), |found| separation(problem, found)),
        ),
    ];
    pairs.extend(facts(&fit.verdict));
    pairs.extend([
        ("passes", Robj::from(fit.passes as i32)),
        ("iterations", (fit.iterations as i32).into()),
        ("status", fit.status.name().into()),
        ("message", fit.status.message().into()),
        ("component", (fit.status.component() as i32).into()),
        ("trace", trace(&fit.trace).into()),
    ]);
    List::from_pairs(pairs)
}

/// β of every column of X, NA where aliased.
pub fn coefficients(problem: &Problem, kept: &[f64]) -> Robj {
    let mut all = vec![Rfloat::na(); problem.rows.fixed.columns()];
    for (&j, &value) in problem.basis().kept.iter().zip(kept) {
        all[j] = value.into();
    }
    Doubles::from_values(all).into()
}

/// Gradient, Hessian and singular terms, by θ, β in the conditioned basis, and log shape.
fn facts(verdict: &Verdict) -> Vec<(&'static str, Robj)> {
    let singular = verdict.singular.iter().map(|singular| {
        list!(
            term = singular.term as i32 + 1,
            directions = matrix(&singular.directions)
        )
    });
    vec![
        ("gradient", (&verdict.gradient).into()),
        ("hessian", matrix(&verdict.hessian).into()),
        ("hessian_source", "differences of the gradient".into()),
        ("eigenvalues", (&verdict.eigenvalues).into()),
        ("positive", verdict.positive.into()),
        ("distance", verdict.distance.into()),
        ("steepest", verdict.steepest.into()),
        ("boundary", (&verdict.boundary).into()),
        ("singular", List::from_values(singular).into()),
    ]
}

/// Fixed effects that go to infinity; coefficients count from 1 among all columns.
fn separation(problem: &Problem, separation: &Separation) -> Robj {
    let among_all = |&k: &usize| problem.basis().kept[k];
    let coefficients: Vec<usize> = separation.coefficients.iter().map(among_all).collect();
    list!(
        coefficients = positions(&coefficients),
        direction = separation.direction.as_slice(),
        rows = separation.rows as i32,
        complete = separation.complete
    )
    .into()
}

/// b = Λu of each core term, levels × q.
fn conditional_modes(problem: &Problem, fit: &Fit) -> Vec<DMatrix<f64>> {
    let terms = fit.spherical.iter().enumerate();
    terms
        .map(|(t, u)| (problem.structure.lambda(t, &fit.parameters.theta) * u).transpose())
        .collect()
}

fn matrices(matrices: &[DMatrix<f64>]) -> List {
    List::from_values(matrices.iter().map(matrix))
}
