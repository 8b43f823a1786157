//! The EM driver: one loop for every family.
//!
//! A family implements [`Model`]; [`run`](driver::run) owns iteration, stopping, acceleration, the trace,
//! interrupts and progress.

/// A model with a hidden part, as the driver sees it.
///
/// One E-step gives the sufficient statistics **and** the observed log-likelihood at the same parameters
/// (it is the normaliser of the responsibilities, so it is free). The lower bound of the paper's section 3
/// follows from the statistics alone: with q_t the posterior at θ_t,
/// bound(q_t, θ) = log-lik(θ_t) + Q(θ | θ_t) − Q(θ_t | θ_t), where Q is [`Model::complete_log_lik`].
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

    /// Expected complete-data objective Q(params | θ_t), with `stats` taken at θ_t; `None` if unknown.
    fn complete_objective(&self, stats: &Self::Stats, params: &Self::Params) -> Option<f64>;

    /// Parameters as unconstrained coordinates for extrapolation; `None` if the family has none.
    fn flatten(&self, params: &Self::Params) -> Option<Vec<f64>>;

    /// The inverse of [`Model::flatten`]; `None` if `coordinates` are outside the parameter space.
    fn unflatten(&self, coordinates: &[f64], like: &Self::Params) -> Option<Self::Params>;
}
