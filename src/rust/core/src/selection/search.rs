//! The search for all modes.
//!
//! Every equation by itself is walked along its correlation ([`super::scan`]), which shows all its local maxima. With
//! one equation these are the modes. With several they are where climbs of the joint likelihood start, in all
//! combinations, uncorrelated across equations and as their residuals are. Where there are many rows the search uses a
//! sample of them, and its modes are climbed to again on all rows.

use super::ascent::{climb, Likelihood, Reached};
use super::coordinates::Coordinates;
use super::em::SelectionModel;
use super::information::{information, Passes};
use super::layout::Parameters;
use super::modes::Candidates;
use super::probit::probit;
use super::sample::Sample;
use super::scan::Equation;
use super::starts::{combinations, correlated, independent, Marginal};
use super::two_step;
use crate::em::{Acceleration, Flow, Progress, Settings, Status};
use crate::error::{Error, Result};
use crate::linalg;

/// More rows are searched on a sample.
const MANY_ROWS: usize = 20_000;

/// Rows of the sample.
const SAMPLE_ROWS: usize = 8_000;

/// The tolerance of climbs, from whose ends Newton's steps lead on.
const ROUGH: f64 = 1e-2;

/// EM steps before a climb of the joint likelihood: they are safe where quasi-Newton steps are not.
const EM_STEPS: usize = 10;

/// The log-likelihood of an equation by itself along its correlation, the other parameters at their maximum.
#[derive(Debug, Clone)]
pub struct Scan {
    pub rho: Vec<f64>,
    pub log_likelihood: Vec<f64>,
}

/// What a search found.
pub(super) struct Found {
    pub candidates: Candidates,
    pub scans: Vec<Scan>,
    /// Of one equation: where its likelihood rises towards a correlation of -1 or 1.
    pub rising: Vec<Parameters>,
}

/// Searches for all modes, or from the best univariate modes alone.
///
/// # Errors
/// [`Error::Degenerate`] naming the component that has no estimates by itself, [`Error::Interrupted`] before there is
/// anything to return; those of the E-step.
pub(super) fn search(
    likelihood: Likelihood,
    everywhere: bool,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Found> {
    if likelihood.data.n <= MANY_ROWS {
        return explore(likelihood, everywhere, settings, monitor);
    }
    let sample = Sample::of(likelihood.data, SAMPLE_ROWS);
    let data = sample.data()?;
    let part = Likelihood {
        data: &data,
        ..likelihood
    };
    let mut found = explore(part, everywhere, settings, monitor)?;
    let few = std::mem::take(&mut found.candidates);
    for one in few.0 {
        let reached = polish(likelihood, part, &one.reached, settings, monitor)?;
        found.candidates.add(likelihood.layout, reached, one.hits);
    }
    Ok(found)
}

/// Climbs on all rows from the end of a climb on a sample.
fn polish(
    all: Likelihood,
    part: Likelihood,
    from: &Reached,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Reached> {
    let Likelihood { data, layout, .. } = part;
    let passes = Passes {
        how: *part.how,
        threads: part.threads,
    };
    let start = &from.parameters;
    let coordinates = Coordinates::new(layout);
    let jacobian = coordinates.jacobian(&coordinates.locate(start)?);
    let information = information(data, layout, start, &passes, &mut || Flow::Continue);
    let information = information.map(|naturals| jacobian.tr_mul(&(naturals * &jacobian)));
    // A sample may say nothing of a rare column.
    let first = information
        .ok()
        .filter(|first| linalg::cholesky(first).is_ok());
    climb(all, &coordinates, start, first, &rough(settings), monitor)
}

/// The settings of a climb that Newton's steps follow.
pub(super) fn rough(settings: &Settings) -> Settings {
    Settings {
        tol: settings.tol.max(ROUGH),
        ..settings.clone()
    }
}

/// Searches on all rows of `likelihood`.
fn explore(
    likelihood: Likelihood,
    everywhere: bool,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Found> {
    let layout = likelihood.layout;
    let marginals = marginals(likelihood, monitor)?;
    let scans = marginals
        .iter()
        .map(|marginal| marginal.scan.clone())
        .collect();
    let mut found = Found {
        candidates: Candidates::default(),
        scans,
        rising: Vec::new(),
    };
    if let [marginal] = marginals.as_slice() {
        let ends = marginal.rising.iter();
        found.rising = ends.map(|end| independent(layout, &[end])).collect();
    }
    for start in starts(likelihood, &marginals, everywhere) {
        let reached = ascend(likelihood, start, settings, monitor);
        match reached {
            Ok(reached) => found.candidates.add(layout, reached, 1),
            Err(error @ (Error::Argument { .. } | Error::Interrupted)) => return Err(error),
            Err(_) => {}
        }
        if found.candidates.interrupted() {
            break;
        }
    }
    Ok(found)
}

/// Every equation by itself.
fn marginals(
    likelihood: Likelihood,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Vec<Marginal>> {
    let Likelihood {
        data,
        layout,
        threads,
        ..
    } = likelihood;
    let mut all = Vec::with_capacity(data.equations);
    for equation in 0..data.equations {
        let columns = two_step::Equation::of(data, layout, equation);
        let probit = probit(&columns.selection, &columns.selected, threads)?;
        let rows = Equation::of(data, layout, equation);
        let progress = Progress {
            iteration: 0,
            passes: 0,
            objective: f64::NAN,
            distance: f64::NAN,
        };
        let walk = rows.walk(&probit.coefficients, &mut || monitor(&progress))?;
        all.push(Marginal::of(&rows, &walk));
    }
    Ok(all)
}

/// Where climbs start.
fn starts(likelihood: Likelihood, marginals: &[Marginal], everywhere: bool) -> Vec<Parameters> {
    let layout = likelihood.layout;
    let mut starts: Vec<Parameters> = Vec::new();
    for (k, combination) in combinations(marginals).into_iter().enumerate() {
        let start = independent(layout, &combination);
        if k == 0 && marginals.len() > 1 {
            starts.push(correlated(likelihood, &start));
        }
        starts.push(start);
        if !everywhere {
            break;
        }
    }
    if !everywhere {
        starts.truncate(1);
    }
    starts
}

/// A few EM steps where there are several equations, then a climb.
fn ascend(
    likelihood: Likelihood,
    start: Parameters,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Reached> {
    let Likelihood {
        data,
        layout,
        how,
        threads,
    } = likelihood;
    let coordinates = Coordinates::new(layout);
    let rough = rough(settings);
    if data.equations == 1 {
        return climb(likelihood, &coordinates, &start, None, &rough, monitor);
    }
    let em = Settings {
        tol: 0.0,
        max_iter: EM_STEPS,
        acceleration: Acceleration::None,
        bounds: false,
    };
    let mut model = SelectionModel::new(data, layout, how, threads)?;
    let outcome = model.run(start, &em, monitor)?;
    let place = &outcome.params.parameters;
    let mut stop = outcome.status == Status::Interrupted;
    let mut monitor = |progress: &Progress| match stop {
        true => Flow::Stop,
        false => {
            let flow = monitor(progress);
            stop = flow == Flow::Stop;
            flow
        }
    };
    let mut reached = climb(likelihood, &coordinates, place, None, &rough, &mut monitor)?;
    reached.come_from(outcome.trace, outcome.iterations, outcome.passes);
    Ok(reached)
}
