//! The M-step of PX-EM: generalised least squares, the expanded covariance matrix, and back.
//!
//! The expanded model lets the selection errors have any variances, of which the data say nothing (Li 2014, section
//! 3.2; Liu, Rubin and Wu 1998, Biometrika 85, 755-770). Its M-step alternates (16), the regression of the expected
//! z on all designs given Σ, and (17), Σ given the coefficients. One such cycle from the Σ of the E-step is enough:
//! it cannot lower Q, and takes as many iterations as going on until both agree.
//!
//! Everything is in errors e = z − XΘ at the parameters of the E-step and in changes Δ of Θ, on designs X̃ = X T:
//!
//! ```text
//! Σ_k σ^{jk} X̃_j'X̃_k Δ_k = Σ_k σ^{jk} X̃_j'E[e_k]                                  (16)
//! W Σ = E[ee'] − Δ'X̃'E[e] − E[e]'X̃Δ + Δ'X̃'X̃Δ                                    (17)
//! ```

use nalgebra::{DMatrix, DVector};

use super::expect::Statistics;
use super::gram::Gram;
use super::layout::{Layout, Parameters};
use crate::error::{Error, Result};
use crate::linalg;

/// Parameters of the expanded model.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    /// Of the kept columns of each of the 2J designs; those of selections are in units of their errors.
    pub coefficients: Vec<Vec<f64>>,
    /// Σ, 2J × 2J.
    pub sigma: DMatrix<f64>,
}

impl Expanded {
    /// The reduction: γ_j = δ_j/d_j and Ω = D⁻¹ΣD⁻¹, d_j² the variance of selection error j. Only the signs of s* are
    /// seen, so the likelihood stays as it is.
    pub fn reduce(&self) -> Parameters {
        let errors = self.sigma.nrows();
        let mut units = DVector::from_element(errors, 1.0);
        for a in errors / 2..errors {
            units[a] = self.sigma[(a, a)].sqrt();
        }
        let scaled = |(coefficients, unit): (&Vec<f64>, &f64)| {
            let coefficients = coefficients.iter();
            coefficients.map(|x| x / unit).collect()
        };
        let mut omega = DMatrix::from_fn(errors, errors, |a, b| {
            self.sigma[(a, b)] / (units[a] * units[b])
        });
        (errors / 2..errors).for_each(|a| omega[(a, a)] = 1.0);
        Parameters {
            coefficients: self.coefficients.iter().zip(&units).map(scaled).collect(),
            omega,
        }
    }
}

/// The M-step after an E-step at `at`.
///
/// # Errors
/// [`Error::Degenerate`] naming the component whose error is a linear combination of those before it.
pub fn maximize(
    statistics: &Statistics,
    gram: &Gram,
    layout: &Layout,
    at: &Parameters,
) -> Result<Expanded> {
    let precision = linalg::inverse_spd(&at.omega)?;
    let changes = regression(statistics, gram, layout, &precision)?;
    let sigma = second_moments(statistics, gram, layout, &changes) / statistics.weight;
    if let Err(Error::NotPositiveDefinite { pivot }) = linalg::cholesky(&sigma) {
        return Err(Error::Degenerate {
            component: pivot + 1,
            message: "its error became a linear combination of the errors before it".into(),
        });
    }
    let coefficients = layout.bases.iter().zip(&at.coefficients).zip(&changes);
    let coefficients = coefficients.map(|((basis, from), change)| {
        let mut moved = vec![0.0; from.len()];
        basis.apply(change.as_slice(), &mut moved);
        moved
            .iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to += from);
        moved
    });
    Ok(Expanded {
        coefficients: coefficients.collect(),
        sigma,
    })
}

/// Δ of (16), on the designs X̃.
fn regression(
    statistics: &Statistics,
    gram: &Gram,
    layout: &Layout,
    precision: &DMatrix<f64>,
) -> Result<Vec<DVector<f64>>> {
    let size = layout.coefficients();
    let mut system = DMatrix::zeros(size, size);
    let mut right = DVector::zeros(size);
    for a in 0..layout.components() {
        let rows = layout.range(a);
        for b in 0..layout.components() {
            let columns = layout.range(b);
            system
                .view_mut((rows.start, columns.start), (rows.len(), columns.len()))
                .copy_from(&(gram.scaled(a, b) * precision[(a, b)]));
        }
        let slopes = &statistics.cross[a] * precision.column(a);
        let mut to = right.rows_mut(rows.start, rows.len());
        layout.bases[a].apply_transposed(slopes.as_slice(), to.as_mut_slice());
    }
    let lower = linalg::cholesky(&system)?;
    lower.solve_lower_triangular_mut(&mut right);
    lower.tr_solve_lower_triangular_mut(&mut right);
    Ok((0..layout.components())
        .map(|component| {
            let range = layout.range(component);
            right.rows(range.start, range.len()).into_owned()
        })
        .collect())
}

/// E[(e − X̃Δ)(e − X̃Δ)'] summed over rows, for changes Δ of the coefficients on the designs X̃.
fn second_moments(
    statistics: &Statistics,
    gram: &Gram,
    layout: &Layout,
    changes: &[DVector<f64>],
) -> DMatrix<f64> {
    let errors = layout.components();
    // Row a: Δ_a'X̃_a'E[e].
    let mut along = DMatrix::zeros(errors, errors);
    for (a, (basis, cross)) in layout.bases.iter().zip(&statistics.cross).enumerate() {
        let mut change = vec![0.0; changes[a].len()];
        basis.apply(changes[a].as_slice(), &mut change);
        along
            .row_mut(a)
            .copy_from(&cross.tr_mul(&DVector::from_vec(change)).transpose());
    }
    let quadratic = DMatrix::from_fn(errors, errors, |a, b| {
        changes[a].dot(&(gram.scaled(a, b) * &changes[b]))
    });
    linalg::symmetrized(&(&statistics.second - &along - along.transpose() + quadratic))
}

/// Q: the expected complete-data log-likelihood of `to` after an E-step at `from`; NaN where Σ is singular.
pub fn complete_log_likelihood(
    statistics: &Statistics,
    gram: &Gram,
    layout: &Layout,
    from: &Parameters,
    to: &Expanded,
) -> f64 {
    let changes: Vec<DVector<f64>> = (layout.bases.iter())
        .zip(from.coefficients.iter().zip(&to.coefficients))
        .map(|(basis, (from, to))| {
            let change: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
            DVector::from_vec(basis.solve(&change))
        })
        .collect();
    let Ok(lower) = linalg::cholesky(&to.sigma) else {
        return f64::NAN;
    };
    let inverse = linalg::inverse_lower(&lower);
    let second = second_moments(statistics, gram, layout, &changes);
    let squares = linalg::trace_product(&inverse.tr_mul(&inverse), &second);
    let constant = layout.components() as f64 * std::f64::consts::TAU.ln();
    -0.5 * (statistics.weight * (constant + linalg::log_det_cholesky(&lower)) + squares)
}
