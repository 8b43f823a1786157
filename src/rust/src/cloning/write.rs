//! The core's draws as R's lists.

use ember_core::cloning::chains::Draws;
use ember_core::cloning::mode::Mode;
use ember_core::cloning::parameters::Layout;
use ember_core::nalgebra::DMatrix;
use extendr_api::prelude::*;

use crate::mixed::write::matrix;

/// `list(draws, acceptance, failures, interrupted)`: a matrix of draws × values for each chain.
pub fn draws(draws: &Draws) -> Vec<(&'static str, Robj)> {
    let width = draws.width;
    let chains = draws.chains.iter();
    let matrices = chains.clone().map(|chain| {
        let kept = chain.values.len() / width.max(1);
        matrix(&DMatrix::from_row_slice(kept, width, &chain.values))
    });
    let acceptance: Vec<f64> = chains.clone().map(|chain| chain.acceptance).collect();
    let failures = chains.map(|chain| match &chain.failure {
        Some(error) => Rstr::from(error.to_string()),
        None => Rstr::na(),
    });
    vec![
        ("draws", List::from_values(matrices).into()),
        ("acceptance", acceptance.into()),
        ("failures", Strings::from_values(failures).into()),
        ("interrupted", draws.interrupted.into()),
    ]
}

/// The mode of the posterior: `list(w, natural, covariance, covariance_w, regular)`.
pub fn mode(mode: &Mode, layout: &Layout) -> List {
    let mut natural = vec![0.0; layout.naturals()];
    layout.natural_into(&mode.w, &mut natural);
    list!(
        w = &mode.w,
        natural = natural,
        covariance = matrix(&mode.natural_covariance(layout)),
        covariance_w = matrix(&mode.covariance),
        regular = mode.regular
    )
}
