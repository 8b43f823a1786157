//! The rows: designs of the outcomes and of the selections, outcomes, who is selected, weights.

use std::ops::Range;

use crate::error::{Error, Result};

/// The most equations: patterns are bits of a [`u16`], and every pattern has its own constants.
pub const MAX_EQUATIONS: usize = 10;

/// A dense design matrix, n × `width`, column-major.
#[derive(Debug, Clone, Copy)]
pub struct Design<'a> {
    pub columns: &'a [f64],
    pub width: usize,
}

impl<'a> Design<'a> {
    /// Rows `rows` of column `column` of a design of `n` rows.
    pub fn column(&self, n: usize, column: usize, rows: Range<usize>) -> &'a [f64] {
        &self.columns[column * n..][rows]
    }
}

/// Rows with J outcomes and J selections.
///
/// Components count the 2J errors, outcomes 1..J before selections 1..J; errors name them from 1.
#[derive(Debug, Clone)]
pub struct Data<'a> {
    /// Number of rows n.
    pub n: usize,
    /// Number of equations J.
    pub equations: usize,
    /// 2J designs of n rows: those of the outcomes, then those of the selections.
    pub designs: Vec<Design<'a>>,
    /// n × J, column-major; not read where an outcome is not selected.
    pub response: &'a [f64],
    /// Case weights: they multiply the log-likelihoods of the rows.
    pub weights: Option<&'a [f64]>,
    /// Of each row; bit j is set where outcome j is selected.
    pub patterns: Vec<u16>,
    /// The patterns that occur, increasing.
    pub distinct: Vec<u16>,
    /// Sum of the weights.
    pub total_weight: f64,
}

impl<'a> Data<'a> {
    /// Rows from 2J designs (outcomes, then selections), n × J responses and n × J selections (1 where selected).
    ///
    /// # Errors
    /// [`Error::Argument`] naming `outcome`, `selection` or `weights`: no equation or too many, lengths that do not
    /// agree, a design or a selected outcome that is not finite, a weight that is not a positive number.
    pub fn new(
        designs: Vec<Design<'a>>,
        response: &'a [f64],
        selected: &[i32],
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        let equations = designs.len() / 2;
        if equations == 0 || equations > MAX_EQUATIONS || designs.len() != 2 * equations {
            return Err(outcome(format!(
                "must have 1 to {MAX_EQUATIONS} equations, each with an outcome and a selection"
            )));
        }
        let n = selected.len() / equations;
        if n == 0 || selected.len() != n * equations || response.len() != selected.len() {
            return Err(outcome(
                "and `selection` must have the same number of rows, at least one".into(),
            ));
        }
        check_designs(&designs, n)?;
        let total_weight = check_weights(weights, n)?;
        let patterns = patterns(selected, n);
        for (j, values) in response.chunks_exact(n).enumerate() {
            let seen = values.iter().zip(&patterns);
            let mut seen = seen.map(|(y, pattern)| pattern >> j & 1 == 0 || y.is_finite());
            if let Some(row) = seen.position(|fine| !fine) {
                return Err(outcome(format!(
                    "of equation {} is not finite in row {}, where it is selected",
                    j + 1,
                    row + 1
                )));
            }
        }
        let mut distinct = patterns.clone();
        distinct.sort_unstable();
        distinct.dedup();
        Ok(Data {
            n,
            equations,
            designs,
            response,
            weights,
            patterns,
            distinct,
            total_weight,
        })
    }

    /// Number of errors, 2J.
    pub fn components(&self) -> usize {
        2 * self.equations
    }

    /// The weight of a row.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Whether outcome `equation` (0-based) is seen in `row`.
    pub fn is_selected(&self, row: usize, equation: usize) -> bool {
        self.patterns[row] >> equation & 1 == 1
    }

    /// Rows `rows` of column `column` of the design of `component` (0-based).
    pub fn column(&self, component: usize, column: usize, rows: Range<usize>) -> &'a [f64] {
        self.designs[component].column(self.n, column, rows)
    }

    /// Each pattern that occurs and how many rows have it.
    pub fn counts(&self) -> Vec<(u16, usize)> {
        let mut counts = vec![0; 1 << self.equations];
        self.patterns
            .iter()
            .for_each(|&pattern| counts[pattern as usize] += 1);
        let distinct = self.distinct.iter();
        distinct
            .map(|&pattern| (pattern, counts[pattern as usize]))
            .collect()
    }
}

fn outcome(message: String) -> Error {
    Error::Argument {
        argument: "outcome",
        message,
    }
}

fn check_designs(designs: &[Design], n: usize) -> Result<()> {
    let equations = designs.len() / 2;
    for (component, design) in designs.iter().enumerate() {
        let (argument, equation) = match component < equations {
            true => ("outcome", component + 1),
            false => ("selection", component - equations + 1),
        };
        let problem = if design.columns.len() != n * design.width {
            format!("of equation {equation} must have {n} rows in its model matrix")
        } else if let Some(at) = design.columns.iter().position(|x| !x.is_finite()) {
            format!(
                "of equation {equation} has a model matrix that is not finite in row {}",
                at % n + 1
            )
        } else {
            continue;
        };
        return Err(Error::Argument {
            argument,
            message: problem,
        });
    }
    Ok(())
}

/// The sum of the weights.
fn check_weights(weights: Option<&[f64]>, n: usize) -> Result<f64> {
    let Some(weights) = weights else {
        return Ok(n as f64);
    };
    let good = |w: &f64| *w > 0.0 && w.is_finite();
    let total: f64 = weights.iter().sum();
    if weights.len() == n && weights.iter().all(good) && total.is_finite() {
        return Ok(total);
    }
    Err(Error::Argument {
        argument: "weights",
        message: format!("must be {n} positive finite numbers"),
    })
}

fn patterns(selected: &[i32], n: usize) -> Vec<u16> {
    let mut patterns = vec![0; n];
    for (j, column) in selected.chunks_exact(n).enumerate() {
        let rows = patterns.iter_mut().zip(column);
        rows.for_each(|(pattern, &selected)| *pattern |= u16::from(selected == 1) << j);
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<'a>(x: &'a [f64], response: &'a [f64], weights: Option<&'a [f64]>) -> Result<Data<'a>> {
        let design = Design {
            columns: x,
            width: 1,
        };
        Data::new(vec![design; 4], response, &[1, 0, 1, 0, 0, 1], weights)
    }

    #[test]
    fn patterns_are_bits_of_the_equations() {
        let data = rows(&[1.0; 3], &[0.5; 6], None).unwrap();
        assert_eq!(data.patterns, [1, 0, 3]);
        assert_eq!(data.counts(), [(0, 1), (1, 1), (3, 1)]);
        assert!(data.is_selected(2, 1) && !data.is_selected(0, 1));
        assert_eq!(data.total_weight, 3.0);
    }

    #[test]
    fn bad_rows_are_named() {
        let argument = |result: Result<Data>| match result {
            Err(Error::Argument { argument, message }) => (argument, message),
            other => panic!("expected an argument error, got {other:?}"),
        };
        let y = [0.5; 6];
        // Not selected: may be anything.
        let unseen = [0.5, f64::NAN, 0.5, 0.5, 0.5, 0.5];
        assert!(rows(&[1.0; 3], &unseen, None).is_ok());
        let seen = [0.5, 0.5, 0.5, 0.5, 0.5, f64::INFINITY];
        let (name, message) = argument(rows(&[1.0; 3], &seen, None));
        assert!(name == "outcome" && message.contains("equation 2") && message.contains("row 3"));
        let (name, message) = argument(rows(&[1.0, f64::NAN, 1.0], &y, None));
        assert!(name == "outcome" && message.contains("equation 1") && message.contains("row 2"));
        assert_eq!(argument(rows(&[1.0; 2], &y, None)).0, "outcome");
        assert_eq!(
            argument(rows(&[1.0; 3], &y, Some(&[1.0, 0.0, 1.0]))).0,
            "weights"
        );
        assert_eq!(
            argument(rows(&[1.0; 3], &y, Some(&[1.0, 1.0]))).0,
            "weights"
        );
        assert_eq!(argument(Data::new(vec![], &y, &[], None)).0, "outcome");
    }
}
