//! A start from labels that the user gives.

use crate::error::{Error, Result};

/// Labels 1..k (0 = noise) as an n × (k + noise) matrix of zeros and ones, column-major, noise last.
///
/// # Errors
/// [`Error::Argument`] on `start`: length other than `rows`, a label above `k`, label 0 without a noise
/// component, a label that no row has.
pub fn from_labels(labels: &[u32], rows: usize, k: usize, noise: bool) -> Result<Vec<f64>> {
    if labels.len() != rows {
        return Err(wrong(format!(
            "must hold one label per row: {} labels for {rows} rows.",
            labels.len()
        )));
    }
    let mut posterior = vec![0.0; rows * (k + usize::from(noise))];
    let mut counts = vec![0_usize; k];
    for (i, &label) in labels.iter().enumerate() {
        let label = label as usize;
        let column = match label {
            0 if noise => k,
            0 => {
                return Err(wrong(format!(
                    "has label 0 (noise) in row {}, but there is no noise component.",
                    i + 1
                )))
            }
            _ if label <= k => label - 1,
            _ => {
                return Err(wrong(format!(
                    "has label {label} in row {}, but k is {k}.",
                    i + 1
                )))
            }
        };
        posterior[column * rows + i] = 1.0;
        if column < k {
            counts[column] += 1;
        }
    }
    match counts.iter().position(|&count| count == 0) {
        Some(empty) => Err(wrong(format!(
            "must use every label 1 to {k}: no row has label {}.",
            empty + 1
        ))),
        None => Ok(posterior),
    }
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
    fn labels_become_indicators() {
        let posterior = from_labels(&[2, 1, 0], 3, 2, true).unwrap();
        assert_eq!(posterior, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let posterior = from_labels(&[1, 2], 2, 2, false).unwrap();
        assert_eq!(posterior, [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let message = |labels: &[u32], k, noise| {
            let error = from_labels(labels, 3, k, noise).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            message(&[1, 2], 2, false),
            "`start` must hold one label per row: 2 labels for 3 rows."
        );
        assert_eq!(
            message(&[1, 0, 2], 2, false),
            "`start` has label 0 (noise) in row 2, but there is no noise component."
        );
        assert_eq!(
            message(&[1, 2, 3], 2, false),
            "`start` has label 3 in row 3, but k is 2."
        );
        assert_eq!(
            message(&[1, 3, 0], 3, true),
            "`start` must use every label 1 to 3: no row has label 2."
        );
    }
}
