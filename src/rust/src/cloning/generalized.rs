//! Chains on the posterior of K clones of a generalised linear mixed model.

use ember_core::cloning::cells::Cells;
use ember_core::cloning::chains::{self, Draws, Settings};
use ember_core::cloning::clones::{ClonedGlmm, Clones};
use ember_core::cloning::collapsed;
use ember_core::cloning::crossed_clones::CrossedClones;
use ember_core::cloning::laplace_target::LaplaceTarget;
use ember_core::cloning::mode::Mode;
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::posterior::Posterior;
use ember_core::cloning::prior::Prior;
use ember_core::cloning::quadrature_target::QuadratureTarget;
use ember_core::cloning::walk::Guide;
use ember_core::glmm::problem::Problem;
use ember_core::mixed::criterion::Known;
use extendr_api::prelude::*;

use super::run::{copies, unknown_sampler, watched};
use super::{read, write};
use crate::convert::Result;
use crate::glmm::read::Model;
use crate::mixed::read::known;

/// Chains on the posterior of so many clones of a generalised linear mixed model; see `native_clone_run()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn clone_run_glmm(
    rows: List,
    family: List,
    structure: List,
    known: Robj,
    prior: List,
    clones: i32,
    sampler: &str,
    start: List,
    mcmc: List,
) -> Result<List> {
    let settings = read::settings(&mcmc)?;
    let model = Model::read(&rows, &family, &structure, 1)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let layout = glmm_layout(&problem, &self::known(&known)?)?;
    let prior = read::prior(&prior, &layout)?;
    let w = layout.unconstrained(&read::start(&start, &layout)?);
    let resume = read::resume(&mcmc, &layout)?;
    let copies = copies(clones)?;
    let run = Run {
        problem: &problem,
        layout: &layout,
        prior: &prior,
        copies,
        w: &w,
        resume: resume.as_deref(),
        mcmc: &mcmc,
        settings: &settings,
    };
    match sampler {
        "gibbs" => run.real_clones(),
        "collapsed" => run.integrated(),
        _ => Err(unknown_sampler(sampler).into()),
    }
}

/// What chains need, whatever the sampler.
struct Run<'a> {
    problem: &'a Problem<'a>,
    layout: &'a Layout,
    prior: &'a Prior,
    copies: usize,
    /// Where the search for the mode begins.
    w: &'a [f64],
    resume: Option<&'a [Vec<f64>]>,
    mcmc: &'a List,
    settings: &'a Settings,
}

impl Run<'_> {
    /// Chains that move the random effects of every clone.
    fn real_clones(&self) -> Result<List> {
        let (problem, layout, prior) = (self.problem, self.layout, self.prior);
        let target = LaplaceTarget::new(problem, layout, self.settings.threads)?;
        let mode = Mode::find(&Posterior::new(target, layout, prior, self.copies), self.w)?;
        let guide = Guide {
            w: mode.w.clone(),
            covariance: mode.covariance.clone(),
        };
        let cells = Cells::new(problem.rows, &problem.basis().kept)?;
        let cloned = ClonedGlmm {
            cells: &cells,
            family: &problem.family,
            structure: problem.structure,
            layout,
            prior,
            shape: problem.shape,
            clones: self.copies,
        };
        let resume = self.resume;
        let from = |number| resume.and_then(|resume| resume.get(number));
        let draws = watched(self.mcmc, self.settings, |monitor| {
            sample(&cloned, problem, &guide, from, self.settings, monitor)
        })?;
        let mut pairs = write::draws(&draws);
        pairs.push(("mode", write::mode(&mode, layout).into()));
        Ok(List::from_pairs(pairs))
    }

    /// Chains on the posterior with the random effects integrated out by quadrature; `accuracy` says how well:
    /// `list(nodes, error)`, the error that of the log-likelihood of one copy.
    fn integrated(&self) -> Result<List> {
        let (layout, prior) = (self.layout, self.prior);
        let target = QuadratureTarget::new(self.problem, layout, self.copies, self.w)?;
        let accuracy = target.accuracy();
        let posterior = Posterior::new(target, layout, prior, self.copies);
        let mode = Mode::find(&posterior, self.w)?;
        let draws = watched(self.mcmc, self.settings, |monitor| {
            collapsed::run(&posterior, &mode, self.resume, self.settings, monitor)
        })?;
        let mut pairs = write::draws(&draws);
        pairs.push(("mode", write::mode(&mode, layout).into()));
        let accuracy = list!(nodes = accuracy.nodes as i32, error = accuracy.error);
        pairs.push(("accuracy", accuracy.into()));
        Ok(List::from_pairs(pairs))
    }
}

/// Chains of real clones, each from its w or else the guide's.
pub fn sample<'s>(
    cloned: &ClonedGlmm,
    problem: &Problem,
    guide: &Guide,
    from: impl Fn(usize) -> Option<&'s Vec<f64>> + Sync,
    settings: &Settings,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> ember_core::Result<Draws> {
    let width = cloned.layout.naturals();
    let start = |number| from(number).unwrap_or(&guide.w);
    if cloned.cells.terms.len() == 1 {
        let chain = |number: usize, _: &mut _| Clones::new(*cloned, guide, start(number));
        chains::run(settings, width, chain, monitor)
    } else {
        let chain =
            |number: usize, _: &mut _| CrossedClones::new(*cloned, problem, guide, start(number));
        chains::run(settings, width, chain, monitor)
    }
}

/// The mode of the posterior of so many clones and its curvature, for a generalised linear mixed model by
/// Laplace's approximation; see `native_clone_mode()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn clone_mode_glmm(
    rows: List,
    family: List,
    structure: List,
    known: Robj,
    prior: List,
    clones: i32,
    start: List,
    threads: i32,
) -> Result<List> {
    let model = Model::read(&rows, &family, &structure, 1)?;
    let rows = model.rows()?;
    let problem = model.problem(&rows)?;
    let layout = glmm_layout(&problem, &self::known(&known)?)?;
    let prior = read::prior(&prior, &layout)?;
    let w = layout.unconstrained(&read::start(&start, &layout)?);
    let target = LaplaceTarget::new(&problem, &layout, threads.max(1) as usize)?;
    let mode = Mode::find(
        &Posterior::new(target, &layout, &prior, copies(clones)?),
        &w,
    )?;
    Ok(write::mode(&mode, &layout))
}

/// The layout of a generalised linear mixed model: the scale of Λ is 1.
pub fn glmm_layout(problem: &Problem, known: &Known) -> ember_core::Result<Layout> {
    let levels: Vec<usize> = problem.rows.terms.iter().map(|term| term.levels).collect();
    Layout::new(
        problem.structure,
        &levels,
        problem.fixed_columns(),
        1,
        Some(1.0),
        &known.deviations,
        problem.shape_is_free(),
    )
}

extendr_module! {
    mod generalized;
    fn clone_run_glmm;
    fn clone_mode_glmm;
}
