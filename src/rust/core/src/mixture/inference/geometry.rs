//! The chart as the observed columns of a row see it.
//!
//! For a row observed in columns o, log φ_k depends on μ_o and Σ_oo alone. With y = L_o⁻¹(x − μ)_o,
//! L_o = chol Σ_oo, m_c = L_o⁻¹ ∂μ_o/∂φ_c and P_c = L_o⁻¹ ∂Σ_oo/∂φ_c L_o⁻ᵀ,
//!
//! ```text
//!  ∂ log φ/∂φ_c        = m_cᵀ y + ½ (yᵀ P_c y − tr P_c)
//! −∂² log φ/∂φ_b ∂φ_c  = m_bᵀ m_c                                           (mean, mean)
//!                      = m_bᵀ P_c y                                         (mean, covariance)
//!                      = yᵀ P_b P_c y − ½ tr P_b P_c − ½ (yᵀ P_bc y − tr P_bc)   (covariance, covariance)
//! ```
//!
//! where P_bc comes from the bend of the chart. All are linear in the features f = (1, y, y_i y_j for j ≤ i),
//! so sums of r f over rows are enough. Columns that are missing drop out: this is the likelihood of the
//! observed values, not of imputed ones.

use nalgebra::{DMatrix, DVector};

use super::chart::{Chart, Motion};
use crate::error::Result;
use crate::linalg;

/// One component, restricted to observed columns.
pub(super) struct Geometry {
    pub component: usize,
    pub mean: DVector<f64>,
    /// chol Σ_oo.
    pub cholesky: DMatrix<f64>,
    /// Chart coordinates that the score given this label depends on.
    pub coordinates: Vec<usize>,
    /// q × P_k with q = 1 + o + o(o+1)/2: score given this label = featuresᵀ × jacobian.
    pub jacobian: DMatrix<f64>,
    /// L_o⁻¹ B_o, o × d.
    frame: DMatrix<f64>,
    /// Columns m_c, o × (mean coordinates).
    means: DMatrix<f64>,
    /// Columns vec P_c, o² × (covariance coordinates).
    relatives: DMatrix<f64>,
    /// Positions in `coordinates` of weights, means, covariances.
    weights: Vec<usize>,
    mean_positions: Vec<usize>,
    covariance_positions: Vec<usize>,
}

/// Length of the feature vector for `o` observed columns.
pub(super) fn feature_count(o: usize) -> usize {
    1 + o + o * (o + 1) / 2
}

impl Geometry {
    /// Restricts `component` to the columns `observed`.
    pub fn new(chart: &Chart, component: usize, observed: &[usize]) -> Result<Self> {
        let mixture = chart.origin();
        let o = observed.len();
        let mean =
            DVector::from_iterator(o, observed.iter().map(|&j| mixture.means[(j, component)]));
        let covariance = mixture.covariances[component]
            .select_rows(observed)
            .select_columns(observed);
        let cholesky = linalg::cholesky(&covariance)?;
        let inverse = linalg::inverse_lower(&cholesky);
        let shift = &inverse * chart.cholesky(component).select_rows(observed);
        let frame = &inverse * chart.basis(component).select_rows(observed);
        let mut geometry = Geometry {
            component,
            mean,
            cholesky,
            coordinates: chart.touching(component),
            jacobian: DMatrix::zeros(0, 0),
            frame,
            means: DMatrix::zeros(o, 0),
            relatives: DMatrix::zeros(o * o, 0),
            weights: Vec::new(),
            mean_positions: Vec::new(),
            covariance_positions: Vec::new(),
        };
        geometry.fill(chart, &shift);
        Ok(geometry)
    }

    fn fill(&mut self, chart: &Chart, shift: &DMatrix<f64>) {
        let o = self.mean.len();
        let mut jacobian = DMatrix::zeros(feature_count(o), self.coordinates.len());
        let (mut means, mut relatives) = (Vec::new(), Vec::new());
        for (position, &c) in self.coordinates.iter().enumerate() {
            let mut column = jacobian.column_mut(position);
            match chart.coordinates()[c].motion {
                Motion::Weight(q) => {
                    column[0] = chart.weight_score(self.component, q);
                    self.weights.push(position);
                }
                Motion::Mean(j) => {
                    column.rows_mut(1, o).copy_from(&shift.column(j));
                    means.extend(shift.column(j).iter());
                    self.mean_positions.push(position);
                }
                Motion::Stretch(_) | Motion::Rotation(_) => {
                    let tangent = chart
                        .tangent(c, self.component)
                        .unwrap_or_else(|| DMatrix::zeros(shift.ncols(), shift.ncols()));
                    let relative = &self.frame * tangent * self.frame.transpose();
                    column[0] = -0.5 * relative.trace();
                    let mut feature = 1 + o;
                    for i in 0..o {
                        for j in 0..=i {
                            column[feature] = if i == j { 0.5 } else { 1.0 } * relative[(i, j)];
                            feature += 1;
                        }
                    }
                    relatives.extend(relative.iter());
                    self.covariance_positions.push(position);
                }
            }
        }
        self.jacobian = jacobian;
        self.means = DMatrix::from_vec(o, self.mean_positions.len(), means);
        self.relatives = DMatrix::from_vec(o * o, self.covariance_positions.len(), relatives);
    }

    /// Σ w r (−∂² log(π_k φ_k)/∂φ²), P_k × P_k, from `sums` = Σ w r f, without the bend of the chart.
    ///
    /// The part of the weights is w r I for every label, Qᵀ Q.
    pub fn complete_information(&self, sums: &DVector<f64>) -> DMatrix<f64> {
        let o = self.mean.len();
        let (count, first, second) = unpack(sums, o);
        let size = self.coordinates.len();
        let mut information = DMatrix::zeros(size, size);
        for &a in &self.weights {
            information[(a, a)] = count;
        }
        scatter(
            &mut information,
            &(self.means.transpose() * &self.means * count),
            &self.mean_positions,
            &self.mean_positions,
        );
        let covariances = self.covariance_positions.len();
        let mut moved = DMatrix::zeros(o * o, covariances);
        let mut crossed = DMatrix::zeros(o, covariances);
        // tr(P_b P_c S) − ½ N tr(P_b P_c) = tr(P_b · P_c (S − ½ N I))
        let weight = &second - DMatrix::identity(o, o) * (0.5 * count);
        for c in 0..covariances {
            let relative = DMatrix::from_column_slice(o, o, self.relatives.column(c).as_slice());
            crossed.set_column(c, &(&relative * &first));
            let product = linalg::symmetrized(&(relative * &weight));
            moved.column_mut(c).copy_from_slice(product.as_slice());
        }
        scatter(
            &mut information,
            &(self.relatives.transpose() * moved),
            &self.covariance_positions,
            &self.covariance_positions,
        );
        let cross = self.means.transpose() * crossed;
        scatter(
            &mut information,
            &cross,
            &self.mean_positions,
            &self.covariance_positions,
        );
        scatter(
            &mut information,
            &cross.transpose(),
            &self.covariance_positions,
            &self.mean_positions,
        );
        information
    }

    /// ∂ℓ/∂M in the chart's frame, d × d: Bᵀ L⁻ᵀ ½(S − N I) L⁻¹ B.
    pub fn gradient(&self, sums: &DVector<f64>) -> DMatrix<f64> {
        let o = self.mean.len();
        let (count, _, second) = unpack(sums, o);
        let excess = (second - DMatrix::identity(o, o) * count) * 0.5;
        self.frame.transpose() * excess * &self.frame
    }

    /// log of the density's denominator, ½ (o log 2π + log |Σ_oo|).
    pub fn log_normalizer(&self) -> f64 {
        let o = self.mean.len() as f64;
        0.5 * (o * std::f64::consts::TAU.ln() + linalg::log_det_cholesky(&self.cholesky))
    }
}

/// N, Σ r y and Σ r y yᵀ from a sum of features.
fn unpack(sums: &DVector<f64>, o: usize) -> (f64, DVector<f64>, DMatrix<f64>) {
    let first = sums.rows(1, o).into_owned();
    let mut second = DMatrix::zeros(o, o);
    let mut feature = 1 + o;
    for i in 0..o {
        for j in 0..=i {
            second[(i, j)] = sums[feature];
            second[(j, i)] = sums[feature];
            feature += 1;
        }
    }
    (sums[0], first, second)
}

/// Adds `block` to rows `rows` and columns `columns` of `target`.
pub(super) fn scatter(
    target: &mut DMatrix<f64>,
    block: &DMatrix<f64>,
    rows: &[usize],
    columns: &[usize],
) {
    for (from_column, &column) in columns.iter().enumerate() {
        for (from_row, &row) in rows.iter().enumerate() {
            target[(row, column)] += block[(from_row, from_column)];
        }
    }
}
