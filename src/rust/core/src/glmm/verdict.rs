//! What the gradient and the Hessian at the end say: whether it is a minimum, and how well it is known.
//!
//! The Hessian is by central differences of the analytic gradient, jointly in θ, β and log shape, so that the
//! covariance of β accounts for the estimation of the others. Elements of θ in a column of Λ that is zero are
//! held there: the criterion is even in them, and a quadratic says nothing of their distribution.

use nalgebra::{DMatrix, DVector};

use super::limits::shape_is_endless;
use super::modes::Approximation;
use super::problem::{Criterion, Problem};
use super::search::{Found, Space};
use crate::em::{Flow, Progress, Status};
use crate::error::{Error, Result};
use crate::linalg;
use crate::mixed::converged::{boundary, singular_terms, Singular};

/// Step of the differences, in rough standard errors.
const DIFFERENCE: f64 = 2e-3;

/// Longest step, in units of the coordinates.
const LONGEST: f64 = 1e-2;

/// An eigenvalue of the Hessian smaller than this counts as zero: with unit diagonal it is 1 where a parameter is
/// known as well as if all others were.
const FLAT: f64 = 1e-7;

/// Smaller eigenvalues are rounding.
const NO_INFORMATION: f64 = 1e-14;

/// Newton steps with the exact Hessian at the end.
const POLISH: usize = 2;

/// A decrease that is not worth a Newton step.
const NOTHING: f64 = 1e-13;

/// The facts at the end, in the order θ, β̃, log shape.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// d criterion / d psi.
    pub gradient: Vec<f64>,
    /// d² criterion / d psi².
    pub hessian: DMatrix<f64>,
    /// Its eigenvalues with its diagonal scaled to 1, without what is at the boundary; largest first.
    pub eigenvalues: Vec<f64>,
    /// gᵀH⁻¹g/2: how far the criterion may still fall.
    pub distance: f64,
    /// The largest |gradient| in standard errors as they would be if all else were known.
    pub steepest: f64,
    /// Coordinates in a column of Λ that is zero.
    pub boundary: Vec<bool>,
    /// Terms whose Λ is singular.
    pub singular: Vec<Singular>,
    /// Whether H is positive definite off the boundary and off rotations of Λ.
    pub positive: bool,
    /// Covariance of (θ, β, log shape), β in the user's units; zero at the boundary.
    pub covariance: DMatrix<f64>,
}

/// Takes the last Newton steps from what was found and judges where they lead; `found` is moved there.
///
/// # Errors
/// Those of the criterion.
pub(super) fn verdict(
    problem: &Problem,
    criterion: &mut dyn Approximation,
    space: &Space,
    found: &mut Found,
    tol: f64,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Verdict> {
    let k = found.psi.len();
    let thetas = space.thetas();
    let mut at_boundary = boundary(&space.linear, &found.psi[..thetas]);
    at_boundary.resize(k, false);
    criterion.value(&found.psi)?;
    if shape_is_endless(problem, &found.psi, &criterion.linear_predictor()) {
        at_boundary[k - 1] = true;
        // The criterion is flat to rounding in the shape: the others decide.
        if let Status::Degenerate { .. } | Status::IterationLimit = found.status {
            found.status = Status::Converged;
        }
    }
    let inside: Vec<usize> = (0..k).filter(|&i| !at_boundary[i]).collect();
    let hessian = match differences(criterion, space, found, &inside, monitor)? {
        Some(hessian) => hessian,
        None => found.hessian.clone(),
    };
    let mut gradient = vec![0.0; k];
    found.value = criterion.gradient(&found.psi, &mut gradient)?;
    let mut spectrum = Spectrum::of(&hessian, &inside)?;
    if found.status == Status::Converged && spectrum.positive() {
        polish(criterion, &spectrum, &inside, found, &mut gradient)?;
    }
    spectrum.measure(&gradient, &inside);
    let psi_covariance = spectrum.covariance(&inside, thetas, k) * 2.0;
    let mut verdict = Verdict {
        distance: spectrum.distance,
        steepest: spectrum.steepest,
        eigenvalues: spectrum.values.as_slice().to_vec(),
        positive: spectrum.positive(),
        covariance: in_users_units(problem, thetas, &psi_covariance),
        gradient,
        hessian,
        boundary: at_boundary,
        singular: singular_terms(&space.linear, &space.scales, &found.psi[..thetas]),
    };
    found.status = verdict.judge(found.status.clone(), tol);
    verdict.covariance = linalg::symmetrized(&verdict.covariance);
    Ok(verdict)
}

impl Verdict {
    /// What becomes of a run that ended with `status`: an optimizer that claims a minimum must have one.
    fn judge(&self, status: Status, tol: f64) -> Status {
        if status != Status::Converged {
            return status;
        }
        if !self.positive {
            return Status::Saddle {
                message:
                    "the Hessian has a negative eigenvalue, so this is no minimum of the criterion"
                        .into(),
            };
        }
        if self.distance > 100.0 * tol.max(1e-8) {
            return Status::Degenerate {
                component: 0,
                message: format!(
                    "the gradient says that the criterion can still fall by {:.2e}",
                    self.distance
                ),
            };
        }
        status
    }
}

/// Eigenvalues and eigenvectors of the part of a Hessian that is inside, its diagonal scaled to 1.
struct Spectrum {
    roots: DVector<f64>,
    values: DVector<f64>,
    axes: DMatrix<f64>,
    distance: f64,
    steepest: f64,
}

impl Spectrum {
    fn of(hessian: &DMatrix<f64>, inside: &[usize]) -> Result<Self> {
        let size = inside.len();
        let roots = DVector::from_fn(size, |i, _| {
            let diagonal = hessian[(inside[i], inside[i])].abs();
            if diagonal > 0.0 {
                diagonal.sqrt()
            } else {
                1.0
            }
        });
        let scaled = DMatrix::from_fn(size, size, |i, j| {
            hessian[(inside[i], inside[j])] / (roots[i] * roots[j])
        });
        let (values, axes) = linalg::symmetric_eigen(&scaled)?;
        Ok(Spectrum {
            roots,
            values,
            axes,
            distance: f64::NAN,
            steepest: f64::NAN,
        })
    }

    /// No eigenvalue is negative beyond rounding.
    fn positive(&self) -> bool {
        self.values.iter().all(|&value| value > -FLAT)
    }

    /// H⁻¹ over the directions in which H is not zero, with zeros outside.
    fn inverse(&self, inside: &[usize], k: usize) -> DMatrix<f64> {
        let inverted = self.values.map(|value| match value.abs() > FLAT {
            true => 1.0 / value,
            false => 0.0,
        });
        self.assemble(&inverted, inside, k)
    }

    /// H⁻¹, but where H is zero: nothing along rotations of Λ, which change nothing, and very much along fixed
    /// effects, of which the data then say nothing.
    fn covariance(&self, inside: &[usize], thetas: usize, k: usize) -> DMatrix<f64> {
        let columns = self.axes.column_iter().zip(self.values.iter());
        let inverted = columns.map(|(axis, &value)| {
            let along = axis.iter().zip(inside).filter(|(_, &i)| i < thetas);
            let rotation = along.map(|(a, _)| a * a).sum::<f64>() > 0.5;
            match value.abs() > FLAT {
                true => 1.0 / value,
                false if rotation => 0.0,
                false => 1.0 / value.abs().max(NO_INFORMATION),
            }
        });
        let inverted = DVector::from_iterator(inside.len(), inverted);
        self.assemble(&inverted, inside, k)
    }

    fn assemble(&self, inverted: &DVector<f64>, inside: &[usize], k: usize) -> DMatrix<f64> {
        let inner = &self.axes * DMatrix::from_diagonal(inverted) * self.axes.transpose();
        let mut inverse = DMatrix::zeros(k, k);
        for (i, &a) in inside.iter().enumerate() {
            for (j, &b) in inside.iter().enumerate() {
                inverse[(a, b)] = inner[(i, j)] / (self.roots[i] * self.roots[j]);
            }
        }
        inverse
    }

    fn slopes(&self, gradient: &[f64], inside: &[usize]) -> DVector<f64> {
        DVector::from_fn(inside.len(), |i, _| gradient[inside[i]] / self.roots[i])
    }

    /// How far the gradient says that the minimum is.
    fn measure(&mut self, gradient: &[f64], inside: &[usize]) {
        let slopes = self.slopes(gradient, inside);
        self.steepest = slopes.amax();
        let along = self.axes.tr_mul(&slopes);
        let parts = self.values.iter().zip(&along);
        let parts = parts.filter(|(value, _)| value.abs() > FLAT);
        self.distance = parts
            .map(|(value, slope)| 0.5 * slope * slope / value.abs())
            .sum();
    }

    /// Newton's step.
    fn newton(&self, gradient: &[f64], inside: &[usize], k: usize) -> Vec<f64> {
        let gradient = DVector::from_column_slice(gradient);
        (self.inverse(inside, k) * -gradient).as_slice().to_vec()
    }
}

/// Newton steps with the Hessian at the end, as long as the gradient shrinks.
fn polish(
    criterion: &mut dyn Criterion,
    spectrum: &Spectrum,
    inside: &[usize],
    found: &mut Found,
    gradient: &mut Vec<f64>,
) -> Result<()> {
    let k = found.psi.len();
    let size = |gradient: &[f64]| spectrum.slopes(gradient, inside).norm();
    for _ in 0..POLISH {
        let before = size(gradient);
        if before * before <= NOTHING {
            return Ok(());
        }
        let step = spectrum.newton(gradient, inside, k);
        let at: Vec<f64> = found.psi.iter().zip(&step).map(|(at, s)| at + s).collect();
        let mut slopes = vec![0.0; k];
        let Ok(value) = criterion.gradient(&at, &mut slopes) else {
            break;
        };
        found.passes += 1;
        let noise = 64.0 * f64::EPSILON * (1.0 + value.abs());
        if !(value <= found.value + noise && size(&slopes) < before) {
            break;
        }
        found.psi = at;
        found.value = value;
        *gradient = slopes;
    }
    // Back from a step that was no good.
    found.value = criterion.gradient(&found.psi, gradient)?;
    Ok(())
}

/// The Hessian inside by central differences of the gradient; `None`, with the status that says why, if the monitor
/// stops it or the criterion is undefined around the minimum.
fn differences(
    criterion: &mut dyn Criterion,
    space: &Space,
    found: &mut Found,
    inside: &[usize],
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Option<DMatrix<f64>>> {
    let k = found.psi.len();
    let mut units = vec![1.0; k];
    space.units(&found.psi, &mut units);
    let mut hessian = DMatrix::zeros(k, k);
    for &j in inside {
        let progress = Progress {
            iteration: found.iterations,
            passes: found.passes,
            objective: -0.5 * found.value,
            distance: f64::NAN,
        };
        if monitor(&progress) == Flow::Stop {
            found.status = Status::Interrupted;
            return Ok(None);
        }
        let error = (2.0 / found.hessian[(j, j)].abs()).sqrt();
        let mut step = (DIFFERENCE * error).min(LONGEST * units[j]);
        if !(step.is_finite() && step > 0.0) {
            step = LONGEST * units[j];
        }
        found.passes += 2;
        let column = difference(criterion, &found.psi, j, step)?;
        let column = match column {
            None => difference(criterion, &found.psi, j, 0.01 * step)?,
            column => column,
        };
        let Some(column) = column else {
            found.status = Status::Degenerate {
                component: 0,
                message: "the criterion is undefined right beside the estimates".into(),
            };
            return Ok(None);
        };
        hessian.column_mut(j).copy_from_slice(&column);
    }
    Ok(Some(linalg::symmetrized(&hessian)))
}

/// A column of the Hessian; `None` where the criterion is undefined.
fn difference(
    criterion: &mut dyn Criterion,
    psi: &[f64],
    j: usize,
    step: f64,
) -> Result<Option<Vec<f64>>> {
    let mut slopes = [vec![0.0; psi.len()], vec![0.0; psi.len()]];
    for (slopes, side) in slopes.iter_mut().zip([1.0, -1.0]) {
        let mut at = psi.to_vec();
        at[j] += side * step;
        match criterion.gradient(&at, slopes) {
            Ok(_) => {}
            Err(error @ (Error::Argument { .. } | Error::Interrupted)) => return Err(error),
            Err(_) => return Ok(None),
        }
    }
    let [above, below] = &slopes;
    let pairs = above.iter().zip(below);
    Ok(Some(pairs.map(|(a, b)| (a - b) / (2.0 * step)).collect()))
}

/// A covariance of psi as that of (θ, β, log shape).
fn in_users_units(problem: &Problem, thetas: usize, covariance: &DMatrix<f64>) -> DMatrix<f64> {
    let k = covariance.nrows();
    let transform = problem.basis().matrix();
    let p = transform.nrows();
    let mut to_user = DMatrix::identity(k, k);
    to_user
        .view_mut((thetas, thetas), (p, p))
        .copy_from(&transform);
    &to_user * covariance * to_user.transpose()
}
