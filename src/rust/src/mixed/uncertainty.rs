//! Inference: degrees of freedom, profiles, variances of predictions, leverages.

use ember_core::em::Flow;
use ember_core::mixed::criterion::{Parameters, Problem};
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::factor::Factor;
use ember_core::mixed::kenward_roger::kenward_roger;
use ember_core::mixed::leverages::leverages;
use ember_core::mixed::profile::{profile, Plan};
use ember_core::mixed::rows::Rows;
use ember_core::mixed::satterthwaite::satterthwaite;
use ember_core::mixed::slice::Parameter;
use ember_core::mixed::structure::Structure;
use ember_core::mixed::variances::{conditional_variances, prediction_variances, Points};
use ember_core::nalgebra::DMatrix;
use ember_core::Error;
use extendr_api::prelude::*;

use super::read::{known, structure, RowsList};
use super::write::{curve, matrix};
use crate::convert::{settings, Result};
use crate::fields::Fields;
use crate::monitor::Monitor;

/// A fit as R sends it: list(rows, structure, known, reml, theta, sigma, dispersion, threads).
struct FitList {
    rows: RowsList,
    structure: Structure,
    known: Robj,
    reml: bool,
    parameters: Parameters,
    threads: usize,
}

impl FitList {
    fn read(list: &List) -> Result<Self> {
        let fields = Fields::of(list);
        let nested = |name: &'static str| {
            let found = fields.value(name).and_then(|value| value.as_list());
            found.ok_or_else(|| missing(name))
        };
        Ok(FitList {
            rows: RowsList::read(&nested("rows")?)?,
            structure: structure(&nested("structure")?)?,
            known: fields.value("known").cloned().unwrap_or_else(|| ().into()),
            reml: fields.real("reml")? != 0.0,
            parameters: Parameters {
                theta: fields.reals("theta")?.unwrap_or_default(),
                sigma: Some(fields.real("sigma")?),
                dispersion: fields.reals("dispersion")?.unwrap_or_else(|| vec![1.0]),
            },
            threads: fields.count("threads")?,
        })
    }

    fn statistics(&self) -> Result<CrossProducts> {
        Ok(cross_products(&self.rows.rows()?, self.threads)?)
    }

    fn problem<'a>(&'a self, statistics: &'a CrossProducts) -> Result<Problem<'a>> {
        let known = known(&self.known)?;
        if self.parameters.theta.len() != self.structure.parameters() {
            return Err(missing("theta").into());
        }
        Ok(Problem::new(statistics, &self.structure, self.reml, known)?)
    }

    /// The factor at the fit.
    fn factor(&self, statistics: &CrossProducts) -> Result<Factor> {
        let mut factor = Factor::new(statistics, &self.structure)?;
        let Parameters {
            theta, dispersion, ..
        } = &self.parameters;
        factor.update(statistics, &self.structure, theta, dispersion)?;
        Ok(factor)
    }
}

fn missing(name: &'static str) -> Error {
    Error::Argument {
        argument: name,
        message: "is missing or malformed".into(),
    }
}

/// The criterion at several theta, one behind the other; see `native_mixed_criterion()`.
/// @noRd
#[extendr]
fn mixed_criterion(fit: List, theta: Robj) -> Result<Vec<f64>> {
    let mut fit = FitList::read(&fit)?;
    let statistics = fit.statistics()?;
    let points = theta.as_real_slice().ok_or_else(|| missing("theta"))?;
    let mut factor = Factor::new(&statistics, &fit.structure)?;
    let mut values = Vec::new();
    for point in points.chunks_exact(fit.structure.parameters()) {
        fit.parameters.theta = point.to_vec();
        let problem = fit.problem(&statistics)?;
        values.push(problem.criterion(&mut factor, &problem.locate(&fit.parameters))?);
    }
    Ok(values)
}

/// Covariances for Kenward and Roger's tests; see `native_mixed_kenward_roger()`.
/// @noRd
#[extendr]
fn mixed_kenward_roger(fit: List) -> Result<List> {
    let fit = FitList::read(&fit)?;
    let statistics = fit.statistics()?;
    let Parameters { theta, sigma, .. } = &fit.parameters;
    let known = known(&fit.known)?;
    let sigma = sigma.unwrap_or(f64::NAN);
    let result = kenward_roger(&statistics, &fit.structure, &known, theta, sigma)?;
    Ok(list!(
        vcov = matrix(&result.covariance),
        vcov_adjusted = matrix(&result.adjusted),
        derivatives = stacked(&result.derivatives),
        covariance = matrix(&result.parameter_covariance)
    ))
}

/// Covariances for Satterthwaite's tests; see `native_mixed_satterthwaite()`.
/// @noRd
#[extendr]
fn mixed_satterthwaite(fit: List) -> Result<List> {
    let fit = FitList::read(&fit)?;
    let statistics = fit.statistics()?;
    let problem = fit.problem(&statistics)?;
    let mut factor = Factor::new(&statistics, &fit.structure)?;
    let coordinates = problem.locate(&fit.parameters);
    let result = satterthwaite(&problem, &mut factor, &coordinates)?;
    Ok(list!(
        vcov = matrix(&result.covariance),
        derivatives = stacked(&result.derivatives),
        covariance = matrix(&result.parameter_covariance),
        flat = result.flat as i32,
        falling = result.falling as i32
    ))
}

/// p × p matrices side by side, as R stores a p × p × r array.
fn stacked(matrices: &[DMatrix<f64>]) -> Vec<f64> {
    matrices
        .iter()
        .flat_map(|matrix| matrix.as_slice().to_vec())
        .collect()
}

/// Covariances of random effects given the data; see `native_mixed_effect_variances()`.
/// @noRd
#[extendr]
fn mixed_conditional_variances(fit: List) -> Result<List> {
    let fit = FitList::read(&fit)?;
    let statistics = fit.statistics()?;
    let mut factor = fit.factor(&statistics)?;
    Ok(List::from_values(conditional_variances(
        &statistics,
        &mut factor,
    )))
}

/// Variances of predictions; see `native_mixed_error_variances()`.
/// @noRd
#[extendr]
fn mixed_prediction_variances(fit: List, newdata: List, fixed: bool) -> Result<Vec<f64>> {
    let fit = FitList::read(&fit)?;
    let newdata = RowsList::read(&newdata)?;
    let statistics = fit.statistics()?;
    let mut factor = fit.factor(&statistics)?;
    let Rows {
        response,
        fixed: columns,
        terms,
        ..
    } = newdata.rows()?;
    let points = Points {
        rows: response.len(),
        fixed: fixed.then_some(columns),
        terms,
    };
    Ok(prediction_variances(&statistics, &mut factor, &points)?)
}

/// Hat values; see `native_mixed_leverages()`.
/// @noRd
#[extendr]
fn mixed_leverages(fit: List) -> Result<Vec<f64>> {
    let fit = FitList::read(&fit)?;
    let statistics = fit.statistics()?;
    let mut factor = fit.factor(&statistics)?;
    let rows = fit.rows.rows()?;
    Ok(leverages(
        &rows,
        &statistics,
        &mut factor,
        &fit.parameters.dispersion,
    )?)
}

/// Profiles; see `native_mixed_profile()`. `kinds` and `places` (from 1) name the parameters.
/// @noRd
#[extendr]
fn mixed_profile(
    fit: List,
    kinds: Vec<String>,
    places: Vec<i32>,
    zetas: Vec<f64>,
    control: List,
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let settings = settings(&control)?;
    let fit = FitList::read(&fit)?;
    let statistics = fit.statistics()?;
    let problem = fit.problem(&statistics)?;
    let coordinates = problem.locate(&fit.parameters);
    let parameters = kinds
        .iter()
        .zip(&places)
        .map(|(kind, &place)| parameter(kind, place))
        .collect::<Result<Vec<_>>>()?;
    let plan = Plan {
        parameters: &parameters,
        zetas: &zetas,
        settings: &settings,
        threads: Fields::of(&control).count("threads")?,
    };
    let total = parameters.len();
    let curves = profile(&problem, &coordinates, &plan, &mut |done| {
        monitor.poll(|| pairlist!(done as i32, total as i32)) == Flow::Continue
    })?;
    Ok(List::from_values(curves.iter().map(curve)))
}

fn parameter(kind: &str, place: i32) -> Result<Parameter> {
    let place = usize::try_from(place - 1).map_err(|_| missing("parm"))?;
    Ok(match kind {
        "random" => Parameter::Random(place),
        "sigma" => Parameter::Sigma,
        // Group 1 is the reference; the first ratio is that of the second group.
        "dispersion" => Parameter::Dispersion(place + 1),
        "coefficient" => Parameter::Coefficient(place),
        _ => return Err(missing("parm").into()),
    })
}

extendr_module! {
    mod uncertainty;
    fn mixed_criterion;
    fn mixed_kenward_roger;
    fn mixed_satterthwaite;
    fn mixed_conditional_variances;
    fn mixed_prediction_variances;
    fn mixed_leverages;
    fn mixed_profile;
}
