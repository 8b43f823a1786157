//! The loop.

use super::accelerate::{Accelerator, Proposal};
use super::convergence::{noise, Convergence};
use super::history::History;
use super::settings::Settings;
use super::status::Status;
use super::trace::{Entry, Step, Trace};
use super::Model;
use crate::error::{Error, Result};

/// Where a run is, shown to the monitor after every E-step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Updates of the parameters so far.
    pub iteration: usize,
    /// E-steps so far.
    pub passes: usize,
    /// Objective at the current parameters; NaN for a model that has none.
    pub objective: f64,
    /// Estimated distance to the limit at the last EM step; NaN while unknown.
    pub distance: f64,
}

/// What the monitor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// End with [`Status::Interrupted`] and the parameters reached.
    Stop,
}

/// A plain EM step that lowered the objective beyond rounding: an E-step or M-step is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drop {
    pub iteration: usize,
    pub size: f64,
}

/// What a run leaves. Objective and statistics are those at `params`.
#[derive(Debug, Clone)]
pub struct Outcome<P, S> {
    pub params: P,
    pub stats: S,
    /// Objective at `params`; NaN for a model that has none.
    pub objective: f64,
    /// Updates of the parameters.
    pub iterations: usize,
    /// E-steps, the one at the start and those at refused extrapolations included.
    pub passes: usize,
    pub status: Status,
    /// Estimated distance to the limit at the last step; NaN when unknown.
    pub distance: f64,
    /// Estimated rate of linear convergence of plain EM; NaN when unknown.
    pub rate: f64,
    /// The largest drop of the objective in a plain EM step; `None` if the ascent was monotone.
    pub drop: Option<Drop>,
    pub trace: Trace,
}

impl<P, S> Outcome<P, S> {
    /// No plain EM step lowered the objective beyond rounding.
    pub fn monotone(&self) -> bool {
        self.drop.is_none()
    }
}

/// Iterates from `start` until the objective is within `settings.tol` of its estimated limit.
///
/// One E-step is made per evaluation of the EM map; it gives the objective at its parameters as well. A step
/// that cannot be made (a component collapses, the objective stops being finite) ends the run with
/// [`Status::Degenerate`] and the last valid parameters. `monitor` sees every E-step and can end the run; it
/// cannot change the answer.
///
/// # Errors
/// Invalid settings; whatever the E-step at `start` returns; [`Error::Numerical`] when the objective at
/// `start` is not finite; [`Error::Argument`] and [`Error::Callback`] of any later step.
pub fn run<M: Model>(
    model: &mut M,
    start: M::Params,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Outcome<M::Params, M::Stats>> {
    settings.validate()?;
    let mut run = Run::new(model, start, settings, monitor)?;
    let status = run.iterate()?;
    Ok(run.finish(status))
}

/// Parameters with their E-step.
struct Point<M: Model> {
    params: M::Params,
    stats: M::Stats,
    objective: f64,
}

struct Run<'a, M: Model> {
    model: &'a mut M,
    settings: &'a Settings,
    monitor: &'a mut dyn FnMut(&Progress) -> Flow,
    here: Point<M>,
    last: Step,
    gain: f64,
    passes: usize,
    stop: bool,
    /// Coordinates of the newest image under the EM map.
    coordinates: Option<Vec<f64>>,
    history: History,
    accelerator: Accelerator,
    convergence: Convergence,
    drop: Option<Drop>,
    trace: Trace,
}

impl<'a, M: Model> Run<'a, M> {
    fn new(
        model: &'a mut M,
        start: M::Params,
        settings: &'a Settings,
        monitor: &'a mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Self> {
        let here = evaluate(model, start)?;
        if model.has_objective() && !here.objective.is_finite() {
            return Err(Error::Numerical {
                message: format!(
                    "The log-likelihood at the starting values is {}.",
                    spell(here.objective)
                ),
            });
        }
        let accelerator = Accelerator::new(settings.acceleration);
        let trace = vec![Entry {
            iteration: 0,
            objective: here.objective,
            bound: f64::NAN,
            step: Step::Start,
        }];
        let mut run = Run {
            history: History::new(accelerator.memory()),
            convergence: Convergence::new(here.objective),
            model,
            settings,
            monitor,
            here,
            last: Step::Start,
            gain: f64::NAN,
            passes: 1,
            stop: false,
            coordinates: None,
            accelerator,
            drop: None,
            trace,
        };
        run.report();
        Ok(run)
    }

    fn iterate(&mut self) -> Result<Status> {
        loop {
            if self.stop {
                return Ok(Status::Interrupted);
            }
            let image = match self.model.maximize(&self.here.stats, &self.here.params) {
                Ok(image) => image,
                Err(error) => return ending(error),
            };
            if self.converged(&image) {
                return Ok(Status::Converged);
            }
            if self.iterations() >= self.settings.max_iter {
                return Ok(Status::IterationLimit);
            }
            if self.extrapolate()? || self.stop {
                continue;
            }
            self.passes += 1;
            let next = match evaluate(self.model, image) {
                Ok(next) => next,
                Err(error) => return ending(error),
            };
            if self.model.has_objective() && !next.objective.is_finite() {
                return Ok(Status::Degenerate {
                    component: 0,
                    message: format!("the log-likelihood became {}", spell(next.objective)),
                });
            }
            self.advance(next, Step::Em);
            self.report();
        }
    }

    /// Records the map at the current point and asks whether it is the limit.
    fn converged(&mut self, image: &M::Params) -> bool {
        let point = match self.last {
            // The last image is the current point.
            Step::Em => self.coordinates.take(),
            _ => self.model.flatten(&self.here.params),
        };
        self.coordinates = self.model.flatten(image);
        self.history.record(point, self.coordinates.clone());
        if self.last != Step::Start {
            let gain = self.model.has_objective().then_some(self.gain);
            self.convergence
                .observe(self.last, gain, self.here.objective, &self.history);
        }
        self.convergence.reached(self.settings.tol, &self.history)
    }

    /// Tries an extrapolation; true if it became the current point.
    fn extrapolate(&mut self) -> Result<bool> {
        if !self.model.has_objective() {
            return Ok(false); // nothing could confirm that the point is better
        }
        let Some(Proposal { coordinates, step }) =
            self.accelerator
                .propose(&self.history, self.last, self.gain, self.settings.tol)
        else {
            return Ok(false);
        };
        let finite = coordinates.iter().all(|coordinate| coordinate.is_finite());
        let params = finite.then(|| self.model.unflatten(&coordinates, &self.here.params));
        let Some(params) = params.flatten() else {
            self.accelerator.rejected(step);
            return Ok(false);
        };
        self.passes += 1;
        let kept = match evaluate(self.model, params) {
            // An infinite objective is a singularity, not a maximum.
            Ok(next) if next.objective.is_finite() && next.objective >= self.here.objective => {
                self.advance(next, step);
                self.accelerator.accepted(step);
                true
            }
            Err(Error::Interrupted) => {
                self.stop = true;
                false
            }
            Ok(_) | Err(_) => {
                self.accelerator.rejected(step);
                false
            }
        };
        self.report();
        Ok(kept)
    }

    /// Makes `next` the current point.
    fn advance(&mut self, next: Point<M>, step: Step) {
        let here = &self.here;
        let q = |params| self.model.complete_objective(&here.stats, params);
        let gain = self
            .settings
            .bounds
            .then(|| Some(q(&next.params)? - q(&here.params)?));
        let bound = gain
            .flatten()
            .map_or(f64::NAN, |gain| here.objective + gain);
        self.gain = next.objective - here.objective;
        let iteration = self.iterations() + 1;
        let lost = -self.gain;
        if step == Step::Em && lost > noise(here.objective) {
            let largest = self.drop.map_or(0.0, |drop| drop.size);
            if lost > largest {
                self.drop = Some(Drop {
                    iteration,
                    size: lost,
                });
            }
        }
        self.trace.push(Entry {
            iteration,
            objective: next.objective,
            bound,
            step,
        });
        self.here = next;
        self.last = step;
    }

    fn iterations(&self) -> usize {
        self.trace.len() - 1
    }

    fn report(&mut self) {
        let progress = Progress {
            iteration: self.iterations(),
            passes: self.passes,
            objective: self.here.objective,
            distance: self.convergence.distance(),
        };
        self.stop |= (self.monitor)(&progress) == Flow::Stop;
    }

    fn finish(self, status: Status) -> Outcome<M::Params, M::Stats> {
        Outcome {
            iterations: self.iterations(),
            params: self.here.params,
            stats: self.here.stats,
            objective: self.here.objective,
            passes: self.passes,
            status,
            distance: self.convergence.distance(),
            rate: self.convergence.rate(),
            drop: self.drop,
            trace: self.trace,
        }
    }
}

fn evaluate<M: Model>(model: &mut M, params: M::Params) -> Result<Point<M>> {
    let stats = model.expect(&params)?;
    let objective = if model.has_objective() {
        model.objective(&stats)
    } else {
        f64::NAN
    };
    Ok(Point {
        params,
        stats,
        objective,
    })
}

/// A number that is not finite, as R spells it.
fn spell(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => "NaN",
    }
}

/// The status that an error in a step after the start stands for; misuse and callbacks stay errors.
fn ending(error: Error) -> Result<Status> {
    match error {
        Error::Degenerate { component, message } => Ok(Status::Degenerate { component, message }),
        Error::Interrupted => Ok(Status::Interrupted),
        Error::NotPositiveDefinite { .. } | Error::Numerical { .. } => Ok(Status::Degenerate {
            component: 0,
            message: error.to_string(),
        }),
        Error::Argument { .. } | Error::Callback { .. } => Err(error),
    }
}
