//! The search for all modes.
//!
//! Every equation by itself is walked along its correlation ([`super::scan`]), which shows all its local maxima. With
//! one equation these are the modes. With several they are where climbs of the joint likelihood start, in all
//! combinations, uncorrelated across equations and as their residuals are. Where there are many rows the search uses a
//! sample of them, and its modes are climbed to again on all rows.

use super::ascent::{climb, Likelihood, Reached};
use super::coordinates::Coordinates;
use super::data::Data;
use super::em::SelectionModel;
use super::equation::Equation;
use super::layout::Parameters;
use super::modes::Candidates;
use super::probit::probit;
use super::sample::Sample;
use super::starts::{combinations, correlated, independent, Marginal};
use super::two_step;
use crate::em::{Acceleration, Flow, Progress, Settings, Status};
use crate::error::Result;
use crate::linalg;

/// With more rows, equations are walked along on a sample of this many.
const WALKED_ROWS: Limit = Limit {
    most: 20_000,
    sample: 8_000,
};

/// With more rows, climbs of several equations are made on a sample of this many first.
const CLIMBED_ROWS: Limit = Limit {
    most: 8_000,
    sample: 4_000,
};

/// The tolerance of climbs, from whose ends Newton's steps lead on.
const ROUGH: f64 = 1e-2;

/// EM steps before a climb of the joint likelihood: they are safe where quasi-Newton steps are not.
const EM_STEPS: usize = 10;

/// How many rows a part of the search uses.
struct Limit {
    most: usize,
    sample: usize,
}

impl Limit {
    fn sample(&self, data: &Data) -> Option<Sample> {
        (data.n > self.most).then(|| Sample::of(data, self.sample))
    }
}

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
    let sample = WALKED_ROWS.sample(likelihood.data);
    let Some(sample) = sample else {
        return explore(likelihood, likelihood, everywhere, settings, monitor);
    };
    let rows = sample.data()?;
    let part = likelihood.on(&rows);
    let found = explore(likelihood, part, everywhere, settings, monitor)?;
    // The likelihood of a sample may rise to the end where that of all rows does not.
    match found.candidates.0.is_empty() {
        true => explore(likelihood, likelihood, everywhere, settings, monitor),
        false => Ok(found),
    }
}

/// Walks on `walked`, climbs from what is seen there, on a sample where that saves time, and ends on all rows.
fn explore(
    all: Likelihood,
    walked: Likelihood,
    everywhere: bool,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Found> {
    let layout = all.layout;
    let marginals = marginals(walked, monitor)?;
    let mut found = Found {
        candidates: Candidates::default(),
        scans: marginals.iter().map(|one| one.scan.clone()).collect(),
        rising: Vec::new(),
    };
    if let [marginal] = marginals.as_slice() {
        let ends = marginal.rising.iter();
        found.rising = ends.map(|end| independent(layout, &[end])).collect();
    }
    let sample = CLIMBED_ROWS
        .sample(all.data)
        .filter(|_| layout.equations > 1);
    let rows = sample.as_ref().map(Sample::data).transpose()?;
    let climbed = match &rows {
        Some(rows) => all.on(rows),
        None if layout.equations > 1 => all,
        None => walked,
    };
    for start in starts(walked, &marginals, everywhere) {
        let reached = ascend(climbed, start, settings, monitor);
        found.candidates.try_add(layout, reached, 1)?;
        if found.candidates.interrupted() {
            break;
        }
    }
    if !std::ptr::eq(climbed.data, all.data) {
        let mut stop = |_: &Progress| Flow::Stop;
        let monitor: &mut dyn FnMut(&Progress) -> Flow = match found.candidates.interrupted() {
            true => &mut stop,
            false => monitor,
        };
        for one in std::mem::take(&mut found.candidates).0 {
            let reached = polish(all, climbed, &one.reached.parameters, settings, monitor);
            found.candidates.try_add(layout, reached, one.hits)?;
        }
    }
    Ok(found)
}

/// Climbs on `all` rows from `start`, the first step by the information of `part`: so a climb from beside a mode ends
/// there.
pub(super) fn polish(
    all: Likelihood,
    part: Likelihood,
    start: &Parameters,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Reached> {
    let coordinates = Coordinates::new(part.layout);
    let jacobian = coordinates.jacobian(&coordinates.locate(start)?);
    let information = part.information(start, &mut || Flow::Continue);
    let information = information.map(|naturals| jacobian.tr_mul(&(naturals * &jacobian)));
    // A sample may say nothing of a rare column, and far from a maximum curvatures mislead.
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
        all.push(Marginal::of(&rows, &walk, data.equations > 1));
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
    let Likelihood { data, layout, .. } = likelihood;
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
    let mut model = SelectionModel::new(data, layout, likelihood.how, likelihood.threads)?;
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
