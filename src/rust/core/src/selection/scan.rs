//! Walks along the correlation of the errors of one equation.
//!
//! At every correlation the likelihood has one maximum ([`super::equation`]). So a walk along τ = atanh ρ sees every local
//! maximum of the equation's likelihood, and whether it still rises where |ρ| runs to 1.

use nalgebra::DVector;

use super::equation::{Equation, Point, CLOSE};
use crate::em::Flow;
use crate::error::{Error, Result};

/// Steps of τ = atanh ρ along the walk.
const STRIDE: f64 = 0.33;

/// The walk goes at least this far: |ρ| = .9999.
const REACH: f64 = 4.95;

/// Where a likelihood that still rises is called one without a maximum: 1 − |ρ| = 5e-7.
const FAR: f64 = 7.59;

/// Halvings of a stride whose ends do not tell what is between.
const MAX_HALVINGS: usize = 4;

/// Parts of a stride in which its ends are asked about extrema.
const LOOKS: usize = 16;

/// Rounds of the search for a maximum between two points of the walk.
const MAX_ROUNDS: usize = 40;

/// What the walk saw.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    /// In the order of τ.
    pub points: Vec<Point>,
    /// Local maxima, the highest first.
    pub maxima: Vec<Point>,
    /// Ends towards which the likelihood rises.
    pub rising: Vec<Point>,
}

impl Equation<'_> {
    /// Walks along τ both ways from 0, where γ is that of `probit`; `go_on` is asked after each point.
    ///
    /// # Errors
    /// [`Error::Degenerate`] when there is no maximum at ρ = 0, [`Error::Interrupted`].
    pub(super) fn walk(
        &self,
        probit: &DVector<f64>,
        go_on: &mut dyn FnMut() -> Flow,
    ) -> Result<Walk> {
        let middle = self.uncorrelated(probit)?;
        let mut points = vec![middle.clone()];
        let mut rising = Vec::new();
        for side in [-1.0, 1.0] {
            let end = self.walk_towards(side, &middle, &mut points, go_on)?;
            rising.extend(end);
        }
        points.sort_by(|a, b| a.tau.total_cmp(&b.tau));
        let mut maxima = Vec::new();
        for k in 1..points.len() {
            if points[k - 1].slope > 0.0 && points[k].slope <= 0.0 {
                maxima.push(self.between(&points[k - 1], &points[k])?);
            }
        }
        maxima.sort_by(|a, b| b.log_likelihood.total_cmp(&a.log_likelihood));
        Ok(Walk {
            points,
            maxima,
            rising,
        })
    }

    /// Walks to one side; the last point if the likelihood still rises there.
    fn walk_towards(
        &self,
        side: f64,
        middle: &Point,
        points: &mut Vec<Point>,
        go_on: &mut dyn FnMut() -> Flow,
    ) -> Result<Option<Point>> {
        let mut here = middle.clone();
        loop {
            let out = here.tau.abs();
            let rises = side * here.slope > 0.0;
            if out >= FAR || (out >= REACH && !rises) {
                return Ok(rises.then_some(here));
            }
            if go_on() == Flow::Stop {
                return Err(Error::Interrupted);
            }
            // So far out that the arithmetic ends: what the last point says, it says of the limit.
            let Ok(next) = self.follow(&here, here.tau + side * STRIDE) else {
                return Ok(rises.then_some(here));
            };
            self.fill(&here, &next, MAX_HALVINGS, points)?;
            points.push(next.clone());
            here = next;
        }
    }

    /// Adds points between two whose slopes and curvatures foretell more extrema in between than they show.
    fn fill(&self, a: &Point, b: &Point, halvings: usize, points: &mut Vec<Point>) -> Result<()> {
        let shown = usize::from((a.slope > 0.0) != (b.slope > 0.0));
        if halvings == 0 || turns(a, b) == shown {
            return Ok(());
        }
        let middle = self.follow(a, 0.5 * (a.tau + b.tau))?;
        self.fill(a, &middle, halvings - 1, points)?;
        self.fill(&middle, b, halvings - 1, points)?;
        points.push(middle);
        Ok(())
    }

    /// The maximum between a point where the likelihood rises and one where it falls.
    fn between(&self, rising: &Point, falling: &Point) -> Result<Point> {
        let (mut low, mut high) = (rising.clone(), falling.clone());
        for _ in 0..MAX_ROUNDS {
            let best = if low.log_likelihood >= high.log_likelihood {
                &low
            } else {
                &high
            };
            if best.curvature < 0.0 && best.slope * best.slope <= -CLOSE * best.curvature {
                return Ok(best.clone());
            }
            let newton = best.tau - best.slope / best.curvature;
            let margin = 1e-3 * (high.tau - low.tau);
            let inside = newton > low.tau + margin && newton < high.tau - margin;
            let near = newton > low.tau && newton < high.tau && best.curvature < 0.0;
            let tau = if inside || near {
                newton
            } else {
                0.5 * (low.tau + high.tau)
            };
            let next = self.follow(best, tau)?;
            if next.slope > 0.0 {
                low = next;
            } else {
                high = next;
            }
        }
        Ok(if low.slope.abs() < high.slope.abs() {
            low
        } else {
            high
        })
    }
}

/// Extrema between two points if the slope were a cubic there.
fn turns(a: &Point, b: &Point) -> usize {
    let width = b.tau - a.tau;
    let slope = |t: f64| {
        let s = 1.0 - t;
        let ends = (1.0 + 2.0 * t) * s * s * a.slope + (3.0 - 2.0 * t) * t * t * b.slope;
        ends + width * (t * s * s * a.curvature - t * t * s * b.curvature)
    };
    let signs: Vec<bool> = (0..=LOOKS)
        .map(|k| slope(k as f64 / LOOKS as f64) > 0.0)
        .collect();
    signs.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::super::data::Data;
    use super::super::equation::{Estimates, LOG_ROOT_TWO_PI};
    use super::super::examples::Example;
    use super::super::layout::Layout;
    use super::*;
    use crate::normal::univariate::log_cdf;

    /// The log-likelihood of a single equation in its textbook form.
    fn log_likelihood(data: &Data, at: &Estimates) -> f64 {
        let predictor = |component: usize, slopes: &[f64], i: usize| -> f64 {
            let columns = slopes.iter().enumerate();
            columns
                .map(|(k, b)| b * data.column(component, k, i..i + 1)[0])
                .sum()
        };
        let rows = (0..data.n).map(|i| {
            let m = predictor(1, &at.selection, i);
            let row = if data.is_selected(i, 0) {
                let u = (data.response[i] - predictor(0, &at.outcome, i)) / at.sigma;
                let a = (m + at.rho * u) / (1.0 - at.rho * at.rho).sqrt();
                log_cdf(a) - 0.5 * u * u - LOG_ROOT_TWO_PI - at.sigma.ln()
            } else {
                log_cdf(-m)
            };
            data.weight(i) * row
        });
        rows.sum()
    }

    fn walk(data: &Data, layout: &Layout) -> Result<Walk> {
        let zero = DVector::zeros(layout.kept(1).len());
        Equation::of(data, layout, 0).walk(&zero, &mut || Flow::Continue)
    }

    #[test]
    fn a_walk_profiles_the_textbook_likelihood() {
        let mut example = Example::new(1, 400);
        let weights = (0..400).map(|i| 0.5 + f64::from(i % 3)).collect();
        example.weights = Some(weights);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let equation = Equation::of(&data, &layout, 0);
        let walk = walk(&data, &layout).unwrap();
        assert!(walk.points.len() >= 31);
        assert!(walk.points[0].tau.tanh() < -0.9998);
        for point in walk.points.iter().step_by(5) {
            let at = equation.estimates(point);
            let value = log_likelihood(&data, &at);
            assert!((point.log_likelihood - value).abs() < 1e-9 * value.abs());
            // A maximum: every move of a coefficient lowers it.
            for (k, step) in [(0, 1e-3), (1, -1e-3), (2, 1e-3)] {
                let mut moved = at.clone();
                moved.outcome[k] += step;
                assert!(log_likelihood(&data, &moved) < value);
                let mut moved = at.clone();
                moved.selection[k] += step;
                assert!(log_likelihood(&data, &moved) < value);
            }
            let value = |tau: f64| equation.follow(point, tau).unwrap();
            let (above, below) = (value(point.tau + 1e-3), value(point.tau - 1e-3));
            let slope = (above.log_likelihood - below.log_likelihood) / 2e-3;
            assert!((slope - point.slope).abs() < 1e-3 * (1.0 + slope.abs()));
            let curvature = (above.slope - below.slope) / 2e-3;
            assert!((curvature - point.curvature).abs() < 1e-3 * (1.0 + curvature.abs()));
        }
        assert_eq!(walk.maxima.len(), 1);
        let best = &walk.maxima[0];
        assert!(best.slope.abs() < 1e-4);
        assert!(walk
            .points
            .iter()
            .all(|p| p.log_likelihood <= best.log_likelihood + 1e-9));
    }

    #[test]
    fn a_likelihood_that_rises_to_the_end_is_seen() {
        // Selected where the outcome itself is positive: a tobit model, ρ = 1.
        let mut example = Example::new(1, 300);
        example.designs[1] = example.designs[0].clone();
        for i in 0..300 {
            let error = ((i * 37 % 300) as f64 + 0.5) / 150.0 - 1.0;
            let x: Vec<f64> = example.designs[0].chunks_exact(300).map(|x| x[i]).collect();
            let y = 0.2 + x[1] - 0.5 * x[2] + error;
            example.selected[i] = i32::from(y > 0.0);
            example.response[i] = y;
        }
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let walk = walk(&data, &layout).unwrap();
        let end = walk.rising.iter().find(|end| end.tau > REACH).unwrap();
        let highest = |p: &Point| p.log_likelihood <= end.log_likelihood;
        assert!(walk.points.iter().all(highest));
    }

    #[test]
    fn an_outcome_without_error_is_named() {
        let mut exact = Example::new(1, 100);
        for i in 0..100 {
            exact.response[i] = 1.0 + exact.designs[0][100 + i];
        }
        let data = exact.data();
        let layout = Layout::of(&data).unwrap();
        match walk(&data, &layout) {
            Err(Error::Degenerate { component, message }) => {
                assert!(
                    component == 1 && message.contains("without error"),
                    "{message}"
                );
            }
            other => panic!("expected a degenerate equation, got {other:?}"),
        }
    }
}
