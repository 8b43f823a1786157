//! Draws of the missing outcomes given what was observed: s* on its orthant, then y_M given s* and y_O.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::latent_selections::LatentSelections;
use super::missing_outcomes::{MissingOutcomes, Observed};
use super::model::Model;
use crate::error::Result;
use crate::rng::stream;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Completed outcomes, row by row: `count` × J values for each row, one draw after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imputations(pub Vec<f64>);

struct Sampler<'a> {
    law: &'a MissingOutcomes,
    selections: LatentSelections,
    /// A root of R.
    root: DMatrix<f64>,
}

/// `count` draws of the outcomes of every row; observed ones are themselves. Row i has stream i of `seed`, so the
/// draws are the same on any number of threads.
///
/// # Errors
/// As [`super::missing_outcomes::moments`].
pub fn impute(model: &Model, observed: &Observed, count: usize, seed: u64) -> Result<Imputations> {
    observed.check(model)?;
    if model.rows == 0 {
        return Ok(Imputations::default());
    }
    let laws = observed.laws(model.omega)?;
    let samplers: BTreeMap<u16, Sampler> = laws
        .iter()
        .map(|(&pattern, law)| Ok((pattern, Sampler::new(law)?)))
        .collect::<Result<_>>()?;
    let equations = model.equations();
    map_merge(model.rows, model.threads, |rows| {
        let mut drawn = Vec::with_capacity(rows.len() * equations * count);
        let mut block = vec![0.0; BLOCK_ROWS * 2 * equations];
        let mut means = vec![0.0; 2 * equations];
        let mut proposal = vec![0.0; equations];
        let mut draw = DVector::zeros(equations);
        for start in rows.clone().step_by(BLOCK_ROWS) {
            let end = (start + BLOCK_ROWS).min(rows.end);
            model.linear_predictors(start..end, &mut block);
            for (predictors, i) in block.chunks_exact(2 * equations).zip(start..end) {
                let Sampler {
                    law,
                    selections,
                    root,
                } = &samplers[&observed.patterns[i]];
                let outcome = |j: usize| observed.response[j * model.rows + i];
                let missing = law.missing.len();
                if missing == 0 {
                    (0..count).for_each(|_| drawn.extend((0..equations).map(outcome)));
                    continue;
                }
                law.means(predictors, outcome, &mut means);
                let (centre, indices) = means[..missing + equations].split_at(missing);
                let mut rng = stream(seed, i as u64);
                for _ in 0..count {
                    selections.draw(indices, &mut rng, &mut proposal, draw.as_mut_slice());
                    draw.iter_mut().zip(indices).for_each(|(s, m)| *s -= m);
                    let noise =
                        DVector::from_fn(missing, |_, _| rng.sample::<f64, _>(StandardNormal));
                    let errors = &law.on_selections * &draw + root * noise;
                    let at = drawn.len();
                    drawn.extend((0..equations).map(outcome));
                    for ((&j, mean), error) in law.missing.iter().zip(centre).zip(errors.iter()) {
                        drawn[at + j] = mean + error;
                    }
                }
            }
        }
        Ok(Imputations(drawn))
    })
}

impl<'a> Sampler<'a> {
    fn new(law: &'a MissingOutcomes) -> Result<Self> {
        // R may be singular, where an outcome is a function of its selection.
        let spectrum = law.rest.clone().symmetric_eigen();
        let deviations = spectrum.eigenvalues.map(|value| value.max(0.0).sqrt());
        Ok(Sampler {
            law,
            selections: LatentSelections::new(&law.selections, &law.signs)?,
            root: spectrum.eigenvectors * DMatrix::from_diagonal(&deviations),
        })
    }
}

impl Merge for Imputations {
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
