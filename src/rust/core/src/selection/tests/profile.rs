//! Profiles and fits under a constraint.

use super::super::constrained::without_selection;
use super::super::examples::Example;
use super::super::expect::expect;
use super::super::fit::{fit, Plan};
use super::super::profile::{profile, Parameter};
use super::super::Layout;
use crate::em::{Flow, Settings, Status};
use crate::normal::orthant::Integration;

const EXACT: Integration = Integration::Exact;

fn plan(settings: &Settings) -> Plan<'_> {
    Plan {
        start: None,
        search: true,
        how: &EXACT,
        settings,
        threads: 1,
    }
}

#[test]
fn profiles_touch_the_maximum_and_bend_as_the_covariance_says() {
    let example = Example::new(2, 1000);
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let settings = Settings::default();
    let mut plan = plan(&settings);
    let best = fit(&data, &layout, &plan, &mut |_| Flow::Continue).unwrap();
    plan.start = Some(&best.parameters);
    let naturals = layout.naturals(&best.parameters);
    let first = layout.coefficients();
    for place in 0..layout.len() - first {
        let parameter = Parameter::at(&layout, place).unwrap();
        let (middle, variance) = (
            naturals[first + place],
            best.facts.covariance[(first + place, first + place)],
        );
        let step = 0.05 * variance.sqrt();
        let values = [middle + step, middle, middle - step];
        let points = profile(&data, &layout, parameter, &values, &plan, &mut |_| {
            Flow::Continue
        });
        let points = points.unwrap();
        assert!((points[1].log_likelihood - best.log_likelihood).abs() < 1e-7);
        let falls = [&points[0], &points[2]].map(|p| best.log_likelihood - p.log_likelihood);
        let mean = 0.5 * (falls[0] + falls[1]);
        let expected = 0.5 * step * step / variance;
        assert!(
            (mean / expected - 1.0).abs() < 0.02,
            "{place}: {mean} {expected}"
        );
        for point in &points {
            let at = layout.naturals(&point.parameters)[first + place];
            assert!((at - point.value).abs() < 1e-12);
            let value = expect(&data, &layout, &point.parameters, &EXACT, 1).unwrap();
            assert!((value.log_likelihood - point.log_likelihood).abs() < 1e-8);
        }
    }
    let sigma = Parameter::at(&layout, 0).unwrap();
    assert!(profile(&data, &layout, sigma, &[-1.0], &plan, &mut |_| {
        Flow::Continue
    })
    .is_err());
    assert!(Parameter::at(&layout, layout.len() - first).is_err());
}

#[test]
fn without_selection_outcomes_are_regressions_and_selections_probits() {
    let example = Example::new(1, 500);
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let settings = Settings::default();
    let fitted = without_selection(&data, &layout, &plan(&settings), &mut |_| Flow::Continue);
    let fitted = fitted.unwrap();
    assert_eq!(fitted.status, Status::Converged);
    let held = layout.correlation(0, 1);
    assert_eq!(fitted.facts.covariance[(held, held)], 0.0);
    assert!(fitted.facts.gradient[held].abs() > 1e-3);
    // Least squares: the residuals are orthogonal to X, and σ² is their mean square.
    let (mut square, mut products, mut count) = (0.0, [0.0; 3], 0.0);
    for i in (0..500).filter(|&i| data.is_selected(i, 0)) {
        let x: Vec<f64> = (0..3).map(|k| data.column(0, k, i..i + 1)[0]).collect();
        let slopes = &fitted.parameters.coefficients[0];
        let fit: f64 = x.iter().zip(slopes).map(|(x, b)| x * b).sum();
        let residual = data.response[i] - fit;
        square += residual * residual;
        count += 1.0;
        products
            .iter_mut()
            .zip(&x)
            .for_each(|(p, x)| *p += residual * x);
    }
    assert!(products.iter().all(|p| p.abs() < 1e-5));
    assert!((fitted.parameters.omega[(0, 0)] - square / count).abs() < 1e-7);
}

#[test]
fn two_equations_without_selection_lose_four_correlations() {
    let example = Example::new(2, 600);
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let settings = Settings::default();
    let free = fit(&data, &layout, &plan(&settings), &mut |_| Flow::Continue).unwrap();
    let held = without_selection(&data, &layout, &plan(&settings), &mut |_| Flow::Continue);
    let held = held.unwrap();
    assert_eq!(held.status, Status::Converged);
    assert!(held.log_likelihood < free.log_likelihood);
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        assert_eq!(held.parameters.omega[(a, b)], 0.0);
    }
    assert!(held.parameters.omega[(0, 1)] != 0.0 && held.parameters.omega[(2, 3)] != 0.0);
}
