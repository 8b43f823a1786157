//! Rows to fit: a view of R's own memory, never a copy.

use nalgebra::{DMatrix, DVector};
use ndarray::{ArrayView2, ShapeBuilder};

use super::expect::given::sums_about;
use crate::error::{Error, Result};

/// An n × d column-major matrix, one row per observation, with optional row weights.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    x: &'a [f64],
    rows: usize,
    columns: usize,
    weights: Option<&'a [f64]>,
}

impl<'a> Data<'a> {
    /// Views `x` (length `rows * columns`, column-major, finite) and `weights` (length `rows`).
    ///
    /// # Errors
    /// [`Error::Argument`] when there are no rows or columns, a length is wrong, a weight is negative or not
    /// finite, or all weights are zero.
    pub fn new(
        x: &'a [f64],
        rows: usize,
        columns: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        let bad = |argument, message: &str| {
            Err(Error::Argument {
                argument,
                message: message.into(),
            })
        };
        if rows == 0 || columns == 0 {
            return bad("x", "must have at least one row and one column");
        }
        if rows.checked_mul(columns) != Some(x.len()) {
            return bad("x", "must hold rows times columns values");
        }
        if let Some(weights) = weights {
            if weights.len() != rows {
                return bad("weights", "must have one value per row");
            }
            if !weights.iter().all(|w| w.is_finite() && *w >= 0.0) {
                return bad("weights", "must be finite and not negative");
            }
            if !weights.iter().any(|w| *w > 0.0) {
                return bad("weights", "must not all be zero");
            }
        }
        Ok(Data {
            x,
            rows,
            columns,
            weights,
        })
    }

    /// Number of rows n.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns d.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The n values of column `j` (0-based).
    pub fn column(&self, j: usize) -> &'a [f64] {
        &self.x[j * self.rows..(j + 1) * self.rows]
    }

    /// The matrix from row `start` on: column j begins at j n, n being [`rows`](Self::rows).
    pub(crate) fn tail(&self, start: usize) -> &'a [f64] {
        &self.x[start..]
    }

    /// Row weights, where there are any.
    pub fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// The n × d matrix as ndarray sees it.
    pub fn view(&self) -> ArrayView2<'a, f64> {
        ArrayView2::from_shape((self.rows, self.columns).f(), self.x)
            .expect("`new` checked the length")
    }

    /// Sum of the row weights (n when there are none).
    pub fn total_weight(&self) -> f64 {
        self.weights
            .map_or(self.rows as f64, |weights| weights.iter().sum())
    }

    /// Weighted column means, corrected by a second pass so that a large mean costs no digits.
    pub fn mean(&self) -> DVector<f64> {
        let total = self.total_weight();
        DVector::from_iterator(
            self.columns,
            (0..self.columns).map(|j| {
                let rough = self.weighted_sum(j, 0.0) / total;
                rough + self.weighted_sum(j, rough) / total
            }),
        )
    }

    /// Weighted scatter about the mean, d × d: Σ w (x − m)(x − m)ᵀ.
    pub fn scatter(&self) -> DMatrix<f64> {
        let mean = self.mean();
        let sums = sums_about(self, None, mean.as_slice());
        unpack(&sums.crosses, self.columns)
    }

    /// Σ w (x_j − center).
    fn weighted_sum(&self, j: usize, center: f64) -> f64 {
        let column = self.column(j).iter().map(|x| x - center);
        match self.weights {
            None => column.sum(),
            Some(weights) => column.zip(weights).map(|(x, w)| w * x).sum(),
        }
    }
}

/// The symmetric d × d matrix whose lower triangle, row by row, is `triangle`.
pub(super) fn unpack(triangle: &[f64], d: usize) -> DMatrix<f64> {
    DMatrix::from_fn(d, d, |i, j| {
        let (i, j) = (i.max(j), i.min(j));
        triangle[i * (i + 1) / 2 + j]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_scatter_survive_a_large_shift() {
        let x = [1.0, 2.0, 4.0, 0.0, 1.0, -3.0];
        let weights = [1.0, 2.0, 1.0];
        let near = Data::new(&x, 3, 2, Some(&weights)).unwrap();
        assert_eq!(near.mean().as_slice(), [2.25, -0.25]);
        assert!((near.scatter()[(0, 0)] - 4.75).abs() < 1e-14);
        assert!((near.scatter()[(0, 1)] + 5.75).abs() < 1e-14);
        let shifted = x.map(|v| v + 1e7);
        let far = Data::new(&shifted, 3, 2, Some(&weights)).unwrap();
        assert!((far.scatter() - near.scatter()).amax() < 1e-14);
        assert_eq!(near.view()[(2, 1)], -3.0);
    }

    #[test]
    fn malformed_input_is_refused() {
        let x = [1.0, 2.0];
        for (rows, columns, weights) in [
            (0, 1, None),
            (2, 2, None),
            (2, 1, Some(&[1.0][..])),
            (2, 1, Some(&[-1.0, 1.0][..])),
            (2, 1, Some(&[0.0, 0.0][..])),
            (2, 1, Some(&[f64::NAN, 1.0][..])),
        ] {
            let error = Data::new(&x, rows, columns, weights).unwrap_err();
            assert_eq!(error.kind(), "argument");
        }
    }
}
