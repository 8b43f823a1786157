//! A start from responsibilities that the user gives.

use crate::error::{Error, Result};

/// How far a row's responsibilities may sum from one.
const SUM_TOLERANCE: f64 = 1e-6;

/// Checks an n × (k + noise) matrix (column-major, noise last) and scales its rows to sum to one.
///
/// # Errors
/// [`Error::Argument`] on `start`: wrong size, a cell that is negative or not finite, a row that does not sum
/// to one within 1e-6, a component without any responsibility.
pub fn from_responsibilities(
    given: &[f64],
    rows: usize,
    k: usize,
    noise: bool,
) -> Result<Vec<f64>> {
    let columns = k + usize::from(noise);
    if given.len() != rows * columns {
        return Err(wrong(format!(
            "must be a {rows} x {columns} matrix: it has {} cells.",
            given.len()
        )));
    }
    if let Some(at) = given.iter().position(|r| !(r.is_finite() && *r >= 0.0)) {
        return Err(wrong(format!(
            "must hold probabilities: row {}, column {} is {}.",
            at % rows + 1,
            at / rows + 1,
            given[at]
        )));
    }
    let mut sums = vec![0.0; rows];
    for column in given.chunks_exact(rows) {
        for (sum, r) in sums.iter_mut().zip(column) {
            *sum += r;
        }
    }
    if let Some(i) = sums.iter().position(|s| (s - 1.0).abs() > SUM_TOLERANCE) {
        return Err(wrong(format!(
            "must have rows that sum to 1: row {} sums to {}.",
            i + 1,
            sums[i]
        )));
    }
    let empty = |column: &[f64]| column.iter().all(|&r| r == 0.0);
    if let Some(component) = given.chunks_exact(rows).take(k).position(empty) {
        return Err(wrong(format!(
            "must give every component some rows: column {} is all 0.",
            component + 1
        )));
    }
    let mut posterior = given.to_vec();
    for column in posterior.chunks_exact_mut(rows) {
        for (r, sum) in column.iter_mut().zip(&sums) {
            *r /= sum;
        }
    }
    Ok(posterior)
}

fn wrong(message: String) -> Error {
    Error::Argument {
        argument: "start",
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_scaled_to_sum_to_one() {
        let given = [0.25, 0.5, 0.75, 0.5 + 5e-7];
        let posterior = from_responsibilities(&given, 2, 2, false).unwrap();
        assert_eq!(posterior[0], 0.25);
        assert!((posterior[1] + posterior[3] - 1.0).abs() < 1e-15);
        let noise_only = [1.0, 0.0, 0.0, 1.0];
        assert_eq!(
            from_responsibilities(&noise_only, 2, 1, true).unwrap(),
            noise_only
        );
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let message = |given: &[f64]| {
            let error = from_responsibilities(given, 2, 2, false).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            message(&[1.0]),
            "`start` must be a 2 x 2 matrix: it has 1 cells."
        );
        assert_eq!(
            message(&[1.0, 0.5, 0.0, -0.5]),
            "`start` must hold probabilities: row 2, column 2 is -0.5."
        );
        assert_eq!(
            message(&[1.0, f64::NAN, 0.0, 0.0]),
            "`start` must hold probabilities: row 2, column 1 is NaN."
        );
        assert_eq!(
            message(&[0.5, 0.5, 0.5, 0.25]),
            "`start` must have rows that sum to 1: row 2 sums to 0.75."
        );
        assert_eq!(
            message(&[1.0, 1.0, 0.0, 0.0]),
            "`start` must give every component some rows: column 2 is all 0."
        );
    }
}
