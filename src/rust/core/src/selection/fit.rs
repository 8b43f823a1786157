//! A fit by maximum likelihood: from rows to estimates, the modes of the likelihood and the facts about them.

use super::ascent::{Likelihood, Reached};
use super::data::Data;
use super::expect::expect;
use super::layout::{Layout, Parameters};
use super::modes::{is_same, Candidate, Candidates, Kind, Mode};
use super::search::{polish, search, Found, Scan};
use super::verdict::{judge, Facts};
use crate::em::{Flow, Progress, Settings, Status, Trace};
use crate::error::{Error, Result};
use crate::normal::orthant::Integration;

/// Log units above the answer from which a boundary is worth words.
const HIGHER: f64 = 1e-3;

/// Log units below the answer within which a boundary is a mode worth listing.
const NEGLIGIBLE: f64 = 10.0;

/// Other sets of points that the error of an integration is judged by.
const REPETITIONS: u64 = 4;

/// How to fit.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Where to start; there is no search then.
    pub start: Option<&'a Parameters>,
    /// Whether to search for all modes; else the climb starts at the best univariate ones.
    pub search: bool,
    pub how: &'a Integration,
    pub settings: &'a Settings,
    pub threads: usize,
}

/// Estimates and what is known about them.
#[derive(Debug, Clone)]
pub struct Fit {
    pub parameters: Parameters,
    pub log_likelihood: f64,
    /// Gradient, information and covariance, in naturals.
    pub facts: Facts,
    pub status: Status,
    /// What there is to say even of a fit that converged; empty if nothing.
    pub message: String,
    pub iterations: usize,
    /// E-steps of the climbs on all rows and of the information at their ends.
    pub passes: usize,
    /// Of the climb that led to the estimates.
    pub trace: Trace,
    /// Distinct modes, the highest first; empty if the user stopped the search.
    pub modes: Vec<Mode>,
    /// Of each equation by itself; empty if there was no search.
    pub scans: Vec<Scan>,
    /// Standard deviation of the log-likelihood over other points of the integration; 0 if it is exact.
    pub simulation_error: f64,
}

/// The end of a climb with the facts about it.
struct Judged {
    reached: Reached,
    facts: Facts,
    hits: usize,
}

/// Fits by maximum likelihood.
///
/// # Errors
/// [`Error::Degenerate`] naming the component (1-based among the 2J errors) that has no estimates by itself;
/// [`Error::Interrupted`] before there is anything to return; those of the E-step at `start`.
pub fn fit(
    data: &Data,
    layout: &Layout,
    plan: &Plan,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Fit> {
    plan.settings.validate()?;
    let likelihood = Likelihood::of(data, layout, plan);
    let found = match plan.start {
        Some(start) => from_start(likelihood, start, plan.settings, monitor)?,
        None => search(likelihood, plan.search, plan.settings, monitor)?,
    };
    let mut stopped = found.candidates.interrupted();
    let mut candidates = found.candidates.0;
    let mut passes = candidates.iter().map(|one| one.reached.passes).sum();
    if stopped {
        candidates.truncate(1);
    }
    let mut judged: Vec<Judged> = Vec::new();
    for Candidate { mut reached, hits } in candidates {
        let before = reached.passes;
        if stopped {
            reached.status = Status::Interrupted;
        }
        let facts = judge(likelihood, &mut reached, plan.settings, monitor)?;
        passes += reached.passes - before;
        stopped |= reached.status == Status::Interrupted;
        // Newton's steps, or those away from a saddle, may lead to where another climb ended.
        let known = judged.iter_mut();
        let mut known = known.filter(|known| is_same(layout, &known.reached, &reached));
        match known.next() {
            Some(known) => known.hits += hits,
            None => judged.push(Judged {
                reached,
                facts,
                hits,
            }),
        }
    }
    for end in &found.rising {
        judged.push(rising_end(likelihood, end)?);
    }
    let mut fit = choose(likelihood, judged)?;
    if stopped {
        fit.status = Status::Interrupted;
        fit.modes.clear();
    }
    fit.passes = passes;
    fit.scans = found.scans;
    fit.simulation_error = simulation_error(likelihood, &fit.parameters)?;
    Ok(fit)
}

/// The fit that one climb led to.
pub(super) fn finish(likelihood: Likelihood, reached: Reached, facts: Facts) -> Result<Fit> {
    let passes = reached.passes;
    let judged = Judged {
        reached,
        facts,
        hits: 1,
    };
    let mut fit = choose(likelihood, vec![judged])?;
    fit.passes = passes;
    fit.simulation_error = simulation_error(likelihood, &fit.parameters)?;
    Ok(fit)
}

/// The climb from a given start.
fn from_start(
    likelihood: Likelihood,
    start: &Parameters,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Found> {
    let mut candidates = Candidates::default();
    let reached = polish(likelihood, likelihood, start, settings, monitor)?;
    candidates.add(likelihood.layout, reached, 1);
    Ok(Found {
        candidates,
        scans: Vec::new(),
        rising: Vec::new(),
    })
}

/// The end of a walk towards which the likelihood still rises.
fn rising_end(likelihood: Likelihood, end: &Parameters) -> Result<Judged> {
    let Likelihood { data, layout, .. } = likelihood;
    let statistics = expect(data, layout, end, likelihood.how, likelihood.threads)?;
    let reached = Reached::at(end, statistics.log_likelihood);
    Ok(Judged {
        facts: Facts::unknown(layout.len(), Some(Kind::Boundary)),
        reached,
        hits: 1,
    })
}

/// The answer: the highest maximum, else the highest point that is not known to be something else, else a saddle, else
/// a boundary.
fn choose(likelihood: Likelihood, mut judged: Vec<Judged>) -> Result<Fit> {
    let rank = |one: &Judged| match one.facts.kind {
        Some(Kind::Maximum) => 0,
        None => 1,
        Some(Kind::Saddle) => 2,
        Some(Kind::Boundary) => 3,
    };
    judged.sort_by(|a, b| {
        let heights = (b.reached.log_likelihood, a.reached.log_likelihood);
        rank(a).cmp(&rank(b)).then(heights.0.total_cmp(&heights.1))
    });
    let Some(best) = judged.first() else {
        return Err(Error::Numerical {
            message: "no start of the search led anywhere".into(),
        });
    };
    let height = best.reached.log_likelihood;
    let status = status(likelihood.layout, best);
    let message = message(likelihood.layout, &judged, &status);
    let mut modes: Vec<Mode> = judged.iter().filter_map(Judged::mode).collect();
    modes.retain(|mode| mode.kind != Kind::Boundary || mode.log_likelihood > height - NEGLIGIBLE);
    modes.sort_by(|a, b| b.log_likelihood.total_cmp(&a.log_likelihood));
    let best = judged.swap_remove(0);
    Ok(Fit {
        parameters: best.reached.parameters,
        log_likelihood: height,
        facts: best.facts,
        status,
        message,
        iterations: best.reached.iterations,
        passes: 0,
        trace: best.reached.trace,
        modes,
        scans: Vec::new(),
        simulation_error: 0.0,
    })
}

impl Judged {
    fn mode(&self) -> Option<Mode> {
        self.facts.kind.map(|kind| Mode {
            parameters: self.reached.parameters.clone(),
            log_likelihood: self.reached.log_likelihood,
            kind,
            decrement: self.facts.decrement,
            hits: self.hits,
        })
    }
}

/// How the fit ended.
fn status(layout: &Layout, best: &Judged) -> Status {
    if best.reached.status == Status::Interrupted {
        return Status::Interrupted;
    }
    match best.facts.kind {
        Some(Kind::Maximum) => Status::Converged,
        Some(Kind::Saddle) => Status::Saddle {
            message: "the information is not positive definite, so this is no maximum of the likelihood"
                .into(),
        },
        Some(Kind::Boundary) => {
            let (component, words) = limit(layout, &best.reached.parameters);
            Status::Degenerate {
                component,
                message: format!("the likelihood has no maximum that was found: it rises as {words}"),
            }
        }
        None => match &best.reached.status {
            Status::Converged => Status::Degenerate {
                component: 0,
                message: format!(
                    "the gradient says that the estimates are {:.2e} standard errors from a maximum",
                    best.facts.decrement
                ),
            },
            other => other.clone(),
        },
    }
}

/// What there is to say of the modes beside the answer.
fn message(layout: &Layout, judged: &[Judged], status: &Status) -> String {
    let own = status.message().to_string();
    let Some((best, others)) = judged.split_first() else {
        return own;
    };
    if *status != Status::Converged {
        return own;
    }
    let height = best.reached.log_likelihood;
    let higher = others
        .iter()
        .filter(|one| one.reached.log_likelihood > height + HIGHER);
    let highest = higher.max_by(|a, b| {
        let heights = (a.reached.log_likelihood, b.reached.log_likelihood);
        heights.0.total_cmp(&heights.1)
    });
    let Some(highest) = highest else {
        return own;
    };
    let at = highest.reached.log_likelihood;
    match highest.facts.kind {
        Some(Kind::Boundary) => {
            let (_, words) = limit(layout, &highest.reached.parameters);
            format!("the likelihood is higher, its logarithm up to {at:.4}, as {words}; this is the highest proper maximum")
        }
        _ => format!(
            "another climb had reached a log-likelihood of {at:.4} when it ended without a maximum"
        ),
    }
}

/// The component to blame for a singular correlation matrix, and what happens there in words.
fn limit(layout: &Layout, parameters: &Parameters) -> (usize, String) {
    let omega = &parameters.omega;
    let correlation = |a: usize, b: usize| omega[(a, b)] / (omega[(a, a)] * omega[(b, b)]).sqrt();
    let strongest = layout
        .pairs()
        .max_by(|&(a, b), &(c, d)| correlation(a, b).abs().total_cmp(&correlation(c, d).abs()));
    let j = layout.equations;
    let name = |a: usize| match a < j {
        true => format!("outcome {}", a + 1),
        false => format!("selection {}", a - j + 1),
    };
    match strongest {
        Some((a, b)) if correlation(a, b).abs() > 0.999 => (
            a + 1,
            format!(
                "the correlation of the errors of {} and {} goes to {}",
                name(a),
                name(b),
                correlation(a, b).signum()
            ),
        ),
        _ => (
            0,
            "the correlation matrix of the errors becomes singular".into(),
        ),
    }
}

/// Standard deviation of the log-likelihood over other points of the integration.
fn simulation_error(likelihood: Likelihood, at: &Parameters) -> Result<f64> {
    let Likelihood { data, layout, .. } = likelihood;
    let Integration::Ghk { points, seed } = *likelihood.how else {
        return Ok(0.0);
    };
    let values = (1..=REPETITIONS).map(|k| {
        let seed = seed.wrapping_add(k);
        let other = Integration::Ghk { points, seed };
        Ok(expect(data, layout, at, &other, likelihood.threads)?.log_likelihood)
    });
    let values = values.collect::<Result<Vec<f64>>>()?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Ok((squares / (values.len() - 1) as f64).sqrt())
}
