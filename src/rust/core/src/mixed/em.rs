//! EM and PX-EM for mixed models, on the shared driver.
//!
//! The parameters are the variances. β is not among them: under ML it is maximised over at every E step, under
//! REML it is integrated out, so the objective is −1/2 times the criterion of [`super::criterion`] with σ at its
//! current value. An iteration costs one factorisation and one selected inverse, nothing per row.
//!
//! | step | file | source |
//! |---|---|---|
//! | E | `expect.rs`, `residual.rs` | Laird and Ware (1982) |
//! | M of EM | `maximize.rs` | Laird, Lange and Stram (1987) |
//! | M of PX-EM | `expansion.rs`, `maximize.rs` | Liu, Rubin and Wu (1998) |
//!
//! On the way to a variance of zero EM takes thousands of steps and PX-EM tens; elsewhere both are quick here, as
//! the E step uses the joint distribution of all random effects. Meng and van Dyk (1998, JRSS B 60, 559-578) get
//! rates like PX-EM's by rescaling the random effects.

use super::covariances::{blocks, Block};
use super::criterion::{Parameters, Problem};
use super::expect::{expect, Expectation};
use super::factor::Factor;
use super::maximize::{complete_log_lik, maximize, Variances};
use crate::em::{self, Flow, Model, Outcome, Progress, Settings};
use crate::error::Result;

/// A mixed model as the EM driver sees it.
pub struct MixedModel<'a> {
    problem: &'a Problem<'a>,
    blocks: Vec<Block>,
    factor: Factor,
    expanded: bool,
}

impl<'a> MixedModel<'a> {
    /// The model of `problem`, for EM or with `expanded` for PX-EM.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) when the covariance structure has no closed M step.
    pub fn new(problem: &'a Problem<'a>, expanded: bool) -> Result<Self> {
        Ok(MixedModel {
            blocks: blocks(problem)?,
            factor: Factor::new(problem.statistics, problem.structure)?,
            problem,
            expanded,
        })
    }

    /// Blocks of effects that have a covariance matrix in common.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The variances at `coordinates` of the problem.
    ///
    /// # Errors
    /// As [`Problem::criterion`].
    pub fn variances(&mut self, coordinates: &[f64]) -> Result<Variances> {
        self.problem.criterion(&mut self.factor, coordinates)?;
        let sigma = self.problem.sigma(&self.factor, coordinates);
        let point = self.problem.parameters(coordinates);
        Ok(Variances {
            theta: point.theta,
            sigma,
            dispersion: point.dispersion,
            expansion: None,
        })
    }

    /// The coordinates of the problem at `variances`.
    pub fn coordinates(&self, variances: &Variances) -> Vec<f64> {
        self.problem.locate(&Parameters {
            theta: variances.theta.clone(),
            sigma: Some(variances.sigma),
            dispersion: variances.dispersion.clone(),
        })
    }

    /// Runs from `coordinates` of the problem until `settings` are met.
    ///
    /// # Errors
    /// Those of the first E step.
    pub fn run(
        &mut self,
        coordinates: &[f64],
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Outcome<Variances, Expectation>> {
        let start = self.variances(coordinates)?;
        em::run(self, start, settings, monitor)
    }
}

impl Model for MixedModel<'_> {
    type Params = Variances;
    type Stats = Expectation;

    fn expect(&mut self, variances: &Variances) -> Result<Expectation> {
        expect(
            self.problem,
            &self.blocks,
            &mut self.factor,
            variances,
            self.expanded,
        )
    }

    fn maximize(&mut self, expectation: &Expectation, _: &Variances) -> Result<Variances> {
        maximize(self.problem, &self.blocks, expectation)
    }

    fn objective(&self, expectation: &Expectation) -> f64 {
        expectation.log_lik
    }

    fn complete_objective(&self, expectation: &Expectation, variances: &Variances) -> Option<f64> {
        complete_log_lik(self.problem, &self.blocks, expectation, variances)
    }

    /// Free entries of σΛ, then the logarithms of the free residual standard deviations.
    fn flatten(&self, variances: &Variances) -> Option<Vec<f64>> {
        let free = self.problem.free().iter();
        let mut coordinates: Vec<f64> = free
            .map(|&k| variances.sigma * variances.theta[k])
            .collect();
        if self.problem.known.sigma.is_none() {
            coordinates.push(variances.sigma.ln());
        }
        coordinates.extend(variances.dispersion.iter().skip(1).map(|ratio| ratio.ln()));
        Some(coordinates)
    }

    fn unflatten(&self, coordinates: &[f64], like: &Variances) -> Option<Variances> {
        let problem = self.problem;
        let (factors, rest) = coordinates.split_at_checked(problem.free().len())?;
        let unknown = usize::from(problem.known.sigma.is_none());
        let (log_sigma, ratios) = rest.split_at_checked(unknown)?;
        let sigma = log_sigma.first().map_or(like.sigma, |log| log.exp());
        let mut theta = like.theta.clone();
        for known in theta.iter_mut() {
            *known *= like.sigma / sigma; // where a standard deviation is known, σΛ is
        }
        for (&k, factor) in problem.free().iter().zip(factors) {
            theta[k] = factor / sigma;
        }
        problem.structure.rectify(&mut theta);
        let variances = Variances {
            theta,
            sigma,
            dispersion: std::iter::once(1.0)
                .chain(ratios.iter().map(|log| log.exp()))
                .collect(),
            expansion: None,
        };
        let finite = variances
            .theta
            .iter()
            .chain(&variances.dispersion)
            .all(|x| x.is_finite());
        (finite && sigma.is_normal()).then_some(variances)
    }
}
