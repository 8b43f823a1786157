//! Orthants of normal vectors: probabilities, and the moments of what is inside.
//!
//! Z ~ N(m, C) in J dimensions is known to have given signs: q∘Z > 0. An [`Orthant`] holds what depends on C and q alone,
//! so that a pattern of selections makes one and its rows share it.

mod many;
mod one;
mod three;
mod two;

use nalgebra::DMatrix;

use crate::error::{Error, Result};
use crate::normal::ghk::Columns;
use many::Many;
use one::One;
use three::Three;
use two::Two;

/// How orthant probabilities are integrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integration {
    /// To rounding; up to three dimensions.
    Exact,
    /// Randomised quasi-Monte Carlo (Geweke, Hajivassiliou and Keane) with `points` points, shifted row by row as `seed`
    /// says.
    Ghk { points: usize, seed: u64 },
}

/// N(·, C) on an orthant.
#[derive(Debug, Clone)]
pub struct Orthant {
    signs: Vec<f64>,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    One(One),
    Two(Two),
    Three(Box<Three>),
    Many(Many),
}

/// Scratch memory; one for each thread serves every orthant.
#[derive(Debug, Clone, Default)]
pub struct Work {
    columns: Columns,
}

impl Orthant {
    /// The orthant q∘Z > 0 of Z ~ N(·, C), C = `covariance` (J × J) and q = `signs` (J values, each 1 or -1).
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`]; [`Error::Argument`] when the shapes disagree or `integration` cannot serve J.
    pub fn new(
        covariance: &DMatrix<f64>,
        signs: &[f64],
        integration: &Integration,
    ) -> Result<Self> {
        let dimension = signs.len();
        if covariance.shape() != (dimension, dimension) {
            return Err(Error::Argument {
                argument: "covariance",
                message: format!("must be {dimension} × {dimension}"),
            });
        }
        crate::linalg::cholesky(covariance)?;
        let shape = match (dimension, integration) {
            (1, _) => Shape::One(One::new(covariance[(0, 0)], signs[0])),
            (2, Integration::Exact) => Shape::Two(Two::new(covariance, signs)),
            (3, Integration::Exact) => Shape::Three(Box::new(Three::new(covariance, signs))),
            (_, &Integration::Ghk { points, seed }) => {
                Shape::Many(Many::new(covariance, signs, points, seed)?)
            }
            (_, Integration::Exact) => {
                return Err(Error::Argument {
                    argument: "integration",
                    message: format!("is exact up to 3 selections, not for {dimension}"),
                })
            }
        };
        Ok(Orthant {
            signs: signs.to_vec(),
            shape,
        })
    }

    /// J.
    pub fn dimension(&self) -> usize {
        self.signs.len()
    }

    /// log P(q∘Z > 0) where Z has mean `mean` (J values). `row` chooses the shift of [`Integration::Ghk`].
    pub fn log_probability(&self, mean: &[f64], row: u64, work: &mut Work) -> f64 {
        match &self.shape {
            Shape::One(one) => one.log_probability(mean[0]),
            Shape::Two(two) => two.log_probability(mean),
            Shape::Three(three) => three.log_probability(mean),
            Shape::Many(many) => many.log_probability(mean, row, &mut work.columns),
        }
    }

    /// As [`log_probability`](Self::log_probability); writes E[Z | q∘Z > 0] to `expectation` (J values) and the covariance
    /// matrix of Z given q∘Z > 0 to `covariance` (J × J, column by column).
    pub fn moments(
        &self,
        mean: &[f64],
        row: u64,
        work: &mut Work,
        expectation: &mut [f64],
        covariance: &mut [f64],
    ) -> f64 {
        match &self.shape {
            Shape::One(one) => one.moments(mean[0], expectation, covariance),
            Shape::Two(two) => two.moments(mean, expectation, covariance),
            Shape::Three(three) => three.moments(mean, expectation, covariance),
            Shape::Many(many) => {
                many.moments(mean, row, &mut work.columns, expectation, covariance)
            }
        }
    }
}
