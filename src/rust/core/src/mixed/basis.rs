//! A well-conditioned basis of the fixed effects: which columns of X count, and X T with (X T)ᵀW(X T) = I.
//!
//! Cross-products square condition numbers, so they are taken of X T instead of X. T comes from a
//! Householder QR of √W X in blocks of rows, which is as accurate as that of `lm()`.

use nalgebra::DMatrix;

use super::rows::{FixedColumns, Rows};

/// Rows that are reflected at once.
const BLOCK_ROWS: usize = 256;

/// A column whose part outside the span of those before it is smaller than this, relative to its length, is
/// aliased (`lm()`'s tolerance).
pub const ALIAS_TOLERANCE: f64 = 1e-7;

/// The columns of X that count and their transformation.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Columns kept, increasing.
    pub kept: Vec<usize>,
    /// Columns that are linear combinations of kept columns before them, increasing.
    pub aliased: Vec<usize>,
    /// T, k × k for the k columns kept: β = T β̃.
    pub transform: DMatrix<f64>,
}

impl Basis {
    /// The basis of the fixed effects of `rows`.
    pub fn of(rows: &Rows) -> Self {
        let columns = match rows.fixed {
            FixedColumns::Dense { values, .. } => triangle(rows, values),
            FixedColumns::Sparse { .. } => triangle(rows, &dense(rows)),
        };
        orthogonalise(&columns)
    }

    /// log |det T|².
    pub fn log_det(&self) -> f64 {
        let diagonal = self.transform.clone().lu();
        2.0 * diagonal
            .u()
            .diagonal()
            .iter()
            .map(|x| x.abs().ln())
            .sum::<f64>()
    }
}

/// X in full.
pub(super) fn dense(rows: &Rows) -> Vec<f64> {
    match rows.fixed {
        FixedColumns::Dense { values, .. } => values.to_vec(),
        FixedColumns::Sparse {
            columns,
            starts,
            rows: at,
            values,
        } => {
            let n = rows.len();
            let mut full = vec![0.0; n * columns];
            for j in 0..columns {
                for e in starts[j] as usize..starts[j + 1] as usize {
                    full[j * n + at[e] as usize] += values[e];
                }
            }
            full
        }
    }
}

/// R of the QR decomposition of √W X, p × p upper triangular.
fn triangle(rows: &Rows, x: &[f64]) -> DMatrix<f64> {
    let (n, p) = (rows.len(), rows.fixed.columns());
    let mut r = DMatrix::zeros(p, p);
    let mut block = vec![0.0; p * BLOCK_ROWS];
    for start in (0..n).step_by(BLOCK_ROWS) {
        let height = BLOCK_ROWS.min(n - start);
        for (j, column) in block.chunks_exact_mut(BLOCK_ROWS).enumerate() {
            let source = &x[j * n + start..j * n + start + height];
            for (i, (value, x)) in column.iter_mut().zip(source).enumerate() {
                *value = rows.weight(start + i).sqrt() * x;
            }
            column[height..].fill(0.0);
        }
        reflect(&mut r, &mut block);
    }
    r
}

/// Householder reflections that bring [R; block] back to a triangle.
fn reflect(r: &mut DMatrix<f64>, block: &mut [f64]) {
    for j in 0..r.ncols() {
        let (done, rest) = block.split_at_mut((j + 1) * BLOCK_ROWS);
        let vector = &mut done[j * BLOCK_ROWS..];
        let below: f64 = vector.iter().map(|v| v * v).sum();
        if below == 0.0 {
            continue;
        }
        let top = r[(j, j)];
        let norm = (top * top + below).sqrt().copysign(-top);
        let head = top - norm;
        r[(j, j)] = norm;
        // H = I - 2 v vᵀ / vᵀv with v = (head, vector).
        let factor = 2.0 / (head * head + below);
        for (k, column) in rest.chunks_exact_mut(BLOCK_ROWS).enumerate() {
            let k = j + 1 + k;
            let dot: f64 = vector.iter().zip(column.iter()).map(|(v, x)| v * x).sum();
            let along = factor * (head * r[(j, k)] + dot);
            r[(j, k)] -= along * head;
            for (x, v) in column.iter_mut().zip(vector.iter()) {
                *x -= along * v;
            }
        }
    }
}

/// Orthogonalises the columns of R in order, leaving out those that depend on earlier ones.
fn orthogonalise(r: &DMatrix<f64>) -> Basis {
    let p = r.ncols();
    let (mut kept, mut aliased) = (Vec::new(), Vec::new());
    let mut directions: Vec<nalgebra::DVector<f64>> = Vec::new();
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
        transform,
    }
}
