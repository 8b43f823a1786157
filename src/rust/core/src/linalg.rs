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
    let mut lower = matrix.clone();
    factorise(&mut lower)?;
    Ok(lower)
}

/// [`cholesky`] in place.
///
/// # Errors
/// As [`cholesky`]; the matrix is then half way.
pub fn factorise(matrix: &mut DMatrix<f64>) -> Result<()> {
    let d = matrix.nrows();
    let entries = matrix.as_mut_slice();
    for j in 0..d {
        let (done, rest) = entries.split_at_mut(j * d);
        let (above, column) = rest[..d].split_at_mut(j);
        above.fill(0.0);
        // A pivot that is pure rounding of its own diagonal is a zero.
        let tolerance = f64::EPSILON * column[0].abs();
        for earlier in done.chunks_exact(d) {
            let factor = earlier[j];
            for (x, l) in column.iter_mut().zip(&earlier[j..]) {
                *x -= factor * l;
            }
        }
        let pivot = column[0];
        if !(pivot > tolerance && pivot.is_finite()) {
            return Err(Error::NotPositiveDefinite { pivot: j });
        }
        let root = pivot.sqrt();
        column[0] = root;
        for x in &mut column[1..] {
            *x /= root;
        }
    }
    Ok(())
}

/// log |A| from the lower Cholesky factor of A.
pub fn log_det_cholesky(lower: &DMatrix<f64>) -> f64 {
    2.0 * (0..lower.nrows()).map(|j| lower[(j, j)].ln()).sum::<f64>()
}

/// Inverse of a lower triangular matrix with a non-zero diagonal.
pub fn inverse_lower(lower: &DMatrix<f64>) -> DMatrix<f64> {
    let d = lower.nrows();
    let mut inverse = DMatrix::identity(d, d);
    let columns = inverse.as_mut_slice().chunks_exact_mut(d.max(1));
    for (first, column) in columns.enumerate() {
        for j in first..d {
            let (solved, rest) = column.split_at_mut(j + 1);
            solved[j] /= lower[(j, j)];
            let below = &lower.as_slice()[j * d + j + 1..(j + 1) * d];
            for (x, l) in rest.iter_mut().zip(below) {
                *x -= solved[j] * l;
            }
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
    let mut symmetric = matrix.clone();
    for i in 0..matrix.nrows() {
        for j in 0..i {
            symmetric[(i, j)] = 0.5 * (matrix[(i, j)] + matrix[(j, i)]);
        }
    }
    mirror(&mut symmetric);
    symmetric
}

/// Copies the lower triangle into the upper one.
pub fn mirror(matrix: &mut DMatrix<f64>) {
    for i in 0..matrix.nrows() {
        for j in 0..i {
            matrix[(j, i)] = matrix[(i, j)];
        }
    }
}

/// D diag(values) Dᵀ with the axes in the columns of D.
pub fn from_spectrum(axes: &DMatrix<f64>, values: &[f64]) -> DMatrix<f64> {
    let d = axes.nrows();
    let mut matrix = DMatrix::zeros(d, d);
    for (axis, value) in axes.as_slice().chunks_exact(d).zip(values) {
        for (j, column) in matrix.as_mut_slice().chunks_exact_mut(d).enumerate() {
            let factor = value * axis[j];
            for (x, a) in column[j..].iter_mut().zip(&axis[j..]) {
                *x += factor * a;
            }
        }
    }
    mirror(&mut matrix);
    matrix
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
    a.iter().zip(b).map(|(x, y)| x * y).sum()
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
    if matrix.nrows() == 2 {
        return Ok(eigen_of_plane(matrix));
    }
    let eigen = SymmetricEigen::try_new(matrix / scale, f64::EPSILON, limit).ok_or_else(failed)?;
    let mut order: Vec<usize> = (0..matrix.nrows()).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    let values = DVector::from_iterator(order.len(), order.iter().map(|&i| eigen.eigenvalues[i]));
    let vectors = eigen.eigenvectors.select_columns(&order);
    Ok((values * scale, vectors))
}

/// Eigenvalues and eigenvectors of a 2 × 2 matrix: one rotation.
fn eigen_of_plane(matrix: &DMatrix<f64>) -> (DVector<f64>, DMatrix<f64>) {
    let (a, b, w) = (matrix[(0, 0)], matrix[(1, 1)], matrix[(1, 0)]);
    let half_difference = 0.5 * (a - b);
    // tan of the angle between the first axis and the nearest eigenvector (Golub & Van Loan, section 8.5).
    let tangent = if w == 0.0 {
        0.0
    } else {
        w / (half_difference.abs() + half_difference.hypot(w)) * half_difference.signum()
    };
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let (first, second) = (a + tangent * w, b - tangent * w);
    if first >= second {
        let vectors = DMatrix::from_column_slice(2, 2, &[cosine, sine, -sine, cosine]);
        (DVector::from_column_slice(&[first, second]), vectors)
    } else {
        let vectors = DMatrix::from_column_slice(2, 2, &[-sine, cosine, cosine, sine]);
        (DVector::from_column_slice(&[second, first]), vectors)
    }
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
