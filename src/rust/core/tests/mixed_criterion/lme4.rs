//! Values of lme4's criterion and coefficients, computed by tests/data/mixed-criterion.R.

use ember_core::mixed::criterion::{Known, Problem};
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::factor::Factor;
use ember_core::mixed::structure::Structure;

use crate::models::{Model, Term};

fn table(text: &str) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map(|cell| cell.parse().unwrap())
                .collect()
        })
        .collect();
    (0..rows[0].len())
        .map(|j| rows.iter().map(|row| row[j]).collect())
        .collect()
}

fn term(codes: &[f64], columns: Vec<Vec<f64>>) -> Term {
    let codes: Vec<i32> = codes.iter().map(|&code| code as i32).collect();
    Term {
        levels: codes.iter().copied().max().unwrap() as usize,
        codes,
        columns,
    }
}

fn model(name: &str) -> Model {
    let (x, terms, y) = match name {
        "pastes" | "penicillin" => {
            let mut table = table(match name {
                "pastes" => include_str!("../data/pastes.txt"),
                _ => include_str!("../data/penicillin.txt"),
            });
            let y = table.pop().unwrap();
            let terms = table
                .iter()
                .map(|codes| term(codes, vec![vec![]]))
                .collect();
            (vec![1.0; y.len()], terms, y)
        }
        _ => {
            let mut table = table(include_str!("../data/sleepstudy.txt"));
            let y = table.pop().unwrap();
            let days = table.pop().unwrap();
            let mut x = vec![1.0; y.len()];
            x.extend(&days);
            (x, vec![term(&table[0], vec![vec![], days])], y)
        }
    };
    let widths: Vec<usize> = terms.iter().map(|term| term.columns.len()).collect();
    let n = y.len();
    let weights = (name == "weights").then(|| x[n..].iter().map(|days| 1.0 + days / 4.0).collect());
    Model {
        name: "lme4",
        columns: x.len() / n,
        x,
        y,
        sparse: None,
        offset: None,
        weights,
        terms,
        dispersion: None,
        structure: Structure::full(&widths),
        known: Known::default(),
    }
}

#[test]
fn criterion_and_coefficients_are_those_of_lme4() {
    let mut checked = 0;
    for line in include_str!("../data/mixed-criterion.txt").lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let model = model(cells[0]);
        let numbers: Vec<f64> = cells[2..]
            .iter()
            .map(|cell| cell.parse().unwrap())
            .collect();
        let (theta, rest) = numbers.split_at(model.structure.parameters());
        let statistics = cross_products(&model.rows(), 1).unwrap();
        let mut factor = Factor::new(&statistics, &model.structure).unwrap();
        let reml = cells[1] == "TRUE";
        let problem = Problem::new(&statistics, &model.structure, reml, Known::default()).unwrap();
        let criterion = problem.criterion(&mut factor, theta).unwrap();
        assert!(
            (criterion - rest[0]).abs() < 1e-9 * rest[0].abs(),
            "{line}: {criterion}"
        );
        for (beta, wanted) in factor.coefficients().iter().zip(&rest[1..]) {
            assert!(
                (beta - wanted).abs() < 1e-9 * wanted.abs(),
                "{line}: {beta}"
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 24);
}
