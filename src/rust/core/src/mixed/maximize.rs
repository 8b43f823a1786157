//! M steps: variances from expected complete-data moments.
//!
//! # EM
//!
//! With b and e observed, the maximum of the likelihood is at Σ = Σ_l b_l b_lᵀ / J and σ² = eᵀWe / n (Laird and
//! Ware 1982, Biometrics 38, 963-974; Laird, Lange and Stram 1987, JASA 82, 97-105). The
//! M step puts the expectations of the E step in their place. Dispersion groups have a σ² each, from their rows.
//!
//! # PX-EM
//!
//! Liu, Rubin and Wu (1998, Biometrika 85, 755-770) expand the model to y = X β + Z α b + e with
//! b ~ N(0, Σ*), a square matrix α per block, and α = I before the step: the data say nothing on α, but the
//! complete data do. The M step regresses y on X and on the expanded design for (β, α), then Σ* and σ² are as
//! in EM, and the reduction Σ = α Σ* αᵀ returns to the model. Here α acts on u: Λ α u = (Λ α Λ⁻¹) b, which is
//! the same step for a regular Λ and exists for a singular one.

use nalgebra::DMatrix;

use super::covariances::{lower_factor, Block};
use super::criterion::Problem;
use super::expect::Expectation;
use crate::error::Result;
use crate::linalg::cholesky;

/// Variance parameters, from which β follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Variances {
    /// Free and known entries of Λ, in the order of the structure.
    pub theta: Vec<f64>,
    /// Residual standard deviation σ of the first dispersion group.
    pub sigma: f64,
    /// Residual standard deviations of the dispersion groups as multiples of the first.
    pub dispersion: Vec<f64>,
    /// What PX-EM estimated on the way here.
    pub expansion: Option<Expansion>,
}

/// Parameters of the expanded model that reduce to [`Variances`].
#[derive(Debug, Clone, PartialEq)]
pub struct Expansion {
    /// α of each block, on the scale of u.
    pub alpha: Vec<DMatrix<f64>>,
    /// Expected residual sum of squares of each dispersion group at α.
    pub residual: Vec<f64>,
}

/// The M step: of PX-EM where the E step made the regression for it, else of EM.
///
/// # Errors
/// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) when expected moments are not.
pub fn maximize(
    problem: &Problem,
    blocks: &[Block],
    expectation: &Expectation,
) -> Result<Variances> {
    let here = &expectation.variances;
    let expansion = &expectation.expansion;
    let residual = expansion
        .as_ref()
        .map_or(&expectation.residual, |expansion| &expansion.residual);
    let rows = problem.statistics.group_rows();
    let deviation = |group: usize| (residual[group] / rows[group] as f64).sqrt();
    let sigma = problem.known.sigma.unwrap_or_else(|| deviation(0));
    let dispersion = (0..rows.len()).map(|g| if g == 0 { 1.0 } else { deviation(g) / sigma });
    let mut theta = here.theta.clone();
    for (b, block) in blocks.iter().enumerate() {
        let mut factor = block.factor(&here.theta);
        if let Some(expansion) = expansion {
            factor *= &expansion.alpha[b];
        }
        let moment = &expectation.scatter[b] / block.levels as f64;
        let mut factor = lower_factor(&(factor * cholesky(&moment)?));
        if let Some(known) = block.deviation {
            // The first effect is as it is known; the regressions of the others on it are free.
            let scale = known / factor[(0, 0)];
            factor.column_mut(0).scale_mut(scale);
        }
        block.store(&(factor / sigma), &mut theta);
    }
    Ok(Variances {
        theta,
        sigma,
        dispersion: dispersion.collect(),
        expansion: expansion.clone(),
    })
}

/// Q: the expected complete-data log-likelihood of `variances`, in the expanded model where they come from it.
///
/// With Q expanded the bound of the trace holds for PX-EM as it does for EM. `None` where a covariance matrix
/// is singular: b has no density.
pub fn complete_log_lik(
    problem: &Problem,
    blocks: &[Block],
    expectation: &Expectation,
    variances: &Variances,
) -> Option<f64> {
    let log_two_pi = std::f64::consts::TAU.ln();
    // Where the E step was made α is I, whatever led there.
    let expansion = variances
        .expansion
        .as_ref()
        .filter(|_| *variances != expectation.variances);
    let residual = expansion.map_or(&expectation.residual, |expansion| &expansion.residual);
    let mut deviance = -problem.statistics.log_weights();
    for (g, &rows) in problem.statistics.group_rows().iter().enumerate() {
        let sigma = variances.sigma * variances.dispersion[g];
        deviance += rows as f64 * (log_two_pi + 2.0 * sigma.ln()) + residual[g] / (sigma * sigma);
    }
    for (b, block) in blocks.iter().enumerate() {
        let from = block.factor(&expectation.variances.theta);
        let mut to = block.factor(&variances.theta) * variances.sigma;
        if let Some(expansion) = expansion {
            // A root of Σ*: α⁻¹ applied to one of Σ.
            let spherical = from.solve_lower_triangular(&to)?;
            to = lower_factor(&(&from * expansion.alpha[b].clone().lu().solve(&spherical)?));
        }
        let moment = from * cholesky(&expectation.scatter[b]).ok()?;
        let squares = to.solve_lower_triangular(&moment)?.norm_squared();
        let log_det: f64 = to.diagonal().iter().map(|x| 2.0 * x.abs().ln()).sum();
        deviance += block.levels as f64 * (block.width() as f64 * log_two_pi + log_det) + squares;
    }
    deviance.is_finite().then_some(-0.5 * deviance)
}
