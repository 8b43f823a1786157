//! The chain of one row: sweeps of the Gibbs sampler, and the moments of what they draw.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::gibbs::{Conditional, Sampler};
use crate::normal::truncated;
use crate::normal::univariate::mills;

/// Averages over a row's draws: E[e_U] and E[e_U e_U'] (column-major).
#[derive(Debug)]
pub struct Moments<'a> {
    pub mean: &'a [f64],
    pub second: &'a [f64],
}

/// Mean and central moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    pub mean: f64,
    pub second: f64,
    pub third: f64,
    pub fourth: f64,
}

/// The chain of the row at hand; rows of any pattern share its scratch space.
#[derive(Debug)]
pub struct Walker {
    /// Latent indices x'γ of the selections.
    index: Vec<f64>,
    /// E[e_U | e_O].
    centre: Vec<f64>,
    /// Fixed values near E[e_U], about which moments are taken: the part of E[e_k e_l] that these explain comes from
    /// the Rao-Blackwellised means.
    about: Vec<f64>,
    /// Conditional mean of each coordinate, less `about`, where the others are at `about`.
    intercept: Vec<f64>,
    /// e_U, less `about`.
    state: Vec<f64>,
    mean: Vec<f64>,
    second: Vec<f64>,
}

impl Walker {
    /// Room for J equations.
    pub fn new(equations: usize) -> Self {
        let room = || vec![0.0; 2 * equations];
        Walker {
            index: room(),
            centre: room(),
            about: room(),
            intercept: room(),
            state: room(),
            mean: room(),
            second: vec![0.0; 4 * equations * equations],
        }
    }

    /// Takes up a row: its observed errors e_O and the predictors of its selections.
    pub fn enter(&mut self, of: &Conditional, observed: &[f64], index: &[f64]) {
        let (d, first) = (of.drawn.len(), of.latent);
        self.index[..index.len()].copy_from_slice(index);
        of.centre(observed, &mut self.centre[..d]);
        self.about[..d].copy_from_slice(&self.centre[..d]);
        // Each selection under its own sign alone.
        for (j, (&sign, &scale)) in of.signs.iter().zip(&of.marginal_scales).enumerate() {
            let latent = self.index[j] + self.centre[first + j];
            self.about[first + j] += sign * scale * mills(sign * latent / scale);
        }
        for k in 0..d {
            let weights = &of.weights[k * d..][..d];
            let others = self.about.iter().zip(&self.centre).zip(weights);
            let shift: f64 = others
                .map(|((about, centre), w)| w * (about - centre))
                .sum();
            self.intercept[k] = self.centre[k] - self.about[k] + shift;
        }
    }

    /// Starts the chain anew, at the centre of the row's moments.
    pub fn begin(&mut self) {
        self.state.fill(0.0);
    }

    /// Puts the chain at hidden errors that were kept, in the order of `drawn`.
    pub fn resume(&mut self, errors: impl Iterator<Item = f64>) {
        let state = self.state.iter_mut().zip(&self.about);
        for ((state, about), error) in state.zip(errors) {
            *state = error - about;
        }
    }

    /// The hidden errors of the newest draw, in the order of `drawn`.
    pub fn errors(&self) -> impl Iterator<Item = f64> + '_ {
        let state = self.state.iter().zip(&self.about);
        state.map(|(state, about)| state + about)
    }

    /// Sweeps that leave no trace but the state.
    pub fn sweep(&mut self, of: &Conditional, sweeps: usize, rng: &mut ChaCha8Rng) {
        for _ in 0..sweeps {
            for k in 0..of.drawn.len() {
                self.redraw(of, k, rng);
            }
        }
    }

    /// Averages over `sweeps` sweeps.
    pub fn average(
        &mut self,
        of: &Conditional,
        sampler: Sampler,
        sweeps: usize,
        rng: &mut ChaCha8Rng,
    ) -> Moments<'_> {
        let d = of.drawn.len();
        self.mean[..d].fill(0.0);
        self.second[..d * d].fill(0.0);
        for _ in 0..sweeps {
            match sampler {
                Sampler::Collapsed => self.blackwellised_sweep(of, rng),
                Sampler::Full => {
                    self.sweep(of, 1, rng);
                    self.count_state(d);
                }
            }
        }
        self.uncentre(d, (sweeps as f64).recip());
        Moments {
            mean: &self.mean[..d],
            second: &self.second[..d * d],
        }
    }

    /// Moments of hidden error `k` (in the order of `drawn`) given the others.
    pub fn law(&self, of: &Conditional, k: usize) -> Law {
        let law = self.conditional(of, k).law(of.scales[k]);
        Law {
            mean: law.mean + self.about[k],
            ..law
        }
    }

    /// Draws hidden error `k` given the others.
    pub fn redraw(&mut self, of: &Conditional, k: usize, rng: &mut ChaCha8Rng) {
        self.state[k] = self.conditional(of, k).draw(of.scales[k], rng);
    }

    /// The law of coordinate k given the others.
    fn conditional(&self, of: &Conditional, k: usize) -> Univariate {
        let d = of.drawn.len();
        let others = of.weights[k * d..][..d].iter().zip(&self.state);
        let mean = self.intercept[k] + others.map(|(w, x)| w * x).sum::<f64>();
        match k.checked_sub(of.latent) {
            None => Univariate::Normal { mean },
            Some(j) => Univariate::Truncated {
                mean,
                offset: self.index[j] + self.about[k],
                sign: of.signs[j],
            },
        }
    }

    /// One sweep; the sums take the conditional moments of each coordinate, found just before it is drawn.
    fn blackwellised_sweep(&mut self, of: &Conditional, rng: &mut ChaCha8Rng) {
        let d = of.drawn.len();
        for k in 0..d {
            let law = self.conditional(of, k);
            let (mean, variance) = law.moments(of.scales[k]);
            self.mean[k] += mean;
            let sums = &mut self.second[k * d..][..d];
            for (sum, x) in sums.iter_mut().zip(&self.state) {
                *sum += mean * x;
            }
            sums[k] += mean * (mean - self.state[k]) + variance;
            self.state[k] = law.draw(of.scales[k], rng);
        }
    }

    /// Adds the state itself to the sums.
    fn count_state(&mut self, d: usize) {
        let state = &self.state[..d];
        for (k, x) in state.iter().enumerate() {
            self.mean[k] += x;
            let sums = self.second[k * d..][..d].iter_mut();
            sums.zip(state).for_each(|(sum, y)| *sum += x * y);
        }
    }

    /// From sums about `about` to averages about zero, symmetric.
    fn uncentre(&mut self, d: usize, scale: f64) {
        let about = &self.about;
        self.mean[..d].iter_mut().for_each(|x| *x *= scale);
        for k in 0..d {
            for l in 0..=k {
                let centred = 0.5 * scale * (self.second[k * d + l] + self.second[l * d + k]);
                let moment = centred
                    + self.mean[k] * about[l]
                    + about[k] * self.mean[l]
                    + about[k] * about[l];
                self.second[k * d + l] = moment;
                self.second[l * d + k] = moment;
            }
        }
        let means = self.mean[..d].iter_mut().zip(about);
        means.for_each(|(mean, about)| *mean += about);
    }
}

/// The law of one coordinate given the others, less `about`; its scale is that of the pattern.
#[derive(Debug, Clone, Copy)]
enum Univariate {
    Normal {
        mean: f64,
    },
    /// `offset` takes the coordinate to s*, which has the sign `sign`.
    Truncated {
        mean: f64,
        offset: f64,
        sign: f64,
    },
}

impl Univariate {
    fn moments(self, scale: f64) -> (f64, f64) {
        match self {
            Univariate::Normal { mean } => (mean, scale * scale),
            Univariate::Truncated { mean, offset, sign } => {
                let within = sign * (mean + offset) / scale;
                let ratio = mills(within);
                let variance = scale * scale * (1.0 - ratio * (ratio + within));
                (mean + sign * scale * ratio, variance)
            }
        }
    }

    fn law(self, scale: f64) -> Law {
        let square = scale * scale;
        match self {
            Univariate::Normal { mean } => Law {
                mean,
                second: square,
                third: 0.0,
                fourth: 3.0 * square * square,
            },
            Univariate::Truncated { mean, offset, sign } => {
                // The cumulants are the derivatives of log Φ, λ' = −λ(λ + a) for λ = φ/Φ, with 1 more for the second.
                let within = sign * (mean + offset) / scale;
                let ratio = mills(within);
                let sum = ratio + within;
                let first = -ratio * sum;
                let second = -first * sum - ratio * (1.0 + first);
                let third = -second * (sum + ratio) - 2.0 * first * (1.0 + first);
                let variance = 1.0 + first;
                Law {
                    mean: mean + sign * scale * ratio,
                    second: square * variance,
                    third: sign * scale * square * second,
                    fourth: square * square * (third + 3.0 * variance * variance),
                }
            }
        }
    }

    fn draw(self, scale: f64, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Univariate::Normal { mean } => mean + scale * rng.sample::<f64, _>(StandardNormal),
            Univariate::Truncated { mean, offset, sign } => {
                truncated::draw(mean + offset, scale, sign > 0.0, rng) - offset
            }
        }
    }
}
