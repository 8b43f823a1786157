//! The search over components and covariance models, on Old Faithful.

use ember_core::em::{Flow, Settings, Status};
use ember_core::mixture::criteria::Criterion;
use ember_core::mixture::data::Data;
use ember_core::mixture::model::CovarianceModel;
use ember_core::mixture::problem::{Assumptions, Method, Problem};
use ember_core::mixture::search::{Found, PartitionsOf, Search, Starts};

fn faithful() -> Vec<f64> {
    let text = include_str!("data/faithful.txt");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| line.split_whitespace().skip(1).map(|v| v.parse().unwrap()).collect())
        .collect();
    (0..2).flat_map(|j| rows.iter().map(move |row| row[j])).collect()
}

fn search(x: &[f64], ks: &[usize], models: &[CovarianceModel], threads: usize) -> Found {
    let data = Data::new(x, x.len() / 2, 2, None).unwrap();
    let problem = Problem::new(&data, Assumptions::default(), threads).unwrap();
    let moments = problem.partitions(ks, Method::Both, 10, 1).unwrap();
    Search {
        problem: &problem,
        models: models.to_vec(),
        starts: Starts::Partitions(
            ks.iter().zip(moments).map(|(&k, moments)| PartitionsOf { k, moments }).collect(),
        ),
        leave_saddles: true,
        criterion: Criterion::Bic,
        settings: Settings::default(),
    }
    .run(&mut |_| Flow::Continue)
    .unwrap()
}

#[test]
fn bic_selects_what_mclust_selects_and_no_cell_is_worse() {
    let x = faithful();
    let ks: Vec<usize> = (1..=9).collect();
    let started = std::time::Instant::now();
    let found = search(&x, &ks, &CovarianceModel::MULTIVARIATE, 1);
    eprintln!("{:?}", started.elapsed());
    for cell in &found.table {
        eprintln!("{} {} {:?} {:?}", cell.k, cell.model.name(), cell.criteria.as_ref().map(|c| c.log_lik), cell.status.name());
    }
    let fit = found.fit.unwrap();
    eprintln!("{:?}", fit.starts.iter().map(|s| (s.objective, s.status.name())).collect::<Vec<_>>());
    assert_eq!(fit.status, Status::Converged);
    assert_eq!((fit.mixture.model.name(), fit.mixture.components()), ("EEE", 3));
}
