//! The joint distribution test of [`super::joint`] for generalised linear mixed models: effects are kept.

use ember_core::cloning::cells::Cells;
use ember_core::cloning::chains::Sampler;
use ember_core::cloning::clones::{ClonedGlmm, Clones};
use ember_core::cloning::crossed_clones::CrossedClones;
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::prior::Prior;
use ember_core::cloning::walk::Guide;
use ember_core::glmm::family::Family;
use ember_core::glmm::problem::Problem;
use ember_core::nalgebra::DMatrix;
use ember_core::rng::stream;

use crate::joint::{compare, priors, Design};
use crate::responses::{draw, effects};

fn cases() -> Vec<(Family, Design)> {
    let family = |distribution, link| Family::from_names(distribution, link).unwrap();
    let counts = Design::new("Poisson intercepts", 9).term(4, 0, |i| i % 4);
    let mut binary = Design::new("binomial slopes", 14).term(5, 1, |i| i % 5);
    binary.weights = Some((0..14).map(|i| f64::from(1 + i % 3)).collect());
    let mut merged = Design::new("binary rows of few kinds", 16).term(4, 0, |i| i % 4);
    for i in 0..16 {
        merged.x[16 + i] = f64::from(i as u32 / 8) - 0.5;
    }
    let mut shifted = Design::new("negative binomial", 14).term(5, 0, |i| i % 5);
    shifted.offset = Some((0..14).map(|i| (i as f64).sin()).collect());
    let crossed = Design::new("crossed counts", 15)
        .term(5, 0, |i| i % 5)
        .term(3, 1, |i| (i * i + i / 4) % 3);
    let nested = Design::new("nested binary", 14)
        .term(7, 0, |i| i % 7)
        .term(3, 0, |i| (i % 7) % 3);
    let positive = Design::new("Gamma", 14).term(5, 1, |i| i % 5);
    let heavy = Design::new("cauchit", 14).term(5, 0, |i| i % 5);
    vec![
        (family("poisson", "log"), counts),
        (family("binomial", "logit"), binary),
        (family("binomial", "probit"), merged),
        (family("negative_binomial", "log"), shifted),
        (family("Gamma", "log"), positive),
        (family("binomial", "cauchit"), heavy),
        (family("poisson", "log"), crossed),
        (family("binomial", "logit"), nested),
    ]
}

#[test]
fn clones_leave_the_posterior_as_it_is() {
    for (number, (family, design)) in cases().into_iter().enumerate() {
        let structure = design.structure();
        let levels = design.levels();
        let shape = family.has_shape();
        let layout = Layout::new(&structure, &levels, 2, 1, Some(1.0), &[], shape).unwrap();
        let prior = Prior::new(&layout, &priors(&layout)).unwrap();
        let mut w = vec![0.0; layout.coordinates()];
        let guide = Guide {
            w: w.clone(),
            covariance: DMatrix::identity(w.len(), w.len()) * 0.2,
        };
        let mut rng = stream(31, number as u64);
        let mut u = effects(&design, &mut rng);
        let mut chain = Vec::new();
        for _ in 0..5_000 {
            let parameters = layout.parameters(&w);
            let lambdas: Vec<_> = (0..levels.len())
                .map(|term| structure.lambda(term, &parameters.theta))
                .collect();
            let shape = parameters.shape.unwrap_or(1.0);
            let y = draw(
                &design,
                &family,
                &parameters.beta,
                &lambdas,
                &u,
                shape,
                &mut rng,
            );
            let cells = Cells::new(&design.rows(&y), &[0, 1]).unwrap();
            let model = ClonedGlmm {
                cells: &cells,
                family: &family,
                structure: &structure,
                layout: &layout,
                prior: &prior,
                shape: None,
                clones: 1,
            };
            if levels.len() == 1 {
                let sampler = Clones::new(model, &guide, &w).unwrap();
                let mut sampler = sampler.with_effects(&u).unwrap();
                sampler.settle();
                sampler.sweep(&mut rng).unwrap();
                w = sampler.coordinates().to_vec();
                u = sampler.effects().to_vec();
            } else {
                let rows = design.rows(&y);
                let problem = Problem::new(&rows, family, &structure, None).unwrap();
                let sampler = CrossedClones::new(model, &problem, &guide, &w).unwrap();
                let mut sampler = sampler.with_effects(&u).unwrap();
                sampler.settle();
                sampler.sweep(&mut rng).unwrap();
                w = sampler.coordinates().to_vec();
                u = sampler.effects().to_vec();
            }
            chain.push(w.clone());
        }
        compare(design.name, &prior, &chain);
    }
}
