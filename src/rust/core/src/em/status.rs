//! How a run ended.

use crate::error::Error;

/// How a run ended. Whatever the status, the parameters are valid and belong to the objective reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The estimated distance to the limit is within the tolerance, or within rounding.
    Converged,
    /// `max_iter` updates were not enough.
    IterationLimit,
    /// The next step does not exist; `component` counts from 1, 0 when no single one is to blame.
    Degenerate { component: usize, message: String },
    /// Converged to a point that a family's own test found not to be a maximum.
    Saddle { message: String },
    /// The monitor asked to stop.
    Interrupted,
}

impl Status {
    /// The status of a run that `error` kept from its first E-step.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Interrupted => Status::Interrupted,
            Error::Degenerate { component, message } => Status::Degenerate {
                component: *component,
                message: message.clone(),
            },
            other => Status::Degenerate {
                component: 0,
                message: other.to_string(),
            },
        }
    }

    /// The snake_case word that R shows.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::IterationLimit => "iteration_limit",
            Status::Degenerate { .. } => "degenerate",
            Status::Saddle { .. } => "saddle",
            Status::Interrupted => "interrupted",
        }
    }

    /// What there is to say beyond the name; empty if nothing.
    pub fn message(&self) -> &str {
        match self {
            Status::Degenerate { message, .. } | Status::Saddle { message } => message,
            _ => "",
        }
    }

    /// The component to blame, counted from 1; 0 if none.
    pub fn component(&self) -> usize {
        match self {
            Status::Degenerate { component, .. } => *component,
            _ => 0,
        }
    }
}
