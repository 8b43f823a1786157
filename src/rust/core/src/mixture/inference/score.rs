//! First and second derivatives of the observed log-likelihood from the rows, in one pass.
//!
//! With r the responsibilities and s_k = ∂ log(π_k φ_k)/∂φ the score given label k, row i has the score
//! s_i = Σ_k r_ik s_ik (Fisher's identity), and Louis (1982) gives
//!
//! ```text
//! −∂²ℓ/∂φ² = Σ_i w_i { Σ_k r_ik (−∂² log(π_k φ_k)/∂φ²) − Σ_k r_ik s_ik s_ikᵀ + s_i s_iᵀ }.
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::chart::Chart;
use super::geometry::{feature_count, scatter, Geometry};
use crate::error::{Error, Result};
use crate::mixture::data::Data;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Sums of derivatives over rows; they add.
#[derive(Debug, Clone)]
pub struct ScoreStats {
    /// Σ w log p.
    pub log_lik: f64,
    /// Σ w s, length P.
    pub score: DVector<f64>,
    /// Σ w s sᵀ, P × P.
    pub outer: DMatrix<f64>,
    /// Σ w² s sᵀ, P × P; `None` without row weights, where it is `outer`.
    pub outer_squared: Option<DMatrix<f64>>,
    /// Σ w r per component.
    pub counts: Vec<f64>,
    /// Sum of row weights.
    pub total_weight: f64,
    /// Σ w Σ_k r_k (−∂² log(π_k φ_k)/∂φ² − s_k s_kᵀ), without the bend of the chart.
    given_labels: DMatrix<f64>,
    /// ∂ℓ/∂M_k in the chart's frames, K matrices d × d.
    gradients: Vec<DMatrix<f64>>,
    /// Sums over complete rows that wait to be absorbed, one per component.
    complete: Vec<Labelled>,
}

impl Merge for ScoreStats {
    fn merge(&mut self, other: Self) {
        self.log_lik += other.log_lik;
        self.score += other.score;
        self.outer += other.outer;
        if let (Some(sum), Some(next)) = (self.outer_squared.as_mut(), other.outer_squared) {
            *sum += next;
        }
        for (sum, next) in self.counts.iter_mut().zip(&other.counts) {
            *sum += next;
        }
        self.total_weight += other.total_weight;
        self.given_labels += other.given_labels;
        for (sum, next) in self.gradients.iter_mut().zip(other.gradients) {
            *sum += next;
        }
        for (sum, next) in self.complete.iter_mut().zip(other.complete) {
            sum.features += next.features;
            sum.outer += next.outer;
        }
    }
}

impl ScoreStats {
    /// Derivatives at the chart's origin, from all rows of `data` (NaN marks a missing value).
    ///
    /// # Errors
    /// [`Error::Argument`] when data and mixture differ in dimension, or rows with missing values meet a
    /// noise component; [`Error::Numerical`] when a row has no density.
    pub fn new(data: &Data, chart: &Chart, threads: usize) -> Result<Self> {
        check(data, chart)?;
        let columns: Vec<usize> = (0..data.columns()).collect();
        let complete = geometries(chart, &columns)?;
        let mut stats = map_merge(data.rows(), threads, |rows| {
            Self::of_shard(data, chart, &complete, rows)
        })?;
        for (geometry, sums) in complete.iter().zip(std::mem::take(&mut stats.complete)) {
            stats.absorb(geometry, &sums);
        }
        Ok(stats)
    }

    /// Observed information −∂²ℓ/∂φ² at φ = 0, P × P.
    pub fn observed_information(&self, chart: &Chart) -> DMatrix<f64> {
        let mut information = &self.given_labels + &self.outer;
        let mut phi = vec![0.0; chart.len()];
        let mut bend = vec![0.0; chart.len()];
        for (c, coordinate) in chart.coordinates().iter().enumerate() {
            if !coordinate.motion.is_covariance() {
                continue;
            }
            phi[c] = 1.0;
            bend.fill(0.0);
            for (component, gradient) in self.gradients.iter().enumerate() {
                if coordinate.component.is_none_or(|own| own == component) {
                    chart.add_bend(component, gradient, &phi, &mut bend);
                }
            }
            phi[c] = 0.0;
            for (row, value) in bend.iter().enumerate() {
                information[(row, c)] -= value;
            }
        }
        crate::linalg::symmetrized(&information)
    }

    fn zero(chart: &Chart, weighted: bool) -> Self {
        let (p, k, d) = (
            chart.len(),
            chart.origin().components(),
            chart.origin().dim(),
        );
        ScoreStats {
            log_lik: 0.0,
            score: DVector::zeros(p),
            outer: DMatrix::zeros(p, p),
            outer_squared: weighted.then(|| DMatrix::zeros(p, p)),
            counts: vec![0.0; k],
            total_weight: 0.0,
            given_labels: DMatrix::zeros(p, p),
            gradients: vec![DMatrix::zeros(d, d); k],
            complete: Vec::new(),
        }
    }

    fn of_shard(
        data: &Data,
        chart: &Chart,
        complete: &[Geometry],
        rows: Range<usize>,
    ) -> Result<Self> {
        let mut stats = Self::zero(chart, data.weights().is_some());
        stats.complete = complete.iter().map(Labelled::zero).collect();
        for (observed, rows) in patterns(data, rows) {
            if observed.len() == data.columns() {
                let mut labelled = std::mem::take(&mut stats.complete);
                stats.add_rows(data, chart, complete, &observed, &rows, &mut labelled)?;
                stats.complete = labelled;
            } else {
                let geometries = geometries(chart, &observed)?;
                let mut labelled: Vec<Labelled> = geometries.iter().map(Labelled::zero).collect();
                stats.add_rows(data, chart, &geometries, &observed, &rows, &mut labelled)?;
                for (geometry, sums) in geometries.iter().zip(&labelled) {
                    stats.absorb(geometry, sums);
                }
            }
        }
        Ok(stats)
    }

    fn add_rows(
        &mut self,
        data: &Data,
        chart: &Chart,
        geometries: &[Geometry],
        observed: &[usize],
        rows: &[usize],
        labelled: &mut [Labelled],
    ) -> Result<()> {
        for rows in rows.chunks(BLOCK_ROWS) {
            self.add(
                &Block::new(data, chart, geometries, observed, rows)?,
                labelled,
            );
        }
        Ok(())
    }

    /// Adds what the sums given one label say.
    fn absorb(&mut self, geometry: &Geometry, sums: &Labelled) {
        let component = geometry.component;
        self.counts[component] += sums.features[0];
        self.gradients[component] += geometry.gradient(&sums.features);
        let information = geometry.complete_information(&sums.features) - &sums.outer;
        let at = &geometry.coordinates;
        scatter(&mut self.given_labels, &information, at, at);
    }

    fn add(&mut self, block: &Block, labelled: &mut [Labelled]) {
        self.log_lik += block.weights.dot(&block.log_density);
        self.total_weight += block.weights.sum();
        for (k, sums) in labelled.iter_mut().enumerate() {
            let mass = block.posterior.column(k).component_mul(&block.weights);
            sums.features.gemv_tr(1.0, &block.features[k], &mass, 1.0);
            add_outer(&mut sums.outer, &block.given_label[k], &mass);
        }
        // Noise has a constant density: given that label only the weights move.
        if let Some((score, at)) = &block.noise_score {
            let mass = block.posterior.column(labelled.len()).dot(&block.weights);
            let information = DMatrix::identity(at.len(), at.len()) - score * score.transpose();
            scatter(&mut self.given_labels, &(information * mass), at, at);
        }
        self.score.gemv_tr(1.0, &block.scores, &block.weights, 1.0);
        add_outer(&mut self.outer, &block.scores, &block.weights);
        if let Some(squared) = self.outer_squared.as_mut() {
            let squares = block.weights.component_mul(&block.weights);
            add_outer(squared, &block.scores, &squares);
        }
    }
}

/// Scores of the rows `rows`, one row each, unweighted: ∂ log p(x_i)/∂φ, rows × P.
///
/// # Errors
/// As [`ScoreStats::new`].
pub fn scores(data: &Data, chart: &Chart, rows: Range<usize>) -> Result<DMatrix<f64>> {
    check(data, chart)?;
    let first = rows.start;
    let mut all = DMatrix::zeros(rows.len(), chart.len());
    for (observed, rows) in patterns(data, rows) {
        let geometries = geometries(chart, &observed)?;
        for rows in rows.chunks(BLOCK_ROWS) {
            let block = Block::new(data, chart, &geometries, &observed, rows)?;
            for (from, &row) in rows.iter().enumerate() {
                all.set_row(row - first, &block.scores.row(from));
            }
        }
    }
    Ok(all)
}

/// Σ w r f and Σ w r s_k s_kᵀ of one component.
#[derive(Debug, Clone)]
struct Labelled {
    features: DVector<f64>,
    outer: DMatrix<f64>,
}

impl Labelled {
    fn zero(geometry: &Geometry) -> Self {
        let (q, p) = geometry.jacobian.shape();
        Labelled {
            features: DVector::zeros(q),
            outer: DMatrix::zeros(p, p),
        }
    }
}

/// Rows with the same observed columns, and their derivatives.
struct Block {
    weights: DVector<f64>,
    log_density: DVector<f64>,
    /// rows × (K + noise).
    posterior: DMatrix<f64>,
    /// K matrices rows × q.
    features: Vec<DMatrix<f64>>,
    /// K matrices rows × P_k: scores given the label.
    given_label: Vec<DMatrix<f64>>,
    /// Score given the noise label, and the coordinates it belongs to.
    noise_score: Option<(DVector<f64>, Vec<usize>)>,
    /// rows × P.
    scores: DMatrix<f64>,
}

impl Block {
    fn new(
        data: &Data,
        chart: &Chart,
        geometries: &[Geometry],
        observed: &[usize],
        rows: &[usize],
    ) -> Result<Self> {
        let mixture = chart.origin();
        let (m, k) = (rows.len(), geometries.len());
        let weights = match data.weights() {
            Some(weights) => DVector::from_iterator(m, rows.iter().map(|&i| weights[i])),
            None => DVector::from_element(m, 1.0),
        };
        let mut posterior = DMatrix::zeros(m, k + usize::from(mixture.noise.is_some()));
        let mut all_features = Vec::with_capacity(k);
        for geometry in geometries {
            let features = features(data, geometry, observed, rows);
            let constant = mixture.weights[geometry.component].ln() - geometry.log_normalizer();
            for i in 0..m {
                let squares: f64 = (0..observed.len())
                    .map(|j| features[(i, 1 + j)].powi(2))
                    .sum();
                posterior[(i, geometry.component)] = constant - 0.5 * squares;
            }
            all_features.push(features);
        }
        if let Some(noise) = mixture.noise {
            posterior
                .column_mut(k)
                .fill(noise.weight.ln() + noise.log_density);
        }
        let log_density = normalize(&mut posterior, rows)?;
        let mut scores = DMatrix::zeros(m, chart.len());
        let mut given_label = Vec::with_capacity(k);
        for (geometry, features) in geometries.iter().zip(&all_features) {
            let given = features * &geometry.jacobian;
            let mass = posterior.column(geometry.component);
            for (from, &c) in geometry.coordinates.iter().enumerate() {
                let mut column = scores.column_mut(c);
                for i in 0..m {
                    column[i] += mass[i] * given[(i, from)];
                }
            }
            given_label.push(given);
        }
        let noise_score = mixture.noise.map(|_| chart.noise_score());
        if let Some((score, at)) = &noise_score {
            for (from, &c) in at.iter().enumerate() {
                scores
                    .column_mut(c)
                    .axpy(score[from], &posterior.column(k), 1.0);
            }
        }
        Ok(Block {
            weights,
            log_density,
            posterior,
            features: all_features,
            given_label,
            noise_score,
            scores,
        })
    }
}

/// Features (1, y, y_i y_j) of rows for one component, rows × q.
fn features(data: &Data, geometry: &Geometry, observed: &[usize], rows: &[usize]) -> DMatrix<f64> {
    let (m, o) = (rows.len(), observed.len());
    let mut features = DMatrix::zeros(m, feature_count(o));
    features.column_mut(0).fill(1.0);
    for (j, &column) in observed.iter().enumerate() {
        let values = data.column(column);
        let mut y = DVector::from_iterator(m, rows.iter().map(|&i| values[i] - geometry.mean[j]));
        for l in 0..j {
            y.axpy(-geometry.cholesky[(j, l)], &features.column(1 + l), 1.0);
        }
        y /= geometry.cholesky[(j, j)];
        features.set_column(1 + j, &y);
    }
    let mut column = 1 + o;
    for i in 0..o {
        for j in 0..=i {
            let product = features
                .column(1 + i)
                .component_mul(&features.column(1 + j));
            features.set_column(column, &product);
            column += 1;
        }
    }
    features
}

/// Turns log π_k φ_k into responsibilities in place; returns the log-density of each row.
fn normalize(log_joint: &mut DMatrix<f64>, rows: &[usize]) -> Result<DVector<f64>> {
    let mut log_density = DVector::zeros(log_joint.nrows());
    for (i, mut row) in log_joint.row_iter_mut().enumerate() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() {
            return Err(Error::Numerical {
                message: format!("row {} has no density under the mixture", rows[i] + 1),
            });
        }
        row.iter_mut()
            .for_each(|value| *value = (*value - largest).exp());
        let sum = row.sum();
        row /= sum;
        log_density[i] = largest + sum.ln();
    }
    Ok(log_density)
}

/// target += Xᵀ diag(mass) X.
fn add_outer(target: &mut DMatrix<f64>, x: &DMatrix<f64>, mass: &DVector<f64>) {
    let mut scaled = x.transpose();
    for (mut column, mass) in scaled.column_iter_mut().zip(mass.iter()) {
        column *= *mass;
    }
    target.gemm(1.0, &scaled, x, 1.0);
}

fn geometries(chart: &Chart, observed: &[usize]) -> Result<Vec<Geometry>> {
    (0..chart.origin().components())
        .map(|component| Geometry::new(chart, component, observed))
        .collect()
}

/// Rows of a range by their observed columns.
fn patterns(data: &Data, rows: Range<usize>) -> BTreeMap<Vec<usize>, Vec<usize>> {
    let columns: Vec<usize> = (0..data.columns()).collect();
    let mut patterns = BTreeMap::new();
    let mut complete = Vec::new();
    for row in rows {
        if columns.iter().any(|&j| data.column(j)[row].is_nan()) {
            let observed: Vec<usize> = columns
                .iter()
                .copied()
                .filter(|&j| !data.column(j)[row].is_nan())
                .collect();
            patterns.entry(observed).or_insert_with(Vec::new).push(row);
        } else {
            complete.push(row);
        }
    }
    if !complete.is_empty() {
        patterns.insert(columns, complete);
    }
    patterns
}

fn check(data: &Data, chart: &Chart) -> Result<()> {
    let (columns, d) = (data.columns(), chart.origin().dim());
    if columns != d {
        return Err(Error::Argument {
            argument: "x",
            message: format!("has {columns} columns, the mixture has {d} dimensions"),
        });
    }
    let missing = || (0..columns).any(|j| data.column(j).iter().any(|value| value.is_nan()));
    if chart.origin().noise.is_some() && missing() {
        return Err(Error::Argument {
            argument: "x",
            message:
                "has missing values; standard errors with a noise component need complete rows"
                    .into(),
        });
    }
    Ok(())
}
