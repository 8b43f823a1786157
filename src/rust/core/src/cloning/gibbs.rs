//! Gibbs sampling of a cloned Gaussian mixed model.
//!
//! The K clones share β, σ² and the covariance matrices, and have random effects of their own. Given the
//! parameters clones are independent draws of N(Λû, σ² Λ(ΛᵀZᵀWZΛ + I)⁻¹Λᵀ), and all that the parameters need of
//! them is their mean and their scatter. With one grouping factor these are drawn, not the clones: the mean of a
//! level has covariance C/K, the scatter is Wishart(K - 1, C), and levels with equal cross-products have one
//! scatter together. An iteration then costs as much at any K. Otherwise clones are drawn one by one, each by a
//! back substitution.
//!
//! One iteration:
//! 1. variances given β, the effects integrated out: a random walk, for ridges that the other steps cross slowly
//!    (σ² and τ² of which only the sum is known);
//! 2. β given the variances, the effects integrated out: from the normal likelihood times what is normal of the
//!    prior, the rest by acceptance. Hierarchical centring has the same aim, and reaches it less far;
//! 3. the effects of all clones, as above;
//! 4. σ² and dispersions, then covariance matrices, given the effects ([`super::covariance_step`]);
//! 5. scales with the effects, interweaving ([`super::scale_step`]).

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::chains::Sampler;
use super::covariance_step::CovarianceStep;
use super::parameters::Layout;
use super::prior::Prior;
use super::scale_step::{deviations, rescale, Deviation};
use super::walk::{Guide, Walk};
use super::wishart::{chi_squared, scatter};
use crate::error::{Error, Result};
use crate::linalg::cholesky;
use crate::mixed::cross_products::CrossProducts;
use crate::mixed::effect_moments::{level_patterns, EffectMoments, Residual};
use crate::mixed::factor::Factor;
use crate::mixed::structure::Structure;

/// A cloned Gaussian mixed model and its prior.
#[derive(Debug, Clone, Copy)]
pub struct ClonedGaussian<'a> {
    pub statistics: &'a CrossProducts,
    pub structure: &'a Structure,
    pub layout: &'a Layout,
    pub prior: &'a Prior,
    /// K.
    pub clones: usize,
}

/// The sampler at its current point.
#[derive(Debug)]
pub struct Gibbs<'a> {
    model: ClonedGaussian<'a>,
    w: Vec<f64>,
    /// β in the basis of the statistics.
    rotated: Vec<f64>,
    /// At the variances of `w`.
    factor: Factor,
    proposed: Factor,
    moments: EffectMoments,
    /// With one grouping factor: levels with equal cross-products, one and their number.
    patterns: Option<Vec<(usize, usize)>>,
    deviations: Vec<Deviation>,
    /// Widths of slices, one for each coordinate.
    widths: Vec<f64>,
    walk: Walk,
    effects: Vec<f64>,
    accepted: Accepted,
}

/// Proposals and how many were accepted.
#[derive(Debug, Clone, Copy, Default)]
struct Accepted {
    proposals: usize,
    accepted: usize,
}

impl Accepted {
    fn count(&mut self, accepted: bool) {
        self.proposals += 1;
        self.accepted += usize::from(accepted);
    }
}

impl<'a> Gibbs<'a> {
    /// A chain that starts at `w`; `guide` gives the scale of moves.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` when the start is impossible under the prior; as [`Factor::update`].
    pub fn new(model: ClonedGaussian<'a>, guide: &Guide, w: Vec<f64>) -> Result<Self> {
        let statistics = model.statistics;
        let wrong = |message: &str| Error::Argument {
            argument: "start",
            message: message.into(),
        };
        if w.len() != model.layout.coordinates() || !model.prior.log_density(&w).is_finite() {
            return Err(wrong("is outside the support of the prior"));
        }
        let rotated = statistics
            .rotated_at(&w[..model.layout.fixed])
            .ok_or_else(|| wrong("has fixed effects that the data cannot tell apart"))?;
        let mut factor = Factor::new(statistics, model.structure)?;
        model.update(&mut factor, &w)?;
        let variances = model.layout.fixed..w.len();
        let one_by_level = statistics.terms() == 1 && factor.level_root(0).is_some();
        Ok(Gibbs {
            proposed: factor.clone(),
            moments: EffectMoments::new(statistics),
            patterns: one_by_level.then(|| level_patterns(statistics)),
            deviations: deviations(model.layout),
            widths: guide.widths(),
            walk: Walk::new(guide, variances),
            effects: vec![0.0; factor.effects_count()],
            accepted: Accepted::default(),
            model,
            w,
            rotated,
            factor,
        })
    }

    /// The unconstrained vector.
    pub fn coordinates(&self) -> &[f64] {
        &self.w
    }

    /// Variances given β, with the effects integrated out.
    fn walk_variances(&mut self, rng: &mut ChaCha8Rng) {
        let mut w = self.w.clone();
        self.walk.propose(&mut w, rng);
        let here = self.log_marginal(&self.factor, &self.w);
        let there = match self.model.update(&mut self.proposed, &w) {
            Ok(()) => self.log_marginal(&self.proposed, &w),
            Err(_) => f64::NEG_INFINITY,
        };
        let log_ratio = there - here;
        let accepted = rng.random::<f64>().ln() < log_ratio;
        self.walk.adapt(log_ratio);
        self.accepted.count(accepted);
        if accepted {
            self.w = w;
            std::mem::swap(&mut self.factor, &mut self.proposed);
        }
    }

    /// K times the log-likelihood at β, plus the log prior, up to a constant.
    fn log_marginal(&self, factor: &Factor, w: &[f64]) -> f64 {
        let sigma = self.model.layout.sigma(w);
        let rows = self.model.statistics.group_rows();
        let dispersion = self.model.dispersion(w);
        let groups = rows.iter().zip(&dispersion);
        let log_scale: f64 = groups
            .map(|(&n, ratio)| n as f64 * (sigma * ratio).ln())
            .sum();
        let from = DVector::from_column_slice(&self.rotated)
            - DVector::from_column_slice(factor.rotated_maximum());
        let distance = factor.fixed_root().tr_mul(&from).norm_squared();
        let squares = (factor.penalized_rss() + distance) / (sigma * sigma);
        let log_lik = -log_scale - 0.5 * (factor.log_det_random() + squares);
        self.model.clones as f64 * log_lik + self.model.prior.log_density(w)
    }

    /// β given the variances, with the effects integrated out.
    ///
    /// In γ with β̃ = β̂ + σ/√K L_X⁻ᵀ γ the likelihood is N(0, I).
    fn draw_fixed(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        let model = self.model;
        let p = model.layout.fixed;
        if p == 0 {
            return Ok(());
        }
        let scale = model.layout.sigma(&self.w) / (model.clones as f64).sqrt();
        let singular = || Error::Numerical {
            message: "the fixed effects have a singular covariance matrix".into(),
        };
        let root = self.factor.fixed_root().transpose();
        let inverse = root.solve_upper_triangular(&DMatrix::identity(p, p));
        let inverse = inverse.ok_or_else(singular)? * scale;
        // β = centre + B γ in the user's units.
        let mut centre = vec![0.0; p];
        let maximum = self.factor.rotated_maximum().to_vec();
        model.statistics.coefficients_at(&maximum, &mut centre);
        let to_user = model.statistics.transform() * &inverse;
        let normal = NormalPrior::of(model.prior, p);
        let (precision, shift) = normal.about(&centre, &to_user);
        let lower = cholesky(&precision)?;
        let mean = lower.solve_lower_triangular(&shift).ok_or_else(singular)?;
        let noise = DVector::from_fn(p, |_, _| rng.sample::<f64, _>(StandardNormal));
        let gamma = lower
            .tr_solve_lower_triangular(&(mean + noise))
            .ok_or_else(singular)?;
        let rotated = DVector::from_vec(maximum) + &inverse * gamma;
        let mut w = self.w.clone();
        model
            .statistics
            .coefficients_at(rotated.as_slice(), &mut w[..p]);
        let log_ratio = normal.rest(&w) - normal.rest(&self.w);
        let accepted = log_ratio >= 0.0 || rng.random::<f64>().ln() < log_ratio;
        if normal.is_partial {
            self.accepted.count(accepted);
        }
        if accepted {
            self.w = w;
            self.rotated = rotated.as_slice().to_vec();
        }
        Ok(())
    }

    /// The moments of the effects of all clones.
    fn draw_effects(&mut self, rng: &mut ChaCha8Rng) {
        let statistics = self.model.statistics;
        let residual = Residual::at(statistics, &self.rotated);
        let clones = self.model.clones;
        let sigma = self.model.layout.sigma(&self.w);
        self.moments.clear(&residual, clones as f64);
        let Some(patterns) = &self.patterns else {
            for _ in 0..clones {
                self.draw_clones(sigma, 1.0, &residual, rng);
            }
            return;
        };
        let lambda = self.factor.lambda(0).clone();
        let q = lambda.nrows();
        for &(level, count) in patterns {
            // L⁻ᵀ W L⁻¹ with W ~ Wishart((K - 1) count, I).
            let root = self.factor.level_root(level).unwrap_or(&[]);
            let root = DMatrix::from_column_slice(q, q, root);
            let wishart = scatter((clones - 1) * count, q, rng);
            if let Some(inverse) = root.tr_solve_lower_triangular(&DMatrix::identity(q, q)) {
                let half = &lambda * inverse * sigma;
                let spread = &half * wishart * half.transpose();
                self.moments.add_spread(statistics, level, &spread);
            }
        }
        self.draw_clones(
            sigma / (clones as f64).sqrt(),
            clones as f64,
            &residual,
            rng,
        );
    }

    /// Adds `draws` clones that are equal: a draw whose standard deviation is `sigma` instead of σ.
    fn draw_clones(&mut self, sigma: f64, draws: f64, residual: &Residual, rng: &mut ChaCha8Rng) {
        for effect in &mut self.effects {
            *effect = sigma * rng.sample::<f64, _>(StandardNormal);
        }
        self.factor
            .conditional_effects(&self.rotated, &mut self.effects);
        self.factor.to_original_scale(&mut self.effects);
        self.moments
            .add(self.model.statistics, residual, &self.effects, draws);
    }

    /// σ² and the dispersion ratios given the effects.
    fn draw_residual_variances(&mut self, rng: &mut ChaCha8Rng) {
        let layout = self.model.layout;
        let free = usize::from(layout.sigma.is_none());
        if free + layout.ratios == 0 {
            return;
        }
        let first = layout.block_at(0) - layout.ratios - free;
        let clones = self.model.clones as f64;
        let rows = self.model.statistics.group_rows();
        let mut w = self.w.clone();
        let mut logs = Vec::with_capacity(rows.len());
        for (&n, group) in rows.iter().zip(&self.moments.groups) {
            let Some(chi_squared) = chi_squared(clones * n as f64, rng) else {
                return;
            };
            logs.push(0.5 * (group.residual() / chi_squared).ln());
        }
        let sigma = if layout.sigma.is_none() {
            logs[0]
        } else {
            layout.sigma(&w).ln()
        };
        if free == 1 {
            w[first] = sigma;
        }
        for (to, log) in w[first + free..].iter_mut().zip(&logs[1..]) {
            *to = log - sigma;
        }
        // The inverse gamma proposals are the likelihood, in the logarithms.
        let log_ratio = self.model.prior.log_density(&w) - self.model.prior.log_density(&self.w);
        let accepted = log_ratio >= 0.0 || rng.random::<f64>().ln() < log_ratio;
        self.accepted.count(accepted);
        if accepted {
            self.w = w;
        }
    }

    /// Covariance matrices given the effects.
    fn draw_covariances(&mut self, rng: &mut ChaCha8Rng) {
        let ClonedGaussian { layout, prior, .. } = self.model;
        for (block, of) in layout.blocks.iter().enumerate() {
            let step = CovarianceStep {
                layout,
                prior,
                block,
                draws: (self.model.clones * of.levels) as f64,
            };
            let scatter = of.part(&self.moments.scatter[of.term]);
            let accepted = step.draw(&scatter, &self.widths, &mut self.w, rng);
            self.accepted.count(accepted);
        }
    }

    fn rescale_effects(&mut self, rng: &mut ChaCha8Rng) {
        let sigma = self.model.layout.sigma(&self.w);
        let dispersion = self.model.dispersion(&self.w);
        let precisions: Vec<f64> = dispersion
            .iter()
            .map(|ratio| (sigma * ratio).powi(-2))
            .collect();
        for deviation in &self.deviations {
            rescale(
                deviation,
                &mut self.moments,
                &precisions,
                self.model.prior,
                self.widths[deviation.coordinate],
                &mut self.w,
                rng,
            );
        }
    }
}

impl ClonedGaussian<'_> {
    /// Ratios of the residual standard deviations of the dispersion groups.
    fn dispersion(&self, w: &[f64]) -> Vec<f64> {
        let layout = self.layout;
        let logs = &w[layout.block_at(0) - layout.ratios..][..layout.ratios];
        let ratios = logs.iter().map(|log| log.exp());
        std::iter::once(1.0).chain(ratios).collect()
    }

    /// Brings a factor to the variances of `w`.
    pub(super) fn update(&self, factor: &mut Factor, w: &[f64]) -> Result<()> {
        let mut theta = vec![0.0; self.layout.theta];
        self.layout.theta_into(w, &mut theta);
        let dispersion = self.dispersion(w);
        factor.update(self.statistics, self.structure, &theta, &dispersion)
    }
}

/// The part of the prior of β that is normal.
struct NormalPrior<'a> {
    prior: &'a Prior,
    /// Mean and precision of each coefficient; precision 0 where the prior is flat or not normal.
    terms: Vec<(f64, f64)>,
    /// Whether there is another prior.
    is_partial: bool,
}

impl<'a> NormalPrior<'a> {
    fn of(prior: &'a Prior, p: usize) -> Self {
        NormalPrior {
            prior,
            terms: (0..p)
                .map(|j| prior.normal(j).unwrap_or((0.0, 0.0)))
                .collect(),
            is_partial: (0..p).any(|j| prior.normal(j).is_none()),
        }
    }

    /// Precision and precision times mean of γ, when the likelihood is N(0, I) and β = centre + B γ.
    fn about(&self, centre: &[f64], b: &DMatrix<f64>) -> (DMatrix<f64>, DVector<f64>) {
        let p = centre.len();
        let mut precision = DMatrix::identity(p, p);
        let mut shift = DVector::zeros(p);
        for (j, &(mean, weight)) in self.terms.iter().enumerate() {
            if weight > 0.0 {
                let row = b.row(j).transpose();
                precision.ger(weight, &row, &row, 1.0);
                shift.axpy(weight * (mean - centre[j]), &row, 1.0);
            }
        }
        (precision, shift)
    }

    /// log density of what is not normal, up to a constant.
    fn rest(&self, w: &[f64]) -> f64 {
        if !self.is_partial {
            return 0.0;
        }
        let squares = self.terms.iter().zip(w);
        let normal: f64 = squares
            .map(|((mean, precision), w)| -0.5 * precision * (w - mean).powi(2))
            .sum();
        self.prior.log_density(w) - normal
    }
}

impl Sampler for Gibbs<'_> {
    fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        self.model.update(&mut self.factor, &self.w)?;
        self.walk_variances(rng);
        self.draw_fixed(rng)?;
        self.draw_effects(rng);
        self.draw_residual_variances(rng);
        self.draw_covariances(rng);
        self.rescale_effects(rng);
        if self.w.iter().all(|w| w.is_finite()) {
            Ok(())
        } else {
            Err(Error::Numerical {
                message: "a chain left the range of numbers: give the variances a proper prior"
                    .into(),
            })
        }
    }

    fn state(&self, to: &mut [f64]) {
        self.model.layout.natural_into(&self.w, to);
    }

    fn settle(&mut self) {
        self.walk.settle();
        self.accepted = Accepted::default();
    }

    fn acceptance(&self) -> f64 {
        match self.accepted.proposals {
            0 => 1.0,
            proposals => self.accepted.accepted as f64 / proposals as f64,
        }
    }
}
