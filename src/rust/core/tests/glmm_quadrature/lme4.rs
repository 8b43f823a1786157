//! Against lme4 1.1-31: the deviance function of glmer(nAGQ = 1, 5, 9, 25) with tolPwrss = 1e-14, at fixed parameters,
//! plus -2 log-likelihood of the saturated model where lme4 leaves that out (nAGQ > 1).

use ember_core::glmm::family::Family;
use ember_core::glmm::problem::{Criterion, Parameters, Problem};
use ember_core::glmm::quadrature::AdaptiveQuadrature;
use ember_core::mixed::structure::Structure;

use crate::models::Model;

const INCIDENCE: [f64; 56] = [
    2.0, 3.0, 4.0, 0.0, 3.0, 1.0, 1.0, 8.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0, 0.0, 5.0, 0.0, 0.0, 1.0,
    3.0, 0.0, 0.0, 1.0, 8.0, 1.0, 3.0, 0.0, 12.0, 2.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 2.0, 0.0, 5.0,
    3.0, 1.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 11.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0,
];
const SIZE: [f64; 56] = [
    14.0, 12.0, 9.0, 5.0, 22.0, 18.0, 21.0, 22.0, 16.0, 16.0, 20.0, 10.0, 10.0, 9.0, 6.0, 18.0,
    25.0, 24.0, 4.0, 17.0, 17.0, 18.0, 20.0, 16.0, 10.0, 9.0, 5.0, 34.0, 9.0, 6.0, 8.0, 6.0, 22.0,
    22.0, 18.0, 22.0, 25.0, 27.0, 22.0, 22.0, 10.0, 8.0, 6.0, 5.0, 21.0, 24.0, 19.0, 23.0, 19.0,
    2.0, 3.0, 2.0, 19.0, 15.0, 15.0, 15.0,
];
const PERIOD: [usize; 56] = [
    1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 1, 2, 3, 4,
    1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4,
];
const HERD: [i32; 56] = [
    1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8, 9, 9, 9, 9,
    10, 10, 10, 10, 11, 11, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15,
];
const INSECTS: [f64; 72] = [
    10.0, 7.0, 20.0, 14.0, 14.0, 12.0, 10.0, 23.0, 17.0, 20.0, 14.0, 13.0, 11.0, 17.0, 21.0, 11.0,
    16.0, 14.0, 17.0, 17.0, 19.0, 21.0, 7.0, 13.0, 0.0, 1.0, 7.0, 2.0, 3.0, 1.0, 2.0, 1.0, 3.0,
    0.0, 1.0, 4.0, 3.0, 5.0, 12.0, 6.0, 4.0, 3.0, 5.0, 5.0, 5.0, 5.0, 2.0, 4.0, 3.0, 5.0, 3.0, 5.0,
    3.0, 6.0, 1.0, 1.0, 3.0, 2.0, 6.0, 4.0, 11.0, 9.0, 15.0, 22.0, 15.0, 16.0, 13.0, 10.0, 26.0,
    26.0, 24.0, 13.0,
];

/// incidence / size ~ period + (1 | herd), contagious bovine pleuropneumonia.
fn cbpp(link: &str) -> Model {
    let dummy = |period| {
        PERIOD
            .iter()
            .map(move |&p| f64::from(u8::from(p == period)))
    };
    Model {
        family: Family::from_names("binomial", link).unwrap(),
        y: INCIDENCE.iter().zip(SIZE).map(|(y, n)| y / n).collect(),
        x: [1.0; 56]
            .into_iter()
            .chain((2..5).flat_map(dummy))
            .collect(),
        columns: 4,
        offset: None,
        weights: Some(SIZE.to_vec()),
        codes: HERD.to_vec(),
        levels: 15,
        z: vec![Vec::new()],
        structure: Structure::full(&[1]),
    }
}

/// count ~ 1 + (1 | spray), InsectSprays.
fn sprays(link: &str) -> Model {
    Model {
        family: Family::from_names("poisson", link).unwrap(),
        y: INSECTS.to_vec(),
        x: vec![1.0; 72],
        columns: 1,
        offset: None,
        weights: None,
        codes: (0..72).map(|i| 1 + i / 12).collect(),
        levels: 6,
        z: vec![Vec::new()],
        structure: Structure::full(&[1]),
    }
}

fn check(model: &Model, theta: f64, beta: &[f64], expected: &[(usize, f64)]) {
    let rows = model.rows();
    let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
    let psi = problem.locate(&Parameters {
        theta: vec![theta],
        beta: beta.to_vec(),
        shape: None,
    });
    for &(nodes, lme4) in expected {
        let mut quadrature = AdaptiveQuadrature::new(&problem, nodes, 1).unwrap();
        let value = quadrature.value(&psi).unwrap();
        let error = (value - lme4).abs();
        assert!(error < 2e-9, "{:?} {nodes}: {value} {lme4}", model.family);
    }
}

#[test]
fn cbpp_logit() {
    let lme4 = [
        (1, 184.165739337646),
        (5, 184.063486990231),
        (9, 184.061611272620),
        (25, 184.061602951973),
    ];
    check(&cbpp("logit"), 0.7, &[-1.4, -1.0, -1.1, -1.6], &lme4);
}

/// lme4 scales by the expected curvature where ours is the observed one: the same when there are enough nodes.
#[test]
fn cbpp_cloglog() {
    let lme4 = [(25, 184.445075223409)];
    check(&cbpp("cloglog"), 0.7, &[-1.4, -1.0, -1.1, -1.6], &lme4);
}

#[test]
fn sprays_log() {
    let lme4 = [
        (1, 394.861328750620),
        (5, 394.848348382359),
        (9, 394.848188045891),
        (25, 394.848187198121),
    ];
    check(&sprays("log"), 0.8, &[2.0], &lme4);
}

#[test]
fn sprays_sqrt() {
    check(&sprays("sqrt"), 0.8, &[2.9], &[(25, 395.748822427614)]);
}
