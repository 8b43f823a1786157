//! Orthants of three and more dimensions against stored values, identities and limits.

mod identities;
mod limits;
mod octants;
mod simulated;

use ember_core::nalgebra::DMatrix;
use ember_core::normal::orthant::{Integration, Orthant, Work};

pub const EXACT: Integration = Integration::Exact;

/// log P, E and Cov (column by column) of one mean.
pub struct Moments {
    pub log_probability: f64,
    pub mean: Vec<f64>,
    pub covariance: DMatrix<f64>,
}

pub fn moments(orthant: &Orthant, mean: &[f64], row: u64) -> Moments {
    let j = mean.len();
    let (mut expectation, mut covariance) = (vec![0.0; j], vec![0.0; j * j]);
    let mut work = Work::default();
    let log_probability = orthant.moments(mean, row, &mut work, &mut expectation, &mut covariance);
    let alone = orthant.log_probability(mean, row, &mut work);
    assert!((alone - log_probability).abs() < 1e-13 * (1.0 + alone.abs()));
    Moments {
        log_probability,
        mean: expectation,
        covariance: DMatrix::from_vec(j, j, covariance),
    }
}

/// The correlation matrix of r12, r13, r23.
pub fn correlations(r: &[f64]) -> DMatrix<f64> {
    DMatrix::from_row_slice(3, 3, &[1.0, r[0], r[1], r[0], 1.0, r[2], r[1], r[2], 1.0])
}

pub fn octant(r: &[f64]) -> Orthant {
    Orthant::new(&correlations(r), &[1.0; 3], &EXACT).unwrap()
}

pub fn lines(name: &str) -> Vec<Vec<f64>> {
    let path = format!(
        "{}/tests/data/normal/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let numbers = |line: &str| {
        line.split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect()
    };
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(numbers).collect()
}
