//! Responses of generalised linear mixed models.

use ember_core::glmm::family::{Distribution as Family_, Family};
use ember_core::nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, Gamma, Poisson, StandardNormal};

use crate::joint::Design;

/// N(0, 1) effects of every level, term after term.
pub fn effects(design: &Design, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let sizes = design
        .terms
        .iter()
        .map(|(_, levels, columns)| levels * (1 + columns.len()));
    (0..sizes.sum())
        .map(|_| rng.sample(StandardNormal))
        .collect()
}

/// y given β, Λ of each term and u.
pub fn draw(
    design: &Design,
    family: &Family,
    beta: &[f64],
    lambdas: &[DMatrix<f64>],
    u: &[f64],
    shape: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<f64> {
    (0..design.n)
        .map(|i| {
            let mut eta = design.offset.as_ref().map_or(0.0, |offset| offset[i]);
            for (j, b) in beta.iter().enumerate() {
                eta += b * design.x[j * design.n + i];
            }
            let mut start = 0;
            for ((codes, levels, columns), lambda) in design.terms.iter().zip(lambdas) {
                let q = 1 + columns.len();
                let level = codes[i] as usize - 1;
                for a in 0..q {
                    let z = if a == 0 { 1.0 } else { columns[a - 1][i] };
                    let u = &u[start + level * q..][..q];
                    eta += z * (0..q).map(|b| lambda[(a, b)] * u[b]).sum::<f64>();
                }
                start += q * levels;
            }
            let mu = family.mean(eta);
            let weight = design.weights.as_ref().map_or(1.0, |weights| weights[i]);
            match family.distribution() {
                Family_::Binomial => {
                    let trials = Binomial::new(weight as u64, mu.clamp(0.0, 1.0)).unwrap();
                    trials.sample(rng) as f64 / weight
                }
                Family_::Poisson => count(mu, rng),
                Family_::NegativeBinomial => {
                    let rate = Gamma::new(shape, mu / shape).unwrap().sample(rng);
                    count(rate, rng)
                }
                Family_::Gamma => Gamma::new(shape, mu / shape).unwrap().sample(rng),
            }
        })
        .collect()
}

fn count(mean: f64, rng: &mut ChaCha8Rng) -> f64 {
    if mean < 1e-12 {
        return 0.0;
    }
    Poisson::new(mean).unwrap().sample(rng)
}
