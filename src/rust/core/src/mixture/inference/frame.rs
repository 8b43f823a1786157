//! The frames in which covariance matrices move, and the parts of them that each model lets move.

use nalgebra::{DMatrix, DVector};

use crate::error::{Error, Result};
use crate::linalg;
use crate::mixture::known::Known;
use crate::mixture::model::{CovarianceModel, Mixture};

/// B A Bᵀ = Σ̂ of one component, and chol Σ̂.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub basis: DMatrix<f64>,
    pub axes: DVector<f64>,
    pub cholesky: DMatrix<f64>,
}

impl Frame {
    /// B exp(Ω) exp(S) A exp(−Ω) Bᵀ.
    pub fn moved(&self, stretch: &DMatrix<f64>, rotation: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        let (values, vectors) = linalg::symmetric_eigen(stretch)?;
        let stretched =
            &vectors * DMatrix::from_diagonal(&values.map(f64::exp)) * vectors.transpose();
        let turn = &self.basis * rotation.exp();
        let core = stretched * DMatrix::from_diagonal(&self.axes);
        let moved = linalg::symmetrized(&(&turn * core * turn.transpose()));
        if moved.iter().all(|x| x.is_finite()) {
            Ok(moved)
        } else {
            Err(Error::Numerical {
                message: "a covariance matrix overflowed".into(),
            })
        }
    }
}

/// Who shares a part of the covariance matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    Common,
    Each,
}

/// A part of a covariance matrix that can move on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Determinant.
    Volume,
    /// Ratios of the axes.
    Shape,
    /// Volume and shape.
    Axes,
    /// Ratios and directions of the axes.
    Form,
    /// All of a symmetric matrix.
    Full,
    /// Directions of the axes.
    Orientation,
}

/// The B and A in which a model's parts are simple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    /// B = I, A = Σ̂: the axes are the coordinates'.
    Identity,
    /// B = chol Σ̂, A = I.
    Cholesky,
    /// B = D, the same for all components.
    CommonAxes,
    /// B = D_k.
    OwnAxes,
}

/// Free parts of a model's covariance matrices.
pub(super) fn parts(model: CovarianceModel) -> &'static [(Sharing, Part)] {
    plan(model).1
}

/// Frame and free parts of each covariance model.
fn plan(model: CovarianceModel) -> (FrameKind, &'static [(Sharing, Part)]) {
    use CovarianceModel::*;
    use FrameKind::*;
    use Part::*;
    use Sharing::*;
    match model {
        E | EII => (Identity, &[(Common, Volume)]),
        V | VII => (Identity, &[(Each, Volume)]),
        EEI => (Identity, &[(Common, Axes)]),
        VEI => (Identity, &[(Each, Volume), (Common, Shape)]),
        EVI => (Identity, &[(Common, Volume), (Each, Shape)]),
        VVI => (Identity, &[(Each, Axes)]),
        EEE => (Cholesky, &[(Common, Full)]),
        VEE => (Cholesky, &[(Each, Volume), (Common, Form)]),
        EVE => (
            CommonAxes,
            &[(Common, Volume), (Each, Shape), (Common, Orientation)],
        ),
        VVE => (CommonAxes, &[(Each, Axes), (Common, Orientation)]),
        EEV => (OwnAxes, &[(Common, Axes), (Each, Orientation)]),
        VEV => (
            OwnAxes,
            &[(Each, Volume), (Common, Shape), (Each, Orientation)],
        ),
        EVV => (Cholesky, &[(Common, Volume), (Each, Form)]),
        VVV => (Cholesky, &[(Each, Full)]),
    }
}

/// Basis matrices S of a stretching part.
pub(super) fn stretches(part: Part, d: usize) -> Vec<DMatrix<f64>> {
    let unit = |i: usize| {
        let mut matrix = DMatrix::zeros(d, d);
        matrix[(i, i)] = 1.0;
        matrix
    };
    // Helmert contrasts: orthonormal diagonals of trace zero.
    let contrast = |j: usize| {
        let norm = ((j * (j + 1)) as f64).sqrt();
        let mut diagonal = DVector::zeros(d);
        diagonal.rows_mut(0, j).fill(1.0 / norm);
        diagonal[j] = -(j as f64) / norm;
        DMatrix::from_diagonal(&diagonal)
    };
    let off_diagonal = (0..d)
        .flat_map(|j| (j + 1..d).map(move |i| (i, j)))
        .map(|(i, j)| {
            let mut matrix = DMatrix::zeros(d, d);
            matrix[(i, j)] = std::f64::consts::FRAC_1_SQRT_2;
            matrix[(j, i)] = std::f64::consts::FRAC_1_SQRT_2;
            matrix
        });
    match part {
        Part::Volume => vec![DMatrix::identity(d, d)],
        Part::Shape => (1..d).map(contrast).collect(),
        Part::Axes => (0..d).map(unit).collect(),
        Part::Form => (1..d).map(contrast).chain(off_diagonal).collect(),
        Part::Full => (0..d).map(unit).chain(off_diagonal).collect(),
        Part::Orientation => Vec::new(),
    }
}

/// Basis of the skew matrices.
pub(super) fn rotations(d: usize) -> Vec<DMatrix<f64>> {
    let mut basis = Vec::new();
    for j in 0..d {
        for i in j + 1..d {
            let mut matrix = DMatrix::zeros(d, d);
            matrix[(i, j)] = 1.0;
            matrix[(j, i)] = -1.0;
            basis.push(matrix);
        }
    }
    basis
}

/// How much of a covariance matrix may lie outside its model, relative to its diagonal.
const MODEL_TOLERANCE: f64 = 1e-6;

/// The frame of each component.
///
/// # Errors
/// [`Error::NotPositiveDefinite`]; [`Error::Numerical`] when covariances do not obey their model.
pub(super) fn frames(mixture: &Mixture, known: &Known) -> Result<Vec<Frame>> {
    // Known covariances need not obey the model, and nothing turns them.
    let kind = match known.covariances {
        Some(_) => FrameKind::Cholesky,
        None => plan(mixture.model).0,
    };
    let d = mixture.dim();
    let common = match kind {
        FrameKind::CommonAxes => Some(common_axes(&mixture.covariances)?),
        _ => None,
    };
    let mut frames = Vec::with_capacity(mixture.components());
    for covariance in &mixture.covariances {
        let cholesky = linalg::cholesky(covariance)?;
        let (basis, axes) = match (kind, &common) {
            (FrameKind::CommonAxes, Some(axes)) => {
                let rotated = axes.transpose() * covariance * axes;
                (axes.clone(), rotated.diagonal())
            }
            (FrameKind::Cholesky, _) => (cholesky.clone(), DVector::from_element(d, 1.0)),
            (FrameKind::OwnAxes, _) => {
                let (values, vectors) = linalg::symmetric_eigen(covariance)?;
                (vectors, values)
            }
            _ => (DMatrix::identity(d, d), covariance.diagonal()),
        };
        frames.push(Frame {
            basis,
            axes,
            cholesky,
        });
    }
    Ok(frames)
}

/// Eigenvectors that the matrices share: those of a combination with coefficients that keep axes apart, the
/// best of a few.
fn common_axes(covariances: &[DMatrix<f64>]) -> Result<DMatrix<f64>> {
    let d = covariances.first().map_or(0, DMatrix::nrows);
    let mut best: Option<(f64, DMatrix<f64>)> = None;
    for attempt in 1..=8 {
        let mut combination = DMatrix::zeros(d, d);
        for (index, covariance) in covariances.iter().enumerate() {
            let phase = (attempt * (index + 1)) as f64 * 0.618_033_988_749_895;
            combination += covariance * ((0.5 + phase.fract()) / covariance.trace());
        }
        let axes = linalg::symmetric_eigen(&combination)?.1;
        let error = covariances
            .iter()
            .map(|c| off_axis(c, &axes))
            .fold(0.0, f64::max);
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, axes));
        }
    }
    match best {
        Some((error, axes)) if error <= MODEL_TOLERANCE => Ok(axes),
        _ => Err(Error::Numerical {
            message: "the covariance matrices do not share their axes as the model says".into(),
        }),
    }
}

/// Largest correlation that is left in the given axes.
fn off_axis(covariance: &DMatrix<f64>, axes: &DMatrix<f64>) -> f64 {
    let rotated = axes.transpose() * covariance * axes;
    let mut largest: f64 = 0.0;
    for j in 0..rotated.ncols() {
        for i in j + 1..rotated.nrows() {
            let scale = (rotated[(i, i)] * rotated[(j, j)]).sqrt();
            largest = largest.max(rotated[(i, j)].abs() / scale);
        }
    }
    largest
}
