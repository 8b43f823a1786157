//! Fixed effects without finite estimates.

use ember_core::em::Status;
use ember_core::glmm::family::{Distribution, Link};

use super::data::cbpp;

#[test]
fn a_period_without_cases_is_named() {
    let mut data = cbpp();
    let n = data.y.len();
    for i in 0..n {
        if data.x[3 * n + i] == 1.0 {
            data.y[i] = 0.0;
        }
    }
    for link in [Link::Logit, Link::Probit, Link::Cloglog] {
        let fit = data.fit(Distribution::Binomial, link).unwrap();
        let found = fit.separation.expect("separation");
        assert_eq!(found.coefficients, [3], "{link:?}");
        assert!(!found.complete && found.rows > 5);
        assert!(
            matches!(fit.status, Status::Degenerate { .. }),
            "{:?}",
            fit.status
        );
        assert!(fit.criterion.is_finite());
    }
    data.y.fill(0.0);
    let fit = data.fit(Distribution::Binomial, Link::Logit).unwrap();
    assert!(fit.separation.unwrap().complete);
    let fit = data.fit(Distribution::Poisson, Link::Log).unwrap();
    assert!(fit.separation.unwrap().complete);
}

#[test]
fn counts_are_separated_by_zeros_alone() {
    let mut data = cbpp();
    let n = data.y.len();
    data.weights = None;
    for i in 0..n {
        data.y[i] = if data.x[2 * n + i] == 1.0 {
            0.0
        } else {
            ((i * 7) % 5) as f64
        };
    }
    let fit = data.fit(Distribution::Poisson, Link::Log).unwrap();
    assert_eq!(fit.separation.unwrap().coefficients, [2]);
    data.y[n / 2] += 1.0;
    let positive = |i: &usize| data.x[2 * n + i] == 1.0;
    let row = (0..n).find(positive).unwrap();
    data.y[row] = 1.0;
    let fit = data.fit(Distribution::Poisson, Link::Log).unwrap();
    assert!(fit.separation.is_none());
    assert_eq!(fit.status, Status::Converged);
}
