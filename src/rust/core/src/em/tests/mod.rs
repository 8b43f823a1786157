//! The driver on models small enough to check by hand.

mod models;

use super::*;
use crate::error::Error;
use models::{Faulty, Heights, Linear, Linkage, Scaled};

const METHODS: [Acceleration; 3] = [
    Acceleration::None,
    Acceleration::Squarem,
    Acceleration::Anderson(5),
];

fn settings(acceleration: Acceleration) -> Settings {
    Settings {
        acceleration,
        ..Settings::default()
    }
}

fn silent(_: &Progress) -> Flow {
    Flow::Continue
}

fn linkage_log_lik(theta: f64) -> f64 {
    Linkage.expect(&theta).map_or(f64::NAN, |stats| stats.1)
}

#[test]
fn log_likelihood_is_bound_plus_divergence_at_every_iteration() {
    for method in METHODS {
        let mut heights = Heights::new();
        let outcome = run(&mut heights, [60.0, 59.0], &settings(method), &mut silent).unwrap();
        assert_eq!(outcome.status, Status::Converged);
        assert!(outcome.iterations >= 5);
        let visited = heights.visited.borrow().clone();
        let mut kept = Vec::new();
        for means in visited {
            let objective = heights.expect(&means).unwrap().log_lik;
            if outcome.trace.get(kept.len()).map(|entry| entry.objective) == Some(objective) {
                kept.push(means);
            }
        }
        assert_eq!(kept.len(), outcome.trace.len());
        for (pair, entry) in kept.windows(2).zip(&outcome.trace[1..]) {
            let gap = heights.divergence(&pair[0], &pair[1]);
            assert!(gap >= 0.0);
            assert!((entry.objective - entry.bound - gap).abs() < 1e-10);
        }
        assert_eq!(kept.last(), Some(&outcome.params));
    }
}

#[test]
fn plain_em_ascends_and_its_bound_lies_between() {
    let mut heights = Heights::new();
    let outcome = run(
        &mut heights,
        [36.0, 60.0],
        &settings(Acceleration::None),
        &mut silent,
    )
    .unwrap();
    assert!(outcome.monotone());
    for pair in outcome.trace.windows(2) {
        let noise = 1e-12 * pair[0].objective.abs();
        assert!(pair[1].bound >= pair[0].objective - noise);
        assert!(pair[1].objective >= pair[1].bound - noise);
    }
    // The paper's bad start ends at the same maximum, labels swapped.
    let best = run(
        &mut heights,
        [70.0, 64.0],
        &Settings::default(),
        &mut silent,
    )
    .unwrap();
    assert!((outcome.objective - best.objective).abs() < 2e-8);
    assert!((outcome.params[0] - best.params[1]).abs() < 1e-4);
    assert_eq!(outcome.passes, outcome.iterations + 1);
}

#[test]
fn linkage_reaches_the_published_estimate() {
    for method in METHODS {
        let tight = Settings {
            tol: 1e-13,
            ..settings(method)
        };
        let outcome = run(&mut Linkage, 0.5, &tight, &mut silent).unwrap();
        assert_eq!(outcome.status, Status::Converged);
        // The root of 197 θ² − 15 θ − 68 = 0 is 0.6268214980.
        assert!(
            (outcome.params - 0.626_821_498_0).abs() < 1e-7,
            "{method:?}"
        );
        assert!((outcome.objective - linkage_log_lik(outcome.params)).abs() == 0.0);
    }
    let tight = Settings {
        tol: 1e-13,
        ..settings(Acceleration::None)
    };
    let plain = run(&mut Linkage, 0.62, &tight, &mut silent).unwrap();
    // Dempster, Laird and Rubin (1977), table 1: successive errors shrink by 0.1328.
    assert!((plain.rate - 0.1328).abs() < 1e-3, "{}", plain.rate);
}

#[test]
fn acceleration_saves_passes_and_keeps_the_optimum() {
    let plain = run(
        &mut Heights::new(),
        [60.0, 59.0],
        &settings(Acceleration::None),
        &mut silent,
    )
    .unwrap();
    for method in &METHODS[1..] {
        let fast = run(
            &mut Heights::new(),
            [60.0, 59.0],
            &settings(*method),
            &mut silent,
        )
        .unwrap();
        assert!((fast.objective - plain.objective).abs() < 1e-8);
        assert!(fast.passes < plain.passes, "{method:?} {}", fast.passes);
        for pair in fast.trace.windows(2) {
            assert!(pair[1].objective >= pair[0].objective - 1e-9);
        }
    }
}

#[test]
fn slow_convergence_is_not_taken_for_the_limit() {
    let start = vec![3.0, 2.0, -4.0, 1.0];
    for rates in [
        [0.998, 0.2, 0.6, 0.9],
        [0.998, 0.997, 0.99, 0.1],
        [0.3, 0.3, 0.3, 0.3],
        [0.0, 0.0, 0.0, 0.0],
    ] {
        let mut passes = Vec::new();
        for method in METHODS {
            let limits = Settings {
                max_iter: 100_000,
                ..settings(method)
            };
            let outcome = run(
                &mut Linear::new(&rates),
                start.clone(),
                &limits,
                &mut silent,
            )
            .unwrap();
            assert_eq!(outcome.status, Status::Converged);
            let gap = Linear::gap(&outcome.params);
            assert!(gap <= 1.1e-8, "{method:?} {rates:?} {gap:e}");
            passes.push(outcome.passes);
        }
        if rates[0] == 0.998 {
            assert!(
                passes[1] < passes[0] / 3 && passes[2] < passes[0] / 100,
                "{passes:?}"
            );
        }
    }
}

#[test]
fn aitken_alone_serves_models_without_coordinates() {
    let mut model = Linear {
        coordinates: false,
        ..Linear::new(&[0.998, 0.5])
    };
    let limits = Settings {
        max_iter: 100_000,
        ..Settings::default()
    };
    let outcome = run(&mut model, vec![3.0, 2.0], &limits, &mut silent).unwrap();
    assert_eq!(outcome.status, Status::Converged);
    assert!((outcome.rate - 0.998).abs() < 1e-4);
    let gap = Linear::gap(&outcome.params);
    assert!(gap <= 1.1e-8 && gap > 5e-9, "{gap:e}");
    assert!((outcome.distance / gap - 1.0).abs() < 0.05);
}

#[test]
fn parameters_stop_a_model_without_objective() {
    let mut model = Linear {
        objective: false,
        ..Linear::new(&[0.998, 0.5])
    };
    let limits = Settings {
        max_iter: 100_000,
        ..Settings::default()
    };
    let outcome = run(&mut model, vec![3.0, 2.0], &limits, &mut silent).unwrap();
    assert_eq!(outcome.status, Status::Converged);
    assert!(outcome.objective.is_nan() && outcome.drop.is_none());
    assert!(outcome.params[0].abs() <= 1.1e-8 && outcome.params[0].abs() > 5e-9);
    assert!(outcome.trace.iter().skip(1).all(|e| e.step == Step::Em));
}

#[test]
fn a_fast_model_without_objective_is_as_close_as_it_says() {
    let mut model = Linear {
        objective: false,
        ..Linear::new(&[0.1])
    };
    for start in [1.0, 2.0, 3.0, 5.0, 8.0] {
        let outcome = run(&mut model, vec![start], &Settings::default(), &mut silent).unwrap();
        assert!(outcome.params[0].abs() <= 1.1e-8, "{}", outcome.params[0]);
    }
}

#[test]
fn the_rounding_floor_ends_a_run() {
    for offset in [-1e6, -1e9, 1e12] {
        for method in METHODS {
            for coordinates in [true, false] {
                let mut model = Linear {
                    offset,
                    coordinates,
                    ..Linear::new(&[0.998, 0.5])
                };
                let limits = Settings {
                    tol: 0.0,
                    max_iter: 100_000,
                    ..settings(method)
                };
                let outcome = run(&mut model, vec![3.0, 2.0], &limits, &mut silent).unwrap();
                assert_eq!(outcome.status, Status::Converged);
                assert!(outcome.iterations < 20_000);
                let gap = Linear::gap(&outcome.params);
                assert!(gap < 1e-12 * offset.abs(), "{offset} {method:?} {gap:e}");
            }
        }
    }
}

#[test]
fn a_fixed_point_is_recognised_at_once() {
    let outcome = run(
        &mut Linear::new(&[0.9]),
        vec![0.0],
        &Settings::default(),
        &mut silent,
    )
    .unwrap();
    assert_eq!(outcome.status, Status::Converged);
    assert_eq!((outcome.iterations, outcome.passes), (0, 1));
}

#[test]
fn units_do_not_change_the_path() {
    for method in METHODS {
        let path = |unit: f64| {
            let mut model = Heights::new();
            let outcome = run(&mut model, [60.0, 59.0], &settings(method), &mut silent).unwrap();
            let mut scaled = Scaled { model, unit };
            let start = vec![60.0 * unit, 59.0];
            let other = run(&mut scaled, start, &settings(method), &mut silent).unwrap();
            assert_eq!(outcome.passes, other.passes);
            assert!((outcome.objective - other.objective).abs() < 1e-9);
        };
        path(1e6);
        path(1e-6);
    }
}

#[test]
fn an_interrupt_keeps_what_was_reached() {
    for method in METHODS {
        for passes in [1, 2, 3, 4, 7] {
            let outcome = run(
                &mut Heights::new(),
                [60.0, 59.0],
                &settings(method),
                &mut |p| {
                    if p.passes == passes {
                        Flow::Stop
                    } else {
                        Flow::Continue
                    }
                },
            )
            .unwrap();
            assert_eq!(outcome.status, Status::Interrupted);
            assert_eq!(outcome.passes, passes);
            let at = Heights::new().expect(&outcome.params).unwrap().log_lik;
            assert_eq!(at, outcome.objective);
        }
    }
}

#[test]
fn the_iteration_limit_is_a_status() {
    let limits = Settings {
        max_iter: 3,
        ..Settings::default()
    };
    let outcome = run(&mut Heights::new(), [60.0, 59.0], &limits, &mut silent).unwrap();
    assert_eq!(outcome.status, Status::IterationLimit);
    assert_eq!(outcome.iterations, 3);
    assert_eq!(outcome.trace.len(), 4);
}

#[test]
fn a_collapse_keeps_the_last_valid_parameters() {
    let collapse = |calls: usize, theta: f64| match calls {
        5 => Err(Error::Degenerate {
            component: 2,
            message: "gone".into(),
        }),
        _ => Ok((0.0, linkage_log_lik(theta))),
    };
    let mut model = Faulty {
        calls: 0,
        fault: collapse,
    };
    let plain = settings(Acceleration::None);
    let outcome = run(&mut model, 0.1, &plain, &mut silent).unwrap();
    assert_eq!(outcome.status.name(), "degenerate");
    assert_eq!(
        (outcome.status.component(), outcome.status.message()),
        (2, "gone")
    );
    assert_eq!(outcome.iterations, 3);
    assert_eq!(outcome.objective, linkage_log_lik(outcome.params));
}

#[test]
fn an_objective_that_stops_being_finite_ends_the_run() {
    for bad in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
        for method in METHODS {
            let fault = |calls, theta| {
                let objective = if calls > 2 {
                    bad
                } else {
                    linkage_log_lik(theta)
                };
                Ok((0.0, objective))
            };
            let mut model = Faulty { calls: 0, fault };
            let outcome = run(&mut model, 0.1, &settings(method), &mut silent).unwrap();
            assert!(matches!(
                outcome.status,
                Status::Degenerate { component: 0, .. }
            ));
            assert!(outcome.objective.is_finite());
        }
        let mut model = Faulty {
            calls: 0,
            fault: |_, _| Ok((0.0, bad)),
        };
        let start = run(&mut model, 0.1, &Settings::default(), &mut silent);
        assert!(matches!(start, Err(Error::Numerical { .. })));
    }
}

#[test]
fn a_wrong_step_is_reported_with_its_iteration() {
    let mut model = Faulty {
        calls: 0,
        fault: |calls, theta| Ok((if calls == 3 { -25.0 } else { 0.0 }, linkage_log_lik(theta))),
    };
    let plain = settings(Acceleration::None);
    let outcome = run(&mut model, 0.6, &plain, &mut silent).unwrap();
    assert!(!outcome.monotone());
    let drop = outcome.drop.unwrap();
    assert_eq!(drop.iteration, 3);
    let fall = outcome.trace[2].objective - outcome.trace[3].objective;
    assert!(drop.size > 0.0 && drop.size == fall);
    assert!((outcome.params - 0.626_821_498).abs() < 1e-4);
}

#[test]
fn errors_of_callbacks_are_errors() {
    let mut model = Faulty {
        calls: 0,
        fault: |calls, theta| match calls {
            3 => Err(Error::Callback {
                message: "50% broken".into(),
            }),
            _ => Ok((0.0, linkage_log_lik(theta))),
        },
    };
    let plain = settings(Acceleration::None);
    let error = run(&mut model, 0.1, &plain, &mut silent).unwrap_err();
    assert_eq!(error.to_string(), "50% broken");
}

#[test]
fn the_monitor_changes_nothing() {
    for method in METHODS {
        let quiet = run(
            &mut Heights::new(),
            [60.0, 59.0],
            &settings(method),
            &mut silent,
        )
        .unwrap();
        let mut seen = Vec::new();
        let watched = run(
            &mut Heights::new(),
            [60.0, 59.0],
            &settings(method),
            &mut |p| {
                seen.push(*p);
                Flow::Continue
            },
        )
        .unwrap();
        assert_eq!(quiet.params, watched.params);
        assert_eq!(quiet.trace.len(), watched.trace.len());
        assert_eq!(seen.len(), watched.passes);
        assert_eq!(seen.last().unwrap().objective, watched.objective);
    }
}
