//! The conjugate prior: mclust's fits with `priorControl()`, the formulas of Fraley & Raftery (2007), and the
//! ascent of the log posterior.

use ember_core::mixture::degeneracy::COLLAPSE;
use ember_core::mixture::maximize::maximize;
use ember_core::mixture::model::{CovarianceModel, Mixture};
use ember_core::mixture::prior::{log_prior, Prior};
use ember_core::mixture::rules::Rules;

use crate::ascent::em;
use crate::data::{error, load, matrix_error, DataSet};
use crate::mclust::Oracles;

fn default_prior(data: &DataSet, model: CovarianceModel) -> Prior {
    let n = data.labels.len() as u64;
    Prior::default_for(model, data.k, n, data.mean(), &data.covariance())
}

fn with_prior(data: &DataSet, prior: Prior) -> Rules {
    Rules {
        prior: Some(prior),
        ..data.rules()
    }
}

#[test]
fn maximum_a_posteriori_equals_mclust() {
    use CovarianceModel::*;
    let oracles = Oracles::load();
    let mut compared = 0;
    for name in ["iris", "faithful", "precip"] {
        let data = load(name);
        for model in data.models() {
            if oracles.find("prior-em", name, model, "loglik").is_none() {
                continue;
            }
            let mut prior = default_prior(&data, model);
            if model == EII {
                // mclust's EII leaves the scale out.
                prior.scale.fill(0.0);
            }
            let rules = with_prior(&data, prior);
            let (means, covariances) = oracles.moments("prior-em", name, model, data.x.nrows());
            let theirs = Mixture {
                model,
                weights: oracles.get("prior-em", name, model, "weights").to_vec(),
                means,
                covariances,
                noise: None,
            };
            // mclust's answer is a fixed point of our iteration, ...
            let (z, log_lik) = data.expect(&theirs);
            let reported = oracles.get("prior-em", name, model, "loglik")[0];
            assert!(error(log_lik, reported, 1.0) < 1e-10);
            let next = maximize(&data.moments(&z), Some(&theirs), model, &rules).unwrap();
            assert!(matrix_error(&next.means, &theirs.means) < 1e-7);
            for (x, y) in next.covariances.iter().zip(&theirs.covariances) {
                let error = matrix_error(x, y);
                assert!(error < 1e-7, "{name} {}: {error:e}", model.name());
            }
            // ... and the one that we reach.
            let limit = em(&data, &data.hard(), model, &rules);
            let ours = limit.log_lik + log_prior(&limit.mixture, &rules);
            let difference = error(ours, log_lik + log_prior(&theirs, &rules), 1.0);
            assert!(
                difference < 1e-10,
                "{name} {}: {difference:e}",
                model.name()
            );
            assert!(error(limit.log_lik, log_lik, 1.0) < 1e-7);
            compared += 1;
        }
    }
    assert_eq!(compared, 9 + 7 + 2);
}

#[test]
fn eei_equals_the_step_of_mclust_without_shrinkage() {
    let oracles = Oracles::load();
    let model = CovarianceModel::EEI;
    for name in ["iris", "faithful"] {
        let data = load(name);
        let mut prior = default_prior(&data, model);
        prior.shrinkage = 0.0;
        let rules = with_prior(&data, prior);
        let ours = maximize(&data.moments(&data.soft()), None, model, &rules).unwrap();
        let (means, covariances) = oracles.moments("prior-mstep", name, model, data.x.nrows());
        assert!(matrix_error(&ours.means, &means) < 1e-12);
        assert!(matrix_error(&ours.covariances[0], &covariances[0]) < 1e-12);
    }
}

#[test]
fn posterior_ascends_for_every_model() {
    // `em` panics where the log posterior or Q + log prior falls.
    for name in ["iris", "precip"] {
        let data = load(name);
        for model in data.models() {
            let mut prior = default_prior(&data, model);
            prior.shrinkage = 2.0;
            let limit = em(&data, &data.soft(), model, &with_prior(&data, prior));
            assert!(limit.log_lik.is_finite());
        }
    }
}

#[test]
fn a_prior_prevents_collapse() {
    // Component 1 gets two rows that are equal: hopeless without a prior.
    let data = load("iris");
    let mut z = data.hard();
    z.fill(0.0);
    for i in 0..150 {
        z[(i, if i == 101 || i == 142 { 0 } else { 1 + i % 2 })] = 1.0;
    }
    assert_eq!(data.x.column(101), data.x.column(142));
    let moments = data.moments(&z);
    for model in [
        CovarianceModel::VVV,
        CovarianceModel::VEV,
        CovarianceModel::VVI,
    ] {
        let failure = maximize(&moments, None, model, &data.rules()).unwrap_err();
        assert!(
            failure.to_string().starts_with("component 1 collapsed"),
            "{failure}"
        );
        let rules = with_prior(&data, default_prior(&data, model));
        let mixture = maximize(&moments, None, model, &rules).unwrap();
        let smallest = mixture.covariances[0].clone().symmetric_eigenvalues().min();
        assert!(smallest > COLLAPSE.sqrt());
    }
}
