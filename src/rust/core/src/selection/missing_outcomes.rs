//! The law of the outcomes that a row does not show, given those it shows and its selections.
//!
//! With O the observed and M the missing outcomes and V the selections, (y_M, s*) given y_O is normal; s* is further
//! known to lie in an orthant. So E[y_M] = m_M + G (E[s*] - m_V) and Var[y_M] = R + G Var[s*] G', with G and R the
//! regression of y_M on s* given y_O (specification of the E-step; P. Li 2014, equations 14 and 15).

use std::collections::BTreeMap;

use nalgebra::{Cholesky, DMatrix, DVector};

use super::model::Model;
use crate::error::{Error, Result};
use crate::normal::orthant::{Orthant, Work};
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// What was observed of the rows of a model.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// n × J, column-major; ignored where the outcome is missing.
    pub response: &'a [f64],
    /// Bit j: selection j is 1 and outcome j observed.
    pub patterns: &'a [u16],
}

/// Moments of all outcomes of every row: observed ones are themselves, with variance 0. Row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// n × J.
    pub expectations: Vec<f64>,
    /// n × J × J.
    pub covariances: Vec<f64>,
}

/// What the rows of one pattern share.
#[derive(Debug, Clone)]
pub(super) struct MissingOutcomes {
    pub observed: Vec<usize>,
    pub missing: Vec<usize>,
    /// +1 or -1 for each selection.
    pub signs: Vec<f64>,
    /// Regression of (y_M, s*) on y_O, (M + J) × O.
    on_observed: DMatrix<f64>,
    /// Cov[s* | y_O], J × J.
    pub selections: DMatrix<f64>,
    /// G, M × J.
    pub on_selections: DMatrix<f64>,
    /// R, M × M.
    pub rest: DMatrix<f64>,
}

/// One law for each pattern that occurs.
pub(super) type Laws = BTreeMap<u16, MissingOutcomes>;

impl Observed<'_> {
    /// Whether the observations belong to the model.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `object`.
    pub(super) fn check(&self, model: &Model) -> Result<()> {
        model.check()?;
        if self.patterns.len() == model.rows
            && self.response.len() == model.rows * model.equations()
        {
            return Ok(());
        }
        Err(Error::Argument {
            argument: "object",
            message: "holds outcomes that do not belong to its designs".into(),
        })
    }

    /// # Errors
    /// As [`MissingOutcomes::new`].
    pub(super) fn laws(&self, omega: &DMatrix<f64>) -> Result<Laws> {
        let mut laws = Laws::new();
        for &pattern in self.patterns {
            if let std::collections::btree_map::Entry::Vacant(place) = laws.entry(pattern) {
                place.insert(MissingOutcomes::new(omega, pattern)?);
            }
        }
        Ok(laws)
    }
}

impl MissingOutcomes {
    /// # Errors
    /// [`Error::NotPositiveDefinite`] when `omega` is singular.
    pub fn new(omega: &DMatrix<f64>, pattern: u16) -> Result<Self> {
        let equations = omega.nrows() / 2;
        let (observed, missing): (Vec<usize>, Vec<usize>) =
            (0..equations).partition(|j| pattern >> j & 1 == 1);
        let rest: Vec<usize> = missing
            .iter()
            .copied()
            .chain(equations..2 * equations)
            .collect();
        let block = |rows: &[usize], columns: &[usize]| {
            DMatrix::from_fn(rows.len(), columns.len(), |a, b| {
                omega[(rows[a], columns[b])]
            })
        };
        let singular = Error::NotPositiveDefinite { pivot: 0 };
        let shown = block(&rest, &observed);
        let (on_observed, given) = if observed.is_empty() {
            (DMatrix::zeros(rest.len(), 0), block(&rest, &rest))
        } else {
            let factor = Cholesky::new(block(&observed, &observed)).ok_or(singular.clone())?;
            let on_observed = factor.solve(&shown.transpose()).transpose();
            let explained = &on_observed * shown.transpose();
            (on_observed, block(&rest, &rest) - explained)
        };
        let count = missing.len();
        let selections = given
            .view((count, count), (equations, equations))
            .into_owned();
        let with_selections = given.view((0, count), (count, equations)).into_owned();
        let factor = Cholesky::new(selections.clone()).ok_or(singular)?;
        let on_selections = factor.solve(&with_selections.transpose()).transpose();
        let rest =
            given.view((0, 0), (count, count)) - &on_selections * with_selections.transpose();
        Ok(MissingOutcomes {
            observed,
            missing,
            signs: (0..equations)
                .map(|j| if pattern >> j & 1 == 1 { 1.0 } else { -1.0 })
                .collect(),
            on_observed,
            selections,
            on_selections,
            rest,
        })
    }

    /// Means of y_M and of s* given y_O, before s* is truncated, into `means` (M + J values).
    pub fn means(&self, predictors: &[f64], outcome: impl Fn(usize) -> f64, means: &mut [f64]) {
        let equations = self.signs.len();
        let components = self.missing.iter().copied().chain(equations..2 * equations);
        for ((mean, c), weights) in means
            .iter_mut()
            .zip(components)
            .zip(self.on_observed.row_iter())
        {
            let errors = self.observed.iter().map(|&j| outcome(j) - predictors[j]);
            let shift: f64 = weights.iter().zip(errors).map(|(w, e)| w * e).sum();
            *mean = predictors[c] + shift;
        }
    }
}

/// Mean and covariance of the outcomes of every row given what was observed in it.
///
/// # Errors
/// [`Error::Argument`] when the parts do not belong together, [`Error::NotPositiveDefinite`] when Ω is singular.
pub fn moments(model: &Model, observed: &Observed) -> Result<Moments> {
    observed.check(model)?;
    if model.rows == 0 {
        return Ok(Moments::default());
    }
    let laws = observed.laws(model.omega)?;
    let orthants: BTreeMap<u16, Orthant> = laws
        .iter()
        .map(|(&pattern, law)| {
            let orthant = Orthant::new(&law.selections, &law.signs, model.integration)?;
            Ok((pattern, orthant))
        })
        .collect::<Result<_>>()?;
    let equations = model.equations();
    map_merge(model.rows, model.threads, |rows| {
        let mut moments = Moments::default();
        let mut block = vec![0.0; BLOCK_ROWS * 2 * equations];
        let mut work = Work::default();
        let mut means = vec![0.0; 2 * equations];
        let mut expectation = DVector::zeros(equations);
        let mut covariance = DMatrix::zeros(equations, equations);
        for start in rows.clone().step_by(BLOCK_ROWS) {
            let end = (start + BLOCK_ROWS).min(rows.end);
            model.linear_predictors(start..end, &mut block);
            for (predictors, i) in block.chunks_exact(2 * equations).zip(start..end) {
                let (law, orthant) = (
                    &laws[&observed.patterns[i]],
                    &orthants[&observed.patterns[i]],
                );
                let outcome = |j: usize| observed.response[j * model.rows + i];
                let count = law.missing.len();
                let at = moments.expectations.len();
                moments.expectations.extend((0..equations).map(outcome));
                let place = moments.covariances.len();
                moments
                    .covariances
                    .resize(place + equations * equations, 0.0);
                if count == 0 {
                    continue;
                }
                law.means(predictors, outcome, &mut means);
                let (missing, selections) = means[..count + equations].split_at(count);
                orthant.moments(
                    selections,
                    i as u64,
                    &mut work,
                    expectation.as_mut_slice(),
                    covariance.as_mut_slice(),
                );
                expectation
                    .iter_mut()
                    .zip(selections)
                    .for_each(|(e, m)| *e -= m);
                let shifts = &law.on_selections * &expectation;
                for ((&j, mean), shift) in law.missing.iter().zip(missing).zip(shifts.iter()) {
                    moments.expectations[at + j] = mean + shift;
                }
                let spread =
                    &law.on_selections * &covariance * law.on_selections.transpose() + &law.rest;
                for (a, &j) in law.missing.iter().enumerate() {
                    for (b, &k) in law.missing.iter().enumerate() {
                        moments.covariances[place + k * equations + j] = spread[(a, b)];
                    }
                }
            }
        }
        Ok(moments)
    })
}

impl Merge for Moments {
    fn merge(&mut self, other: Self) {
        self.expectations.extend(other.expectations);
        self.covariances.extend(other.covariances);
    }
}
