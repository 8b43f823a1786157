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

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::super::layout::{Layout, Parameters};
    use super::*;
    use crate::linalg;
    use crate::normal::orthant::Integration;
    use crate::rng::stream;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn with_model<T>(
        example: &Example,
        parameters: &Parameters,
        threads: usize,
        take: impl FnOnce(&Model) -> T,
    ) -> T {
        let data = example.data();
        take(&Model {
            rows: example.n,
            designs: &data.designs,
            coefficients: &parameters.coefficients,
            omega: &parameters.omega,
            integration: &Integration::Exact,
            threads,
        })
    }

    /// Every quantity with every pattern of J equations.
    fn targets(equations: usize) -> Vec<Target> {
        let mut targets = Vec::new();
        for code in 0..3_usize.pow(equations as u32) {
            let digit = |j: usize| code / 3_usize.pow(j as u32) % 3;
            let known = [None, Some(false), Some(true)];
            let pattern: Vec<_> = (0..equations).map(|j| known[digit(j)]).collect();
            let mut quantities = vec![Quantity::Probability];
            quantities.extend((0..2 * equations).map(Quantity::Predictor));
            quantities.extend((0..equations).map(Quantity::Expectation));
            let selected = (0..equations).filter(|&j| pattern[j].is_some());
            quantities.extend(selected.map(Quantity::Mills));
            targets.extend(quantities.into_iter().map(|quantity| Target {
                quantity,
                pattern: pattern.clone(),
            }));
        }
        targets
    }

    /// Frequencies and means of 10⁶ draws of the errors of a row.
    #[test]
    fn predictions_are_those_of_simulated_rows() {
        for equations in 1..=2 {
            let example = Example::new(equations, 2);
            let targets = targets(equations);
            let (predicted, predictors) = with_model(&example, &example.parameters, 1, |model| {
                let mut predictors = vec![0.0; 4 * equations];
                model.linear_predictors(0..2, &mut predictors);
                (model.predict(&targets, None).unwrap(), predictors)
            });
            let root = linalg::cholesky(&example.parameters.omega).unwrap();
            let mut rng = stream(3, 0);
            let count = 1_000_000;
            let mut sums = vec![[0.0; 3]; targets.len()];
            for _ in 0..count {
                let noise =
                    DVector::from_fn(2 * equations, |_, _| rng.sample::<f64, _>(StandardNormal));
                let latent =
                    &root * noise + DVector::from_column_slice(&predictors[..2 * equations]);
                for (sum, target) in sums.iter_mut().zip(&targets) {
                    let inside = (0..equations).all(|j| {
                        target.pattern[j].is_none_or(|s| s == (latent[equations + j] > 0.0))
                    });
                    if !inside {
                        continue;
                    }
                    let value = match target.quantity {
                        Quantity::Predictor(c) => latent[c],
                        Quantity::Expectation(j) => latent[j],
                        _ => 1.0,
                    };
                    sum[0] += 1.0;
                    sum[1] += value;
                    sum[2] += value * value;
                }
            }
            for ((sum, target), values) in sums.iter().zip(&targets).zip(&predicted.values) {
                let [inside, first, second] = *sum;
                let share = inside / f64::from(count);
                let (mean, error) = match target.quantity {
                    Quantity::Probability => {
                        (share, (share * (1.0 - share) / f64::from(count)).sqrt())
                    }
                    Quantity::Expectation(_) => {
                        let mean = first / inside;
                        (mean, ((second / inside - mean * mean) / inside).sqrt())
                    }
                    _ => continue,
                };
                let off = (values[0] - mean).abs();
                assert!(
                    off <= 4.5 * error,
                    "{target:?}: {} {mean} {error}",
                    values[0]
                );
            }
        }
    }

    /// Central differences of the means in every natural parameter.
    #[test]
    fn gradients_are_those_of_the_means() {
        for equations in 1..=3 {
            let example = Example::new(equations, 20);
            let mut targets = targets(equations);
            if equations == 3 {
                targets.retain(|target| target.pattern[2].is_some());
            }
            let layout = Layout::of(&example.data()).unwrap();
            let naturals = layout.naturals(&example.parameters);
            let at = |naturals: &[f64]| {
                let parameters = layout.parameters(naturals).unwrap();
                with_model(&example, &parameters, 1, |model| {
                    model.average(&targets, None).unwrap()
                })
            };
            let average = at(&naturals);
            let step = 1e-5;
            for k in 0..naturals.len() {
                let [high, low] = [step, -step].map(|step| {
                    let mut moved = naturals.clone();
                    moved[k] += step;
                    at(&moved).means
                });
                for t in 0..targets.len() {
                    let slope = (high[t] - low[t]) / (2.0 * step);
                    let found = average.gradient[(k, t)];
                    assert!(
                        (slope - found).abs() < 1e-7,
                        "{k} {:?}: {found} {slope}",
                        targets[t]
                    );
                }
            }
        }
    }

    /// Heckman's closed forms.
    #[test]
    fn one_equation_is_heckmans() {
        use crate::normal::univariate::{cdf, density};
        let example = Example::new(1, 50);
        let targets = targets(1);
        let predicted = with_model(&example, &example.parameters, 1, |model| {
            model.predict(&targets, None).unwrap()
        });
        let value = |quantity, known, i: usize| {
            let wanted = Target {
                quantity,
                pattern: vec![known],
            };
            let t = targets.iter().position(|target| *target == wanted).unwrap();
            predicted.values[t][i]
        };
        let covariance = example.parameters.omega[(0, 1)];
        for i in 0..50 {
            let xb = value(Quantity::Predictor(0), None, i);
            let wg = value(Quantity::Predictor(1), None, i);
            let selected = xb + covariance * density(wg) / cdf(wg);
            let left_out = xb - covariance * density(wg) / cdf(-wg);
            let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-13, "{a} {b}");
            close(value(Quantity::Expectation(0), Some(true), i), selected);
            close(value(Quantity::Expectation(0), Some(false), i), left_out);
            close(value(Quantity::Expectation(0), None, i), xb);
            close(value(Quantity::Probability, Some(true), i), cdf(wg));
            close(
                value(Quantity::Mills(0), Some(true), i),
                density(wg) / cdf(wg),
            );
        }
    }

    /// Errors of rows are those of averages over one row; threads do not change bits.
    #[test]
    fn errors_come_from_the_gradient_on_any_number_of_threads() {
        let example = Example::new(2, 700);
        let targets = targets(2);
        let run = |threads| {
            with_model(&example, &example.parameters, threads, |model| {
                let size = model.parameters();
                let root = DMatrix::from_fn(size, size, |a, b| ((a * 7 + b * 3) as f64).sin());
                let covariance = &root * root.transpose();
                let predicted = model.predict(&targets, Some(&covariance)).unwrap();
                let mut only = vec![0.0; 700];
                only[3] = 1.0;
                let average = model.average(&targets, Some(&only)).unwrap();
                let variance = average.gradient.tr_mul(&(covariance * &average.gradient));
                (predicted, average.means, variance.diagonal())
            })
        };
        let (predicted, means, variances) = run(1);
        for t in 0..targets.len() {
            assert!((predicted.values[t][3] - means[t]).abs() < 1e-12);
            assert!((predicted.errors[t][3] - variances[t].sqrt()).abs() < 1e-9);
        }
        assert_eq!(run(3).0, predicted);
    }

    #[test]
    fn what_does_not_belong_together_is_an_error() {
        let example = Example::new(2, 5);
        let target = |quantity, pattern: &[Option<bool>]| Target {
            quantity,
            pattern: pattern.to_vec(),
        };
        let fails = |target: Target| {
            with_model(&example, &example.parameters, 1, |model| {
                model.predict(&[target], None).is_err()
            })
        };
        assert!(fails(target(Quantity::Probability, &[None])));
        assert!(fails(target(Quantity::Mills(0), &[None, Some(true)])));
        assert!(fails(target(Quantity::Expectation(2), &[None, None])));
        let mut other = example.parameters.clone();
        other.coefficients[0].pop();
        assert!(with_model(&example, &other, 1, |model| model
            .check()
            .is_err()));
    }
}
