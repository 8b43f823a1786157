//! Profiles.

use ember_core::em::Flow;
use ember_core::glmm::problem::Parameters;
use ember_core::glmm::profile::{profile, Estimate, Parameter, Plan};
use ember_core::nalgebra::DMatrix;
use ember_core::Error;
use extendr_api::prelude::*;

use super::read::Model;
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::mixed::write::curve;
use crate::monitor::Monitor;

/// Profiles parameters of a fit; see `native_glmm_profile()`.
/// @noRd
#[extendr]
fn glmm_profile(
    model: List,
    estimate: List,
    kind: Vec<String>,
    place: Vec<i32>,
    zetas: Vec<f64>,
    control: List,
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let model = Model::of(&model)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let fields = Fields::of(&estimate);
    let vector = |name| fields.reals(name).map(Option::unwrap_or_default);
    let parameters = Parameters {
        theta: vector("theta")?,
        beta: vector("beta")?,
        shape: vector("shape")?.first().copied(),
    };
    let (covariance, size) = (vector("covariance")?, problem.coordinates());
    let fits = parameters.theta.len() == problem.structure.parameters()
        && parameters.beta.len() == problem.fixed_columns()
        && covariance.len() == size * size;
    if !fits {
        return Err(missing("fit").into());
    }
    let estimate = Estimate {
        problem: &problem,
        n_agq: model.n_agq,
        psi: &problem.locate(&parameters),
        covariance: &DMatrix::from_vec(size, size, covariance),
    };
    let wanted = kind.iter().zip(place);
    let wanted: Vec<Parameter> = wanted
        .map(|(kind, place)| parameter(kind, place))
        .collect::<Result<_>>()?;
    let plan = Plan {
        parameters: &wanted,
        zetas: &zetas,
        settings: &settings(&control)?,
        threads: Fields::of(&control).count("threads")?,
    };
    let total = wanted.len() as i32;
    let curves = profile(&estimate, &plan, &mut |done| {
        monitor.poll(|| pairlist!(done as i32, total)) == Flow::Continue
    })?;
    Ok(List::from_values(curves.iter().map(curve)))
}

fn parameter(kind: &str, place: i32) -> Result<Parameter> {
    let place = usize::try_from(place - 1).map_err(|_| missing("parm"))?;
    Ok(match kind {
        "random" => Parameter::Random(place),
        "shape" => Parameter::Shape,
        "coefficient" => Parameter::Coefficient(place),
        _ => return Err(missing("parm").into()),
    })
}

fn missing(argument: &'static str) -> Error {
    Error::Argument {
        argument,
        message: "is missing or malformed".into(),
    }
}

extendr_module! {
    mod profile;
    fn glmm_profile;
}
