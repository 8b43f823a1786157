//! How far the objective still is from its limit.
//!
//! Near the limit an EM step multiplies the error in direction i by λᵢ, so the objective lacks Σ cᵢ before it
//! and Σ cᵢλᵢ² after it, and the step gains δ = Σ cᵢ(1 − λᵢ²). With λ the largest rate, what is lacking after
//! the step is at most
//!
//! ```text
//! δ λ² / (1 − λ²)
//! ```
//!
//! which for plain EM is Aitken's estimate (Böhning et al. 1994, Annals of the Institute of Statistical
//! Mathematics 46, 373-388; McLachlan and Peel 2000, Finite Mixture Models, section 2.11). It holds after any EM
//! step, also one from an extrapolated point, if λ is known: λ is the largest of the last few secant rates
//! ‖F(b) − F(a)‖/‖b − a‖. Secants across an extrapolation point along the slow directions, those that a step
//! between neighbours may no longer show.

use std::collections::VecDeque;

use super::history::History;
use super::trace::Step;

/// Secant rates that are remembered.
const WINDOW: usize = 6;

/// Rates needed before the distance is believed.
const MIN_RATES: usize = 3;

/// While successive rates of plain EM rise by more than this part of 1 − λ, a slower direction is emerging.
const SETTLED: f64 = 0.02;

/// Objectives that differ by less than this many ulps are equal: the last bits of a long sum.
const FLOOR_ULPS: f64 = 4.0;

/// Changes of the objective up to this many ulps may be rounding.
const NOISE_ULPS: f64 = 1e4;

/// Iterations without a new highest objective, and with changes within noise, that make a standstill.
const STANDSTILL: usize = 10;

/// Change of the objective that rounding can explain.
pub(super) fn noise(objective: f64) -> f64 {
    NOISE_ULPS * f64::EPSILON * (1.0 + objective.abs())
}

/// What the steps so far say about the distance to the limit.
#[derive(Debug)]
pub(super) struct Convergence {
    rates: VecDeque<f64>,
    /// The newest rate, if it spans a plain EM step.
    plain_rate: Option<f64>,
    /// The newest gain of a plain EM step.
    plain_gain: Option<f64>,
    settled: bool,
    highest: f64,
    idle: usize,
    distance: f64,
}

impl Convergence {
    pub fn new(objective: f64) -> Self {
        Convergence {
            rates: VecDeque::with_capacity(WINDOW + 1),
            plain_rate: None,
            plain_gain: None,
            settled: false,
            highest: objective,
            idle: 0,
            distance: f64::NAN,
        }
    }

    /// Estimated distance of the objective (else of the parameters) to its limit; NaN while unknown.
    pub fn distance(&self) -> f64 {
        self.distance
    }

    /// Estimated rate λ of linear convergence; NaN while unknown.
    pub fn rate(&self) -> f64 {
        self.rates.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Takes in the newest step, its gain (`None` for a model without objective), and the map at its end.
    pub fn observe(&mut self, step: Step, gain: Option<f64>, objective: f64, history: &History) {
        let plain = step == Step::Em;
        let rate = history
            .secant_rate()
            .or_else(|| self.gain_rate(plain, gain, objective, history));
        if let Some(rate) = rate {
            self.settled = match (plain, self.plain_rate) {
                (true, Some(previous)) => rate - previous <= SETTLED * (1.0 - rate),
                _ => true,
            };
            self.rates.push_back(rate);
            if self.rates.len() > WINDOW {
                self.rates.pop_front();
            }
        }
        self.plain_rate = if plain { rate } else { None };
        self.plain_gain = if plain { gain } else { None };
        self.distance = match gain {
            Some(gain) if plain => {
                let floor = FLOOR_ULPS * f64::EPSILON * (1.0 + objective.abs());
                geometric_rest(gain.abs().max(floor), self.rate().powi(2))
            }
            Some(_) => f64::NAN,
            // The step from here is still to come, so it is part of the distance.
            None => history
                .relative_step()
                .map_or(f64::NAN, |step| step + geometric_rest(step, self.rate())),
        };
        if let Some(gain) = gain {
            let rises = objective > self.highest;
            self.highest = self.highest.max(objective);
            let still = !rises && gain.abs() <= noise(objective);
            self.idle = if still { self.idle + 1 } else { 0 };
        }
    }

    /// Whether the newest point may be called the limit.
    pub fn reached(&self, tol: f64, history: &History) -> bool {
        history.at_fixed_point()
            || self.idle >= STANDSTILL
            || (self.rates.len() >= MIN_RATES && self.settled && self.distance <= tol)
    }

    /// The rate from two gains in a row, for models without coordinates.
    fn gain_rate(
        &self,
        plain: bool,
        gain: Option<f64>,
        objective: f64,
        history: &History,
    ) -> Option<f64> {
        let (gain, previous) = (gain?, self.plain_gain?);
        let usable = plain && history.evaluations().is_empty() && previous > noise(objective);
        (usable && gain >= 0.0).then(|| (gain / previous).sqrt())
    }
}

/// Sum of the geometric series that follows `term`.
fn geometric_rest(term: f64, ratio: f64) -> f64 {
    if ratio < 1.0 {
        term * ratio / (1.0 - ratio)
    } else if ratio.is_nan() {
        f64::NAN
    } else {
        f64::INFINITY
    }
}
