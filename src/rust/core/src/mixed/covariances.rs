//! Random effects with a covariance matrix in common: what an M step estimates at once.
//!
//! The free entries of Λ_t fall into blocks. `(1 + x | g)` is one block of two effects, `(1 + x || g)` two of
//! one. Inside a block the lower triangle is free, so its covariance matrix can be any; across blocks nothing
//! is correlated.

use nalgebra::DMatrix;

use super::criterion::{KnownDeviation, Problem};
use super::structure::{Entry, Structure};
use crate::error::{Error, Result};

/// Effects of one core term whose covariance matrix Σ is free but for the variance of the first, if known.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Core term, from 0.
    pub term: usize,
    /// Positions of its effects in the term, increasing.
    pub effects: Vec<usize>,
    /// Levels of the term.
    pub levels: usize,
    /// Position in θ of each entry of the lower triangle, column by column.
    pub theta: Vec<usize>,
    /// The standard deviation of its first effect, if known.
    pub deviation: Option<f64>,
}

/// The blocks of a problem, term by term.
///
/// # Errors
/// [`Error::Argument`] naming `method` when a block has zeros below its diagonal: its M step has no closed
/// form.
pub fn blocks(problem: &Problem) -> Result<Vec<Block>> {
    let levels = problem.statistics.levels();
    partition(problem.structure, levels, &problem.known.deviations)
}

/// The blocks of a structure whose terms have these levels.
///
/// # Errors
/// As [`blocks`].
pub fn partition(
    structure: &Structure,
    levels: &[usize],
    known: &[KnownDeviation],
) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    for (term, &width) in structure.widths.iter().enumerate() {
        let mut of: Vec<usize> = (0..width).collect();
        for entry in structure.entries.iter().filter(|entry| entry.term == term) {
            let (from, to) = (of[entry.row], of[entry.column]);
            for block in of.iter_mut().filter(|block| **block == from) {
                *block = to;
            }
        }
        for name in 0..width {
            let effects: Vec<usize> = (0..width).filter(|&effect| of[effect] == name).collect();
            if !effects.is_empty() {
                let first = known
                    .iter()
                    .filter(|known| (known.term, known.index) == (term, effects[0]));
                blocks.push(Block {
                    term,
                    theta: triangle(structure, term, &effects)?,
                    deviation: first.map(|known| known.sd).next(),
                    effects,
                    levels: levels[term],
                });
            }
        }
    }
    Ok(blocks)
}

/// Where in θ the lower triangle of a block is.
fn triangle(structure: &Structure, term: usize, effects: &[usize]) -> Result<Vec<usize>> {
    let mut positions = Vec::new();
    for (j, &column) in effects.iter().enumerate() {
        for &row in &effects[j..] {
            let entry = Entry { term, row, column };
            let found = structure.entries.iter().position(|other| *other == entry);
            positions.push(found.ok_or_else(|| Error::Argument {
                argument: "method",
                message: "can only be \"profile\" for this covariance structure".into(),
            })?);
        }
    }
    Ok(positions)
}

impl Block {
    /// Number of effects.
    pub fn width(&self) -> usize {
        self.effects.len()
    }

    /// The block of Λ at θ.
    pub fn factor(&self, theta: &[f64]) -> DMatrix<f64> {
        let width = self.width();
        let mut factor = DMatrix::zeros(width, width);
        let mut positions = self.theta.iter();
        for j in 0..width {
            for (i, &position) in (j..width).zip(positions.by_ref()) {
                factor[(i, j)] = theta[position];
            }
        }
        factor
    }

    /// First row of α that is free: what is known is not expanded.
    pub fn first_expanded(&self) -> usize {
        usize::from(self.deviation.is_some())
    }

    /// Writes a block of Λ into θ.
    pub fn store(&self, factor: &DMatrix<f64>, theta: &mut [f64]) {
        let mut positions = self.theta.iter();
        for j in 0..self.width() {
            for (i, &position) in (j..self.width()).zip(positions.by_ref()) {
                theta[position] = factor[(i, j)];
            }
        }
    }

    /// Rows and columns of this block in a q × q matrix of its term.
    pub fn part(&self, matrix: &DMatrix<f64>) -> DMatrix<f64> {
        matrix
            .select_rows(&self.effects)
            .select_columns(&self.effects)
    }
}

/// The lower triangular L with L Lᵀ = A Aᵀ and no negative diagonal; A is never squared, so that small
/// variances keep their digits.
pub fn lower_factor(a: &DMatrix<f64>) -> DMatrix<f64> {
    let mut lower = a.transpose().qr().r().transpose();
    for j in 0..lower.ncols() {
        if lower[(j, j)] < 0.0 {
            lower.column_mut(j).neg_mut();
        }
    }
    lower
}
