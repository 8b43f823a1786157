//! Minimises a smooth function of a few coordinates: Newton steps in a trust region.
//!
//! The Hessian is the objective's own approximation where it has one (see [`super::average_information`]),
//! corrected to agree with the newest step (BFGS); else it is built up by BFGS. Iterations end on the decrease
//! still to be expected, gᵀB⁻¹g/2, never on the size of a step.

use super::trust_region::{dot, norm, Ball};
use crate::em::{Entry, Flow, Progress, Settings, Status, Step, Trace};
use crate::error::{Error, Result};

/// A share of the tolerance of the criterion that leaves the coordinates accurate too: the criterion is flat to
/// second order at its minimum.
const MARGIN: f64 = 1e-3;

/// Changes of the criterion up to this many ulps may be rounding.
const NOISE_ULPS: f64 = 64.0;

/// Radius of the first trust region, in units of the coordinates.
const FIRST_RADIUS: f64 = 1.0;

/// Successive rejected steps after which no progress is possible.
const MAX_REJECTED: usize = 30;

/// A function to minimise.
pub(super) trait Objective {
    /// Value at a point.
    fn value(&mut self, at: &[f64]) -> Result<f64>;

    /// Gradient at the point of the last [`Objective::value`].
    fn slope(&mut self, at: &[f64], gradient: &mut [f64]) -> Result<()>;

    /// An approximate Hessian at the point of the last [`Objective::slope`]; false if there is none.
    fn curvature(&mut self, at: &[f64], gradient: &[f64], hessian: &mut [f64]) -> bool;

    /// The size of a large change of each coordinate.
    fn units(&self, at: &[f64], units: &mut [f64]);
}

/// How a run ended; the point is in the minimiser.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub status: Status,
    /// Evaluations of the value.
    pub passes: usize,
    /// Evaluations of the gradient.
    pub slopes: usize,
    pub iterations: usize,
    /// Decrease still expected when it ended, gᵀB⁻¹g/2.
    pub distance: f64,
}

/// The minimiser: a point, what is known there, and buffers.
#[derive(Debug, Clone)]
pub(super) struct Minimizer {
    k: usize,
    pub point: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
    pub hessian: Vec<f64>,
    pub trace: Trace,
    trial: Vec<f64>,
    trial_gradient: Vec<f64>,
    step: Vec<f64>,
    change: Vec<f64>,
    units: Vec<f64>,
    scaled_hessian: Vec<f64>,
    scaled_gradient: Vec<f64>,
    scaled_step: Vec<f64>,
    ball: Ball,
}

impl Minimizer {
    pub(super) fn new(k: usize) -> Self {
        let vector = || vec![0.0; k];
        Minimizer {
            k,
            point: vector(),
            value: f64::NAN,
            gradient: vector(),
            hessian: vec![0.0; k * k],
            trace: Vec::with_capacity(16),
            trial: vector(),
            trial_gradient: vector(),
            step: vector(),
            change: vector(),
            units: vector(),
            scaled_hessian: vec![0.0; k * k],
            scaled_gradient: vector(),
            scaled_step: vector(),
            ball: Ball::new(k),
        }
    }

    /// Minimises from `start`; the objective is left at the best point.
    ///
    /// # Errors
    /// Whatever the objective returns at `start`, and [`Error::Numerical`] when it is not finite there.
    pub(super) fn run(
        &mut self,
        objective: &mut dyn Objective,
        start: &[f64],
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Reached> {
        self.point.copy_from_slice(start);
        self.value = objective.value(start)?;
        if !self.value.is_finite() {
            return Err(Error::Numerical {
                message: format!("The criterion at the starting values is {}.", self.value),
            });
        }
        objective.slope(start, &mut self.gradient)?;
        self.trace.clear();
        self.record(0, Step::Start);
        let mut run = Reached {
            status: Status::IterationLimit,
            passes: 1,
            slopes: 1,
            iterations: 0,
            distance: f64::NAN,
        };
        let tol = MARGIN * settings.tol;
        let mut known = self.first_hessian(objective);
        let (mut radius, mut rejected) = (FIRST_RADIUS, 0);
        loop {
            objective.units(&self.point, &mut self.units);
            self.scale();
            let decrement = self
                .ball
                .decrement(&self.scaled_hessian, &self.scaled_gradient);
            run.distance = 0.5 * decrement.unwrap_or(f64::INFINITY);
            let progress = Progress {
                iteration: run.iterations,
                passes: run.passes,
                objective: -0.5 * self.value,
                distance: 0.5 * run.distance,
            };
            if monitor(&progress) == Flow::Stop {
                run.status = Status::Interrupted;
                break;
            }
            let noise = NOISE_ULPS * f64::EPSILON * (1.0 + self.value.abs());
            if run.distance <= tol || norm(&self.gradient) == 0.0 {
                run.status = Status::Converged;
                break;
            }
            if run.iterations >= settings.max_iter {
                break;
            }
            let free = self.ball.minimize(
                &self.scaled_hessian,
                &self.scaled_gradient,
                radius,
                &mut self.scaled_step,
            );
            let promised = -self.ball.change(
                &self.scaled_hessian,
                &self.scaled_gradient,
                &self.scaled_step,
            );
            for i in 0..self.k {
                self.step[i] = self.scaled_step[i] * self.units[i];
                self.trial[i] = self.point[i] + self.step[i];
            }
            run.passes += 1;
            let value = match objective.value(&self.trial) {
                Ok(value) => value,
                Err(Error::Argument { argument, message }) => {
                    return Err(Error::Argument { argument, message })
                }
                Err(_) => f64::NAN,
            };
            let gain = self.value - value;
            let length = norm(&self.scaled_step);
            // Below rounding the promise decides; the gradient, more accurate, says later where to stop.
            let kept = gain > 0.05 * promised || (gain >= -noise && promised <= noise);
            if !kept {
                rejected += 1;
                // The minimum of the parabola through both values, if there is one.
                let slope = dot(&self.scaled_gradient, &self.scaled_step);
                let share = if gain.is_finite() {
                    (-0.5 * slope / (-gain - slope)).clamp(0.05, 0.5)
                } else {
                    0.1
                };
                radius = share * length;
                if rejected > MAX_REJECTED {
                    run.status = if run.distance <= noise {
                        Status::Converged
                    } else {
                        Status::Degenerate {
                            component: 0,
                            message:
                                "no step lowers the criterion although its gradient is not zero"
                                    .into(),
                        }
                    };
                    break;
                }
                continue;
            }
            rejected = 0;
            objective.slope(&self.trial, &mut self.trial_gradient)?;
            run.slopes += 1;
            run.iterations += 1;
            let ratio = gain / promised;
            if ratio < 0.25 && promised > noise {
                radius = 0.5 * length;
            } else if ratio > 0.5 && !free {
                radius *= 3.0;
            }
            let stuck = promised <= noise && !self.smaller_trial_gradient();
            for i in 0..self.k {
                self.change[i] = self.trial_gradient[i] - self.gradient[i];
            }
            std::mem::swap(&mut self.point, &mut self.trial);
            std::mem::swap(&mut self.gradient, &mut self.trial_gradient);
            self.value = value;
            self.record(run.iterations, Step::Newton(length));
            if known {
                known = objective.curvature(&self.point, &self.gradient, &mut self.hessian);
            }
            self.agree();
            if stuck {
                run.status = Status::Converged;
                break;
            }
        }
        Ok(run)
    }

    /// Whether the last step, too short to show in the value, made the gradient smaller.
    fn smaller_trial_gradient(&mut self) -> bool {
        for i in 0..self.k {
            self.scaled_step[i] = self.trial_gradient[i] * self.units[i];
        }
        let before = self
            .ball
            .decrement(&self.scaled_hessian, &self.scaled_gradient);
        let after = self.ball.decrement(&self.scaled_hessian, &self.scaled_step);
        matches!((before, after), (Some(before), Some(after)) if after < 0.25 * before)
    }

    /// The Hessian at the start: the objective's, else one that makes the first step a unit long.
    fn first_hessian(&mut self, objective: &mut dyn Objective) -> bool {
        let known = objective.curvature(&self.point, &self.gradient, &mut self.hessian);
        if !known {
            objective.units(&self.point, &mut self.units);
            let slopes = self.gradient.iter().zip(&self.units);
            let slope = slopes.map(|(g, u)| (g * u) * (g * u)).sum::<f64>().sqrt();
            self.hessian.fill(0.0);
            for i in 0..self.k {
                self.hessian[i * self.k + i] =
                    slope.max(f64::MIN_POSITIVE) / (self.units[i] * self.units[i]);
            }
        }
        known
    }

    /// Gradient and Hessian in units of the coordinates.
    fn scale(&mut self) {
        let k = self.k;
        for i in 0..k {
            self.scaled_gradient[i] = self.gradient[i] * self.units[i];
            for j in 0..k {
                self.scaled_hessian[i * k + j] =
                    self.hessian[i * k + j] * self.units[i] * self.units[j];
            }
        }
    }

    /// The BFGS update: B s = change of the gradient over the last step s, if the curvature along s is positive.
    fn agree(&mut self) {
        let k = self.k;
        let seen = dot(&self.step, &self.change);
        if seen <= 1e-10 * norm(&self.step) * norm(&self.change) {
            return;
        }
        // trial is free: B s.
        for i in 0..k {
            self.trial[i] = dot(&self.hessian[i * k..(i + 1) * k], &self.step);
        }
        let believed = dot(&self.step, &self.trial);
        if believed <= 0.0 {
            return;
        }
        for i in 0..k {
            for j in 0..k {
                self.hessian[i * k + j] += self.change[i] * self.change[j] / seen
                    - self.trial[i] * self.trial[j] / believed;
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

        fn curvature(&mut self, _: &[f64], _: &[f64], _: &mut [f64]) -> bool {
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
        assert!(reached.slopes < 60, "{reached:?}");
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
