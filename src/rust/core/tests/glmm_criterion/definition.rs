//! Against the definition: the mode by a dense Newton iteration, and what must not change the value.

use ember_core::glmm::family::Family;
use ember_core::glmm::laplace::Laplace;
use ember_core::glmm::problem::{Criterion, Parameters, Problem};
use ember_core::mixed::rows::Column;
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

#[test]
fn the_curvature_of_the_fixed_effects_is_that_of_the_weighted_model() {
    let (distribution, link) = FAMILIES[0];
    for effects in EFFECTS {
        let data = Data::new(Family::new(distribution, link).unwrap(), effects);
        let (rows, structure) = (data.rows(), data.structure());
        let problem = Problem::new(&rows, data.family, &structure, None).unwrap();
        let psi = point(&data, &problem);
        let mut laplace = Laplace::new(&problem, 1).unwrap();
        laplace.value(&psi).unwrap();
        let z = scaled_effects(&problem, &problem.parameters(&psi).theta);
        let x = DMatrix::from_fn(rows.len(), 3, |i, j| match rows.fixed {
            ember_core::mixed::rows::FixedColumns::Dense { values, .. } => {
                values[j * rows.len() + i]
            }
            _ => 0.0,
        });
        let x = x * problem.basis().matrix();
        let inverse_weights = laplace.weights().iter().map(|w| 1.0 / w);
        let diagonal = DVector::from_iterator(rows.len(), inverse_weights);
        let v = &z * z.transpose() + DMatrix::from_diagonal(&diagonal);
        let expected = x.tr_mul(&v.lu().solve(&x).unwrap());
        assert!((laplace.fixed_curvature() - &expected).amax() < 1e-10 * expected.amax());
    }
}
