//! What Satterthwaite's degrees of freedom need, as lmerTest defines them (Kuznetsova, Brockhoff and
//! Christensen 2017, J. Stat. Softw. 82(13), section 2): the asymptotic covariance A = 2 H⁻¹ of the variance
//! parameters, with H the Hessian of the criterion, and the derivatives of the covariance of β̂ by them.
//!
//! For a contrast l the degrees of freedom are 2 (lᵀCl)² / (gᵀAg) with g the gradient of lᵀCl, in any
//! coordinates. H and g are central differences of exact gradients and covariances.

use nalgebra::DMatrix;

use super::criterion::{Known, Problem};
use super::factor::Factor;
use super::scale::Scales;
use crate::error::Result;
use crate::linalg;

/// Step of the differences, in units of the coordinates.
const STEP: f64 = 1e-4;

/// Curvature below this share of the largest is none.
const FLAT: f64 = 1e-8;

/// Covariances of β̂ and of the variance parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Satterthwaite {
    /// C, the covariance of β̂.
    pub covariance: DMatrix<f64>,
    /// ∂C by each parameter: the coordinates of the problem, then log σ if the problem profiles it out.
    pub derivatives: Vec<DMatrix<f64>>,
    /// A, with directions left out in which the criterion is flat or falls.
    pub parameter_covariance: DMatrix<f64>,
    /// Directions without curvature.
    pub flat: usize,
    /// Directions along which the criterion falls: the fit is no minimum.
    pub falling: usize,
}

/// The two covariances and the derivatives at a fit.
///
/// # Errors
/// As [`Factor::update`].
pub fn satterthwaite(
    problem: &Problem,
    factor: &mut Factor,
    coordinates: &[f64],
) -> Result<Satterthwaite> {
    problem.criterion(factor, coordinates)?;
    let sigma = problem.sigma(factor, coordinates);
    let profiled = problem.known.sigma.is_none() && !problem.sigma_is_free();
    let fixed = |sigma: f64| {
        let known = Known {
            sigma: Some(sigma),
            ..problem.known.clone()
        };
        Problem::new(problem.statistics, problem.structure, problem.reml, known)
    };
    let explicit = match profiled {
        true => fixed(sigma)?,
        false => problem.clone(),
    };
    let rss = factor.penalized_rss();
    let k = coordinates.len();
    let r = k + usize::from(profiled);
    let mut hessian = DMatrix::zeros(r, r);
    let mut derivatives = Vec::with_capacity(r);
    let mut units = vec![1.0; k];
    let theta = explicit.parameters(coordinates).theta;
    Scales::of(&explicit).units(&explicit, &theta, &mut units);
    for (j, unit) in units.iter().enumerate() {
        let mut at = |sign: f64| -> Result<(Vec<f64>, DMatrix<f64>)> {
            let mut moved = coordinates.to_vec();
            moved[j] += sign * STEP * unit;
            let mut gradient = vec![0.0; k];
            explicit.gradient(factor, &moved, &mut gradient)?;
            let sigma = explicit.sigma(factor, &moved);
            Ok((gradient, factor.coefficient_covariance() * (sigma * sigma)))
        };
        let ((up, above), (down, below)) = (at(1.0)?, at(-1.0)?);
        let width = 2.0 * STEP * unit;
        for i in 0..k {
            hessian[(i, j)] = (up[i] - down[i]) / width;
        }
        derivatives.push((above - below) / width);
    }
    if profiled {
        // The gradient is a + b / σ²; from two values of σ, its derivative by log σ, -2 b / σ².
        let (mut here, mut there) = (vec![0.0; k], vec![0.0; k]);
        explicit.gradient(factor, coordinates, &mut here)?;
        fixed(sigma * 2f64.sqrt())?.gradient(factor, coordinates, &mut there)?;
        for i in 0..k {
            hessian[(i, k)] = -4.0 * (here[i] - there[i]);
            hessian[(k, i)] = hessian[(i, k)];
        }
        hessian[(k, k)] = 4.0 * rss / (sigma * sigma);
    }
    problem.criterion(factor, coordinates)?;
    let covariance = factor.coefficient_covariance() * (sigma * sigma);
    if profiled {
        derivatives.push(&covariance * 2.0);
    }
    units.resize(r, 1.0);
    let (parameter_covariance, flat, falling) = twice_inverse(&hessian, &units)?;
    Ok(Satterthwaite {
        covariance,
        derivatives,
        parameter_covariance,
        flat,
        falling,
    })
}

/// 2 H⁻¹ over the directions of positive curvature (in these units of the coordinates), and the number of flat and of falling ones.
fn twice_inverse(hessian: &DMatrix<f64>, units: &[f64]) -> Result<(DMatrix<f64>, usize, usize)> {
    let r = hessian.nrows();
    if r == 0 {
        return Ok((hessian.clone(), 0, 0));
    }
    let scaled = DMatrix::from_fn(r, r, |i, j| units[i] * hessian[(i, j)] * units[j]);
    let (values, vectors) = linalg::symmetric_eigen(&linalg::symmetrized(&scaled))?;
    let tolerance = FLAT * values.amax();
    let curved = values.iter().filter(|&&value| value > tolerance).count();
    let falling = values.iter().filter(|&&value| value < -tolerance).count();
    let inverse: Vec<f64> = values
        .iter()
        .map(|&value| if value > tolerance { 2.0 / value } else { 0.0 })
        .collect();
    let inverse = linalg::from_spectrum(&vectors, &inverse);
    let inverse = DMatrix::from_fn(r, r, |i, j| units[i] * inverse[(i, j)] * units[j]);
    Ok((inverse, r - curved - falling, falling))
}
