//! What a mixture says of rows, and rows that it draws.

use ember_core::mixture::data::Data;
use ember_core::mixture::distribution::{simulate, Marginal, Tail};
use ember_core::mixture::missing::Patterns;
use ember_core::mixture::source::Memory;
use ember_core::nalgebra::DMatrix;
use ember_core::rng;
use extendr_api::prelude::*;

use super::read::{data, read_mixture_list};
use super::write::matrix;
use crate::convert::Result;
use crate::fields::two_integers;

/// Posterior probabilities and log densities of rows, some cells of which may be missing.
/// @noRd
#[extendr]
fn mixture_posterior(x: Robj, mixture: List, threads: i32) -> Result<List> {
    let mixture = read_mixture_list(&mixture)?;
    let weights = ().into();
    let data = data(&x, &weights)?;
    let patterns = missing_patterns(&data);
    let memory = Memory {
        data: &data,
        patterns: patterns.as_ref(),
        total: None,
        threads: threads.max(1) as usize,
    };
    let posterior = memory.responsibilities(&mixture)?;
    let columns = posterior.len() / data.rows();
    Ok(list!(
        posterior = matrix(&DMatrix::from_vec(data.rows(), columns, posterior)),
        log_density = memory.log_density(&mixture)?
    ))
}

fn missing_patterns(data: &Data) -> Option<Patterns> {
    let holes = (0..data.columns()).any(|j| data.column(j).iter().any(|x| x.is_nan()));
    holes.then(|| Patterns::new(data))
}

/// Draws rows.
/// @noRd
#[extendr]
fn mixture_simulate(n: i32, mixture: List, seed: Robj) -> Result<List> {
    let mixture = read_mixture_list(&mixture)?;
    let mut stream = rng::stream(two_integers(&seed)?, 0);
    let sample = simulate(&mixture, n.max(0) as usize, None, &mut stream)?;
    let classes: Vec<i32> = sample.classes.iter().map(|&class| class as i32).collect();
    Ok(list!(x = matrix(&sample.x), class = classes))
}

/// Distribution function in one dimension.
/// @noRd
#[extendr]
fn mixture_cdf(q: &[f64], mixture: List) -> Result<Vec<f64>> {
    let marginal = Marginal::new(&read_mixture_list(&mixture)?, 0, None)?;
    Ok(q.iter()
        .map(|&q| marginal.probability(q, Tail::Lower))
        .collect())
}

/// Quantiles in one dimension.
/// @noRd
#[extendr]
fn mixture_quantile(p: &[f64], mixture: List) -> Result<Vec<f64>> {
    let marginal = Marginal::new(&read_mixture_list(&mixture)?, 0, None)?;
    Ok(p.iter()
        .map(|&p| marginal.quantile(p, Tail::Lower))
        .collect())
}

extendr_module! {
    mod predict;
    fn mixture_posterior;
    fn mixture_simulate;
    fn mixture_cdf;
    fn mixture_quantile;
}
