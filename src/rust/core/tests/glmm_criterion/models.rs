//! Rows made of a hash, the same as in tests/data/glmm-criterion.R.

use ember_core::glmm::family::{Distribution, Family, Link};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;

/// Every family.
pub const FAMILIES: [(Distribution, Link); 14] = [
    (Distribution::Binomial, Link::Logit),
    (Distribution::Binomial, Link::Probit),
    (Distribution::Binomial, Link::Cloglog),
    (Distribution::Binomial, Link::Cauchit),
    (Distribution::Binomial, Link::Log),
    (Distribution::Poisson, Link::Log),
    (Distribution::Poisson, Link::Sqrt),
    (Distribution::Poisson, Link::Identity),
    (Distribution::NegativeBinomial, Link::Log),
    (Distribution::NegativeBinomial, Link::Sqrt),
    (Distribution::NegativeBinomial, Link::Identity),
    (Distribution::Gamma, Link::Log),
    (Distribution::Gamma, Link::Inverse),
    (Distribution::Gamma, Link::Identity),
];

/// Which random effects there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effects {
    /// (1 | g).
    One,
    /// (1 + x1 | g).
    Slope,
    /// (1 | h) + (1 | g), h nested in g.
    Nested,
    /// (1 + x1 | k) + (1 | g).
    Crossed,
}

pub const EFFECTS: [Effects; 4] = [
    Effects::One,
    Effects::Slope,
    Effects::Nested,
    Effects::Crossed,
];

/// Columns that rows borrow.
pub struct Data {
    pub family: Family,
    pub effects: Effects,
    response: Vec<f64>,
    weights: Option<Vec<f64>>,
    offset: Vec<f64>,
    x: Vec<f64>,
    codes: [Vec<i32>; 3],
}

fn hash(i: usize, k: f64) -> f64 {
    let s = (i as f64 * 12.9898 + k * 78.233).sin().abs() * 43_758.545_3;
    s - s.floor()
}

impl Data {
    pub fn new(family: Family, effects: Effects) -> Self {
        let n = 240;
        let column = |k: f64| -> Vec<f64> { (0..n).map(|i| hash(i, k)).collect() };
        let trials: Vec<f64> = column(3.0)
            .iter()
            .map(|u| 1.0 + (5.0 * u).floor())
            .collect();
        let response = column(4.0);
        let rows = response.iter().zip(&trials);
        let response = rows.map(|(u, trials)| match family.distribution() {
            Distribution::Binomial => ((trials + 1.0) * u).floor() / trials,
            Distribution::Gamma => 0.2 + 3.0 * u,
            _ => (9.0 * u * u).floor(),
        });
        let mut x = vec![1.0; n];
        x.extend(column(1.0).iter().map(|u| 2.0 * u - 1.0));
        x.extend((0..n).map(|i| (i % 5) as f64 / 5.0));
        let code = |f: fn(usize) -> usize| (0..n).map(|i| f(i) as i32 + 1).collect();
        Data {
            response: response.collect(),
            weights: (family.distribution() == Distribution::Binomial).then_some(trials),
            offset: column(2.0).iter().map(|u| 0.1 * u).collect(),
            x,
            codes: [
                code(|i| i % 12),
                code(|i| i % 12 + 12 * (i / 60 % 3)),
                code(|i| i * 7 / 5 % 10),
            ],
            family,
            effects,
        }
    }

    pub fn rows(&self) -> Rows<'_> {
        let n = self.response.len();
        let term = |which: usize, levels: usize, slope: bool| {
            let mut columns = vec![Column::One];
            if slope {
                columns.push(Column::Values(&self.x[n..2 * n]));
            }
            TermRows {
                codes: &self.codes[which],
                levels,
                columns,
            }
        };
        Rows {
            response: &self.response,
            offset: Some(&self.offset),
            weights: self.weights.as_deref(),
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: 3,
            },
            terms: match self.effects {
                Effects::One => vec![term(0, 12, false)],
                Effects::Slope => vec![term(0, 12, true)],
                Effects::Nested => vec![term(1, 36, false), term(0, 12, false)],
                Effects::Crossed => vec![term(2, 10, true), term(0, 12, false)],
            },
            dispersion: None,
        }
    }

    pub fn structure(&self) -> Structure {
        Structure::full(match self.effects {
            Effects::One => &[1],
            Effects::Slope => &[2],
            Effects::Nested => &[1, 1],
            Effects::Crossed => &[2, 1],
        })
    }

    /// θ for unit scale.
    pub fn theta(&self) -> Vec<f64> {
        match self.effects {
            Effects::One => vec![0.8],
            Effects::Slope => vec![0.6, -0.3, 0.4],
            Effects::Nested => vec![0.8, 0.5],
            Effects::Crossed => vec![0.6, -0.3, 0.4, 0.5],
        }
    }

    /// A point where η stays inside the domain of the link: β, and a factor for θ.
    pub fn point(&self) -> (Vec<f64>, f64) {
        match self.family.link() {
            Link::Log if self.family.distribution() == Distribution::Binomial => {
                (vec![-2.0, -0.2, 0.1], 0.1)
            }
            Link::Sqrt | Link::Inverse | Link::Identity => (vec![2.5, -0.2, 0.3], 0.1),
            _ => (vec![0.3, -0.4, 0.2], 1.0),
        }
    }
}
