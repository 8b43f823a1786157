//! What the gradient and the Hessian at the end say: whether it is a minimum, and what is singular.

use nalgebra::DMatrix;

use super::criterion::Problem;
use super::factor::Factor;
use crate::error::Result;
use crate::linalg;

/// Where a Hessian comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HessianSource {
    /// Central differences of the analytic gradient.
    Differences,
    /// The optimizer's: average information, exact curvature of ΛΛᵀ, agreeing with the last step.
    AverageInformation,
}

/// A singular Λ_t.
#[derive(Debug, Clone, PartialEq)]
pub struct Singular {
    /// Core term.
    pub term: usize,
    /// Columns of Z whose effects do not vary, or only as others do: a direction of zero variance for each
    /// column of this q × r matrix.
    pub directions: DMatrix<f64>,
}

/// The facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub gradient: Vec<f64>,
    pub hessian: DMatrix<f64>,
    pub source: HessianSource,
    /// Eigenvalues of the Hessian, largest first.
    pub eigenvalues: Vec<f64>,
    /// gᵀH⁻¹g/2 over the coordinates that are not at the boundary: how far the criterion can still fall.
    pub distance: f64,
    /// θ at the boundary: a zero diagonal of Λ.
    pub boundary: Vec<bool>,
    pub singular: Vec<Singular>,
}

/// A singular value of the scaled Λ_t below this is zero.
pub const SINGULAR: f64 = 1e-5;

/// Coordinates times random effects up to which differences of the gradient are cheap.
const CHEAP: usize = 20_000;

/// Step of the differences, in units of θ.
const DIFFERENCE: f64 = 1e-4;
