//! Laplace's approximation of the likelihood of a generalised linear mixed model, as a target.

use super::parameters::Layout;
use super::target::Likelihood;
use crate::error::Result;
use crate::glmm::laplace::Laplace;
use crate::glmm::problem::{Criterion, Parameters, Problem};

/// log L by Laplace's approximation. Samplers of real clones take their first guess from it.
#[derive(Debug, Clone)]
pub struct LaplaceTarget<'a> {
    laplace: Laplace<'a>,
    layout: &'a Layout,
}

impl<'a> LaplaceTarget<'a> {
    /// The target of a problem.
    ///
    /// # Errors
    /// As [`Laplace::new`].
    pub fn new(problem: &'a Problem<'a>, layout: &'a Layout, threads: usize) -> Result<Self> {
        Ok(LaplaceTarget {
            laplace: Laplace::new(problem, threads)?,
            layout,
        })
    }
}

/// The coordinates of a problem at w.
pub fn coordinates(problem: &Problem, layout: &Layout, w: &[f64]) -> Vec<f64> {
    let parameters = layout.parameters(w);
    problem.locate(&Parameters {
        theta: parameters.theta,
        beta: parameters.beta,
        shape: parameters.shape,
    })
}

impl Likelihood for LaplaceTarget<'_> {
    fn log_likelihood(&mut self, w: &[f64]) -> Result<f64> {
        let psi = coordinates(self.laplace.problem(), self.layout, w);
        Ok(-0.5 * self.laplace.value(&psi)?)
    }
}
