//! Groups are independent, and neither their order nor the number of threads matters.

use ember_core::glmm::family::{Distribution, Link};
use ember_core::glmm::laplace::Laplace;
use ember_core::glmm::modes::Modes;
use ember_core::glmm::problem::{Criterion, Problem};
use ember_core::glmm::quadrature::AdaptiveQuadrature;
use ember_core::Error;

use crate::gradient::coordinates;
use crate::models::{draw, FAMILIES};

#[test]
fn the_order_of_rows_does_not_matter() {
    for family in FAMILIES {
        let (model, at) = draw(family, 2, 600, 70, 31);
        let (copy, _) = draw(family, 2, 600, 70, 31);
        let mut results = Vec::new();
        for model in [model, copy.sorted()] {
            let rows = model.rows();
            let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
            let mut quadrature = AdaptiveQuadrature::new(&problem, 3, 1).unwrap();
            let psi = coordinates(&problem, &model, &at);
            let mut gradient = vec![0.0; psi.len()];
            let value = quadrature.gradient(&psi, &mut gradient).unwrap();
            results.push((value, gradient, quadrature.log_likelihoods().to_vec()));
        }
        let [(value, gradient, logs), (sorted, slopes, sums)] = &results[..] else {
            unreachable!()
        };
        assert!((value - sorted).abs() < 1e-10 * value.abs());
        let scale = gradient.iter().fold(1.0, |m: f64, g| m.max(g.abs()));
        // β̃ may have another sign: its basis depends on the order of the rows.
        for (a, b) in gradient.iter().zip(slopes) {
            assert!(
                (a.abs() - b.abs()).abs() < 1e-8 * scale,
                "{family:?} {a} {b}"
            );
        }
        for (a, b) in logs.iter().zip(sums) {
            assert!(
                (a - b).abs() < 1e-10 * (1.0 + a.abs()),
                "{family:?} {a} {b}"
            );
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    for (family, width) in [(FAMILIES[0], 1), (FAMILIES[5], 1), (FAMILIES[8], 2)] {
        let (model, at) = draw(family, width, 9000, 800, 32);
        let rows = model.rows();
        let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
        let psi = coordinates(&problem, &model, &at);
        let evaluate = |threads: usize| {
            let mut quadrature = AdaptiveQuadrature::new(&problem, 7, threads).unwrap();
            let mut gradient = vec![0.0; psi.len()];
            let value = quadrature.gradient(&psi, &mut gradient).unwrap();
            (value, gradient)
        };
        assert_eq!(evaluate(1), evaluate(3));
    }
}

/// What the whole says is the sum of what models of one level each say.
#[test]
fn groups_add_up() {
    for family in [FAMILIES[1], FAMILIES[5], FAMILIES[9]] {
        let (model, at) = draw(family, 2, 60, 5, 33);
        let rows = model.rows();
        let problem = Problem::new(&rows, model.family, &model.structure, Some(2.3)).unwrap();
        let psi = coordinates(&problem, &model, &at);
        let mut whole = AdaptiveQuadrature::new(&problem, 5, 1).unwrap();
        let value = whole.value(&psi).unwrap();
        let mut sum = 0.0;
        for level in 1..=5 {
            let (mut part, _) = draw(family, 2, 60, 5, 33);
            let kept: Vec<usize> = (0..60).filter(|&i| part.codes[i] == level).collect();
            let pick = |values: &[f64]| -> Vec<f64> { kept.iter().map(|&i| values[i]).collect() };
            part.x = part.x.chunks(60).flat_map(pick).collect();
            part.y = pick(&part.y);
            part.offset = part.offset.as_deref().map(pick);
            part.weights = part.weights.as_deref().map(pick);
            part.z[1] = pick(&part.z[1]);
            part.codes = vec![1; kept.len()];
            part.levels = 1;
            let rows = part.rows();
            let problem = Problem::new(&rows, part.family, &part.structure, Some(2.3)).unwrap();
            let psi = coordinates(&problem, &part, &at);
            let mut quadrature = AdaptiveQuadrature::new(&problem, 5, 1).unwrap();
            sum += quadrature.value(&psi).unwrap();
        }
        assert!((value - sum).abs() < 1e-10 * value.abs(), "{family:?}");
    }
}

/// A random slope of 1 is a random intercept, which for counts goes through sums over groups instead.
#[test]
fn sums_over_groups_say_the_same() {
    let (sums, at) = draw((Distribution::Poisson, Link::Log), 1, 300, 40, 34);
    let (mut plain, _) = draw((Distribution::Poisson, Link::Log), 1, 300, 40, 34);
    plain.z[0] = vec![1.0; 300];
    let mut results = Vec::new();
    for model in [sums, plain] {
        let rows = model.rows();
        let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
        let psi = coordinates(&problem, &model, &at);
        let mut quadrature = AdaptiveQuadrature::new(&problem, 7, 1).unwrap();
        let mut all = vec![0.0; psi.len()];
        let value = quadrature.gradient(&psi, &mut all).unwrap();
        all.push(value);
        all.extend([
            quadrature.conditional(),
            quadrature.penalty(),
            quadrature.log_det_random(),
        ]);
        all.extend(quadrature.linear_predictor());
        all.extend(quadrature.conditional_variances());
        all.extend(quadrature.spherical()[0].iter());
        results.push(all);
    }
    for (a, b) in results[0].iter().zip(&results[1]) {
        assert!((a - b).abs() < 1e-10 * (1.0 + a.abs()), "{a} {b}");
    }
}

#[test]
fn levels_without_rows_say_nothing() {
    for family in [FAMILIES[0], FAMILIES[5]] {
        let (mut model, at) = draw(family, 1, 50, 5, 35);
        let evaluate = |model: &crate::models::Model| {
            let rows = model.rows();
            let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
            let psi = coordinates(&problem, model, &at);
            let mut quadrature = AdaptiveQuadrature::new(&problem, 9, 1).unwrap();
            quadrature.value(&psi).unwrap()
        };
        let value = evaluate(&model);
        model.levels = 8;
        assert!((evaluate(&model) - value).abs() < 1e-11 * value);
    }
}

#[test]
fn wrong_numbers_of_nodes_are_refused() {
    let (model, at) = draw(FAMILIES[7], 1, 50, 5, 36);
    let rows = model.rows();
    let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
    for nodes in [0, 101] {
        let refused = AdaptiveQuadrature::new(&problem, nodes, 1).unwrap_err();
        assert!(matches!(
            refused,
            Error::Argument {
                argument: "n_agq",
                ..
            }
        ));
    }
    // A mean below zero is an error and spoils nothing.
    let psi = coordinates(&problem, &model, &at);
    let mut quadrature = AdaptiveQuadrature::new(&problem, 5, 1).unwrap();
    let value = quadrature.value(&psi).unwrap();
    let away: Vec<f64> = psi.iter().map(|x| -x).collect();
    assert!(matches!(
        quadrature.value(&away),
        Err(Error::Numerical { .. })
    ));
    assert!(quadrature.value(&vec![f64::NAN; psi.len()]).is_err());
    assert!((quadrature.value(&psi).unwrap() - value).abs() < 1e-10);
}

/// One node is Laplace's approximation, with its gradient, modes and conditional variances.
#[test]
fn one_node_is_laplace() {
    for family in FAMILIES {
        for width in [1, 2, 3] {
            let (model, at) = draw(family, width, 120, 14, 37);
            let rows = model.rows();
            let problem = Problem::new(&rows, model.family, &model.structure, None).unwrap();
            let psi = coordinates(&problem, &model, &at);
            let mut quadrature = AdaptiveQuadrature::new(&problem, 1, 1).unwrap();
            let mut laplace = Laplace::new(&problem, 1).unwrap();
            let [mut slopes, mut expected] = [vec![0.0; psi.len()], vec![0.0; psi.len()]];
            let value = quadrature.gradient(&psi, &mut slopes).unwrap();
            let same = laplace.gradient(&psi, &mut expected).unwrap();
            assert!((value - same).abs() < 1e-10, "{family:?} {value} {same}");
            let close = |a: f64, b: f64| (a - b).abs() < 1e-8 * (1.0 + b.abs());
            let mut pairs: Vec<(f64, f64)> = slopes.into_iter().zip(expected).collect();
            let u = quadrature.spherical();
            pairs.extend(
                u[0].iter()
                    .copied()
                    .zip(laplace.spherical_modes(0).iter().copied()),
            );
            let eta = quadrature.linear_predictor();
            pairs.extend(eta.into_iter().zip(laplace.eta().iter().copied()));
            let conditional = -2.0 * laplace.conditional_log_likelihood();
            pairs.push((quadrature.conditional(), conditional));
            pairs.push((
                quadrature.log_det_random(),
                laplace.factor().log_det_random(),
            ));
            for (a, b) in pairs {
                assert!(close(a, b), "{family:?} width {width}: {a} {b}");
            }
        }
    }
}
