//! The EM driver: one loop for every family.
//!
//! A family implements [`Model`]; [`run`] owns iteration, stopping, acceleration, the trace, interrupts and
//! progress.
//!
//! # Why a step cannot go down
//!
//! After R. Sridharan, *Gaussian mixture models and the EM algorithm*, section 3. Let y be observed, c hidden,
//! and q any distribution of c. Jensen's inequality puts a lower bound under the log-likelihood:
//!
//! ```text
//! log p(y; θ) = log E_q[p(y, c; θ) / q(c)]  ≥  E_q[log p(y, c; θ)] − E_q[log q(c)]  =: bound(q, θ)   (11)
//! log p(y; θ) − bound(q, θ) = KL(q ‖ p(c | y; θ))  ≥  0                                              (14)
//! ```
//!
//! * The E-step takes q_t = p(c | y; θ_t). The gap (14) closes: bound(q_t, θ_t) = log p(y; θ_t).
//! * The M-step takes θ_{t+1} to maximise bound(q_t, ·). Only E_q[log p(y, c; θ)] depends on θ; at q_t it is
//!   Q(θ | θ_t), so bound(q_t, θ) = log p(y; θ_t) + Q(θ | θ_t) − Q(θ_t | θ_t).
//!
//! Together
//!
//! ```text
//! log p(y; θ_{t+1}) = bound(q_t, θ_{t+1}) + KL(q_t ‖ p(c | y; θ_{t+1}))
//!                   ≥ bound(q_t, θ_{t+1})  ≥  bound(q_t, θ_t)  =  log p(y; θ_t):
//! ```
//!
//! the log-likelihood rises by what the M-step gains in Q plus the divergence that opens behind it. The bound
//! of every iteration is in the [trace](Entry). It needs only some gain in Q, so partial M-steps ascend too
//! (generalised EM). With a prior on θ the same holds with log prior added to Q and to the log-likelihood; this
//! sum is the *objective*.
//!
//! # When it stops
//!
//! On the estimated distance of the objective to its limit (see `convergence.rs`), never on the size of a step:
//! EM at a rate of .998 makes tiny steps a long way from the maximum.

mod accelerate;
mod convergence;
mod driver;
mod history;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod trace;

pub use driver::{run, Drop, Flow, Outcome, Progress};
pub use settings::{Acceleration, Settings};
pub use status::Status;
pub use trace::{Entry, Step, Trace};

/// A model with a hidden part, as the driver sees it.
///
/// One E-step gives the sufficient statistics **and** the observed log-likelihood at the same parameters
/// (it is the normaliser of the responsibilities, so it is free). The lower bound of the paper's section 3
/// follows from the statistics alone: with q_t the posterior at θ_t,
/// bound(q_t, θ) = log-lik(θ_t) + Q(θ | θ_t) − Q(θ_t | θ_t), where Q is [`Model::complete_objective`].
pub trait Model {
    /// Parameters θ.
    type Params: Clone;
    /// Expected complete-data sufficient statistics at some θ.
    type Stats;

    /// E-step at `params`: the statistics, with the observed log-likelihood inside.
    fn expect(&mut self, params: &Self::Params) -> crate::Result<Self::Stats>;

    /// M-step: the maximiser of the expected complete-data log-likelihood (plus log prior).
    ///
    /// `previous` is where the statistics were taken, for partial (generalised) M-steps.
    fn maximize(
        &mut self,
        stats: &Self::Stats,
        previous: &Self::Params,
    ) -> crate::Result<Self::Params>;

    /// Observed-data objective (log-likelihood, plus log prior where there is one) of the E-step.
    fn objective(&self, stats: &Self::Stats) -> f64;

    /// Whether [`Model::objective`] is known. Without it EM is plain and stops on the parameters.
    fn has_objective(&self) -> bool {
        true
    }

    /// Expected complete-data objective Q(params | θ_t), with `stats` taken at θ_t; `None` if unknown.
    fn complete_objective(&self, stats: &Self::Stats, params: &Self::Params) -> Option<f64>;

    /// Parameters as unconstrained coordinates for extrapolation; `None` if the family has none.
    fn flatten(&self, params: &Self::Params) -> Option<Vec<f64>>;

    /// The inverse of [`Model::flatten`]; `None` if `coordinates` are outside the parameter space.
    fn unflatten(&self, coordinates: &[f64], like: &Self::Params) -> Option<Self::Params>;
}
