//! R's priors, starts and settings as the core's.

use ember_core::cloning::chains::Settings;
use ember_core::cloning::parameters::{Kind, Layout, Parameters};
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::{Error, Result};
use extendr_api::prelude::*;

use crate::fields::{two_integers, Fields};

fn wrong(argument: &'static str, message: &str) -> Error {
    Error::Argument {
        argument,
        message: message.into(),
    }
}

/// `list(index, power, density, a, b)`, a row for each parameter: the density is that of exp(power w), of w if
/// the power is 0, and of tanh(w) for a correlation. `index` counts from 1.
///
/// # Errors
/// [`Error::Argument`] naming `prior`.
pub fn prior(list: &List, layout: &Layout) -> Result<Prior> {
    let fields = Fields::of(list);
    let column = |name| -> Result<Vec<f64>> { Ok(fields.reals(name)?.unwrap_or_default()) };
    let (index, power) = (column("index")?, column("power")?);
    let (a, b) = (column("a")?, column("b")?);
    let names = fields
        .value("density")
        .and_then(|names| names.as_str_vector());
    let names = names.unwrap_or_default();
    let n = index.len();
    if [power.len(), a.len(), b.len(), names.len()] != [n; 4] {
        return Err(wrong("prior", "must have columns of one length"));
    }
    let kinds = layout.coordinate_kinds();
    let terms = (0..n).map(|i| {
        let coordinate = (index[i] as usize).wrapping_sub(1);
        let scale = match kinds.get(coordinate) {
            Some(Kind::Covariance { row, column, .. }) if row != column => Scale::Correlation,
            _ if power[i] == 0.0 => Scale::Coordinate,
            _ => Scale::Power(power[i]),
        };
        Ok(Term {
            coordinate,
            scale,
            density: Density::from_name(names[i], a[i], b[i])?,
        })
    });
    Prior::new(layout, &terms.collect::<Result<Vec<_>>>()?)
}

/// `list(theta, beta, sigma, dispersion, shape)`: a fit's estimates; β with or without NA for aliased columns.
///
/// # Errors
/// [`Error::Argument`] naming `start`.
pub fn start(list: &List, layout: &Layout) -> Result<Parameters> {
    let fields = Fields::of(list);
    let vector = |name| -> Result<Vec<f64>> { Ok(fields.reals(name)?.unwrap_or_default()) };
    let mut beta = vector("beta")?;
    beta.retain(|beta| !beta.is_nan());
    let mut dispersion = vector("dispersion")?;
    if dispersion.is_empty() {
        dispersion.push(1.0);
    }
    let parameters = Parameters {
        theta: vector("theta")?,
        sigma: match fields.value("sigma") {
            Some(_) => fields.real("sigma")?,
            None => layout.sigma.unwrap_or(1.0),
        },
        shape: fields
            .reals("shape")?
            .and_then(|shape| shape.first().copied()),
        beta,
        dispersion,
    };
    let fits = parameters.beta.len() == layout.fixed
        && parameters.theta.len() == layout.theta
        && parameters.dispersion.len() == layout.ratios + 1
        && (parameters.shape.is_some() || !layout.shape);
    if fits && parameters.theta.iter().all(|theta| theta.is_finite()) {
        Ok(parameters)
    } else {
        Err(wrong(
            "start",
            "must give a finite value for every parameter",
        ))
    }
}

/// `list(iterations, burn_in, thin, chains, threads, seed)`.
///
/// # Errors
/// [`Error::Argument`] naming what is missing.
pub fn settings(mcmc: &List) -> Result<Settings> {
    let fields = Fields::of(mcmc);
    let seed = fields.value("seed");
    Ok(Settings {
        iterations: fields.count("iterations")?,
        burn_in: fields.count("burn_in")?,
        thin: fields.count("thin")?,
        chains: fields.count("chains")?,
        threads: fields.count("threads")?,
        seed: two_integers(seed.ok_or_else(|| wrong("seed", "must be given"))?)?,
    })
}

/// The element `start` of the settings, chains × naturals: where chains go on, as w of each; `None` if they begin.
///
/// # Errors
/// [`Error::Argument`] naming `start`.
pub fn resume(mcmc: &List, layout: &Layout) -> Result<Option<Vec<Vec<f64>>>> {
    let rows = resume_values(mcmc)?;
    let rows = rows.map(|rows| rows.iter().map(|row| layout.from_natural(row)).collect());
    rows.transpose()
}

/// The same, as the values of each chain.
///
/// # Errors
/// [`Error::Argument`] naming `start`.
pub fn resume_values(mcmc: &List) -> Result<Option<Vec<Vec<f64>>>> {
    let fields = Fields::of(mcmc);
    let Some(start) = fields.value("start") else {
        return Ok(None);
    };
    let values = start.as_real_slice();
    let values = values.ok_or_else(|| wrong("start", "must be a numeric matrix"))?;
    let chains = start.nrows();
    let row = |chain| values.iter().skip(chain).step_by(chains).copied().collect();
    Ok(Some((0..chains).map(row).collect()))
}
