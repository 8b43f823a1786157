//! Parameters that the user knows and EM must leave alone.

use nalgebra::DMatrix;

use super::model::{CovarianceModel, Mixture};
use crate::error::{Error, Result};
use crate::linalg::cholesky;

/// Parameters held fixed; `None` means estimated. The paper's own model (two heights, section 1) has known
/// weights and known covariances.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// K positive weights that sum to one, or to less when there is a noise component (it takes the rest).
    pub weights: Option<Vec<f64>>,
    /// d × K means.
    pub means: Option<DMatrix<f64>>,
    /// K positive definite d × d covariance matrices; they need not obey the covariance model.
    pub covariances: Option<Vec<DMatrix<f64>>>,
}

/// How far known weights may be from a sum of one.
const WEIGHT_SUM_TOLERANCE: f64 = 1e-8;

impl Known {
    /// Checks shapes and ranges for K = `k` components in `d` dimensions.
    ///
    /// # Errors
    /// [`Error::Argument`] that names `known` and the part that is wrong.
    pub fn validate(&self, k: usize, d: usize, noise: bool) -> Result<()> {
        if let Some(weights) = &self.weights {
            validate_weights(weights, k, noise)?;
        }
        if let Some(means) = &self.means {
            if means.shape() != (d, k) || !means.iter().all(|x| x.is_finite()) {
                return Err(invalid(format!(
                    "must give {k} means, each {d} finite numbers"
                )));
            }
        }
        if let Some(covariances) = &self.covariances {
            validate_covariances(covariances, k, d)?;
        }
        Ok(())
    }

    /// Free parameters of a mixture of which these parts are known.
    pub fn free_parameters(
        &self,
        model: CovarianceModel,
        d: usize,
        k: usize,
        noise: bool,
    ) -> usize {
        let weights = match self.weights {
            Some(_) => 0,
            None => k - 1 + usize::from(noise),
        };
        let means = if self.means.is_some() { 0 } else { k * d };
        let covariances = match self.covariances {
            Some(_) => 0,
            None => model.covariance_parameters(d, k),
        };
        weights + means + covariances
    }

    /// Free parameters of `mixture`.
    pub fn parameters(&self, mixture: &Mixture) -> usize {
        let (k, d) = (mixture.components(), mixture.dim());
        self.free_parameters(mixture.model, d, k, mixture.noise.is_some())
    }
}

fn invalid(message: String) -> Error {
    Error::Argument {
        argument: "known",
        message,
    }
}

fn validate_weights(weights: &[f64], k: usize, noise: bool) -> Result<()> {
    if weights.len() != k || !weights.iter().all(|&w| w > 0.0 && w <= 1.0) {
        return Err(invalid(format!(
            "must give {k} weights between 0 and 1, none of them 0"
        )));
    }
    let sum: f64 = weights.iter().sum();
    if noise && sum >= 1.0 - WEIGHT_SUM_TOLERANCE {
        return Err(invalid(format!(
            "must leave some weight to the noise component: the weights sum to {sum}"
        )));
    }
    if !noise && (sum - 1.0).abs() > WEIGHT_SUM_TOLERANCE {
        return Err(invalid(format!(
            "must give weights that sum to 1, not {sum}"
        )));
    }
    Ok(())
}

fn validate_covariances(covariances: &[DMatrix<f64>], k: usize, d: usize) -> Result<()> {
    if covariances.len() != k || covariances.iter().any(|sigma| sigma.shape() != (d, d)) {
        return Err(invalid(format!(
            "must give {k} covariances, each {d} x {d}"
        )));
    }
    for (index, sigma) in covariances.iter().enumerate() {
        let asymmetry = (sigma - sigma.transpose()).amax();
        let symmetric = asymmetry <= 1e-8 * sigma.amax();
        if !symmetric || cholesky(sigma).is_err() {
            return Err(invalid(format!(
                "must give symmetric positive definite covariances; that of component {} is not",
                index + 1
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parts_are_not_free() {
        let model = CovarianceModel::V;
        let mut known = Known::default();
        assert_eq!(known.free_parameters(model, 1, 2, false), 5);
        known.weights = Some(vec![0.5, 0.5]);
        known.covariances = Some(vec![DMatrix::from_element(1, 1, 6.25); 2]);
        assert_eq!(known.free_parameters(model, 1, 2, false), 2);
        assert_eq!(known.free_parameters(model, 1, 2, true), 2);
    }

    #[test]
    fn wrong_parts_are_named() {
        let known = |weights: Vec<f64>| Known {
            weights: Some(weights),
            ..Known::default()
        };
        assert!(known(vec![0.3, 0.7]).validate(2, 1, false).is_ok());
        assert!(known(vec![0.3, 0.7]).validate(2, 1, true).is_err());
        assert!(known(vec![0.3, 0.6]).validate(2, 1, true).is_ok());
        for weights in [vec![0.3, 0.6], vec![1.0], vec![1.0, 0.0], vec![f64::NAN; 2]] {
            assert!(known(weights).validate(2, 1, false).is_err());
        }
        let singular = Known {
            covariances: Some(vec![DMatrix::from_element(2, 2, 1.0)]),
            ..Known::default()
        };
        let message = singular.validate(1, 2, false).unwrap_err().to_string();
        assert!(message.starts_with("`known`"), "{message}");
        assert!(message.ends_with("component 1 is not"), "{message}");
        let means = Known {
            means: Some(DMatrix::zeros(2, 3)),
            ..Known::default()
        };
        assert!(means.validate(3, 2, false).is_ok());
        assert!(means.validate(2, 3, false).is_err());
    }
}
