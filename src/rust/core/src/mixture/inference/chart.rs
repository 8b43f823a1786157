//! Smooth local coordinates φ of the free parameters, with the fit at φ = 0.
//!
//! Each coordinate is scale-free, so the information matrix is well conditioned whatever the units:
//!
//! * weights: π_k ∝ π̂_k exp((Q u)_k / √π̂_k), Q an orthonormal basis of the complement of √π̂; the
//!   information of n known labels about u is n I;
//! * means: μ_k = μ̂_k + L_k δ_k with L_k = chol Σ̂_k;
//! * covariances: Σ_k = B_k exp(Ω) exp(S) A_k exp(−Ω) B_kᵀ, where B_k A_k B_kᵀ = Σ̂_k, S is symmetric and Ω
//!   skew. Volume, shape and orientation of Banfield & Raftery (1993) are a trace, a trace-free part of S,
//!   and Ω; the table in [`covariance_plan`] says which of them each model shares.
//!
//! Where two axes of a rotating model have the same length, turning one into the other changes nothing: the
//! chart is singular there and [`crate::mixture::inference::Inference`] reports it.

use nalgebra::{DMatrix, DVector};

use crate::error::{Error, Result};
use crate::linalg;
use crate::mixture::known::Known;
use crate::mixture::model::{CovarianceModel, Mixture, Noise};
use crate::mixture::stats::MixtureStats;

/// Most coordinates that an information matrix is computed for (its square is 200 MB).
pub const MAX_COORDINATES: usize = 5000;

/// One coordinate of φ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinate {
    /// The component it moves (0-based); `None` when it moves several.
    pub component: Option<usize>,
    pub motion: Motion,
}

/// What a coordinate moves; the index says along which basis direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Column of Q.
    Weight(usize),
    /// Column of L_k.
    Mean(usize),
    /// Member S of the chart's stretches.
    Stretch(usize),
    /// Member Ω of the chart's rotations.
    Rotation(usize),
}

impl Motion {
    /// Whether the coordinate moves covariance matrices.
    pub fn is_covariance(self) -> bool {
        matches!(self, Motion::Stretch(_) | Motion::Rotation(_))
    }
}

/// Local coordinates around a mixture.
#[derive(Debug, Clone)]
pub struct Chart {
    mixture: Mixture,
    coordinates: Vec<Coordinate>,
    estimates_weights: bool,
    /// Q / √π̂: (K + noise) × (K + noise − 1), the score of u given each label.
    weight_scores: DMatrix<f64>,
    stretches: Vec<DMatrix<f64>>,
    rotations: Vec<DMatrix<f64>>,
    frames: Vec<Frame>,
}

/// B A Bᵀ = Σ̂ of one component, and chol Σ̂.
#[derive(Debug, Clone)]
struct Frame {
    basis: DMatrix<f64>,
    axes: DVector<f64>,
    cholesky: DMatrix<f64>,
}

impl Chart {
    /// Coordinates around `mixture` of everything that is not `known`.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] for a singular covariance matrix, [`Error::Numerical`] when the
    /// covariances do not obey their model, [`Error::Argument`] above [`MAX_COORDINATES`].
    pub fn new(mixture: &Mixture, known: &Known) -> Result<Self> {
        let (k, d) = (mixture.components(), mixture.dim());
        let mut chart = Chart {
            mixture: mixture.clone(),
            coordinates: Vec::new(),
            estimates_weights: known.weights.is_none(),
            weight_scores: weight_scores(mixture),
            stretches: Vec::new(),
            rotations: Vec::new(),
            frames: frames(mixture, known)?,
        };
        if chart.estimates_weights {
            for column in 0..chart.weight_scores.ncols() {
                chart.push(None, Motion::Weight(column));
            }
        }
        if known.means.is_none() {
            for component in 0..k {
                for j in 0..d {
                    chart.push(Some(component), Motion::Mean(j));
                }
            }
        }
        if known.covariances.is_none() {
            for (sharing, part) in covariance_plan(mixture.model).1 {
                chart.push_part(*sharing, *part);
            }
        }
        if chart.len() > MAX_COORDINATES {
            return Err(Error::Argument {
                argument: "model",
                message: format!(
                    "has {} free parameters; standard errors are computed for at most {MAX_COORDINATES}. \
                     Choose fewer components or a simpler covariance model.",
                    chart.len()
                ),
            });
        }
        Ok(chart)
    }

    /// Number P of free parameters.
    pub fn len(&self) -> usize {
        self.coordinates.len()
    }

    /// Whether every parameter is known.
    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }

    /// The mixture at φ = 0.
    pub fn origin(&self) -> &Mixture {
        &self.mixture
    }

    /// The P coordinates: weights, means, covariances.
    pub fn coordinates(&self) -> &[Coordinate] {
        &self.coordinates
    }

    /// Whether the weights are estimated (one component without noise counts: its weight is one).
    pub fn estimates_weights(&self) -> bool {
        self.estimates_weights
    }

    /// chol Σ̂_k.
    pub fn cholesky(&self, component: usize) -> &DMatrix<f64> {
        &self.frames[component].cholesky
    }

    /// B_k, in whose coordinates [`Chart::tangent`] and [`Chart::curvature`] are written.
    pub fn basis(&self, component: usize) -> &DMatrix<f64> {
        &self.frames[component].basis
    }

    /// Score of weight coordinate `column` for a row whose label is `label` (K is noise).
    pub fn weight_score(&self, label: usize, column: usize) -> f64 {
        self.weight_scores[(label, column)]
    }

    /// Score of a row whose label is noise, and the coordinates it belongs to: the weights.
    pub fn noise_score(&self) -> (DVector<f64>, Vec<usize>) {
        let label = self.weight_scores.nrows() - 1;
        let (mut score, mut at) = (Vec::new(), Vec::new());
        for (c, coordinate) in self.coordinates.iter().enumerate() {
            if let Motion::Weight(q) = coordinate.motion {
                score.push(self.weight_scores[(label, q)]);
                at.push(c);
            }
        }
        (DVector::from_vec(score), at)
    }

    /// Indices of the coordinates that move component `component`, weights included.
    pub fn touching(&self, component: usize) -> Vec<usize> {
        (0..self.len())
            .filter(|&c| self.coordinates[c].component.is_none_or(|own| own == component))
            .collect()
    }

    /// ∂M/∂φ_c of M = exp(Ω) exp(S) A exp(−Ω) of that component at φ = 0, d × d; `None` for a coordinate
    /// that is not a covariance's.
    pub fn tangent(&self, coordinate: usize, component: usize) -> Option<DMatrix<f64>> {
        let axes = DMatrix::from_diagonal(&self.frames[component].axes);
        match self.coordinates[coordinate].motion {
            Motion::Stretch(s) => Some(&self.stretches[s] * axes),
            Motion::Rotation(r) => Some(commutator(&self.rotations[r], &axes)),
            Motion::Weight(_) | Motion::Mean(_) => None,
        }
    }

    /// Σ_ij Γ_ij ∂²M_ij/∂φ_a∂φ_b for the covariance coordinates of one component, C × C in the order of
    /// `coordinates`: how far the chart bends along a gradient Γ.
    pub fn curvature(
        &self,
        coordinates: &[usize],
        component: usize,
        gradient: &DMatrix<f64>,
    ) -> DMatrix<f64> {
        let d = self.mixture.dim();
        let count = coordinates.len();
        let mut tangents = DMatrix::zeros(d * d, count);
        let mut adjoints = DMatrix::zeros(d * d, count);
        for (column, &c) in coordinates.iter().enumerate() {
            let adjoint = match self.coordinates[c].motion {
                Motion::Stretch(s) => linalg::symmetrized(&(gradient * &self.stretches[s])),
                Motion::Rotation(r) => commutator(gradient, &self.rotations[r]),
                Motion::Weight(_) | Motion::Mean(_) => continue,
            };
            adjoints.column_mut(column).copy_from_slice(adjoint.as_slice());
            if let Some(tangent) = self.tangent(c, component) {
                tangents.column_mut(column).copy_from_slice(tangent.as_slice());
            }
        }
        let products = adjoints.transpose() * tangents;
        let rotates = |c: usize| matches!(self.coordinates[c].motion, Motion::Rotation(_));
        DMatrix::from_fn(count, count, |a, b| {
            match (rotates(coordinates[a]), rotates(coordinates[b])) {
                // The rotation is applied last, so its adjoint acts on the other's tangent.
                (true, false) => products[(a, b)],
                (false, true) => products[(b, a)],
                _ => 0.5 * (products[(a, b)] + products[(b, a)]),
            }
        })
    }

    /// The mixture at φ.
    ///
    /// # Errors
    /// [`Error::Argument`] when `phi` has the wrong length; [`Error::Numerical`] when it is so far away that
    /// a matrix overflows.
    pub fn mixture(&self, phi: &[f64]) -> Result<Mixture> {
        if phi.len() != self.len() {
            return Err(Error::Argument {
                argument: "phi",
                message: format!("must have {} values, not {}", self.len(), phi.len()),
            });
        }
        let (k, d) = (self.mixture.components(), self.mixture.dim());
        let mut moved = self.mixture.clone();
        let mut eta = DVector::zeros(self.weight_scores.nrows());
        for component in 0..k {
            let mut stretch = DMatrix::zeros(d, d);
            let mut rotation = DMatrix::zeros(d, d);
            let mut shift = DVector::zeros(d);
            for c in self.touching(component) {
                match self.coordinates[c].motion {
                    Motion::Weight(q) if component == 0 => {
                        eta += self.weight_scores.column(q) * phi[c];
                    }
                    Motion::Weight(_) => {}
                    Motion::Mean(j) => shift[j] += phi[c],
                    Motion::Stretch(s) => stretch += &self.stretches[s] * phi[c],
                    Motion::Rotation(r) => rotation += &self.rotations[r] * phi[c],
                }
            }
            let frame = &self.frames[component];
            let mean = self.mixture.means.column(component) + &frame.cholesky * shift;
            moved.means.set_column(component, &mean);
            if stretch.amax() > 0.0 || rotation.amax() > 0.0 {
                moved.covariances[component] = frame.moved(&stretch, &rotation)?;
            }
        }
        move_weights(&mut moved, &eta);
        Ok(moved)
    }

    /// Score ∂ℓ/∂φ at the fit from statistics that were taken there; `None` when they lack the second
    /// moments that a covariance's score needs (the pooled fast path).
    pub fn score(&self, stats: &MixtureStats) -> Option<DVector<f64>> {
        let (k, d) = (self.mixture.components(), self.mixture.dim());
        let mut score = DVector::zeros(self.len());
        for component in 0..k {
            let frame = &self.frames[component];
            let count = stats.counts[component];
            let inverse = linalg::inverse_lower(&frame.cholesky) * &frame.basis;
            for c in self.touching(component) {
                match self.coordinates[c].motion {
                    Motion::Weight(q) => score[c] += count * self.weight_scores[(component, q)],
                    Motion::Mean(j) => score[c] += stats.sums[(j, component)],
                    Motion::Stretch(_) | Motion::Rotation(_) => {
                        if stats.crosses.nrows() != d * (d + 1) / 2 {
                            return None;
                        }
                        let tangent = self.tangent(c, component)?;
                        let relative = &inverse * tangent * inverse.transpose();
                        let mut p = 0;
                        for i in 0..d {
                            for j in 0..=i {
                                let share = if i == j { 0.5 } else { 1.0 };
                                score[c] +=
                                    share * relative[(i, j)] * stats.crosses[(p, component)];
                                p += 1;
                            }
                        }
                        score[c] -= 0.5 * count * relative.trace();
                    }
                }
            }
        }
        if self.mixture.noise.is_some() {
            let (given_noise, at) = self.noise_score();
            for (value, c) in given_noise.iter().zip(at) {
                score[c] += stats.noise_count * value;
            }
        }
        Some(score)
    }

    fn push(&mut self, component: Option<usize>, motion: Motion) {
        self.coordinates.push(Coordinate { component, motion });
    }

    fn push_part(&mut self, sharing: Sharing, part: Part) {
        let d = self.mixture.dim();
        let (first, count) = if part == Part::Orientation {
            let first = self.rotations.len();
            self.rotations.extend(rotations(d));
            (first, self.rotations.len() - first)
        } else {
            let first = self.stretches.len();
            self.stretches.extend(stretches(part, d));
            (first, self.stretches.len() - first)
        };
        let owners = match sharing {
            Sharing::Common => vec![None],
            Sharing::Each => (0..self.mixture.components()).map(Some).collect(),
        };
        for owner in owners {
            for index in first..first + count {
                let motion = if part == Part::Orientation {
                    Motion::Rotation(index)
                } else {
                    Motion::Stretch(index)
                };
                self.push(owner, motion);
            }
        }
    }
}

impl Frame {
    /// B exp(Ω) exp(S) A exp(−Ω) Bᵀ.
    fn moved(&self, stretch: &DMatrix<f64>, rotation: &DMatrix<f64>) -> Result<DMatrix<f64>> {
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
enum Sharing {
    Common,
    Each,
}

/// A part of a covariance matrix that can move on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
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

/// Frame and free parts of each covariance model.
fn covariance_plan(model: CovarianceModel) -> (FrameKind, &'static [(Sharing, Part)]) {
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
        EVE => (CommonAxes, &[(Common, Volume), (Each, Shape), (Common, Orientation)]),
        VVE => (CommonAxes, &[(Each, Axes), (Common, Orientation)]),
        EEV => (OwnAxes, &[(Common, Axes), (Each, Orientation)]),
        VEV => (OwnAxes, &[(Each, Volume), (Common, Shape), (Each, Orientation)]),
        EVV => (Cholesky, &[(Common, Volume), (Each, Form)]),
        VVV => (Cholesky, &[(Each, Full)]),
    }
}

/// Basis matrices S of a stretching part.
fn stretches(part: Part, d: usize) -> Vec<DMatrix<f64>> {
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
    let off_diagonal = (0..d).flat_map(|j| (j + 1..d).map(move |i| (i, j))).map(|(i, j)| {
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
fn rotations(d: usize) -> Vec<DMatrix<f64>> {
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

/// X Y − Y X.
fn commutator(x: &DMatrix<f64>, y: &DMatrix<f64>) -> DMatrix<f64> {
    x * y - y * x
}

/// All mixing weights, noise last.
pub(super) fn all_weights(mixture: &Mixture) -> Vec<f64> {
    let noise = mixture.noise.map(|noise| noise.weight);
    mixture.weights.iter().copied().chain(noise).collect()
}

/// Q / √π̂, Q from the Householder reflection that takes √π̂ to the last axis.
fn weight_scores(mixture: &Mixture) -> DMatrix<f64> {
    let weights = all_weights(mixture);
    let m = weights.len();
    let root = DVector::from_iterator(m, weights.iter().map(|w| w.max(0.0).sqrt())).normalize();
    let mut normal = root.clone();
    normal[m - 1] += 1.0;
    let reflection = DMatrix::identity(m, m) - &normal * normal.transpose() * (2.0 / normal.norm_squared());
    DMatrix::from_fn(m, m - 1, |label, column| {
        reflection[(label, column)] / root[label].max(f64::MIN_POSITIVE)
    })
}

/// π_k ∝ π_k exp(η_k).
fn move_weights(mixture: &mut Mixture, eta: &DVector<f64>) {
    if eta.amax() == 0.0 {
        return;
    }
    let weights = all_weights(mixture);
    let largest = eta.max();
    let raw: Vec<f64> = weights
        .iter()
        .zip(eta.iter())
        .map(|(w, e)| w * (e - largest).exp())
        .collect();
    let sum: f64 = raw.iter().sum();
    for (weight, value) in mixture.weights.iter_mut().zip(&raw) {
        *weight = value / sum;
    }
    let k = mixture.weights.len();
    mixture.noise = mixture.noise.map(|noise| Noise {
        weight: raw[k] / sum,
        ..noise
    });
}

/// How much of a covariance matrix may lie outside its model, relative to its diagonal.
const MODEL_TOLERANCE: f64 = 1e-6;

fn frames(mixture: &Mixture, known: &Known) -> Result<Vec<Frame>> {
    // Known covariances need not obey the model, and nothing turns them.
    let kind = match known.covariances {
        Some(_) => FrameKind::Cholesky,
        None => covariance_plan(mixture.model).0,
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
        let error = covariances.iter().map(|c| off_axis(c, &axes)).fold(0.0, f64::max);
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
