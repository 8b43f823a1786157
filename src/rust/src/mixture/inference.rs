//! What a fit is worth: standard errors, and components that are one cluster.

use ember_core::mixture::entropy::Merging;
use ember_core::mixture::inference::{CovarianceScale, Estimator, Inference};
use ember_core::mixture::missing::Patterns;
use ember_core::mixture::source::Memory;
use extendr_api::prelude::*;

use super::read::{data, read_known, read_mixture_list, unknown};
use super::write::matrix;
use crate::convert::Result;

/// Covariance matrix of the reported coefficients.
/// @noRd
#[extendr]
fn mixture_information(
    x: Robj,
    weights: Robj,
    mixture: List,
    known: Robj,
    estimator: &str,
    scale: &str,
    threads: i32,
) -> Result<List> {
    let estimator = match estimator {
        "observed" => Estimator::Observed,
        "opg" => Estimator::OuterProduct,
        "sandwich" => Estimator::Sandwich,
        _ => return Err(unknown("type").into()),
    };
    let scale = match scale {
        "entries" => CovarianceScale::Entries,
        "deviations" => CovarianceScale::Deviations,
        _ => return Err(unknown("scale").into()),
    };
    let (data, known) = (data(&x, &weights)?, read_known(&known)?);
    let mixture = read_mixture_list(&mixture)?;
    let inference = Inference::new(&data, &mixture, &known, threads.max(1) as usize)?;
    let covariance = inference.covariance(estimator, scale)?;
    Ok(list!(
        coef = covariance.estimates,
        vcov = matrix(&covariance.matrix),
        singular = covariance.singular
    ))
}

/// Merges components by entropy: the cluster of each component (rows) for 1..k clusters (columns), the pairs
/// joined, by their clusters before, and the entropies of k..1 clusters.
/// @noRd
#[extendr]
fn mixture_merge(x: Robj, weights: Robj, mixture: List, threads: i32) -> Result<List> {
    let mixture = read_mixture_list(&mixture)?;
    let data = data(&x, &weights)?;
    let patterns = Patterns::new(&data);
    let memory = Memory {
        data: &data,
        patterns: Some(&patterns),
        total: None,
        threads: threads.max(1) as usize,
    };
    let posterior = memory.responsibilities(&mixture)?;
    let merging = Merging::new(
        &posterior,
        data.rows(),
        mixture.components(),
        data.weights(),
    )?;
    let entropy: Vec<f64> = merging.steps.iter().map(|step| step.entropy).collect();
    let pairs: Vec<(usize, usize)> = merging
        .steps
        .iter()
        .filter_map(|step| step.merged)
        .collect();
    let groups: Vec<i32> = (merging.steps.iter().rev())
        .flat_map(|step| step.of_component.iter().map(|&cluster| cluster as i32 + 1))
        .collect();
    Ok(list!(
        groups = groups,
        first = pairs
            .iter()
            .map(|pair| pair.0 as i32 + 1)
            .collect::<Vec<_>>(),
        second = pairs
            .iter()
            .map(|pair| pair.1 as i32 + 1)
            .collect::<Vec<_>>(),
        entropy = entropy
    ))
}

extendr_module! {
    mod inference;
    fn mixture_information;
    fn mixture_merge;
}
