//! A model at its parameters, and rows to evaluate it on.

use std::ops::Range;

use nalgebra::DMatrix;

use super::data::Design;
use crate::error::{Error, Result};
use crate::normal::orthant::Integration;

/// Designs of n rows, and the parameters that belong to them.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    pub rows: usize,
    /// Outcome 1..J, selection 1..J; only columns that have a coefficient.
    pub designs: &'a [Design<'a>],
    pub coefficients: &'a [Vec<f64>],
    /// 2J × 2J.
    pub omega: &'a DMatrix<f64>,
    pub integration: &'a Integration,
    pub threads: usize,
}

impl Model<'_> {
    /// J.
    pub fn equations(&self) -> usize {
        self.designs.len() / 2
    }

    /// Number of natural parameters: coefficients, standard deviations and correlations.
    pub fn parameters(&self) -> usize {
        let coefficients: usize = self.designs.iter().map(|design| design.width).sum();
        coefficients + error_parameters(self.equations())
    }

    /// Whether designs and parameters belong together.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `object`, the fit.
    pub fn check(&self) -> Result<()> {
        let components = 2 * self.equations();
        let fits = components > 0
            && self.designs.len() == components
            && self.omega.shape() == (components, components)
            && self.coefficients.len() == components
            && self
                .designs
                .iter()
                .zip(self.coefficients)
                .all(|(design, beta)| {
                    design.width == beta.len() && design.columns.len() == self.rows * design.width
                });
        let mut numbers = self.coefficients.iter().flatten().chain(self.omega.iter());
        if fits && numbers.all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(Error::Argument {
            argument: "object",
            message: "holds parameters that do not belong to its designs".into(),
        })
    }

    /// The 2J linear predictors of some rows, row by row.
    pub fn linear_predictors(&self, rows: Range<usize>, block: &mut [f64]) {
        block.fill(0.0);
        let width = self.designs.len();
        for (c, (design, beta)) in self.designs.iter().zip(self.coefficients).enumerate() {
            for (column, beta) in design.columns.chunks_exact(self.rows).zip(beta) {
                let to = block.iter_mut().skip(c).step_by(width);
                for (eta, x) in to.zip(&column[rows.clone()]) {
                    *eta += beta * x;
                }
            }
        }
    }
}

/// J standard deviations and J (2J - 1) correlations.
pub fn error_parameters(equations: usize) -> usize {
    equations + equations * (2 * equations - 1)
}

/// The place of ρ(a, b), a < b, among the error parameters.
pub fn correlation_place(equations: usize, a: usize, b: usize) -> usize {
    let before: usize = (0..a).map(|column| 2 * equations - 1 - column).sum();
    equations + before + b - a - 1
}
