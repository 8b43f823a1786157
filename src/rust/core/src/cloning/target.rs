//! Log-likelihoods of one copy of the data.

use std::f64::consts::PI;

use super::parameters::{Layout, Parameters};
use crate::error::Result;
use crate::mixed::basis::Basis;
use crate::mixed::cross_products::CrossProducts;
use crate::mixed::factor::Factor;
use crate::mixed::structure::Structure;

/// σ, in units of the residual standard deviation of the fixed effects alone, below which a fit may be saturated;
/// and the share of their residual sum of squares below which rounding leaves too little of that of the model.
const SMALL_SIGMA: f64 = 3e-5;
const CANCELLED: f64 = 1e-8;

/// What the data say about w.
pub trait Likelihood: Send {
    /// log L(w).
    ///
    /// # Errors
    /// Where the likelihood is not defined.
    fn log_likelihood(&mut self, w: &[f64]) -> Result<f64>;

    /// How β enters, if log L is a quadratic in β whatever the rest of w.
    fn linear(&self) -> Option<Linear<'_>> {
        None
    }

    /// log L as a quadratic in β given the rest of w, if [`Likelihood::linear`] says so.
    ///
    /// # Errors
    /// Where the likelihood is not defined.
    fn quadratic(&mut self, _w: &[f64], _to: &mut Quadratic) -> Result<()> {
        Ok(())
    }
}

/// The basis of a quadratic: β = origin + T β̃.
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a> {
    pub basis: &'a Basis,
    pub origin: &'a [f64],
}

/// log L = maximum - |Lᵀ(β̃ - center)|² / 2.
#[derive(Debug, Clone, PartialEq)]
pub struct Quadratic {
    pub maximum: f64,
    /// The maximum likelihood estimate of β̃ given the rest.
    pub center: Vec<f64>,
    /// L, p × p lower triangular, column-major.
    pub root: Vec<f64>,
}

impl Quadratic {
    /// Room for p fixed effects.
    pub fn new(p: usize) -> Self {
        Quadratic {
            maximum: f64::NAN,
            center: vec![0.0; p],
            root: vec![0.0; p * p],
        }
    }

    /// log L at β̃.
    pub fn at(&self, rotated: &[f64]) -> f64 {
        let p = self.center.len();
        let mut square = 0.0;
        for (j, column) in self.root.chunks_exact(p.max(1)).enumerate() {
            let inner: f64 = (j..p)
                .map(|i| column[i] * (rotated[i] - self.center[i]))
                .sum();
            square += inner * inner;
        }
        self.maximum - 0.5 * square
    }
}

/// A linear mixed model: one evaluation of its [`Factor`], no pass over the rows.
#[derive(Debug, Clone)]
pub struct Gaussian<'a> {
    statistics: &'a CrossProducts,
    structure: &'a Structure,
    layout: &'a Layout,
    factor: Factor,
    quadratic: Quadratic,
}

impl<'a> Gaussian<'a> {
    /// # Errors
    /// As [`Factor::new`].
    pub fn new(
        statistics: &'a CrossProducts,
        structure: &'a Structure,
        layout: &'a Layout,
    ) -> Result<Self> {
        Ok(Gaussian {
            statistics,
            structure,
            layout,
            factor: Factor::new(statistics, structure)?,
            quadratic: Quadratic::new(layout.fixed),
        })
    }

    fn update(&mut self, at: &Parameters) -> Result<()> {
        self.factor
            .update(self.statistics, self.structure, &at.theta, &at.dispersion)
    }

    fn smallest_sigma(&self) -> f64 {
        let square = self.statistics.residual_square();
        SMALL_SIGMA * (square / self.statistics.rows() as f64).sqrt()
    }

    /// Whether σ is as small as a saturated model allows, and the last update shows nothing else.
    fn is_saturated(&self, at: &Parameters, defined: bool) -> bool {
        let square = self.statistics.residual_square();
        self.layout.sigma.is_none()
            && at.sigma < self.smallest_sigma()
            && (!defined || self.factor.penalized_rss() < CANCELLED * square)
    }
}

impl Likelihood for Gaussian<'_> {
    fn log_likelihood(&mut self, w: &[f64]) -> Result<f64> {
        let mut quadratic = std::mem::replace(&mut self.quadratic, Quadratic::new(0));
        let defined = self.quadratic(w, &mut quadratic);
        let beta = w.iter().zip(self.statistics.origin());
        let moved: Vec<f64> = beta.map(|(beta, origin)| beta - origin).collect();
        let value = quadratic.at(&self.statistics.basis().solve(&moved));
        self.quadratic = quadratic;
        defined.map(|()| value)
    }

    fn linear(&self) -> Option<Linear<'_>> {
        Some(Linear {
            basis: self.statistics.basis(),
            origin: self.statistics.origin(),
        })
    }

    fn quadratic(&mut self, w: &[f64], to: &mut Quadratic) -> Result<()> {
        let mut at = self.layout.parameters(w);
        let statistics = self.statistics;
        let updated = self.update(&at);
        if self.is_saturated(&at, updated.is_ok()) {
            // With a random effect for every row, σ → 0 leaves the likelihood as it is: V = ZΣZᵀ + σ² I, and ZΣZᵀ is
            // regular. But its residuals are lost in rounding; a larger σ changes V as little, and they are not.
            let larger = self.smallest_sigma();
            let scale = at.sigma / larger;
            at.theta.iter_mut().for_each(|theta| *theta *= scale);
            at.sigma = larger;
            self.update(&at)?;
        } else {
            updated?;
        }
        let n = statistics.rows() as f64;
        let groups = statistics.group_rows().iter().zip(&at.dispersion);
        let dispersion: f64 = groups.map(|(&n, ratio)| 2.0 * n as f64 * ratio.ln()).sum();
        let deviance = n * ((2.0 * PI).ln() + 2.0 * at.sigma.ln())
            + self.factor.penalized_rss() / (at.sigma * at.sigma)
            + self.factor.log_det_random()
            + dispersion
            - statistics.log_weights();
        to.maximum = -0.5 * deviance;
        self.factor.fixed_system(&mut to.root, &mut to.center);
        solve_transposed(&to.root, &mut to.center);
        let scale = 1.0 / at.sigma;
        to.root.iter_mut().for_each(|l| *l *= scale);
        Ok(())
    }
}

/// L⁻ᵀ v in place, for a lower triangular L stored column-major.
pub(super) fn solve_transposed(lower: &[f64], v: &mut [f64]) {
    let p = v.len();
    for j in (0..p).rev() {
        let column = &lower[j * p..][..p];
        let below: f64 = (j + 1..p).map(|i| column[i] * v[i]).sum();
        v[j] = (v[j] - below) / column[j];
    }
}

/// L⁻¹ v in place.
pub(super) fn solve_lower(lower: &[f64], v: &mut [f64]) {
    let p = v.len();
    for j in 0..p {
        let column = &lower[j * p..][..p];
        v[j] /= column[j];
        let value = v[j];
        for i in j + 1..p {
            v[i] -= column[i] * value;
        }
    }
}

/// The lower triangle of a symmetric matrix becomes its Cholesky factor; false if it is not positive definite.
pub(super) fn factorise(matrix: &mut [f64], p: usize) -> bool {
    for j in 0..p {
        let (left, rest) = matrix.split_at_mut(j * p);
        let column = &mut rest[..p];
        for before in left.chunks_exact(p) {
            let factor = before[j];
            for (to, l) in column[j..].iter_mut().zip(&before[j..]) {
                *to -= factor * l;
            }
        }
        if column[j].is_nan() || column[j] <= 0.0 {
            return false;
        }
        let pivot = column[j].sqrt();
        column[j..].iter_mut().for_each(|l| *l /= pivot);
    }
    true
}
