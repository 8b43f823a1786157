//! Small models of every family.

use ember_core::glmm::family::{Distribution, Family, Link};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

/// A model that owns its rows.
pub struct Model {
    pub family: Family,
    pub y: Vec<f64>,
    pub x: Vec<f64>,
    pub columns: usize,
    pub offset: Option<Vec<f64>>,
    pub weights: Option<Vec<f64>>,
    pub codes: Vec<i32>,
    pub levels: usize,
    /// Columns of Z; an empty one is the intercept.
    pub z: Vec<Vec<f64>>,
    pub structure: Structure,
}

impl Model {
    pub fn rows(&self) -> Rows<'_> {
        let column = |z: &'_ Vec<f64>| z.is_empty();
        Rows {
            response: &self.y,
            offset: self.offset.as_deref(),
            weights: self.weights.as_deref(),
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: self.columns,
            },
            terms: vec![TermRows {
                codes: &self.codes,
                levels: self.levels,
                columns: self
                    .z
                    .iter()
                    .map(|z| match column(z) {
                        true => Column::One,
                        false => Column::Values(z),
                    })
                    .collect(),
            }],
            dispersion: None,
        }
    }

    /// Orders the rows by level.
    pub fn sorted(mut self) -> Self {
        let mut order: Vec<usize> = (0..self.y.len()).collect();
        order.sort_by_key(|&i| self.codes[i]);
        let n = order.len();
        let sort = |values: &[f64]| -> Vec<f64> { order.iter().map(|&i| values[i]).collect() };
        self.x = self.x.chunks(n).flat_map(sort).collect();
        self.y = sort(&self.y);
        self.offset = self.offset.as_deref().map(sort);
        self.weights = self.weights.as_deref().map(sort);
        for z in self.z.iter_mut().filter(|z| !z.is_empty()) {
            *z = sort(z);
        }
        self.codes = order.iter().map(|&i| self.codes[i]).collect();
        self
    }
}

/// Where the linear predictor stays inside the domain of the link.
fn intercept(family: Family) -> (f64, f64) {
    match (family.distribution(), family.link()) {
        (Distribution::Binomial, Link::Log) => (-1.6, 0.15),
        (Distribution::Binomial, _) => (-0.3, 0.5),
        (_, Link::Log) => (0.8, 0.4),
        (_, Link::Sqrt) => (2.2, 0.2),
        (_, Link::Inverse) => (1.5, 0.08),
        _ => (5.0, 0.3),
    }
}

/// A model with `width` random effects per level, with θ, β and log shape near which to evaluate it.
pub fn draw(
    (distribution, link): (Distribution, Link),
    width: usize,
    n: usize,
    levels: usize,
    seed: u64,
) -> (Model, Vec<f64>) {
    let family = Family::new(distribution, link).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = |from: f64, to: f64| from + (to - from) * rng.random::<f64>();
    let (centre, size) = intercept(family);
    let codes: Vec<i32> = (0..n)
        .map(|_| 1 + uniform(0.0, levels as f64) as i32)
        .collect();
    let mut column = |scale: f64| -> Vec<f64> { (0..n).map(|_| uniform(-scale, scale)).collect() };
    let covariate = column(1.0);
    let z: Vec<Vec<f64>> = (0..width)
        .map(|k| if k == 0 { Vec::new() } else { column(1.0) })
        .collect();
    let offset = column(0.3 * size);
    let effects: Vec<f64> = (0..levels).map(|_| uniform(-size, size)).collect();
    let weights: Vec<f64> = (0..n).map(|_| 1.0 + uniform(0.0, 4.0).floor()).collect();
    let mut y = Vec::new();
    for i in 0..n {
        let eta = centre + size * covariate[i] + effects[codes[i] as usize - 1];
        let mu = family.mean(eta);
        let noise = uniform(0.3, 1.8);
        y.push(match distribution {
            Distribution::Binomial => {
                (weights[i] * (mu * noise).clamp(0.0, 1.0)).round() / weights[i]
            }
            Distribution::Gamma => mu * noise,
            _ => (mu * noise).round(),
        });
    }
    let x = [vec![1.0; n], covariate].concat();
    let structure = Structure::full(&[width]);
    let mut at: Vec<f64> = structure
        .entries
        .iter()
        .map(|entry| {
            let share = 1.0 / (1.0 + entry.row as f64);
            let sign = if entry.row == entry.column { 1.0 } else { -0.4 };
            size * share * sign
        })
        .collect();
    at.extend([centre, 0.8 * size]);
    let model = Model {
        family,
        y,
        x,
        columns: 2,
        offset: Some(offset),
        weights: Some(weights),
        codes,
        levels,
        z,
        structure,
    };
    (model, at)
}
