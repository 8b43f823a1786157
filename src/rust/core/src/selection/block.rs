//! A block of rows: linear predictors column by column, then the moments of the errors of every row.
//!
//! Rows are put in order of their patterns, so that everything but the orthant is done in columns.

use std::ops::Range;

use super::columns::combine;
use super::data::Data;
use super::layout::{Layout, Parameters};
use super::pattern::Pattern;
use crate::error::{Error, Result};
use crate::normal::orthant::{Integration, Work};
use crate::normal::univariate::{positive, PositiveBlock};
use crate::shard::BLOCK_ROWS;

/// The rows with their parameters: everything that an E-step needs.
pub(crate) struct Posterior<'a> {
    pub data: &'a Data<'a>,
    pub layout: &'a Layout,
    parameters: &'a Parameters,
    /// Constants of the patterns that occur.
    pub patterns: Vec<Pattern>,
    /// For each pattern its position in `patterns`.
    places: Vec<u16>,
}

/// Rows of a block that have the same pattern.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Position of the pattern.
    pub pattern: usize,
    /// Positions in the order of the block.
    pub positions: Range<usize>,
}

/// The moments of a block of rows, and the room to compute them.
pub(crate) struct Block {
    /// Rows of the data.
    pub rows: Range<usize>,
    /// E[e], one column of [`BLOCK_ROWS`] for each of the 2J errors, rows as in the data.
    pub errors: Vec<f64>,
    /// Log-likelihoods, rows as in the data.
    pub log_likelihood: Vec<f64>,
    /// Rows of the block ordered by pattern.
    pub order: Vec<u16>,
    pub groups: Vec<Group>,
    /// Covariance matrices of s*, J × J, in the order of patterns.
    pub variances: Vec<f64>,
    /// Columns in the order of patterns: residuals of outcomes, predictors of selections, and then the errors.
    sorted: Vec<f64>,
    /// Columns in the order of patterns: L_OO⁻¹ r.
    white: Vec<f64>,
    /// Columns in the order of patterns: conditional means of s*.
    means: Vec<f64>,
    /// log φ(y_O), then the log-likelihood, in the order of patterns.
    sorted_log: Vec<f64>,
    /// Room for one column each.
    scaled: Vec<f64>,
    mills: Vec<f64>,
    work: Work,
}

impl Block {
    pub fn new(equations: usize) -> Self {
        let columns = |count: usize| vec![0.0; count * BLOCK_ROWS];
        Block {
            rows: 0..0,
            errors: columns(2 * equations),
            log_likelihood: columns(1),
            // One more, which rows without a place overwrite (see `sort`).
            order: vec![0; BLOCK_ROWS + 1],
            groups: Vec::new(),
            variances: columns(equations * equations),
            sorted: columns(2 * equations),
            white: columns(equations),
            means: columns(equations),
            sorted_log: columns(1),
            scaled: columns(1),
            mills: columns(1),
            work: Work::default(),
        }
    }

    /// The covariance matrix of s* at a position in the order of patterns, J × J.
    pub fn variance(&self, position: usize) -> &[f64] {
        let size = self.variances.len() / BLOCK_ROWS;
        &self.variances[position * size..][..size]
    }

    /// The row of the data at a position in the order of patterns.
    pub fn row(&self, position: usize) -> usize {
        self.rows.start + self.order[position] as usize
    }
}

/// Writes the linear predictors of `rows` to the 2J columns of [`BLOCK_ROWS`] in `predictors`.
pub(crate) fn predict(
    data: &Data,
    layout: &Layout,
    parameters: &Parameters,
    rows: Range<usize>,
    predictors: &mut [f64],
) {
    for (component, to) in predictors.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        let to = &mut to[..rows.len()];
        to.fill(0.0);
        let slopes = &parameters.coefficients[component];
        let columns = layout.kept(component).iter();
        let columns = columns.map(|&k| data.column(component, k, rows.clone()));
        combine(slopes.iter().copied().zip(columns), to);
    }
}

impl<'a> Posterior<'a> {
    /// The constants at `parameters`.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn new(
        data: &'a Data<'a>,
        layout: &'a Layout,
        parameters: &'a Parameters,
        how: &Integration,
    ) -> Result<Self> {
        let mut places = vec![0; 1 << data.equations];
        for (place, &bits) in data.distinct.iter().enumerate() {
            places[bits as usize] = place as u16;
        }
        let patterns = data.distinct.iter();
        Ok(Posterior {
            data,
            layout,
            parameters,
            patterns: patterns
                .map(|&bits| Pattern::new(bits, parameters, how))
                .collect::<Result<_>>()?,
            places,
        })
    }

    /// Fills `block` with the moments of `rows`, at most [`BLOCK_ROWS`] of them.
    ///
    /// # Errors
    /// [`Error::Numerical`] when a log-likelihood is not finite.
    pub fn moments(&self, rows: Range<usize>, block: &mut Block) -> Result<()> {
        let (data, j) = (self.data, self.data.equations);
        block.rows = rows.clone();
        self.sort(block);
        predict(
            data,
            self.layout,
            self.parameters,
            rows.clone(),
            &mut block.errors,
        );
        let order = &block.order[..rows.len()];
        for component in 0..2 * j {
            let predictor = &block.errors[component * BLOCK_ROWS..][..rows.len()];
            let to = &mut block.sorted[component * BLOCK_ROWS..][..rows.len()];
            if component < j {
                let y = &data.response[component * data.n..][rows.clone()];
                let values = order.iter().map(|&i| y[i as usize] - predictor[i as usize]);
                to.iter_mut().zip(values).for_each(|(to, x)| *to = x);
            } else {
                let values = order.iter().map(|&i| predictor[i as usize]);
                to.iter_mut().zip(values).for_each(|(to, x)| *to = x);
            }
        }
        for g in 0..block.groups.len() {
            let group = block.groups[g].clone();
            self.group(&group, block);
        }
        let order = &block.order[..rows.len()];
        for component in 0..2 * j {
            let from = &block.sorted[component * BLOCK_ROWS..];
            let to = &mut block.errors[component * BLOCK_ROWS..];
            order
                .iter()
                .zip(from)
                .for_each(|(&i, x)| to[i as usize] = *x);
        }
        for (&i, log) in order.iter().zip(&block.sorted_log) {
            block.log_likelihood[i as usize] = *log;
        }
        let total: f64 = block.sorted_log[..rows.len()].iter().sum();
        match total.is_finite() {
            true => Ok(()),
            false => Err(Error::Numerical {
                message: "the log-likelihood of a row is not finite".into(),
            }),
        }
    }

    /// Orders the rows of a block by pattern.
    fn sort(&self, block: &mut Block) {
        let patterns = &self.data.patterns[block.rows.clone()];
        block.groups.clear();
        let mut next = 0;
        if self.patterns.len() > patterns.len() {
            // More patterns than rows: sort instead of going through the patterns.
            let order = &mut block.order[..patterns.len()];
            (0u16..).zip(order.iter_mut()).for_each(|(i, to)| *to = i);
            order.sort_unstable_by_key(|&i| (patterns[i as usize], i));
            while next < patterns.len() {
                let bits = patterns[order[next] as usize];
                let same = order[next..].iter();
                let count = same.take_while(|&&i| patterns[i as usize] == bits).count();
                block.groups.push(Group {
                    pattern: self.places[bits as usize] as usize,
                    positions: next..next + count,
                });
                next += count;
            }
            return;
        }
        for (pattern, constants) in self.patterns.iter().enumerate() {
            let start = next;
            for (i, &bits) in (0u16..).zip(patterns) {
                // No branch: where the bits differ the next row overwrites.
                block.order[next] = i;
                next += usize::from(bits == constants.bits);
            }
            if next > start {
                block.groups.push(Group {
                    pattern,
                    positions: start..next,
                });
            }
        }
    }

    /// The moments of the rows of one pattern.
    fn group(&self, group: &Group, block: &mut Block) {
        let pattern = &self.patterns[group.pattern];
        let positions = group.positions.clone();
        let j = self.data.equations;
        let column = |component: usize| {
            component * BLOCK_ROWS + positions.start..component * BLOCK_ROWS + positions.end
        };
        let Block {
            sorted,
            white,
            means,
            sorted_log,
            ..
        } = block;
        let logs = &mut sorted_log[positions.clone()];
        logs.fill(pattern.log_constant);
        for k in 0..pattern.seen.len() {
            let to = &mut white[column(k)];
            to.fill(0.0);
            let seen = pattern.seen.iter().enumerate().take(k + 1);
            let terms = seen.map(|(l, &a)| (pattern.whitening[(k, l)], &sorted[column(a)]));
            combine(terms, to);
            logs.iter_mut()
                .zip(to.iter())
                .for_each(|(log, u)| *log -= 0.5 * u * u);
        }
        for a in 0..j {
            let to = &mut means[column(a)];
            to.copy_from_slice(&sorted[column(j + a)]);
            let seen = 0..pattern.seen.len();
            combine(seen.map(|k| (pattern.shift[(a, k)], &white[column(k)])), to);
        }
        if j == 1 {
            one_selection(pattern, &positions, block);
        } else {
            several_selections(pattern, &positions, block);
        }
        let Block { sorted, scaled, .. } = block;
        let mean = &mut scaled[..positions.len()];
        for (x, &component) in pattern.missing.iter().enumerate() {
            mean.fill(0.0);
            let known = pattern.seen.iter().copied().chain(j..2 * j);
            let terms = known.enumerate();
            let terms = terms.map(|(k, a)| (pattern.regression[(x, k)], &sorted[column(a)]));
            combine(terms, mean);
            sorted[column(component)].copy_from_slice(mean);
        }
    }
}

/// One selection: in closed form, in columns. The predictor in `sorted` becomes the error.
fn one_selection(pattern: &Pattern, positions: &Range<usize>, block: &mut Block) {
    let signed_sd = pattern.signs[0] * pattern.covariance[(0, 0)].sqrt();
    let scale = 1.0 / signed_sd;
    let means = &block.means[positions.clone()];
    let scaled = &mut block.scaled[..positions.len()];
    scaled
        .iter_mut()
        .zip(means)
        .for_each(|(to, m)| *to = scale * m);
    let variances = &mut block.variances[positions.clone()];
    let log_probability = &mut block.log_likelihood[..positions.len()];
    let mills = &mut block.mills[..positions.len()];
    positive(
        scaled,
        PositiveBlock {
            log_probability,
            mills,
            variance: variances,
        },
    );
    variances
        .iter_mut()
        .for_each(|v| *v *= signed_sd * signed_sd);
    let logs = block.sorted_log[positions.clone()].iter_mut();
    logs.zip(log_probability).for_each(|(log, p)| *log += *p);
    let errors = block.sorted[BLOCK_ROWS..][positions.clone()].iter_mut();
    let moved = means.iter().zip(mills.iter());
    errors
        .zip(moved)
        .for_each(|(e, (m, mills))| *e = (m - *e) + signed_sd * mills);
}

/// Several selections: row by row. The predictors in `sorted` become the errors.
fn several_selections(pattern: &Pattern, positions: &Range<usize>, block: &mut Block) {
    let j = pattern.signs.len();
    let (mut mean, mut expectation) = ([0.0; MAX_SELECTIONS], [0.0; MAX_SELECTIONS]);
    for position in positions.clone() {
        for (a, mean) in mean[..j].iter_mut().enumerate() {
            *mean = block.means[a * BLOCK_ROWS + position];
        }
        let row = block.row(position) as u64;
        let covariance = &mut block.variances[position * j * j..][..j * j];
        block.sorted_log[position] += pattern.orthant.moments(
            &mean[..j],
            row,
            &mut block.work,
            &mut expectation[..j],
            covariance,
        );
        for (a, expectation) in expectation[..j].iter().enumerate() {
            let error = &mut block.sorted[(j + a) * BLOCK_ROWS + position];
            *error = expectation - *error;
        }
    }
}

/// Room on the stack for one row.
const MAX_SELECTIONS: usize = super::data::MAX_EQUATIONS;
