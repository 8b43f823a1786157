//! A fit of a linear mixed model: from a problem to estimates with the facts about them.

use nalgebra::{DMatrix, DVector};

use super::average_information::{Likelihood, Space};
use super::boundary::escape;
use super::converged::{verdict, Verdict};
use super::criterion::Problem;
use super::em::MixedModel;
use super::factor::Factor;
use super::start::moments;
use crate::em::{Flow, Progress, Settings, Status, Trace};
use crate::error::{Error, Result};
use crate::optimize::Minimizer;

/// Times that a saddle is left before it is reported.
const MAX_ESCAPES: usize = 5;

/// No standard deviation starts below this, in units of where the data begin to see it: at zero the gradient is
/// zero too.
const FIRST_DEVIATION: f64 = 0.1;

/// A standard deviation below this at the end, in the same units, may be zero.
const NEARLY_ZERO: f64 = 1e-3;

/// The criterion may rise by this many ulps where a variance becomes exactly zero.
const SNAP_ULPS: f64 = 64.0;

/// The way to the optimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Minimise the criterion, with β and σ profiled out.
    Profile,
    /// EM.
    Em,
    /// Parameter-expanded EM.
    PxEm,
}

impl Method {
    /// The method that R calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "profile" => Some(Method::Profile),
            "em" => Some(Method::Em),
            "px-em" => Some(Method::PxEm),
            _ => None,
        }
    }
}

/// Estimates and what is known about them.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The minimum in coordinates of the problem.
    pub coordinates: Vec<f64>,
    /// Every element of θ.
    pub theta: Vec<f64>,
    /// β of the columns kept.
    pub beta: DVector<f64>,
    /// σ.
    pub sigma: f64,
    /// Ratios of residual standard deviations to that of group 1.
    pub dispersion: Vec<f64>,
    /// -2 log-likelihood or the REML criterion.
    pub criterion: f64,
    /// log |ΛᵀZᵀWZΛ + I|.
    pub log_det_random: f64,
    /// log |R_X|².
    pub log_det_fixed: f64,
    /// Penalised residual sum of squares.
    pub penalized_rss: f64,
    /// Spherical random effects, q × levels for each core term.
    pub spherical: Vec<DMatrix<f64>>,
    /// Covariance of β / σ².
    pub coefficient_covariance: DMatrix<f64>,
    /// Gradient, Hessian and what is singular.
    pub verdict: Verdict,
    /// How it ended.
    pub status: Status,
    /// Updates of the parameters.
    pub iterations: usize,
    /// Evaluations of the criterion.
    pub passes: usize,
    /// One entry for each update.
    pub trace: Trace,
}

/// What a search for the minimum found.
#[derive(Debug, Clone)]
pub struct Found {
    pub coordinates: Vec<f64>,
    pub criterion: f64,
    pub status: Status,
    pub iterations: usize,
    pub passes: usize,
}

/// The buffers of searches in problems of one design; a bootstrap keeps them between replicates.
#[derive(Debug, Clone)]
pub struct Search {
    /// The factor at the last point.
    pub factor: Factor,
    minimizer: Minimizer,
    buffer: Vec<f64>,
    space: Space,
}

impl Search {
    /// # Errors
    /// As [`Factor::new`].
    pub fn new(problem: &Problem) -> Result<Self> {
        Ok(Search {
            factor: Factor::new(problem.statistics, problem.structure)?,
            minimizer: Minimizer::new(problem.coordinates()),
            buffer: vec![0.0; problem.coordinates()],
            space: Space::of(problem),
        })
    }

    /// Minimises from `start` (coordinates of the problem); `factor` is left at the minimum.
    ///
    /// # Errors
    /// As [`Problem::criterion`] at the start.
    pub fn minimize(
        &mut self,
        problem: &Problem,
        start: &[f64],
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Found> {
        let mut found = Found {
            coordinates: start.to_vec(),
            criterion: f64::NAN,
            status: Status::Converged,
            iterations: 0,
            passes: 0,
        };
        for _ in 0..=MAX_ESCAPES {
            self.descend(problem, settings, monitor, &mut found)?;
            if found.status != Status::Converged {
                break;
            }
            let factor = &mut self.factor;
            let lower = escape(
                problem,
                &self.space.scales,
                &mut |at, gradient| match gradient {
                    Some(gradient) => problem.gradient(factor, at, gradient),
                    None => problem.criterion(factor, at),
                },
                &found.coordinates,
                found.criterion,
            )?;
            let Some(lower) = lower else { break };
            found.coordinates = lower;
            found.status = Status::Saddle {
                message: "the criterion falls where a variance of zero is switched on".into(),
            };
        }
        problem.rectify(&mut found.coordinates);
        found.criterion = problem.criterion(&mut self.factor, &found.coordinates)?;
        Ok(found)
    }

    /// One run, and what is nearly zero at its end made zero.
    fn descend(
        &mut self,
        problem: &Problem,
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
        found: &mut Found,
    ) -> Result<()> {
        let minimizer = &mut self.minimizer;
        if let Some(frame) = &mut self.space.frame {
            frame.inflate(&found.coordinates, FIRST_DEVIATION, &mut self.buffer);
            found.coordinates.copy_from_slice(&self.buffer);
        }
        let mut likelihood = Likelihood::new(problem, &mut self.factor, &mut self.space);
        let reached = minimizer.run(&mut likelihood, &found.coordinates, settings, monitor)?;
        found.coordinates.copy_from_slice(&minimizer.point);
        found.criterion = minimizer.value;
        found.status = reached.status;
        found.iterations += reached.iterations;
        found.passes += reached.passes;
        self.settle(problem, settings, found)
    }

    /// Makes variances that are nearly zero zero, unless the criterion minds.
    fn settle(&mut self, problem: &Problem, settings: &Settings, found: &mut Found) -> Result<()> {
        let Some(frame) = &mut self.space.frame else {
            return Ok(());
        };
        if frame.snap(&found.coordinates, NEARLY_ZERO, &mut self.buffer) {
            let value = problem.criterion(&mut self.factor, &self.buffer)?;
            let noise = SNAP_ULPS * f64::EPSILON * (1.0 + value.abs());
            if value <= found.criterion + noise.max(1e-3 * settings.tol) {
                found.coordinates.copy_from_slice(&self.buffer);
                found.criterion = value;
            }
        }
        Ok(())
    }
}

/// Fits from `start` (every element of θ; by default a start of the method's own).
///
/// # Errors
/// [`Error::Argument`] naming `start`; whatever the criterion returns at the start.
pub fn fit(
    problem: &Problem,
    method: Method,
    start: Option<&[f64]>,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Fit> {
    settings.validate()?;
    let mut search = Search::new(problem)?;
    let guess = match (method, start) {
        (Method::Profile, None) => moments(problem, &search.space.scales),
        _ => None,
    };
    let start = starting_point(problem, start.or(guess.as_deref()))?;
    if method == Method::Profile {
        let found = search.minimize(problem, &start, settings, monitor)?;
        let Search {
            mut factor,
            minimizer,
            ..
        } = search;
        return describe(problem, &mut factor, found, minimizer.trace, settings);
    }
    let mut model = MixedModel::new(problem, method == Method::PxEm)?;
    let outcome = model.run(&start, settings, monitor)?;
    let mut coordinates = model.coordinates(&outcome.params);
    problem.rectify(&mut coordinates);
    let mut found = Found {
        criterion: problem.criterion(&mut search.factor, &coordinates)?,
        coordinates,
        status: outcome.status,
        iterations: outcome.iterations,
        passes: outcome.passes,
    };
    if found.status == Status::Converged {
        // EM halts on the way to a variance of zero.
        search.settle(problem, settings, &mut found)?;
    }
    describe(problem, &mut search.factor, found, outcome.trace, settings)
}

/// The coordinates where iterations begin.
fn starting_point(problem: &Problem, theta: Option<&[f64]>) -> Result<Vec<f64>> {
    let start = problem.start();
    let Some(theta) = theta else {
        return Ok(start);
    };
    if theta.len() != problem.structure.parameters() || theta.iter().any(|t| !t.is_finite()) {
        return Err(Error::Argument {
            argument: "start",
            message: format!(
                "must hold {} finite numbers, one for each variance parameter",
                problem.structure.parameters()
            ),
        });
    }
    let mut parameters = problem.parameters(&start);
    parameters.theta.copy_from_slice(theta);
    Ok(problem.locate(&parameters))
}

/// The estimates at what was found.
fn describe(
    problem: &Problem,
    factor: &mut Factor,
    found: Found,
    trace: Trace,
    settings: &Settings,
) -> Result<Fit> {
    let verdict = verdict(problem, factor, &found.coordinates)?;
    let parameters = problem.parameters(&found.coordinates);
    Ok(Fit {
        beta: factor.coefficients(),
        sigma: problem.sigma(factor, &found.coordinates),
        theta: parameters.theta,
        dispersion: parameters.dispersion,
        criterion: found.criterion,
        log_det_random: factor.log_det_random(),
        log_det_fixed: factor.log_det_fixed(),
        penalized_rss: factor.penalized_rss(),
        spherical: factor.spherical_effects(),
        coefficient_covariance: factor.coefficient_covariance(),
        status: verdict.judge(found.status, settings.tol),
        verdict,
        coordinates: found.coordinates,
        iterations: found.iterations,
        passes: found.passes,
        trace,
    })
}
