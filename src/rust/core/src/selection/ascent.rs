//! Quasi-Newton climbs over the unconstrained coordinates.

use nalgebra::DMatrix;

use super::coordinates::Coordinates;
use super::data::Data;
use super::fit::Plan;
use super::information::{information, Passes};
use super::layout::{Layout, Parameters};
use super::score::{evaluate, outer_products, Evaluation};
use crate::em::{Entry, Flow, Progress, Settings, Status, Step, Trace};
use crate::error::Result;
use crate::normal::orthant::Integration;
use crate::optimize::{Minimizer, Objective};

/// Share of its diagonal that is added to the outer products of the scores: a direction without information stays
/// one in which steps are bounded.
const RIDGE: f64 = 1e-8;

/// What is climbed.
#[derive(Clone, Copy)]
pub(super) struct Likelihood<'a> {
    pub data: &'a Data<'a>,
    pub layout: &'a Layout,
    pub how: &'a Integration,
    pub threads: usize,
}

impl<'a> Likelihood<'a> {
    /// What a fit of `data` climbs.
    pub(super) fn of(data: &'a Data<'a>, layout: &'a Layout, plan: &Plan<'a>) -> Self {
        Likelihood {
            data,
            layout,
            how: plan.how,
            threads: plan.threads,
        }
    }

    /// The same of other rows.
    pub(super) fn on(self, data: &'a Data<'a>) -> Self {
        Likelihood { data, ..self }
    }

    /// Value and score at `w`.
    pub(super) fn evaluate(self, coordinates: &Coordinates, w: &[f64]) -> Result<Evaluation> {
        evaluate(self.data, coordinates, w, self.how, self.threads)
    }

    /// Its observed information in the naturals.
    pub(super) fn information(
        self,
        at: &Parameters,
        monitor: &mut dyn FnMut() -> Flow,
    ) -> Result<DMatrix<f64>> {
        let passes = Passes {
            how: *self.how,
            threads: self.threads,
        };
        information(self.data, self.layout, at, &passes, monitor)
    }
}

/// Where a climb ended.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub parameters: Parameters,
    pub log_likelihood: f64,
    /// The quasi-Newton approximation of the information in the free coordinates.
    pub information: DMatrix<f64>,
    pub status: Status,
    pub iterations: usize,
    pub passes: usize,
    pub trace: Trace,
}

impl Reached {
    /// A point that no climb led to.
    pub(super) fn at(parameters: &Parameters, log_likelihood: f64) -> Self {
        Reached {
            parameters: parameters.clone(),
            log_likelihood,
            information: DMatrix::zeros(0, 0),
            status: Status::Converged,
            iterations: 0,
            passes: 1,
            trace: Trace::new(),
        }
    }

    /// Puts the trace of what came before in front.
    pub(super) fn come_from(&mut self, before: Trace, iterations: usize, passes: usize) {
        let after = std::mem::replace(&mut self.trace, before);
        let entries = after.into_iter().skip(1);
        self.trace.extend(entries.map(|entry| Entry {
            iteration: entry.iteration + iterations,
            ..entry
        }));
        self.iterations += iterations;
        self.passes += passes;
    }

    /// Appends a Newton step of this length in standard errors.
    pub(super) fn step_to(&mut self, to: &Evaluation, length: f64) {
        self.parameters = to.parameters.clone();
        self.log_likelihood = to.log_likelihood;
        self.iterations += 1;
        self.trace.push(Entry {
            iteration: self.iterations,
            objective: to.log_likelihood,
            bound: f64::NAN,
            step: Step::Newton(length),
        });
    }
}

/// The likelihood as the minimiser sees it: −2 log L.
struct Descent<'a> {
    likelihood: Likelihood<'a>,
    coordinates: &'a Coordinates<'a>,
    /// An approximate information for the first step.
    first: Option<DMatrix<f64>>,
    last: Option<Evaluation>,
}

impl Objective for Descent<'_> {
    fn value(&mut self, at: &[f64]) -> Result<f64> {
        let evaluation = self.likelihood.evaluate(self.coordinates, at)?;
        let value = -2.0 * evaluation.log_likelihood;
        self.last = Some(evaluation);
        Ok(value)
    }

    fn slope(&mut self, _: &[f64], gradient: &mut [f64]) -> Result<()> {
        if let Some(last) = &self.last {
            let scores = last.score.iter();
            gradient
                .iter_mut()
                .zip(scores)
                .for_each(|(g, s)| *g = -2.0 * s);
        }
        Ok(())
    }

    fn curvature(&mut self, _: &[f64], hessian: &mut [f64]) -> bool {
        let first = self.first.take();
        if let Some(information) = &first {
            let entries = information.iter();
            hessian
                .iter_mut()
                .zip(entries)
                .for_each(|(h, i)| *h = 2.0 * i);
        }
        first.is_some()
    }

    fn units(&self, at: &[f64], units: &mut [f64]) {
        units.copy_from_slice(&self.coordinates.units(at));
    }
}

/// Climbs from `start`; `information`, in the free coordinates, gives the first step, else the outer products of the
/// scores.
///
/// # Errors
/// Those of the E-step at the start.
pub(super) fn climb(
    likelihood: Likelihood,
    coordinates: &Coordinates,
    start: &Parameters,
    information: Option<DMatrix<f64>>,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Reached> {
    let Likelihood { data, layout, .. } = likelihood;
    let w = coordinates.locate(start)?;
    let measured = information.is_none();
    let mut first = match information {
        Some(information) => information,
        None => {
            let products = outer_products(
                data,
                layout,
                &coordinates.parameters(&w)?,
                likelihood.how,
                likelihood.threads,
            )?;
            let jacobian = coordinates.jacobian(&w);
            jacobian.tr_mul(&(products * &jacobian))
        }
    };
    for i in 0..first.nrows() {
        first[(i, i)] *= 1.0 + RIDGE;
    }
    let mut descent = Descent {
        likelihood,
        coordinates,
        first: Some(first),
        last: None,
    };
    let mut minimizer = Minimizer::new(w.len());
    let reached = minimizer.run(&mut descent, &w, settings, monitor)?;
    Ok(Reached {
        parameters: coordinates.parameters(&minimizer.point)?,
        log_likelihood: -0.5 * minimizer.value,
        information: DMatrix::from_column_slice(w.len(), w.len(), &minimizer.hessian) * 0.5,
        status: reached.status,
        iterations: reached.iterations,
        passes: reached.passes + usize::from(measured),
        trace: minimizer.trace,
    })
}
