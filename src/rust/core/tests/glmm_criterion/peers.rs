//! Against lme4 (canonical links) and glmmTMB (observed information, every link) at fixed parameters; the values are
//! those that tests/data/glmm-criterion.R prints.

use ember_core::glmm::family::Family;
use ember_core::glmm::laplace::Laplace;
use ember_core::glmm::problem::{Criterion, Parameters, Problem};

use crate::models::{Data, Effects};

/// Peer, distribution, link, random effects, -2 log-likelihood.
const VALUES: [(&str, &str, &str, Effects, f64); 16] = [
    ("lme4", "binomial", "logit", Effects::One, 718.374870418832),
    (
        "lme4",
        "binomial",
        "logit",
        Effects::Nested,
        726.648911002571,
    ),
    ("lme4", "poisson", "log", Effects::Slope, 1238.198242999197),
    (
        "lme4",
        "poisson",
        "log",
        Effects::Crossed,
        1228.295625915157,
    ),
    (
        "glmmTMB",
        "binomial",
        "logit",
        Effects::Crossed,
        710.218266412262,
    ),
    (
        "glmmTMB",
        "binomial",
        "probit",
        Effects::Crossed,
        726.050853977779,
    ),
    (
        "glmmTMB",
        "binomial",
        "cloglog",
        Effects::Crossed,
        727.801791957195,
    ),
    (
        "glmmTMB",
        "poisson",
        "log",
        Effects::Crossed,
        1228.295625891233,
    ),
    (
        "glmmTMB",
        "negative_binomial",
        "log",
        Effects::Crossed,
        1047.604695282746,
    ),
    (
        "glmmTMB",
        "negative_binomial",
        "log",
        Effects::Nested,
        1056.523949977505,
    ),
    ("glmmTMB", "Gamma", "log", Effects::Slope, 686.153748309762),
    (
        "glmmTMB",
        "Gamma",
        "log",
        Effects::Crossed,
        700.528783906736,
    ),
    (
        "glmmTMB",
        "Gamma",
        "inverse",
        Effects::Crossed,
        2070.817005238517,
    ),
    (
        "glmmTMB",
        "Gamma",
        "identity",
        Effects::Crossed,
        718.351221900585,
    ),
    (
        "glmmTMB",
        "poisson",
        "sqrt",
        Effects::Crossed,
        1917.528302267804,
    ),
    (
        "glmmTMB",
        "negative_binomial",
        "sqrt",
        Effects::Crossed,
        1247.452903751426,
    ),
];

#[test]
fn the_criterion_is_that_of_lme4_and_glmmtmb() {
    for (peer, distribution, link, effects, expected) in VALUES {
        let family = Family::from_names(distribution, link).unwrap();
        let data = Data::new(family, effects);
        let (rows, structure) = (data.rows(), data.structure());
        let problem = Problem::new(&rows, family, &structure, None).unwrap();
        let (beta, scale) = data.point();
        let psi = problem.locate(&Parameters {
            theta: data.theta().iter().map(|x| scale * x).collect(),
            beta,
            shape: Some(1.7),
        });
        let mut laplace = Laplace::new(&problem, 1).unwrap();
        let value = laplace.value(&psi).unwrap();
        // Both stop their inner iterations within some 1e-8 of the mode.
        assert!(
            (value - expected).abs() < 5e-8,
            "{peer} {distribution} {link} {effects:?}: {value} {expected}"
        );
    }
}
