//! Extrapolation of EM steps in the coordinates of [`Model::flatten`](super::Model::flatten).
//!
//! Near a maximum the EM map F is linear with eigenvalues in [0, 1): the fractions of information that are
//! missing. Extrapolation removes the slow directions. The driver keeps a proposal only if the objective at it
//! is no lower than at the point it starts from; otherwise it takes the EM step, which is already computed.
//!
//! * SQUAREM: from θ₀, θ₁ = F(θ₀), θ₂ = F(θ₁), with r = θ₁ − θ₀ and v = (θ₂ − θ₁) − r, the proposal is
//!   θ₀ + 2sr + s²v with s = ‖r‖/‖v‖ (scheme S3). s = 1 gives θ₂.
//!   Varadhan and Roland (2008), Scandinavian Journal of Statistics 35, 335-353.
//! * Anderson mixing: F(θ) − ΔF γ, with γ the least-squares solution of Δf γ ≈ f, f = F(θ) − θ.
//!   Walker and Ni (2011), SIAM Journal on Numerical Analysis 49, 1715-1735.

use nalgebra::{DMatrix, DVector};

use super::history::{difference, History};
use super::settings::Acceleration;
use super::trace::Step;

/// An extrapolated point.
#[derive(Debug)]
pub(super) struct Proposal {
    pub coordinates: Vec<f64>,
    pub step: Step,
}

/// SQUAREM's step length may first be this long; the bound doubles when reached and is divided by
/// [`STEP_SHRINK`] when refused.
const FIRST_STEP: f64 = 4.0;
const STEP_GROW: f64 = 2.0;
const STEP_SHRINK: f64 = 4.0;
const MIN_STEP: f64 = 2.0;

/// EM steps before a SQUAREM proposal: two damp the fast directions that the last extrapolation amplified.
const SQUAREM_STEPS: usize = 2;

/// The most iterations that Anderson mixing waits after proposals were refused.
const MAX_WAIT: usize = 8;

/// Singular values below this part of the largest are dropped from Anderson's least squares.
const ANDERSON_RCOND: f64 = 1e-10;

/// A method and what it learned from its own proposals.
///
/// Anderson mixing is the faster near the limit and useless far from it: while its proposals are refused it
/// leaves the field to SQUAREM for ever longer.
#[derive(Debug)]
pub(super) struct Accelerator {
    method: Acceleration,
    max_step: f64,
    em_steps: usize,
    pause: usize,
    wait: usize,
}

impl Accelerator {
    pub fn new(method: Acceleration) -> Self {
        Accelerator {
            method,
            max_step: FIRST_STEP,
            em_steps: 0,
            pause: 0,
            wait: 0,
        }
    }

    /// Evaluations of the map that the method looks back on.
    pub fn memory(&self) -> usize {
        match self.method {
            Acceleration::Anderson(differences) => differences + 1,
            Acceleration::None | Acceleration::Squarem => 2,
        }
    }

    /// A point to try instead of the EM step; `last` and `gain` tell how the newest point was reached.
    ///
    /// Anderson mixing alternates with EM steps once it gains no more than `tol`, because the distance to the
    /// limit is measured on EM steps.
    pub fn propose(
        &mut self,
        history: &History,
        last: Step,
        gain: f64,
        tol: f64,
    ) -> Option<Proposal> {
        self.em_steps = if last == Step::Em {
            self.em_steps + 1
        } else {
            0
        };
        match self.method {
            Acceleration::None => None,
            Acceleration::Anderson(_) if self.wait == 0 => {
                let due = last == Step::Em || gain > tol;
                due.then(|| anderson(history)).flatten()
            }
            Acceleration::Squarem | Acceleration::Anderson(_) => {
                self.wait = self.wait.saturating_sub(1);
                let due = self.em_steps >= SQUAREM_STEPS;
                due.then(|| self.squarem(history)).flatten()
            }
        }
    }

    /// Learns from a proposal that was kept.
    pub fn accepted(&mut self, step: Step) {
        match step {
            Step::Squarem(length) if length >= self.max_step => self.max_step *= STEP_GROW,
            Step::Anderson(_) => self.pause /= 2,
            _ => {}
        }
    }

    /// Learns from a proposal that was refused.
    pub fn rejected(&mut self, step: Step) {
        match step {
            Step::Squarem(length) => self.max_step = (length / STEP_SHRINK).max(MIN_STEP),
            _ => {
                self.pause = (2 * self.pause + 1).min(MAX_WAIT);
                self.wait = self.pause;
            }
        }
    }

    fn squarem(&self, history: &History) -> Option<Proposal> {
        let (first, second) = history.last_two()?;
        let r = first.residual();
        let v = difference(&second.residual(), &r);
        let length = (history.norm(&r) / history.norm(&v)).min(self.max_step);
        if length.is_nan() || length <= 1.0 {
            return None;
        }
        let coordinates = first
            .point
            .iter()
            .zip(r.iter().zip(&v))
            .map(|(x, (r, v))| x + length * (2.0 * r + length * v))
            .collect();
        Some(Proposal {
            coordinates,
            step: Step::Squarem(length),
        })
    }
}

fn anderson(history: &History) -> Option<Proposal> {
    let evaluations = history.evaluations();
    let newest = evaluations.back()?;
    let differences = evaluations.len() - 1;
    if differences == 0 {
        return None;
    }
    let residual = newest.residual();
    let changes: Vec<Vec<f64>> = (0..differences)
        .map(|j| difference(&evaluations[j + 1].residual(), &evaluations[j].residual()))
        .collect();
    // Columns of unit length: old differences are longer by orders of magnitude.
    let lengths: Vec<f64> = changes.iter().map(|change| history.norm(change)).collect();
    if !lengths.iter().all(|length| length.is_normal()) {
        return None;
    }
    let columns: Vec<f64> = changes
        .iter()
        .zip(&lengths)
        .flat_map(|(change, length)| history.scaled(change).map(move |value| value / length))
        .collect();
    let svd = DMatrix::from_vec(residual.len(), differences, columns).svd(true, true);
    let cut = ANDERSON_RCOND * svd.singular_values.max();
    let target = DVector::from_iterator(residual.len(), history.scaled(&residual));
    let gamma = svd.solve(&target, cut).ok()?;
    let mut coordinates = newest.image.clone();
    for j in 0..differences {
        let weight = gamma[j] / lengths[j];
        let images = difference(&evaluations[j + 1].image, &evaluations[j].image);
        for (coordinate, image) in coordinates.iter_mut().zip(images) {
            *coordinate -= weight * image;
        }
    }
    Some(Proposal {
        coordinates,
        step: Step::Anderson(differences),
    })
}
