//! Conjugate prior of means and covariances: normal and inverse Wishart (Fraley & Raftery 2007,
//! "Bayesian regularization for normal mixture estimation and model-based clustering", J. Classif. 24).
//!
//! The log prior is, up to a constant,
//!
//! ```text
//! -1/2 Σ_k { c_k log|Σ_k| + tr(Λ_k Σ_k⁻¹) + κ (μ_k − μ_p)ᵀ Σ_k⁻¹ (μ_k − μ_p) }
//! ```
//!
//! with shrinkage κ, mean μ_p, and pseudo-counts c_k and pseudo-scatter Λ_k that depend on the covariance
//! model. With ν degrees of freedom, scale Λ, and m = 1 when means are shrunk (κ > 0 and means unknown):
//!
//! | models              | c                        | Λ_k              | the source                        |
//! |---------------------|--------------------------|------------------|-----------------------------------|
//! | E, EII              | Σc = K m + (ν + 2)/d     | ΣΛ = tr(Λ)/d² I  | the paper, table 1                |
//! | V, VII              | c_k = m + (ν + 2)/d      | tr(Λ)/d² I       | the paper, table 1                |
//! | EEI                 | Σc = K m + ν + 2         | ΣΛ = diag Λ      | the paper, table 1                |
//! | VVI                 | c_k = m + ν + 2          | diag Λ           | the paper, table 1                |
//! | EEE                 | Σc = K m + ν + d + 1     | ΣΛ = Λ           | the paper, table 1                |
//! | VVV                 | c_k = m + ν + d + 1      | Λ                | the paper, table 1                |
//! | EVI                 | Σc = m + ν + 1           | diag Λ           | what mclust computes              |
//! | VEI                 | c_k = (m + ν + 2)/d      | diag Λ           | what mclust computes              |
//! | EEV                 | Σc = m + ν + d + 1       | Λ                | what mclust computes              |
//! | VEV                 | 0                        | Λ                | what mclust computes              |
//! | VEE, EVE, VVE, EVV  | c_k = m + ν + d + 1      | Λ                | as VVV, kept inside the model     |
//!
//! Every row is one fixed function of the parameters, so MAP-EM ascends. mclust 6.0.0 departs from the
//! paper in two models, where we follow the paper: its EII leaves Λ out, its EEI does not shrink the means.

use nalgebra::{DMatrix, DVector};

use super::model::{CovarianceModel, Mixture};
use super::rules::Rules;
use crate::error::{Error, Result};
use crate::linalg::{cholesky, inverse_spd, log_det_cholesky, trace_product};

/// Hyperparameters κ, μ_p, ν, Λ; the names are those of mclust's `priorControl()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// κ ≥ 0: how many rows the prior mean counts for.
    pub shrinkage: f64,
    /// μ_p, d numbers; not used when κ is 0.
    pub mean: DVector<f64>,
    /// Degrees of freedom ν.
    pub dof: f64,
    /// Λ, d × d, positive semi-definite. A scalar scale ς² of mclust is ς² I.
    pub scale: DMatrix<f64>,
}

/// What the prior adds to N_k and to the scatter matrices of K components.
#[derive(Debug, Clone, PartialEq)]
pub struct PseudoData {
    /// c_k; Σ_k c_k for the models whose components share one matrix is spread evenly.
    pub counts: Vec<f64>,
    /// Λ_k, the same for all k.
    pub scatter: DMatrix<f64>,
}

impl Prior {
    /// mclust's default: κ = 0.01, mean of the rows, ν = d + 2 and Λ = K^(−2/d) times the covariance matrix
    /// of the rows (divisor n − 1), or times their mean variance for spherical and diagonal models.
    ///
    /// `total_covariance` has divisor n − 1; with n ≤ d rows only its diagonal is used.
    pub fn default_for(
        model: CovarianceModel,
        k: usize,
        rows: u64,
        mean: DVector<f64>,
        total_covariance: &DMatrix<f64>,
    ) -> Self {
        let d = mean.len();
        let shrunk_volume = (k as f64).powf(-2.0 / d as f64);
        let scale = if model.is_diagonal() {
            DMatrix::from_diagonal_element(d, d, total_covariance.trace() / d as f64)
        } else if rows > d as u64 {
            total_covariance.clone()
        } else {
            DMatrix::from_diagonal(&total_covariance.diagonal())
        };
        Prior {
            shrinkage: 0.01,
            mean,
            dof: d as f64 + 2.0,
            scale: scale * shrunk_volume,
        }
    }

    /// Checks shapes and ranges in `d` dimensions.
    ///
    /// # Errors
    /// [`Error::Argument`] that names `prior`.
    pub fn validate(&self, d: usize) -> Result<()> {
        let invalid = |message: String| {
            Err(Error::Argument {
                argument: "prior",
                message,
            })
        };
        if !(self.shrinkage >= 0.0 && self.shrinkage.is_finite()) {
            return invalid("must have a shrinkage of 0 or more".into());
        }
        if !(self.dof >= 0.0 && self.dof.is_finite()) {
            return invalid("must have a dof of 0 or more".into());
        }
        if self.mean.len() != d || !self.mean.iter().all(|x| x.is_finite()) {
            return invalid(format!("must have a mean of {d} finite numbers"));
        }
        if self.scale.shape() != (d, d) || !is_covariance(&self.scale) {
            return invalid(format!(
                "must have a scale that is a {d} x {d} covariance matrix"
            ));
        }
        Ok(())
    }

    /// c_k and Λ_k of the table above.
    pub fn pseudo_data(&self, model: CovarianceModel, k: usize, means_known: bool) -> PseudoData {
        use CovarianceModel::*;
        let d = self.mean.len();
        let (dimensions, components) = (d as f64, k as f64);
        let shrunk = if means_known || self.shrinkage == 0.0 {
            0.0
        } else {
            1.0
        };
        let total = match model {
            E | EII => components * shrunk + (self.dof + 2.0) / dimensions,
            V | VII => components * (shrunk + (self.dof + 2.0) / dimensions),
            EEI => components * shrunk + self.dof + 2.0,
            VVI => components * (shrunk + self.dof + 2.0),
            EVI => shrunk + self.dof + 1.0,
            VEI => components * (shrunk + self.dof + 2.0) / dimensions,
            EEE => components * shrunk + self.dof + dimensions + 1.0,
            EEV => shrunk + self.dof + dimensions + 1.0,
            VEV => 0.0,
            VVV | VEE | EVE | VVE | EVV => components * (shrunk + self.dof + dimensions + 1.0),
        };
        let scatter = match model {
            E | V | EII | VII => {
                let variance = self.scale.trace() / (dimensions * dimensions);
                DMatrix::from_diagonal_element(d, d, variance)
            }
            EEI | VEI | EVI | VVI => DMatrix::from_diagonal(&self.scale.diagonal()),
            _ => self.scale.clone(),
        };
        let sharing = if model.is_pooled() { components } else { 1.0 };
        PseudoData {
            counts: vec![total / components; k],
            scatter: scatter / sharing,
        }
    }
}

/// Whether a square matrix is symmetric and positive semi-definite up to rounding, in any units.
fn is_covariance(matrix: &DMatrix<f64>) -> bool {
    let d = matrix.nrows();
    let mut correlation = DMatrix::from_fn(d, d, |i, j| {
        let size = (matrix[(i, i)] * matrix[(j, j)]).sqrt();
        if size == 0.0 {
            matrix[(i, j)]
        } else {
            matrix[(i, j)] / size
        }
    });
    let asymmetry = (&correlation - correlation.transpose()).amax();
    // A variance of 0 is allowed, and so is rounding.
    correlation += DMatrix::from_diagonal_element(d, d, 1e-8);
    asymmetry <= 1e-8 && cholesky(&correlation).is_ok()
}

/// Log density of the prior at `mixture`, without its normalising constant; 0 without a prior.
///
/// EM with `rules` ascends the log-likelihood plus this. Known means have no prior; known covariances leave
/// only the part of the means. NaN when a covariance matrix is not positive definite.
pub fn log_prior(mixture: &Mixture, rules: &Rules) -> f64 {
    let Some(prior) = &rules.prior else {
        return 0.0;
    };
    let k = mixture.components();
    let means_known = rules.known.means.is_some();
    let pseudo = prior.pseudo_data(mixture.model, k, means_known);
    let mut sum = 0.0;
    for (index, sigma) in mixture.covariances.iter().enumerate() {
        let (Ok(lower), Ok(precision)) = (cholesky(sigma), inverse_spd(sigma)) else {
            return f64::NAN;
        };
        if rules.known.covariances.is_none() {
            sum += pseudo.counts[index] * log_det_cholesky(&lower);
            sum += trace_product(&pseudo.scatter, &precision);
        }
        if !means_known {
            let deviation = mixture.means.column(index) - &prior.mean;
            sum += prior.shrinkage * deviation.dot(&(&precision * &deviation));
        }
    }
    -0.5 * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(scale: &[f64]) -> Prior {
        Prior {
            shrinkage: 0.01,
            mean: DVector::zeros(2),
            dof: 4.0,
            scale: DMatrix::from_row_slice(2, 2, scale),
        }
    }

    #[test]
    fn the_scale_must_be_a_covariance_matrix() {
        for good in [[1.0, 0.5, 0.5, 1.0], [1e12, 1.0, 1.0, 1e-12], [0.0; 4]] {
            assert_eq!(prior(&good).validate(2), Ok(()));
        }
        for bad in [
            [1.0, 2.0, 2.0, 1.0],
            [1.0, 0.5, 0.0, 1.0],
            [-1.0, 0.0, 0.0, 1.0],
            [0.0, 1.0, 1.0, 1.0],
            [f64::NAN, 0.0, 0.0, 1.0],
        ] {
            let message = prior(&bad).validate(2).unwrap_err().to_string();
            assert!(
                message.starts_with("`prior` must have a scale"),
                "{message}"
            );
        }
        assert!(prior(&[1.0, 0.0, 0.0, 1.0]).validate(3).is_err());
    }

    #[test]
    fn the_default_follows_mclust() {
        let covariance = DMatrix::from_row_slice(2, 2, &[4.0, 1.0, 1.0, 2.0]);
        let default = |model, rows| {
            Prior::default_for(
                model,
                4,
                rows,
                DVector::from_vec(vec![1.0, 2.0]),
                &covariance,
            )
        };
        let full = default(CovarianceModel::VVV, 100);
        assert_eq!((full.shrinkage, full.dof), (0.01, 4.0));
        assert_eq!(full.scale, &covariance / 4.0);
        let few = default(CovarianceModel::EEE, 2).scale;
        assert_eq!(few, DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 0.0, 0.5]));
        let diagonal = default(CovarianceModel::VEI, 100).scale;
        assert_eq!(diagonal, DMatrix::from_diagonal_element(2, 2, 0.75));
    }
}
