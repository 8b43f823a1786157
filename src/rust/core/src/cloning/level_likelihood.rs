//! The likelihood of one level's effects b of a single grouping factor, with everything else given.

use super::cells::{CellTerm, Cells};
use super::small::inner;
use crate::glmm::family::{Block, BlockTerms, Distribution, Family, Link};

/// Cells, and the part of their linear predictors that is the same for all clones.
#[derive(Debug, Clone, Copy)]
pub struct LevelLikelihood<'a> {
    pub cells: &'a Cells,
    pub term: &'a CellTerm,
    pub family: &'a Family,
    pub log_shape: f64,
    /// η without the effects of the term, by cell.
    pub eta: &'a [f64],
    /// Sufficient statistics of each level, where there are any.
    pub sums: Option<&'a [LevelSums]>,
}

/// The kernel of a level as events b - exposure e^b: Poisson rows with a log link and a random intercept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LevelSums {
    /// Σ w y.
    pub events: f64,
    /// Σ w e^η.
    pub exposure: f64,
    /// Σ w y η, what the fixed part adds.
    pub fixed: f64,
}

/// Rows of a level, once for each value of its effects.
#[derive(Debug, Clone, Default)]
pub struct Buffers {
    response: Vec<f64>,
    weights: Vec<f64>,
    eta: Vec<f64>,
    values: Vec<f64>,
}

impl Buffers {
    fn resize(&mut self, rows: usize) {
        let all = [
            &mut self.response,
            &mut self.weights,
            &mut self.eta,
            &mut self.values,
        ];
        all.into_iter().for_each(|buffer| buffer.resize(rows, 0.0));
    }
}

/// Whether the levels of a term have sufficient statistics.
pub fn has_sums(family: &Family, term: &CellTerm) -> bool {
    let poisson = (family.distribution(), family.link()) == (Distribution::Poisson, Link::Log);
    poisson && term.width == 1 && term.columns.is_empty()
}

/// The sums of every level.
pub fn level_sums(cells: &Cells, term: &CellTerm, eta: &[f64], sums: &mut Vec<LevelSums>) {
    sums.clear();
    sums.resize(term.levels, LevelSums::default());
    for (cell, &eta) in eta.iter().enumerate() {
        let sums = &mut sums[term.codes[cell] as usize];
        let (y, weight) = (cells.response[cell], cells.weights[cell]);
        sums.events += weight * y;
        sums.exposure += weight * eta.exp();
        sums.fixed += weight * y * eta;
    }
}

impl LevelLikelihood<'_> {
    /// Writes the log-likelihood of a level for each of several values of its effects (`width` each).
    pub fn values(&self, level: usize, effects: &[f64], to: &mut [f64], buffers: &mut Buffers) {
        if let Some(sums) = self.sums {
            let LevelSums {
                events,
                exposure,
                fixed,
            } = sums[level];
            for (to, &b) in to.iter_mut().zip(effects) {
                *to = fixed + events * b - exposure * b.exp();
            }
            return;
        }
        to.fill(0.0);
        let (cells, count) = (self.term.cells(level), to.len());
        buffers.resize(cells.len() * count);
        for (k, &cell) in cells.iter().enumerate() {
            let (cell, own) = (cell as usize, k * count..(k + 1) * count);
            buffers.response[own.clone()].fill(self.cells.response[cell]);
            buffers.weights[own.clone()].fill(self.cells.weights[cell]);
            let (eta, row) = (self.eta[cell], self.term.row(cell));
            let each = effects.chunks_exact(self.term.width);
            for (to, b) in buffers.eta[own].iter_mut().zip(each) {
                *to = eta + inner(row, b);
            }
        }
        let rows = Block {
            response: &buffers.response,
            weights: Some(&buffers.weights),
            eta: &buffers.eta,
            log_shape: self.log_shape,
        };
        let mut terms = BlockTerms {
            value: &mut buffers.values,
            ..BlockTerms::default()
        };
        self.family.block(&rows, &mut terms);
        for values in buffers.values.chunks_exact(count) {
            to.iter_mut()
                .zip(values)
                .for_each(|(to, value)| *to += value);
        }
    }

    /// The log-likelihood of a level at b; its gradient and the negative of its Hessian (lower triangle,
    /// column-major, q × q) in b are written. `expected`: the expected Hessian.
    pub fn derivatives(
        &self,
        level: usize,
        b: &[f64],
        expected: bool,
        gradient: &mut [f64],
        hessian: &mut [f64],
    ) -> f64 {
        gradient.fill(0.0);
        hessian.fill(0.0);
        if let Some(sums) = self.sums {
            let mean = sums[level].exposure * b[0].exp();
            gradient[0] = sums[level].events - mean;
            hessian[0] = mean;
            return sums[level].fixed + sums[level].events * b[0] - mean;
        }
        let q = self.term.width;
        let mut value = 0.0;
        for &cell in self.term.cells(level) {
            let cell = cell as usize;
            let (y, weight) = (self.cells.response[cell], self.cells.weights[cell]);
            let row = self.term.row(cell);
            let eta = self.eta[cell] + inner(row, b);
            let terms = self.family.derivatives(y, weight, eta, self.log_shape);
            let curvature = if expected {
                self.family.expected_weight(weight, eta, self.log_shape)
            } else {
                terms.weight
            };
            value += terms.value;
            for j in 0..q {
                gradient[j] += terms.score * row[j];
                let factor = curvature * row[j];
                for i in j..q {
                    hessian[j * q + i] += factor * row[i];
                }
            }
        }
        value
    }
}
