//! Three ways to the same optimum, wherever it is interior.

use ember_core::em::{Acceleration, Flow, Settings, Status};
use ember_core::mixed::converged::Verdict;
use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::fit::{fit, Method};

use crate::models::models;

/// A Hessian flatter than this, in units of the coordinates, is next to the boundary: EM crawls there.
const FLAT: f64 = 0.5;

#[test]
fn em_and_px_em_reach_the_minimum_of_the_criterion() {
    let mut reached = 0;
    for model in models() {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        for reml in [false, true] {
            let known = model.known.clone();
            let problem = Problem::new(&statistics, &model.structure, reml, known).unwrap();
            let run = |method, acceleration| {
                let settings = Settings {
                    acceleration,
                    max_iter: 20_000,
                    ..Settings::default()
                };
                fit(&problem, method, None, &settings, &mut |_| Flow::Continue).unwrap()
            };
            let profile = run(Method::Profile, Acceleration::None);
            let verdict = &profile.verdict;
            let curved = verdict.eigenvalues.last().is_none_or(|&least| least > FLAT);
            if profile.status != Status::Converged || !verdict.singular.is_empty() || !curved {
                continue;
            }
            for method in [Method::Em, Method::PxEm] {
                for acceleration in [Acceleration::None, Acceleration::Squarem] {
                    let other = run(method, acceleration);
                    let what = format!("{}, REML {reml}, {method:?}, {acceleration:?}", model.name);
                    let gap = other.criterion - profile.criterion;
                    assert!(gap.abs() < 1e-6, "{what}: {gap}, {:?}", other.status);
                    assert_eq!(other.status, Status::Converged, "{what}");
                    reached += 1;
                }
            }
        }
    }
    assert!(reached >= 60, "{reached}");
}

#[test]
fn a_variance_of_zero_is_zero_by_every_method() {
    let mut singular = 0;
    for model in models() {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let known = model.known.clone();
        let problem = Problem::new(&statistics, &model.structure, true, known).unwrap();
        let run = |method| {
            let settings = Settings {
                max_iter: 1000,
                ..Settings::default()
            };
            fit(&problem, method, None, &settings, &mut |_| Flow::Continue).unwrap()
        };
        let profile = run(Method::Profile);
        for method in [Method::Em, Method::PxEm] {
            let other = run(method);
            let converged = other.status == Status::Converged;
            if !converged || (other.criterion - profile.criterion).abs() > 1e-6 {
                continue; // EM that crawls says so; another minimum is another question
            }
            let terms = |verdict: &Verdict| -> Vec<usize> {
                verdict
                    .singular
                    .iter()
                    .map(|singular| singular.term)
                    .collect()
            };
            let what = format!("{}, {method:?}", model.name);
            assert_eq!(terms(&other.verdict), terms(&profile.verdict), "{what}");
            singular += usize::from(!profile.verdict.singular.is_empty());
        }
    }
    assert!(singular >= 10, "{singular}");
}
