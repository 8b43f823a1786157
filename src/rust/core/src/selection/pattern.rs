//! What depends on the parameters and on which outcomes are seen, but not on the row.
//!
//! Of the 2J errors (ε, v), O are those of outcomes that are seen, M of outcomes that are not, V those of the
//! selections; K = (O, V). With residuals r = y_O − x_Oβ and η = wγ, in one Cholesky factor L of Ω in the order
//! (O, V, M):
//!
//! ```text
//! u = L_OO⁻¹ r                    log φ(y_O) = −(|O| log 2π + log |Ω_OO| + u'u)/2
//! m = η + L_VO u                  mean of s* given y_O; its covariance matrix is C = L_VV L_VV'
//! k = (r, s* − η)                 E[e_M | k] = A'k with A' = (L_MO, L_MV) L_KK⁻¹, covariance matrix R = L_MM L_MM'
//! ```
//!
//! so that the likelihood of a row is φ(y_O) times the probability that q∘N(m, C) > 0.

use nalgebra::DMatrix;

use super::layout::Parameters;
use crate::error::Result;
use crate::linalg;
use crate::normal::orthant::{Integration, Orthant};

/// Constants of one pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// Bit j is set where outcome j is seen.
    pub bits: u16,
    /// O: the components of outcomes that are seen.
    pub seen: Vec<usize>,
    /// M: the components of outcomes that are not.
    pub missing: Vec<usize>,
    /// −(|O| log 2π + log |Ω_OO|)/2.
    pub log_constant: f64,
    /// L_OO⁻¹.
    pub whitening: DMatrix<f64>,
    /// L_VO.
    pub shift: DMatrix<f64>,
    /// C.
    pub covariance: DMatrix<f64>,
    /// q: 1 where selected, else −1.
    pub signs: Vec<f64>,
    /// N(·, C) on q∘s* > 0.
    pub orthant: Orthant,
    /// A', |M| × (|O| + J).
    pub regression: DMatrix<f64>,
    /// R with zeros for all other components, 2J × 2J.
    pub residual: DMatrix<f64>,
    /// Ω_KK⁻¹ with zeros for M, 2J × 2J.
    pub precision: DMatrix<f64>,
}

impl Pattern {
    /// The constants of pattern `bits` at `parameters`.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite) when Ω is not; those of the orthant.
    pub fn new(bits: u16, parameters: &Parameters, how: &Integration) -> Result<Self> {
        let errors = parameters.omega.nrows();
        let j = errors / 2;
        let (seen, missing): (Vec<usize>, Vec<usize>) = (0..j).partition(|&a| bits >> a & 1 == 1);
        let order: Vec<usize> = (seen.iter().copied())
            .chain(j..errors)
            .chain(missing.iter().copied())
            .collect();
        let omega = DMatrix::from_fn(errors, errors, |a, b| {
            parameters.omega[(order[a], order[b])]
        });
        let lower = linalg::cholesky(&omega)?;
        let (o, known) = (seen.len(), seen.len() + j);
        let block = |rows: (usize, usize), columns: (usize, usize)| {
            let size = (rows.1 - rows.0, columns.1 - columns.0);
            lower.view((rows.0, columns.0), size).into_owned()
        };
        let root = block((0, o), (0, o));
        let inner = block((o, known), (o, known));
        let covariance = &inner * inner.transpose();
        let signs: Vec<f64> = (0..j)
            .map(|a| if bits >> a & 1 == 1 { 1.0 } else { -1.0 })
            .collect();
        let inverse = linalg::inverse_lower(&block((0, known), (0, known)));
        let rest = block((known, errors), (known, errors));
        let rest = &rest * rest.transpose();
        let mut residual = DMatrix::zeros(errors, errors);
        for (x, &a) in missing.iter().enumerate() {
            for (y, &b) in missing.iter().enumerate() {
                residual[(a, b)] = rest[(x, y)];
            }
        }
        let small = inverse.tr_mul(&inverse);
        let mut precision = DMatrix::zeros(errors, errors);
        for (x, &a) in order[..known].iter().enumerate() {
            for (y, &b) in order[..known].iter().enumerate() {
                precision[(a, b)] = small[(x, y)];
            }
        }
        Ok(Pattern {
            bits,
            log_constant: -0.5
                * (o as f64 * std::f64::consts::TAU.ln() + linalg::log_det_cholesky(&root)),
            whitening: linalg::inverse_lower(&root),
            shift: block((o, known), (0, o)),
            orthant: Orthant::new(&covariance, &signs, how)?,
            covariance,
            signs,
            regression: block((known, errors), (0, known)) * inverse,
            residual,
            precision,
            seen,
            missing,
        })
    }

    /// The matrix T of e's conditional covariance T V T' + R, V the covariance matrix of s*: 2J × J.
    pub fn spread(&self) -> DMatrix<f64> {
        let (errors, j) = (self.residual.nrows(), self.signs.len());
        let mut spread = DMatrix::zeros(errors, j);
        for a in 0..j {
            spread[(j + a, a)] = 1.0;
            for (x, &b) in self.missing.iter().enumerate() {
                spread[(b, a)] = self.regression[(x, self.seen.len() + a)];
            }
        }
        spread
    }

    /// Ω⁻¹T: the last J columns of Ω_KK⁻¹, and zeros for M.
    pub fn loadings(&self) -> DMatrix<f64> {
        let j = self.signs.len();
        self.precision.columns(j, j).into_owned()
    }
}
