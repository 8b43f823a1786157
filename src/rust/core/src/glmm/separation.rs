//! Separation: fixed effects that go to infinity.
//!
//! If for some direction d of β every row that is at the edge of its range (a binomial row without successes or
//! failures, a count of zero) has xᵀd on its own side or zero, and every other row has xᵀd = 0, then the likelihood
//! rises along d for ever, whatever the random effects are: no finite estimate exists (Albert and Anderson 1984,
//! Biometrika 71, 1-10). Fisher scoring runs along such a direction, so its last steps are candidates, and the
//! conditions above prove one.

use nalgebra::DVector;

use super::family::{Distribution, Link};
use super::independent::fixed_predictor;
use super::problem::Problem;
use crate::mixed::rows::Rows;

/// xᵀd counts as zero below this part of the largest.
const ZERO: f64 = 1e-3;

/// A row on the way to infinity moves at least this far along the last step.
const MOVES: f64 = 1e-6;

/// A direction along which the likelihood rises for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Separation {
    /// The direction, for the columns kept; its largest xᵀd is 1.
    pub direction: DVector<f64>,
    /// Positions among the columns kept of the coefficients that have no finite estimate.
    pub coefficients: Vec<usize>,
    /// Rows that it predicts perfectly.
    pub rows: usize,
    /// Whether these are all rows.
    pub complete: bool,
}

impl Separation {
    /// What there is to say.
    pub(super) fn message(&self) -> String {
        let rows = if self.complete {
            "all rows".into()
        } else {
            format!("{} rows", self.rows)
        };
        format!("the fixed effects predict {rows} perfectly, so some coefficients have no finite estimate")
    }
}

/// Where a row's η may go for ever while its likelihood rises.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Edge {
    Up,
    Down,
    /// Nowhere.
    Inside,
}

/// Looks for separation along the path of Fisher scoring.
pub(super) fn separation(problem: &Problem, path: &[DVector<f64>]) -> Option<Separation> {
    let last = path.last()?;
    let previous = path.get(path.len().checked_sub(2)?)?;
    let rows = problem.rows;
    let without_offset = Rows {
        offset: None,
        ..rows.clone()
    };
    let moves = |direction: &DVector<f64>| {
        fixed_predictor(&without_offset, &problem.basis().kept, direction.as_slice())
    };
    let step = last - previous;
    let moved = moves(&step);
    let reach = moved.iter().fold(0.0, |reach: f64, m| reach.max(m.abs()));
    if !(reach >= MOVES && reach.is_finite()) {
        return None;
    }
    let halfway = &path[path.len() / 2];
    for direction in [step, last - halfway, last.clone()] {
        let along = moves(&direction);
        if let Some(found) = proven(problem, direction, &along) {
            return Some(found);
        }
    }
    None
}

/// The separation along a direction, if it is one.
fn proven(problem: &Problem, direction: DVector<f64>, along: &[f64]) -> Option<Separation> {
    let reach = along.iter().fold(0.0, |reach: f64, m| reach.max(m.abs()));
    if !(reach > 0.0 && reach.is_finite()) {
        return None;
    }
    let zero = ZERO * reach;
    let mut separated = 0;
    for (i, &m) in along.iter().enumerate() {
        let allowed = match edge(problem, i) {
            Edge::Up => m >= -zero,
            Edge::Down => m <= zero,
            Edge::Inside => m.abs() <= zero,
        };
        if !allowed {
            return None;
        }
        separated += usize::from(m.abs() > zero);
    }
    let direction = direction / reach;
    Some(Separation {
        coefficients: (0..direction.len())
            .filter(|&j| direction[j].abs() * size(problem, j) > ZERO)
            .collect(),
        direction,
        rows: separated,
        complete: separated == along.len(),
    })
}

/// The edge at which a row is.
fn edge(problem: &Problem, row: usize) -> Edge {
    let y = problem.rows.response[row];
    match (problem.family.distribution(), problem.family.link()) {
        (Distribution::Binomial, Link::Log) if y == 0.0 => Edge::Down,
        (Distribution::Binomial, Link::Log) => Edge::Inside,
        (Distribution::Binomial, _) if y == 0.0 => Edge::Down,
        (Distribution::Binomial, _) if y == 1.0 => Edge::Up,
        (Distribution::Poisson | Distribution::NegativeBinomial, Link::Log) if y == 0.0 => {
            Edge::Down
        }
        _ => Edge::Inside,
    }
}

/// The largest |x| of a column kept.
fn size(problem: &Problem, position: usize) -> f64 {
    let mut unit = vec![0.0; problem.fixed_columns()];
    unit[position] = 1.0;
    let rows = Rows {
        offset: None,
        ..problem.rows.clone()
    };
    let column = fixed_predictor(&rows, &problem.basis().kept, &unit);
    column.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}
