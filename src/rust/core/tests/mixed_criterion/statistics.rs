//! What cross-products promise: responses exchanged, coefficients held, bits that do not depend on threads.

use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::factor::Factor;

use crate::models::{models, Model};

/// Criterion (ML, at the start) and coefficients.
fn evaluate(model: &Model, statistics: &CrossProducts) -> (f64, Vec<f64>) {
    let mut factor = Factor::new(statistics, &model.structure).unwrap();
    let known = model.known.clone();
    let problem = Problem::new(statistics, &model.structure, false, known).unwrap();
    let mut start = problem.start();
    if problem.sigma_is_free() {
        // The start depends on y; the comparison must not.
        let sigma = problem.free().len();
        start[sigma] = 0.1;
    }
    let criterion = problem.criterion(&mut factor, &start).unwrap();
    (criterion, factor.coefficients().as_slice().to_vec())
}

fn same(what: &str, got: (f64, Vec<f64>), wanted: (f64, Vec<f64>)) {
    assert!((got.0 - wanted.0).abs() < 1e-9 * wanted.0.abs(), "{what}");
    assert_eq!(got.1.len(), wanted.1.len());
    for (got, wanted) in got.1.iter().zip(&wanted.1) {
        assert!(
            (got - wanted).abs() < 1e-8 * (1.0 + wanted.abs()),
            "{what}: {got}, {wanted}"
        );
    }
}

#[test]
fn another_response_gives_the_statistics_of_another_fit() {
    for mut model in models() {
        let first = cross_products(&model.rows(), 1).unwrap();
        let y: Vec<f64> = (0..model.y.len())
            .map(|i| 1e3 + (i * i % 17) as f64)
            .collect();
        let exchanged = first.with_response(&model.rows(), &y).unwrap();
        assert!(first.with_response(&model.rows(), &y[1..]).is_err());
        model.y = y;
        let fresh = cross_products(&model.rows(), 1).unwrap();
        same(
            model.name,
            evaluate(&model, &exchanged),
            evaluate(&model, &fresh),
        );
    }
}

#[test]
fn a_coefficient_held_at_a_value_moves_into_the_offset() {
    for mut model in models() {
        let full = cross_products(&model.rows(), 1).unwrap();
        for j in 0..full.fixed_columns() {
            let held = full.without_column(j, 0.7);
            let n = model.y.len();
            let column = full.kept()[j];
            let (y, x) = (model.y.clone(), model.x.clone());
            let (sparse, columns) = (model.sparse.take(), model.columns);
            for i in 0..n {
                model.y[i] -= 0.7 * x[column * n + i];
            }
            let kept = full.kept().iter().filter(|&&k| k != column);
            model.x = kept.flat_map(|&k| x[k * n..(k + 1) * n].to_vec()).collect();
            model.columns = full.fixed_columns() - 1;
            let fresh = cross_products(&model.rows(), 1).unwrap();
            same(
                model.name,
                evaluate(&model, &held),
                evaluate(&model, &fresh),
            );
            (model.y, model.x, model.sparse, model.columns) = (y, x, sparse, columns);
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    for mut model in models() {
        // Many copies of the rows, so that there is something to share.
        let copies = 150;
        let n = model.y.len();
        let repeat = |values: &[f64]| -> Vec<f64> {
            let columns = values.chunks_exact(n);
            columns.flat_map(|column| column.repeat(copies)).collect()
        };
        if model.sparse.take().is_some() {
            continue;
        }
        model.x = repeat(&model.x);
        model.y = repeat(&model.y);
        model.weights = model.weights.map(|weights| repeat(&weights));
        model.offset = model.offset.map(|offset| repeat(&offset));
        model.dispersion = model
            .dispersion
            .map(|(codes, groups)| (codes.repeat(copies), groups));
        for term in &mut model.terms {
            term.codes = term.codes.repeat(copies);
            term.columns
                .iter_mut()
                .for_each(|column| *column = column.repeat(copies));
        }
        let one = evaluate(&model, &cross_products(&model.rows(), 1).unwrap());
        for threads in [2, 5] {
            let many = evaluate(&model, &cross_products(&model.rows(), threads).unwrap());
            assert_eq!(one.0.to_bits(), many.0.to_bits(), "{}", model.name);
            assert_eq!(one.1, many.1);
        }
    }
}

#[test]
fn blocks_of_the_inverse_are_those_that_solving_gives() {
    for model in models() {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let mut factor = Factor::new(&statistics, &model.structure).unwrap();
        let theta: Vec<f64> = (0..model.structure.parameters())
            .map(|k| 0.8 - 0.1 * k as f64)
            .collect();
        factor
            .update(&statistics, &model.structure, &theta, &[])
            .unwrap();
        let selected = factor.selected_inverse(true).clone();
        let sizes = statistics.widths().iter().zip(statistics.levels());
        let mut starts = vec![0];
        sizes.for_each(|(q, levels)| starts.push(starts[starts.len() - 1] + q * levels));
        let effects = starts[starts.len() - 1];
        let p = statistics.fixed_columns();
        let column = |k: usize| {
            let mut column = vec![0.0; effects + p];
            column[k] = 1.0;
            factor.solve(&mut column);
            column
        };
        let near = |got: f64, wanted: f64| {
            assert!(
                (got - wanted).abs() < 1e-10,
                "{}: {got} instead of {wanted}",
                model.name
            );
        };
        for t in 0..statistics.terms() {
            let q = statistics.widths()[t];
            for k in 0..q * statistics.levels()[t] {
                let solved = column(starts[t] + k);
                let (level, a) = (k / q, k % q);
                for b in 0..q {
                    let got = selected.diagonal(t)[level * q * q + a * q + b];
                    near(got, solved[starts[t] + level * q + b]);
                }
                for (k, pairs) in statistics.pairs().iter().enumerate() {
                    let width = statistics.widths()[pairs.second];
                    if pairs.first != t {
                        continue;
                    }
                    for e in pairs.range(level) {
                        for b in 0..width {
                            let got = selected.pairs(k)[(e * width + b) * q + a];
                            let at = starts[pairs.second] + pairs.levels[e] as usize * width + b;
                            near(got, solved[at]);
                        }
                    }
                }
            }
        }
        let transform = statistics.transform();
        let covariance = &transform * selected.coefficients() * transform.transpose();
        for j in 0..p {
            let solved = column(effects + j);
            (0..p).for_each(|i| near(covariance[(i, j)], solved[effects + i]));
        }
    }
}
