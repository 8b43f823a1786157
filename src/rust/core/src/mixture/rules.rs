//! What an M-step must respect beyond the covariance model.

use super::known::Known;
use super::model::CovarianceModel;
use super::prior::Prior;
use super::spread::Spread;
use crate::error::{Error, Result};

/// Rules of a fit, constant while EM runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Parameters held fixed.
    pub known: Known,
    /// Conjugate prior: the M-step maximises the posterior.
    pub prior: Option<Prior>,
    /// Σ_k ⪰ floor · Σ_total in the metric of the covariance model (see [`super::degeneracy`]).
    pub floor: Option<f64>,
    /// log density of the uniform noise component, if there is one.
    pub noise: Option<f64>,
    /// Spread of all rows, the yardstick of the collapse test, the floor and the coordinates. Without it
    /// only an exactly singular covariance matrix counts as collapsed.
    pub spread: Option<Spread>,
    /// Weight of an average row (1 when rows have no weights): what N_k must be compared with.
    pub row_weight: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            known: Known::default(),
            prior: None,
            floor: None,
            noise: None,
            spread: None,
            row_weight: 1.0,
        }
    }
}

impl Rules {
    /// Checks the rules for a covariance model with K = `k` components in `d` dimensions.
    ///
    /// # Errors
    /// [`Error::Argument`] that names `known`, `prior` or `floor`.
    pub fn validate(&self, model: CovarianceModel, k: usize, d: usize) -> Result<()> {
        self.known.validate(k, d, self.noise.is_some())?;
        if let Some(prior) = &self.prior {
            prior.validate(d)?;
        }
        self.validate_floor(model)
    }

    fn validate_floor(&self, model: CovarianceModel) -> Result<()> {
        use CovarianceModel::*;
        let Some(floor) = self.floor else {
            return Ok(());
        };
        let invalid = |message: String| {
            Err(Error::Argument {
                argument: "floor",
                message,
            })
        };
        if !(floor > 0.0 && floor < 1.0) {
            return invalid(format!("must be between 0 and 1, not {floor}"));
        }
        if self.spread.is_none() {
            return invalid("needs the covariance matrix of all rows".into());
        }
        // Where components share only a part of Σ_k, the maximiser under a floor has no closed form.
        if !matches!(model, E | V | EII | VII | EEI | VVI | EEE | VVV) {
            return invalid(format!(
                "is for the models E, V, EII, VII, EEI, VVI, EEE and VVV; use `prior` with {}",
                model.name()
            ));
        }
        Ok(())
    }
}
