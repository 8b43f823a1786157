//! New responses from a mixed model.

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::rows::{FixedColumns, Rows, TermRows};
use super::structure::Structure;
use crate::error::{Error, Result};

/// The parameters that responses are drawn at.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    /// Every element of θ.
    pub theta: Vec<f64>,
    /// β of all columns of X; 0 where aliased.
    pub beta: Vec<f64>,
    /// σ.
    pub sigma: f64,
    /// Ratios of the residual standard deviations of the dispersion groups to that of the first.
    pub dispersion: Vec<f64>,
    /// Random effects b to keep, q × levels for each term; `None` to draw new ones.
    pub effects: Option<Vec<DMatrix<f64>>>,
}

/// Draws y = offset + X β + Z b + e.
#[derive(Debug, Clone)]
pub struct Simulator<'a> {
    rows: &'a Rows<'a>,
    /// The part that does not vary.
    mean: Vec<f64>,
    /// Standard deviation of every residual.
    deviations: Vec<f64>,
    /// σ Λ of the terms that are drawn.
    factors: Vec<DMatrix<f64>>,
}

impl<'a> Simulator<'a> {
    /// Prepares draws for `rows`, whose response does not matter.
    ///
    /// # Errors
    /// [`Error::Argument`] when the law does not fit the rows.
    pub fn new(rows: &'a Rows<'a>, structure: &Structure, law: &Law) -> Result<Self> {
        check(rows, structure, law)?;
        let n = rows.len();
        let mut mean = rows.offset.map_or_else(|| vec![0.0; n], <[f64]>::to_vec);
        add_fixed(&rows.fixed, &law.beta, &mut mean);
        if let Some(effects) = &law.effects {
            for (term, effects) in rows.terms.iter().zip(effects) {
                add_effects(term, effects.as_slice(), &mut mean);
            }
        }
        let deviation = |i| law.sigma * law.dispersion[rows.group(i)] / rows.weight(i).sqrt();
        let factor = |term| structure.lambda(term, &law.theta) * law.sigma;
        let drawn = if law.effects.is_some() {
            0
        } else {
            rows.terms.len()
        };
        Ok(Simulator {
            rows,
            mean,
            deviations: (0..n).map(deviation).collect(),
            factors: (0..drawn).map(factor).collect(),
        })
    }

    /// One response: u term by term and level by level, then the residuals row by row.
    pub fn draw(&self, rng: &mut ChaCha8Rng, y: &mut [f64]) {
        y.copy_from_slice(&self.mean);
        for (term, factor) in self.rows.terms.iter().zip(&self.factors) {
            let q = factor.nrows();
            let mut effects = vec![0.0; q * term.levels];
            for effect in effects.chunks_exact_mut(q) {
                for column in factor.column_iter() {
                    let u: f64 = rng.sample(StandardNormal);
                    for (b, l) in effect.iter_mut().zip(column.iter()) {
                        *b += l * u;
                    }
                }
            }
            add_effects(term, &effects, y);
        }
        for (y, deviation) in y.iter_mut().zip(&self.deviations) {
            let e: f64 = rng.sample(StandardNormal);
            *y += deviation * e;
        }
    }
}

fn check(rows: &Rows, structure: &Structure, law: &Law) -> Result<()> {
    let widths: Vec<usize> = rows.terms.iter().map(|term| term.columns.len()).collect();
    let effects = law.effects.as_deref().unwrap_or_default();
    let fits = structure.widths == widths
        && structure.parameters() == law.theta.len()
        && rows.fixed.columns() == law.beta.len()
        && rows.groups() == law.dispersion.len()
        && (law.effects.is_none() || effects.len() == widths.len())
        && effects
            .iter()
            .zip(&rows.terms)
            .all(|(b, term)| b.shape() == (term.columns.len(), term.levels));
    let numbers = law.theta.iter().chain(&law.beta).chain(&law.dispersion);
    if fits && numbers.chain([&law.sigma]).all(|x| x.is_finite()) {
        return rows.validate();
    }
    Err(Error::Argument {
        argument: "fit",
        message: "holds parameters that do not belong to its data".into(),
    })
}

/// Adds X β.
pub(crate) fn add_fixed(fixed: &FixedColumns, beta: &[f64], y: &mut [f64]) {
    match *fixed {
        FixedColumns::Dense { values, .. } => {
            for (column, &beta) in values.chunks_exact(y.len()).zip(beta) {
                if beta != 0.0 {
                    for (y, x) in y.iter_mut().zip(column) {
                        *y += beta * x;
                    }
                }
            }
        }
        FixedColumns::Sparse {
            starts,
            rows,
            values,
            ..
        } => {
            for (range, &beta) in starts.windows(2).zip(beta) {
                let range = range[0] as usize..range[1] as usize;
                for (&i, x) in rows[range.clone()].iter().zip(&values[range]) {
                    y[i as usize] += beta * x;
                }
            }
        }
    }
}

/// Adds Z b of one term; `effects` has q values per level.
pub(crate) fn add_effects(term: &TermRows, effects: &[f64], y: &mut [f64]) {
    let q = term.columns.len();
    for (k, column) in term.columns.iter().enumerate() {
        for (i, (y, &code)) in y.iter_mut().zip(term.codes).enumerate() {
            *y += effects[(code as usize - 1) * q + k] * column.at(i);
        }
    }
}
