//! Fits to simulated responses: the same bits on any number of threads, and the same as fits from scratch.

use ember_core::em::{Flow, Settings, Status};
use ember_core::mixed::bootstrap::{Bootstrap, Replicate};
use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::fit::{fit, Method};
use ember_core::mixed::simulate::{Law, Simulator};
use ember_core::rng;

use crate::models::{self, Model};
use crate::simulate::law;

/// Models that have a maximum: fewer effects than rows in every term.
fn models() -> Vec<Model> {
    let fewer = |model: &Model| {
        let sizes = model
            .terms
            .iter()
            .map(|term| term.columns.len() * term.levels);
        sizes.max().unwrap_or(0) < model.y.len()
    };
    models::models().into_iter().filter(fewer).collect()
}

fn replicates(
    model: &Model,
    law: &Law,
    count: usize,
    threads: usize,
    reml: bool,
) -> Vec<Replicate> {
    let rows = model.rows();
    let statistics = cross_products(&rows, 1).unwrap();
    let problem = Problem::new(&statistics, &model.structure, reml, model.known.clone()).unwrap();
    let bootstrap = Bootstrap {
        problem: &problem,
        rows: &rows,
        law,
        settings: &Settings::default(),
        seed: 11,
        threads,
    };
    bootstrap.run(count, &mut |_| true).unwrap()
}

#[test]
fn threads_do_not_change_a_bit() {
    for model in models() {
        let law = law(&model);
        let one = replicates(&model, &law, 23, 1, true);
        assert_eq!(one.len(), 23);
        for threads in [2, 3] {
            let several = replicates(&model, &law, 23, threads, true);
            assert_eq!(one, several, "{} on {threads} threads", model.name);
        }
    }
}

/// How many replicates, of those that have a minimum, have that of a fit from scratch.
fn same_minima(model: &Model, law: &Law, reml: bool) -> (usize, usize) {
    let rows = model.rows();
    let simulator = Simulator::new(&rows, &model.structure, law).unwrap();
    let (mut compared, mut same) = (0, 0);
    for (b, got) in replicates(model, law, 5, 2, reml).iter().enumerate() {
        let mut y = vec![0.0; rows.len()];
        simulator.draw(&mut rng::stream(11, b as u64), &mut y);
        let mut again = model.rows();
        again.response = &y;
        let statistics = cross_products(&again, 1).unwrap();
        let known = model.known.clone();
        let problem = Problem::new(&statistics, &model.structure, reml, known).unwrap();
        let settings = Settings::default();
        let monitor = &mut |_: &_| Flow::Continue;
        let wanted = fit(&problem, Method::Profile, None, &settings, monitor).unwrap();
        if wanted.status != Status::Converged || got.status != Status::Converged {
            continue;
        }
        compared += 1;
        // Where there are several minima the bootstrap, from the law, may find another.
        if (got.criterion - wanted.criterion).abs() < 1e-6 {
            same += 1;
            for (got, wanted) in got.beta.iter().zip(wanted.beta.iter()) {
                let near = (got - wanted).abs() < 1e-3 * (1.0 + wanted.abs());
                assert!(
                    near,
                    "{}, REML {reml}, replicate {b}: {got} {wanted}",
                    model.name
                );
            }
        }
    }
    (same, compared)
}

#[test]
fn replicates_are_fits_to_the_responses() {
    // From a law without random effects a search must switch variances on.
    for singular in [false, true] {
        let (mut same, mut compared) = (0, 0);
        for model in models() {
            let mut law = law(&model);
            if singular {
                law.theta.fill(0.0);
            }
            for reml in [false, true] {
                let counts = same_minima(&model, &law, reml);
                same += counts.0;
                compared += counts.1;
            }
        }
        assert!(
            compared > 230 && same > compared - 8,
            "{same} of {compared} are the same"
        );
    }
}

#[test]
fn an_interrupt_keeps_what_is_done() {
    let model = &models()[1];
    let rows = model.rows();
    let statistics = cross_products(&rows, 1).unwrap();
    let problem = Problem::new(&statistics, &model.structure, true, model.known.clone()).unwrap();
    let bootstrap = Bootstrap {
        problem: &problem,
        rows: &rows,
        law: &law(model),
        settings: &Settings::default(),
        seed: 11,
        threads: 2,
    };
    let some = bootstrap.run(20_000, &mut |done| done < 100).unwrap();
    assert!(some.len() >= 100 && some.len() < 20_000, "{}", some.len());
    assert!(some.iter().all(|one| one.status != Status::Interrupted));
    let all = replicates(model, &law(model), some.len().min(50), 1, true);
    assert_eq!(all[..], some[..all.len()]);
}
