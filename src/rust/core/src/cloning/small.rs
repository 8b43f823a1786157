//! Matrices of a few rows as slices, column-major; lower triangles are all that is read.

/// L⁻¹ v in place.
#[inline(always)]
pub fn forward(lower: &[f64], v: &mut [f64]) {
    let q = v.len();
    for j in 0..q {
        let mut x = v[j];
        for k in 0..j {
            x -= lower[k * q + j] * v[k];
        }
        v[j] = x / lower[j * q + j];
    }
}

/// L⁻ᵀ v in place.
#[inline(always)]
pub fn backward(lower: &[f64], v: &mut [f64]) {
    let q = v.len();
    for j in (0..q).rev() {
        let mut x = v[j];
        for k in j + 1..q {
            x -= lower[j * q + k] * v[k];
        }
        v[j] = x / lower[j * q + j];
    }
}

/// L v.
#[inline(always)]
pub fn lower_times(lower: &[f64], v: &[f64], to: &mut [f64]) {
    let q = v.len();
    for i in 0..q {
        let mut x = 0.0;
        for j in 0..=i {
            x += lower[j * q + i] * v[j];
        }
        to[i] = x;
    }
}

/// Lᵀ v in place.
#[inline(always)]
pub fn lower_transposed_times(lower: &[f64], v: &mut [f64]) {
    let q = v.len();
    for j in 0..q {
        let mut x = 0.0;
        for i in j..q {
            x += lower[j * q + i] * v[i];
        }
        v[j] = x;
    }
}

/// The lower triangle of LᵀAL + I for a symmetric A.
#[inline(always)]
pub fn congruence(lower: &[f64], a: &[f64], half: &mut [f64], to: &mut [f64]) {
    if let ([l], [a]) = (lower, a) {
        to[0] = l * a * l + 1.0;
        return;
    }
    let q = (lower.len() as f64).sqrt() as usize;
    let entry = |i: usize, j: usize| if i >= j { a[j * q + i] } else { a[i * q + j] };
    for j in 0..q {
        for i in 0..q {
            half[j * q + i] = (j..q).map(|k| entry(i, k) * lower[j * q + k]).sum();
        }
    }
    for j in 0..q {
        for i in j..q {
            let sum: f64 = (i..q).map(|k| lower[i * q + k] * half[j * q + k]).sum();
            to[j * q + i] = sum + f64::from(u8::from(i == j));
        }
    }
}

/// Lower Cholesky factor in place; whether the matrix is positive definite.
#[inline(always)]
pub fn factorise(a: &mut [f64], q: usize) -> bool {
    for j in 0..q {
        for k in 0..j {
            let factor = a[k * q + j];
            for i in j..q {
                a[j * q + i] -= factor * a[k * q + i];
            }
        }
        let pivot = a[j * q + j];
        if !(pivot.is_finite() && pivot > 0.0) {
            return false;
        }
        let root = pivot.sqrt();
        a[j * q + j] = root;
        a[j * q + j + 1..(j + 1) * q]
            .iter_mut()
            .for_each(|x| *x /= root);
    }
    true
}

/// |v|².
#[inline(always)]
pub fn square(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum()
}

/// aᵀb.
#[inline(always)]
pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
