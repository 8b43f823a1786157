//! Simulated rows for tests.

use nalgebra::{DMatrix, DVector};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::data::{Data, Design};
use super::layout::Parameters;
use crate::linalg;

/// Rows that follow the model at `parameters`.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub n: usize,
    pub equations: usize,
    pub designs: Vec<Vec<f64>>,
    pub response: Vec<f64>,
    pub selected: Vec<i32>,
    pub weights: Option<Vec<f64>>,
    pub parameters: Parameters,
}

impl Example {
    /// J equations with an intercept and two regressors each; selections have one more regressor.
    pub fn new(equations: usize, n: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7 + 100 * equations as u64);
        let mut designs = Vec::new();
        let mut coefficients = Vec::new();
        for component in 0..2 * equations {
            let regressors = if component < equations { 2 } else { 3 };
            let mut columns = vec![1.0; n];
            columns.extend((0..n * regressors).map(|_| normal(&mut rng)));
            designs.push(columns);
            let slopes = (0..=regressors).map(|k| match k {
                0 => 0.3,
                _ => rng.random_range(-0.8..0.8),
            });
            coefficients.push(slopes.collect::<Vec<f64>>());
        }
        let omega = omega(equations);
        let parameters = Parameters {
            coefficients,
            omega,
        };
        let mut example = Example {
            n,
            equations,
            designs,
            response: vec![f64::NAN; n * equations],
            selected: vec![0; n * equations],
            weights: None,
            parameters,
        };
        example.draw(&mut rng);
        example
    }

    fn draw(&mut self, rng: &mut impl Rng) {
        let (n, j) = (self.n, self.equations);
        let lower = linalg::cholesky(&self.parameters.omega).unwrap();
        for i in 0..n {
            let errors = &lower * DVector::from_fn(2 * j, |_, _| normal(rng));
            let latent = |component: usize| {
                let columns = self.designs[component].chunks_exact(n);
                let slopes = &self.parameters.coefficients[component];
                let mean: f64 = columns.zip(slopes).map(|(x, b)| x[i] * b).sum();
                mean + errors[component]
            };
            for equation in 0..j {
                if latent(j + equation) > 0.0 {
                    self.response[equation * n + i] = latent(equation);
                    self.selected[equation * n + i] = 1;
                }
            }
        }
    }

    /// The rows as the core takes them.
    pub fn data(&self) -> Data<'_> {
        let designs = self.designs.iter().map(|columns| Design {
            columns,
            width: columns.len() / self.n,
        });
        let weights = self.weights.as_deref();
        Data::new(designs.collect(), &self.response, &self.selected, weights).unwrap()
    }
}

/// A covariance matrix of 2J errors with correlations of both signs.
fn omega(equations: usize) -> DMatrix<f64> {
    let errors = 2 * equations;
    let loadings = DMatrix::from_fn(errors, 2, |a, k| {
        let angle = 1.3 * a as f64 + 0.4;
        0.75 * if k == 0 { angle.cos() } else { angle.sin() }
    });
    let mut omega = &loadings * loadings.transpose();
    omega.fill_diagonal(1.0);
    for a in 0..equations {
        let sigma = 1.5 - 0.4 * a as f64;
        omega.row_mut(a).scale_mut(sigma);
        omega.column_mut(a).scale_mut(sigma);
    }
    omega
}

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}
