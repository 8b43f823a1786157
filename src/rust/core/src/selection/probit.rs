//! The probit of one selection equation, by maximum likelihood.
//!
//! log L(γ) = Σ w log Φ(q wᵀγ) with q = 2 s - 1 is concave, so Newton's method with step halving finds its maximum
//! wherever one exists. It does not where some direction separates the rows selected from the others (Albert and
//! Anderson 1984, Biometrika 71, 1-10): then γ runs along that direction until the rows that it separates have no
//! curvature left, the information has an eigenvalue near zero, and the signs of the rows prove it.

use nalgebra::{DMatrix, DVector};

use super::regressors::{add_cross, blocks, predictor, Regressors};
use crate::error::{Error, Result};
use crate::linalg::{cholesky, inverse_lower, mirror, symmetric_eigen};
use crate::normal::univariate::{log_cdf, mills};
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// Squared Newton decrement at which γ is the maximum to 1e-8 standard errors, and the step from there exact.
const DECREMENT_SQUARED: f64 = 1e-16;

const MAX_ITERATIONS: usize = 100;

const MAX_HALVINGS: usize = 30;

/// An eigenvalue of the information per row, in the basis of mean square 1, below this asks for a proof of separation:
/// rows on their way to infinity keep about 1e-14, regular data more than 1e-3.
const FLAT: f64 = 1e-7;

/// Rows with less curvature than this may be on their way to infinity: there it is below 1e-14 when Newton stops.
const SATURATED: f64 = 1e-9;

/// Eigenvalues of cross-products of columns of length 1 that are zero.
const DEPENDENT: f64 = 1e-11;

/// A row along the separating direction counts as zero below this part of the largest.
const ZERO: f64 = 1e-7;

/// The 0/1 variable of one selection equation.
#[derive(Clone, Copy)]
pub struct Selected<'a> {
    /// Pattern of each row.
    pub patterns: &'a [u16],
    /// The equation, 0-based.
    pub equation: usize,
    /// What errors call it: its place among the 2J errors, from 1.
    pub component: usize,
    pub weights: Option<&'a [f64]>,
}

impl Selected<'_> {
    /// q = 2 s - 1.
    pub fn sign(&self, row: usize) -> f64 {
        if self.patterns[row] >> self.equation & 1 == 1 {
            1.0
        } else {
            -1.0
        }
    }

    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    fn degenerate(&self, message: String) -> Error {
        Error::Degenerate {
            component: self.component,
            message,
        }
    }
}

/// A fitted probit; everything in the basis X̃ of its regressors.
#[derive(Debug, Clone, PartialEq)]
pub struct Probit {
    pub coefficients: DVector<f64>,
    /// Inverse of the observed information.
    pub covariance: DMatrix<f64>,
    pub log_likelihood: f64,
    pub iterations: usize,
}

/// Maximises the likelihood of one selection equation.
///
/// # Errors
/// [`Error::Degenerate`] when the regressors separate the rows, so that there is no finite estimate.
pub fn probit(x: &Regressors, selected: &Selected, threads: usize) -> Result<Probit> {
    let mut at = DVector::zeros(x.width());
    let mut now = curvature(x, selected, &at, threads)?;
    for iteration in 1..=MAX_ITERATIONS {
        let Ok(lower) = cholesky(&now.information) else {
            break;
        };
        let inverse = inverse_lower(&lower);
        let covariance = inverse.transpose() * inverse;
        let step = &covariance * &now.gradient;
        if step.dot(&now.gradient) <= DECREMENT_SQUARED {
            refuse_separation(x, selected, &at, &now)?;
            return Ok(Probit {
                coefficients: at + step,
                covariance,
                log_likelihood: now.log_likelihood,
                iterations: iteration,
            });
        }
        let Some((next, there)) = rise(x, selected, (&at, &step), now.log_likelihood, threads)?
        else {
            break;
        };
        (at, now) = (next, there);
    }
    refuse_separation(x, selected, &at, &now)?;
    Err(Error::Numerical {
        message: format!(
            "the probit of selection equation {} did not converge",
            selected.equation + 1
        ),
    })
}

/// The first of the points at + step, at + step/2, ... that is no worse, and what is known there.
fn rise(
    x: &Regressors,
    selected: &Selected,
    (at, step): (&DVector<f64>, &DVector<f64>),
    log_likelihood: f64,
    threads: usize,
) -> Result<Option<(DVector<f64>, Curvature)>> {
    let floor = log_likelihood - 1e-13 * log_likelihood.abs();
    for halvings in 0..MAX_HALVINGS {
        let next = at + step * 0.5f64.powi(halvings as i32);
        let there = curvature(x, selected, &next, threads)?;
        if there.log_likelihood >= floor {
            return Ok(Some((next, there)));
        }
    }
    Ok(None)
}

/// Log-likelihood, gradient and observed information of γ in the basis X̃.
struct Curvature {
    log_likelihood: f64,
    weight: f64,
    gradient: DVector<f64>,
    information: DMatrix<f64>,
}

impl Merge for Curvature {
    fn merge(&mut self, other: Self) {
        self.log_likelihood += other.log_likelihood;
        self.weight += other.weight;
        self.gradient += other.gradient;
        self.information += other.information;
    }
}

fn curvature(
    x: &Regressors,
    selected: &Selected,
    at: &DVector<f64>,
    threads: usize,
) -> Result<Curvature> {
    let k = x.width();
    let mut sums = map_merge(x.n, threads, |rows| {
        let mut sums = Curvature {
            log_likelihood: 0.0,
            weight: 0.0,
            gradient: DVector::zeros(k),
            information: DMatrix::zeros(k, k),
        };
        let mut block = x.room(0);
        let [mut eta, mut score, mut curve, mut weighted] = [[0.0; BLOCK_ROWS]; 4];
        for rows in blocks(rows) {
            let height = rows.len();
            let block = &mut block[..height * k];
            x.block(rows.clone(), block);
            predictor(block, height, at.as_slice(), &mut eta[..height]);
            for (i, row) in rows.enumerate() {
                let (q, weight) = (selected.sign(row), selected.weight(row));
                let a = q * eta[i];
                let ratio = mills(a);
                sums.log_likelihood += weight * log_cdf(a);
                sums.weight += weight;
                score[i] = weight * q * ratio;
                curve[i] = weight * ratio * (a + ratio);
            }
            for (to, column) in sums.gradient.iter_mut().zip(block.chunks_exact(height)) {
                *to += crate::mixed::basis::dot(column, &score[..height]);
            }
            let block = &*block;
            add_cross(
                &mut sums.information,
                (block, block),
                &curve[..height],
                &mut weighted,
            );
        }
        Ok(sums)
    })?;
    mirror(&mut sums.information);
    Ok(sums)
}

/// Refuses a maximum at infinity: the rows that still have curvature there leave a direction free, and along it γ has
/// the right sign in all others.
fn refuse_separation(
    x: &Regressors,
    selected: &Selected,
    at: &DVector<f64>,
    there: &Curvature,
) -> Result<()> {
    let (values, _) = symmetric_eigen(&there.information)?;
    if values.iter().all(|&value| value > FLAT * there.weight) {
        return Ok(());
    }
    let coefficients = &x.transform * at;
    let Some(direction) = free_part(x, selected, &coefficients)? else {
        return Ok(());
    };
    let Some(rows) = separated(x, selected, &direction) else {
        return Ok(());
    };
    let rows = match rows {
        1 => "1 row".into(),
        all if all == x.n => "all rows".into(),
        some => format!("{some} rows"),
    };
    Err(selected.degenerate(format!(
        "its regressors predict {rows} perfectly (separation), so some coefficients have no finite estimate"
    )))
}

/// The part of γ (of the kept columns) that is zero in all rows with curvature, if there is any.
fn free_part(
    x: &Regressors,
    selected: &Selected,
    coefficients: &DVector<f64>,
) -> Result<Option<DVector<f64>>> {
    let k = x.width();
    let mut gram = DMatrix::<f64>::zeros(k, k);
    let mut row = vec![0.0; k];
    for i in 0..x.n {
        x.row(i, &mut row);
        let a = selected.sign(i) * along(&row, coefficients);
        let ratio = mills(a);
        if ratio * (a + ratio) > SATURATED {
            for (j, left) in row.iter().enumerate() {
                for (l, right) in row.iter().enumerate() {
                    gram[(j, l)] += left * right;
                }
            }
        }
    }
    let lengths = gram
        .diagonal()
        .map(|square| if square > 0.0 { square.sqrt() } else { 1.0 });
    let scaled = gram.map_with_location(|j, l, value| value / (lengths[j] * lengths[l]));
    let (values, axes) = symmetric_eigen(&scaled)?;
    let free: Vec<usize> = (0..k).filter(|&j| values[j] < DEPENDENT).collect();
    if free.is_empty() {
        return Ok(None);
    }
    let axes = axes.select_columns(&free);
    let part = &axes * (axes.transpose() * coefficients.component_mul(&lengths));
    Ok(Some(part.component_div(&lengths)))
}

/// How many rows a direction separates, if it contradicts none.
fn separated(x: &Regressors, selected: &Selected, direction: &DVector<f64>) -> Option<usize> {
    let mut row = vec![0.0; x.width()];
    let mut forward = Vec::with_capacity(x.n);
    for i in 0..x.n {
        x.row(i, &mut row);
        forward.push(selected.sign(i) * along(&row, direction));
    }
    let reach = forward.iter().fold(0.0, |reach: f64, f| reach.max(f.abs()));
    let zero = ZERO * reach;
    let agrees = reach > 0.0 && reach.is_finite() && forward.iter().all(|&f| f >= -zero);
    agrees.then(|| forward.iter().filter(|&&f| f > zero).count())
}

fn along(row: &[f64], coefficients: &DVector<f64>) -> f64 {
    row.iter()
        .zip(coefficients.iter())
        .map(|(x, c)| x * c)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 and x; the basis is that of the columns themselves.
    fn fit(x: &[f64], patterns: &[u16], weights: Option<&[f64]>) -> Result<Probit> {
        let n = x.len();
        let columns: Vec<f64> = std::iter::repeat_n(1.0, n)
            .chain(x.iter().copied())
            .collect();
        let scale = (x.iter().map(|x| x * x).sum::<f64>() / n as f64).sqrt();
        let transform = DMatrix::from_diagonal(&DVector::from_vec(vec![1.0, 1.0 / scale]));
        let regressors = Regressors {
            columns: &columns,
            n,
            kept: &[0, 1],
            transform,
        };
        let selected = Selected {
            patterns,
            equation: 0,
            component: 2,
            weights,
        };
        probit(&regressors, &selected, 1)
    }

    const X: [f64; 12] = [
        -3.0, -2.0, -1.5, -1.0, -0.5, 0.1, 0.3, 0.8, 1.2, 1.9, 2.4, 3.0,
    ];
    const S: [u16; 12] = [0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1];

    fn log_likelihood(scale: f64, at: &DVector<f64>) -> f64 {
        let rows = X.iter().zip(S);
        rows.map(|(x, s)| log_cdf((2.0 * f64::from(s) - 1.0) * (at[0] + at[1] * x / scale)))
            .sum()
    }

    #[test]
    fn gradient_vanishes_and_covariance_is_the_inverse_hessian() {
        let fit = fit(&X, &S, None).unwrap();
        let scale = (X.iter().map(|x| x * x).sum::<f64>() / 12.0).sqrt();
        let h = 1e-4;
        let shifted = |i: usize, j: usize, a: f64, b: f64| {
            let mut at = fit.coefficients.clone();
            at[i] += a;
            at[j] += b;
            log_likelihood(scale, &at)
        };
        let mut information = DMatrix::zeros(2, 2);
        for i in 0..2 {
            assert!((shifted(i, i, h, 0.0) - shifted(i, i, -h, 0.0)).abs() / (2.0 * h) < 1e-7);
            for j in 0..2 {
                let corners = shifted(i, j, h, h) - shifted(i, j, h, -h) - shifted(i, j, -h, h)
                    + shifted(i, j, -h, -h);
                information[(i, j)] = -corners / (4.0 * h * h);
            }
        }
        assert!((&information * &fit.covariance - DMatrix::identity(2, 2)).amax() < 1e-5);
        assert!((fit.log_likelihood - log_likelihood(scale, &fit.coefficients)).abs() < 1e-12);
    }

    #[test]
    fn a_weight_is_a_number_of_rows() {
        let weights: Vec<f64> = (0..12).map(|i| 1.0 + f64::from(i % 3)).collect();
        let weighted = fit(&X, &S, Some(&weights)).unwrap();
        let rows = (0..12).flat_map(|i| std::iter::repeat_n(i, weights[i] as usize));
        let (x, s): (Vec<f64>, Vec<u16>) = rows.map(|i| (X[i], S[i])).unzip();
        let repeated = fit(&x, &s, None).unwrap();
        assert!((weighted.log_likelihood - repeated.log_likelihood).abs() < 1e-11);
        // The first coefficient has the same unit in both.
        assert!((weighted.coefficients[0] - repeated.coefficients[0]).abs() < 1e-9);
        assert!((weighted.covariance[(0, 0)] - repeated.covariance[(0, 0)]).abs() < 1e-9);
    }

    fn message(x: &[f64], patterns: &[u16]) -> String {
        match fit(x, patterns, None) {
            Err(Error::Degenerate {
                component: 2,
                message,
            }) => message,
            other => panic!("expected a degenerate equation, got {other:?}"),
        }
    }

    #[test]
    fn separation_is_proved() {
        let complete: Vec<u16> = X.iter().map(|&x| u16::from(x > 0.2)).collect();
        assert!(message(&X, &complete).contains("all rows"));
        // Rows at 0 overlap; the others are separated.
        let x = [-2.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.5, 3.0];
        assert!(message(&x, &[0, 0, 0, 1, 1, 0, 1, 1]).contains("4 rows"));
        // A dummy that is always selected.
        let dummy = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        assert!(message(&dummy, &[0, 1, 0, 1, 1, 1, 1]).contains("2 rows"));
    }

    #[test]
    fn nearly_separated_rows_have_an_estimate() {
        let mut nearly: Vec<u16> = X.iter().map(|&x| u16::from(x > 0.2)).collect();
        nearly[5] = 1;
        nearly[6] = 0;
        let fit = fit(&X, &nearly, None).unwrap();
        assert!(fit.coefficients.iter().all(|b| b.is_finite()) && fit.iterations < 30);
    }

    #[test]
    fn an_outlier_is_no_separation() {
        let mut x = X.to_vec();
        x[11] = 1e6;
        let fit = fit(&x, &S, None).unwrap();
        assert!(fit.log_likelihood < -1.0);
    }
}
