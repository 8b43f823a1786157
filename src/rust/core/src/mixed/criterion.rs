//! What optimizers see: the ML or REML criterion and its gradient in free coordinates.
//!
//! Coordinates are the free elements of θ, then log σ if it cannot be profiled out (a random effect's standard
//! deviation is known and σ is not), then the logarithms of the dispersion ratios of groups 2, 3, ...
//! θ is unconstrained: the criterion does not change with the sign of a column of Λ.

use std::f64::consts::PI;

use super::cross_products::{CrossProducts, Products, ResponseProducts};
use super::factor::Factor;
use super::structure::Structure;
use crate::error::{Error, Result};

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
        factor.selected_inverse(self.reml);
        let df = self.degrees_of_freedom();
        let precision = match parameters.sigma {
            Some(sigma) => sigma.powi(-2),
            None => df / factor.penalized_rss(),
        };
        let mut slopes = vec![0.0; self.structure.parameters()];
        let mut dispersed = vec![0.0; self.groups()];
        let both = self
            .statistics
            .design
            .products
            .iter()
            .zip(&self.statistics.response.products);
        for (g, (products, response)) in both.enumerate() {
            let weight = parameters.dispersion[g].powi(-2);
            let score = Score::of(self.statistics, factor, products, response);
            for (slope, entry) in slopes.iter_mut().zip(&self.structure.entries) {
                let at = entry.column * self.structure.widths[entry.term] + entry.row;
                let log_det = score.log_det[entry.term][at];
                *slope += 2.0 * weight * (log_det - precision * score.residual[entry.term][at]);
            }
            let n = self.statistics.group_rows()[g] as f64;
            dispersed[g] = 2.0 * (n - weight * (score.trace + precision * score.rss));
        }
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
}

/// What one dispersion group adds to the derivatives, for unit precision.
struct Score {
    /// Σ_l (ZᵀW[ZΛ X] S)_ll for each term, q × q.
    log_det: Vec<Vec<f64>>,
    /// Σ_l (ZᵀWe)_l u_lᵀ for each term, q × q.
    residual: Vec<Vec<f64>>,
    /// tr(S [ZΛ X]ᵀW[ZΛ X]).
    trace: f64,
    /// eᵀWe.
    rss: f64,
}

impl Score {
    fn of(
        statistics: &CrossProducts,
        factor: &Factor,
        products: &Products,
        response: &ResponseProducts,
    ) -> Self {
        use nalgebra::{DMatrix, DMatrixView, DVector};
        let none = Vec::new();
        let selected = factor.selected();
        let p = statistics.fixed_columns();
        let terms = statistics.terms();
        let design = &statistics.design;
        let widths = statistics.widths();
        let beta = DVector::from_column_slice(factor.rotated_coefficients());
        let mut log_det: Vec<DMatrix<f64>> = widths.iter().map(|&q| DMatrix::zeros(q, q)).collect();
        let mut cross: Vec<DVector<f64>> = Vec::new();
        let mut trace = 0.0;
        let mut fixed_cross = &response.fixed - &products.gram * &beta;
        // ZᵀWe, starting from ZᵀWy - ZᵀWXβ - (diagonal blocks) Λu.
        let effects: Vec<DMatrix<f64>> = (0..terms)
            .map(|t| {
                let u =
                    DMatrixView::from_slice(factor.effects(t), widths[t], statistics.levels()[t]);
                factor.lambda(t) * u
            })
            .collect();
        for t in 0..terms {
            let (q, levels) = (widths[t], statistics.levels()[t]);
            let mut residual = DVector::from_column_slice(&response.effects[t]);
            let s_diagonal = selected.map_or(&none[..], |s| s.diagonal(t));
            let s_fixed = design.dense_fixed(t, selected.map_or(&none[..], |s| s.fixed(t)));
            let fixed = design.dense_fixed(t, &products.fixed[t]);
            for l in 0..levels {
                let a = DMatrixView::from_slice(&products.diagonal[t][l * q * q..], q, q);
                let f = DMatrixView::from_slice(&fixed[l * p * q..], p, q);
                let s = DMatrixView::from_slice(&s_diagonal[l * q * q..], q, q);
                let sf = DMatrixView::from_slice(&s_fixed[l * p * q..], p, q);
                log_det[t] += a * factor.lambda(t) * s + f.tr_mul(&sf);
                trace += (factor.lambda(t).tr_mul(&a) * factor.lambda(t)).dot(&s)
                    + 2.0 * (f * factor.lambda(t)).dot(&sf);
                let mut r = residual.rows_mut(l * q, q);
                r -= a * effects[t].column(l) + f.tr_mul(&beta);
                fixed_cross -= f * effects[t].column(l);
            }
            cross.push(residual);
        }
        for (k, (pairs, values)) in statistics.pairs().iter().zip(&products.pairs).enumerate() {
            let (a, b) = (pairs.first, pairs.second);
            let (qa, qb) = (widths[a], widths[b]);
            let s_pairs = selected.map_or(&none[..], |s| s.pairs(k));
            for l in 0..statistics.levels()[a] {
                for e in pairs.starts[l]..pairs.starts[l + 1] {
                    let m = pairs.levels[e] as usize;
                    let block = DMatrixView::from_slice(&values[e * qa * qb..], qa, qb);
                    let s = DMatrixView::from_slice(&s_pairs[e * qa * qb..], qa, qb);
                    log_det[a] += block * factor.lambda(b) * s.transpose();
                    log_det[b] += block.transpose() * factor.lambda(a) * s;
                    trace += 2.0 * (factor.lambda(a).tr_mul(&block) * factor.lambda(b)).dot(&s);
                    let mut r = cross[a].rows_mut(l * qa, qa);
                    r -= block * effects[b].column(m);
                    let mut r = cross[b].rows_mut(m * qb, qb);
                    r -= block.tr_mul(&effects[a].column(l));
                }
            }
        }
        if let Some(s) = selected {
            trace += products.gram.dot(s.coefficients());
        }
        // eᵀWe = yᵀWe - βᵀXᵀWe - (Λu)ᵀZᵀWe.
        let mut rss = response.square - beta.dot(&response.fixed) - beta.dot(&fixed_cross);
        let mut residual = Vec::new();
        for t in 0..terms {
            let (q, levels) = (widths[t], statistics.levels()[t]);
            let b = DVector::from_column_slice(effects[t].as_slice());
            rss -= b.dot(&DVector::from_column_slice(&response.effects[t])) + b.dot(&cross[t]);
            let r = DMatrixView::from_slice(cross[t].as_slice(), q, levels);
            let u = DMatrixView::from_slice(factor.effects(t), q, levels);
            residual.push((r * u.transpose()).as_slice().to_vec());
        }
        Score {
            log_det: log_det.iter().map(|g| g.as_slice().to_vec()).collect(),
            residual,
            trace,
            rss,
        }
    }
}
