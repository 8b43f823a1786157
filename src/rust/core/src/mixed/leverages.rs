//! Leverages: the diagonal of the hat matrix H = [ZΛ X] M⁻¹ [ZΛ X]ᵀ W, that takes y to the fitted values.

use super::cross_products::CrossProducts;
use super::factor::Factor;
use super::rows::Rows;
use super::variances::{prediction_variances, Points};
use crate::error::Result;

/// The leverage of every row at the θ of `factor`, as lme4's `hatvalues`; `dispersion` holds the ratios of the
/// dispersion groups (empty: all 1). Their sum is the effective number of parameters ρ of Hodges and Sargent
/// (2001, Biometrika 88, eq. 5), which the conditional AIC of Vaida and Blanchard (2005) penalises.
///
/// # Errors
/// As [`prediction_variances`].
pub fn leverages(
    rows: &Rows,
    statistics: &CrossProducts,
    factor: &mut Factor,
    dispersion: &[f64],
) -> Result<Vec<f64>> {
    let points = Points {
        rows: rows.len(),
        fixed: Some(rows.fixed),
        terms: rows.terms.clone(),
    };
    let mut leverages = prediction_variances(statistics, factor, &points)?;
    for (i, leverage) in leverages.iter_mut().enumerate() {
        let ratio = dispersion.get(rows.group(i)).copied().unwrap_or(1.0);
        *leverage *= rows.weight(i) / (ratio * ratio);
    }
    Ok(leverages)
}
