//! Fits: k × model × starts.

use ember_core::em::Flow;
use ember_core::mixture::bootstrap::LikelihoodRatio;
use ember_core::mixture::criteria::{Criteria, Criterion};
use ember_core::mixture::fit::Fit;
use ember_core::mixture::model::{CovarianceModel, Noise};
use ember_core::mixture::moments::moments_from_responsibilities;
use ember_core::mixture::partition::Partition;
use ember_core::mixture::problem::{Method, Problem};
use ember_core::mixture::search::{Cell, PartitionsOf, Search, Starts};
use extendr_api::prelude::*;

use super::read::{data, given, read_assumptions, read_mixture, read_models, unknown};
use super::write::{mixture_pairs, or_null};
use crate::convert::{settings, trace, Result};
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
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let settings = settings(&control)?;
    let control = Fields::of(&control);
    let data = data(&x, &weights)?;
    let assumptions = read_assumptions(&known, &noise, &prior, &control)?;
    let problem = Problem::new(&data, assumptions, control.count("threads")?)?;
    let ks: Vec<usize> = k.iter().map(|&k| k.max(0) as usize).collect();
    let search = Search {
        problem: &problem,
        models: read_models(&models)?,
        starts: read_starts(&start, &problem, &ks, n_starts.max(1) as usize, &control)?,
        leave_saddles: start.is_null() || start.as_str().is_some(),
        criterion: Criterion::from_name(criterion).ok_or_else(|| unknown("select"))?,
        settings,
    };
    let found = search.run(&mut |progress| {
        monitor.poll(|| pairlist!(progress.done as i32, progress.total as i32))
    })?;
    Ok(list!(
        table = table_list(&found.table),
        fit = or_null(found.fit.map(|fit| fit_list(&fit)))
    ))
}

/// Bootstraps the likelihood ratio of two numbers of components; see `native_mixture_bootstrap_lrt()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn mixture_bootstrap_lrt(
    x: Robj,
    weights: Robj,
    model: &str,
    k_null: i32,
    k_alternative: i32,
    replicates: i32,
    n_starts: i32,
    control: List,
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let fields = Fields::of(&control);
    let test = LikelihoodRatio {
        model: CovarianceModel::from_name(model).ok_or_else(|| unknown("model"))?,
        k_null: k_null.max(1) as usize,
        k_alternative: k_alternative.max(1) as usize,
        n_starts: n_starts.max(1) as usize,
        settings: settings(&control)?,
        seed: fields.seed()?,
        threads: fields.count("threads")?,
    };
    let total = replicates.max(0);
    let result = test.bootstrap(&data(&x, &weights)?, total as usize, &mut |done| {
        monitor.poll(|| pairlist!(done as i32, total)) == Flow::Continue
    })?;
    Ok(list!(
        statistic = result.statistic,
        replicates = result.replicates
    ))
}

fn read_starts(
    start: &Robj,
    problem: &Problem,
    ks: &[usize],
    count: usize,
    control: &Fields,
) -> ember_core::Result<Starts> {
    let noise = problem.noise();
    if let Some(parameters) = given(start) {
        let mut mixture = read_mixture(&parameters, CovarianceModel::VVV)?;
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
        let labels = labels
            .iter()
            .map(|&label| (label as u32).wrapping_sub(1))
            .collect();
        vec![vec![Partition { k, labels }.moments(&problem.filled()?)]]
    } else {
        let method = match start.as_str() {
            None => Method::Both,
            Some("kmeans") => Method::Kmeans,
            Some("hierarchical") => Method::Hierarchical,
            Some(_) => return Err(unknown("start")),
        };
        problem.partitions(ks, method, count, control.seed()?)?
    };
    let partitions = ks.iter().zip(moments);
    Ok(Starts::Partitions(
        partitions
            .map(|(&k, moments)| PartitionsOf { k, moments })
            .collect(),
    ))
}

/// A fit in R's shapes: a mixture, and how it was reached.
pub fn fit_list(fit: &Fit) -> List {
    let mut pairs = mixture_pairs(&fit.mixture);
    pairs.extend([
        ("log_lik", fit.criteria.log_lik.into()),
        ("log_prior", fit.log_prior.into()),
        (
            "thin",
            fit.thin
                .iter()
                .map(|&k| k as i32)
                .collect::<Vec<_>>()
                .into(),
        ),
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
                status = fit
                    .starts
                    .iter()
                    .map(|s| s.status.name())
                    .collect::<Vec<_>>()
            )
            .into(),
        ),
    ]);
    List::from_pairs(pairs)
}

fn table_list(table: &[Cell]) -> List {
    let criteria = |value: fn(&Criteria) -> f64| -> Vec<f64> {
        table
            .iter()
            .map(|cell| cell.criteria.as_ref().map_or(f64::NAN, value))
            .collect()
    };
    list!(
        k = table.iter().map(|cell| cell.k as i32).collect::<Vec<_>>(),
        model = table
            .iter()
            .map(|cell| cell.model.name())
            .collect::<Vec<_>>(),
        log_lik = criteria(|c| c.log_lik),
        parameters = criteria(|c| c.parameters as f64),
        aic = criteria(|c| c.aic),
        bic = criteria(|c| c.bic),
        icl = criteria(|c| c.icl),
        status = table
            .iter()
            .map(|cell| cell.status.name())
            .collect::<Vec<_>>(),
        message = table
            .iter()
            .map(|cell| cell.status.message())
            .collect::<Vec<_>>(),
        component = table
            .iter()
            .map(|cell| cell.status.component() as i32)
            .collect::<Vec<_>>()
    )
}

extendr_module! {
    mod search;
    fn mixture_search;
    fn mixture_bootstrap_lrt;
}
