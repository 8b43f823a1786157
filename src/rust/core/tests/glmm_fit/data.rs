//! Data sets and models of the tests.

use ember_core::em::{Flow, Settings};
use ember_core::glmm::family::{Distribution, Family, Link};
use ember_core::glmm::fit::{fit, Fit, Plan};
use ember_core::glmm::problem::Problem;
use ember_core::glmm::start::Given;
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;

/// Rows that own their columns: y, weights, X, and terms as codes with columns (an empty one is the intercept).
#[derive(Debug, Clone)]
pub struct Data {
    pub y: Vec<f64>,
    pub weights: Option<Vec<f64>>,
    pub x: Vec<f64>,
    pub terms: Vec<(Vec<i32>, Vec<Vec<f64>>)>,
}

impl Data {
    pub fn rows(&self) -> Rows<'_> {
        let terms = self.terms.iter().map(|(codes, columns)| TermRows {
            codes,
            levels: codes.iter().copied().max().unwrap_or(0) as usize,
            columns: columns
                .iter()
                .map(|values| match values.is_empty() {
                    true => Column::One,
                    false => Column::Values(values),
                })
                .collect(),
        });
        Rows {
            response: &self.y,
            offset: None,
            weights: self.weights.as_deref(),
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: self.x.len() / self.y.len(),
            },
            terms: terms.collect(),
            dispersion: None,
        }
    }

    /// Calls `with` on the problem.
    pub fn problem<T>(
        &self,
        distribution: Distribution,
        link: Link,
        with: impl FnOnce(&Problem) -> T,
    ) -> T {
        let rows = self.rows();
        let widths: Vec<usize> = rows.terms.iter().map(|term| term.columns.len()).collect();
        let structure = Structure::full(&widths);
        let family = Family::new(distribution, link).unwrap();
        with(&Problem::new(&rows, family, &structure, None).unwrap())
    }

    /// The fit with default settings.
    pub fn fit(&self, distribution: Distribution, link: Link) -> ember_core::Result<Fit> {
        self.problem(distribution, link, |problem| {
            fit(
                problem,
                &plan(&Given::default(), &Settings::default()),
                &mut |_| Flow::Continue,
            )
        })
    }
}

/// Laplace's approximation on one thread.
pub fn plan<'a>(start: &'a Given, settings: &'a Settings) -> Plan<'a> {
    Plan {
        n_agq: 1,
        start,
        settings,
        threads: 1,
    }
}

pub fn cbpp() -> Data {
    let text = include_str!("../data/cbpp.txt");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map(|cell| cell.parse().unwrap())
                .collect()
        })
        .collect();
    let column = |j: usize| rows.iter().map(|row| row[j]).collect::<Vec<f64>>();
    let mut x = vec![1.0; rows.len()];
    for period in [2.0, 3.0, 4.0] {
        x.extend(column(1).iter().map(|&p| f64::from(u8::from(p == period))));
    }
    Data {
        y: rows.iter().map(|row| row[2] / row[3]).collect(),
        weights: Some(column(3)),
        x,
        terms: vec![(column(0).iter().map(|&h| h as i32).collect(), vec![vec![]])],
    }
}
