//! The last evaluations of the EM map, in coordinates.

use std::collections::VecDeque;

/// A point and its image under the EM map.
#[derive(Debug, Clone)]
pub(super) struct Evaluation {
    pub point: Vec<f64>,
    pub image: Vec<f64>,
}

impl Evaluation {
    /// image − point: the EM step.
    pub fn residual(&self) -> Vec<f64> {
        difference(&self.image, &self.point)
    }
}

/// Differences of points smaller than this many units in the last place carry no information on a rate.
const NOISE_ULPS: f64 = 1e3;

/// Residuals within this many units in the last place are zero.
const FIXED_ULPS: f64 = 4.0;

/// A window of evaluations, newest last, and the unit of every coordinate.
///
/// The unit is the longest EM step the coordinate has made in this run, so that norms, and with them every
/// step length, do not depend on the units of the data.
#[derive(Debug)]
pub(super) struct History {
    evaluations: VecDeque<Evaluation>,
    capacity: usize,
    units: Vec<f64>,
}

impl History {
    pub fn new(capacity: usize) -> Self {
        History {
            evaluations: VecDeque::with_capacity(capacity + 1),
            capacity,
            units: Vec::new(),
        }
    }

    /// Adds an evaluation; a missing, non-finite or differently long one empties the window.
    pub fn record(&mut self, point: Option<Vec<f64>>, image: Option<Vec<f64>>) {
        let (Some(point), Some(image)) = (point, image) else {
            return self.evaluations.clear();
        };
        let finite = |x: &[f64]| x.iter().all(|value| value.is_finite());
        if point.len() != image.len() || !finite(&point) || !finite(&image) {
            return self.evaluations.clear();
        }
        if self.units.len() != point.len() {
            self.evaluations.clear();
            self.units = vec![0.0; point.len()];
        }
        let evaluation = Evaluation { point, image };
        for (unit, step) in self.units.iter_mut().zip(evaluation.residual()) {
            *unit = unit.max(step.abs());
        }
        self.evaluations.push_back(evaluation);
        if self.evaluations.len() > self.capacity {
            self.evaluations.pop_front();
        }
    }

    /// The evaluations, oldest first.
    pub fn evaluations(&self) -> &VecDeque<Evaluation> {
        &self.evaluations
    }

    /// The last two evaluations, oldest first.
    pub fn last_two(&self) -> Option<(&Evaluation, &Evaluation)> {
        match self.evaluations.len() {
            0 | 1 => None,
            n => Some((&self.evaluations[n - 2], &self.evaluations[n - 1])),
        }
    }

    /// A vector in units of the coordinates; a coordinate that never moved counts nothing.
    pub fn scaled<'a>(&'a self, x: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        x.iter()
            .zip(&self.units)
            .map(|(value, unit)| if *unit > 0.0 { value / unit } else { 0.0 })
    }

    /// Euclidean norm in units of the coordinates.
    pub fn norm(&self, x: &[f64]) -> f64 {
        self.scaled(x)
            .map(|value| value * value)
            .sum::<f64>()
            .sqrt()
    }

    /// ‖F(b) − F(a)‖ / ‖b − a‖ over the last two points: a lower estimate of the map's largest eigenvalue.
    ///
    /// `None` when the points are too close for the ratio to rise above rounding.
    pub fn secant_rate(&self) -> Option<f64> {
        let (a, b) = self.last_two()?;
        let step = self.norm(&difference(&b.point, &a.point));
        let noise = NOISE_ULPS * f64::EPSILON * self.norm(&b.point);
        (step > noise).then(|| self.norm(&difference(&b.image, &a.image)) / step)
    }

    /// The newest EM step changes no coordinate beyond rounding.
    pub fn at_fixed_point(&self) -> bool {
        self.evaluations.back().is_some_and(|last| {
            last.point
                .iter()
                .zip(&last.image)
                .all(|(x, y)| (x - y).abs() <= FIXED_ULPS * f64::EPSILON * x.abs())
        })
    }

    /// Largest change of a coordinate in the newest EM step, relative to 1 + its size.
    pub fn relative_step(&self) -> Option<f64> {
        self.evaluations.back().map(|last| {
            last.point
                .iter()
                .zip(&last.image)
                .map(|(x, y)| (y - x).abs() / (1.0 + x.abs()))
                .fold(0.0, f64::max)
        })
    }
}

/// b − a.
pub(super) fn difference(b: &[f64], a: &[f64]) -> Vec<f64> {
    b.iter().zip(a).map(|(b, a)| b - a).collect()
}
