//! R's values as the core's: x is n × d, means k × d, covariances d × d × k.

use ember_core::mixture::data::Data;
use ember_core::mixture::known::Known;
use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use ember_core::mixture::problem::{Assumptions, PriorChoice};
use ember_core::nalgebra::{DMatrix, DVector};
use ember_core::{Error, Result};
use extendr_api::prelude::*;

use crate::fields::Fields;

pub fn unknown(argument: &'static str) -> Error {
    Error::Argument {
        argument,
        message: "is not one of the known names".into(),
    }
}

/// R's numeric matrix and row weights, viewed in place.
pub fn data<'a>(x: &'a Robj, weights: &'a Robj) -> Result<Data<'a>> {
    let cells = x.as_real_slice().ok_or_else(|| Error::Argument {
        argument: "x",
        message: "must be a numeric matrix".into(),
    })?;
    Data::new(cells, x.nrows(), x.ncols(), weights.as_real_slice())
}

pub fn read_models(names: &[String]) -> Result<Vec<CovarianceModel>> {
    names
        .iter()
        .map(|name| CovarianceModel::from_name(name).ok_or_else(|| unknown("model")))
        .collect()
}

/// The elements of a list that is not NULL.
pub fn given(value: &Robj) -> Option<Fields> {
    if value.is_null() {
        return None; // as a list it would be an empty one
    }
    value.as_list().map(|list| Fields::of(&list))
}

/// What is settled before the first E-step.
pub fn read_assumptions(
    known: &Robj,
    noise: &Robj,
    prior: &Robj,
    control: &Fields,
) -> Result<Assumptions> {
    Ok(Assumptions {
        known: read_known(known)?,
        prior: read_prior(prior)?,
        floor: control.reals("floor")?.and_then(|f| f.first().copied()),
        noise: match given(noise) {
            Some(noise) => Some(noise.real("log_density")?),
            None => None,
        },
    })
}

pub fn read_known(known: &Robj) -> Result<Known> {
    let Some(fields) = given(known) else {
        return Ok(Known::default());
    };
    let means = fields.value("means").map(read_means).transpose()?;
    let covariances = fields
        .value("covariances")
        .map(read_covariances)
        .transpose()?;
    Ok(Known {
        weights: fields.reals("weights")?,
        means,
        covariances,
    })
}

fn read_prior(prior: &Robj) -> Result<Option<PriorChoice>> {
    let Some(fields) = given(prior) else {
        return Ok(None);
    };
    let scalar = |name| -> Result<Option<f64>> {
        Ok(fields
            .reals(name)?
            .and_then(|values| values.first().copied()))
    };
    let scale = fields.value("scale").map(|value| {
        let cells = value.as_real_vector().unwrap_or_default();
        let d = (cells.len() as f64).sqrt() as usize;
        DMatrix::from_column_slice(d, d, &cells[..d * d])
    });
    Ok(Some(PriorChoice {
        shrinkage: scalar("shrinkage")?,
        mean: fields.reals("mean")?.map(DVector::from_vec),
        dof: scalar("dof")?,
        scale,
    }))
}

/// d × k from R's k × d.
fn read_means(means: &Robj) -> Result<DMatrix<f64>> {
    match means.as_real_slice() {
        Some(cells) if cells.len() == means.nrows() * means.ncols() => {
            Ok(DMatrix::from_column_slice(means.nrows(), means.ncols(), cells).transpose())
        }
        _ => Err(Error::Argument {
            argument: "means",
            message: "must be a numeric matrix with one row per component".into(),
        }),
    }
}

fn read_covariances(covariances: &Robj) -> Result<Vec<DMatrix<f64>>> {
    let dim = covariances
        .get_attrib("dim")
        .and_then(|dim| dim.as_integer_vector())
        .map(|dim| dim.into_iter().map(|i| i as usize).collect::<Vec<_>>());
    match (covariances.as_real_slice(), dim.as_deref()) {
        (Some(cells), Some(&[d, columns, k]))
            if d > 0 && d == columns && cells.len() == d * d * k =>
        {
            Ok(cells
                .chunks_exact(d * d)
                .map(|sigma| DMatrix::from_column_slice(d, d, sigma))
                .collect())
        }
        _ => Err(Error::Argument {
            argument: "covariances",
            message: "must be a numeric d x d x k array".into(),
        }),
    }
}

/// Parameters as R holds them: weights, means, covariances, noise, and the model if it is settled.
pub fn read_mixture(fields: &Fields, default: CovarianceModel) -> Result<Mixture> {
    let missing = |argument| Error::Argument {
        argument,
        message: "must be given".into(),
    };
    let model = match fields.value("model") {
        Some(_) => {
            CovarianceModel::from_name(fields.text("model")?).ok_or_else(|| unknown("model"))?
        }
        None => default,
    };
    let weights = fields.reals("weights")?.ok_or_else(|| missing("weights"))?;
    let means = read_means(fields.value("means").ok_or_else(|| missing("means"))?)?;
    let covariances = fields
        .value("covariances")
        .ok_or_else(|| missing("covariances"))?;
    let covariances = read_covariances(covariances)?;
    if weights.len() != means.ncols() || covariances.len() != means.ncols() {
        return Err(Error::Argument {
            argument: "means",
            message: "must have as many components as weights and covariances".into(),
        });
    }
    if covariances
        .iter()
        .any(|sigma| sigma.nrows() != means.nrows())
    {
        return Err(Error::Argument {
            argument: "covariances",
            message: "must have the dimension of the means".into(),
        });
    }
    let noise = match fields.fields("noise")? {
        Some(noise) => Some(Noise {
            weight: noise.real("weight")?,
            log_density: noise.real("log_density")?,
        }),
        None => None,
    };
    Ok(Mixture {
        model,
        weights,
        means,
        covariances,
        noise,
    })
}

/// A mixture whose list names its model.
pub fn read_mixture_list(list: &List) -> Result<Mixture> {
    read_mixture(&Fields::of(list), CovarianceModel::VVV)
}
