use libm::erfc;

use super::super::expect::{expect, Statistics};
use super::super::score::{evaluate, log_likelihoods, outer_products, row_scores, score};
use super::super::{Coordinates, Layout};
use super::*;

fn log_phi(x: f64) -> f64 {
    (0.5 * erfc(-x / std::f64::consts::SQRT_2)).ln()
}

/// Heckman's log-likelihood of one row, from the textbook.
fn heckman(data: &Data, at: &Parameters, row: usize) -> f64 {
    let index = predictor(data, at, 1, row);
    if !data.is_selected(row, 0) {
        return log_phi(-index);
    }
    let sigma = at.omega[(0, 0)].sqrt();
    let rho = at.omega[(0, 1)] / sigma;
    let residual = (data.response[row] - predictor(data, at, 0, row)) / sigma;
    let density = -0.5 * residual * residual - sigma.ln() - 0.5 * std::f64::consts::TAU.ln();
    density + log_phi((index + rho * residual) / (1.0 - rho * rho).sqrt())
}

#[test]
fn one_equation_is_heckmans_likelihood() {
    let example = weighted(Example::new(1, 700));
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let at = nearby(&layout, &example.parameters);
    let logs = log_likelihoods(&data, &layout, &at, &EXACT, 1).unwrap();
    let mut total = 0.0;
    for (row, log) in logs.iter().enumerate() {
        let expected = heckman(&data, &at, row);
        let difference = (log - expected).abs();
        assert!(
            difference < 1e-11 * (1.0 + expected.abs()),
            "row {row}: {log} {expected}"
        );
        total += data.weight(row) * expected;
    }
    let statistics = expect(&data, &layout, &at, &EXACT, 1).unwrap();
    assert!((statistics.log_likelihood - total).abs() < 1e-9);
    assert!((statistics.weight - data.total_weight).abs() < 1e-9);
}

/// The density of the outcomes that are seen and s* of one row, integrated over the signs of s* by Simpson's rule.
fn by_quadrature(data: &Data, at: &Parameters, row: usize) -> f64 {
    const PANELS: usize = 600;
    const WIDTH: f64 = 9.0;
    let j = data.equations;
    let known: Vec<usize> = (0..2 * j)
        .filter(|&a| a >= j || data.is_selected(row, a))
        .collect();
    let omega = DMatrix::from_fn(known.len(), known.len(), |a, b| {
        at.omega[(known[a], known[b])]
    });
    let scale = (omega.clone() * std::f64::consts::TAU).determinant().sqrt();
    let precision = omega.try_inverse().unwrap();
    let index = |a: usize| predictor(data, at, a, row);
    let density = |s: [f64; 2]| {
        let errors = known.iter().map(|&a| match a < j {
            true => data.response[a * data.n + row] - index(a),
            false => s[a - j] - index(a),
        });
        let errors = nalgebra::DVector::from_iterator(known.len(), errors);
        (-0.5 * errors.dot(&(&precision * &errors))).exp() / scale
    };
    // From 0 to where nothing is left.
    let signs = [0, 1].map(|a| if data.is_selected(row, a) { 1.0 } else { -1.0 });
    let step = WIDTH / PANELS as f64;
    let weight = |i: usize| match i {
        0 | PANELS => 1.0,
        _ => 2.0 * (1 + i % 2) as f64,
    };
    let mut sum = 0.0;
    for i in 0..=PANELS {
        for k in 0..=PANELS {
            let s = [signs[0] * step * i as f64, signs[1] * step * k as f64];
            sum += weight(i) * weight(k) * density(s);
        }
    }
    (sum * step * step / 9.0).ln()
}

#[test]
fn two_equations_are_the_integral_of_the_density() {
    let example = Example::new(2, 60);
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let at = nearby(&layout, &example.parameters);
    let logs = log_likelihoods(&data, &layout, &at, &EXACT, 1).unwrap();
    assert_eq!(data.distinct, [0, 1, 2, 3]);
    for &pattern in &data.distinct {
        let rows = (0..data.n).filter(|&i| data.patterns[i] == pattern);
        for row in rows.take(3) {
            let expected = by_quadrature(&data, &at, row);
            assert!(
                (logs[row] - expected).abs() < 1e-8,
                "{} {expected}",
                logs[row]
            );
        }
    }
}

/// The score against differences of the log-likelihood.
fn check_score(equations: usize, rows: usize, tolerance: f64) {
    let example = weighted(Example::new(equations, rows));
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let at = nearby(&layout, &example.parameters);
    let naturals = layout.naturals(&at);
    let log_likelihood = |naturals: &[f64]| {
        let at = layout.parameters(naturals).unwrap();
        vec![
            expect(&data, &layout, &at, &EXACT, 1)
                .unwrap()
                .log_likelihood,
        ]
    };
    let expected = differences(&naturals, 1e-5, log_likelihood);
    let statistics = expect(&data, &layout, &at, &EXACT, 1).unwrap();
    let exact = score(&statistics, &layout, &at).unwrap();
    let size = 1.0 + expected.amax();
    for k in 0..layout.len() {
        let difference = (exact[k] - expected[(0, k)]).abs();
        assert!(
            difference < tolerance * size,
            "{k}: {} {}",
            exact[k],
            expected[(0, k)]
        );
    }
    // Row by row.
    let rows = row_scores(&data, &layout, &at, &EXACT, 2).unwrap();
    let rows = DMatrix::from_vec(data.n, layout.len(), rows);
    assert!((rows.row_sum().transpose() - &exact).amax() < 1e-9 * size);
    let roots = DMatrix::from_fn(data.n, layout.len(), |i, k| {
        rows[(i, k)] / data.weight(i).sqrt()
    });
    let outer = outer_products(&data, &layout, &at, &EXACT, 2).unwrap();
    assert!((roots.tr_mul(&roots) - &outer).amax() < 1e-10 * outer.amax());
    // In the unconstrained coordinates.
    let coordinates = Coordinates::new(&layout);
    let w = coordinates.locate(&at).unwrap();
    let evaluation = evaluate(&data, &coordinates, &w, &EXACT, 1).unwrap();
    let log_likelihood = |w: &[f64]| {
        let evaluation = evaluate(&data, &coordinates, w, &EXACT, 1).unwrap();
        vec![evaluation.log_likelihood]
    };
    let expected = differences(&w, 1e-5, log_likelihood);
    let size = 1.0 + expected.amax();
    assert!((evaluation.score.transpose() - expected).amax() < tolerance * size);
}

#[test]
fn the_score_is_the_derivative_of_the_log_likelihood() {
    check_score(1, 600, 1e-7);
    check_score(2, 300, 1e-7);
    check_score(3, 60, 1e-7);
}

/// Equal up to the last bit.
fn assert_same(a: &Statistics, b: &Statistics) {
    assert_eq!(a.log_likelihood.to_bits(), b.log_likelihood.to_bits());
    assert_eq!(a.second, b.second);
    assert_eq!(a.cross, b.cross);
}

#[test]
fn threads_do_not_change_bits() {
    for equations in [1, 2] {
        let example = Example::new(equations, 1500);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let at = &example.parameters;
        let one = expect(&data, &layout, at, &EXACT, 1).unwrap();
        let scores = row_scores(&data, &layout, at, &EXACT, 1).unwrap();
        for threads in [2, 3] {
            assert_same(&one, &expect(&data, &layout, at, &EXACT, threads).unwrap());
            let again = row_scores(&data, &layout, at, &EXACT, threads).unwrap();
            assert!(again
                .iter()
                .zip(&scores)
                .all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
