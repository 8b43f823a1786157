//! The search over components and covariance models, on Old Faithful.

use ember_core::em::{Flow, Settings, Status};
use ember_core::mixture::criteria::Criterion;
use ember_core::mixture::data::Data;
use ember_core::mixture::model::CovarianceModel;
use ember_core::mixture::problem::{Assumptions, Method, Problem};
use ember_core::mixture::search::{Found, PartitionsOf, Search, SearchProgress, Starts};

/// How far a cell that is only compared may rest below its maximum.
const TOLERANCE: f64 = 1e-4;

fn faithful() -> Vec<f64> {
    let text = include_str!("data/faithful.txt");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            let cells = line.split_whitespace().skip(1);
            cells.map(|cell| cell.parse().unwrap()).collect()
        })
        .collect();
    (0..2)
        .flat_map(|j| rows.iter().map(move |row| row[j]))
        .collect()
}

fn search(
    ks: &[usize],
    threads: usize,
    monitor: &mut dyn FnMut(&SearchProgress) -> Flow,
) -> ember_core::Result<Found> {
    let x = faithful();
    let data = Data::new(&x, x.len() / 2, 2, None).unwrap();
    let problem = Problem::new(&data, Assumptions::default(), threads).unwrap();
    let moments = problem.partitions(ks, Method::Both, 10, 1).unwrap();
    let partitions = ks.iter().zip(moments);
    let search = Search {
        problem: &problem,
        models: CovarianceModel::MULTIVARIATE.to_vec(),
        starts: Starts::Partitions(
            partitions
                .map(|(&k, moments)| PartitionsOf { k, moments })
                .collect(),
        ),
        leave_saddles: true,
        criterion: Criterion::Bic,
        settings: Settings::default(),
    };
    search.run(monitor)
}

#[test]
fn bic_selects_what_mclust_selects_and_no_cell_is_worse() {
    let ks: Vec<usize> = (1..=9).collect();
    let found = search(&ks, 1, &mut |_| Flow::Continue).unwrap();
    let fit = found.fit.unwrap();
    assert_eq!(fit.status, Status::Converged);
    assert_eq!(
        (fit.mixture.model.name(), fit.mixture.components()),
        ("EEE", 3)
    );
    assert_eq!(found.table.len(), 9 * 14);
    let mut worse = Vec::new();
    for line in include_str!("data/faithful-search.txt").lines() {
        let cells: Vec<&str> = line.split(' ').collect();
        let (k, model): (usize, _) = (cells[0].parse().unwrap(), cells[1]);
        let theirs: f64 = cells[2].parse().unwrap();
        let same =
            |cell: &&ember_core::mixture::search::Cell| cell.k == k && cell.model.name() == model;
        let cell = found.table.iter().find(same).unwrap();
        let ours = cell.criteria.as_ref().map_or(f64::NAN, |c| c.log_lik);
        if ours.is_nan() || ours < theirs - TOLERANCE {
            worse.push(format!("{k} {model}: {ours} against {theirs}"));
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}

#[test]
fn general_models_are_no_worse_than_their_special_cases() {
    let found = search(&[2, 4], 1, &mut |_| Flow::Continue).unwrap();
    let log_lik =
        |cell: &ember_core::mixture::search::Cell| cell.criteria.as_ref().map(|c| c.log_lik);
    for general in &found.table {
        for special in &found.table {
            if general.k == special.k && general.model.contains(special.model) {
                let (Some(above), Some(below)) = (log_lik(general), log_lik(special)) else {
                    continue;
                };
                let names = (general.model.name(), special.model.name());
                assert!(above > below - TOLERANCE, "{names:?}: {above} < {below}");
            }
        }
    }
}

#[test]
fn threads_do_not_change_the_answer() {
    let one = search(&[1, 2, 3], 1, &mut |_| Flow::Continue).unwrap();
    let two = search(&[1, 2, 3], 2, &mut |_| Flow::Continue).unwrap();
    assert_eq!(one.fit.unwrap().mixture, two.fit.unwrap().mixture);
    for (a, b) in one.table.iter().zip(&two.table) {
        assert_eq!((a.k, a.model, &a.criteria), (b.k, b.model, &b.criteria));
    }
}

#[test]
fn a_stopped_search_has_what_was_done_or_says_so() {
    match search(&[1, 2, 3, 4, 5], 1, &mut |_| Flow::Stop) {
        Ok(found) => assert!(found.table.len() < 5 * 14),
        Err(error) => assert_eq!(error.kind(), "interrupted"),
    }
}
