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
    eprintln!(
        "{} {} {:?}",
        fit.iterations,
        fit.passes,
        fit.modes
            .iter()
            .map(|m| (m.log_likelihood, m.kind, m.hits))
            .collect::<Vec<_>>()
    );
}
