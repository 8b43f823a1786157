//! A user's own model: its steps are R functions.

use std::cell::Cell;

use ember_core::em::{run, Model};
use ember_core::Error;
use extendr_api::prelude::*;

use crate::convert::{element, ending, settings, Result};
use crate::monitor::Monitor;

/// Steps as R functions that raise no condition (see `guard()` in R/em-closures.R).
///
/// Each returns list(word, value) with word "value", "error" (the value is its message) or "interrupt".
struct Closures {
    expect: Function,
    maximize: Function,
    complete: Option<Function>,
    flatten: Function,
    unflatten: Function,
    has_log_lik: bool,
    /// An interrupt may fall into a step that cannot report it; the next one that can does.
    interrupted: Cell<bool>,
}

/// What `expect` returned: list(hidden, log-likelihood or NULL).
struct Expected {
    value: Robj,
    log_lik: f64,
}

impl Closures {
    fn new(closures: &List) -> Option<Self> {
        let function = |name| element(closures, name).and_then(|value| value.as_function());
        Some(Closures {
            expect: function("expect")?,
            maximize: function("maximize")?,
            complete: function("complete"),
            flatten: function("flatten")?,
            unflatten: function("unflatten")?,
            has_log_lik: element(closures, "has_log_lik")?.as_bool()?,
            interrupted: Cell::new(false),
        })
    }
}

/// Calls a guarded R function.
pub fn call(function: &Function, arguments: Pairlist) -> ember_core::Result<Robj> {
    // A guarded function returns unless it is jumped out of, which only an interrupt does.
    let answer = function.call(arguments).ok();
    let parts = answer.as_ref().and_then(|answer| answer.as_list());
    let (word, value) = match parts.as_ref().map(|parts| parts.as_slice()) {
        Some([word, value]) => (word.as_str().unwrap_or("interrupt"), value.clone()),
        _ => ("interrupt", ().into()),
    };
    match word {
        "value" => Ok(value),
        "interrupt" => Err(Error::Interrupted),
        _ => Err(Error::Callback {
            message: value.as_str().unwrap_or("a step failed").into(),
        }),
    }
}

impl Closures {
    /// Calls a step; after an interrupt no other is begun.
    fn call(&self, function: &Function, arguments: Pairlist) -> ember_core::Result<Robj> {
        if self.interrupted.get() {
            return Err(Error::Interrupted);
        }
        let answer = call(function, arguments);
        if matches!(answer, Err(Error::Interrupted)) {
            self.interrupted.set(true);
        }
        answer
    }
}

impl Model for Closures {
    type Params = Robj;
    type Stats = Expected;

    fn expect(&mut self, params: &Robj) -> ember_core::Result<Expected> {
        let value = self.call(&self.expect, pairlist!(params.clone()))?;
        let log_lik = value
            .as_list()
            .and_then(|parts| parts.elt(1).ok()?.as_real());
        Ok(Expected {
            value,
            log_lik: log_lik.unwrap_or(f64::NAN),
        })
    }

    fn maximize(&mut self, stats: &Expected, previous: &Robj) -> ember_core::Result<Robj> {
        self.call(
            &self.maximize,
            pairlist!(stats.value.clone(), previous.clone()),
        )
    }

    fn objective(&self, stats: &Expected) -> f64 {
        stats.log_lik
    }

    fn has_objective(&self) -> bool {
        self.has_log_lik
    }

    fn complete_objective(&self, stats: &Expected, params: &Robj) -> Option<f64> {
        let complete = self.complete.as_ref()?;
        self.call(complete, pairlist!(stats.value.clone(), params.clone()))
            .ok()?
            .as_real()
    }

    fn flatten(&self, params: &Robj) -> Option<Vec<f64>> {
        self.call(&self.flatten, pairlist!(params.clone()))
            .ok()?
            .as_real_vector()
    }

    fn unflatten(&self, coordinates: &[f64], like: &Robj) -> Option<Robj> {
        self.call(&self.unflatten, pairlist!(coordinates, like.clone()))
            .ok()
    }
}

/// Runs EM on R closures.
/// @noRd
#[extendr]
fn em_run(start: Robj, closures: List, control: List) -> Result<List> {
    let settings = settings(&control)?;
    let mut model = Closures::new(&closures).ok_or(Error::Argument {
        argument: "closures",
        message: "lack a step".into(),
    })?;
    let mut monitor = Monitor::new(&control);
    let outcome = run(&mut model, start, &settings, &mut |progress| {
        monitor.flow(progress)
    })?;
    let mut values = ending(&outcome);
    values.push(("params", outcome.params));
    values.push(("expected", outcome.stats.value));
    Ok(List::from_pairs(values))
}

extendr_module! {
    mod em;
    fn em_run;
}
