//! Laplace's approximation of every level: the mode û of u given the data and the parameters, and the Cholesky
//! factor C of the curvature there. Once for each level, shared by all its clones.
//!
//! With b = Λu the log density of u is that of the level's data at Λu, less |u|²/2.

use super::level_likelihood::LevelLikelihood;
use super::small;
use crate::error::{Error, Result};

/// Newton steps; a concave log density needs far fewer.
const MAX_STEPS: usize = 100;
/// Halvings of a step that leads down.
const MAX_HALVINGS: usize = 40;
/// The decrease that Newton's next step promises, relative to the log density, at which a mode is found: its own
/// error is then the square of something that small.
const TOLERANCE: f64 = 1e-12;

/// Modes and curvatures of all levels.
#[derive(Debug, Clone, Default)]
pub struct LevelModes {
    pub width: usize,
    /// û, q for each level.
    pub modes: Vec<f64>,
    /// C, q × q lower triangular for each level.
    pub roots: Vec<f64>,
    /// Σ log |C|.
    pub log_det: f64,
}

/// The log density of the effects of one level around a point, and buffers.
#[derive(Debug, Clone)]
pub struct Search {
    b: Vec<f64>,
    /// Of the last expansion.
    pub gradient: Vec<f64>,
    hessian: Vec<f64>,
    step: Vec<f64>,
    trial: Vec<f64>,
    spherical: Vec<f64>,
}

impl LevelModes {
    /// Room for `levels` levels with `width` effects each, modes at 0.
    pub fn new(width: usize, levels: usize) -> Self {
        LevelModes {
            width,
            modes: vec![0.0; width * levels],
            roots: vec![0.0; width * width * levels],
            log_det: 0.0,
        }
    }

    /// Finds the modes, from those that are there if the log density is concave (they are then unique), else
    /// from 0: they must not depend on where a chain came from.
    ///
    /// # Errors
    /// [`Error::Numerical`] where there is no mode to be found.
    pub fn find(&mut self, likelihood: &LevelLikelihood, lambda: &[f64]) -> Result<()> {
        let q = self.width;
        if !likelihood.family.is_log_concave() {
            self.modes.fill(0.0);
        }
        let mut search = Search::new(q);
        let mut log_det = 0.0;
        let levels = self.modes.chunks_exact_mut(q);
        for (level, (u, root)) in levels.zip(self.roots.chunks_exact_mut(q * q)).enumerate() {
            if !search.climb(likelihood, lambda, level, u, root) {
                u.fill(0.0);
                if !search.climb(likelihood, lambda, level, u, root) {
                    return Err(Error::Numerical {
                        message: "the random effects of a level have no mode".into(),
                    });
                }
            }
            log_det += (0..q).map(|j| root[j * q + j].ln()).sum::<f64>();
        }
        self.log_det = log_det;
        if log_det.is_finite() {
            Ok(())
        } else {
            Err(Error::Numerical {
                message: "the curvature of the random effects is not finite".into(),
            })
        }
    }
}

impl Search {
    /// Room for q effects.
    pub fn new(q: usize) -> Self {
        Search {
            b: vec![0.0; q],
            gradient: vec![0.0; q],
            hessian: vec![0.0; q * q],
            step: vec![0.0; q],
            trial: vec![0.0; q],
            spherical: vec![0.0; q * q],
        }
    }

    /// Newton's method from `u`; leaves the mode there and C in `root`. Whether it arrived.
    fn climb(
        &mut self,
        likelihood: &LevelLikelihood,
        lambda: &[f64],
        level: usize,
        u: &mut [f64],
        root: &mut [f64],
    ) -> bool {
        let mut value = self.expand(likelihood, lambda, level, u, root);
        for _ in 0..MAX_STEPS {
            self.step.copy_from_slice(&self.gradient);
            small::forward(root, &mut self.step);
            let promised: f64 = self.step.iter().map(|x| x * x).sum();
            small::backward(root, &mut self.step);
            let arrives = promised <= TOLERANCE * (1.0 + value.abs());
            let mut size = 1.0;
            let mut there = f64::NEG_INFINITY;
            for _ in 0..MAX_HALVINGS {
                for ((trial, u), step) in self.trial.iter_mut().zip(&*u).zip(&self.step) {
                    *trial = u + size * step;
                }
                let trial = std::mem::take(&mut self.trial);
                there = self.expand(likelihood, lambda, level, &trial, root);
                self.trial = trial;
                if arrives || there > value {
                    break;
                }
                size *= 0.5;
            }
            // A step that goes up by less than rounding is the last one, too.
            let stuck = !arrives && there.partial_cmp(&value) != Some(std::cmp::Ordering::Greater);
            if !there.is_finite() || stuck && promised > TOLERANCE.sqrt() * (1.0 + value.abs()) {
                return false;
            }
            u.copy_from_slice(&self.trial);
            value = there;
            if arrives || stuck {
                return true;
            }
        }
        false
    }

    /// The log density of u, its gradient, and C of its curvature: of the observed one, or the expected one
    /// where that is not positive definite.
    pub fn expand(
        &mut self,
        likelihood: &LevelLikelihood,
        lambda: &[f64],
        level: usize,
        u: &[f64],
        root: &mut [f64],
    ) -> f64 {
        small::lower_times(lambda, u, &mut self.b);
        let mut value = f64::NEG_INFINITY;
        for expected in [false, true] {
            value = likelihood.derivatives(
                level,
                &self.b,
                expected,
                &mut self.gradient,
                &mut self.hessian,
            );
            small::congruence(lambda, &self.hessian, &mut self.spherical, root);
            if small::factorise(root, u.len()) {
                break;
            }
        }
        let mut gradient = std::mem::take(&mut self.gradient);
        small::lower_transposed_times(lambda, &mut gradient);
        gradient.iter_mut().zip(u).for_each(|(g, u)| *g -= u);
        self.gradient = gradient;
        value - 0.5 * u.iter().map(|u| u * u).sum::<f64>()
    }
}
