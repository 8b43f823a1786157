//! E step: moments of the random effects and residuals given y, at known variances.
//!
//! Given y the random effects are normal, with mean û and covariance σ² C: under ML at β = β̂, its maximum at
//! these variances (Laird and Ware 1982), so that C = (ΛᵀZᵀWZΛ + I)⁻¹; under REML β is hidden with a
//! flat prior (ibid.), and C is the block of u in M⁻¹. The β̂ that goes with û
//! maximises Q as well, so the M step of EM needs no regression for it.

use nalgebra::{DMatrix, DMatrixView};

use super::covariances::Block;
use super::criterion::{Parameters, Problem};
use super::expansion::Regression;
use super::factor::Factor;
use super::maximize::{Expansion, Variances};
use super::residual::expected_square;
use super::selected_inverse::SelectedInverse;
use crate::error::{Error, Result};

/// What M steps need, and the observed log-likelihood at the same variances.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Where the expectations were taken.
    pub variances: Variances,
    /// Log-likelihood of the data there, restricted under REML.
    pub log_lik: f64,
    /// Σ_l E[u_l u_lᵀ] of each block.
    pub scatter: Vec<DMatrix<f64>>,
    /// E[eᵀWe] of each dispersion group.
    pub residual: Vec<f64>,
    /// What the regression of PX-EM found.
    pub expansion: Option<Expansion>,
}

/// The distribution of (u, β) given y at some variances.
#[derive(Debug, Clone, Copy)]
pub struct Posterior<'a> {
    /// Its mean.
    pub factor: &'a Factor,
    /// Its covariance, in units of σ².
    pub covariance: &'a SelectedInverse,
    /// σ².
    pub variance: f64,
}

impl Posterior<'_> {
    /// E[u_l u_lᵀ] of level `l` of a term `width` wide, written to `moment`.
    pub fn second_moment(&self, term: usize, width: usize, l: usize, moment: &mut [f64]) {
        let u = &self.factor.effects(term)[l * width..][..width];
        let covariance = &self.covariance.diagonal(term)[l * width * width..];
        outer(u, u, covariance, self.variance, moment);
    }
}

/// a bᵀ + `variance` times `covariance`, column-major.
pub fn outer(a: &[f64], b: &[f64], covariance: &[f64], variance: f64, product: &mut [f64]) {
    let columns = product
        .chunks_exact_mut(a.len())
        .zip(covariance.chunks_exact(a.len()));
    for (&b, (column, covariance)) in b.iter().zip(columns) {
        for (value, (a, c)) in column.iter_mut().zip(a.iter().zip(covariance)) {
            *value = a * b + variance * c;
        }
    }
}

/// The E step at `variances`; with `expanded` that of PX-EM.
///
/// # Errors
/// As [`Factor::update`].
pub fn expect(
    problem: &Problem,
    blocks: &[Block],
    factor: &mut Factor,
    variances: &Variances,
    expanded: bool,
) -> Result<Expectation> {
    let statistics = problem.statistics;
    let parameters = Parameters {
        theta: variances.theta.clone(),
        sigma: Some(variances.sigma),
        dispersion: variances.dispersion.clone(),
    };
    factor.update(
        statistics,
        problem.structure,
        &parameters.theta,
        &parameters.dispersion,
    )?;
    let log_lik = -0.5 * problem.value(factor, &parameters);
    factor.selected_inverse(problem.reml);
    let covariance = factor.selected().ok_or_else(|| Error::Numerical {
        message: "the conditional variances could not be computed".into(),
    })?;
    let posterior = Posterior {
        factor,
        covariance,
        variance: variances.sigma * variances.sigma,
    };
    let scatter = scatter(&posterior, blocks, statistics.widths(), statistics.levels());
    let residual = match statistics.group_rows().len() {
        1 => vec![residual_square(problem, &posterior)],
        groups => {
            let lambdas: Vec<_> = (0..statistics.terms())
                .map(|t| factor.lambda(t).clone())
                .collect();
            let beta = factor.rotated_coefficients();
            (0..groups)
                .map(|g| expected_square(statistics, &posterior, g, &lambdas, beta))
                .collect()
        }
    };
    let expansion = expanded
        .then(|| Regression::new(problem, blocks, &posterior, variances, &scatter))
        .transpose()?
        .map(|regression| regression.solve(problem, blocks, &posterior, &residual))
        .transpose()?;
    Ok(Expectation {
        variances: variances.clone(),
        log_lik,
        scatter,
        residual,
        expansion,
    })
}

/// Σ_l E[u_l u_lᵀ] of each block.
fn scatter(
    posterior: &Posterior,
    blocks: &[Block],
    widths: &[usize],
    levels: &[usize],
) -> Vec<DMatrix<f64>> {
    let sums: Vec<DMatrix<f64>> = widths
        .iter()
        .zip(levels)
        .enumerate()
        .map(|(term, (&width, &levels))| {
            let mut sum = DMatrix::zeros(width, width);
            let mut moment = vec![0.0; width * width];
            for l in 0..levels {
                posterior.second_moment(term, width, l, &mut moment);
                sum += DMatrixView::from_slice(&moment, width, width);
            }
            sum
        })
        .collect();
    blocks
        .iter()
        .map(|block| block.part(&sums[block.term]))
        .collect()
}

/// E[eᵀWe] of all rows: |y − Xβ̂ − ZΛû|²_W plus σ² tr(C [ZΛ X]ᵀW[ZΛ X]), in which the product is M less the
/// identity of u.
fn residual_square(problem: &Problem, posterior: &Posterior) -> f64 {
    let statistics = problem.statistics;
    let mut square = 0.0;
    let mut degrees = if problem.reml {
        statistics.fixed_columns() as f64
    } else {
        0.0
    };
    for (term, &width) in statistics.widths().iter().enumerate() {
        square += posterior
            .factor
            .effects(term)
            .iter()
            .map(|u| u * u)
            .sum::<f64>();
        for block in posterior
            .covariance
            .diagonal(term)
            .chunks_exact(width * width)
        {
            degrees += block
                .iter()
                .step_by(width + 1)
                .map(|c| 1.0 - c)
                .sum::<f64>();
        }
    }
    posterior.factor.penalized_rss() - square + posterior.variance * degrees
}
