//! Fits to many responses.

use ember_core::em::{Settings, Status};
use ember_core::glmm::family::{Distribution, Link};
use ember_core::glmm::fit::Plan;
use ember_core::glmm::refit::refit;
use ember_core::glmm::start::Given;

use super::data::{cbpp, plan};

#[test]
fn a_refit_is_the_fit_on_any_number_of_threads() {
    let data = cbpp();
    let fit = data.fit(Distribution::Binomial, Link::Logit).unwrap();
    let given = Given {
        theta: Some(fit.parameters.theta.clone()),
        beta: Some(fit.parameters.beta.clone()),
        shape: None,
    };
    let settings = Settings::default();
    let mut responses = data.y.clone();
    // The herds in another order of responses; and one where nothing can be estimated.
    responses.extend(data.y.iter().rev());
    responses.extend(std::iter::repeat_n(0.0, data.y.len()));
    data.problem(Distribution::Binomial, Link::Logit, |problem| {
        let alone = plan(&given, &settings);
        let one = refit(problem, &responses, &alone, &mut |_| true).unwrap();
        let two = Plan {
            threads: 2,
            ..alone.clone()
        };
        assert_eq!(
            refit(problem, &responses, &two, &mut |_| true).unwrap(),
            one
        );
        assert!((one[0].criterion - fit.criterion).abs() < 1e-9);
        assert_eq!(one[0].status, Status::Converged);
        assert!(matches!(one[2].status, Status::Degenerate { .. }));
        assert!(refit(problem, &responses[1..], &alone, &mut |_| true).is_err());
    });
}
