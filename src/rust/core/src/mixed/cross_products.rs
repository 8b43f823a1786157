//! The sufficient statistics of a linear mixed model: [Z X y]ᵀW[Z X y] in blocks.
//!
//! Z is never formed: a level of a grouping factor owns one q × q block with itself, q × p with the fixed
//! effects, and one block with every level of another factor that it occurs with. X stands for X T
//! (see [`super::basis`]) and y for its least-squares residuals, so nothing cancels later.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::basis::{dense, Basis};
use super::rows::Rows;
use crate::error::{Error, Result};

/// Cross-products of the rows; everything that fits and inference need.
#[derive(Debug, Clone)]
pub struct CrossProducts {
    pub(super) design: Arc<Design>,
    pub(super) response: Response,
}

/// Everything without y.
#[derive(Debug, Clone)]
pub(super) struct Design {
    pub rows: usize,
    /// Number of columns of X, aliased ones too.
    pub columns: usize,
    /// Σ log w.
    pub log_weights: f64,
    /// Rows in each dispersion group.
    pub group_rows: Vec<usize>,
    pub widths: Vec<usize>,
    pub levels: Vec<usize>,
    pub basis: Basis,
    /// Which levels occur together, for each pair of terms.
    pub pairs: Vec<Pairs>,
    /// One for each dispersion group.
    pub products: Vec<Products>,
}

/// Which levels of two terms occur together: for each level of `first` a sorted list of levels of `second`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// The term with more random effects.
    pub first: usize,
    /// The other term.
    pub second: usize,
    /// Where the list of each level of `first` starts; one more than there are levels.
    pub starts: Vec<usize>,
    /// Levels of `second`, from 0.
    pub levels: Vec<u32>,
}

/// Blocks of [Z X]ᵀW[Z X], column-major each.
#[derive(Debug, Clone)]
pub(super) struct Products {
    /// For each term, q × q per level.
    pub diagonal: Vec<Vec<f64>>,
    /// For each term, p × q per level: X̃ᵀWZ.
    pub fixed: Vec<Vec<f64>>,
    /// For each of the pairs, q_first × q_second.
    pub pairs: Vec<Vec<f64>>,
    /// X̃ᵀWX̃.
    pub gram: DMatrix<f64>,
}

/// What depends on y.
#[derive(Debug, Clone)]
pub(super) struct Response {
    /// β₀ (columns kept, user's units): y stands for y - offset - X β₀.
    pub origin: DVector<f64>,
    /// One for each dispersion group.
    pub products: Vec<ResponseProducts>,
}

/// Blocks of [Z X y]ᵀW y.
#[derive(Debug, Clone)]
pub(super) struct ResponseProducts {
    /// For each term, q per level.
    pub effects: Vec<Vec<f64>>,
    /// X̃ᵀWy.
    pub fixed: DVector<f64>,
    /// yᵀWy.
    pub square: f64,
}

/// Summarises the rows. `threads` changes nothing but the time.
///
/// # Errors
/// [`Error::Argument`] from [`Rows::validate`].
pub fn cross_products(rows: &Rows, threads: usize) -> Result<CrossProducts> {
    let _ = threads;
    rows.validate()?;
    let design = Arc::new(Design::of(rows));
    let response = Response::of(rows, &design, rows.response);
    Ok(CrossProducts { design, response })
}

impl CrossProducts {
    /// Number of rows, n.
    pub fn rows(&self) -> usize {
        self.design.rows
    }

    /// Number of columns of X, aliased ones too.
    pub fn columns(&self) -> usize {
        self.design.columns
    }

    /// Number of columns of X that count, p.
    pub fn fixed_columns(&self) -> usize {
        self.design.basis.kept.len()
    }

    /// Columns of X that count, increasing.
    pub fn kept(&self) -> &[usize] {
        &self.design.basis.kept
    }

    /// Columns of X that depend on those before them.
    pub fn aliased(&self) -> &[usize] {
        &self.design.basis.aliased
    }

    /// Number of core terms.
    pub fn terms(&self) -> usize {
        self.design.widths.len()
    }

    /// Width of each core term.
    pub fn widths(&self) -> &[usize] {
        &self.design.widths
    }

    /// Number of levels of each core term.
    pub fn levels(&self) -> &[usize] {
        &self.design.levels
    }

    /// Σ log w.
    pub fn log_weights(&self) -> f64 {
        self.design.log_weights
    }

    /// Rows in each dispersion group.
    pub fn group_rows(&self) -> &[usize] {
        &self.design.group_rows
    }

    /// Which levels occur together.
    pub fn pairs(&self) -> &[Pairs] {
        &self.design.pairs
    }

    /// T: β = T β̃ for the columns kept.
    pub fn transform(&self) -> &DMatrix<f64> {
        &self.design.basis.transform
    }

    /// The statistics of the same design with another response (refit, bootstrap).
    ///
    /// # Errors
    /// [`Error::Argument`] naming `data` when `y` has another length or values that are not finite.
    pub fn with_response(&self, rows: &Rows, y: &[f64]) -> Result<CrossProducts> {
        if y.len() != self.rows() || rows.len() != self.rows() || y.iter().any(|y| !y.is_finite()) {
            return Err(Error::Argument {
                argument: "data",
                message: "must give one finite response for each row of the fit".into(),
            });
        }
        Ok(CrossProducts {
            design: Arc::clone(&self.design),
            response: Response::of(rows, &self.design, y),
        })
    }

    /// The statistics with the coefficient of column `j` (an index into the columns kept) fixed at `value`:
    /// the column leaves X, and `value` times it leaves y.
    pub fn without_column(&self, j: usize, value: f64) -> CrossProducts {
        let design = &*self.design;
        let p = self.fixed_columns();
        let transform = &design.basis.transform;
        // y + X̃ d with the shortest d that moves β_j from its origin to `value`.
        let row = transform.row(j).transpose();
        let shift = &row * ((self.response.origin[j] - value) / row.norm_squared());
        // K: an orthonormal basis of the β̃ that leave β_j alone, by a reflection that sends `row` to e_1.
        let mut head = row.clone();
        head[0] += row.norm().copysign(row[0]);
        let reflection =
            DMatrix::identity(p, p) - &head * head.transpose() * (2.0 / head.norm_squared());
        let keep = reflection.columns(1, p - 1).into_owned();
        let mut kept = design.basis.kept.clone();
        kept.remove(j);
        let basis = Basis {
            kept,
            aliased: design.basis.aliased.clone(),
            transform: (transform * &keep).remove_row(j),
        };
        let products = design.products.iter().map(|products| Products {
            diagonal: products.diagonal.clone(),
            fixed: products.fixed.iter().map(|f| project(f, &keep)).collect(),
            pairs: products.pairs.clone(),
            gram: keep.transpose() * &products.gram * &keep,
        });
        let both = self.response.products.iter().zip(&design.products);
        let response = both.map(|(y, x)| y.shifted(x, &shift, &keep)).collect();
        let moved = &self.response.origin - transform * &shift;
        CrossProducts {
            design: Arc::new(Design {
                basis,
                products: products.collect(),
                pairs: design.pairs.clone(),
                group_rows: design.group_rows.clone(),
                widths: design.widths.clone(),
                levels: design.levels.clone(),
                ..*design
            }),
            response: Response {
                origin: moved.remove_row(j),
                products: response,
            },
        }
    }
}

/// Blocks p × q of X̃ᵀWZ for the basis X̃ K.
fn project(blocks: &[f64], keep: &DMatrix<f64>) -> Vec<f64> {
    let (p, kept) = keep.shape();
    let mut projected = Vec::with_capacity(blocks.len() / p * kept);
    for column in blocks.chunks_exact(p) {
        for direction in keep.as_slice().chunks_exact(p) {
            projected.push(column.iter().zip(direction).map(|(x, k)| x * k).sum());
        }
    }
    projected
}

impl ResponseProducts {
    /// Those of y + X̃ d and the basis X̃ K.
    fn shifted(&self, products: &Products, d: &DVector<f64>, keep: &DMatrix<f64>) -> Self {
        let p = d.len();
        let mut effects = self.effects.clone();
        for (effects, fixed) in effects.iter_mut().zip(&products.fixed) {
            for (effect, column) in effects.iter_mut().zip(fixed.chunks_exact(p)) {
                *effect += column.iter().zip(d).map(|(x, d)| x * d).sum::<f64>();
            }
        }
        let along = &products.gram * d;
        ResponseProducts {
            effects,
            square: self.square + 2.0 * self.fixed.dot(d) + along.dot(d),
            fixed: keep.transpose() * (&self.fixed + along),
        }
    }
}

/// X̃ = X T, row-major.
fn conditioned(rows: &Rows, basis: &Basis) -> Vec<f64> {
    let (n, p) = (rows.len(), basis.kept.len());
    let x = dense(rows);
    let mut rotated = vec![0.0; n * p];
    for i in 0..n {
        for j in 0..p {
            for k in 0..=j {
                rotated[i * p + j] += x[basis.kept[k] * n + i] * basis.transform[(k, j)];
            }
        }
    }
    rotated
}

impl Design {
    fn of(rows: &Rows) -> Self {
        let basis = Basis::of(rows);
        let x = conditioned(rows, &basis);
        let widths: Vec<usize> = rows.terms.iter().map(|term| term.columns.len()).collect();
        let levels: Vec<usize> = rows.terms.iter().map(|term| term.levels).collect();
        let mut order: Vec<usize> = (0..widths.len()).collect();
        order.sort_by_key(|&t| std::cmp::Reverse(widths[t] * levels[t]));
        let mut pairs = Vec::new();
        for (k, &first) in order.iter().enumerate() {
            pairs.extend(
                order[k + 1..]
                    .iter()
                    .map(|&second| Pairs::of(rows, first, second)),
            );
        }
        let p = basis.kept.len();
        let groups = rows.groups();
        let empty = || Products {
            diagonal: widths
                .iter()
                .zip(&levels)
                .map(|(q, l)| vec![0.0; q * q * l])
                .collect(),
            fixed: widths
                .iter()
                .zip(&levels)
                .map(|(q, l)| vec![0.0; p * q * l])
                .collect(),
            pairs: pairs
                .iter()
                .map(|pairs| {
                    vec![0.0; pairs.levels.len() * widths[pairs.first] * widths[pairs.second]]
                })
                .collect(),
            gram: DMatrix::zeros(p, p),
        };
        let mut products: Vec<Products> = (0..groups).map(|_| empty()).collect();
        let mut group_rows = vec![0; groups];
        for i in 0..rows.len() {
            group_rows[rows.group(i)] += 1;
            products[rows.group(i)].add(rows, i, &x[i * p..(i + 1) * p], &pairs);
        }
        let log_weights = rows.weights.map_or(0.0, |w| w.iter().map(|w| w.ln()).sum());
        Design {
            rows: rows.len(),
            columns: rows.fixed.columns(),
            log_weights,
            group_rows,
            widths,
            levels,
            basis,
            pairs,
            products,
        }
    }
}

impl Pairs {
    fn of(rows: &Rows, first: usize, second: usize) -> Self {
        let (a, b) = (&rows.terms[first], &rows.terms[second]);
        let mut keys: Vec<(i32, i32)> = a
            .codes
            .iter()
            .copied()
            .zip(b.codes.iter().copied())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut starts = vec![0; a.levels + 1];
        for key in &keys {
            starts[key.0 as usize] += 1;
        }
        for l in 0..a.levels {
            starts[l + 1] += starts[l];
        }
        Pairs {
            first,
            second,
            starts,
            levels: keys.iter().map(|key| key.1 as u32 - 1).collect(),
        }
    }

    /// Position of a pair of levels in the lists.
    pub fn position(&self, first: usize, second: usize) -> Option<usize> {
        let range = self.starts[first]..self.starts[first + 1];
        let found = self.levels[range.clone()].binary_search(&(second as u32));
        found.ok().map(|k| range.start + k)
    }
}

impl Products {
    fn add(&mut self, rows: &Rows, i: usize, x: &[f64], pairs: &[Pairs]) {
        let w = rows.weight(i);
        let p = x.len();
        for (t, term) in rows.terms.iter().enumerate() {
            let (level, q) = (term.codes[i] as usize - 1, term.columns.len());
            for (a, column) in term.columns.iter().enumerate() {
                let wz = w * column.at(i);
                for (b, other) in term.columns.iter().enumerate() {
                    self.diagonal[t][level * q * q + a * q + b] += wz * other.at(i);
                }
                let at = (level * q + a) * p;
                for (sum, x) in self.fixed[t][at..at + p].iter_mut().zip(x) {
                    *sum += wz * x;
                }
            }
        }
        for (pairs, values) in pairs.iter().zip(&mut self.pairs) {
            let (a, b) = (&rows.terms[pairs.first], &rows.terms[pairs.second]);
            let (qa, qb) = (a.columns.len(), b.columns.len());
            let (la, lb) = (a.codes[i] as usize - 1, b.codes[i] as usize - 1);
            if let Some(at) = pairs.position(la, lb) {
                for (j, right) in b.columns.iter().enumerate() {
                    for (k, left) in a.columns.iter().enumerate() {
                        values[at * qa * qb + j * qa + k] += w * left.at(i) * right.at(i);
                    }
                }
            }
        }
        for j in 0..p {
            for k in 0..p {
                self.gram[(k, j)] += w * x[j] * x[k];
            }
        }
    }
}

impl Response {
    fn of(rows: &Rows, design: &Design, y: &[f64]) -> Self {
        let p = design.basis.kept.len();
        let x = conditioned(rows, &design.basis);
        let mut y: Vec<f64> = match rows.offset {
            Some(offset) => y.iter().zip(offset).map(|(y, o)| y - o).collect(),
            None => y.to_vec(),
        };
        // X̃ᵀWX̃ = I: the projection of y, twice for the last digits.
        let mut coefficients = DVector::zeros(p);
        for _ in 0..2 {
            let mut step = DVector::zeros(p);
            for (i, y) in y.iter().enumerate() {
                for j in 0..p {
                    step[j] += rows.weight(i) * y * x[i * p + j];
                }
            }
            for (i, y) in y.iter_mut().enumerate() {
                for j in 0..p {
                    *y -= step[j] * x[i * p + j];
                }
            }
            coefficients += step;
        }
        let empty = || ResponseProducts {
            effects: design
                .widths
                .iter()
                .zip(&design.levels)
                .map(|(q, l)| vec![0.0; q * l])
                .collect(),
            fixed: DVector::zeros(p),
            square: 0.0,
        };
        let mut products: Vec<ResponseProducts> =
            design.group_rows.iter().map(|_| empty()).collect();
        for (i, &y) in y.iter().enumerate() {
            let products = &mut products[rows.group(i)];
            let wy = rows.weight(i) * y;
            products.square += wy * y;
            for j in 0..p {
                products.fixed[j] += wy * x[i * p + j];
            }
            for (t, term) in rows.terms.iter().enumerate() {
                let (level, q) = (term.codes[i] as usize - 1, term.columns.len());
                for (a, column) in term.columns.iter().enumerate() {
                    products.effects[t][level * q + a] += wy * column.at(i);
                }
            }
        }
        Response {
            origin: &design.basis.transform * coefficients,
            products,
        }
    }
}
