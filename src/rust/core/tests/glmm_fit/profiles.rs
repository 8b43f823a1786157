//! Profiles: every point is a minimum with one parameter held.

use ember_core::em::Settings;
use ember_core::glmm::family::{Distribution, Link};
use ember_core::glmm::laplace::Laplace;
use ember_core::glmm::problem::{Criterion, Parameters};
use ember_core::glmm::profile::{profile, Estimate, Parameter, Plan};

use super::data::cbpp;

#[test]
fn points_are_constrained_minima_at_the_values_of_zeta() {
    let data = cbpp();
    let fit = data.fit(Distribution::Binomial, Link::Logit).unwrap();
    data.problem(Distribution::Binomial, Link::Logit, |problem| {
        let estimate = Estimate {
            problem,
            n_agq: 1,
            psi: &fit.psi,
            covariance: &fit.verdict.covariance,
        };
        let plan = Plan {
            parameters: &[Parameter::Random(0), Parameter::Coefficient(2)],
            zetas: &[1.0, 2.0],
            settings: &Settings::default(),
            threads: 2,
        };
        let curves = profile(&estimate, &plan, &mut |_| true).unwrap();
        let mut laplace = Laplace::new(problem, 1).unwrap();
        let transform = problem.basis().matrix();
        for (curve, held) in curves.iter().zip([0, 3]) {
            assert!(curve.monotone && curve.converged && curve.drop == 0.0);
            assert_eq!(curve.points.len(), 5);
            for (point, zeta) in curve.points.iter().zip([-2.0, -1.0, 0.0, 1.0, 2.0]) {
                assert!((point.zeta - zeta).abs() < 1e-3);
                let psi = problem.locate(&Parameters {
                    theta: vec![point.parameters[0]],
                    beta: point.parameters[1..].to_vec(),
                    shape: None,
                });
                let mut gradient = vec![0.0; 5];
                let value = laplace.gradient(&psi, &mut gradient).unwrap();
                assert!((value - fit.criterion - point.zeta * point.zeta).abs() < 1e-7);
                // By β.
                let rotated = ember_core::nalgebra::DVector::from_column_slice(&gradient[1..]);
                let by_beta = transform.transpose().lu().solve(&rotated).unwrap();
                gradient[1..].copy_from_slice(by_beta.as_slice());
                gradient[held] = 0.0;
                assert!(gradient.iter().all(|g| g.abs() < 1e-4), "{gradient:?}");
            }
        }
    });
}

#[test]
fn parameters_that_do_not_exist_are_refused() {
    let data = cbpp();
    let fit = data.fit(Distribution::Binomial, Link::Logit).unwrap();
    data.problem(Distribution::Binomial, Link::Logit, |problem| {
        let estimate = Estimate {
            problem,
            n_agq: 1,
            psi: &fit.psi,
            covariance: &fit.verdict.covariance,
        };
        for parameter in [
            Parameter::Random(1),
            Parameter::Coefficient(4),
            Parameter::Shape,
        ] {
            let plan = Plan {
                parameters: &[parameter],
                zetas: &[1.0],
                settings: &Settings::default(),
                threads: 1,
            };
            assert!(profile(&estimate, &plan, &mut |_| true).is_err());
        }
    });
}
