//! Gaussian mixtures for R: `ember_core::mixture` behind named lists.
//!
//! R's shapes: x is n × d, means k × d, covariances d × d × k, posterior n × (k + noise).

use ember_core::mixture::criteria::Criterion;
use ember_core::mixture::data::Data;
use ember_core::mixture::fit::Fit;
use ember_core::mixture::known::Known;
use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use ember_core::mixture::moments::moments_from_responsibilities;
use ember_core::mixture::partition::Partition;
use ember_core::mixture::problem::{Assumptions, Method, PriorChoice, Problem};
use ember_core::mixture::search::{Cell, PartitionsOf, Search, Starts};
use ember_core::{Error, Result};
use extendr_api::prelude::*;
use nalgebra::{DMatrix, DVector};

use crate::convert::{self, settings, trace};
use crate::fields::Fields;
use crate::monitor::Monitor;

/// Searches k × model × starts; see `native_mixture_search()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn mixture_search(
    x: Robj,
    weights: Robj,
    k: &[i32],
    models: Vec<String>,
    criterion: &str,
    start: Robj,
    n_starts: i32,
    known: Robj,
    noise: Robj,
    prior: Robj,
    control: List,
) -> convert::Result<List> {
    let mut monitor = Monitor::new(&control);
    let settings = settings(&control)?;
    let control = Fields::of(&control);
    let data = data(&x, &weights)?;
    let assumptions = Assumptions {
        known: read_known(&known)?,
        prior: read_prior(&prior)?,
        floor: control.reals("floor")?.and_then(|f| f.first().copied()),
        noise: match noise.as_list() {
            Some(list) => Some(Fields::of(&list).real("log_density")?),
            None => None,
        },
    };
    let problem = Problem::new(&data, assumptions, control.count("threads")?)?;
    let ks: Vec<usize> = k.iter().map(|&k| k.max(0) as usize).collect();
    let search = Search {
        problem: &problem,
        models: read_models(&models)?,
        starts: read_starts(&start, &problem, &ks, n_starts.max(1) as usize, &control)?,
        criterion: Criterion::from_name(criterion).ok_or_else(|| unknown("select"))?,
        settings,
    };
    let found = search.run(&mut |progress| {
        monitor.poll(|| pairlist!(progress.done as i32, progress.total as i32))
    })?;
    Ok(list!(
        table = table_list(&found.table),
        fit = found.fit.map(|fit| fit_list(&fit))
    ))
}

fn unknown(argument: &'static str) -> Error {
    Error::Argument {
        argument,
        message: "is not one of the known names".into(),
    }
}

/// R's numeric matrix and row weights, viewed in place.
fn data<'a>(x: &'a Robj, weights: &'a Robj) -> Result<Data<'a>> {
    let cells = x.as_real_slice().ok_or_else(|| Error::Argument {
        argument: "x",
        message: "must be a numeric matrix".into(),
    })?;
    Data::new(cells, x.nrows(), x.ncols(), weights.as_real_slice())
}

fn read_models(names: &[String]) -> Result<Vec<CovarianceModel>> {
    names
        .iter()
        .map(|name| CovarianceModel::from_name(name).ok_or_else(|| unknown("model")))
        .collect()
}

fn seed(control: &Fields) -> Result<u64> {
    match control.reals("seed")?.as_deref() {
        Some([high, low]) => Ok((*high as u64) << 32 | *low as u64),
        _ => Err(Error::Argument {
            argument: "seed",
            message: "must be two whole numbers".into(),
        }),
    }
}

fn read_known(known: &Robj) -> Result<Known> {
    let Some(list) = known.as_list() else {
        return Ok(Known::default());
    };
    let fields = Fields::of(&list);
    let means = fields.value("means").map(read_means).transpose()?;
    let covariances = fields.value("covariances").map(read_covariances).transpose()?;
    Ok(Known {
        weights: fields.reals("weights")?,
        means,
        covariances,
    })
}

fn read_prior(prior: &Robj) -> Result<Option<PriorChoice>> {
    let Some(list) = prior.as_list() else {
        return Ok(None);
    };
    let fields = Fields::of(&list);
    let scalar = |name| -> Result<Option<f64>> {
        Ok(fields.reals(name)?.and_then(|values| values.first().copied()))
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
    let dim = covariances.dim().map(|dim| dim.iter().map(|i| i.inner() as usize).collect::<Vec<_>>());
    match (covariances.as_real_slice(), dim.as_deref()) {
        (Some(cells), Some(&[d, columns, k])) if d > 0 && d == columns && cells.len() == d * d * k => {
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
        Some(_) => CovarianceModel::from_name(fields.text("model")?).ok_or_else(|| unknown("model"))?,
        None => default,
    };
    let weights = fields.reals("weights")?.ok_or_else(|| missing("weights"))?;
    let means = read_means(fields.value("means").ok_or_else(|| missing("means"))?)?;
    let covariances = fields.value("covariances").ok_or_else(|| missing("covariances"))?;
    let covariances = read_covariances(covariances)?;
    if weights.len() != means.ncols() || covariances.len() != means.ncols() {
        return Err(Error::Argument {
            argument: "means",
            message: "must have as many components as weights and covariances".into(),
        });
    }
    if covariances.iter().any(|sigma| sigma.nrows() != means.nrows()) {
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

fn read_starts(
    start: &Robj,
    problem: &Problem,
    ks: &[usize],
    count: usize,
    control: &Fields,
) -> Result<Starts> {
    let noise = problem.noise();
    if let Some(list) = start.as_list() {
        let mut mixture = read_mixture(&Fields::of(&list), CovarianceModel::VVV)?;
        mixture.noise = noise.map(|log_density| Noise {
            weight: 1.0 - mixture.weights.iter().sum::<f64>(),
            log_density,
        });
        return Ok(Starts::Parameters(mixture));
    }
    let moments = if start.nrows() == problem.data().rows() && start.is_matrix() {
        let posterior = start.as_real_slice().ok_or_else(|| unknown("start"))?;
        vec![vec![moments_from_responsibilities(
            &problem.filled()?,
            posterior,
            ks[0],
            noise.is_some(),
        )]]
    } else if let Some(labels) = start.as_integer_slice() {
        let k = ks[0];
        let labels = labels.iter().map(|&label| (label as u32).wrapping_sub(1)).collect();
        vec![vec![Partition { k, labels }.moments(&problem.filled()?)]]
    } else {
        let method = match start.as_str() {
            None => Method::Both,
            Some("kmeans") => Method::Kmeans,
            Some("hierarchical") => Method::Hierarchical,
            Some(_) => return Err(unknown("start")),
        };
        problem.partitions(ks, method, count, seed(control)?)?
    };
    let partitions = ks.iter().zip(moments);
    Ok(Starts::Partitions(
        partitions.map(|(&k, moments)| PartitionsOf { k, moments }).collect(),
    ))
}

/// A mixture in R's shapes.
fn mixture_pairs(mixture: &Mixture) -> Vec<(&'static str, Robj)> {
    let (k, d) = (mixture.components(), mixture.dim());
    let mut covariances = RMatrix3D::<f64>::new_array([d, d, k]);
    let cells = mixture.covariances.iter().flat_map(|sigma| sigma.iter());
    for (to, from) in covariances.data_mut().iter_mut().zip(cells) {
        *to = *from;
    }
    let noise = mixture.noise.map(|noise| list!(weight = noise.weight, log_density = noise.log_density));
    vec![
        ("model", mixture.model.name().into()),
        ("weights", (&mixture.weights).into()),
        ("means", matrix(&mixture.means.transpose()).into()),
        ("covariances", covariances.into()),
        ("noise", noise.into()),
    ]
}

fn fit_list(fit: &Fit) -> List {
    let mut pairs = mixture_pairs(&fit.mixture);
    pairs.extend([
        ("log_lik", fit.criteria.log_lik.into()),
        ("log_prior", fit.log_prior.into()),
        ("parameters", (fit.criteria.parameters as i32).into()),
        ("iterations", (fit.iterations as i32).into()),
        ("passes", (fit.passes as i32).into()),
        ("status", fit.status.name().into()),
        ("message", fit.status.message().into()),
        ("component", (fit.status.component() as i32).into()),
        ("distance", fit.distance.into()),
        ("drop", fit.drop.map(|drop| drop.size).into()),
        ("trace", trace(&fit.trace).into()),
        (
            "starts",
            list!(
                log_lik = fit.starts.iter().map(|s| s.objective).collect::<Vec<_>>(),
                status = fit.starts.iter().map(|s| s.status.name()).collect::<Vec<_>>()
            )
            .into(),
        ),
    ]);
    List::from_pairs(pairs)
}

fn table_list(table: &[Cell]) -> List {
    let criteria = |value: fn(&ember_core::mixture::criteria::Criteria) -> f64| -> Vec<f64> {
        table
            .iter()
            .map(|cell| cell.criteria.as_ref().map_or(f64::NAN, value))
            .collect()
    };
    list!(
        k = table.iter().map(|cell| cell.k as i32).collect::<Vec<_>>(),
        model = table.iter().map(|cell| cell.model.name()).collect::<Vec<_>>(),
        log_lik = criteria(|c| c.log_lik),
        parameters = criteria(|c| c.parameters as f64),
        aic = criteria(|c| c.aic),
        bic = criteria(|c| c.bic),
        icl = criteria(|c| c.icl),
        status = table.iter().map(|cell| cell.status.name()).collect::<Vec<_>>(),
        message = table.iter().map(|cell| cell.status.message()).collect::<Vec<_>>()
    )
}

extendr_module! {
    mod mixture;
    fn mixture_search;
}
