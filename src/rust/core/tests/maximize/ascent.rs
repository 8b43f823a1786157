//! EM with these M-steps: monotone, and at least as high as mclust.

use ember_core::mixture::maximize::{complete_log_lik, maximize};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::prior::log_prior;
use ember_core::mixture::rules::Rules;
use nalgebra::DMatrix;

use crate::data::{error, load, DataSet};
use crate::mclust::Oracles;

/// Where EM ended.
pub struct Limit {
    pub mixture: Mixture,
    pub log_lik: f64,
    pub iterations: usize,
}

/// Plain EM until the objective stands still; panics where it falls, or Q does.
pub fn em(data: &DataSet, start: &DMatrix<f64>, model: CovarianceModel, rules: &Rules) -> Limit {
    let mut moments = data.moments(start);
    let mut mixture = maximize(&moments, None, model, rules).unwrap();
    let (mut z, mut log_lik) = data.expect(&mixture);
    let mut objective = log_lik + log_prior(&mixture, rules);
    let mut still = 0;
    for iterations in 1..20_000 {
        moments = data.moments(&z);
        let next = maximize(&moments, Some(&mixture), model, rules).unwrap();
        let q = |m: &Mixture| complete_log_lik(&moments, m) + log_prior(m, rules);
        let gain = q(&next) - q(&mixture);
        assert!(gain > -1e-9, "{} Q fell by {gain:e}", model.name());
        mixture = next;
        (z, log_lik) = data.expect(&mixture);
        let value = log_lik + log_prior(&mixture, rules);
        let rise = value - objective;
        assert!(
            rise > -1e-9,
            "{} fell by {rise:e} at {iterations}",
            model.name()
        );
        objective = value;
        still = if rise < 1e-11 { still + 1 } else { 0 };
        if still == 10 {
            return Limit {
                mixture,
                log_lik,
                iterations,
            };
        }
    }
    panic!("{} did not converge", model.name());
}

#[test]
fn the_limit_is_that_of_mclust_or_higher() {
    use CovarianceModel::{EVE, VVE};
    let oracles = Oracles::load();
    for name in ["iris", "faithful", "precip"] {
        let data = load(name);
        for model in data.models() {
            let limit = em(&data, &data.hard(), model, &data.rules());
            let theirs = oracles.get("em", name, model, "loglik")[0];
            let difference = limit.log_lik - theirs;
            eprintln!(
                "{name} {} {:.6} ({difference:+.1e}) in {}",
                model.name(),
                limit.log_lik,
                limit.iterations
            );
            assert!(difference > -1e-7, "{name} {}: {difference}", model.name());
            if !matches!(model, EVE | VVE) {
                assert!(error(limit.log_lik, theirs, 1.0) < 1e-8);
            }
        }
    }
}

#[test]
fn vve_reaches_the_true_maximum_on_iris() {
    let data = load("iris");
    let limit = em(&data, &data.hard(), CovarianceModel::VVE, &data.rules());
    assert!((limit.log_lik + 214.053).abs() < 5e-4, "{}", limit.log_lik);
}

#[test]
fn noise_and_known_weights_keep_the_ascent() {
    let data = load("faithful");
    let n = data.labels.len();
    let mut start = data.soft() * 0.9;
    start = start.insert_column(data.k, 0.1);
    let mut rules = data.rules();
    // One over the area of the box that the data fill.
    rules.noise = Some(-(3.5f64 * 53.0).ln());
    let free = em(&data, &start, CovarianceModel::VVV, &rules);
    let noise = free.mixture.noise.unwrap().weight;
    let sum: f64 = free.mixture.weights.iter().sum();
    assert!(noise > 0.0 && (sum + noise - 1.0).abs() < 1e-14 * n as f64);

    rules.known.weights = Some(vec![0.4, 0.3, 0.2]);
    let fixed = em(&data, &start, CovarianceModel::VVV, &rules);
    assert_eq!(fixed.mixture.weights, vec![0.4, 0.3, 0.2]);
    assert!((fixed.mixture.noise.unwrap().weight - 0.1).abs() < 1e-15);
    assert!(fixed.log_lik < free.log_lik);
}
