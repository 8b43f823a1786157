//! Criteria that weigh fit against size, in R's sign: smaller is better.

use super::known::Known;
use super::model::Mixture;
use crate::error::Result;

/// Which criterion selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    Aic,
    Bic,
    Icl,
}

impl Criterion {
    /// The criterion that users call `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "AIC" => Some(Criterion::Aic),
            "BIC" => Some(Criterion::Bic),
            "ICL" => Some(Criterion::Icl),
            _ => None,
        }
    }
}

/// Log-likelihood and criteria of one fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    pub log_lik: f64,
    /// Free parameters; known ones do not count.
    pub parameters: usize,
    /// −2 log L + 2 p (Akaike 1974).
    pub aic: f64,
    /// −2 log L + p log n, with n the total row weight (Schwarz 1978).
    pub bic: f64,
    /// BIC − 2 Σ_i w_i log r_i,MAP (Biernacki, Celeux & Govaert 2000, as mclust computes it).
    pub icl: f64,
}

impl Criteria {
    /// Criteria of `mixture`, whose log-likelihood is `log_lik` on rows of weight `total_weight`; `icl` turns
    /// BIC into ICL.
    ///
    /// # Errors
    /// Those of `icl`.
    pub fn of(
        mixture: &Mixture,
        log_lik: f64,
        total_weight: f64,
        known: &Known,
        icl: impl FnOnce(f64) -> Result<f64>,
    ) -> Result<Self> {
        let parameters = known.parameters(mixture);
        let bic = -2.0 * log_lik + parameters as f64 * total_weight.ln();
        Ok(Criteria {
            log_lik,
            parameters,
            aic: -2.0 * log_lik + 2.0 * parameters as f64,
            bic,
            icl: icl(bic)?,
        })
    }

    /// The value of `criterion`.
    pub fn value(&self, criterion: Criterion) -> f64 {
        match criterion {
            Criterion::Aic => self.aic,
            Criterion::Bic => self.bic,
            Criterion::Icl => self.icl,
        }
    }
}
