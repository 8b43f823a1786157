//! What the gradient and the information at the end of a climb say: whether it is a maximum, and how well it is known.

use nalgebra::{DMatrix, DVector};

use super::ascent::{climb, Likelihood, Reached};
use super::coordinates::Coordinates;
use super::layout::Parameters;
use super::modes::{is_singular, smallest_eigenvalue, Kind};
use super::score::{score, Evaluation};
use crate::em::{Flow, Progress, Settings, Status};
use crate::error::{Error, Result};
use crate::linalg;
use crate::normal::orthant::Integration;

/// The Newton decrement of a maximum is smaller.
const STATIONARY: f64 = 1e-4;

/// The same where probabilities are quasi-Monte Carlo integrals: their moments are not quite the derivatives of their
/// logarithms, so no point is a maximum by both. What is left to gain, half its square, is far below the simulation error.
const STATIONARY_BY_SIMULATION: f64 = 1e-2;

/// A decrement that is not worth a Newton step.
const NOTHING: f64 = 1e-7;

/// Newton steps with one information.
const STEPS: usize = 3;

/// Times that the information is computed again, where Newton's steps led too far for the last.
const ROUNDS: usize = 4;

/// Standard errors that are too far.
const FAR: f64 = 1e-2;

/// An eigenvalue of the information with unit diagonal that is smaller is not positive.
const FLAT: f64 = 1e-9;

/// A correlation matrix with a smaller eigenvalue is on its way to a singular one, if there is no maximum.
const NEARLY_SINGULAR: f64 = 1e-3;

/// Times that a saddle is left before it is reported.
const MAX_ESCAPES: usize = 3;

/// Steps along the direction of negative curvature, in standard errors.
const ESCAPES: [f64; 4] = [3.0, 1.0, 0.3, 0.1];

/// The facts at the end of a climb, in naturals.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `None` where the climb did not end at a stationary point or a boundary.
    pub kind: Option<Kind>,
    pub gradient: Vec<f64>,
    /// Minus the second derivatives of the log-likelihood.
    pub information: DMatrix<f64>,
    /// Its inverse; NaN unless it is positive definite.
    pub covariance: DMatrix<f64>,
    /// Eigenvalues of the information with its diagonal scaled to 1, largest first.
    pub eigenvalues: Vec<f64>,
    /// √(g'I⁻¹g); infinite unless the information is positive definite.
    pub decrement: f64,
}

impl Facts {
    /// Of a point where nothing was computed.
    pub(super) fn unknown(size: usize, kind: Option<Kind>) -> Self {
        let unknown = DMatrix::from_element(size, size, f64::NAN);
        Facts {
            kind,
            gradient: vec![f64::NAN; size],
            information: unknown.clone(),
            covariance: unknown,
            eigenvalues: vec![f64::NAN; size],
            decrement: f64::NAN,
        }
    }
}

/// Judges the end of a climb over all parameters, which is moved by Newton's last steps and, if it is a saddle, away from there.
///
/// # Errors
/// Those of the E-step.
pub(super) fn judge(
    likelihood: Likelihood,
    reached: &mut Reached,
    settings: &Settings,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Facts> {
    let coordinates = &Coordinates::new(likelihood.layout);
    for _ in 0..MAX_ESCAPES {
        let facts = settle(likelihood, coordinates, reached, monitor)?;
        if facts.kind != Some(Kind::Saddle) {
            return Ok(facts);
        }
        let Some(start) = escape(likelihood, reached, &facts)? else {
            return Ok(facts);
        };
        let before = std::mem::take(&mut reached.trace);
        let (iterations, passes) = (reached.iterations, reached.passes);
        *reached = climb(likelihood, coordinates, &start, None, settings, monitor)?;
        reached.come_from(before, iterations, passes);
    }
    settle(likelihood, coordinates, reached, monitor)
}

/// Takes Newton's last steps over the free coordinates and says what is there.
///
/// # Errors
/// Those of the E-step.
pub(super) fn settle(
    likelihood: Likelihood,
    coordinates: &Coordinates,
    reached: &mut Reached,
    monitor: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Facts> {
    let layout = likelihood.layout;
    let mut rounds = 0;
    loop {
        rounds += 1;
        let progress = Progress {
            iteration: reached.iterations,
            passes: reached.passes,
            objective: reached.log_likelihood,
            distance: f64::NAN,
        };
        let at = &reached.parameters;
        let measured = match reached.status {
            Status::Interrupted => Err(Error::Interrupted),
            _ => likelihood.information(at, &mut || monitor(&progress)),
        };
        let measured = match measured {
            Ok(information) => information,
            Err(error @ Error::Argument { .. }) => return Err(error),
            Err(error) => {
                if error == Error::Interrupted {
                    reached.status = Status::Interrupted;
                }
                return believed(likelihood, coordinates, reached);
            }
        };
        reached.passes += 1 + 2 * (layout.len() - layout.coefficients());
        let w = coordinates.locate(&reached.parameters)?;
        let spectrum = Spectrum::of(measured, free_naturals(coordinates, &w))?;
        let mut here = likelihood.evaluate(coordinates, &w)?;
        reached.passes += 1;
        let moved = match spectrum.positive() {
            true => newton(likelihood, coordinates, reached, &mut here, &spectrum)?,
            false => 0.0,
        };
        if moved < FAR || rounds == ROUNDS {
            return facts(likelihood, reached, &here, spectrum);
        }
    }
}

/// Naturals that the free coordinates move: all that are not held.
fn free_naturals(coordinates: &Coordinates, w: &[f64]) -> Vec<usize> {
    let jacobian = coordinates.jacobian(w);
    let rows = 0..jacobian.nrows();
    rows.filter(|&k| jacobian.row(k).amax() > 0.0).collect()
}

/// The facts where the information cannot be computed: what the climb believed.
fn believed(likelihood: Likelihood, coordinates: &Coordinates, reached: &Reached) -> Result<Facts> {
    let layout = likelihood.layout;
    let size = layout.len();
    let w = coordinates.locate(&reached.parameters)?;
    let free = free_naturals(coordinates, &w);
    let inverse = coordinates.jacobian(&w).select_rows(&free).try_inverse();
    let mut information = DMatrix::from_element(size, size, f64::NAN);
    if let Some(inverse) = inverse {
        let inner = inverse.tr_mul(&(&reached.information * &inverse));
        for (i, &a) in free.iter().enumerate() {
            for (j, &b) in free.iter().enumerate() {
                information[(a, b)] = inner[(i, j)];
            }
        }
    }
    let here = likelihood.evaluate(coordinates, &w)?;
    let spectrum = match Spectrum::of(information, free) {
        Ok(spectrum) => spectrum,
        Err(_) => return Ok(Facts::unknown(size, None)),
    };
    let mut facts = facts(likelihood, reached, &here, spectrum)?;
    facts.kind = is_singular(&reached.parameters).then_some(Kind::Boundary);
    Ok(facts)
}

/// Newton's steps with one information; how far they led, in standard errors.
fn newton(
    likelihood: Likelihood,
    coordinates: &Coordinates,
    reached: &mut Reached,
    here: &mut Evaluation,
    spectrum: &Spectrum,
) -> Result<f64> {
    let layout = likelihood.layout;
    let mut moved = 0.0;
    let mut w = coordinates.locate(&here.parameters)?;
    for _ in 0..STEPS {
        let gradient = score(&here.statistics, layout, &here.parameters)?;
        let decrement = spectrum.decrement(&gradient);
        let forth = coordinates.jacobian(&w).select_rows(&spectrum.free).lu();
        let step = forth.solve(&spectrum.solve(&gradient));
        let Some(step) = step.filter(|_| decrement > NOTHING) else {
            break;
        };
        let to: Vec<f64> = w.iter().zip(&step).map(|(w, s)| w + s).collect();
        let there = match likelihood.evaluate(coordinates, &to) {
            Ok(there) => there,
            Err(error @ Error::Argument { .. }) => return Err(error),
            Err(_) => break,
        };
        reached.passes += 1;
        let next = score(&there.statistics, layout, &there.parameters)?;
        let left = spectrum.decrement(&next);
        let noise = 64.0 * f64::EPSILON * (1.0 + here.log_likelihood.abs());
        if !(there.log_likelihood >= here.log_likelihood - noise && left < decrement) {
            break;
        }
        moved += decrement;
        reached.step_to(&there, decrement);
        w = to;
        *here = there;
    }
    Ok(moved)
}

fn facts(
    likelihood: Likelihood,
    reached: &Reached,
    here: &Evaluation,
    spectrum: Spectrum,
) -> Result<Facts> {
    let layout = likelihood.layout;
    let at = &here.parameters;
    let gradient = score(&here.statistics, layout, at)?;
    let (decrement, covariance) = if spectrum.positive() {
        (spectrum.decrement(&gradient), spectrum.inverse())
    } else {
        let size = layout.len();
        (f64::INFINITY, DMatrix::from_element(size, size, f64::NAN))
    };
    let stationary = match likelihood.how {
        Integration::Exact => STATIONARY,
        Integration::Ghk { .. } => STATIONARY_BY_SIMULATION,
    };
    let maximum = spectrum.positive() && decrement < stationary;
    Ok(Facts {
        kind: kind(at, maximum, spectrum.positive(), &reached.status),
        gradient: gradient.as_slice().to_vec(),
        eigenvalues: spectrum.values.as_slice().to_vec(),
        information: spectrum.information,
        covariance,
        decrement,
    })
}

/// What the end of a climb is.
fn kind(at: &Parameters, maximum: bool, positive: bool, status: &Status) -> Option<Kind> {
    let smallest = smallest_eigenvalue(at);
    if is_singular(at) || (!maximum && smallest < NEARLY_SINGULAR) {
        return Some(Kind::Boundary);
    }
    if maximum {
        return Some(Kind::Maximum);
    }
    (!positive && *status == Status::Converged).then_some(Kind::Saddle)
}

/// A higher point in the direction in which the likelihood is convex; `None` if there is none.
fn escape(likelihood: Likelihood, reached: &Reached, facts: &Facts) -> Result<Option<Parameters>> {
    let all = (0..likelihood.layout.len()).collect();
    let spectrum = Spectrum::of(facts.information.clone(), all)?;
    let coordinates = Coordinates::new(likelihood.layout);
    let w = DVector::from_vec(coordinates.locate(&reached.parameters)?);
    let Some(step) = coordinates
        .jacobian(w.as_slice())
        .lu()
        .solve(&spectrum.lowest())
    else {
        return Ok(None);
    };
    let mut best = None;
    let mut height = reached.log_likelihood + 1e-6;
    for length in ESCAPES.into_iter().flat_map(|length| [length, -length]) {
        let to = &w + &step * length;
        let there = match likelihood.evaluate(&coordinates, to.as_slice()) {
            Ok(there) => there,
            Err(error @ Error::Argument { .. }) => return Err(error),
            Err(_) => continue,
        };
        if there.log_likelihood > height {
            height = there.log_likelihood;
            best = Some(there.parameters);
        }
    }
    Ok(best)
}

/// An information, and the eigenvalues and eigenvectors of its free part with the diagonal scaled to 1.
struct Spectrum {
    information: DMatrix<f64>,
    /// Naturals that are not held.
    free: Vec<usize>,
    roots: DVector<f64>,
    values: DVector<f64>,
    axes: DMatrix<f64>,
}

impl Spectrum {
    /// # Errors
    /// [`Error::Numerical`] where an entry is not finite.
    fn of(information: DMatrix<f64>, free: Vec<usize>) -> Result<Self> {
        let inner = information.select_rows(&free).select_columns(&free);
        let roots = inner.diagonal().map(|x| match x.abs() > 0.0 {
            true => x.abs().sqrt(),
            false => 1.0,
        });
        let scaled = inner.map_with_location(|i, j, x| x / (roots[i] * roots[j]));
        let (values, axes) = linalg::symmetric_eigen(&scaled)?;
        Ok(Spectrum {
            information,
            free,
            roots,
            values,
            axes,
        })
    }

    fn positive(&self) -> bool {
        self.values.iter().all(|&value| value > FLAT)
    }

    /// The inverse of the free part, with zeros for what is held.
    fn inverse(&self) -> DMatrix<f64> {
        let scaled = &self.axes * DMatrix::from_diagonal(&self.values.map(f64::recip));
        let inner = linalg::symmetrized(&(scaled * self.axes.transpose()));
        let mut inverse = DMatrix::zeros(self.information.nrows(), self.information.ncols());
        for (i, &a) in self.free.iter().enumerate() {
            for (j, &b) in self.free.iter().enumerate() {
                inverse[(a, b)] = inner[(i, j)] / (self.roots[i] * self.roots[j]);
            }
        }
        inverse
    }

    /// I⁻¹ v, of the free naturals.
    fn solve(&self, vector: &DVector<f64>) -> DVector<f64> {
        let inner = vector.select_rows(&self.free);
        let along = self.axes.tr_mul(&inner.component_div(&self.roots));
        (&self.axes * along.component_div(&self.values)).component_div(&self.roots)
    }

    /// √(v'I⁻¹v) of the free naturals.
    fn decrement(&self, vector: &DVector<f64>) -> f64 {
        let inner = vector.select_rows(&self.free);
        inner.dot(&self.solve(vector)).max(0.0).sqrt()
    }

    /// The direction of the smallest eigenvalue, a standard error long.
    fn lowest(&self) -> DVector<f64> {
        let axis = self.axes.column(self.axes.ncols() - 1);
        axis.component_div(&self.roots)
    }
}
