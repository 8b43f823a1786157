use nalgebra::{DMatrix, DVector};

use super::super::em::SelectionModel;
use super::super::expect::{expect, Statistics};
use super::super::gram::Gram;
use super::super::maximize::{complete_log_likelihood, maximize, Expanded};
use super::super::score::score;
use super::super::Layout;
use super::*;
use crate::em::{Acceleration, Flow, Settings};
use crate::linalg;

/// One step by the paper's formulas, (16) and (17) in full on stacked designs and expected z.
fn step_in_full(data: &Data, statistics: &Statistics, at: &Parameters) -> Expanded {
    let errors = data.components();
    let precision = linalg::inverse_spd(&at.omega).unwrap();
    let weights = DVector::from_fn(data.n, |i, _| data.weight(i));
    let designs: Vec<DMatrix<f64>> = (data.designs.iter())
        .map(|d| DMatrix::from_column_slice(data.n, d.width, d.columns))
        .collect();
    let gram = |a: usize, b: usize| {
        designs[a].transpose() * DMatrix::from_diagonal(&weights) * &designs[b]
    };
    let theta: Vec<DVector<f64>> = (at.coefficients.iter())
        .map(|c| DVector::from_column_slice(c))
        .collect();
    // X_a'E[z_b] and E[z_a z_b].
    let cross = |a: usize, b: usize| statistics.cross[a].column(b) + gram(a, b) * &theta[b];
    let moment = |a: usize, b: usize| {
        statistics.second[(a, b)]
            + theta[a].dot(&statistics.cross[a].column(b))
            + theta[b].dot(&statistics.cross[b].column(a))
            + theta[a].dot(&(gram(a, b) * &theta[b]))
    };
    let starts: Vec<usize> = (0..errors)
        .map(|a| designs[..a].iter().map(|x| x.ncols()).sum())
        .collect();
    let size = designs.iter().map(|x| x.ncols()).sum();
    let (mut system, mut right) = (DMatrix::zeros(size, size), DVector::zeros(size));
    for a in 0..errors {
        for b in 0..errors {
            let block = gram(a, b) * precision[(a, b)];
            system
                .view_mut((starts[a], starts[b]), block.shape())
                .copy_from(&block);
            let mut rows = right.rows_mut(starts[a], designs[a].ncols());
            rows += cross(a, b) * precision[(a, b)];
        }
    }
    let solution = system.lu().solve(&right).unwrap();
    let theta = |a: usize| solution.rows(starts[a], designs[a].ncols()).into_owned();
    let sigma = DMatrix::from_fn(errors, errors, |a, b| {
        let sum = moment(a, b) - theta(a).dot(&cross(a, b)) - theta(b).dot(&cross(b, a))
            + theta(a).dot(&(gram(a, b) * theta(b)));
        sum / data.total_weight
    });
    Expanded {
        coefficients: (0..errors).map(|a| theta(a).as_slice().to_vec()).collect(),
        sigma,
    }
}

fn check(equations: usize, rows: usize) {
    let example = weighted(Example::new(equations, rows));
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let at = nearby(&layout, &example.parameters);
    let statistics = expect(&data, &layout, &at, &EXACT, 1).unwrap();
    let gram = Gram::of(&data, &layout, 1).unwrap();
    let step = maximize(&statistics, &gram, &layout, &at).unwrap();
    let expected = step_in_full(&data, &statistics, &at);
    for (a, b) in (step.coefficients.iter().flatten()).zip(expected.coefficients.iter().flatten()) {
        assert!((a - b).abs() < 1e-10);
    }
    assert!((&step.sigma - &expected.sigma).amax() < 1e-10);
    // Q rises, and its slope in the coefficients is zero where Σ is that of the E-step.
    let q = |to: &Expanded| complete_log_likelihood(&statistics, &gram, &layout, &at, to);
    let here = Expanded {
        coefficients: at.coefficients.clone(),
        sigma: at.omega.clone(),
    };
    let mut regression = step.clone();
    regression.sigma = at.omega.clone();
    assert!(q(&here) < q(&regression) && q(&regression) < q(&step));
    for component in 0..data.components() {
        for k in 0..step.coefficients[component].len() {
            let side = |sign: f64| {
                let mut moved = regression.clone();
                moved.coefficients[component][k] += sign * 1e-4;
                q(&moved)
            };
            assert!((side(1.0) - side(-1.0)).abs() / 2e-4 < 1e-6 * data.total_weight);
        }
    }
    // And in Σ at the Σ that follows.
    for a in 0..data.components() {
        for b in 0..=a {
            let side = |sign: f64| {
                let mut moved = step.clone();
                moved.sigma[(a, b)] += sign * 1e-4;
                moved.sigma[(b, a)] = moved.sigma[(a, b)];
                q(&moved)
            };
            assert!((side(1.0) - side(-1.0)).abs() / 2e-4 < 1e-4 * data.total_weight);
        }
    }
    // The reduction does not change the likelihood: as the selections are, with their errors' units.
    let reduced = step.reduce();
    let at_reduced = expect(&data, &layout, &reduced, &EXACT, 1).unwrap();
    assert!(at_reduced.log_likelihood > statistics.log_likelihood);
    for a in equations..2 * equations {
        let unit = step.sigma[(a, a)].sqrt();
        assert_eq!(reduced.omega[(a, a)], 1.0);
        assert!((reduced.coefficients[a][0] * unit - step.coefficients[a][0]).abs() < 1e-12);
        let covariance = reduced.omega[(0, a)] * unit;
        assert!((covariance - step.sigma[(0, a)]).abs() < 1e-12);
    }
}

/// PX-EM from a poor start rises to where the score is zero.
fn climb(equations: usize, rows: usize, acceleration: Acceleration) {
    let example = Example::new(equations, rows);
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let mut start = example.parameters.clone();
    start.coefficients.iter_mut().for_each(|c| c.fill(0.0));
    start.omega = DMatrix::identity(2 * equations, 2 * equations);
    let settings = Settings {
        tol: 1e-9,
        max_iter: 5000,
        acceleration,
        bounds: true,
    };
    let mut model = SelectionModel::new(&data, &layout, &EXACT, 1).unwrap();
    let outcome = model
        .run(start, &settings, &mut |_| Flow::Continue)
        .unwrap();
    assert_eq!(outcome.status.name(), "converged");
    assert!(outcome.monotone());
    for pair in outcome.trace.windows(2) {
        let bound = pair[1].bound;
        let slack = 1e-8 * pair[0].objective.abs();
        assert!(bound <= pair[1].objective + slack);
        assert!(pair[1].objective >= pair[0].objective - slack);
        if pair[1].step == crate::em::Step::Em {
            assert!(bound >= pair[0].objective - slack);
        }
    }
    let at = &outcome.params.parameters;
    let statistics = &outcome.stats.statistics;
    let slope = score(statistics, &layout, at).unwrap();
    assert!(slope.amax() < 1e-2, "{slope}");
    let truth = expect(&data, &layout, &example.parameters, &EXACT, 1).unwrap();
    assert!(outcome.objective > truth.log_likelihood);
    // A maximum of the likelihood is a fixed point of the step.
    let gram = Gram::of(&data, &layout, 1).unwrap();
    let next = maximize(statistics, &gram, &layout, at).unwrap().reduce();
    let moves = layout.naturals(&next).into_iter().zip(layout.naturals(at));
    moves.for_each(|(a, b)| assert!((a - b).abs() < 1e-4));
}

#[test]
fn a_step_is_the_papers() {
    check(1, 500);
    check(2, 400);
}

#[test]
fn steps_climb_to_the_top() {
    climb(1, 800, Acceleration::None);
    climb(1, 800, Acceleration::Squarem);
    climb(2, 500, Acceleration::Squarem);
}
