//! Against glmer and glmmTMB with tight tolerances.

use ember_core::em::Status;
use ember_core::glmm::family::{Distribution, Link};

use super::data::cbpp;

#[test]
fn cbpp_is_glmmtmbs_optimum() {
    let fit = cbpp().fit(Distribution::Binomial, Link::Logit).unwrap();
    assert_eq!(fit.status, Status::Converged, "{fit:?}");
    assert!(
        (fit.criterion - 184.052_563_729_5).abs() < 1e-8,
        "{}",
        fit.criterion
    );
    assert!(
        (fit.parameters.theta[0] - 0.642_261).abs() < 2e-6,
        "{fit:?}"
    );
    let expected = [-1.398_532_4, -0.992_332_2, -1.128_671_2, -1.580_313_7];
    for (b, e) in fit.parameters.beta.iter().zip(expected) {
        assert!((b - e).abs() < 1e-5, "{b} {e}");
    }
    let errors = [0.232_472_05, 0.306_642_50, 0.326_637_81, 0.427_436_60];
    for (j, e) in errors.iter().enumerate() {
        let error = fit.verdict.covariance[(1 + j, 1 + j)].sqrt();
        assert!((error - e).abs() < 2e-6, "{error} {e}");
    }
    assert!(fit.verdict.steepest < 1e-5, "{}", fit.verdict.steepest);
    assert!(fit.iterations <= 6, "{} {}", fit.iterations, fit.passes);
}
