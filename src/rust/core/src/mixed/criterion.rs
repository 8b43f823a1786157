//! What optimizers see: the ML or REML criterion and its gradient in free coordinates.
//!
//! Coordinates are the free elements of θ, then log σ if it cannot be profiled out (a random effect's standard
//! deviation is known and σ is not), then the logarithms of the dispersion ratios of groups 2, 3, ...
//! θ is unconstrained: the criterion does not change with the sign of a column of Λ.

use std::f64::consts::PI;

use nalgebra::{DMatrix, DMatrixView};

use super::cross_products::CrossProducts;
use super::factor::Factor;
use super::score::Score;
use super::structure::Structure;
use crate::error::{Error, Result};

/// Λ counts as regular while no entry of its inverse is larger: dividing by it then costs few digits.
const MAX_REGULAR_INVERSE: f64 = 1e4;

/// A random effect whose standard deviation is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownDeviation {
    /// Core term.
    pub term: usize,
    /// Row of Λ_t.
    pub index: usize,
    /// The standard deviation, in units of the response.
    pub sd: f64,
}

/// What need not be estimated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Residual standard deviation.
    pub sigma: Option<f64>,
    /// Random effects of known standard deviation.
    pub deviations: Vec<KnownDeviation>,
}

/// A criterion to be minimised.
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// The data.
    pub statistics: &'a CrossProducts,
    /// The free entries of Λ.
    pub structure: &'a Structure,
    /// Whether the criterion is REML's.
    pub reml: bool,
    /// What need not be estimated.
    pub known: Known,
    /// Positions in θ of the coordinates.
    free: Vec<usize>,
    /// Positions in θ and the known standard deviations there.
    fixed: Vec<(usize, f64)>,
}

/// A point in the terms of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Every element of θ, known ones too.
    pub theta: Vec<f64>,
    /// σ where it is not profiled out.
    pub sigma: Option<f64>,
    /// Ratios of residual standard deviations to that of group 1; one per dispersion group.
    pub dispersion: Vec<f64>,
}

impl<'a> Problem<'a> {
    /// Checks what is known against the structure.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `known`, or `formula` when no residual degrees of freedom are left.
    pub fn new(
        statistics: &'a CrossProducts,
        structure: &'a Structure,
        reml: bool,
        known: Known,
    ) -> Result<Self> {
        let wrong = |message: &str| Error::Argument {
            argument: "known",
            message: message.into(),
        };
        let positive = |sd: f64| sd.is_finite() && sd > 0.0;
        if !known.sigma.is_none_or(positive) || !known.deviations.iter().all(|k| positive(k.sd)) {
            return Err(wrong("must hold positive standard deviations"));
        }
        if statistics.rows() <= statistics.fixed_columns() && reml {
            return Err(Error::Argument {
                argument: "formula",
                message: "has as many fixed effects as there are rows".into(),
            });
        }
        let mut fixed = Vec::new();
        for deviation in &known.deviations {
            let mut row =
                structure.entries.iter().enumerate().filter(|(_, entry)| {
                    entry.term == deviation.term && entry.row == deviation.index
                });
            match (row.next(), row.next()) {
                (Some((k, entry)), None) if entry.row == entry.column => {
                    fixed.push((k, deviation.sd));
                }
                _ => return Err(wrong(
                    "gives the standard deviation of an effect that is correlated with an earlier one: \
                     write the term with `||`, or put that effect first",
                )),
            }
        }
        let free = (0..structure.parameters())
            .filter(|k| fixed.iter().all(|(known, _)| known != k))
            .collect();
        Ok(Problem {
            statistics,
            structure,
            reml,
            known,
            free,
            fixed,
        })
    }

    /// Whether σ is a coordinate.
    pub fn sigma_is_free(&self) -> bool {
        self.known.sigma.is_none() && !self.fixed.is_empty()
    }

    /// Number of coordinates.
    pub fn coordinates(&self) -> usize {
        self.free.len() + usize::from(self.sigma_is_free()) + self.groups() - 1
    }

    /// Positions in θ of the first coordinates.
    pub fn free(&self) -> &[usize] {
        &self.free
    }

    fn groups(&self) -> usize {
        self.statistics.group_rows().len()
    }

    /// Rows that count for σ: n, less p under REML.
    pub fn degrees_of_freedom(&self) -> f64 {
        let p = if self.reml {
            self.statistics.fixed_columns()
        } else {
            0
        };
        (self.statistics.rows() - p) as f64
    }

    /// Λ = I, equal dispersions, and σ the residual standard deviation without random effects.
    pub fn start(&self) -> Vec<f64> {
        let theta = self.structure.start();
        let mut start: Vec<f64> = self.free.iter().map(|&k| theta[k]).collect();
        if self.sigma_is_free() {
            let squares = &self.statistics.response.products;
            let square: f64 = squares.iter().map(|products| products.square).sum();
            let variance = square / self.statistics.rows() as f64;
            start.push(0.5 * variance.max(f64::MIN_POSITIVE).ln());
        }
        start.resize(self.coordinates(), 0.0);
        start
    }

    /// The point that coordinates stand for.
    pub fn parameters(&self, coordinates: &[f64]) -> Parameters {
        let (theta, rest) = coordinates.split_at(self.free.len());
        let (log_sigma, ratios) = rest.split_at(usize::from(self.sigma_is_free()));
        let sigma = self.known.sigma.or(log_sigma.first().map(|log| log.exp()));
        let mut all = vec![0.0; self.structure.parameters()];
        for (&k, &value) in self.free.iter().zip(theta) {
            all[k] = value;
        }
        for &(k, sd) in &self.fixed {
            all[k] = sigma.map_or(f64::NAN, |sigma| sd / sigma);
        }
        let dispersion = std::iter::once(1.0).chain(ratios.iter().map(|log| log.exp()));
        Parameters {
            theta: all,
            sigma,
            dispersion: dispersion.collect(),
        }
    }

    /// The coordinates of a point; elements that are known are ignored.
    pub fn locate(&self, parameters: &Parameters) -> Vec<f64> {
        let mut coordinates: Vec<f64> = self.free.iter().map(|&k| parameters.theta[k]).collect();
        if self.sigma_is_free() {
            coordinates.push(parameters.sigma.unwrap_or(1.0).ln());
        }
        coordinates.extend(parameters.dispersion.iter().skip(1).map(|ratio| ratio.ln()));
        coordinates
    }

    /// Turns the signs of Λ's columns so that no free diagonal is negative.
    pub fn rectify(&self, coordinates: &mut [f64]) {
        let mut theta = self.parameters(coordinates).theta;
        self.structure.rectify(&mut theta);
        for (coordinate, &k) in coordinates.iter_mut().zip(&self.free) {
            *coordinate = theta[k];
        }
    }

    /// -2 log-likelihood (ML) or the REML criterion, constants included; `factor` is left at the point.
    ///
    /// # Errors
    /// As [`Factor::update`].
    pub fn criterion(&self, factor: &mut Factor, coordinates: &[f64]) -> Result<f64> {
        let parameters = self.parameters(coordinates);
        factor.update(
            self.statistics,
            self.structure,
            &parameters.theta,
            &parameters.dispersion,
        )?;
        Ok(self.value(factor, &parameters))
    }

    /// The criterion from the factor at a point.
    pub(super) fn value(&self, factor: &Factor, parameters: &Parameters) -> f64 {
        let df = self.degrees_of_freedom();
        let rss = factor.penalized_rss();
        let residual = match parameters.sigma {
            Some(sigma) => df * (2.0 * PI * sigma * sigma).ln() + rss / (sigma * sigma),
            None => df * (1.0 + (2.0 * PI * rss / df).ln()),
        };
        let groups = self
            .statistics
            .group_rows()
            .iter()
            .zip(&parameters.dispersion);
        let dispersion: f64 = groups.map(|(&n, ratio)| 2.0 * n as f64 * ratio.ln()).sum();
        let fixed = if self.reml {
            factor.log_det_fixed()
        } else {
            0.0
        };
        residual + factor.log_det_random() + fixed + dispersion - self.statistics.log_weights()
    }

    /// σ at the last point evaluated.
    pub fn sigma(&self, factor: &Factor, coordinates: &[f64]) -> f64 {
        let profiled = || (factor.penalized_rss() / self.degrees_of_freedom()).sqrt();
        self.parameters(coordinates).sigma.unwrap_or_else(profiled)
    }

    /// The criterion and its gradient.
    ///
    /// With S = M⁻¹ and the residual e, d log|M| / dΛ_t = 2 Σ_l (ZᵀW[ZΛ X] S)_ll and
    /// d rss / dΛ_t = -2 Σ_l (ZᵀWe)_l u_lᵀ, exact where Λ is singular too.
    ///
    /// # Errors
    /// As [`Factor::update`].
    pub fn gradient(
        &self,
        factor: &mut Factor,
        coordinates: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64> {
        let parameters = self.parameters(coordinates);
        let criterion = self.criterion(factor, coordinates)?;
        let df = self.degrees_of_freedom();
        let precision = match parameters.sigma {
            Some(sigma) => sigma.powi(-2),
            None => df / factor.penalized_rss(),
        };
        let (slopes, dispersed) = match self.regular_slopes(factor, precision) {
            Some(slopes) => (slopes, vec![0.0]),
            None => self.slopes(factor, precision, &parameters)?,
        };
        for (value, &k) in gradient.iter_mut().zip(&self.free) {
            *value = slopes[k];
        }
        let mut at = self.free.len();
        if self.sigma_is_free() {
            let known: f64 = self
                .fixed
                .iter()
                .map(|&(k, _)| slopes[k] * parameters.theta[k])
                .sum();
            gradient[at] = 2.0 * (df - precision * factor.penalized_rss()) - known;
            at += 1;
        }
        gradient[at..].copy_from_slice(&dispersed[1..]);
        Ok(criterion)
    }

    /// d criterion / dθ where every Λ_t is regular and rows have one residual variance.
    ///
    /// Then ΛᵀZᵀW[ZΛ X] S = I - S and ΛᵀZᵀWe = u, so that diagonal blocks suffice:
    /// 2 Λ⁻ᵀ Σ_l (I - S_ll - u_l u_lᵀ / σ²).
    fn regular_slopes(&self, factor: &mut Factor, precision: f64) -> Option<Vec<f64>> {
        if self.groups() > 1 {
            return None;
        }
        let terms = 0..self.statistics.terms();
        let inverses = terms.map(|t| regular_inverse(factor.lambda(t)));
        let inverses: Vec<DMatrix<f64>> = inverses.collect::<Option<_>>()?;
        let mut sums = factor.diagonal_sums(self.reml);
        for (t, (sum, inverse)) in sums.iter_mut().zip(&inverses).enumerate() {
            let (q, levels) = (inverse.nrows(), self.statistics.levels()[t]);
            let u = DMatrixView::from_slice(factor.effects(t), q, levels);
            let rest =
                DMatrix::identity(q, q) * levels as f64 - &*sum - u * u.transpose() * precision;
            *sum = inverse.tr_mul(&rest) * 2.0;
        }
        let entries = self.structure.entries.iter();
        Some(
            entries
                .map(|entry| sums[entry.term][(entry.row, entry.column)])
                .collect(),
        )
    }

    /// d criterion / dθ and d criterion / d log of the dispersion ratios, anywhere.
    fn slopes(
        &self,
        factor: &mut Factor,
        precision: f64,
        parameters: &Parameters,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        factor.selected_inverse(self.reml);
        let selected = factor.selected().ok_or_else(|| Error::Numerical {
            message: "the inverse of the cross-products could not be computed".into(),
        })?;
        let mut slopes = vec![0.0; self.structure.parameters()];
        let mut dispersed = vec![0.0; self.groups()];
        let responses = &self.statistics.response.products;
        let both = self.statistics.design.products.iter().zip(responses);
        for (g, (products, response)) in both.enumerate() {
            let weight = parameters.dispersion[g].powi(-2);
            let score = Score::of(self.statistics, factor, selected, products, response);
            for (slope, entry) in slopes.iter_mut().zip(&self.structure.entries) {
                let at = entry.column * self.structure.widths[entry.term] + entry.row;
                let log_det = score.log_det[entry.term][at];
                *slope += 2.0 * weight * (log_det - precision * score.residual[entry.term][at]);
            }
            let n = self.statistics.group_rows()[g] as f64;
            dispersed[g] = 2.0 * (n - weight * (score.trace + precision * score.rss));
        }
        Ok((slopes, dispersed))
    }
}

/// Λ⁻¹, unless Λ is nearly singular.
pub(super) fn regular_inverse(lambda: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let inverse = lambda.clone().try_inverse()?;
    (inverse.amax() < MAX_REGULAR_INVERSE).then_some(inverse)
}
