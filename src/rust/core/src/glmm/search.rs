//! The way down: quasi-Newton steps over (θ, β̃, log shape), variances of zero made zero and left again.
//!
//! θ is unconstrained on the way, as for a linear mixed model: the criterion is even in the columns of Λ.

use nalgebra::DMatrix;

use super::limits::largest_log_shape;
use super::problem::{Criterion, Problem};
use crate::em::{Flow, Progress, Settings, Status, Trace};
use crate::error::{Error, Result};
use crate::mixed::boundary::escape;
use crate::mixed::criterion::Problem as LinearProblem;
use crate::mixed::frame::Frame;
use crate::mixed::scale::Scales;
use crate::optimize::{Minimizer, Objective};

/// Times that a saddle is left before it is reported.
const MAX_ESCAPES: usize = 5;

/// No standard deviation starts below this, in units of where the data begin to see it.
const FIRST_DEVIATION: f64 = 0.1;

/// A standard deviation below this at the end, in the same units, may be zero.
const NEARLY_ZERO: f64 = 1e-3;

/// The criterion may rise by this many ulps where a variance becomes exactly zero.
const SNAP_ULPS: f64 = 64.0;

/// Change of log shape that gives its curvature at the start.
const SHAPE_STEP: f64 = 1e-3;

/// Sizes of the coordinates, from the linear mixed model where the fit starts.
#[derive(Debug, Clone)]
pub(super) struct Space<'a> {
    /// What θ stands for.
    pub linear: LinearProblem<'a>,
    pub scales: Scales,
    frame: Option<Frame>,
    /// Large changes of β̃ and log shape.
    others: Vec<f64>,
    /// Of log shape, the last coordinate.
    largest_log_shape: f64,
}

impl<'a> Space<'a> {
    /// For a criterion of `start.psi.len()` coordinates.
    pub(super) fn new(problem: &Problem, linear: LinearProblem<'a>) -> Self {
        let scales = Scales::of(&linear);
        let frame = Frame::of(&linear, &scales);
        let (thetas, p) = (linear.coordinates(), linear.statistics.fixed_columns());
        let n = linear.statistics.rows() as f64;
        let mut others = vec![1.0; problem.coordinates() - thetas];
        // One residual standard deviation in every row: the columns of the working model have length 1.
        if let Some(back) = linear.statistics.transform().try_inverse() {
            let columns = back * problem.basis().matrix();
            for (unit, column) in others.iter_mut().zip(columns.column_iter()).take(p) {
                *unit = n.sqrt() / column.norm().max(f64::MIN_POSITIVE);
            }
        }
        Space {
            linear,
            scales,
            frame,
            others,
            largest_log_shape: largest_log_shape(problem),
        }
    }

    /// Number of elements of θ.
    pub(super) fn thetas(&self) -> usize {
        self.linear.coordinates()
    }

    /// A large change of each coordinate.
    pub(super) fn units(&self, at: &[f64], units: &mut [f64]) {
        let (theta, others) = units.split_at_mut(self.thetas());
        self.scales.units(&self.linear, &at[..theta.len()], theta);
        others.copy_from_slice(&self.others);
    }
}

/// A criterion with its space: what the minimiser sees.
struct Descent<'a, 'b> {
    criterion: &'a mut dyn Criterion,
    space: &'a Space<'b>,
    /// An approximate Hessian for the first step, used once.
    hessian: Option<DMatrix<f64>>,
}

impl Objective for Descent<'_, '_> {
    fn value(&mut self, at: &[f64]) -> Result<f64> {
        let limit = self.space.largest_log_shape;
        if limit.is_finite() && at.last().is_some_and(|&log_shape| log_shape > limit) {
            return Err(Error::Numerical {
                message: "the shape is too large".into(),
            });
        }
        self.criterion.value(at)
    }

    fn slope(&mut self, at: &[f64], gradient: &mut [f64]) -> Result<()> {
        self.criterion.gradient(at, gradient).map(|_| ())
    }

    fn curvature(&mut self, _: &[f64], hessian: &mut [f64]) -> bool {
        match self.hessian.take() {
            Some(start) => {
                hessian.copy_from_slice(start.as_slice());
                true
            }
            None => false,
        }
    }

    fn units(&self, at: &[f64], units: &mut [f64]) {
        self.space.units(at, units);
    }
}

/// What a search found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub psi: Vec<f64>,
    pub value: f64,
    /// The quasi-Newton approximation of the Hessian.
    pub hessian: DMatrix<f64>,
    pub status: Status,
    pub iterations: usize,
    pub passes: usize,
    pub trace: Trace,
}

/// Minimises from a point with an approximate Hessian.
///
/// # Errors
/// Those of the criterion at the start.
pub(super) fn minimize(
    criterion: &mut dyn Criterion,
    space: &mut Space,
    from: &[f64],
    hessian: DMatrix<f64>,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Found> {
    let mut minimizer = Minimizer::new(from.len());
    let mut found = Found {
        psi: from.to_vec(),
        value: f64::NAN,
        hessian,
        status: Status::Converged,
        iterations: 0,
        passes: 0,
        trace: Trace::new(),
    };
    for _ in 0..=MAX_ESCAPES {
        descend(
            criterion,
            space,
            &mut minimizer,
            settings,
            monitor,
            &mut found,
        )?;
        if found.status != Status::Converged {
            break;
        }
        let lower = escape(
            &space.linear,
            &space.scales,
            &mut |at, gradient| match gradient {
                Some(gradient) => criterion.gradient(at, gradient),
                None => criterion.value(at),
            },
            &found.psi,
            found.value,
        )?;
        let Some(lower) = lower else { break };
        found.psi = lower;
        found.status = Status::Saddle {
            message: "the criterion falls where a variance of zero is switched on".into(),
        };
    }
    let thetas = space.thetas();
    space.linear.structure.rectify(&mut found.psi[..thetas]);
    found.value = criterion.value(&found.psi)?;
    Ok(found)
}

/// One run, and what is nearly zero at its end made zero.
fn descend(
    criterion: &mut dyn Criterion,
    space: &mut Space,
    minimizer: &mut Minimizer,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
    found: &mut Found,
) -> Result<()> {
    let mut start = found.psi.clone();
    if let Some(frame) = &mut space.frame {
        frame.inflate(&found.psi, FIRST_DEVIATION, &mut start);
    }
    let mut descent = Descent {
        criterion,
        space,
        hessian: Some(found.hessian.clone()),
    };
    let reached = minimizer.run(&mut descent, &start, settings, monitor)?;
    found.psi.copy_from_slice(&minimizer.point);
    found.value = minimizer.value;
    found.hessian.copy_from_slice(&minimizer.hessian);
    found.status = reached.status;
    let before = found.iterations;
    let entries = minimizer.trace.iter().skip(usize::from(before > 0));
    found.trace.extend(entries.map(|entry| {
        let mut entry = *entry;
        entry.iteration += before;
        entry
    }));
    found.iterations += reached.iterations;
    found.passes += reached.passes;
    settle(criterion, space, settings, found)
}

/// Makes variances that are nearly zero zero, unless the criterion minds.
fn settle(
    criterion: &mut dyn Criterion,
    space: &mut Space,
    settings: &Settings,
    found: &mut Found,
) -> Result<()> {
    let Some(frame) = &mut space.frame else {
        return Ok(());
    };
    let mut at = found.psi.clone();
    if frame.snap(&found.psi, NEARLY_ZERO, &mut at) {
        let value = match criterion.value(&at) {
            Ok(value) => value,
            Err(error @ (Error::Argument { .. } | Error::Interrupted)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let noise = SNAP_ULPS * f64::EPSILON * (1.0 + value.abs());
        if value <= found.value + noise.max(1e-3 * settings.tol) {
            found.psi = at;
            found.value = value;
        }
    }
    Ok(())
}

/// Fills in the row of log shape of an approximate Hessian, by a difference of gradients.
///
/// # Errors
/// Those of the criterion at the start.
pub(super) fn measure_shape(
    criterion: &mut dyn Criterion,
    at: &[f64],
    hessian: &mut DMatrix<f64>,
) -> Result<()> {
    let (k, last) = (at.len(), at.len() - 1);
    let (mut here, mut there) = (vec![0.0; k], vec![0.0; k]);
    let mut moved = at.to_vec();
    moved[last] += SHAPE_STEP;
    criterion.gradient(&moved, &mut there)?;
    criterion.gradient(at, &mut here)?;
    let curvature = (there[last] - here[last]) / SHAPE_STEP;
    // Far from the minimum it may bend downwards; the slope then says how long a step is safe.
    let safe = curvature.abs().max(0.5 * here[last].abs());
    hessian[(last, last)] = if safe > 0.0 && safe.is_finite() {
        safe
    } else {
        1.0
    };
    Ok(())
}
