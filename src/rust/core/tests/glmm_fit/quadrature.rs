//! Against glmer(nAGQ = 5, 9, 25) with tight tolerances; its deviances with -2 log-likelihood of the saturated model.

use ember_core::em::Status;
use ember_core::glmm::family::{Distribution, Link};
use ember_core::Error;

use super::data::cbpp;

#[test]
fn cbpp_is_glmers_optimum() {
    let glmer = [
        (
            5,
            183.968_075_705_143,
            0.647_364_6,
            -1.399_193_8,
            0.233_477_5,
        ),
        (
            9,
            183.966_743_592_669,
            0.647_517_7,
            -1.399_230_2,
            0.233_511_4,
        ),
        (
            25,
            183.966_738_074_621,
            0.647_518_5,
            -1.399_230_4,
            0.233_511_6,
        ),
    ];
    for (nodes, criterion, theta, beta, error) in glmer {
        let fit = cbpp().fit_by(nodes, Distribution::Binomial, Link::Logit);
        let fit = fit.unwrap();
        assert_eq!(fit.status, Status::Converged);
        let above = fit.criterion - criterion;
        assert!((-1e-7..1e-8).contains(&above), "{nodes} {above:e}");
        assert!((fit.parameters.theta[0] - theta).abs() < 1e-5, "{fit:?}");
        assert!((fit.parameters.beta[0] - beta).abs() < 1e-5, "{fit:?}");
        let own = fit.verdict.covariance[(1, 1)].sqrt();
        assert!((own - error).abs() < 1e-5, "{own}");
        assert!(fit.verdict.steepest < 1e-5, "{}", fit.verdict.steepest);
    }
}

#[test]
fn wrong_models_are_refused() {
    let mut data = cbpp();
    data.terms.push(data.terms[0].clone());
    let refused = data.fit_by(3, Distribution::Binomial, Link::Logit);
    let named = matches!(
        refused,
        Err(Error::Argument {
            argument: "n_agq",
            ..
        })
    );
    assert!(named);
}
