//! Smooth local coordinates φ of the free parameters, with the fit at φ = 0.
//!
//! Each coordinate is scale-free, so the information matrix is well conditioned whatever the units:
//!
//! * weights: π_k ∝ π̂_k exp((Q u)_k / √π̂_k), Q an orthonormal basis of the complement of √π̂; the
//!   information of n known labels about u is n I;
//! * means: μ_k = μ̂_k + L_k δ_k with L_k = chol Σ̂_k;
//! * covariances: Σ_k = B_k exp(Ω) exp(S) A_k exp(−Ω) B_kᵀ, where B_k A_k B_kᵀ = Σ̂_k, S is symmetric and Ω
//!   skew. Volume, shape and orientation of Banfield & Raftery (1993) are a trace, a trace-free part of S,
//!   and Ω; the table in `frame` says which of them each model shares.
//!
//! Where two axes of a rotating model have the same length, turning one into the other changes nothing: the
//! chart is singular there and [`crate::mixture::inference::Inference`] reports it.

use nalgebra::{DMatrix, DVector};

use super::frame::{self, frames, rotations, stretches, Frame, Part, Sharing};
use crate::error::{Error, Result};
use crate::linalg;
use crate::mixture::known::Known;
use crate::mixture::model::{Mixture, Noise};
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
            for (sharing, part) in frame::parts(mixture.model) {
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

    /// B_k, in whose coordinates [`Chart::tangent`] and [`Chart::add_bend`] are written.
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
            .filter(|&c| {
                self.coordinates[c]
                    .component
                    .is_none_or(|own| own == component)
            })
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

    /// Σ_a φ_a Γ : ∂²M/∂φ_a∂φ_b for every b, added to `out` (length P), for M of one component and a gradient
    /// Γ with respect to it: how the chart bends when it moves along `phi`.
    pub fn add_bend(
        &self,
        component: usize,
        gradient: &DMatrix<f64>,
        phi: &[f64],
        out: &mut [f64],
    ) {
        let (stretch, rotation, _) = self.generators(component, phi);
        let axes = DMatrix::from_diagonal(&self.frames[component].axes);
        let turned = commutator(gradient, &rotation);
        let stretched = &stretch * &axes;
        let half_turned = commutator(&rotation, &axes) * 0.5;
        // Rotations are applied last: their adjoint acts on the tangents of stretches; a pair of the same
        // kind counts in both orders, half each.
        let along_stretches = linalg::symmetrized(&(gradient * &stretched)) + &turned * &axes;
        let along_rotations =
            commutator(gradient, &(stretched + half_turned)) + commutator(&turned, &axes) * 0.5;
        self.add_products(component, &along_stretches, &along_rotations, out);
    }

    /// Γ : ∂M/∂φ_c for every covariance coordinate c of `component`, added to `out`.
    fn add_slope(&self, component: usize, gradient: &DMatrix<f64>, out: &mut [f64]) {
        let axes = DMatrix::from_diagonal(&self.frames[component].axes);
        self.add_products(
            component,
            &(gradient * &axes),
            &commutator(gradient, &axes),
            out,
        );
    }

    fn add_products(
        &self,
        component: usize,
        along_stretches: &DMatrix<f64>,
        along_rotations: &DMatrix<f64>,
        out: &mut [f64],
    ) {
        for (c, coordinate) in self.coordinates.iter().enumerate() {
            if coordinate.component.is_none_or(|own| own == component) {
                match coordinate.motion {
                    Motion::Stretch(s) => out[c] += self.stretches[s].dot(along_stretches),
                    Motion::Rotation(r) => out[c] += self.rotations[r].dot(along_rotations),
                    Motion::Weight(_) | Motion::Mean(_) => {}
                }
            }
        }
    }

    /// S, Ω and δ of one component at φ.
    fn generators(
        &self,
        component: usize,
        phi: &[f64],
    ) -> (DMatrix<f64>, DMatrix<f64>, DVector<f64>) {
        let d = self.mixture.dim();
        let mut stretch = DMatrix::zeros(d, d);
        let mut rotation = DMatrix::zeros(d, d);
        let mut shift = DVector::zeros(d);
        for (c, coordinate) in self.coordinates.iter().enumerate() {
            if coordinate.component.is_none_or(|own| own == component) && phi[c] != 0.0 {
                match coordinate.motion {
                    Motion::Weight(_) => {}
                    Motion::Mean(j) => shift[j] += phi[c],
                    Motion::Stretch(s) => stretch += &self.stretches[s] * phi[c],
                    Motion::Rotation(r) => rotation += &self.rotations[r] * phi[c],
                }
            }
        }
        (stretch, rotation, shift)
    }

    /// Information about each coordinate that rows with known labels are expected to carry, length P.
    ///
    /// Coordinates are orthogonal in it: W for a weight, N_k for a mean, Σ_k ½ N_k tr S² for a stretch and
    /// Σ_k N_k (a_i − a_j)²/(a_i a_j) for a rotation. 0 where a coordinate moves nothing.
    pub fn complete_information(&self, counts: &[f64], total_weight: f64) -> DVector<f64> {
        let smallest_weight = all_weights(&self.mixture).into_iter().fold(1.0, f64::min);
        DVector::from_iterator(
            self.len(),
            self.coordinates
                .iter()
                .map(|coordinate| match coordinate.motion {
                    Motion::Weight(_) if smallest_weight > 0.0 => total_weight,
                    Motion::Weight(_) => 0.0,
                    motion => (0..counts.len())
                        .filter(|&k| coordinate.component.is_none_or(|own| own == k))
                        .map(|k| counts[k] * self.unit_information(motion, k))
                        .sum(),
                }),
        )
    }

    fn unit_information(&self, motion: Motion, component: usize) -> f64 {
        match motion {
            Motion::Weight(_) | Motion::Mean(_) => 1.0,
            Motion::Stretch(s) => 0.5 * self.stretches[s].norm_squared(),
            Motion::Rotation(r) => {
                let axes = &self.frames[component].axes;
                let turned = &self.rotations[r];
                let mut sum = 0.0;
                for j in 0..axes.len() {
                    for i in j + 1..axes.len() {
                        let ratio = (axes[i] - axes[j]).powi(2) / (axes[i] * axes[j]);
                        sum += turned[(i, j)].powi(2) * ratio;
                    }
                }
                sum
            }
        }
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
        let mut moved = self.mixture.clone();
        let mut eta = DVector::zeros(self.weight_scores.nrows());
        for (coordinate, value) in self.coordinates.iter().zip(phi) {
            if let Motion::Weight(q) = coordinate.motion {
                eta += self.weight_scores.column(q) * *value;
            }
        }
        for component in 0..self.mixture.components() {
            let (stretch, rotation, shift) = self.generators(component, phi);
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

    /// Derivatives of the log-likelihood with respect to weights, means and covariances at `mixture`, from
    /// `stats` taken there, carried back to the tangent space at φ = 0. At the fit itself this is the score.
    ///
    /// # Errors
    /// [`Error::Argument`] when `stats` lack the second moments that a covariance's score needs (the pooled
    /// fast path); [`Error::NotPositiveDefinite`].
    pub fn score(&self, stats: &MixtureStats, mixture: &Mixture) -> Result<DVector<f64>> {
        let gradients = self.covariance_gradients(stats, mixture)?;
        let mut score = DVector::zeros(self.len());
        for (component, gradient) in gradients.iter().enumerate() {
            self.add_slope(component, gradient, score.as_mut_slice());
            let lower = linalg::cholesky(&mixture.covariances[component])?;
            let pull = linalg::inverse_lower(&lower) * &self.frames[component].cholesky;
            let shift = pull.transpose() * stats.sums.column(component);
            for (c, coordinate) in self.coordinates.iter().enumerate() {
                if let (Some(own), Motion::Mean(j)) = (coordinate.component, coordinate.motion) {
                    if own == component {
                        score[c] += shift[j];
                    }
                }
            }
        }
        let counts = stats
            .counts
            .iter()
            .copied()
            .chain(self.mixture.noise.map(|_| stats.noise_count));
        for (label, (count, weight)) in counts.zip(all_weights(mixture)).enumerate() {
            for (c, coordinate) in self.coordinates.iter().enumerate() {
                if let Motion::Weight(q) = coordinate.motion {
                    let excess = count - stats.total_weight * weight;
                    score[c] += excess * self.weight_scores[(label, q)];
                }
            }
        }
        Ok(score)
    }

    /// ∂ℓ/∂M of each component at `mixture`, from `stats` taken there; zero where covariances are known.
    ///
    /// # Errors
    /// As [`Chart::score`].
    pub fn covariance_gradients(
        &self,
        stats: &MixtureStats,
        mixture: &Mixture,
    ) -> Result<Vec<DMatrix<f64>>> {
        let d = self.mixture.dim();
        if !self.coordinates.iter().any(|c| c.motion.is_covariance()) {
            return Ok(vec![DMatrix::zeros(d, d); mixture.components()]);
        }
        // Diagonal models hold squares alone; their chart has no other direction.
        let squares_only = mixture.model.is_diagonal() && stats.crosses.nrows() == d;
        if !squares_only && stats.crosses.nrows() != d * (d + 1) / 2 {
            return Err(Error::Argument {
                argument: "stats",
                message: "must hold second moments".into(),
            });
        }
        let mut gradients = Vec::with_capacity(mixture.components());
        for (component, covariance) in mixture.covariances.iter().enumerate() {
            let inverse = linalg::inverse_lower(&linalg::cholesky(covariance)?);
            let pull = inverse * &self.frames[component].basis;
            let mut excess = DMatrix::zeros(d, d);
            let mut p = 0;
            for i in 0..d {
                for j in if squares_only { i } else { 0 }..=i {
                    excess[(i, j)] = 0.5 * stats.crosses[(p, component)];
                    excess[(j, i)] = excess[(i, j)];
                    p += 1;
                }
                excess[(i, i)] -= 0.5 * stats.counts[component];
            }
            gradients.push(linalg::symmetrized(&(pull.transpose() * excess * pull)));
        }
        Ok(gradients)
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
    let reflection =
        DMatrix::identity(m, m) - &normal * normal.transpose() * (2.0 / normal.norm_squared());
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
