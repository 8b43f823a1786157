//! The random effects' cross-products for weights that change from pass to pass.
//!
//! Which levels occur together, and at which pair of levels each row stands, is found once; a pass over the rows then
//! only adds. Each block is summed by one thread in row order: the bits do not depend on threads.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::accumulate;
use super::basis::BLOCK_ROWS;
use super::conditioned::blocks;
use super::criterion::regular_inverse;
use super::cross_products::{cross_products, CrossProducts, Products, ResponseProducts};
use super::factor::Factor;
use super::rows::{Column, FixedColumns, Rows, TermRows};
use super::score::Score;
use super::selected_inverse::SelectedInverse;
use super::structure::Structure;
use crate::error::Result;

/// ZᵀWZ and Zᵀs of the rows for working weights W and scores s.
#[derive(Debug, Clone)]
pub struct Working {
    /// The pattern: a design without fixed effects.
    pattern: CrossProducts,
    /// For each of the pairs the position of the block that each row adds to.
    positions: Vec<Vec<u32>>,
    products: Products,
    /// Nothing: the factor is asked for solutions instead.
    response: ResponseProducts,
    /// Zᵀs, q per level of each term.
    scores: Vec<Vec<f64>>,
}

/// Symmetric blocks per level and blocks of the levels that occur together, laid out as those of the statistics.
#[derive(Debug, Clone, Default)]
pub struct LevelBlocks {
    /// For each term q × q per level.
    pub diagonal: Vec<Vec<f64>>,
    /// For each of the pairs q_first × q_second.
    pub pairs: Vec<Vec<f64>>,
}

impl Working {
    /// Finds the pattern of the random effects of `rows`.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] from [`Rows::validate`].
    pub fn new(rows: &Rows, threads: usize) -> Result<Self> {
        let bare = Rows {
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &[],
                columns: 0,
            },
            dispersion: None,
            ..rows.clone()
        };
        let pattern = cross_products(&bare, threads)?;
        let positions = pattern.pairs().iter().map(|pairs| {
            let (first, second) = (&rows.terms[pairs.first], &rows.terms[pairs.second]);
            let codes = first.codes.iter().zip(second.codes);
            let position = |(&a, &b): (&i32, &i32)| {
                let found = pairs.position(a as usize - 1, b as usize - 1);
                found.unwrap_or(0) as u32
            };
            codes.map(position).collect()
        });
        let positions = positions.collect();
        let products = pattern.design.products[0].clone();
        let zeros = pattern.response.products[0].effects.iter();
        let scores: Vec<Vec<f64>> = zeros.map(|effects| vec![0.0; effects.len()]).collect();
        Ok(Working {
            positions,
            products,
            response: ResponseProducts {
                effects: scores.clone(),
                fixed: DVector::zeros(0),
                square: 0.0,
            },
            scores,
            pattern,
        })
    }

    /// The design that the pattern is of.
    pub fn pattern(&self) -> &CrossProducts {
        &self.pattern
    }

    /// Zᵀs of a term, q per level.
    pub fn scores(&self, term: usize) -> &[f64] {
        &self.scores[term]
    }

    /// Sums ZᵀWZ and Zᵀs.
    pub fn fill(&mut self, rows: &Rows, weights: &[f64], scores: &[f64], threads: usize) {
        let terms = self.products.diagonal.iter_mut().zip(&mut self.scores);
        let mut tasks: Vec<Task> = rows
            .terms
            .iter()
            .zip(terms)
            .map(|(term, (diagonal, sums))| Task::Term {
                term,
                diagonal,
                sums,
            })
            .collect();
        let pairs = self.pattern.design.pairs.iter();
        let values = self.products.pairs.iter_mut().zip(&self.positions);
        tasks.extend(pairs.zip(values).map(|(pairs, (values, positions))| {
            let terms = [&rows.terms[pairs.first], &rows.terms[pairs.second]];
            Task::Pairs {
                terms,
                positions,
                values,
            }
        }));
        run(tasks, threads, rows.len(), |task| task.run(weights, scores));
    }

    /// Factorises ΛᵀZᵀWZΛ + I at θ.
    ///
    /// # Errors
    /// As [`Factor::update`]; also when negative weights make the matrix indefinite.
    pub fn factorise(
        &self,
        factor: &mut Factor,
        structure: &Structure,
        theta: &[f64],
    ) -> Result<()> {
        factor.update_from(structure, theta, &self.products, &self.response)
    }

    /// Writes Zᵀv, q per level, term behind term.
    pub fn project(&self, rows: &Rows, v: &[f64], to: &mut [f64], threads: usize) {
        let mut rest = to;
        let mut tasks = Vec::new();
        for (term, sums) in rows.terms.iter().zip(&self.scores) {
            let (part, others) = rest.split_at_mut(sums.len());
            tasks.push((term, part));
            rest = others;
        }
        run(tasks, threads, rows.len(), |(term, sums)| {
            sums.fill(0.0);
            for (start, height) in blocks(v.len()) {
                accumulate::add_effects(term, start, &v[start..start + height], sums);
            }
        });
    }

    /// Adds zᵀCz of a range of rows, C given by its blocks.
    pub fn add_quadratic_forms(
        &self,
        rows: &Rows,
        blocks: &LevelBlocks,
        range: Range<usize>,
        to: &mut [f64],
    ) {
        for (term, diagonal) in rows.terms.iter().zip(&blocks.diagonal) {
            add_forms(term, diagonal, range.clone(), to);
        }
        let pairs = self.pattern.pairs().iter().zip(&blocks.pairs);
        for ((pairs, values), positions) in pairs.zip(&self.positions) {
            let terms = [&rows.terms[pairs.first], &rows.terms[pairs.second]];
            add_pair_forms(terms, values, positions, range.clone(), to);
        }
    }

    /// Writes Λ_a S Λ_bᵀ for the blocks of an inverse S: covariances of b instead of u.
    pub fn rotate(&self, factor: &Factor, inverse: &SelectedInverse, to: &mut LevelBlocks) {
        let terms = self.pattern.terms();
        to.diagonal.resize(terms, Vec::new());
        for (t, to) in to.diagonal.iter_mut().enumerate() {
            let lambda = factor.lambda(t);
            rotate_blocks(lambda, inverse.diagonal(t), lambda, to);
        }
        let pairs = self.pattern.pairs();
        to.pairs.resize(pairs.len(), Vec::new());
        for (k, (pairs, to)) in pairs.iter().zip(&mut to.pairs).enumerate() {
            let (left, right) = (factor.lambda(pairs.first), factor.lambda(pairs.second));
            rotate_blocks(left, inverse.pairs(k), right, to);
        }
    }

    /// Σ_l (ZᵀWZΛ S)_ll for each term, q × q: half the derivative of log |ΛᵀZᵀWZΛ + I| by Λ.
    ///
    /// ΛᵀZᵀWZΛ S = I - S, so that diagonal blocks suffice where every Λ_t is regular.
    pub(crate) fn log_det_slopes(
        &self,
        factor: &Factor,
        inverse: &SelectedInverse,
    ) -> Vec<Vec<f64>> {
        let regular = (0..self.pattern.terms()).map(|t| {
            let lambda = regular_inverse(factor.lambda(t))?;
            let q = lambda.nrows();
            let mut rest = DMatrix::identity(q, q) * self.pattern.levels()[t] as f64;
            for block in inverse.diagonal(t).chunks_exact(q * q) {
                rest.iter_mut().zip(block).for_each(|(rest, s)| *rest -= s);
            }
            Some(lambda.tr_mul(&rest).as_slice().to_vec())
        });
        let regular: Option<Vec<Vec<f64>>> = regular.collect();
        regular.unwrap_or_else(|| {
            let (products, response) = (&self.products, &self.response);
            Score::of(&self.pattern, factor, inverse, products, response).log_det
        })
    }
}

/// Adds Zb of a term to a block of rows.
pub fn add_effects(term: &TermRows, start: usize, b: &[f64], to: &mut [f64]) {
    let q = term.columns.len();
    let codes = &term.codes[start..start + to.len()];
    for (a, column) in term.columns.iter().enumerate() {
        let at = |code: i32| b[(code as usize - 1) * q + a];
        match column {
            Column::One => {
                let both = to.iter_mut().zip(codes);
                both.for_each(|(to, &code)| *to += at(code));
            }
            Column::Values(values) => {
                let all = to.iter_mut().zip(codes).zip(&values[start..]);
                all.for_each(|((to, &code), z)| *to += z * at(code));
            }
        }
    }
}

/// Adds zᵀCz, C symmetric.
fn add_forms(term: &TermRows, blocks: &[f64], range: Range<usize>, to: &mut [f64]) {
    let q = term.columns.len();
    for (a, left) in term.columns.iter().enumerate() {
        for (b, right) in term.columns.iter().enumerate().skip(a) {
            let (at, times) = (a * q + b, if a == b { 1.0 } else { 2.0 });
            for (to, i) in to.iter_mut().zip(range.clone()) {
                let c = blocks[(term.codes[i] as usize - 1) * q * q + at];
                *to += times * left.at(i) * right.at(i) * c;
            }
        }
    }
}

/// Adds 2 z_aᵀ C z_b of two terms.
fn add_pair_forms(
    [first, second]: [&TermRows; 2],
    blocks: &[f64],
    positions: &[u32],
    range: Range<usize>,
    to: &mut [f64],
) {
    let (qa, qb) = (first.columns.len(), second.columns.len());
    for (b, right) in second.columns.iter().enumerate() {
        for (a, left) in first.columns.iter().enumerate() {
            let at = b * qa + a;
            for (to, i) in to.iter_mut().zip(range.clone()) {
                let c = blocks[positions[i] as usize * qa * qb + at];
                *to += 2.0 * left.at(i) * right.at(i) * c;
            }
        }
    }
}

/// L S Rᵀ for every block.
fn rotate_blocks(left: &DMatrix<f64>, from: &[f64], right: &DMatrix<f64>, to: &mut Vec<f64>) {
    let (qa, qb) = (left.nrows(), right.nrows());
    to.resize(from.len(), 0.0);
    if qa == 1 && qb == 1 {
        let factor = left[(0, 0)] * right[(0, 0)];
        to.iter_mut()
            .zip(from)
            .for_each(|(to, from)| *to = factor * from);
        return;
    }
    let mut half = DMatrix::zeros(qa, qb);
    let blocks = to.chunks_exact_mut(qa * qb).zip(from.chunks_exact(qa * qb));
    for (to, from) in blocks {
        left.mul_to(&nalgebra::DMatrixView::from_slice(from, qa, qb), &mut half);
        for c in 0..qb {
            for r in 0..qa {
                to[c * qa + r] = (0..qb).map(|k| half[(r, k)] * right[(c, k)]).sum();
            }
        }
    }
}

/// What one thread sums at a time.
enum Task<'w, 'r> {
    Term {
        term: &'w TermRows<'r>,
        diagonal: &'w mut [f64],
        sums: &'w mut [f64],
    },
    Pairs {
        terms: [&'w TermRows<'r>; 2],
        positions: &'w [u32],
        values: &'w mut [f64],
    },
}

impl Task<'_, '_> {
    fn run(self, weights: &[f64], scores: &[f64]) {
        match self {
            Task::Term {
                term,
                diagonal,
                sums,
            } => {
                diagonal.fill(0.0);
                sums.fill(0.0);
                match term.columns[..] {
                    [Column::One] => add_intercepts(term, weights, scores, diagonal, sums),
                    [_] => add_term::<1>(term, weights, scores, diagonal, sums),
                    [_, _] => add_term::<2>(term, weights, scores, diagonal, sums),
                    [_, _, _] => add_term::<3>(term, weights, scores, diagonal, sums),
                    _ => add_term::<0>(term, weights, scores, diagonal, sums),
                }
            }
            Task::Pairs {
                terms,
                positions,
                values,
            } => {
                values.fill(0.0);
                add_pairs(terms, weights, positions, values);
            }
        }
    }
}

/// ZᵀWZ and Zᵀs where Z is an intercept.
fn add_intercepts(
    term: &TermRows,
    weights: &[f64],
    scores: &[f64],
    diagonal: &mut [f64],
    sums: &mut [f64],
) {
    for ((&code, w), s) in term.codes.iter().zip(weights).zip(scores) {
        let level = code as usize - 1;
        diagonal[level] += w;
        sums[level] += s;
    }
}

/// ZᵀWZ and Zᵀs, compiled for the width of the term (0: any).
fn add_term<const WIDTH: usize>(
    term: &TermRows,
    weights: &[f64],
    scores: &[f64],
    diagonal: &mut [f64],
    sums: &mut [f64],
) {
    let q = if WIDTH == 0 {
        term.columns.len()
    } else {
        WIDTH
    };
    let mut z = vec![1.0; q * BLOCK_ROWS];
    for (start, height) in blocks(term.codes.len()) {
        for (z, column) in z.chunks_exact_mut(BLOCK_ROWS).zip(&term.columns) {
            if let Column::Values(values) = column {
                z[..height].copy_from_slice(&values[start..start + height]);
            }
        }
        for i in 0..height {
            let level = term.codes[start + i] as usize - 1;
            let (w, s) = (weights[start + i], scores[start + i]);
            let block = &mut diagonal[level * q * q..][..q * q];
            let sums = &mut sums[level * q..][..q];
            for a in 0..q {
                let left = z[a * BLOCK_ROWS + i];
                sums[a] += left * s;
                for b in a..q {
                    block[a * q + b] += w * left * z[b * BLOCK_ROWS + i];
                }
            }
        }
    }
    for block in diagonal.chunks_exact_mut(q * q) {
        for a in 0..q {
            (a + 1..q).for_each(|b| block[b * q + a] = block[a * q + b]);
        }
    }
}

/// The blocks of the levels of two terms that occur together.
fn add_pairs([a, b]: [&TermRows; 2], weights: &[f64], positions: &[u32], values: &mut [f64]) {
    if let ([Column::One], [Column::One]) = (&a.columns[..], &b.columns[..]) {
        let rows = positions.iter().zip(weights);
        rows.for_each(|(&at, w)| values[at as usize] += w);
        return;
    }
    let (qa, qb) = (a.columns.len(), b.columns.len());
    for (row, (&at, w)) in positions.iter().zip(weights).enumerate() {
        let block = &mut values[at as usize * qa * qb..][..qa * qb];
        for (column, right) in block.chunks_exact_mut(qa).zip(&b.columns) {
            let right = w * right.at(row);
            for (sum, left) in column.iter_mut().zip(&a.columns) {
                *sum += left.at(row) * right;
            }
        }
    }
}

/// Rows from which threads are worth their start.
const MANY_ROWS: usize = 1 << 14;

/// Runs every task, on several threads where there are many rows.
fn run<T: Send>(tasks: Vec<T>, threads: usize, rows: usize, task: impl Fn(T) + Sync) {
    if threads < 2 || tasks.len() < 2 || rows < MANY_ROWS {
        tasks.into_iter().for_each(task);
        return;
    }
    let queue = std::sync::Mutex::new(tasks);
    let next = || queue.lock().ok().and_then(|mut queue| queue.pop());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = next() {
                    task(one);
                }
            });
        }
    });
}
