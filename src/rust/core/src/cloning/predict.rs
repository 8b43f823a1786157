//! Random effects given the data, at parameters that were drawn.
//!
//! Parameters drawn from the distribution of their estimator, and effects given them and the data (Hamilton 1986,
//! *Journal of Econometrics* 33, 387-397), have the uncertainty of both.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::chains::Sampler;
use super::clones::{ClonedGlmm, Clones};
use super::crossed_clones::CrossedClones;
use super::gibbs::ClonedGaussian;
use super::walk::Guide;
use crate::error::{Error, Result};
use crate::glmm::problem::Problem;
use crate::mixed::factor::Factor;
use crate::rng::stream;
use crate::tasks;

/// Draws that share buffers.
const BATCH: usize = 32;

/// Moves of the effects of a generalised model from their approximation to their distribution: more than nine in ten
/// levels arrive with each.
const MOVES: usize = 12;

/// A model whose effects can be drawn given its parameters.
#[derive(Debug, Clone, Copy)]
pub enum Predictor<'a> {
    Gaussian(ClonedGaussian<'a>),
    Generalised(ClonedGlmm<'a>, &'a Problem<'a>),
}

/// `count` draws of w from N(mean, covariance).
///
/// # Errors
/// [`Error::Numerical`] when the covariance matrix is not finite.
pub fn normal_draws(
    mean: &[f64],
    covariance: &DMatrix<f64>,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<f64>>> {
    let (values, axes) = crate::linalg::symmetric_eigen(covariance)?;
    let lengths = values.map(|value| value.max(0.0).sqrt());
    let draw = |_| {
        let along = DVector::from_fn(mean.len(), |i, _| {
            lengths[i] * rng.sample::<f64, _>(StandardNormal)
        });
        let from = &axes * along;
        mean.iter().zip(from.iter()).map(|(m, x)| m + x).collect()
    };
    Ok((0..count).map(draw).collect())
}

/// b for each w: core terms in order, q values per level. Draw d takes its random numbers from stream d of the
/// seed, whatever the number of threads. `monitor(done)` returns `false` to stop.
///
/// # Errors
/// [`Error::Numerical`] where there is no distribution to draw from; [`Error::Interrupted`].
pub fn effects(
    predictor: &Predictor,
    draws: &[Vec<f64>],
    seed: u64,
    threads: usize,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Vec<f64>>> {
    let batches = tasks::run(
        draws.len().div_ceil(BATCH),
        threads,
        |task, stop| -> Result<Vec<Vec<f64>>> {
            let first = task * BATCH;
            let own = &draws[first..draws.len().min(first + BATCH)];
            let mut drawer = Drawer::new(predictor)?;
            let mut done = Vec::with_capacity(own.len());
            for (number, w) in own.iter().enumerate() {
                if stop.is_raised() {
                    return Err(Error::Interrupted);
                }
                let mut rng = stream(seed, (first + number) as u64);
                done.push(drawer.draw(w, &mut rng)?);
            }
            Ok(done)
        },
        &mut |done| monitor((done * BATCH).min(draws.len())),
    );
    let mut all = Vec::with_capacity(draws.len());
    for batch in batches {
        all.extend(batch.unwrap_or(Err(Error::Interrupted))?);
    }
    Ok(all)
}

/// What draws of one thread share.
enum Drawer<'a> {
    Gaussian(ClonedGaussian<'a>, Box<Factor>),
    Generalised(ClonedGlmm<'a>, &'a Problem<'a>),
}

impl<'a> Drawer<'a> {
    fn new(predictor: &Predictor<'a>) -> Result<Self> {
        Ok(match *predictor {
            Predictor::Gaussian(model) => {
                let factor = Factor::new(model.statistics, model.structure)?;
                Drawer::Gaussian(model, Box::new(factor))
            }
            Predictor::Generalised(model, problem) => Drawer::Generalised(model, problem),
        })
    }

    fn draw(&mut self, w: &[f64], rng: &mut ChaCha8Rng) -> Result<Vec<f64>> {
        match self {
            Drawer::Gaussian(model, factor) => gaussian(model, factor, w, rng),
            Drawer::Generalised(model, problem) => generalised(model, problem, w, rng),
        }
    }
}

/// From Laplace's approximation by moves that leave the distribution given the data as it is.
fn generalised<'a>(
    model: &ClonedGlmm<'a>,
    problem: &'a Problem<'a>,
    w: &[f64],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<f64>> {
    // Effects need no guide: only parameters do, and those stay.
    let guide = Guide {
        w: w.to_vec(),
        covariance: DMatrix::identity(w.len(), w.len()),
    };
    let one = ClonedGlmm {
        clones: 1,
        ..*model
    };
    if model.cells.terms.len() == 1 {
        let mut clones = Clones::new(one, &guide, w)?;
        clones.refresh_effects(MOVES, rng);
        Ok(clones.original_effects())
    } else {
        let mut clones = CrossedClones::new(one, problem, &guide, w)?;
        clones.settle();
        clones.spread_effects(rng);
        clones.refresh_effects(MOVES, rng);
        Ok(clones.original_effects())
    }
}

/// Exactly: b = Λ(û + σ L⁻ᵀ z) at β.
fn gaussian(
    model: &ClonedGaussian,
    factor: &mut Factor,
    w: &[f64],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<f64>> {
    model.update(factor, w)?;
    let rotated = model
        .statistics
        .rotated_at(&w[..model.layout.fixed])
        .ok_or_else(|| Error::Numerical {
            message: "the fixed effects have a singular basis".into(),
        })?;
    let sigma = model.layout.sigma(w);
    let noise = (0..factor.effects_count()).map(|_| sigma * rng.sample::<f64, _>(StandardNormal));
    let mut effects: Vec<f64> = noise.collect();
    factor.conditional_effects(&rotated, &mut effects);
    factor.to_original_scale(&mut effects);
    Ok(effects)
}
