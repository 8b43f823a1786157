//! The passes over the rows that fill the cross-products.
//!
//! Each block of the statistics is summed by one task, in row order: the bits do not depend on threads.

use nalgebra::{DMatrix, DVector};

use super::basis::{dot, Basis, Transform, BLOCK_ROWS};
use super::coincidence::{
    elimination_order, pairs_in_order, sort_by_level, Lists, Pairs, SparseRows,
};
use super::conditioned::{blocks, only_group, weigh, Conditioned};
use super::cross_products::{Design, Products, Response, ResponseProducts};
use super::rows::{Column, FixedColumns, Rows, TermRows};
use crate::tasks;

/// What one task computes, one of each for every dispersion group.
enum Part {
    Gram(Vec<DMatrix<f64>>),
    Term {
        diagonal: Vec<Vec<f64>>,
        fixed: Vec<Vec<f64>>,
        lists: Option<Lists>,
    },
    Pairs(Pairs, Vec<Vec<f64>>),
}

impl Design {
    /// The design of `rows` on `threads` threads.
    pub(super) fn of(rows: &Rows, threads: usize) -> Self {
        let basis = Basis::of(rows);
        let (chain, rest) = elimination_order(&rows.terms);
        let order: Vec<usize> = chain.iter().chain(&rest).copied().collect();
        let mut couples = Vec::new();
        for (k, &first) in order.iter().enumerate() {
            couples.extend(order[k + 1..].iter().map(|&second| (first, second)));
        }
        let terms = rows.terms.len();
        let compute = |task: usize| match task {
            0 => Part::Gram(gram(rows, &basis)),
            task if task <= terms => term_blocks(rows, &basis, &rows.terms[task - 1]),
            task => pair_blocks(rows, couples[task - 1 - terms]),
        };
        let count = 1 + terms + couples.len();
        let parts: Vec<Part> = if threads > 1 && rows.len() > 16 * BLOCK_ROWS {
            let parts = tasks::run(count, threads, |task, _| compute(task), &mut |_| true);
            parts.into_iter().flatten().collect()
        } else {
            (0..count).map(compute).collect()
        };
        let sparse = matches!(rows.fixed, FixedColumns::Sparse { .. });
        let mut design = Design {
            rows: rows.len(),
            columns: rows.fixed.columns(),
            log_weights: rows.weights.map_or(0.0, |w| w.iter().map(|w| w.ln()).sum()),
            group_rows: vec![0; rows.groups()],
            widths: rows.terms.iter().map(|term| term.columns.len()).collect(),
            levels: rows.terms.iter().map(|term| term.levels).collect(),
            basis,
            chain,
            rest,
            pairs: Vec::new(),
            fixed_lists: sparse.then(Vec::new),
            products: vec![Products::default(); rows.groups()],
        };
        (0..rows.len()).for_each(|i| design.group_rows[rows.group(i)] += 1);
        parts.into_iter().for_each(|part| design.take(part));
        design
    }

    /// Stores what a task computed; parts come in the order of tasks.
    fn take(&mut self, part: Part) {
        match part {
            Part::Gram(grams) => {
                let both = self.products.iter_mut().zip(grams);
                both.for_each(|(products, gram)| products.gram = gram);
            }
            Part::Term {
                diagonal,
                fixed,
                lists,
            } => {
                let blocks = diagonal.into_iter().zip(fixed);
                for (products, (diagonal, fixed)) in self.products.iter_mut().zip(blocks) {
                    products.diagonal.push(diagonal);
                    products.fixed.push(fixed);
                }
                if let (Some(all), Some(lists)) = (&mut self.fixed_lists, lists) {
                    all.push(lists);
                }
            }
            Part::Pairs(pairs, values) => {
                self.pairs.push(pairs);
                let both = self.products.iter_mut().zip(values);
                both.for_each(|(products, values)| products.pairs.push(values));
            }
        }
    }
}

/// X̃ᵀWX̃.
fn gram(rows: &Rows, basis: &Basis) -> Vec<DMatrix<f64>> {
    let p = basis.kept.len();
    let mut grams = vec![DMatrix::zeros(p, p); rows.groups()];
    let mut x = Conditioned::new(rows, basis);
    if let Some(x) = &x.sparse {
        for i in 0..rows.len() {
            let gram = &mut grams[rows.group(i)];
            for (j, left) in x.row(i) {
                let left = rows.weight(i) * left;
                x.row(i).for_each(|(k, right)| gram[(k, j)] += left * right);
            }
        }
        return grams;
    }
    let mut weighted = vec![0.0; BLOCK_ROWS];
    for (start, height) in blocks(rows.len()) {
        x.load(start, height);
        for (group, gram) in grams.iter_mut().enumerate() {
            for (j, column) in x.block.chunks_exact(BLOCK_ROWS).enumerate() {
                let weighted = &mut weighted[..height];
                weighted.copy_from_slice(&column[..height]);
                weigh(rows, start, weighted);
                only_group(rows, start, group, weighted);
                for (k, other) in x.block.chunks_exact(BLOCK_ROWS).enumerate().skip(j) {
                    gram[(k, j)] += dot(weighted, &other[..height]);
                }
            }
        }
    }
    grams
        .iter_mut()
        .for_each(|gram| gram.fill_upper_triangle_with_lower_triangle());
    grams
}

/// Columns of a random-effects model matrix for a block of rows: plain, and times the weights.
struct Effects {
    plain: Vec<f64>,
    weighted: Vec<f64>,
}

impl Effects {
    fn new(width: usize) -> Self {
        Effects {
            plain: vec![1.0; width * BLOCK_ROWS],
            weighted: vec![1.0; width * BLOCK_ROWS],
        }
    }

    fn load(&mut self, rows: &Rows, term: &TermRows, start: usize, height: usize) {
        let plain = self.plain.chunks_exact_mut(BLOCK_ROWS);
        let weighted = self.weighted.chunks_exact_mut(BLOCK_ROWS);
        for ((plain, weighted), column) in plain.zip(weighted).zip(&term.columns) {
            let (plain, weighted) = (&mut plain[..height], &mut weighted[..height]);
            if let Column::Values(values) = column {
                plain.copy_from_slice(&values[start..start + height]);
            }
            weighted.copy_from_slice(plain);
            weigh(rows, start, weighted);
        }
    }
}

/// The blocks of a term with itself and with the fixed effects.
fn term_blocks(rows: &Rows, basis: &Basis, term: &TermRows) -> Part {
    let (q, p) = (term.columns.len(), basis.kept.len());
    let groups = rows.groups();
    let mut x = Conditioned::new(rows, basis);
    let lists = x.sparse.as_ref().map(|x| x.columns_of_levels(term, p));
    let mut diagonal = vec![vec![0.0; q * q * term.levels]; groups];
    let mut fixed = match &lists {
        Some(lists) => vec![vec![0.0; q * lists.indices.len()]; groups],
        None => vec![vec![0.0; q * p * term.levels]; groups],
    };
    let mut effects = Effects::new(q);
    for (start, height) in blocks(rows.len()) {
        effects.load(rows, term, start, height);
        x.load(start, height);
        let block = TermBlock {
            rows,
            codes: &term.codes[start..start + height],
            start,
            width: q,
            effects: &effects,
            x: &x.block,
        };
        match q {
            1 => block.add::<1>(&mut diagonal, &mut fixed),
            2 => block.add::<2>(&mut diagonal, &mut fixed),
            3 => block.add::<3>(&mut diagonal, &mut fixed),
            _ => block.add::<0>(&mut diagonal, &mut fixed),
        }
    }
    for block in diagonal
        .iter_mut()
        .flat_map(|blocks| blocks.chunks_exact_mut(q * q))
    {
        for a in 0..q {
            (a + 1..q).for_each(|b| block[b * q + a] = block[a * q + b]);
        }
    }
    if let (Some(x), Some(lists)) = (&x.sparse, &lists) {
        sparse_fixed_blocks(rows, term, x, lists, &mut fixed);
    }
    Part::Term {
        diagonal,
        fixed,
        lists,
    }
}

/// A block of rows of one term.
struct TermBlock<'a> {
    rows: &'a Rows<'a>,
    codes: &'a [i32],
    start: usize,
    width: usize,
    effects: &'a Effects,
    x: &'a [f64],
}

impl TermBlock<'_> {
    /// Adds lower triangles of ZᵀWZ and X̃ᵀWZ, compiled for the width of the term (0: any).
    fn add<const WIDTH: usize>(&self, diagonal: &mut [Vec<f64>], fixed: &mut [Vec<f64>]) {
        let q = if WIDTH == 0 { self.width } else { WIDTH };
        let (z, wz) = (&self.effects.plain[..], &self.effects.weighted[..]);
        let p = self.x.len() / BLOCK_ROWS;
        for (i, &code) in self.codes.iter().enumerate() {
            let level = code as usize - 1;
            let group = self.rows.group(self.start + i);
            let block = &mut diagonal[group][level * q * q..][..q * q];
            for a in 0..q {
                for b in a..q {
                    block[a * q + b] += wz[a * BLOCK_ROWS + i] * z[b * BLOCK_ROWS + i];
                }
            }
            let block = &mut fixed[group][level * q * p..][..q * p];
            for a in 0..q {
                let wz = wz[a * BLOCK_ROWS + i];
                for j in 0..p {
                    block[a * p + j] += wz * self.x[j * BLOCK_ROWS + i];
                }
            }
        }
    }
}

/// X̃ᵀWZ of a sparse X: q values for each column that meets a level.
fn sparse_fixed_blocks(
    rows: &Rows,
    term: &TermRows,
    x: &SparseRows,
    lists: &Lists,
    fixed: &mut [Vec<f64>],
) {
    let q = term.columns.len();
    let mut positions = vec![0; lists.indices.iter().max().map_or(0, |&k| k as usize + 1)];
    let mut current = usize::MAX;
    for row in sort_by_level(term, 0..rows.len() as u32) {
        let row = row as usize;
        let level = term.codes[row] as usize - 1;
        if level != current {
            current = level;
            let range = lists.range(level);
            range.for_each(|at| positions[lists.indices[at] as usize] = at);
        }
        let fixed = &mut fixed[rows.group(row)];
        for (k, x) in x.row(row) {
            let at = positions[k] * q;
            for (sum, column) in fixed[at..at + q].iter_mut().zip(&term.columns) {
                *sum += rows.weight(row) * x * column.at(row);
            }
        }
    }
}

/// The blocks of the levels of two terms that occur together.
fn pair_blocks(rows: &Rows, (first, second): (usize, usize)) -> Part {
    let (a, b) = (&rows.terms[first], &rows.terms[second]);
    let by_second = sort_by_level(b, 0..rows.len() as u32);
    let order = sort_by_level(a, by_second.iter().copied());
    drop(by_second);
    let pairs = pairs_in_order((first, a), (second, b), &order);
    let (qa, qb) = (a.columns.len(), b.columns.len());
    let mut values = vec![vec![0.0; qa * qb * pairs.levels.len()]; rows.groups()];
    let mut last = (a.codes[order[0] as usize], b.codes[order[0] as usize]);
    let mut at = 0;
    for &row in &order {
        let row = row as usize;
        let key = (a.codes[row], b.codes[row]);
        at += usize::from(key != last) * qa * qb;
        last = key;
        let block = &mut values[rows.group(row)][at..at + qa * qb];
        let weight = rows.weight(row);
        for (column, right) in block.chunks_exact_mut(qa).zip(&b.columns) {
            let right = weight * right.at(row);
            for (sum, left) in column.iter_mut().zip(&a.columns) {
                *sum += left.at(row) * right;
            }
        }
    }
    Part::Pairs(pairs, values)
}

impl Response {
    /// What depends on y, from y - offset - X β₀ with the least-squares β₀.
    pub(super) fn of(rows: &Rows, design: &Design, y: &[f64]) -> Self {
        let p = design.basis.kept.len();
        let mut x = Conditioned::new(rows, &design.basis);
        let mut block = vec![0.0; BLOCK_ROWS];
        let mut coefficients = DVector::zeros(p);
        let mut along = DVector::zeros(p);
        for (start, height) in blocks(rows.len()) {
            x.load(start, height);
            let weighted = &mut block[..height];
            x.residuals(y, start, coefficients.as_slice(), weighted);
            weigh(rows, start, weighted);
            x.project(weighted, start, along.as_mut_slice());
        }
        coefficients = design.least_squares(along);
        let empty = ResponseProducts {
            effects: design
                .widths
                .iter()
                .zip(&design.levels)
                .map(|(q, levels)| vec![0.0; q * levels])
                .collect(),
            fixed: DVector::zeros(p),
            square: 0.0,
        };
        let mut products = vec![empty; design.group_rows.len()];
        let mut weighted = vec![0.0; BLOCK_ROWS];
        for (start, height) in blocks(rows.len()) {
            x.load(start, height);
            let (plain, weighted) = (&mut block[..height], &mut weighted[..height]);
            x.residuals(y, start, coefficients.as_slice(), plain);
            for (group, products) in products.iter_mut().enumerate() {
                weighted.copy_from_slice(plain);
                weigh(rows, start, weighted);
                only_group(rows, start, group, weighted);
                products.square += dot(plain, weighted);
                x.project(weighted, start, products.fixed.as_mut_slice());
                for (term, effects) in rows.terms.iter().zip(&mut products.effects) {
                    add_effects(term, start, weighted, effects);
                }
            }
        }
        let mut origin = DVector::zeros(p);
        let basis = &design.basis;
        basis.apply(coefficients.as_slice(), origin.as_mut_slice());
        Response { origin, products }
    }
}

/// Adds ZᵀWy of a block of rows.
pub(super) fn add_effects(term: &TermRows, start: usize, weighted: &[f64], effects: &mut [f64]) {
    let q = term.columns.len();
    let codes = &term.codes[start..start + weighted.len()];
    for (a, column) in term.columns.iter().enumerate() {
        match column {
            Column::One => {
                for (&code, y) in codes.iter().zip(weighted) {
                    effects[(code as usize - 1) * q + a] += y;
                }
            }
            Column::Values(values) => {
                for ((&code, y), z) in codes.iter().zip(weighted).zip(&values[start..]) {
                    effects[(code as usize - 1) * q + a] += y * z;
                }
            }
        }
    }
}

impl Design {
    /// (X̃ᵀWX̃)⁻¹ r.
    fn least_squares(&self, right: DVector<f64>) -> DVector<f64> {
        let Transform::Diagonal(_) = self.basis.transform else {
            // X̃ᵀWX̃ = I.
            return right;
        };
        let p = right.len();
        let mut gram = DMatrix::zeros(p, p);
        self.products
            .iter()
            .for_each(|products| gram += &products.gram);
        let gram = faer::MatRef::from_column_major_slice(gram.as_slice(), p, p);
        match gram.llt(faer::Side::Lower) {
            Ok(factor) => {
                let mut solution = right;
                let column =
                    faer::MatMut::from_column_major_slice_mut(solution.as_mut_slice(), p, 1);
                faer::linalg::solvers::SolveCore::solve_in_place_with_conj(
                    &factor,
                    faer::Conj::No,
                    column,
                );
                solution
            }
            // Any β₀ is right; this one only saves digits.
            Err(_) => DVector::zeros(p),
        }
    }
}
