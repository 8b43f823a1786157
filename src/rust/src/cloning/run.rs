//! Chains on the posterior of K clones.

use ember_core::cloning::chains::{self, Draws, Settings};
use ember_core::cloning::collapsed;
use ember_core::cloning::gibbs::{ClonedGaussian, Gibbs};
use ember_core::cloning::independent::{Independent, Unsmoothed};
use ember_core::cloning::mode::Mode;
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::posterior::Posterior;
use ember_core::cloning::target::Gaussian;
use ember_core::cloning::walk::Guide;
use ember_core::em::Flow;
use ember_core::mixed::criterion::{Known, Problem};
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::structure::Structure;
use ember_core::Error;
use extendr_api::prelude::*;

use super::{read, write};
use crate::convert::Result;
use crate::mixed::read::{known, structure, RowsList};
use crate::monitor::Monitor;

/// Chains on the posterior of so many clones of a linear mixed model; see `native_clone_run()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn clone_run(
    rows: List,
    structure: List,
    known: Robj,
    prior: List,
    clones: i32,
    sampler: &str,
    start: List,
    mcmc: List,
) -> Result<List> {
    let settings = read::settings(&mcmc)?;
    let structure = self::structure(&structure)?;
    let known = self::known(&known)?;
    let rows = RowsList::read(&rows)?;
    let rows = rows.rows()?;
    let statistics = cross_products(&rows, settings.threads)?;
    let layout = gaussian_layout(&statistics, &structure, &known)?;
    let prior = read::prior(&prior, &layout)?;
    let w = layout.unconstrained(&read::start(&start, &layout)?);
    let copies = copies(clones)?;
    if sampler == "independent" {
        let model = Unsmoothed::new(&rows, statistics.kept(), &layout, &prior, copies)?;
        let resume = read::resume_values(&mcmc)?;
        let draws = watched(&mcmc, &settings, |monitor| {
            let start = |number: usize, _: &mut _| {
                let mut from = w[..=layout.fixed].to_vec();
                from[layout.fixed] = (2.0 * from[layout.fixed]).exp();
                let resumed = resume.as_ref().and_then(|resume| resume.get(number));
                Independent::new(&model, resumed.unwrap_or(&from))
            };
            chains::run(&settings, model.width(), start, monitor)
        })?;
        return Ok(List::from_pairs(write::draws(&draws)));
    }
    let resume = read::resume(&mcmc, &layout)?;
    let gaussian = Gaussian::new(&statistics, &structure, &layout)?;
    let posterior = Posterior::new(gaussian, &layout, &prior, copies);
    let mode = Mode::find(&posterior, &w)?;
    let draws = match sampler {
        "collapsed" => watched(&mcmc, &settings, |monitor| {
            collapsed::run(&posterior, &mode, resume.as_deref(), &settings, monitor)
        })?,
        "gibbs" => watched(&mcmc, &settings, |monitor| {
            let model = ClonedGaussian {
                statistics: &statistics,
                structure: &structure,
                layout: &layout,
                prior: &prior,
                clones: copies,
            };
            let guide = Guide {
                w: mode.w.clone(),
                covariance: mode.covariance.clone(),
            };
            let start = |number: usize, _: &mut _| {
                let from = resume.as_ref().and_then(|resume| resume.get(number));
                Gibbs::new(model, &guide, from.unwrap_or(&guide.w).clone())
            };
            chains::run(&settings, layout.naturals(), start, monitor)
        })?,
        _ => return Err(unknown_sampler(sampler).into()),
    };
    let mut pairs = write::draws(&draws);
    pairs.push(("mode", write::mode(&mode, &layout).into()));
    Ok(List::from_pairs(pairs))
}

/// The mode of the posterior of so many clones and its curvature, for a linear mixed model; see
/// `native_clone_mode()`.
/// @noRd
#[extendr]
fn clone_mode(
    rows: List,
    structure: List,
    known: Robj,
    prior: List,
    clones: i32,
    start: List,
    threads: i32,
) -> Result<List> {
    let structure = self::structure(&structure)?;
    let known = self::known(&known)?;
    let rows = RowsList::read(&rows)?;
    let rows = rows.rows()?;
    let statistics = cross_products(&rows, threads.max(1) as usize)?;
    let layout = gaussian_layout(&statistics, &structure, &known)?;
    let prior = read::prior(&prior, &layout)?;
    let w = layout.unconstrained(&read::start(&start, &layout)?);
    let gaussian = Gaussian::new(&statistics, &structure, &layout)?;
    let posterior = Posterior::new(gaussian, &layout, &prior, copies(clones)?);
    let mode = Mode::find(&posterior, &w)?;
    Ok(write::mode(&mode, &layout))
}

/// The layout of a linear mixed model; what is known is checked.
pub fn gaussian_layout(
    statistics: &CrossProducts,
    structure: &Structure,
    known: &Known,
) -> ember_core::Result<Layout> {
    Problem::new(statistics, structure, false, known.clone())?;
    Layout::new(
        structure,
        statistics.levels(),
        statistics.fixed_columns(),
        statistics.group_rows().len(),
        known.sigma,
        &known.deviations,
        false,
    )
}

/// Runs chains with R's eyes on them.
pub fn watched(
    mcmc: &List,
    settings: &Settings,
    run: impl FnOnce(&mut dyn FnMut(usize) -> bool) -> ember_core::Result<Draws>,
) -> ember_core::Result<Draws> {
    let mut monitor = Monitor::new(mcmc);
    let total = settings.total() as f64;
    run(&mut |done| monitor.poll(|| pairlist!(done as f64, total)) == Flow::Continue)
}

pub fn copies(clones: i32) -> ember_core::Result<usize> {
    match usize::try_from(clones) {
        Ok(copies) if copies > 0 => Ok(copies),
        _ => Err(Error::Argument {
            argument: "clones",
            message: "must be at least 1".into(),
        }),
    }
}

pub fn unknown_sampler(name: &str) -> Error {
    Error::Argument {
        argument: "sampler",
        message: format!("cannot be \"{name}\" for this model"),
    }
}

extendr_module! {
    mod run;
    fn clone_run;
    fn clone_mode;
}
