use ember_core::em::Settings;
use ember_core::mixed::criterion::{Known, Problem};
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::factor::Factor;
use ember_core::mixed::profile::{profile, Curve, Plan};
use ember_core::mixed::slice::Parameter;
use ember_core::mixed::structure::Structure;
use ember_core::nalgebra::DMatrix;

use crate::models::{models, Model};

/// The criterion at natural parameters (standard deviations and correlations, σ, ratios, β), by another road:
/// Cholesky factors in the user's order, and β held by taking away Xβ.
fn criterion_at(model: &Model, reml: bool, natural: &[f64], coefficients: bool) -> f64 {
    let structure = &model.structure;
    let thetas = structure.parameters();
    let sigma = natural[thetas];
    let groups = model.dispersion.as_ref().map_or(1, |d| d.1);
    let mut theta = vec![0.0; thetas];
    for (term, &q) in structure.widths.iter().enumerate() {
        let mut sds = vec![0.0; q];
        for (entry, value) in structure.entries.iter().zip(natural) {
            if entry.term == term && entry.row == entry.column {
                sds[entry.row] = *value;
            }
        }
        let mut covariance: DMatrix<f64> =
            DMatrix::from_fn(
                q,
                q,
                |i, j| {
                    if i == j {
                        sds[i] * sds[i] + 1e-14
                    } else {
                        0.0
                    }
                },
            );
        for (entry, value) in structure.entries.iter().zip(natural) {
            if entry.term == term && entry.row != entry.column && value.is_finite() {
                let product = value * sds[entry.row] * sds[entry.column];
                covariance[(entry.row, entry.column)] = product;
                covariance[(entry.column, entry.row)] = product;
            }
        }
        let lower = covariance.cholesky().unwrap().l() / sigma;
        for (entry, value) in structure.entries.iter().zip(&mut theta) {
            if entry.term == term {
                *value = lower[(entry.row, entry.column)];
            }
        }
    }
    let rows = model.rows();
    let statistics = cross_products(&rows, 1).unwrap();
    let beta = &natural[thetas + groups..];
    let statistics = if coefficients {
        // All coefficients held: no columns are left, and y loses Xβ.
        let n = rows.len();
        let y: Vec<f64> = (0..n)
            .map(|i| {
                let kept = statistics.kept().iter().zip(beta);
                model.y[i] - kept.map(|(&j, b)| b * model.x[j * n + i]).sum::<f64>()
            })
            .collect();
        let mut bare = rows.clone();
        bare.response = &y;
        bare.fixed = ember_core::mixed::rows::FixedColumns::Dense {
            values: &[],
            columns: 0,
        };
        cross_products(&bare, 1).unwrap()
    } else {
        statistics
    };
    let known = Known {
        sigma: Some(sigma),
        deviations: Vec::new(),
    };
    let problem = Problem::new(&statistics, structure, reml, known).unwrap();
    let ratios = natural[thetas + 1..thetas + groups]
        .iter()
        .map(|ratio| ratio.ln());
    let coordinates: Vec<f64> = theta.into_iter().chain(ratios).collect();
    let mut factor = Factor::new(&statistics, structure).unwrap();
    problem.criterion(&mut factor, &coordinates).unwrap()
}

fn all_parameters(
    statistics: &CrossProducts,
    structure: &Structure,
    known: &Known,
) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = (0..structure.parameters())
        .filter(|&k| {
            let entry = structure.entries[k];
            known.deviations.iter().all(|d| d.term != entry.term)
        })
        .map(Parameter::Random)
        .collect();
    if known.sigma.is_none() {
        parameters.push(Parameter::Sigma);
    }
    parameters.extend((1..statistics.group_rows().len()).map(Parameter::Dispersion));
    parameters.extend((0..statistics.fixed_columns()).map(Parameter::Coefficient));
    parameters
}

fn curves(model: &Model, reml: bool, zetas: &[f64]) -> (Vec<Parameter>, Vec<Curve>) {
    let statistics = cross_products(&model.rows(), 1).unwrap();
    let problem = Problem::new(&statistics, &model.structure, reml, model.known.clone()).unwrap();
    let parameters = all_parameters(&statistics, &model.structure, &model.known);
    let settings = Settings::default();
    let plan = Plan {
        parameters: &parameters,
        zetas,
        settings: &settings,
        threads: 2,
    };
    let curves = profile(&problem, &problem.start(), &plan, &mut |_| true).unwrap();
    (parameters, curves)
}

#[test]
fn points_are_constrained_minima() {
    let zetas = [0.5, 1.0, 1.5, 1.959963984540054];
    // With more effects than rows the likelihood has no maximum.
    let small = |m: &&Model| {
        let effects: usize = m.terms.iter().map(|t| t.levels * t.columns.len()).sum();
        effects > 0 && effects < m.y.len() && m.structure.parameters() <= 6
    };
    for model in models().iter().filter(small) {
        for reml in [false, true] {
            let (parameters, curves) = curves(model, reml, &zetas);
            for (parameter, curve) in parameters.iter().zip(&curves) {
                let coefficient = matches!(parameter, Parameter::Coefficient(_));
                let reml = reml && !coefficient;
                let name = format!("{} {reml} {parameter:?}", model.name);
                if curve.points.is_empty() {
                    continue;
                }
                let centre = curve.points.iter().find(|p| p.zeta == 0.0).unwrap();
                let least = criterion_at(model, reml, &centre.parameters, coefficient);
                for (k, point) in curve.points.iter().enumerate() {
                    let value = criterion_at(model, reml, &point.parameters, coefficient);
                    let rise = point.zeta * point.zeta;
                    let gap = (value - least - rise).abs();
                    assert!(gap < 1e-5 * (1.0 + rise), "{name}: {gap} {point:?}");
                    if !curve.converged {
                        continue;
                    }
                    // Nothing next to it, with the parameter at its value, is lower.
                    let place = point.parameters.iter().position(|&p| p == point.value);
                    for other in 0..point.parameters.len() {
                        for sign in [-1.0, 1.0] {
                            let mut moved = point.parameters.clone();
                            moved[other] += sign * 1e-3 * moved[other].abs();
                            let free = Some(other) != place && held_elsewhere(model, other);
                            let correlation = model
                                .structure
                                .entries
                                .get(other)
                                .is_some_and(|e| e.row != e.column);
                            if !free
                                || correlation
                                || (!coefficient && other > model.structure.parameters())
                            {
                                continue;
                            }
                            let near = criterion_at(model, reml, &moved, coefficient);
                            assert!(near > value - 1e-7, "{name} {k} {other}: {near} {value}");
                        }
                    }
                }
            }
        }
    }
}

/// Whether a parameter is free in the model.
fn held_elsewhere(model: &Model, place: usize) -> bool {
    let known = match model.structure.entries.get(place) {
        Some(entry) => model.known.deviations.iter().any(|d| d.term == entry.term),
        None => place == model.structure.parameters() && model.known.sigma.is_some(),
    };
    !known
}

#[test]
fn slopes_are_the_derivatives_of_zeta() {
    let model = &models()[1];
    for reml in [false, true] {
        let (_, coarse) = curves(model, reml, &[1.0]);
        let (_, fine) = curves(model, reml, &[0.98, 1.0, 1.02]);
        for (coarse, fine) in coarse.iter().zip(&fine) {
            for point in coarse
                .points
                .iter()
                .filter(|p| (p.zeta.abs() - 1.0).abs() < 1e-3)
            {
                let near: Vec<_> = fine
                    .points
                    .iter()
                    .filter(|p| p.zeta * point.zeta > 0.0 && (p.zeta - point.zeta).abs() < 0.1)
                    .collect();
                let [first, .., last] = near[..] else {
                    panic!()
                };
                let slope = (last.zeta - first.zeta) / (last.value - first.value);
                assert!(
                    (slope / point.slope - 1.0).abs() < 0.01,
                    "{slope} {}",
                    point.slope
                );
            }
        }
    }
}

#[test]
fn curves_do_not_depend_on_threads_and_interrupts_are_errors() {
    let model = &models()[1];
    let statistics = cross_products(&model.rows(), 1).unwrap();
    let problem = Problem::new(&statistics, &model.structure, true, Known::default()).unwrap();
    let parameters = all_parameters(&statistics, &model.structure, &model.known);
    let settings = Settings::default();
    let run = |threads: usize, go_on: bool| {
        let plan = Plan {
            parameters: &parameters,
            zetas: &[1.0, 2.0],
            settings: &settings,
            threads,
        };
        profile(&problem, &problem.start(), &plan, &mut |_| go_on)
    };
    assert_eq!(format!("{:?}", run(1, true)), format!("{:?}", run(3, true)));
    // All curves may be done before anybody asks.
    let kind = run(1, false).map_or_else(|error| error.kind(), |_| "interrupted");
    assert_eq!(kind, "interrupted");
}
