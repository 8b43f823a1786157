//! The core's fits as R's lists.

use ember_core::mixed::converged::Verdict;
use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::CrossProducts;
use ember_core::mixed::fit::Fit;
use ember_core::mixed::profile::{Curve, Point};
use ember_core::nalgebra::DMatrix;
use extendr_api::prelude::*;

use crate::convert::trace;

/// A matrix in R's memory.
pub fn matrix(values: &DMatrix<f64>) -> RMatrix<f64> {
    let mut to = RMatrix::<f64>::new(values.nrows(), values.ncols());
    to.data_mut().copy_from_slice(values.as_slice());
    to
}

/// Positions, counted from 1.
pub fn positions(from_zero: &[usize]) -> Vec<i32> {
    from_zero.iter().map(|&i| i as i32 + 1).collect()
}

/// β of every column of X, NA where aliased.
pub fn coefficients(statistics: &CrossProducts, kept: &[f64]) -> Robj {
    let mut all = vec![Rfloat::na(); statistics.columns()];
    for (&j, &value) in statistics.kept().iter().zip(kept) {
        all[j] = value.into();
    }
    Doubles::from_values(all).into()
}

/// A fit.
pub fn fit(problem: &Problem, fit: &Fit) -> List {
    let statistics = problem.statistics;
    let mut pairs = vec![
        ("theta", Robj::from(&fit.theta)),
        ("beta", coefficients(statistics, fit.beta.as_slice())),
        ("aliased", positions(statistics.aliased()).into()),
        ("sigma", fit.sigma.into()),
        ("dispersion", (&fit.dispersion).into()),
        ("criterion", fit.criterion.into()),
        ("log_det_random", fit.log_det_random.into()),
        ("log_det_fixed", fit.log_det_fixed.into()),
        ("pwrss", fit.penalized_rss.into()),
        ("u", matrices(&fit.spherical).into()),
        ("b", matrices(&conditional_modes(problem, fit)).into()),
        ("vcov_unscaled", matrix(&fit.coefficient_covariance).into()),
    ];
    pairs.extend(facts(problem, &fit.verdict));
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

/// Gradient, Hessian and singular terms. Derivatives are those by every element of θ (0 for a known one), then
/// by the other coordinates.
fn facts(problem: &Problem, verdict: &Verdict) -> Vec<(&'static str, Robj)> {
    let elements = problem.structure.parameters();
    let others = elements..elements + verdict.gradient.len() - problem.free().len();
    let places: Vec<usize> = problem.free().iter().copied().chain(others).collect();
    let size = elements + places.len() - problem.free().len();
    let (mut gradient, mut boundary) = (vec![0.0; size], vec![false; size]);
    let mut hessian = DMatrix::zeros(size, size);
    for (i, &at) in places.iter().enumerate() {
        gradient[at] = verdict.gradient[i];
        boundary[at] = verdict.boundary[i];
        for (j, &to) in places.iter().enumerate() {
            hessian[(at, to)] = verdict.hessian[(i, j)];
        }
    }
    let singular = verdict.singular.iter().map(|singular| {
        list!(
            term = singular.term as i32 + 1,
            directions = matrix(&singular.directions)
        )
    });
    vec![
        ("gradient", gradient.into()),
        ("hessian", matrix(&hessian).into()),
        ("hessian_source", verdict.source.name().into()),
        ("eigenvalues", (&verdict.eigenvalues).into()),
        ("distance", verdict.distance.into()),
        ("boundary", boundary.into()),
        ("singular", List::from_values(singular).into()),
    ]
}

/// b = Λu of each core term, levels × q.
fn conditional_modes(problem: &Problem, fit: &Fit) -> Vec<DMatrix<f64>> {
    let terms = fit.spherical.iter().enumerate();
    terms
        .map(|(t, u)| (problem.structure.lambda(t, &fit.theta) * u).transpose())
        .collect()
}

fn matrices(matrices: &[DMatrix<f64>]) -> List {
    List::from_values(matrices.iter().map(matrix))
}

/// The profile of a parameter.
pub fn curve(curve: &Curve) -> List {
    let column = |value: fn(&Point) -> f64| curve.points.iter().map(value).collect::<Vec<f64>>();
    let width = curve
        .points
        .first()
        .map_or(0, |point| point.parameters.len());
    let parameters = DMatrix::from_fn(curve.points.len(), width, |i, j| {
        curve.points[i].parameters[j]
    });
    list!(
        value = column(|point| point.value),
        zeta = column(|point| point.zeta),
        slope = column(|point| point.slope),
        parameters = matrix(&parameters),
        monotone = curve.monotone,
        drop = curve.drop,
        converged = curve.converged
    )
}
