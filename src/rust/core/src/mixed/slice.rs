//! The criterion with one natural parameter held: what a profile minimises at each of its points.
//!
//! A full point is every element of θ, log σ, and the logarithms of the dispersion ratios. Effects of the block
//! that holds the profiled one are reordered so that the standard deviation (correlation) in question is the
//! first (are the first two) row of Λ: then it is one entry, θ = s/σ, or the direction of one row,
//! (ρ, √(1 - ρ²)) w. The reordering changes ΛΛᵀ in nothing, so the criterion is the same.

use nalgebra::{DMatrix, DVector};

use super::criterion::{Known, Problem};
use super::cross_products::CrossProducts;
use super::factor::Factor;
use super::order::Order;
use super::scale::Scales;
use super::structure::Structure;
use crate::error::Result;
use crate::optimize::Objective;

/// The row of a held correlation has vanished below this share of its unit.
const SHORT: f64 = 1e-3;

/// A natural parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// The standard deviation or correlation at the place of an element of θ.
    Random(usize),
    /// The residual standard deviation.
    Sigma,
    /// The ratio of the residual standard deviation of a dispersion group (from 1) to that of group 0.
    Dispersion(usize),
    /// A coefficient, by its place among the columns kept.
    Coefficient(usize),
}

/// What is held in a full point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Hold {
    Nothing,
    /// θ_k = value / σ.
    Deviation(usize, f64),
    /// (θ_along, θ_across) = (±value, √(1 - value²)) w, with the sign of θ_first w.
    Correlation {
        first: usize,
        along: usize,
        across: usize,
        value: f64,
    },
    /// σ.
    Sigma(f64),
    /// What has its logarithm that far behind log σ, such as the ratio of a dispersion group.
    Ratio(usize, f64),
    /// An element itself.
    Value(usize, f64),
}

/// A criterion by (θ in some order of effects, log σ, others): what a slice is cut from.
pub(crate) trait Sliced {
    /// The free entries of Λ in that order.
    fn structure(&self) -> &Structure;

    /// √ of the mean of zᵀWz over the levels, for each term and row of Λ_t.
    fn scales(&self) -> &Scales;

    /// A large change of an element behind θ; of logarithms it is 1.
    fn unit(&self, _place: usize) -> f64 {
        1.0
    }

    /// The criterion at a full point.
    fn criterion(&mut self, full: &[f64]) -> Result<f64>;

    /// The gradient at the full point of the last criterion, each element moved alone.
    fn differentiate(&mut self, full: &[f64], gradient: &mut [f64]) -> Result<()>;
}

/// A linear mixed model whose σ is set anew for every point; nothing else is known to it.
pub(super) struct Explicit<'a> {
    problem: Problem<'a>,
    factor: Factor,
    scales: Scales,
}

impl Explicit<'_> {
    /// θ and the log ratios, the coordinates of the problem.
    fn inner(&self, full: &[f64]) -> Vec<f64> {
        let (theta, rest) = full.split_at(self.problem.structure.parameters());
        theta.iter().chain(&rest[1..]).copied().collect()
    }
}

impl Sliced for Explicit<'_> {
    fn structure(&self) -> &Structure {
        self.problem.structure
    }

    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn criterion(&mut self, full: &[f64]) -> Result<f64> {
        let thetas = self.problem.structure.parameters();
        self.problem.known.sigma = Some(full[thetas].exp());
        let inner = self.inner(full);
        self.problem.criterion(&mut self.factor, &inner)
    }

    fn differentiate(&mut self, full: &[f64], gradient: &mut [f64]) -> Result<()> {
        let thetas = self.problem.structure.parameters();
        let inner = self.inner(full);
        let mut by_inner = vec![0.0; inner.len()];
        self.problem
            .gradient(&mut self.factor, &inner, &mut by_inner)?;
        gradient[..thetas].copy_from_slice(&by_inner[..thetas]);
        gradient[thetas + 1..].copy_from_slice(&by_inner[thetas..]);
        let sigma = full[thetas].exp();
        let df = self.problem.degrees_of_freedom();
        gradient[thetas] = 2.0 * (df - self.factor.penalized_rss() / (sigma * sigma));
        Ok(())
    }
}

/// The criterion over the elements of a full point that are not held.
pub(crate) struct Slice<M> {
    pub model: M,
    /// Places in θ and the known standard deviations there.
    known: Vec<(usize, f64)>,
    sigma_known: bool,
    hold: Hold,
    /// Elements of the full point that are coordinates.
    free: Vec<usize>,
    /// The full point of the last value.
    full: Vec<f64>,
    full_gradient: Vec<f64>,
    /// An approximate Hessian for the first step, used once.
    pub start_hessian: Option<Vec<f64>>,
}

impl<'a> Slice<Explicit<'a>> {
    /// A slice of `problem` with other statistics (those without a profiled column) and effects in `order`.
    /// `factor` was made for these statistics.
    pub(super) fn new(
        problem: &Problem,
        statistics: &'a CrossProducts,
        order: &'a Order,
        factor: Factor,
        full: Vec<f64>,
    ) -> Result<Self> {
        let explicit = Known {
            sigma: Some(1.0),
            deviations: Vec::new(),
        };
        let known = problem.known.deviations.iter().filter_map(|deviation| {
            let at = (deviation.term, deviation.index, deviation.index);
            let entries = problem.structure.entries.iter();
            let place = { entries }.position(|e| (e.term, e.row, e.column) == at);
            place.map(|place| (place, deviation.sd))
        });
        let known = known.collect();
        let inner = Problem::new(statistics, &order.structure, problem.reml, explicit)?;
        let model = Explicit {
            scales: Scales::of(&inner),
            problem: inner,
            factor,
        };
        Ok(Slice::of(model, known, problem.known.sigma.is_some(), full))
    }

    pub(super) fn coefficients(&self) -> DVector<f64> {
        self.model.factor.coefficients()
    }

    /// Unscaled covariance of the coefficients at the last value.
    pub(super) fn coefficient_covariance(&self) -> DMatrix<f64> {
        self.model.factor.coefficient_covariance()
    }

    /// Ratios of all dispersion groups at the last value.
    pub(super) fn ratios(&self) -> Vec<f64> {
        let logs = &self.full[self.thetas() + 1..];
        std::iter::once(1.0)
            .chain(logs.iter().map(|log| log.exp()))
            .collect()
    }
}

impl<M: Sliced> Slice<M> {
    /// A slice at a full point, with nothing held. `known` are places in θ with their standard deviations.
    pub(crate) fn of(
        model: M,
        known: Vec<(usize, f64)>,
        sigma_known: bool,
        full: Vec<f64>,
    ) -> Self {
        let mut slice = Slice {
            model,
            known,
            sigma_known,
            hold: Hold::Nothing,
            free: Vec::new(),
            full_gradient: vec![0.0; full.len()],
            full,
            start_hessian: None,
        };
        slice.hold(Hold::Nothing);
        slice
    }

    /// Holds something else; the coordinates are those of the last full point.
    pub(crate) fn hold(&mut self, hold: Hold) {
        self.hold = hold;
        let thetas = self.thetas();
        let held = |k: usize| match hold {
            Hold::Nothing => false,
            Hold::Deviation(place, _) => k == place,
            Hold::Correlation { along, .. } => k == along,
            Hold::Sigma(_) => k == thetas,
            Hold::Ratio(group, _) => k == thetas + group,
            Hold::Value(place, _) => k == place,
        };
        self.free = (0..self.full.len())
            .filter(|&k| {
                let known = self.known.iter().any(|(place, _)| *place == k)
                    || self.sigma_known && k == thetas;
                !known && !held(k)
            })
            .collect();
    }

    /// Goes back to a full point, with nothing held.
    pub(crate) fn restore(&mut self, full: &[f64]) {
        self.full.copy_from_slice(full);
        self.hold(Hold::Nothing);
    }

    /// The element of θ by which one of the two effects of a held correlation has all but vanished: the
    /// criterion has an edge there, over which no minimiser goes.
    pub(crate) fn vanishing(&self) -> Option<usize> {
        let Hold::Correlation { first, across, .. } = self.hold else {
            return None;
        };
        let short = |&place: &usize| {
            self.free.contains(&place) && self.length(place) < SHORT * self.unit(place, 0.0)
        };
        [across, first].into_iter().find(short)
    }

    /// Lets an effect of a held correlation vanish for good.
    pub(crate) fn vanish(&mut self, place: usize) {
        self.free.retain(|&k| k != place);
        self.full[place] = 0.0;
        match self.hold {
            Hold::Correlation { along, across, .. } if place == across => self.full[along] = 0.0,
            _ => {}
        }
    }

    /// The length of the row of Λ that a coordinate stands for, as far as it is held.
    fn length(&self, place: usize) -> f64 {
        match self.hold {
            Hold::Correlation { along, across, .. } if place == across => {
                self.full[along].hypot(self.full[across])
            }
            _ => self.full[place].abs(),
        }
    }

    /// Goes back to a full point from before the row vanished.
    pub(crate) fn release(&mut self, full: &[f64]) {
        self.full.copy_from_slice(full);
        self.hold(self.hold);
    }

    /// How far an element of θ must go to be seen.
    fn unit(&self, place: usize, value: f64) -> f64 {
        let entry = self.structure().entries[place];
        self.model
            .scales()
            .of_row(entry.term, entry.row)
            .recip()
            .hypot(value)
    }

    /// Number of coordinates.
    pub(crate) fn dimensions(&self) -> usize {
        self.free.len()
    }

    /// The coordinates of the last full point. The two entries of a held correlation become the length of
    /// their row.
    pub(crate) fn coordinates(&self) -> Vec<f64> {
        let coordinate = |&k: &usize| match self.hold {
            // Away from the edge.
            Hold::Correlation { first, across, .. } if k == across || k == first => {
                let length = self.length(k).max(SHORT * self.unit(k, 0.0));
                length.copysign(self.full[k])
            }
            _ => self.full[k],
        };
        self.free.iter().map(coordinate).collect()
    }

    /// The full point of the last value.
    pub(crate) fn full(&self) -> &[f64] {
        &self.full
    }

    /// Λ's free entries in the order of the slice.
    pub(crate) fn structure(&self) -> &Structure {
        self.model.structure()
    }

    /// √ of the mean of zᵀWz over the levels, for each term and row of Λ_t.
    pub(crate) fn scales(&self) -> &Scales {
        self.model.scales()
    }

    /// The elements of θ of the last value.
    pub(crate) fn theta(&self) -> &[f64] {
        &self.full[..self.thetas()]
    }

    pub(crate) fn sigma(&self) -> f64 {
        self.full[self.thetas()].exp()
    }

    fn thetas(&self) -> usize {
        self.structure().parameters()
    }

    /// Fills in what is held or known.
    fn complete(&mut self, at: &[f64]) {
        let thetas = self.thetas();
        for (&k, &value) in self.free.iter().zip(at) {
            self.full[k] = value;
        }
        if let Hold::Sigma(sigma) = self.hold {
            self.full[thetas] = sigma.ln();
        }
        let sigma = self.full[thetas].exp();
        for &(place, sd) in &self.known {
            self.full[place] = sd / sigma;
        }
        match self.hold {
            Hold::Deviation(place, sd) => self.full[place] = sd / sigma,
            Hold::Correlation {
                first,
                along,
                across,
                value,
            } => {
                let length = self.full[across];
                self.full[along] = value * length.abs().copysign(self.full[first]);
                self.full[across] = complement(value) * length;
            }
            Hold::Ratio(group, ratio) => self.full[thetas + group] = ratio.ln(),
            Hold::Value(place, value) => self.full[place] = value,
            Hold::Nothing | Hold::Sigma(_) => {}
        }
    }

    /// Derivative by log σ with known standard deviations held, and a held one too.
    fn by_log_sigma(&self) -> f64 {
        let mut slope = self.full_gradient[self.thetas()];
        for &(place, _) in &self.known {
            slope -= self.full[place] * self.full_gradient[place];
        }
        if let Hold::Deviation(place, _) = self.hold {
            slope -= self.full[place] * self.full_gradient[place];
        }
        slope
    }

    /// Derivative of the minimum over the coordinates by the value held (the envelope theorem), at the last
    /// gradient. `None` where it is not one of the full point's.
    pub(crate) fn slope_of_held(&self) -> Option<f64> {
        match self.hold {
            Hold::Nothing => None,
            Hold::Deviation(place, _) => Some(self.full_gradient[place] / self.sigma()),
            Hold::Correlation {
                first,
                along,
                across,
                value,
            } => {
                let rest = complement(value);
                let length = self.full[along].hypot(self.full[across]);
                let along = self.full_gradient[along] * self.full[first].signum();
                let across = self.full_gradient[across] * self.full[across].signum();
                (rest > 0.0).then(|| length * (along - across * value / rest))
            }
            Hold::Sigma(sigma) => Some(self.by_log_sigma() / sigma),
            Hold::Ratio(group, ratio) => Some(self.full_gradient[self.thetas() + group] / ratio),
            Hold::Value(place, _) => Some(self.full_gradient[place]),
        }
    }
}

/// √(1 - ρ²).
fn complement(correlation: f64) -> f64 {
    ((1.0 - correlation) * (1.0 + correlation)).max(0.0).sqrt()
}

impl<M: Sliced> Objective for Slice<M> {
    fn value(&mut self, at: &[f64]) -> Result<f64> {
        self.complete(at);
        self.model.criterion(&self.full)
    }

    fn slope(&mut self, _: &[f64], gradient: &mut [f64]) -> Result<()> {
        self.model
            .differentiate(&self.full, &mut self.full_gradient)?;
        let thetas = self.thetas();
        for (slope, &k) in gradient.iter_mut().zip(&self.free) {
            *slope = match self.hold {
                Hold::Correlation {
                    first,
                    along,
                    across,
                    value,
                } if k == across => {
                    let turn = self.full[first].signum() * self.full[across].signum();
                    value * turn * self.full_gradient[along]
                        + complement(value) * self.full_gradient[across]
                }
                _ if k == thetas => self.by_log_sigma(),
                _ => self.full_gradient[k],
            };
        }
        Ok(())
    }

    fn curvature(&mut self, _: &[f64], hessian: &mut [f64]) -> bool {
        match self.start_hessian.take() {
            Some(start) if start.len() == hessian.len() => {
                hessian.copy_from_slice(&start);
                true
            }
            _ => false,
        }
    }

    fn units(&self, at: &[f64], units: &mut [f64]) {
        let thetas = self.thetas();
        for ((unit, &k), value) in units.iter_mut().zip(&self.free).zip(at) {
            *unit = if k < thetas {
                self.unit(k, *value)
            } else {
                self.model.unit(k)
            };
        }
    }
}
