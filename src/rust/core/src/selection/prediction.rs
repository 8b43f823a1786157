//! Predictions, their errors by the delta method, and averages of them with gradients.
//!
//! Every prediction is a function of a row's 2J linear predictors and of Ω. Its derivatives by the natural parameters
//! are those by the predictors times the row of each design, and those by the error parameters
//! (σ_1..σ_J, then ρ column by column).

use nalgebra::{DMatrix, DVector};

use super::conditional::{Derivatives, KnownSelections};
use super::model::{correlation_place, error_parameters, Model};
use crate::error::{Error, Result};
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A linear predictor: outcome j is j, selection j is J + j.
    Predictor(usize),
    /// The probability of the pattern.
    Probability,
    /// E[y*_j | pattern].
    Expectation(usize),
    /// ∂ log P(pattern) / ∂(w_jγ_j): the inverse Mills ratio of the selection of equation j, if that is conditioned on.
    Mills(usize),
}

/// A quantity, and the selections it is conditioned on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub quantity: Quantity,
    pub pattern: Vec<Option<bool>>,
}

/// Values, n × targets column by column, and their standard errors if asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    pub values: Vec<Vec<f64>>,
    pub errors: Vec<Vec<f64>>,
}

/// Weighted means over the rows, and their gradients by the natural parameters (K × targets).
#[derive(Debug, Clone, PartialEq)]
pub struct Average {
    pub means: DVector<f64>,
    pub gradient: DMatrix<f64>,
}

impl Model<'_> {
    /// Every target for every row; with `covariance` (K × K, of the natural parameters) standard errors too.
    ///
    /// # Errors
    /// [`Error::Argument`] when designs, coefficients and covariance do not belong together,
    /// [`Error::NotPositiveDefinite`] as [`KnownSelections::new`].
    pub fn predict(
        &self,
        targets: &[Target],
        covariance: Option<&DMatrix<f64>>,
    ) -> Result<Predicted> {
        self.check_targets(targets)?;
        let size = self.parameters();
        if covariance.is_some_and(|matrix| matrix.shape() != (size, size)) {
            return Err(Error::Argument {
                argument: "vcov",
                message: format!("must be {size} x {size}"),
            });
        }
        let laws = self.laws(targets)?;
        let empty = || vec![Vec::new(); targets.len()];
        if self.rows == 0 {
            return Ok(Predicted {
                values: empty(),
                errors: empty(),
            });
        }
        map_merge(self.rows, self.threads, |rows| {
            let mut predicted = Predicted {
                values: empty(),
                errors: empty(),
            };
            let mut gradient = DVector::zeros(size);
            let mut product = DVector::zeros(size);
            self.for_each(rows, targets, &laws, covariance.is_some(), |i, t, row| {
                predicted.values[t].push(row.value);
                if let Some(covariance) = covariance {
                    self.natural_gradient(i, &row.slopes, gradient.as_mut_slice());
                    product.gemv(1.0, covariance, &gradient, 0.0);
                    let variance = gradient.dot(&product);
                    // Not `max`, which would make 0 of a row that is not a number.
                    predicted.errors[t].push(if variance < 0.0 { 0.0 } else { variance.sqrt() });
                }
            });
            Ok(predicted)
        })
    }

    /// The means of every target over the rows, with their gradients.
    ///
    /// # Errors
    /// As [`Model::predict`]; [`Error::Argument`] when weights do not sum to more than 0.
    pub fn average(&self, targets: &[Target], weights: Option<&[f64]>) -> Result<Average> {
        self.check_targets(targets)?;
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let total: f64 = (0..self.rows).map(weight).sum();
        if weights.is_some_and(|weights| weights.len() != self.rows)
            || total.is_nan()
            || total <= 0.0
        {
            return Err(Error::Argument {
                argument: "weights",
                message: "must have a value for each row, and not all be 0".into(),
            });
        }
        let laws = self.laws(targets)?;
        let size = self.parameters();
        let mut average: Average = map_merge(self.rows, self.threads, |rows| {
            let mut sums = Average {
                means: DVector::zeros(targets.len()),
                gradient: DMatrix::zeros(size, targets.len()),
            };
            let mut gradient = vec![0.0; size];
            self.for_each(rows, targets, &laws, true, |i, t, row| {
                let weight = weight(i);
                sums.means[t] += weight * row.value;
                self.natural_gradient(i, &row.slopes, &mut gradient);
                let column = sums.gradient.column_mut(t);
                for (sum, slope) in column.into_iter().zip(&gradient) {
                    *sum += weight * slope;
                }
            });
            Ok(sums)
        })?;
        average.means /= total;
        average.gradient /= total;
        Ok(average)
    }

    fn check_targets(&self, targets: &[Target]) -> Result<()> {
        self.check()?;
        let equations = self.equations();
        let fits = |target: &Target| {
            let known = |j: usize| target.pattern.get(j).is_some_and(Option::is_some);
            target.pattern.len() == equations
                && match target.quantity {
                    Quantity::Predictor(c) => c < 2 * equations,
                    Quantity::Probability => true,
                    Quantity::Expectation(j) => j < equations,
                    Quantity::Mills(j) => known(j),
                }
        };
        if targets.iter().all(fits) {
            return Ok(());
        }
        Err(Error::Argument {
            argument: "pattern",
            message: "must have a value for each equation".into(),
        })
    }

    /// One law for each run of targets with the same pattern: the law of target t is `laws[places[t]]`.
    fn laws(&self, targets: &[Target]) -> Result<Vec<KnownSelections>> {
        let runs = targets.chunk_by(|a, b| a.pattern == b.pattern);
        runs.map(|run| KnownSelections::new(self.omega, &run[0].pattern, self.integration))
            .collect()
    }

    /// Calls `take(row, target, value and slopes)` for every row and target.
    fn for_each(
        &self,
        rows: std::ops::Range<usize>,
        targets: &[Target],
        laws: &[KnownSelections],
        slopes: bool,
        mut take: impl FnMut(usize, usize, &Row),
    ) {
        let equations = self.equations();
        let mut row = Row {
            value: 0.0,
            slopes: vec![0.0; 2 * equations + error_parameters(equations)],
        };
        let mut at: Vec<Derivatives> = laws.iter().map(KnownSelections::derivatives).collect();
        let mut block = vec![0.0; BLOCK_ROWS * 2 * equations];
        for start in rows.clone().step_by(BLOCK_ROWS) {
            let end = (start + BLOCK_ROWS).min(rows.end);
            self.linear_predictors(start..end, &mut block);
            for (predictors, i) in block.chunks_exact(2 * equations).zip(start..end) {
                let indices = &predictors[equations..];
                let finite = predictors.iter().all(|eta| eta.is_finite());
                let runs = targets.chunk_by(|a, b| a.pattern == b.pattern);
                let mut t = 0;
                for ((run, law), at) in runs.zip(laws).zip(&mut at) {
                    if !finite {
                        row.undefined();
                        run.iter().for_each(|_| {
                            take(i, t, &row);
                            t += 1;
                        });
                        continue;
                    }
                    law.evaluate(indices, i as u64, at);
                    let curved = |target: &Target| {
                        matches!(
                            target.quantity,
                            Quantity::Expectation(_) | Quantity::Mills(_)
                        )
                    };
                    if slopes && run.iter().any(curved) {
                        law.third(indices, i as u64, at);
                    }
                    for target in run {
                        row.fill(target.quantity, predictors, self.omega, law, at, slopes);
                        take(i, t, &row);
                        t += 1;
                    }
                }
            }
        }
    }

    /// From derivatives by predictors and error parameters to those by the natural parameters.
    fn natural_gradient(&self, row: usize, slopes: &[f64], gradient: &mut [f64]) {
        let (predictors, errors) = slopes.split_at(self.designs.len());
        let mut at = 0;
        for (design, slope) in self.designs.iter().zip(predictors) {
            for column in 0..design.width {
                gradient[at] = slope * design.columns[column * self.rows + row];
                at += 1;
            }
        }
        gradient[at..].copy_from_slice(errors);
    }
}

/// A target at one row: its value, and its derivatives by the 2J predictors and by the error parameters.
struct Row {
    value: f64,
    slopes: Vec<f64>,
}

impl Row {
    /// Of a row with a regressor that is not a number.
    fn undefined(&mut self) {
        self.value = f64::NAN;
        self.slopes.fill(f64::NAN);
    }

    fn fill(
        &mut self,
        quantity: Quantity,
        predictors: &[f64],
        omega: &DMatrix<f64>,
        law: &KnownSelections,
        at: &Derivatives,
        slopes: bool,
    ) {
        let known = &law.equations;
        let (size, equations) = (known.len(), predictors.len() / 2);
        let u = &at.gradient;
        if slopes {
            self.slopes.fill(0.0);
        }
        match quantity {
            Quantity::Predictor(c) => {
                self.value = predictors[c];
                self.slopes[c] = 1.0;
            }
            Quantity::Probability => {
                let probability = at.log_probability.exp();
                self.value = probability;
                if slopes {
                    for (&j, u) in known.iter().zip(u) {
                        self.slopes[equations + j] = probability * u;
                    }
                    for (k, l) in pairs(size) {
                        let mixed = at.hessian[k * size + l] + u[k] * u[l];
                        *self.correlation(equations, equations + known[k], equations + known[l]) =
                            probability * mixed;
                    }
                }
            }
            Quantity::Expectation(j) => {
                let weights = |k: usize| omega[(j, equations + known[k])];
                let shift: f64 = (0..size).map(|k| weights(k) * u[k]).sum();
                self.value = predictors[j] + shift;
                if slopes {
                    self.slopes[j] = 1.0;
                    self.add_mills_slopes(equations, known, at, weights);
                    let sigma = omega[(j, j)].sqrt();
                    self.slopes[2 * equations + j] = shift / sigma;
                    for (k, u) in u.iter().enumerate() {
                        *self.correlation(equations, j, equations + known[k]) = sigma * u;
                    }
                }
            }
            Quantity::Mills(j) => {
                let place = known.iter().position(|&known| known == j).unwrap_or(0);
                self.value = u[place];
                if slopes {
                    let weights = |k: usize| f64::from(u8::from(k == place));
                    self.add_mills_slopes(equations, known, at, weights);
                }
            }
        }
    }

    /// Derivatives of Σ_k weight_k u_k by the latent indices and by their correlations:
    /// ∂u/∂ρ_kl = ∂H_kl/∂m + H_·k u_l + u_k H_·l.
    fn add_mills_slopes(
        &mut self,
        equations: usize,
        known: &[usize],
        at: &Derivatives,
        weight: impl Fn(usize) -> f64,
    ) {
        let (size, u) = (known.len(), &at.gradient);
        let bent = |k: usize| -> f64 {
            (0..size)
                .map(|i| weight(i) * at.hessian[k * size + i])
                .sum()
        };
        for (k, &j) in known.iter().enumerate() {
            self.slopes[equations + j] += bent(k);
        }
        for (k, l) in pairs(size) {
            let third: f64 = (0..size)
                .map(|i| weight(i) * at.third[(i * size + k) * size + l])
                .sum();
            *self.correlation(equations, equations + known[k], equations + known[l]) +=
                third + bent(k) * u[l] + u[k] * bent(l);
        }
    }

    /// The place of the derivative by ρ(a, b), a < b.
    fn correlation(&mut self, equations: usize, a: usize, b: usize) -> &mut f64 {
        &mut self.slopes[2 * equations + correlation_place(equations, a, b)]
    }
}

fn pairs(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |k| (k + 1..size).map(move |l| (k, l)))
}

impl Merge for Predicted {
    fn merge(&mut self, other: Self) {
        let append = |to: &mut Vec<Vec<f64>>, from: Vec<Vec<f64>>| {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, from)| to.extend(from));
        };
        append(&mut self.values, other.values);
        append(&mut self.errors, other.errors);
    }
}

impl Merge for Average {
    fn merge(&mut self, other: Self) {
        self.means += other.means;
        self.gradient += other.gradient;
    }
}
