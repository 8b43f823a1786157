//! Small dense decompositions, with failure as a fact instead of a panic.
//!
//! Matrices are d × d with d the number of dimensions, so everything here is O(d³). Cholesky factors do
//! not care about the units of the columns; symmetric eigenvalues do, so callers standardise first
//! wherever units may differ.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::error::{Error, Result};

/// Lower Cholesky factor L of a symmetric positive definite A = L Lᵀ; only the lower triangle is read.
///
/// # Errors
/// [`Error::NotPositiveDefinite`] with the first pivot (0-based) that is not a positive number.
pub fn cholesky(matrix: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let d = matrix.nrows();
    let mut lower = matrix.lower_triangle();
    for j in 0..d {
        for i in j..d {
            let mut sum = lower[(i, j)];
            for l in 0..j {
                sum -= lower[(i, l)] * lower[(j, l)];
            }
            lower[(i, j)] = sum;
        }
        let pivot = lower[(j, j)];
        // A pivot that is pure rounding of its own diagonal is a zero.
        let tolerance = f64::EPSILON * matrix[(j, j)].abs();
        if !(pivot > tolerance && pivot.is_finite()) {
            return Err(Error::NotPositiveDefinite { pivot: j });
        }
        let root = pivot.sqrt();
        lower[(j, j)] = root;
        for i in j + 1..d {
            lower[(i, j)] /= root;
        }
    }
    Ok(lower)
}

/// log |A| from the lower Cholesky factor of A.
pub fn log_det_cholesky(lower: &DMatrix<f64>) -> f64 {
    2.0 * lower.diagonal().iter().map(|x| x.ln()).sum::<f64>()
}

/// Inverse of a lower triangular matrix with a non-zero diagonal.
pub fn inverse_lower(lower: &DMatrix<f64>) -> DMatrix<f64> {
    let d = lower.nrows();
    let mut inverse = DMatrix::zeros(d, d);
    for j in 0..d {
        inverse[(j, j)] = 1.0 / lower[(j, j)];
        for i in j + 1..d {
            let sum: f64 = (j..i).map(|l| lower[(i, l)] * inverse[(l, j)]).sum();
            inverse[(i, j)] = -sum / lower[(i, i)];
        }
    }
    inverse
}

/// L⁻¹ A L⁻ᵀ for a symmetric A and a lower triangular L: A in the metric of L Lᵀ.
pub fn whiten(matrix: &DMatrix<f64>, lower: &DMatrix<f64>) -> DMatrix<f64> {
    let inverse = inverse_lower(lower);
    symmetrized(&(&inverse * matrix * inverse.transpose()))
}

/// (A + Aᵀ) / 2: what a product that is symmetric in exact arithmetic should have been.
pub fn symmetrized(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    (matrix + matrix.transpose()) * 0.5
}

/// Inverse of a symmetric positive definite matrix.
///
/// # Errors
/// As [`cholesky`].
pub fn inverse_spd(matrix: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    let inverse = inverse_lower(&cholesky(matrix)?);
    Ok(inverse.transpose() * inverse)
}

/// tr(A B) of two symmetric matrices of the same size.
pub fn trace_product(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    a.component_mul(b).sum()
}

/// Eigenvalues, largest first, and the matrix of eigenvectors (columns) of a symmetric matrix.
///
/// # Errors
/// [`Error::Numerical`] when the matrix has entries that are not finite, or the iteration fails.
pub fn symmetric_eigen(matrix: &DMatrix<f64>) -> Result<(DVector<f64>, DMatrix<f64>)> {
    // Rounds of the QR iteration; 30 d is LAPACK's limit.
    let limit = 30 * matrix.nrows().max(10);
    let failed = || Error::Numerical {
        message: "the eigenvalues of a symmetric matrix could not be computed".into(),
    };
    if !matrix.iter().all(|x| x.is_finite()) {
        return Err(failed());
    }
    // A scale of one keeps squares inside the range of doubles.
    let scale = matrix.amax();
    if scale == 0.0 {
        let d = matrix.nrows();
        return Ok((DVector::zeros(d), DMatrix::identity(d, d)));
    }
    let eigen = SymmetricEigen::try_new(matrix / scale, f64::EPSILON, limit).ok_or_else(failed)?;
    let mut order: Vec<usize> = (0..matrix.nrows()).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    let values = DVector::from_iterator(order.len(), order.iter().map(|&i| eigen.eigenvalues[i]));
    let vectors = eigen.eigenvectors.select_columns(&order);
    Ok((values * scale, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> DMatrix<f64> {
        DMatrix::from_row_slice(3, 3, &[4.0, 2.0, -1.0, 2.0, 5.0, 0.5, -1.0, 0.5, 3.0])
    }

    #[test]
    fn cholesky_reproduces_the_matrix_in_any_units() {
        let units = DMatrix::from_diagonal(&DVector::from_vec(vec![1e-6, 1.0, 1e6]));
        for a in [example(), &units * example() * &units] {
            let lower = cholesky(&a).unwrap();
            let back = &lower * lower.transpose();
            for (x, y) in back.iter().zip(a.iter()) {
                assert!((x - y).abs() <= 1e-14 * y.abs());
            }
            assert!((log_det_cholesky(&lower) - 40f64.ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn cholesky_names_the_bad_pivot() {
        let mut a = example();
        a[(2, 2)] = 0.0;
        assert_eq!(cholesky(&a), Err(Error::NotPositiveDefinite { pivot: 2 }));
        a[(0, 0)] = f64::NAN;
        assert_eq!(cholesky(&a), Err(Error::NotPositiveDefinite { pivot: 0 }));
    }

    #[test]
    fn inverses_and_whitening_agree() {
        let a = example();
        let inverse = inverse_spd(&a).unwrap();
        assert!((&a * &inverse - DMatrix::identity(3, 3)).amax() < 1e-14);
        let lower = cholesky(&a).unwrap();
        assert!((whiten(&a, &lower) - DMatrix::identity(3, 3)).amax() < 1e-14);
        assert!((trace_product(&a, &inverse) - 3.0).abs() < 1e-14);
    }

    #[test]
    fn eigenvalues_come_largest_first() {
        let a = example() * 1e200;
        let (values, vectors) = symmetric_eigen(&a).unwrap();
        assert!(values[0] >= values[1] && values[1] >= values[2]);
        let back = &vectors * DMatrix::from_diagonal(&values) * vectors.transpose();
        assert!((back - &a).amax() < 1e-14 * a.amax());
        assert!(symmetric_eigen(&DMatrix::from_element(2, 2, f64::NAN)).is_err());
    }
}
