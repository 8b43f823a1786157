//! Minimises a smooth function of a few coordinates: Newton steps in a trust region.
//!
//! The Hessian is the objective's own approximation where it has one (see `mixed::average_information`), else
//! it is built up by BFGS. Iterations end on the decrease still to be expected, gᵀB⁻¹g/2, and on the step that
//! would bring it: the criterion is flat to second order at its minimum, so both must be small for the
//! coordinates to be accurate too.

use super::trust_region::{dot, norm, Ball};
use crate::em::{Entry, Flow, Progress, Settings, Status, Step, Trace};
use crate::error::{Error, Result};

/// Longest Newton step, in units of the coordinates, that need not be taken.
const SHORT: f64 = 2e-6;

/// A decrease below this part of the tolerance ends the iterations however long its step.
const MARGIN: f64 = 1e-3;

/// Successive steps that shrink by this factor or better leave no doubt about the next.
const SURE_RATE: f64 = 0.5;

/// Steps too short to show in the value after which the tolerance of the value alone decides.
const IDLE: usize = 2;

/// Changes of the value up to this many ulps may be rounding.
const NOISE_ULPS: f64 = 64.0;

/// Radius of the first trust region, in units of the coordinates.
const FIRST_RADIUS: f64 = 1.0;

/// Successive rejected steps after which no progress is possible.
const MAX_REJECTED: usize = 30;

/// A function to minimise. Derivatives are by the coordinates of steps, which may differ from point to point.
pub(crate) trait Objective {
    /// Value at a point.
    fn value(&mut self, at: &[f64]) -> Result<f64>;

    /// Gradient at the point of the last [`Objective::value`], where steps begin from now on.
    fn slope(&mut self, at: &[f64], gradient: &mut [f64]) -> Result<()>;

    /// An approximate Hessian at the point of the last [`Objective::slope`]; false if there is none (any more: BFGS
    /// goes on from the last).
    fn curvature(&mut self, gradient: &[f64], hessian: &mut [f64]) -> bool;

    /// The size of a large change of each coordinate of a step.
    fn units(&self, at: &[f64], units: &mut [f64]);

    /// The point that a step leads to: the sum, if the coordinates of steps are those of points.
    fn retract(&mut self, at: &[f64], step: &[f64], to: &mut [f64]) {
        for ((to, at), step) in to.iter_mut().zip(at).zip(step) {
            *to = at + step;
        }
    }
}

/// How a run ended; the point is in the minimiser.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    pub status: Status,
    /// Evaluations of the value.
    pub passes: usize,
    /// Steps taken.
    pub iterations: usize,
    /// Decrease still expected at the last gradient, gᵀB⁻¹g/2.
    pub distance: f64,
}

/// The minimiser: a point, what is known there, and buffers.
#[derive(Debug, Clone)]
pub(crate) struct Minimizer {
    k: usize,
    pub point: Vec<f64>,
    pub value: f64,
    pub trace: Trace,
    pub hessian: Vec<f64>,
    gradient: Vec<f64>,
    trial: Vec<f64>,
    last_gradient: Vec<f64>,
    step: Vec<f64>,
    units: Vec<f64>,
    scaled_hessian: Vec<f64>,
    scaled_gradient: Vec<f64>,
    scaled_step: Vec<f64>,
    ball: Ball,
}

/// A step and what the quadratic says about it.
struct Proposal {
    /// Decrease of the quadratic.
    promised: f64,
    /// Length in units of the coordinates.
    length: f64,
    /// Whether it ends at the minimum of the quadratic, not at the edge of the ball.
    free: bool,
}

impl Minimizer {
    pub(crate) fn new(k: usize) -> Self {
        let vector = || vec![0.0; k];
        Minimizer {
            k,
            point: vector(),
            value: f64::NAN,
            trace: Vec::with_capacity(16),
            gradient: vector(),
            hessian: vec![0.0; k * k],
            trial: vector(),
            last_gradient: vector(),
            step: vector(),
            units: vector(),
            scaled_hessian: vec![0.0; k * k],
            scaled_gradient: vector(),
            scaled_step: vector(),
            ball: Ball::new(k),
        }
    }

    /// Minimises from `start`; the objective is left at the point reached, or at a trial after it.
    ///
    /// # Errors
    /// Whatever the objective returns at `start`, and [`Error::Numerical`] when it is not finite there.
    pub(crate) fn run(
        &mut self,
        objective: &mut dyn Objective,
        start: &[f64],
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Reached> {
        self.begin(objective, start)?;
        let mut run = Reached {
            status: Status::IterationLimit,
            passes: 1,
            iterations: 0,
            distance: f64::NAN,
        };
        let mut newton = self.first_hessian(objective);
        let (mut radius, mut previous) = (FIRST_RADIUS, f64::INFINITY);
        let (mut rejected, mut idle) = (0, 0);
        loop {
            self.scale(objective);
            run.distance = self.distance();
            let progress = Progress {
                iteration: run.iterations,
                passes: run.passes,
                objective: -0.5 * self.value,
                distance: 0.5 * run.distance,
            };
            if monitor(&progress) == Flow::Stop {
                run.status = Status::Interrupted;
                return Ok(run);
            }
            let proposal = self.propose(radius);
            let noise = NOISE_ULPS * f64::EPSILON * (1.0 + self.value.abs());
            idle = if proposal.promised <= noise {
                idle + 1
            } else {
                0
            };
            if self.arrived(&proposal, run.distance, settings.tol)
                || (idle > IDLE && run.distance <= settings.tol.max(noise))
            {
                run.status = Status::Converged;
                return Ok(run);
            }
            if run.iterations >= settings.max_iter {
                return Ok(run);
            }
            run.passes += 1;
            let value = self.try_step(objective)?;
            let gain = self.value - value;
            // Below rounding the promise decides; the gradient, more accurate, says where to stop.
            if !(gain > 0.05 * proposal.promised || (gain >= -noise && proposal.promised <= noise))
            {
                rejected += 1;
                if rejected > MAX_REJECTED || proposal.promised <= noise {
                    run.status = stuck(run.distance, noise.max(settings.tol));
                    return Ok(run);
                }
                radius = self.shorter(gain, proposal.length);
                continue;
            }
            rejected = 0;
            let last = newton && self.is_last(&proposal, previous, run.distance, settings.tol);
            radius = adapted(radius, gain, &proposal, noise);
            previous = if proposal.free {
                proposal.length
            } else {
                f64::INFINITY
            };
            run.iterations += 1;
            self.advance(value, run.iterations, proposal.length);
            if last {
                run.status = Status::Converged;
                return Ok(run);
            }
            std::mem::swap(&mut self.gradient, &mut self.last_gradient);
            objective.slope(&self.point, &mut self.gradient)?;
            newton = newton && objective.curvature(&self.gradient, &mut self.hessian);
            if !newton {
                self.learn();
            }
            if !self.hessian.iter().all(|value| value.is_finite()) {
                run.status = stuck(f64::INFINITY, 0.0);
                return Ok(run);
            }
        }
    }

    fn begin(&mut self, objective: &mut dyn Objective, start: &[f64]) -> Result<()> {
        self.point.copy_from_slice(start);
        self.value = objective.value(start)?;
        if !self.value.is_finite() {
            return Err(Error::Numerical {
                message: format!("The criterion at the starting values is {}.", self.value),
            });
        }
        self.trace.clear();
        self.record(0, Step::Start);
        objective.slope(start, &mut self.gradient)
    }

    /// The Hessian at the start: the objective's, else one that makes the first step a unit long.
    fn first_hessian(&mut self, objective: &mut dyn Objective) -> bool {
        if objective.curvature(&self.gradient, &mut self.hessian) {
            return true;
        }
        objective.units(&self.point, &mut self.units);
        let slopes = self.gradient.iter().zip(&self.units);
        let slope = slopes.map(|(g, u)| (g * u) * (g * u)).sum::<f64>().sqrt();
        self.hessian.fill(0.0);
        for i in 0..self.k {
            self.hessian[i * self.k + i] =
                slope.max(f64::MIN_POSITIVE) / (self.units[i] * self.units[i]);
        }
        false
    }

    /// Gradient and Hessian in units of the coordinates.
    fn scale(&mut self, objective: &dyn Objective) {
        let k = self.k;
        objective.units(&self.point, &mut self.units);
        for i in 0..k {
            self.scaled_gradient[i] = self.gradient[i] * self.units[i];
            for j in 0..k {
                self.scaled_hessian[i * k + j] =
                    self.hessian[i * k + j] * self.units[i] * self.units[j];
            }
        }
    }

    /// gᵀB⁻¹g/2; infinite unless B is positive definite.
    fn distance(&mut self) -> f64 {
        let decrement = self
            .ball
            .decrement(&self.scaled_hessian, &self.scaled_gradient);
        0.5 * decrement.unwrap_or(f64::INFINITY)
    }

    fn propose(&mut self, radius: f64) -> Proposal {
        let free = self.ball.minimize(
            &self.scaled_hessian,
            &self.scaled_gradient,
            radius,
            &mut self.scaled_step,
        );
        let change = self.ball.change(
            &self.scaled_hessian,
            &self.scaled_gradient,
            &self.scaled_step,
        );
        Proposal {
            promised: -change,
            length: norm(&self.scaled_step),
            free,
        }
    }

    /// Whether the step need not be taken.
    fn arrived(&self, proposal: &Proposal, distance: f64, tol: f64) -> bool {
        let short = proposal.free && proposal.length <= SHORT;
        (distance <= tol && short) || distance <= MARGIN * tol
    }

    /// Whether the step leads so close that the gradient there could only confirm it.
    fn is_last(&self, proposal: &Proposal, previous: f64, distance: f64, tol: f64) -> bool {
        let rate = proposal.length / previous;
        proposal.free
            && rate > 0.0
            && rate <= SURE_RATE
            && rate * proposal.length <= SHORT
            && rate * rate * distance <= tol
    }

    /// The value after the step; NaN where the objective is undefined.
    fn try_step(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        for i in 0..self.k {
            self.step[i] = self.scaled_step[i] * self.units[i];
        }
        objective.retract(&self.point, &self.step, &mut self.trial);
        match objective.value(&self.trial) {
            Ok(value) => Ok(value),
            Err(error @ (Error::Argument { .. } | Error::Interrupted)) => Err(error),
            Err(_) => Ok(f64::NAN),
        }
    }

    /// The radius after a rejected step: the minimum of the parabola through both values, if there is one.
    fn shorter(&self, gain: f64, length: f64) -> f64 {
        let slope = dot(&self.scaled_gradient, &self.scaled_step);
        let share = if gain.is_finite() {
            (-0.5 * slope / (-gain - slope)).clamp(0.05, 0.5)
        } else {
            0.1
        };
        share * length
    }

    fn advance(&mut self, value: f64, iteration: usize, length: f64) {
        std::mem::swap(&mut self.point, &mut self.trial);
        self.value = value;
        self.record(iteration, Step::Newton(length));
    }

    /// The BFGS update: B s = change of the gradient over the last step s, if the curvature along s is positive.
    fn learn(&mut self) {
        let k = self.k;
        for i in 0..k {
            self.last_gradient[i] = self.gradient[i] - self.last_gradient[i];
            self.trial[i] = dot(&self.hessian[i * k..(i + 1) * k], &self.step);
        }
        let (change, expected) = (&self.last_gradient, &self.trial);
        let seen = dot(&self.step, change);
        let believed = dot(&self.step, expected);
        if seen <= 1e-10 * norm(&self.step) * norm(change) || believed <= 0.0 {
            return;
        }
        for i in 0..k {
            for j in 0..k {
                self.hessian[i * k + j] +=
                    change[i] * change[j] / seen - expected[i] * expected[j] / believed;
            }
        }
    }

    fn record(&mut self, iteration: usize, step: Step) {
        self.trace.push(Entry {
            iteration,
            objective: -0.5 * self.value,
            bound: f64::NAN,
            step,
        });
    }
}

/// The radius after an accepted step.
fn adapted(radius: f64, gain: f64, proposal: &Proposal, noise: f64) -> f64 {
    let ratio = gain / proposal.promised;
    if ratio < 0.25 && proposal.promised > noise {
        0.5 * proposal.length
    } else if ratio > 0.5 && !proposal.free {
        3.0 * radius
    } else {
        radius
    }
}

/// The status where no step lowers the value.
fn stuck(distance: f64, small: f64) -> Status {
    if distance <= small {
        return Status::Converged;
    }
    Status::Degenerate {
        component: 0,
        message: "no step lowers the criterion although its gradient is not zero".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Function<F, G> {
        value: F,
        slope: G,
    }

    impl<F: Fn(&[f64]) -> f64, G: Fn(&[f64], &mut [f64])> Objective for Function<F, G> {
        fn value(&mut self, at: &[f64]) -> Result<f64> {
            Ok((self.value)(at))
        }

        fn slope(&mut self, at: &[f64], gradient: &mut [f64]) -> Result<()> {
            (self.slope)(at, gradient);
            Ok(())
        }

        fn curvature(&mut self, _: &[f64], _: &mut [f64]) -> bool {
            false
        }

        fn units(&self, _: &[f64], units: &mut [f64]) {
            units.fill(1.0);
        }
    }

    fn rosenbrock() -> impl Objective {
        Function {
            value: |x: &[f64]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2),
            slope: |x: &[f64], g: &mut [f64]| {
                g[0] = -400.0 * x[0] * (x[1] - x[0] * x[0]) - 2.0 * (1.0 - x[0]);
                g[1] = 200.0 * (x[1] - x[0] * x[0]);
            },
        }
    }

    fn settings() -> Settings {
        Settings::default()
    }

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_end() {
        let mut minimizer = Minimizer::new(2);
        let reached = minimizer
            .run(&mut rosenbrock(), &[-1.2, 1.0], &settings(), &mut |_| {
                Flow::Continue
            })
            .unwrap();
        assert_eq!(reached.status, Status::Converged);
        assert!(minimizer.point.iter().all(|x| (x - 1.0).abs() < 1e-4));
        assert!(reached.iterations < 60, "{reached:?}");
        assert_eq!(minimizer.trace.len(), reached.iterations + 1);
    }

    #[test]
    fn a_function_that_is_undefined_outside_is_minimised_inside() {
        // A barrier: NaN for x <= 0.
        let mut barrier = Function {
            value: |x: &[f64]| x[0] - x[0].ln(),
            slope: |x: &[f64], g: &mut [f64]| g[0] = 1.0 - 1.0 / x[0],
        };
        let mut minimizer = Minimizer::new(1);
        let reached = minimizer
            .run(&mut barrier, &[5.0], &settings(), &mut |_| Flow::Continue)
            .unwrap();
        assert_eq!(reached.status, Status::Converged);
        assert!((minimizer.point[0] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn limits_and_interrupts_keep_what_is_reached() {
        let mut minimizer = Minimizer::new(2);
        let short = Settings {
            max_iter: 3,
            ..settings()
        };
        let start = [-1.2, 1.0];
        let reached = minimizer
            .run(&mut rosenbrock(), &start, &short, &mut |_| Flow::Continue)
            .unwrap();
        assert_eq!(reached.status, Status::IterationLimit);
        assert!(minimizer.value < 24.2 && reached.iterations == 3);
        let reached = minimizer
            .run(&mut rosenbrock(), &start, &settings(), &mut |p| {
                if p.iteration == 2 {
                    Flow::Stop
                } else {
                    Flow::Continue
                }
            })
            .unwrap();
        assert_eq!(reached.status, Status::Interrupted);
        assert_eq!(reached.iterations, 2);
    }
}
