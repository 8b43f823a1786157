//! The law of the outcomes that a row does not show, given those it shows and its selections.

use nalgebra::{DMatrix, DMatrixView};

use super::block::{Block, Posterior};
use super::data::Data;
use super::layout::{Layout, Parameters};
use crate::error::Result;
use crate::normal::orthant::Integration;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Moments of all outcomes of every row, row by row: observed ones are themselves, with variance 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// n × J.
    pub expectations: Vec<f64>,
    /// n × J × J.
    pub covariances: Vec<f64>,
}

/// Mean and covariance of the outcomes of every row given what was observed in it: E[y_M] = xβ + E[e_M] and
/// Var[y_M] = T Var[s*] T' + R, the moments of the E-step.
///
/// # Errors
/// As [`super::expect::expect`].
pub fn moments(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    threads: usize,
) -> Result<Moments> {
    let posterior = Posterior::new(data, layout, at, how)?;
    let j = data.equations;
    let spreads: Vec<DMatrix<f64>> = posterior
        .patterns
        .iter()
        .map(|pattern| pattern.spread().rows(0, j).into_owned())
        .collect();
    map_merge(data.n, threads, |rows| {
        let mut block = Block::new(j);
        let mut predictors = vec![0.0; 2 * j * BLOCK_ROWS];
        let mut moments = Moments {
            expectations: vec![0.0; rows.len() * j],
            covariances: vec![0.0; rows.len() * j * j],
        };
        for start in rows.clone().step_by(BLOCK_ROWS) {
            let within = start..(start + BLOCK_ROWS).min(rows.end);
            posterior.moments(within.clone(), &mut block)?;
            super::block::predict(data, layout, at, within.clone(), &mut predictors);
            for i in within {
                let expectations = &mut moments.expectations[(i - rows.start) * j..][..j];
                for (a, expectation) in expectations.iter_mut().enumerate() {
                    *expectation = if data.is_selected(i, a) {
                        data.response[a * data.n + i]
                    } else {
                        let place = a * BLOCK_ROWS + i - start;
                        predictors[place] + block.errors[place]
                    };
                }
            }
            for group in &block.groups {
                let (pattern, spread) =
                    (&posterior.patterns[group.pattern], &spreads[group.pattern]);
                for position in group.positions.clone() {
                    let variance = DMatrixView::from_slice(block.variance(position), j, j);
                    let covariance = spread * variance * spread.transpose()
                        + pattern.residual.view((0, 0), (j, j));
                    let place = (block.row(position) - rows.start) * j * j;
                    moments.covariances[place..][..j * j].copy_from_slice(covariance.as_slice());
                }
            }
        }
        Ok(moments)
    })
}

impl Merge for Moments {
    fn merge(&mut self, other: Self) {
        self.expectations.extend(other.expectations);
        self.covariances.extend(other.covariances);
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::*;
    use crate::linalg;
    use crate::rng::stream;
    use nalgebra::DVector;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    /// Outcomes that were hidden after they were drawn: errors of the expectation average to zero whatever was
    /// observed they are multiplied with, and their squares to the variance.
    #[test]
    fn moments_are_those_of_hidden_outcomes() {
        for j in 1..=2 {
            let n = 100_000;
            let mut example = Example::new(j, n);
            let mut hidden = vec![0.0; n * j];
            let root = linalg::cholesky(&example.parameters.omega).unwrap();
            let mut rng = stream(21, j as u64);
            for i in 0..n {
                let noise = DVector::from_fn(2 * j, |_, _| rng.sample::<f64, _>(StandardNormal));
                let errors = &root * noise;
                let latent = |c: usize| -> f64 {
                    let columns = example.designs[c].chunks_exact(n);
                    let slopes = &example.parameters.coefficients[c];
                    columns.zip(slopes).map(|(x, b)| x[i] * b).sum::<f64>() + errors[c]
                };
                for a in 0..j {
                    let selected = latent(j + a) > 0.0;
                    hidden[a * n + i] = latent(a);
                    example.selected[a * n + i] = i32::from(selected);
                    example.response[a * n + i] = if selected { latent(a) } else { f64::NAN };
                }
            }
            let data = example.data();
            let layout = Layout::of(&data).unwrap();
            let exact =
                moments(&data, &layout, &example.parameters, &Integration::Exact, 2).unwrap();
            for a in 0..j {
                let rows: Vec<usize> = (0..n).filter(|&i| !data.is_selected(i, a)).collect();
                let residual = |i: usize| hidden[a * n + i] - exact.expectations[i * j + a];
                let variance = |i: usize, b: usize| exact.covariances[(i * j + b) * j + a];
                let observed = |i: usize, b: usize| match data.is_selected(i, b) {
                    true => hidden[b * n + i],
                    false => 0.0,
                };
                let average = |value: &dyn Fn(usize) -> f64| {
                    let count = rows.len() as f64;
                    let mean = rows.iter().map(|&i| value(i)).sum::<f64>() / count;
                    let square = rows.iter().map(|&i| value(i).powi(2)).sum::<f64>() / count;
                    let error = ((square - mean * mean) / count).sqrt();
                    assert!(mean.abs() < 4.5 * error, "{mean} {error}");
                };
                average(&residual);
                for b in 0..j {
                    if b != a {
                        average(&|i| residual(i) * observed(i, b));
                    }
                    average(&|i| residual(i) * example.designs[b][n + i]);
                    average(&|i| residual(i) * example.designs[j + b][n + i]);
                    let both = |i: usize| f64::from(!data.is_selected(i, b));
                    let other = |i: usize| hidden[b * n + i] - exact.expectations[i * j + b];
                    average(&|i| both(i) * (residual(i) * other(i) - variance(i, b)));
                }
                average(&|i| {
                    (residual(i).powi(2) - variance(i, a)) * example.designs[j + a][n + i]
                });
            }
        }
    }

    #[test]
    fn what_was_observed_is_itself() {
        let example = Example::new(2, 300);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let exact = moments(&data, &layout, &example.parameters, &Integration::Exact, 1).unwrap();
        for i in 0..300 {
            for a in (0..2).filter(|&a| data.is_selected(i, a)) {
                assert_eq!(exact.expectations[i * 2 + a], data.response[a * 300 + i]);
                assert_eq!(exact.covariances[i * 4 + a * 3], 0.0);
            }
        }
    }
}
