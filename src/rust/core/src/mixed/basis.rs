//! A well-conditioned basis of the fixed effects: which columns of X count, and X T with X T well conditioned.
//!
//! Cross-products square condition numbers, so they are taken of X̃ = X T instead of X. For a dense X, X̃ is
//! orthonormal (X̃ᵀWX̃ = I): T comes from a Householder QR of √W X in blocks of rows, which is as accurate as
//! that of `lm()`. A sparse X stays sparse: T only scales its columns.

use nalgebra::{DMatrix, DVector};

use super::coincidence::SparseRows;
use super::rows::{FixedColumns, Rows};

/// Rows that are processed at once.
pub(crate) const BLOCK_ROWS: usize = 256;

/// A column whose part outside the span of those before it is smaller than this, relative to its length, is
/// aliased (`lm()`'s tolerance).
pub const ALIAS_TOLERANCE: f64 = 1e-7;

/// The same for a sparse X, squared: its cross-products cannot tell smaller parts from rounding.
const SPARSE_ALIAS_TOLERANCE_SQUARED: f64 = 1e-12;

/// T.
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    /// A square matrix.
    Full(DMatrix<f64>),
    /// A diagonal matrix.
    Diagonal(DVector<f64>),
}

/// The columns of X that count and their transformation.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// Columns kept, increasing.
    pub kept: Vec<usize>,
    /// Columns that are linear combinations of kept columns before them, increasing.
    pub aliased: Vec<usize>,
    /// T, k × k for the k columns kept: β = T β̃.
    pub transform: Transform,
}

impl Basis {
    /// The basis of the fixed effects of `rows`.
    pub(crate) fn of(rows: &Rows) -> Self {
        match rows.fixed {
            FixedColumns::Dense { values, .. } => orthogonalise(&triangle(rows, values)),
            FixedColumns::Sparse { .. } => scale(rows),
        }
    }

    /// log |det T|².
    pub fn log_det(&self) -> f64 {
        let logs = |diagonal: DVector<f64>| diagonal.iter().map(|x| x.abs().ln()).sum::<f64>();
        2.0 * match &self.transform {
            Transform::Full(t) => logs(t.clone().lu().u().diagonal()),
            Transform::Diagonal(t) => logs(t.clone()),
        }
    }

    /// T A.
    pub fn times(&self, matrix: &DMatrix<f64>) -> DMatrix<f64> {
        match &self.transform {
            Transform::Full(t) => t * matrix,
            Transform::Diagonal(t) => {
                let mut scaled = matrix.clone();
                scaled
                    .row_iter_mut()
                    .zip(t.iter())
                    .for_each(|(mut row, t)| row *= *t);
                scaled
            }
        }
    }

    /// Writes T v to `to`.
    pub fn apply(&self, v: &[f64], to: &mut [f64]) {
        match &self.transform {
            Transform::Full(t) => {
                to.fill(0.0);
                for (column, v) in t.as_slice().chunks_exact(to.len().max(1)).zip(v) {
                    to.iter_mut().zip(column).for_each(|(to, t)| *to += t * v);
                }
            }
            Transform::Diagonal(t) => {
                to.iter_mut()
                    .zip(t.iter().zip(v))
                    .for_each(|(to, (t, v))| *to = t * v);
            }
        }
    }

    /// Writes Tᵀ v to `to`.
    pub fn apply_transposed(&self, v: &[f64], to: &mut [f64]) {
        match &self.transform {
            Transform::Full(t) => {
                for (to, column) in to.iter_mut().zip(t.as_slice().chunks_exact(v.len().max(1))) {
                    *to = column.iter().zip(v).map(|(t, v)| t * v).sum();
                }
            }
            Transform::Diagonal(_) => self.apply(v, to),
        }
    }

    /// T⁻¹ v.
    pub fn solve(&self, v: &[f64]) -> Vec<f64> {
        let mut solution = DVector::from_column_slice(v);
        match &self.transform {
            Transform::Full(t) => {
                // T is upper triangular with a diagonal that is not zero.
                t.solve_upper_triangular_mut(&mut solution);
            }
            Transform::Diagonal(t) => solution.component_div_assign(t),
        }
        solution.as_slice().to_vec()
    }

    /// T in full.
    pub fn matrix(&self) -> DMatrix<f64> {
        match &self.transform {
            Transform::Full(t) => t.clone(),
            Transform::Diagonal(t) => DMatrix::from_diagonal(t),
        }
    }
}

/// Σ a b, in four sums so that it is not one long chain of additions.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (left, right) = (a.chunks_exact(4), b.chunks_exact(4));
    let tail: f64 = left
        .remainder()
        .iter()
        .zip(right.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in left.zip(right) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + tail
}

/// R of the QR decomposition of √W X, p × p upper triangular.
fn triangle(rows: &Rows, x: &[f64]) -> DMatrix<f64> {
    let (n, p) = (rows.len(), rows.fixed.columns());
    let mut r = DMatrix::zeros(p, p);
    let mut block = vec![0.0; p * BLOCK_ROWS.min(n)];
    for start in (0..n).step_by(BLOCK_ROWS) {
        let height = BLOCK_ROWS.min(n - start);
        let block = &mut block[..p * height];
        for (j, column) in block.chunks_exact_mut(height).enumerate() {
            column.copy_from_slice(&x[j * n + start..][..height]);
            if let Some(weights) = rows.weights {
                let weights = &weights[start..start + height];
                column
                    .iter_mut()
                    .zip(weights)
                    .for_each(|(x, w)| *x *= w.sqrt());
            }
        }
        reflect(&mut r, block, height);
    }
    r
}

/// Householder reflections that bring [R; block] back to a triangle.
pub(crate) fn reflect(r: &mut DMatrix<f64>, block: &mut [f64], height: usize) {
    for j in 0..r.ncols() {
        let (done, rest) = block.split_at_mut((j + 1) * height);
        let vector = &done[j * height..];
        let below = dot(vector, vector);
        if below == 0.0 {
            continue;
        }
        let top = r[(j, j)];
        let norm = (top * top + below).sqrt().copysign(-top);
        let head = top - norm;
        r[(j, j)] = norm;
        // H = I - 2 v vᵀ / vᵀv with v = (head, vector).
        let factor = 2.0 / (head * head + below);
        for (k, column) in rest.chunks_exact_mut(height).enumerate() {
            let k = j + 1 + k;
            let along = factor * (head * r[(j, k)] + dot(vector, column));
            r[(j, k)] -= along * head;
            column
                .iter_mut()
                .zip(vector)
                .for_each(|(x, v)| *x -= along * v);
        }
    }
}

/// Orthogonalises the columns of R in order, leaving out those that depend on earlier ones.
pub(crate) fn orthogonalise(r: &DMatrix<f64>) -> Basis {
    let p = r.ncols();
    let (mut kept, mut aliased) = (Vec::new(), Vec::new());
    let mut directions: Vec<DVector<f64>> = Vec::new();
    let mut upper: DMatrix<f64> = DMatrix::zeros(p, p);
    for j in 0..p {
        let mut rest = r.column(j).into_owned();
        let length = rest.norm();
        let mut along = vec![0.0; directions.len()];
        // Twice is enough (Kahan and Parlett).
        for _ in 0..2 {
            for (sum, direction) in along.iter_mut().zip(&directions) {
                let part = direction.dot(&rest);
                rest.axpy(-part, direction, 1.0);
                *sum += part;
            }
        }
        let outside = rest.norm();
        if outside.is_nan() || outside <= ALIAS_TOLERANCE * length {
            aliased.push(j);
            continue;
        }
        let k = kept.len();
        for (i, value) in along.into_iter().enumerate() {
            upper[(i, k)] = value;
        }
        upper[(k, k)] = outside;
        directions.push(rest / outside);
        kept.push(j);
    }
    let k = kept.len();
    let upper = upper.view((0, 0), (k, k)).into_owned();
    let mut transform = DMatrix::identity(k, k);
    upper.solve_upper_triangular_mut(&mut transform);
    Basis {
        kept,
        aliased,
        transform: Transform::Full(transform),
    }
}

/// Unit lengths for the columns of a sparse X, without those that depend on earlier ones.
fn scale(rows: &Rows) -> Basis {
    let p = rows.fixed.columns();
    let all: Vec<usize> = (0..p).collect();
    let mut gram = DMatrix::zeros(p, p);
    if let Some(x) = SparseRows::of(&rows.fixed, rows.len(), &all) {
        add_gram(&mut gram, rows, &x);
    }
    let lengths = gram.diagonal().map(f64::sqrt);
    if all_count(&gram, &lengths) {
        return Basis {
            kept: all,
            aliased: Vec::new(),
            transform: Transform::Diagonal(lengths.map(|length| 1.0 / length)),
        };
    }
    let (mut kept, mut aliased) = (Vec::new(), Vec::new());
    // A Cholesky factor without the rows and columns that have no pivot: columns of `lower`.
    let mut lower: Vec<Vec<f64>> = Vec::new();
    for j in 0..p {
        let scale = |i: usize| 1.0 / (lengths[i] * lengths[j]);
        let mut column: Vec<f64> = (j..p).map(|i| gram[(i, j)] * scale(i)).collect();
        for (earlier, &k) in lower.iter().zip(&kept) {
            let below = &earlier[j - k..];
            let factor = below[0];
            if factor != 0.0 {
                column
                    .iter_mut()
                    .zip(below)
                    .for_each(|(x, l)| *x -= factor * l);
            }
        }
        if lengths[j] > 0.0 && column[0] > SPARSE_ALIAS_TOLERANCE_SQUARED {
            let root = column[0].sqrt();
            column
                .iter_mut()
                .for_each(|x| *x = if x.is_finite() { *x / root } else { 0.0 });
            lower.push(column);
            kept.push(j);
        } else {
            aliased.push(j);
        }
    }
    let transform = DVector::from_iterator(kept.len(), kept.iter().map(|&j| 1.0 / lengths[j]));
    Basis {
        kept,
        aliased,
        transform: Transform::Diagonal(transform),
    }
}

/// Whether no column depends on those before it, by one fast Cholesky factorisation: its squared pivots are the
/// shares of the columns' lengths outside the span of those before them.
fn all_count(gram: &DMatrix<f64>, lengths: &DVector<f64>) -> bool {
    let p = gram.ncols();
    let scaled = faer::Mat::from_fn(p, p, |i, j| gram[(i, j)] / (lengths[i] * lengths[j]));
    let factor = scaled.llt(faer::Side::Lower);
    factor.is_ok_and(|factor| {
        let lower = factor.L();
        (0..p).all(|j| lower[(j, j)].powi(2) > SPARSE_ALIAS_TOLERANCE_SQUARED)
    })
}

/// Adds XᵀWX of a sparse X.
fn add_gram(gram: &mut DMatrix<f64>, rows: &Rows, x: &SparseRows) {
    for i in 0..rows.len() {
        for (j, left) in x.row(i) {
            let left = rows.weight(i) * left;
            for (k, right) in x.row(i) {
                gram[(k, j)] += left * right;
            }
        }
    }
}
