//! The same model fitted to many responses: bootstraps and simulations.
//!
//! Estimates alone, without what the Hessian says of them. A response depends on nothing but itself, so threads do
//! not change the answer.

use super::fit::{finite, seek, Plan, Sought};
use super::problem::{Parameters, Problem};
use crate::em::{Flow, Status};
use crate::error::{Error, Result};
use crate::mixed::rows::Rows;
use crate::tasks::{self, Stop};

/// Estimates from one response.
#[derive(Debug, Clone, PartialEq)]
pub struct Refit {
    pub parameters: Parameters,
    /// -2 log-likelihood, approximated.
    pub criterion: f64,
    pub status: Status,
}

/// Fits to `responses`, one behind the other; fewer when `monitor(done)` returned `false`.
///
/// # Errors
/// [`Error::Argument`] naming `data` when the responses are not as long as the rows; [`Error::Interrupted`] when
/// stopped before the first was done.
pub fn refit(
    problem: &Problem,
    responses: &[f64],
    plan: &Plan,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Refit>> {
    let n = problem.rows.len();
    if !responses.len().is_multiple_of(n) {
        return Err(Error::Argument {
            argument: "data",
            message: "must give one response for each row of the fit".into(),
        });
    }
    let alone = Plan {
        threads: 1,
        ..plan.clone()
    };
    let task = |k: usize, stop: &Stop| {
        let fitted = fit_one(problem, &responses[k * n..(k + 1) * n], &alone, stop);
        (!stop.is_raised()).then(|| fitted.unwrap_or_else(|error| failed(problem, &error)))
    };
    let done = tasks::run(responses.len() / n, plan.threads, task, monitor);
    let done: Vec<Refit> = done.into_iter().flatten().flatten().collect();
    if done.is_empty() && !responses.is_empty() {
        return Err(Error::Interrupted);
    }
    Ok(done)
}

fn fit_one(problem: &Problem, y: &[f64], plan: &Plan, stop: &Stop) -> Result<Refit> {
    let rows = Rows {
        response: y,
        ..problem.rows.clone()
    };
    let problem = Problem::new(&rows, problem.family, problem.structure, problem.shape)?;
    let mut sought = Sought {
        problem: &problem,
        settings: plan.settings,
        monitor: &mut |_| match stop.is_raised() {
            true => Flow::Stop,
            false => Flow::Continue,
        },
    };
    seek(
        &problem,
        plan,
        &mut sought,
        |sought, _, _, found, separation| {
            let problem = sought.problem;
            Ok(Refit {
                parameters: problem.parameters(&found.psi),
                criterion: found.value,
                status: finite(problem, &found, separation.as_ref()),
            })
        },
    )
}

/// A response without estimates.
fn failed(problem: &Problem, error: &Error) -> Refit {
    Refit {
        parameters: Parameters {
            theta: vec![f64::NAN; problem.structure.parameters()],
            beta: vec![f64::NAN; problem.fixed_columns()],
            shape: problem.family.has_shape().then_some(f64::NAN),
        },
        criterion: f64::NAN,
        status: Status::of(error),
    }
}
