//! Profile log-likelihoods: one error parameter held, the others at their maximum.

use super::ascent::{climb, Likelihood, Reached};
use super::coordinates::Coordinates;
use super::data::Data;
use super::fit::Plan;
use super::layout::{Layout, Parameters};
use crate::em::{Flow, Progress, Status};
use crate::error::{Error, Result};

/// An error parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// σ of an outcome (0-based).
    Sigma(usize),
    /// The correlation of two of the 2J errors (0-based).
    Correlation(usize, usize),
}

/// The maximum where the parameter has some value.
#[derive(Debug, Clone)]
pub struct Point {
    pub value: f64,
    pub log_likelihood: f64,
    pub parameters: Parameters,
}

impl Parameter {
    /// The `place`-th (0-based) of the error parameters: σ of every outcome, then the correlations.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `which` when there are not so many.
    pub fn at(layout: &Layout, place: usize) -> Result<Self> {
        let j = layout.equations;
        if place < j {
            return Ok(Parameter::Sigma(place));
        }
        let pair = layout.pairs().nth(place - j);
        let pair = pair.map(|(a, b)| Parameter::Correlation(a, b));
        pair.ok_or_else(|| Error::Argument {
            argument: "which",
            message: format!(
                "must be an error parameter, 1 to {}",
                layout.len() - layout.coefficients()
            ),
        })
    }

    /// Its place among the naturals.
    fn natural(self, layout: &Layout) -> usize {
        match self {
            Parameter::Sigma(equation) => layout.sigma(equation),
            Parameter::Correlation(a, b) => layout.correlation(a, b),
        }
    }

    /// The other parameters free, this one held.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `values` when it cannot have this value.
    fn held(self, layout: &Layout, value: f64) -> Result<Coordinates<'_>> {
        let wrong = |message: &str| Error::Argument {
            argument: "values",
            message: message.into(),
        };
        match self {
            Parameter::Sigma(equation) if value > 0.0 && value.is_finite() => {
                Ok(Coordinates::with_sigma(layout, equation, value))
            }
            Parameter::Correlation(a, b) if value.abs() < 1.0 => {
                Ok(Coordinates::with_correlation(layout, a, b, value))
            }
            Parameter::Sigma(_) => Err(wrong("of a standard deviation must be positive")),
            Parameter::Correlation(..) => Err(wrong("of a correlation must be inside (-1, 1)")),
        }
    }
}

/// The profile of `parameter` at `values`, in their order; climbs begin at the maximum `plan.start` and go on from value
/// to value outwards.
///
/// # Errors
/// [`Error::Argument`] naming `values` or `start`; [`Error::Interrupted`]; those of the E-step.
pub fn profile(
    data: &Data,
    layout: &Layout,
    parameter: Parameter,
    values: &[f64],
    plan: &Plan,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Vec<Point>> {
    plan.settings.validate()?;
    let likelihood = Likelihood::of(data, layout, plan);
    let start = plan.start.ok_or_else(|| Error::Argument {
        argument: "start",
        message: "must be the maximum".into(),
    })?;
    let middle = layout.naturals(start)[parameter.natural(layout)];
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &k| values[i].total_cmp(&values[k]));
    let (below, above): (Vec<usize>, Vec<usize>) =
        order.into_iter().partition(|&k| values[k] < middle);
    let mut points: Vec<Option<Point>> = vec![None; values.len()];
    let sides: [&mut dyn Iterator<Item = usize>; 2] =
        [&mut below.into_iter().rev(), &mut above.into_iter()];
    for side in sides {
        let mut last: Option<Reached> = None;
        for k in side {
            let coordinates = parameter.held(layout, values[k])?;
            let from = last.as_ref().map_or(start, |last| &last.parameters);
            let first = last.as_ref().map(|last| last.information.clone());
            let reached = climb(
                likelihood,
                &coordinates,
                from,
                first,
                plan.settings,
                monitor,
            )?;
            if reached.status == Status::Interrupted {
                return Err(Error::Interrupted);
            }
            points[k] = Some(Point {
                value: values[k],
                log_likelihood: reached.log_likelihood,
                parameters: reached.parameters.clone(),
            });
            last = Some(reached);
        }
    }
    Ok(points.into_iter().flatten().collect())
}
