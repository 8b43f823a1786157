//! The likelihood of a generalised linear mixed model with one grouping factor as a target: its random effects are
//! integrated out by adaptive quadrature, so that the posterior of K clones costs the same for any K.
//!
//! The integral is not exact, but its error is known and as small as wanted: a sampler of K log L sees K times the error
//! of log L, and of that only what varies over the posterior.

use super::laplace_target::coordinates;
use super::parameters::Layout;
use super::target::Likelihood;
use crate::error::{Error, Result};
use crate::glmm::problem::{Criterion, Problem};
use crate::glmm::quadrature::AdaptiveQuadrature;

/// Numbers of nodes in each dimension that are tried in turn; the error of each is its difference to the next.
const RULES: [usize; 8] = [5, 7, 11, 17, 25, 37, 55, 81];

/// The most nodes of a product rule.
const MAX_PRODUCT: usize = 2_000;

/// K times the error of log L that no chain of a practical length can notice.
const NEGLIGIBLE: f64 = 1e-3;

/// log L by adaptive quadrature.
#[derive(Debug, Clone)]
pub struct QuadratureTarget<'a> {
    problem: &'a Problem<'a>,
    layout: &'a Layout,
    quadrature: AdaptiveQuadrature<'a>,
    accuracy: Accuracy,
}

/// How well the integral is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Nodes in each dimension.
    pub nodes: usize,
    /// Error of log L where it was estimated.
    pub error: f64,
}

impl<'a> QuadratureTarget<'a> {
    /// The target with the smallest rule whose error at w counts for nothing in the posterior of `copies` clones, or the
    /// largest rule there is.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `sampler` when there is not one grouping factor with at most three effects per
    /// level; [`Error::Numerical`] where log L is not defined at w.
    pub fn new(
        problem: &'a Problem<'a>,
        layout: &'a Layout,
        copies: usize,
        w: &[f64],
    ) -> Result<Self> {
        let psi = coordinates(problem, layout, w);
        // Chains are what runs in parallel.
        let rule = |nodes| AdaptiveQuadrature::new(problem, nodes, 1).map_err(not_collapsible);
        let mut quadrature = rule(RULES[0])?;
        let mut value = quadrature.value(&psi)?;
        let mut accuracy = Accuracy {
            nodes: RULES[0],
            error: f64::INFINITY,
        };
        let width = problem.structure.widths[0] as u32;
        for nodes in RULES.into_iter().skip(1) {
            let mut finer = rule(nodes)?;
            let next = finer.value(&psi)?;
            accuracy.error = 0.5 * (next - value).abs();
            if copies as f64 * accuracy.error <= NEGLIGIBLE || nodes.pow(width) > MAX_PRODUCT {
                break;
            }
            (quadrature, value, accuracy.nodes) = (finer, next, nodes);
        }
        Ok(QuadratureTarget {
            problem,
            layout,
            quadrature,
            accuracy,
        })
    }

    /// How well log L is known near w of [`QuadratureTarget::new`].
    pub fn accuracy(&self) -> Accuracy {
        self.accuracy
    }
}

impl Likelihood for QuadratureTarget<'_> {
    fn log_likelihood(&mut self, w: &[f64]) -> Result<f64> {
        let psi = coordinates(self.problem, self.layout, w);
        Ok(-0.5 * self.quadrature.value(&psi)?)
    }
}

fn not_collapsible(error: Error) -> Error {
    match error {
        Error::Argument { .. } => Error::Argument {
            argument: "sampler",
            message: "can only be \"collapsed\" for a generalised linear mixed model with one grouping factor and at \
                      most three random effects per level"
                .into(),
        },
        error => error,
    }
}
