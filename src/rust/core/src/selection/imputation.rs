//! Draws of the missing outcomes given what was observed: s* on its orthant, then y_M given s* and y_O.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::block::predict;
use super::data::Data;
use super::latent_selections::LatentSelections;
use super::layout::{Layout, Parameters};
use super::pattern::Pattern;
use crate::error::Result;
use crate::linalg;
use crate::normal::orthant::Integration;
use crate::rng::stream;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Completed outcomes, row by row: `count` × J values for each row, one draw after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imputations(pub Vec<f64>);

/// `count` draws of the outcomes of every row; observed ones are themselves. Row i has stream i of `seed`, so the
/// draws are the same on any number of threads.
///
/// # Errors
/// As [`super::expect::expect`].
pub fn impute(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    count: usize,
    seed: u64,
    threads: usize,
) -> Result<Imputations> {
    let j = data.equations;
    let samplers = data
        .distinct
        .iter()
        .map(|&bits| Sampler::new(bits, at, how));
    let samplers: Vec<Sampler> = samplers.collect::<Result<_>>()?;
    map_merge(data.n, threads, |rows| {
        let mut drawn = Vec::with_capacity(rows.len() * j * count);
        let mut predictors = vec![0.0; 2 * j * BLOCK_ROWS];
        let mut row = Row::new(j);
        for start in rows.clone().step_by(BLOCK_ROWS) {
            let within = start..(start + BLOCK_ROWS).min(rows.end);
            predict(data, layout, at, within.clone(), &mut predictors);
            for i in within {
                let predictor = |c: usize| predictors[c * BLOCK_ROWS + i - start];
                let outcome = |a: usize| data.response[a * data.n + i];
                let place = data
                    .distinct
                    .partition_point(|&bits| bits < data.patterns[i]);
                let sampler = &samplers[place];
                let mut rng = stream(seed, i as u64);
                row.enter(&sampler.pattern, predictor, outcome);
                for _ in 0..count {
                    let at = drawn.len();
                    drawn.extend((0..j).map(outcome));
                    sampler.draw(&mut row, &mut rng);
                    let missing = sampler.pattern.missing.iter().zip(row.missing.iter());
                    missing.for_each(|(&a, error)| drawn[at + a] = predictor(a) + error);
                }
            }
        }
        Ok(Imputations(drawn))
    })
}

/// What rows of one pattern share.
struct Sampler {
    pattern: Pattern,
    selections: LatentSelections,
    /// Lower triangular root of R.
    root: DMatrix<f64>,
}

/// One row: its known errors and a draw.
struct Row {
    /// Of the outcomes that are seen, then s* minus its predictor.
    known: DVector<f64>,
    /// Means of s* given the outcomes that are seen, before its signs are known.
    means: Vec<f64>,
    predictors: Vec<f64>,
    proposal: Vec<f64>,
    latent: Vec<f64>,
    /// Errors drawn.
    missing: DVector<f64>,
}

impl Sampler {
    fn new(bits: u16, at: &Parameters, how: &Integration) -> Result<Self> {
        let pattern = Pattern::new(bits, at, how)?;
        let missing = &pattern.missing;
        let rest = DMatrix::from_fn(missing.len(), missing.len(), |a, b| {
            pattern.residual[(missing[a], missing[b])]
        });
        Ok(Sampler {
            selections: LatentSelections::new(&pattern.covariance, &pattern.signs)?,
            root: linalg::cholesky(&rest)?,
            pattern,
        })
    }

    /// Draws the errors of the missing outcomes.
    fn draw(&self, row: &mut Row, rng: &mut ChaCha8Rng) {
        if self.pattern.missing.is_empty() {
            return;
        }
        let (j, seen) = (row.means.len(), self.pattern.seen.len());
        self.selections
            .draw(&row.means, rng, &mut row.proposal, &mut row.latent);
        for a in 0..j {
            row.known[seen + a] = row.latent[a] - row.predictors[a];
        }
        let count = self.pattern.missing.len();
        let noise = DVector::from_fn(count, |_, _| rng.sample::<f64, _>(StandardNormal));
        row.missing = &self.pattern.regression * row.known.rows(0, seen + j) + &self.root * noise;
    }
}

impl Row {
    fn new(equations: usize) -> Self {
        let room = vec![0.0; equations];
        Row {
            known: DVector::zeros(2 * equations),
            means: room.clone(),
            predictors: room.clone(),
            proposal: room.clone(),
            latent: room,
            missing: DVector::zeros(0),
        }
    }

    /// Takes over a row: m = η + L_VO L_OO⁻¹ (y_O - xβ).
    fn enter(
        &mut self,
        pattern: &Pattern,
        predictor: impl Fn(usize) -> f64,
        outcome: impl Fn(usize) -> f64,
    ) {
        let j = self.means.len();
        for (known, &a) in self.known.iter_mut().zip(&pattern.seen) {
            *known = outcome(a) - predictor(a);
        }
        let white = &pattern.whitening * self.known.rows(0, pattern.seen.len());
        let shift = &pattern.shift * white;
        for a in 0..j {
            self.predictors[a] = predictor(j + a);
            self.means[a] = self.predictors[a] + shift[a];
        }
    }
}

impl Merge for Imputations {
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::super::missing_outcomes::moments;
    use super::*;

    const EXACT: Integration = Integration::Exact;

    #[test]
    fn draws_have_the_moments_of_the_missing_outcomes() {
        for j in 1..=3 {
            let example = Example::new(j, 12);
            let data = example.data();
            let layout = Layout::of(&data).unwrap();
            let at = &example.parameters;
            let exact = moments(&data, &layout, at, &EXACT, 1).unwrap();
            let count = 20_000;
            let drawn = impute(&data, &layout, at, &EXACT, count, 5, 1).unwrap().0;
            for i in 0..data.n {
                let expected = &exact.expectations[i * j..][..j];
                let variance = &exact.covariances[i * j * j..][..j * j];
                let rows = drawn[i * count * j..][..count * j].chunks_exact(j);
                for a in 0..j {
                    if data.is_selected(i, a) {
                        assert!(rows
                            .clone()
                            .all(|row| row[a] == data.response[a * data.n + i]));
                        continue;
                    }
                    let mean = rows.clone().map(|row| row[a]).sum::<f64>() / count as f64;
                    let error = (variance[a * j + a] / count as f64).sqrt();
                    assert!((mean - expected[a]).abs() < 4.5 * error);
                    for b in (0..j).filter(|&b| !data.is_selected(i, b)) {
                        let products = rows
                            .clone()
                            .map(|row| (row[a] - expected[a]) * (row[b] - expected[b]));
                        let covariance = products.sum::<f64>() / count as f64;
                        let scale = (variance[a * j + a] * variance[b * j + b]).sqrt();
                        let off = covariance - variance[b * j + a];
                        assert!(off.abs() < 0.05 * scale, "{covariance}");
                    }
                }
            }
        }
    }

    #[test]
    fn draws_are_the_same_on_any_number_of_threads() {
        let example = Example::new(2, 1500);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let run = |threads| impute(&data, &layout, &example.parameters, &EXACT, 2, 9, threads);
        let bits = |drawn: Imputations| drawn.0.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(run(1).unwrap()), bits(run(3).unwrap()));
    }
}
