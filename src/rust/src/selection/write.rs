//! The core's fits as R's lists.

use ember_core::nalgebra::DMatrix;
use ember_core::normal::orthant::Integration;
use ember_core::selection::fit::Fit;
use ember_core::selection::modes::Mode;
use ember_core::selection::{Layout, Parameters};
use extendr_api::prelude::*;

use crate::convert::trace;
use crate::mixed::write::matrix;

/// The coefficients of every column of each design, NA where aliased.
pub fn coefficients(layout: &Layout, parameters: &Parameters) -> List {
    let designs = parameters.coefficients.iter().enumerate();
    List::from_values(designs.map(|(component, kept)| {
        let all = layout.all_columns(component, kept).into_iter();
        let values = all.map(|x| match x.is_nan() {
            true => Rfloat::na(),
            false => x.into(),
        });
        Doubles::from_values(values)
    }))
}

/// Which columns of each design are aliased.
pub fn aliased(layout: &Layout) -> List {
    List::from_values(layout.bases.iter().map(|basis| {
        let mut aliased = vec![false; basis.kept.len() + basis.aliased.len()];
        basis.aliased.iter().for_each(|&k| aliased[k] = true);
        aliased
    }))
}

/// A fit.
pub fn fit(layout: &Layout, how: &Integration, fit: &Fit) -> List {
    let facts = &fit.facts;
    List::from_pairs(vec![
        (
            "coefficients",
            Robj::from(coefficients(layout, &fit.parameters)),
        ),
        ("omega", matrix(&fit.parameters.omega).into()),
        ("aliased", aliased(layout).into()),
        ("loglik", fit.log_likelihood.into()),
        ("iterations", (fit.iterations as i32).into()),
        ("passes", (fit.passes as i32).into()),
        ("status", fit.status.name().into()),
        ("message", fit.message.as_str().into()),
        ("component", (fit.status.component() as i32).into()),
        ("trace", trace(&fit.trace).into()),
        ("gradient", (&facts.gradient).into()),
        ("decrement", facts.decrement.into()),
        ("eigenvalues", (&facts.eigenvalues).into()),
        ("information", known(&facts.information).into()),
        ("vcov", known(&facts.covariance).into()),
        (
            "modes",
            List::from_values(fit.modes.iter().map(|one| mode(layout, one))).into(),
        ),
        ("scans", scans(fit).into()),
        ("integration", integration(how, fit.simulation_error).into()),
    ])
}

/// A matrix in R's memory, NA where nothing is known.
pub fn known(values: &DMatrix<f64>) -> RMatrix<f64> {
    let mut to = matrix(values);
    let unknown = to.data_mut().iter_mut().filter(|x| x.is_nan());
    unknown.for_each(|x| *x = f64::na());
    to
}

fn mode(layout: &Layout, mode: &Mode) -> List {
    list!(
        coefficients = coefficients(layout, &mode.parameters),
        omega = matrix(&mode.parameters.omega),
        loglik = mode.log_likelihood,
        kind = mode.kind.name(),
        decrement = mode.decrement,
        hits = mode.hits as i32
    )
}

fn scans(fit: &Fit) -> List {
    let scans = fit.scans.iter();
    List::from_values(scans.map(|scan| list!(rho = &scan.rho, loglik = &scan.log_likelihood)))
}

pub fn integration(how: &Integration, error: f64) -> List {
    let (method, points) = match how {
        Integration::Exact => ("exact", 0),
        Integration::Ghk { points, .. } => ("qmc-ghk", *points),
    };
    list!(method = method, points = points as i32, error = error)
}
