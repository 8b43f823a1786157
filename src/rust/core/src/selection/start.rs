//! Starting values: the two-step estimates, and the correlations across equations that they suggest.
//!
//! Each correlation across equations is a score step from independence, Σ a b / Σ i_a i_b: a is the standardised
//! residual of an outcome (i = 1) or the generalised residual q φ/Φ(q wᵀγ) of a selection (i = φ²/(Φ(1 - Φ)), its
//! variance), over the rows that have both. The whole is shrunk until it is well inside the positive definite ones.

use nalgebra::DMatrix;

use super::data::Data;
use super::layout::{Layout, Parameters};
use super::regressors::blocks;
use super::two_step::{Block, Equation, TwoStep};
use crate::error::Result;
use crate::linalg::cholesky;
use crate::normal::univariate::mills;
use crate::shard::{map_merge, Merge};

/// Starts keep away from correlations of -1 and 1, where the likelihood may have no slope back.
const LARGEST: f64 = 0.9;

/// The least eigenvalue of the starting correlation matrix.
const LEAST_EIGENVALUE: f64 = 0.02;

/// Each time the correlations across equations are multiplied by this.
const SHRINKAGE: f64 = 0.8;

/// Parameters from the two-step estimates of all equations.
///
/// # Errors
/// None but those of the rows: see [`map_merge`].
pub fn start(
    data: &Data,
    layout: &Layout,
    steps: &[TwoStep],
    threads: usize,
) -> Result<Parameters> {
    let j = steps.len();
    let across = if j > 1 {
        residual_correlations(data, layout, steps, threads)?
    } else {
        DMatrix::zeros(2, 2)
    };
    let correlations = inside(steps, &across);
    let scales: Vec<f64> = (0..2 * j)
        .map(|a| if a < j { steps[a].sigma } else { 1.0 })
        .collect();
    let outcome = steps.iter().map(|step| step.outcome.as_slice().to_vec());
    let selection = steps.iter().map(|step| step.selection.as_slice().to_vec());
    Ok(Parameters {
        coefficients: outcome.chain(selection).collect(),
        omega: DMatrix::from_fn(2 * j, 2 * j, |a, b| {
            scales[a] * scales[b] * correlations[(a, b)]
        }),
    })
}

/// The correlations across equations, shrunk until the matrix is positive definite with those within equations.
fn inside(steps: &[TwoStep], across: &DMatrix<f64>) -> DMatrix<f64> {
    let j = steps.len();
    let mut shrunk = 1.0;
    loop {
        let correlations = DMatrix::from_fn(2 * j, 2 * j, |a, b| {
            if a == b {
                1.0
            } else if a % j == b % j {
                let rho = steps[a % j].rho.unwrap_or(0.0);
                rho.clamp(-LARGEST, LARGEST)
            } else {
                shrunk * across[(a, b)].clamp(-LARGEST, LARGEST)
            }
        });
        let room = &correlations - DMatrix::identity(2 * j, 2 * j) * LEAST_EIGENVALUE;
        // Without correlations across equations the least eigenvalue is at least 1 - LARGEST.
        if cholesky(&room).is_ok() {
            return correlations;
        }
        shrunk = if shrunk < 1e-3 {
            0.0
        } else {
            shrunk * SHRINKAGE
        };
    }
}

/// Σ w a b and Σ w i_a i_b.
struct Products {
    residuals: DMatrix<f64>,
    information: DMatrix<f64>,
}

impl Merge for Products {
    fn merge(&mut self, other: Self) {
        self.residuals += other.residuals;
        self.information += other.information;
    }
}

fn residual_correlations(
    data: &Data,
    layout: &Layout,
    steps: &[TwoStep],
    threads: usize,
) -> Result<DMatrix<f64>> {
    let j = steps.len();
    let equations: Vec<Equation> = (0..j).map(|e| Equation::of(data, layout, e)).collect();
    let products = map_merge(data.n, threads, |rows| {
        let mut products = Products {
            residuals: DMatrix::zeros(2 * j, 2 * j),
            information: DMatrix::zeros(2 * j, 2 * j),
        };
        let mut filled: Vec<Block> = equations.iter().map(Block::new).collect();
        let mut row_residuals = vec![0.0; 2 * j];
        let mut row_information = vec![0.0; 2 * j];
        for rows in blocks(rows) {
            let height = rows.len();
            for (e, block) in filled.iter_mut().enumerate() {
                let fit = &steps[e].fit;
                block.fill(&equations[e], &fit.probit, &fit.second, rows.clone());
            }
            for (i, row) in rows.enumerate() {
                let weight = equations[0].selected.weight(row);
                for (e, block) in filled.iter().enumerate() {
                    let q = equations[e].selected.sign(row);
                    let eta = block.predictor[i];
                    let k = equations[e].outcome.width();
                    row_residuals[e] = block.columns[height * (k + 1) + i] / steps[e].sigma;
                    row_information[e] = 0.5 * (1.0 + q);
                    row_residuals[j + e] = q * mills(q * eta);
                    row_information[j + e] = mills(eta) * mills(-eta);
                }
                for a in 0..2 * j {
                    for b in 0..2 * j {
                        products.residuals[(a, b)] += weight * row_residuals[a] * row_residuals[b];
                        products.information[(a, b)] +=
                            weight * row_information[a] * row_information[b];
                    }
                }
            }
        }
        Ok(products)
    })?;
    Ok(products
        .residuals
        .zip_map(&products.information, |product, information| {
            if information > 0.0 {
                product / information
            } else {
                0.0
            }
        }))
}
