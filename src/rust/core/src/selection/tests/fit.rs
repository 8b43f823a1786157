//! Fits of simulated rows.

use super::super::examples::Example;
use super::super::fit::{fit, Fit, Plan};
use super::super::modes::Kind;
use super::super::{Data, Layout, Parameters};
use crate::em::{Flow, Settings, Status};
use crate::normal::orthant::Integration;

fn fitted(data: &Data, start: Option<&Parameters>, threads: usize) -> Fit {
    let layout = Layout::of(data).unwrap();
    let plan = Plan {
        start,
        search: true,
        how: &Integration::Exact,
        settings: &Settings::default(),
        threads,
    };
    fit(data, &layout, &plan, &mut |_| Flow::Continue).unwrap()
}

fn check(example: &Example) -> Fit {
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let fit = fitted(&data, None, 1);
    assert_eq!(fit.status, Status::Converged, "{:?}", fit.status);
    assert!(fit.facts.decrement < 1e-6);
    assert!(fit.facts.eigenvalues.iter().all(|&value| value > 0.0));
    assert_eq!(fit.modes[0].kind, Kind::Maximum);
    // The truth is within what the estimates allow: each parameter, and the likelihood ratio.
    let (truth, estimates) = (
        layout.naturals(&example.parameters),
        layout.naturals(&fit.parameters),
    );
    for k in 0..layout.len() {
        let error = fit.facts.covariance[(k, k)].sqrt();
        assert!((truth[k] - estimates[k]).abs() < 4.0 * error, "{k}");
    }
    let from_truth = fitted(&data, Some(&example.parameters), 1);
    assert!((from_truth.log_likelihood - fit.log_likelihood).abs() < 1e-8);
    assert!(from_truth.trace[0].objective < fit.log_likelihood);
    assert!(from_truth.scans.is_empty() && fit.scans.len() == example.equations);
    // The same bits on more threads.
    let threads = fitted(&data, None, 3);
    assert_eq!(layout.naturals(&threads.parameters), estimates);
    assert_eq!(fit.trace.len(), fit.iterations + 1);
    fit
}

#[test]
fn one_equation_is_found_from_its_walk() {
    let fit = check(&Example::new(1, 700));
    let scan = fit.scans[0].log_likelihood.iter();
    assert!(scan.fold(f64::MIN, |a, b| a.max(*b)) <= fit.log_likelihood + 1e-8);
}

#[test]
fn two_equations_are_found_from_their_univariate_modes() {
    let fit = check(&Example::new(2, 700));
    assert!(fit.modes[0].hits >= 2);
}

#[test]
fn many_rows_are_searched_on_a_sample() {
    for (equations, n) in [(1, 21_000), (2, 8_100)] {
        let example = Example::new(equations, n);
        let data = example.data();
        let fit = fitted(&data, None, 2);
        let from_truth = fitted(&data, Some(&example.parameters), 2);
        assert_eq!(fit.status, Status::Converged);
        assert!((fit.log_likelihood - from_truth.log_likelihood).abs() < 1e-7);
        assert!(fit.passes < 50, "{}", fit.passes);
    }
}

/// Selected where the outcome itself is positive: a tobit model, ρ = 1.
fn tobit() -> Example {
    let mut example = Example::new(1, 300);
    example.designs[1] = example.designs[0].clone();
    for i in 0..300 {
        let error = ((i * 37 % 300) as f64 + 0.5) / 150.0 - 1.0;
        let columns = example.designs[0].chunks_exact(300);
        let x: Vec<f64> = columns.map(|x| x[i]).collect();
        let y = 0.2 + x[1] - 0.5 * x[2] + error;
        example.selected[i] = i32::from(y > 0.0);
        example.response[i] = y;
    }
    example
}

#[test]
fn a_supremum_at_the_boundary_is_no_answer() {
    let example = tobit();
    let fit = fitted(&example.data(), None, 1);
    assert_eq!(fit.modes[0].kind, Kind::Boundary);
    let rises = "the errors of outcome 1 and selection 1 goes to 1";
    assert!(fit.message.contains(rises), "{}", fit.message);
    match fit.status {
        Status::Converged => {
            assert!(fit.message.contains("is higher"));
            assert!(fit.modes[0].log_likelihood > fit.log_likelihood);
        }
        Status::Degenerate { component, .. } => assert_eq!(component, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn interrupts_and_limits_keep_what_is_reached() {
    let example = Example::new(2, 400);
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let limited = Settings {
        max_iter: 2,
        ..Settings::default()
    };
    let mut plan = Plan {
        start: Some(&example.parameters),
        search: false,
        how: &Integration::Exact,
        settings: &limited,
        threads: 1,
    };
    let mut far = example.parameters.clone();
    far.coefficients[0][0] += 3.0;
    plan.start = Some(&far);
    let short = fit(&data, &layout, &plan, &mut |_| Flow::Continue).unwrap();
    assert_eq!(short.status, Status::IterationLimit);
    let settings = Settings::default();
    plan.settings = &settings;
    let stopped = fit(
        &data,
        &layout,
        &plan,
        &mut |progress| match progress.iteration {
            0..=2 => Flow::Continue,
            _ => Flow::Stop,
        },
    );
    let stopped = stopped.unwrap();
    assert_eq!(stopped.status, Status::Interrupted);
    assert!(stopped.iterations == 3 && stopped.modes.is_empty());
    assert!(stopped.log_likelihood > stopped.trace[0].objective);
    let full = fit(&data, &layout, &plan, &mut |_| Flow::Continue).unwrap();
    assert_eq!(full.status, Status::Converged);
    assert!(full.log_likelihood > stopped.log_likelihood);
}
