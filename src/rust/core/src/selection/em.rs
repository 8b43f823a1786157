//! PX-EM with the exact (or fixed quasi-Monte Carlo) E-step, on the shared driver.
//!
//! Its rates are .95 to .998: good for the first steps, after which the search on the score takes over.

use super::coordinates::Coordinates;
use super::data::Data;
use super::expect::{expect, Statistics};
use super::gram::Gram;
use super::layout::{Layout, Parameters};
use super::maximize::{complete_log_likelihood, maximize, Expanded};
use crate::em::{self, Flow, Model, Outcome, Progress, Settings};
use crate::error::Result;
use crate::normal::orthant::Integration;

/// A sample selection model as the EM driver sees it.
pub struct SelectionModel<'a> {
    data: &'a Data<'a>,
    coordinates: Coordinates<'a>,
    gram: Gram,
    how: Integration,
    threads: usize,
}

/// Parameters, and what PX-EM estimated on the way there.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub parameters: Parameters,
    pub expanded: Option<Expanded>,
}

/// Statistics and the parameters they were taken at.
#[derive(Debug, Clone)]
pub struct Expectation {
    pub statistics: Statistics,
    pub at: Parameters,
}

impl<'a> SelectionModel<'a> {
    /// The model of `data`.
    ///
    /// # Errors
    /// As [`Gram::of`].
    pub fn new(
        data: &'a Data<'a>,
        layout: &'a Layout,
        how: &Integration,
        threads: usize,
    ) -> Result<Self> {
        Ok(SelectionModel {
            data,
            coordinates: Coordinates::new(layout),
            gram: Gram::of(data, layout, threads)?,
            how: *how,
            threads,
        })
    }

    /// Runs from `start` until `settings` are met.
    ///
    /// # Errors
    /// Those of the first E-step.
    pub fn run(
        &mut self,
        start: Parameters,
        settings: &Settings,
        monitor: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Outcome<Point, Expectation>> {
        let start = Point {
            parameters: start,
            expanded: None,
        };
        em::run(self, start, settings, monitor)
    }
}

impl Model for SelectionModel<'_> {
    type Params = Point;
    type Stats = Expectation;

    fn expect(&mut self, point: &Point) -> Result<Expectation> {
        let at = point.parameters.clone();
        let layout = self.coordinates.layout();
        let statistics = expect(self.data, layout, &at, &self.how, self.threads)?;
        Ok(Expectation { statistics, at })
    }

    fn maximize(&mut self, expectation: &Expectation, _: &Point) -> Result<Point> {
        let Expectation { statistics, at } = expectation;
        let layout = self.coordinates.layout();
        let expanded = maximize(statistics, &self.gram, layout, at)?;
        Ok(Point {
            parameters: expanded.reduce(),
            expanded: Some(expanded),
        })
    }

    fn objective(&self, expectation: &Expectation) -> f64 {
        expectation.statistics.log_likelihood
    }

    /// In the expanded model where the point comes from it: then the bound of the trace holds for PX-EM.
    fn complete_objective(&self, expectation: &Expectation, point: &Point) -> Option<f64> {
        let Expectation { statistics, at } = expectation;
        let plain = || Expanded {
            coefficients: point.parameters.coefficients.clone(),
            sigma: point.parameters.omega.clone(),
        };
        // Where the E-step was made there is no expansion, whatever led there.
        let expanded = (point.expanded.clone()).filter(|_| point.parameters != *at);
        let to = expanded.unwrap_or_else(plain);
        let layout = self.coordinates.layout();
        let q = complete_log_likelihood(statistics, &self.gram, layout, at, &to);
        q.is_finite().then_some(q)
    }

    /// The unconstrained coordinates w.
    fn flatten(&self, point: &Point) -> Option<Vec<f64>> {
        self.coordinates.locate(&point.parameters).ok()
    }

    fn unflatten(&self, coordinates: &[f64], _: &Point) -> Option<Point> {
        let parameters = self.coordinates.parameters(coordinates).ok()?;
        Some(Point {
            parameters,
            expanded: None,
        })
    }
}
