//! Against the definition: the mode by a dense Newton iteration, and what must not change the value.

use ember_core::glmm::family::Family;
use ember_core::glmm::laplace::Laplace;
use ember_core::glmm::problem::{Criterion, Parameters, Problem};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;
use ember_core::nalgebra::{DMatrix, DVector};

use crate::models::{Data, EFFECTS, FAMILIES};

fn point(data: &Data, problem: &Problem) -> Vec<f64> {
    let (beta, scale) = data.point();
    problem.locate(&Parameters {
        theta: data.theta().iter().map(|x| scale * x).collect(),
        beta,
        shape: Some(1.7),
    })
}

/// ZΛ in full.
fn scaled_effects(problem: &Problem, theta: &[f64]) -> DMatrix<f64> {
    let rows = problem.rows;
    let mut columns = Vec::new();
    for (t, term) in rows.terms.iter().enumerate() {
        let lambda = problem.structure.lambda(t, theta);
        for level in 1..=term.levels as i32 {
            for c in 0..lambda.ncols() {
                columns.push(DVector::from_fn(rows.len(), |i, _| {
                    let z = term.columns.iter().map(|column: &Column| column.at(i));
                    let along: f64 = z.enumerate().map(|(r, z)| z * lambda[(r, c)]).sum();
                    if term.codes[i] == level {
                        along
                    } else {
                        0.0
                    }
                }));
            }
        }
    }
    DMatrix::from_columns(&columns)
}

/// -2 log-likelihood with a dense H, the mode by plain Newton steps from the mode found.
fn dense(laplace: &mut Laplace, problem: &Problem, psi: &[f64]) -> f64 {
    laplace.value(psi).unwrap();
    let rows = problem.rows;
    let parameters = problem.parameters(psi);
    let z = scaled_effects(problem, &parameters.theta);
    let mut u = DVector::from_iterator(
        z.ncols(),
        (0..rows.terms.len()).flat_map(|t| laplace.spherical_modes(t).to_vec()),
    );
    let fixed = DVector::from_column_slice(laplace.eta()) - &z * &u;
    let log_shape = problem.log_shape(psi);
    let mut value = 0.0;
    for _ in 0..3 {
        let eta = &fixed + &z * &u;
        let terms = |i: usize| {
            let family = problem.family;
            family.derivatives(rows.response[i], rows.weight(i), eta[i], log_shape)
        };
        let weights = DVector::from_fn(rows.len(), |i, _| terms(i).weight);
        let scores = DVector::from_fn(rows.len(), |i, _| terms(i).score);
        let weighted = DMatrix::from_fn(z.nrows(), z.ncols(), |i, j| weights[i] * z[(i, j)]);
        let h = z.tr_mul(&weighted) + DMatrix::identity(z.ncols(), z.ncols());
        let cholesky = h.cholesky().unwrap();
        let density: f64 = (0..rows.len())
            .map(|i| {
                let family = problem.family;
                family.log_density(rows.response[i], rows.weight(i), eta[i], log_shape)
            })
            .sum();
        let log_det: f64 = cholesky.l().diagonal().iter().map(|x| 2.0 * x.ln()).sum();
        value = -2.0 * density + u.norm_squared() + log_det;
        u += cholesky.solve(&(z.tr_mul(&scores) - &u));
    }
    value
}

#[test]
fn the_criterion_is_its_definition() {
    for (distribution, link) in FAMILIES {
        for effects in EFFECTS {
            let data = Data::new(Family::new(distribution, link).unwrap(), effects);
            let (rows, structure) = (data.rows(), data.structure());
            let problem = Problem::new(&rows, data.family, &structure, None).unwrap();
            let psi = point(&data, &problem);
            let mut laplace = Laplace::new(&problem, 1).unwrap();
            let value = laplace.value(&psi).unwrap();
            let expected = dense(&mut laplace, &problem, &psi);
            assert!(
                (value - expected).abs() < 1e-10,
                "{:?} {effects:?}: {value} {expected}",
                data.family
            );
        }
    }
}

#[test]
fn the_value_does_not_depend_on_the_way_there() {
    for (distribution, link) in FAMILIES {
        let data = Data::new(Family::new(distribution, link).unwrap(), EFFECTS[3]);
        let (rows, structure) = (data.rows(), data.structure());
        let problem = Problem::new(&rows, data.family, &structure, None).unwrap();
        let psi = point(&data, &problem);
        let mut fresh = Laplace::new(&problem, 1).unwrap();
        let value = fresh.value(&psi).unwrap();
        let mut travelled = Laplace::new(&problem, 2).unwrap();
        for factor in [0.5, 1.1, 0.97] {
            let elsewhere: Vec<f64> = psi.iter().map(|x| factor * x).collect();
            // Some are outside the domain of the link.
            let _ = travelled.value(&elsewhere);
        }
        let again = travelled.value(&psi).unwrap();
        assert!((value - again).abs() < 1e-10, "{:?}", data.family);
    }
}

/// Compressed columns of a dense matrix.
fn compress(values: &[f64], n: usize) -> (Vec<i32>, Vec<i32>, Vec<f64>) {
    let (mut starts, mut rows, mut entries) = (vec![0], Vec::new(), Vec::new());
    for column in values.chunks_exact(n) {
        for (i, &x) in column.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            rows.push(i as i32);
            entries.push(x);
        }
        starts.push(rows.len() as i32);
    }
    (starts, rows, entries)
}

#[test]
fn a_sparse_model_matrix_changes_nothing() {
    let (distribution, link) = FAMILIES[8];
    let data = Data::new(Family::new(distribution, link).unwrap(), EFFECTS[3]);
    let (rows, structure) = (data.rows(), data.structure());
    let FixedColumns::Dense { values, columns } = rows.fixed else {
        panic!("the example is dense");
    };
    let (starts, indices, entries) = compress(values, rows.len());
    let sparse = Rows {
        fixed: FixedColumns::Sparse {
            columns,
            starts: &starts,
            rows: &indices,
            values: &entries,
        },
        ..rows.clone()
    };
    let here = Parameters {
        theta: data.theta(),
        beta: vec![0.3, -0.4, 0.2],
        shape: Some(1.7),
    };
    let there = Parameters {
        theta: vec![0.7, -0.2, 0.6, 0.3],
        beta: vec![1.3, 0.4, -0.5],
        shape: Some(2.7),
    };
    let found = [&rows, &sparse].map(|rows| {
        let problem = Problem::new(rows, data.family, &structure, None).unwrap();
        let mut laplace = Laplace::new(&problem, 1).unwrap();
        let (psi, other) = (problem.locate(&here), problem.locate(&there));
        let mut gradient = vec![0.0; psi.len()];
        let value = laplace.gradient(&psi, &mut gradient).unwrap();
        let way = psi.iter().zip(&other).zip(&gradient);
        let along: f64 = way.map(|((a, b), slope)| slope * (b - a)).sum();
        [value, along]
    });
    for (dense, sparse) in found[0].iter().zip(&found[1]) {
        assert!(
            (dense - sparse).abs() < 1e-10 * dense.abs(),
            "{dense} {sparse}"
        );
    }
}

#[test]
fn threads_do_not_change_bits() {
    // Long enough for several shards.
    let n = 40_000;
    let hash = |i: usize| (i as f64 * 0.618_034).fract();
    let y: Vec<f64> = (0..n).map(|i| f64::from(u8::from(hash(i) > 0.4))).collect();
    let x: Vec<f64> = (0..2 * n)
        .map(|i| if i < n { 1.0 } else { hash(7 * i) })
        .collect();
    let codes = [50, 7]
        .map(|levels| -> Vec<i32> { (0..n).map(|i| (i * 31 / 7 % levels) as i32 + 1).collect() });
    let term = |k: usize, levels: usize| TermRows {
        codes: &codes[k],
        levels,
        columns: vec![Column::One, Column::Values(&x[n..])],
    };
    let rows = Rows {
        response: &y,
        offset: None,
        weights: None,
        fixed: FixedColumns::Dense {
            values: &x,
            columns: 2,
        },
        terms: vec![term(0, 50), term(1, 7)],
        dispersion: None,
    };
    let structure = Structure::full(&[2, 2]);
    let (distribution, link) = FAMILIES[0];
    let family = Family::new(distribution, link).unwrap();
    let problem = Problem::new(&rows, family, &structure, None).unwrap();
    let psi = [0.5, 0.1, 0.4, 0.3, -0.1, 0.2, 20.0, 3.0];
    let results = [1, 2, 3].map(|threads| {
        let mut laplace = Laplace::new(&problem, threads).unwrap();
        let mut gradient = vec![0.0; psi.len()];
        let value = laplace.gradient(&psi, &mut gradient).unwrap();
        gradient.push(value);
        gradient.iter().map(|x| x.to_bits()).collect::<Vec<u64>>()
    });
    assert!(results[0] == results[1] && results[0] == results[2]);
}

#[test]
fn a_negative_binomial_of_huge_shape_is_a_poisson() {
    let values = [(5, None), (8, Some(1e9))].map(|(which, shape)| {
        let (distribution, link) = FAMILIES[which];
        let data = Data::new(Family::new(distribution, link).unwrap(), EFFECTS[3]);
        let (rows, structure) = (data.rows(), data.structure());
        let problem = Problem::new(&rows, data.family, &structure, shape).unwrap();
        let psi = point(&data, &problem);
        let mut laplace = Laplace::new(&problem, 1).unwrap();
        let value = laplace.value(&psi).unwrap();
        assert!(laplace.passes() < 15);
        value
    });
    assert!((values[0] - values[1]).abs() < 1e-4, "{values:?}");
}

#[test]
fn one_effect_per_row_is_a_product_of_integrals() {
    let n = 3000;
    let y: Vec<f64> = (0..n).map(|i| (i * i % 7) as f64).collect();
    let x = vec![1.0; n];
    let codes: Vec<i32> = (1..=n as i32).collect();
    let rows = Rows {
        response: &y,
        offset: None,
        weights: None,
        fixed: FixedColumns::Dense {
            values: &x,
            columns: 1,
        },
        terms: vec![TermRows {
            codes: &codes,
            levels: n,
            columns: vec![Column::One],
        }],
        dispersion: None,
    };
    let structure = Structure::full(&[1]);
    let family = Family::from_names("poisson", "log").unwrap();
    let problem = Problem::new(&rows, family, &structure, None).unwrap();
    let (theta, beta) = (0.9, 0.7);
    let psi = problem.locate(&Parameters {
        theta: vec![theta],
        beta: vec![beta],
        shape: None,
    });
    let value = Laplace::new(&problem, 1).unwrap().value(&psi).unwrap();
    let one = |y: f64| {
        let mut u = 0.0;
        for _ in 0..60 {
            let mu = (beta + theta * u).exp();
            u += (theta * (y - mu) - u) / (theta * theta * mu + 1.0);
        }
        let eta = beta + theta * u;
        let density = family.log_density(y, 1.0, eta, 0.0);
        -2.0 * density + u * u + (theta * theta * eta.exp()).ln_1p()
    };
    let expected: f64 = y.iter().map(|&y| one(y)).sum();
    assert!((value - expected).abs() < 1e-10 * expected);
}
