//! Points where climbs ended: which are the same, and which is the answer.

use super::ascent::Reached;
use super::coordinates::Coordinates;
use super::layout::{Layout, Parameters};
use crate::em::Status;
use crate::error::{Error, Result};
use crate::linalg;

/// Log-likelihoods of one mode, climbed to twice, differ by less.
const SAME_LOG_LIKELIHOOD: f64 = 0.01;

/// Estimates of one mode, climbed to twice, differ by less, in standard errors.
const SAME_ESTIMATES: f64 = 0.2;

/// The smallest eigenvalue of the correlation matrix below which it is singular for all that can be said.
pub(super) const SINGULAR: f64 = 1e-6;

/// What a mode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Maximum,
    /// Stationary, but the likelihood rises in some direction.
    Saddle,
    /// The likelihood rises towards a singular correlation matrix, which it never reaches.
    Boundary,
}

impl Kind {
    /// The word that R shows.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Maximum => "maximum",
            Kind::Saddle => "saddle",
            Kind::Boundary => "boundary",
        }
    }
}

/// A mode of the likelihood; of a boundary, the last point on the way there.
#[derive(Debug, Clone)]
pub struct Mode {
    pub parameters: Parameters,
    pub log_likelihood: f64,
    pub kind: Kind,
    /// √(g'I⁻¹g): how many standard errors the estimates are from stationary.
    pub decrement: f64,
    /// Starts that led here.
    pub hits: usize,
}

/// The end of one or more climbs.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub reached: Reached,
    pub hits: usize,
}

/// Ends of climbs that are distinct, the highest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates(pub Vec<Candidate>);

impl Candidates {
    /// Adds the end of a climb from `hits` starts.
    pub(super) fn add(&mut self, layout: &Layout, reached: Reached, hits: usize) {
        let same = self
            .0
            .iter_mut()
            .find(|known| is_same(layout, &known.reached, &reached));
        match same {
            Some(known) => {
                known.hits += hits;
                if reached.log_likelihood > known.reached.log_likelihood {
                    known.reached = reached;
                }
            }
            None => self.0.push(Candidate { reached, hits }),
        }
        let height = |one: &Candidate| one.reached.log_likelihood;
        self.0.sort_by(|a, b| height(b).total_cmp(&height(a)));
    }

    /// Adds the end of a climb, unless the likelihood is undefined where it started.
    ///
    /// # Errors
    /// Errors that no other start would avoid.
    pub(super) fn try_add(
        &mut self,
        layout: &Layout,
        climbed: Result<Reached>,
        hits: usize,
    ) -> Result<()> {
        match climbed {
            Ok(reached) => self.add(layout, reached, hits),
            Err(error @ (Error::Argument { .. } | Error::Interrupted)) => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    /// Whether the user stopped one.
    pub(super) fn interrupted(&self) -> bool {
        let mut all = self.0.iter();
        all.any(|one| one.reached.status == Status::Interrupted)
    }
}

/// Whether two climbs ended at the same place.
pub(super) fn is_same(layout: &Layout, a: &Reached, b: &Reached) -> bool {
    if (a.log_likelihood - b.log_likelihood).abs() > SAME_LOG_LIKELIHOOD {
        return false;
    }
    if is_singular(&a.parameters) && is_singular(&b.parameters) {
        return true;
    }
    distance(layout, a, b).is_ok_and(|distance| distance < SAME_ESTIMATES)
}

/// The distance of two ends in standard errors.
fn distance(layout: &Layout, a: &Reached, b: &Reached) -> Result<f64> {
    let coordinates = Coordinates::new(layout);
    let (from, to) = (
        coordinates.locate(&a.parameters)?,
        coordinates.locate(&b.parameters)?,
    );
    let step = nalgebra::DVector::from_iterator(
        from.len(),
        from.iter().zip(&to).map(|(from, to)| to - from),
    );
    Ok(step.dot(&(&a.information * &step)).max(0.0).sqrt())
}

/// The smallest eigenvalue of the correlation matrix; 0 where it cannot be computed.
pub(super) fn smallest_eigenvalue(parameters: &Parameters) -> f64 {
    let omega = &parameters.omega;
    let roots = omega.diagonal().map(f64::sqrt);
    let correlation = omega.map_with_location(|i, j, value| value / (roots[i] * roots[j]));
    linalg::symmetric_eigen(&correlation).map_or(0.0, |(values, _)| values.min())
}

/// Whether the correlation matrix is singular for all that can be said.
pub(super) fn is_singular(parameters: &Parameters) -> bool {
    smallest_eigenvalue(parameters) < SINGULAR
}
