//! Values of the core as R values, and back.

use ember_core::em::{Acceleration, Outcome, Settings, Trace};
use ember_core::Error;
use extendr_api::prelude::*;

/// What every native function returns: its value, or an error that R/native.R turns into a condition.
pub type Result<T> = std::result::Result<T, Failure>;

/// An error of the core on its way to R: list(kind, message, argument, component).
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error)
    }
}

impl From<Failure> for Robj {
    fn from(Failure(error): Failure) -> Self {
        let (argument, component) = match &error {
            Error::Argument { argument, .. } => (*argument, 0),
            Error::Degenerate { component, .. } => ("", *component as i32),
            _ => ("", 0),
        };
        list!(
            kind = error.kind(),
            message = error.to_string(),
            argument = argument,
            component = component
        )
        .into()
    }
}

/// The element of a named list; `None` if it is absent or NULL.
pub fn element(list: &List, name: &str) -> Option<Robj> {
    list.iter()
        .find(|(key, value)| *key == name && !value.is_null())
        .map(|(_, value)| value)
}

/// The settings of a control list made by `em_control()`.
pub fn settings(control: &List) -> Result<Settings> {
    let field = |name: &'static str| {
        element(control, name).ok_or_else(|| bad_control(name, "is missing from the control list"))
    };
    let number = |name: &'static str| {
        field(name)?
            .as_real()
            .ok_or_else(|| bad_control(name, "must be a number"))
    };
    let method = field("accelerate")?;
    let acceleration = match method.as_str() {
        Some("none") => Acceleration::None,
        Some("squarem") => Acceleration::Squarem,
        Some("anderson") => Acceleration::Anderson(number("memory")? as usize),
        _ => {
            let message = r#"must be "squarem", "anderson" or "none""#;
            return Err(bad_control("accelerate", message));
        }
    };
    let settings = Settings {
        tol: number("tol")?,
        max_iter: number("max_iter")? as usize,
        acceleration,
        bounds: true,
    };
    settings.validate()?;
    Ok(settings)
}

fn bad_control(argument: &'static str, message: &str) -> Failure {
    Failure(Error::Argument {
        argument,
        message: message.into(),
    })
}

/// How a run ended, as the named values that every native fit begins with.
pub fn ending<P, S>(outcome: &Outcome<P, S>) -> Vec<(&'static str, Robj)> {
    let (drop_iteration, drop_size) = outcome
        .drop
        .map_or((0, 0.0), |drop| (drop.iteration as i32, drop.size));
    vec![
        ("log_lik", outcome.objective.into()),
        ("iterations", (outcome.iterations as i32).into()),
        ("passes", (outcome.passes as i32).into()),
        ("status", outcome.status.name().into()),
        ("message", outcome.status.message().into()),
        ("component", (outcome.status.component() as i32).into()),
        ("distance", outcome.distance.into()),
        ("rate", outcome.rate.into()),
        ("drop_iteration", drop_iteration.into()),
        ("drop_size", drop_size.into()),
        ("trace", trace(&outcome.trace).into()),
    ]
}

/// The trace as columns.
pub fn trace(trace: &Trace) -> List {
    let column = |value: fn(&ember_core::em::Entry) -> f64| -> Vec<f64> {
        trace.iter().map(value).collect()
    };
    let iterations: Vec<i32> = trace.iter().map(|entry| entry.iteration as i32).collect();
    let steps: Vec<&str> = trace.iter().map(|entry| entry.step.name()).collect();
    list!(
        iteration = iterations,
        log_lik = column(|entry| entry.objective),
        bound = column(|entry| entry.bound),
        step = steps,
        length = column(|entry| entry.step.length())
    )
}
