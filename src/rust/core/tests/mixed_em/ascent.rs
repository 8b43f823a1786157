//! Every step raises the objective, by at least what the bound promised.

use ember_core::em::{Acceleration, Flow, Settings, Status};
use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::em::MixedModel;

use crate::models::models;

fn plain() -> Settings {
    Settings {
        acceleration: Acceleration::None,
        max_iter: 60,
        ..Settings::default()
    }
}

#[test]
fn objective_rises_and_the_bound_lies_between() {
    for model in models() {
        let statistics = cross_products(&model.rows(), 1).unwrap();
        for (reml, expanded) in [(false, false), (false, true), (true, false), (true, true)] {
            let known = model.known.clone();
            let problem = Problem::new(&statistics, &model.structure, reml, known).unwrap();
            let mut em = MixedModel::new(&problem, expanded).unwrap();
            let run = em
                .run(&problem.start(), &plain(), &mut |_| Flow::Continue)
                .unwrap();
            let what = format!("{}, REML {reml}, expanded {expanded}", model.name);
            assert!(run.monotone(), "{what}: {:?}", run.drop);
            assert!(
                !matches!(run.status, Status::Degenerate { .. }),
                "{what}: {:?}",
                run.status
            );
            for pair in run.trace.windows(2) {
                let noise = 1e-9;
                let (before, after) = (pair[0].objective, pair[1]);
                assert!(
                    after.bound >= before - noise,
                    "{what}: {after:?} after {before}"
                );
                assert!(after.objective >= after.bound - noise, "{what}: {after:?}");
            }
        }
    }
}
