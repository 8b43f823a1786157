//! Vectors and matrices of at most three dimensions, without a heap: one of each for every group.

use std::array::from_fn;

/// The widest random effect that quadrature handles.
pub const MAX_WIDTH: usize = 3;

/// A vector; elements beyond its length are 0.
pub(super) type Vector = [f64; MAX_WIDTH];

/// A matrix by rows; elements beyond its size are 0.
pub(super) type Square = [[f64; MAX_WIDTH]; MAX_WIDTH];

/// aᵀb.
#[inline]
pub(super) fn inner(a: &Vector, b: &Vector) -> f64 {
    (0..MAX_WIDTH).map(|i| a[i] * b[i]).sum()
}

/// A v.
#[inline]
pub(super) fn times(a: &Square, v: &Vector) -> Vector {
    from_fn(|i| inner(&a[i], v))
}

/// A + f b cᵀ.
#[inline]
pub(super) fn add_outer(a: &mut Square, factor: f64, b: &Vector, c: &Vector) {
    for i in 0..MAX_WIDTH {
        for j in 0..MAX_WIDTH {
            a[i][j] += factor * b[i] * c[j];
        }
    }
}

/// Lower Cholesky factor of the leading q × q block, if that is positive definite.
pub(super) fn cholesky(a: &Square, q: usize) -> Option<Square> {
    let mut lower = [[0.0; MAX_WIDTH]; MAX_WIDTH];
    for j in 0..q {
        for i in j..q {
            let done: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = a[i][j] - done;
            if i > j {
                lower[i][j] = rest / lower[j][j];
            } else if rest > f64::EPSILON * a[j][j].abs() && rest.is_finite() {
                lower[j][j] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

/// L⁻¹ v.
#[inline]
pub(super) fn solve_lower(lower: &Square, v: &Vector, q: usize) -> Vector {
    let mut x = *v;
    for i in 0..q {
        for k in 0..i {
            x[i] -= lower[i][k] * x[k];
        }
        x[i] /= lower[i][i];
    }
    x
}

/// L⁻ᵀ v.
#[inline]
pub(super) fn solve_upper(lower: &Square, v: &Vector, q: usize) -> Vector {
    let mut x = *v;
    for i in (0..q).rev() {
        for k in i + 1..q {
            x[i] -= lower[k][i] * x[k];
        }
        x[i] /= lower[i][i];
    }
    x
}

/// L⁻ᵀ A L⁻¹ of a symmetric A.
pub(super) fn unwhiten(a: &Square, lower: &Square, q: usize) -> Square {
    let half: Square = from_fn(|i| solve_upper(lower, &a[i], q));
    let columns: Square = from_fn(|j| solve_upper(lower, &from_fn(|i| half[i][j]), q));
    from_fn(|i| from_fn(|j| columns[j][i]))
}

/// (L Lᵀ)⁻¹.
pub(super) fn inverse(lower: &Square, q: usize) -> Square {
    unwhiten(&identity(q), lower, q)
}

/// The identity in q dimensions.
pub(super) fn identity(q: usize) -> Square {
    from_fn(|i| from_fn(|j| f64::from(u8::from(i == j && i < q))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_and_solutions_fit_the_matrix() {
        let a = [[4.0, 1.0, -0.5], [1.0, 3.0, 0.7], [-0.5, 0.7, 2.0]];
        let lower = cholesky(&a, 3).unwrap();
        let v = [1.0, -2.0, 0.3];
        let x = solve_upper(&lower, &solve_lower(&lower, &v, 3), 3);
        let inverse = inverse(&lower, 3);
        for i in 0..3 {
            assert!((times(&a, &x)[i] - v[i]).abs() < 1e-14);
            assert!((times(&inverse, &v)[i] - x[i]).abs() < 1e-14);
        }
    }

    #[test]
    fn unused_dimensions_stay_zero() {
        let a = [[4.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0; 3]];
        let inverse = inverse(&cholesky(&a, 2).unwrap(), 2);
        assert!((inverse[0][0] - 3.0 / 11.0).abs() < 1e-15);
        assert_eq!(inverse[2], [0.0; 3]);
        assert!(cholesky(&[[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0; 3]], 2).is_none());
    }
}
