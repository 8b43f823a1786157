//! The score, of all rows and row by row, by Fisher's identity: the expected complete-data score.
//!
//! With e = z − XΘ the complete-data log-likelihood of a row is −(log |Ω| + e'Ω⁻¹e)/2 and a constant, so
//!
//! ```text
//! d log L / d Θ_j = x_j u_j,   u = Ω⁻¹E[e]
//! d log L / d Ω   = G = (Ω⁻¹E[ee']Ω⁻¹ − Ω⁻¹)/2,   entries of Ω and of its transpose as if they were different.
//! ```
//!
//! Of a row, u and G are zero for outcomes that are not seen; on the other errors K they are u = Ω_KK⁻¹E[e_K] and
//! G = (uu' + F V F' − Ω_KK⁻¹)/2, F the last J columns of Ω_KK⁻¹ and V the covariance matrix of s*.

use std::ops::Range;
use std::sync::Mutex;

use nalgebra::{DMatrix, DVector};

use super::block::{Block, Posterior};
use super::columns::dots;
use super::coordinates::Coordinates;
use super::data::Data;
use super::expect::{expect, Statistics};
use super::layout::{Layout, Parameters};
use super::regressors::blocks;
use crate::error::{Error, Result};
use crate::linalg;
use crate::normal::orthant::Integration;
use crate::shard::{map_merge, map_slices, shards, Merge, BLOCK_ROWS};

/// The log-likelihood and its gradient somewhere.
#[derive(Debug, Clone)]
pub struct Evaluation {
    pub log_likelihood: f64,
    /// By the free coordinates w.
    pub score: DVector<f64>,
    pub parameters: Parameters,
    pub statistics: Statistics,
}

/// The log-likelihood and its gradient at `w`, in one pass.
///
/// # Errors
/// Those of [`Coordinates::parameters`] and [`expect()`].
pub fn evaluate(
    data: &Data,
    coordinates: &Coordinates,
    w: &[f64],
    how: &Integration,
    threads: usize,
) -> Result<Evaluation> {
    let layout = coordinates.layout();
    let parameters = coordinates.parameters(w)?;
    let statistics = expect(data, layout, &parameters, how, threads)?;
    let naturals = score(&statistics, layout, &parameters)?;
    Ok(Evaluation {
        log_likelihood: statistics.log_likelihood,
        score: coordinates.pull_back(w, &naturals),
        parameters,
        statistics,
    })
}

/// The score in the naturals, from the statistics at `at`.
///
/// # Errors
/// [`Error::NotPositiveDefinite`] when Ω is not.
pub fn score(statistics: &Statistics, layout: &Layout, at: &Parameters) -> Result<DVector<f64>> {
    let precision = linalg::inverse_spd(&at.omega)?;
    let mut score = DVector::zeros(layout.len());
    for (component, cross) in statistics.cross.iter().enumerate() {
        let range = layout.range(component);
        score
            .rows_mut(range.start, range.len())
            .copy_from(&(cross * precision.column(component)));
    }
    let gradient =
        (&precision * &statistics.second * &precision - &precision * statistics.weight) * 0.5;
    ErrorGradient::new(layout, at).write(gradient.as_slice(), |at, value| score[at] = value);
    Ok(score)
}

/// From a gradient by Ω to σ and correlations.
struct ErrorGradient<'a> {
    layout: &'a Layout,
    omega: &'a DMatrix<f64>,
    sigmas: Vec<f64>,
}

impl<'a> ErrorGradient<'a> {
    fn new(layout: &'a Layout, at: &'a Parameters) -> Self {
        ErrorGradient {
            layout,
            omega: &at.omega,
            sigmas: at.omega.diagonal().iter().map(|v| v.sqrt()).collect(),
        }
    }

    /// Passes the place and the value of the derivative by every error parameter; G is 2J × 2J and symmetric.
    fn write(&self, gradient: &[f64], mut to: impl FnMut(usize, f64)) {
        let errors = self.sigmas.len();
        let omega = self.omega.as_slice();
        let mut place = self.layout.coefficients();
        for a in 0..self.layout.equations {
            let column = a * errors..(a + 1) * errors;
            let products = gradient[column.clone()].iter().zip(&omega[column]);
            let sum: f64 = products.map(|(g, o)| g * o).sum();
            to(place, 2.0 * sum / self.sigmas[a]);
            place += 1;
        }
        for a in 0..errors {
            for b in a + 1..errors {
                to(
                    place,
                    2.0 * gradient[a * errors + b] * self.sigmas[a] * self.sigmas[b],
                );
                place += 1;
            }
        }
    }
}

/// Writes the scores of blocks of rows in columns.
struct Scorer<'a> {
    posterior: &'a Posterior<'a>,
    errors: ErrorGradient<'a>,
    /// F of each pattern.
    loadings: Vec<DMatrix<f64>>,
    block: Block,
    /// u of the rows, 2J columns of [`BLOCK_ROWS`].
    slopes: Vec<f64>,
    /// F V of a row, 2J × J.
    product: Vec<f64>,
    /// G of a row.
    gradient: Vec<f64>,
}

impl<'a> Scorer<'a> {
    fn new(posterior: &'a Posterior<'a>, at: &'a Parameters) -> Self {
        let j = posterior.data.equations;
        Scorer {
            posterior,
            errors: ErrorGradient::new(posterior.layout, at),
            loadings: (posterior.patterns.iter())
                .map(|pattern| pattern.loadings())
                .collect(),
            block: Block::new(j),
            slopes: vec![0.0; 2 * j * BLOCK_ROWS],
            product: vec![0.0; 2 * j * j],
            gradient: vec![0.0; 4 * j * j],
        }
    }

    /// Writes the scores of `rows`, not weighted, to K columns of [`BLOCK_ROWS`].
    fn scores(&mut self, rows: Range<usize>, to: &mut [f64]) -> Result<()> {
        self.posterior.moments(rows.clone(), &mut self.block)?;
        let (data, layout) = (self.posterior.data, self.posterior.layout);
        for group in self.block.groups.clone() {
            for position in group.positions {
                self.row(group.pattern, position, to);
            }
        }
        for component in 0..data.components() {
            let slopes = &self.slopes[component * BLOCK_ROWS..][..rows.len()];
            let columns = layout.range(component).zip(layout.kept(component));
            for (place, &column) in columns {
                let x = data.column(component, column, rows.clone());
                let to = to[place * BLOCK_ROWS..].iter_mut();
                to.zip(slopes.iter().zip(x))
                    .for_each(|(to, (u, x))| *to = u * x);
            }
        }
        Ok(())
    }

    /// u and the derivatives by the error parameters of one row.
    fn row(&mut self, pattern: usize, position: usize, to: &mut [f64]) {
        let row = self.block.order[position] as usize;
        let precision = self.posterior.patterns[pattern].precision.as_slice();
        let loadings = self.loadings[pattern].as_slice();
        let variance = self.block.variance(position);
        let j = self.posterior.data.equations;
        let errors = 2 * j;
        for (a, column) in precision.chunks_exact(errors).enumerate() {
            let products = column.iter().enumerate();
            self.slopes[a * BLOCK_ROWS + row] = products
                .map(|(b, p)| p * self.block.errors[b * BLOCK_ROWS + row])
                .sum();
        }
        self.product.fill(0.0);
        for (c, column) in self.product.chunks_exact_mut(errors).enumerate() {
            for (d, loading) in loadings.chunks_exact(errors).enumerate() {
                let factor = variance[c * j + d];
                column
                    .iter_mut()
                    .zip(loading)
                    .for_each(|(to, f)| *to += factor * f);
            }
        }
        for (b, column) in self.gradient.chunks_exact_mut(errors).enumerate() {
            let slope = self.slopes[b * BLOCK_ROWS + row];
            for (a, to) in column.iter_mut().enumerate() {
                let spread: f64 = (0..j)
                    .map(|c| self.product[c * errors + a] * loadings[c * errors + b])
                    .sum();
                let square = slope * self.slopes[a * BLOCK_ROWS + row];
                *to = 0.5 * (square + spread - precision[b * errors + a]);
            }
        }
        self.errors.write(&self.gradient, |place, value| {
            to[place * BLOCK_ROWS + row] = value
        });
    }
}

/// Scores of the rows in the naturals, each times its weight: n × K, column-major. Columns sum to the score.
///
/// # Errors
/// As [`expect()`].
pub fn row_scores(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    threads: usize,
) -> Result<Vec<f64>> {
    let posterior = Posterior::new(data, layout, at, how)?;
    let k = layout.len();
    let mut scores = vec![0.0; data.n * k];
    // Every shard owns its rows of all columns.
    let ranges = shards(data.n);
    let mut parts: Vec<Vec<&mut [f64]>> = ranges.iter().map(|_| Vec::with_capacity(k)).collect();
    for mut column in scores.chunks_exact_mut(data.n) {
        for (part, range) in parts.iter_mut().zip(&ranges) {
            let (mine, rest) = column.split_at_mut(range.len());
            part.push(mine);
            column = rest;
        }
    }
    let first = ranges.iter().map(|range| range.start);
    let parts: Vec<(usize, Mutex<Vec<&mut [f64]>>)> =
        first.zip(parts.into_iter().map(Mutex::new)).collect();
    map_merge(data.n, threads, |rows| {
        let part = parts.iter().find(|(start, _)| *start == rows.start);
        let Some(mut columns) = part.and_then(|(_, part)| part.lock().ok()) else {
            return Err(Error::Numerical {
                message: "the scores of some rows could not be written".into(),
            });
        };
        let mut scorer = Scorer::new(&posterior, at);
        let mut buffer = vec![0.0; k * BLOCK_ROWS];
        for block in blocks(rows.clone()) {
            scorer.scores(block.clone(), &mut buffer)?;
            for (to, from) in columns.iter_mut().zip(buffer.chunks_exact(BLOCK_ROWS)) {
                let to = to[block.start - rows.start..].iter_mut().zip(block.clone());
                to.zip(from)
                    .for_each(|((to, i), x)| *to = data.weight(i) * x);
            }
        }
        Ok(Nothing)
    })?;
    drop(parts);
    Ok(scores)
}

/// What is left to merge of rows whose results are already where they belong.
struct Nothing;

impl Merge for Nothing {
    fn merge(&mut self, _: Self) {}
}

/// Σ w s s' over the scores s of the rows in the naturals, K × K.
///
/// # Errors
/// As [`expect()`].
pub fn outer_products(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    threads: usize,
) -> Result<DMatrix<f64>> {
    let posterior = Posterior::new(data, layout, at, how)?;
    let k = layout.len();
    let sum = map_merge(data.n, threads, |rows| {
        let mut scorer = Scorer::new(&posterior, at);
        let mut scores = vec![0.0; k * BLOCK_ROWS];
        let mut weighted = vec![0.0; BLOCK_ROWS];
        let mut sum = DMatrix::<f64>::zeros(k, k);
        for block in blocks(rows) {
            scorer.scores(block.clone(), &mut scores)?;
            for (b, column) in scores.chunks_exact(BLOCK_ROWS).enumerate() {
                let column = column[..block.len()].iter().zip(block.clone());
                let weighted = &mut weighted[..block.len()];
                weighted
                    .iter_mut()
                    .zip(column)
                    .for_each(|(to, (x, i))| *to = data.weight(i) * x);
                let to = &mut sum.as_mut_slice()[b * k..][b..k];
                dots(weighted, &scores[b * BLOCK_ROWS..], BLOCK_ROWS, to);
            }
        }
        Ok(sum)
    });
    let mut sum = sum?;
    linalg::mirror(&mut sum);
    Ok(sum)
}

/// Log-likelihoods of the rows, without their weights.
///
/// # Errors
/// As [`expect()`].
pub fn log_likelihoods(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    how: &Integration,
    threads: usize,
) -> Result<Vec<f64>> {
    let posterior = Posterior::new(data, layout, at, how)?;
    let mut logs = vec![0.0; data.n];
    let results = map_slices(data.n, threads, [&mut logs[..]], |rows, [to]| {
        let mut block = Block::new(data.equations);
        for part in blocks(rows.clone()) {
            posterior.moments(part.clone(), &mut block)?;
            to[part.start - rows.start..][..part.len()]
                .copy_from_slice(&block.log_likelihood[..part.len()]);
        }
        Ok(())
    });
    results.into_iter().collect::<Result<()>>()?;
    Ok(logs)
}
