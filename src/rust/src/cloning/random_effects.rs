//! Predictions of random effects after data cloning.

use ember_core::cloning::cells::Cells;
use ember_core::cloning::chains::{self, Draws, Settings};
use ember_core::cloning::clones::ClonedGlmm;
use ember_core::cloning::gibbs::{ClonedGaussian, Gibbs};
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::predict::{effects, normal_draws, Predictor};
use ember_core::cloning::prior::Prior;
use ember_core::cloning::walk::Guide;
use ember_core::em::Flow;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::rows::Rows;
use ember_core::nalgebra::DMatrix;
use ember_core::rng::stream;
use ember_core::Error;
use extendr_api::prelude::*;

use super::generalized::{glmm_layout, sample};
use super::read;
use super::run::{gaussian_layout, watched};
use crate::convert::Result;
use crate::glmm::read::Model;
use crate::mixed::read::{known, structure, RowsList};
use crate::mixed::write::matrix;
use crate::monitor::Monitor;

/// Draws of effects of a linear mixed model; see `native_clone_predict()`.
/// @noRd
#[extendr]
fn clone_predict(
    rows: List,
    structure: List,
    known: Robj,
    mean: Vec<f64>,
    covariance: Vec<f64>,
    method: &str,
    mcmc: List,
) -> Result<List> {
    let settings = read::settings(&mcmc)?;
    let structure = self::structure(&structure)?;
    let known = self::known(&known)?;
    let rows = RowsList::read(&rows)?;
    let rows = rows.rows()?;
    let statistics = cross_products(&rows, settings.threads)?;
    let layout = gaussian_layout(&statistics, &structure, &known)?;
    let guide = guide(&layout, mean, &covariance)?;
    let prior = prior(method, &guide, &layout)?;
    let model = ClonedGaussian {
        statistics: &statistics,
        structure: &structure,
        layout: &layout,
        prior: &prior,
        clones: 1,
    };
    let draws = match method {
        "note" => {
            let start = |_: usize, _: &mut _| Gibbs::new(model, &guide, guide.w.clone());
            let posterior = watched(&mcmc, &settings, |monitor| {
                chains::run(&settings, layout.naturals(), start, monitor)
            })?;
            coordinates(&layout, &posterior)?
        }
        _ => conditional(&guide, &settings)?,
    };
    predicted(&Predictor::Gaussian(model), &rows, &draws, &settings, &mcmc)
}

/// Draws of effects of a generalised linear mixed model; see `native_clone_predict()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn clone_predict_glmm(
    rows: List,
    family: List,
    structure: List,
    known: Robj,
    mean: Vec<f64>,
    covariance: Vec<f64>,
    method: &str,
    mcmc: List,
) -> Result<List> {
    let settings = read::settings(&mcmc)?;
    let model = Model::read(&rows, &family, &structure, 1)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let layout = glmm_layout(&problem, &self::known(&known)?)?;
    let guide = guide(&layout, mean, &covariance)?;
    let prior = prior(method, &guide, &layout)?;
    let cells = Cells::new(&rows, &problem.basis().kept)?;
    let model = ClonedGlmm {
        cells: &cells,
        family: &problem.family,
        structure: problem.structure,
        layout: &layout,
        prior: &prior,
        shape: problem.shape,
        clones: 1,
    };
    let draws = match method {
        "note" => {
            let posterior = watched(&mcmc, &settings, |monitor| {
                sample(&model, &problem, &guide, |_| None, &settings, monitor)
            })?;
            coordinates(&layout, &posterior)?
        }
        _ => conditional(&guide, &settings)?,
    };
    predicted(
        &Predictor::Generalised(model, &problem),
        &rows,
        &draws,
        &settings,
        &mcmc,
    )
}

/// The distribution of the estimator of w.
fn guide(layout: &Layout, mean: Vec<f64>, covariance: &[f64]) -> ember_core::Result<Guide> {
    let n = layout.coordinates();
    if mean.len() != n || covariance.len() != n * n {
        return Err(Error::Argument {
            argument: "object",
            message: "does not have the parameters of its model".into(),
        });
    }
    Ok(Guide {
        w: mean,
        covariance: DMatrix::from_column_slice(n, n, covariance),
    })
}

/// The prior that the data meet: the distribution of the estimator in the note's recipe, else none.
fn prior(method: &str, guide: &Guide, layout: &Layout) -> ember_core::Result<Prior> {
    match method {
        "note" => Prior::normal_around(&guide.w, &guide.covariance),
        _ => Prior::new(layout, &[]),
    }
}

/// As many draws of the estimator as chains would have.
fn conditional(guide: &Guide, settings: &Settings) -> ember_core::Result<Vec<Vec<f64>>> {
    settings.validate()?;
    let count = settings.chains * settings.kept();
    let mut rng = stream(settings.seed, u64::MAX);
    normal_draws(&guide.w, &guide.covariance, count, &mut rng)
}

/// w of the draws of all chains.
fn coordinates(layout: &Layout, draws: &Draws) -> ember_core::Result<Vec<Vec<f64>>> {
    for chain in &draws.chains {
        if let Some(failure) = &chain.failure {
            return Err(failure.clone());
        }
    }
    let chains = draws.chains.iter();
    let naturals = chains.flat_map(|chain| chain.values.chunks_exact(draws.width));
    naturals.map(|draw| layout.from_natural(draw)).collect()
}

/// `list(w, effects)`: draws × coordinates, and for each core term draws × (effects × levels), effects first.
fn predicted(
    predictor: &Predictor,
    rows: &Rows,
    draws: &[Vec<f64>],
    settings: &Settings,
    mcmc: &List,
) -> Result<List> {
    let mut monitor = Monitor::new(mcmc);
    let total = draws.len() as f64;
    // Not the streams of the chains that drew w.
    let seed = settings.seed.rotate_left(32) ^ 0x5851_f42d_4c95_7f2d;
    let drawn = effects(predictor, draws, seed, settings.threads, &mut |done| {
        monitor.poll(|| pairlist!(done as f64, total)) == Flow::Continue
    })?;
    let mut first = 0;
    let terms: Vec<Robj> = rows
        .terms
        .iter()
        .map(|term| {
            let size = term.levels * term.columns.len();
            let part = DMatrix::from_fn(drawn.len(), size, |i, j| drawn[i][first + j]);
            first += size;
            matrix(&part).into()
        })
        .collect();
    let width = draws.first().map_or(0, Vec::len);
    let w = DMatrix::from_fn(draws.len(), width, |i, j| draws[i][j]);
    Ok(list!(w = matrix(&w), effects = List::from_values(terms)))
}

extendr_module! {
    mod random_effects;
    fn clone_predict;
    fn clone_predict_glmm;
}
