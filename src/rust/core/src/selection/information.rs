//! The observed information: minus the Hessian of the log-likelihood.
//!
//! Coefficients among themselves: exactly, as Σ w x_a D_ab x_b' with D = Ω_KK⁻¹ − F V F' of each row (zero for outcomes
//! that are not seen; F as in [`score`](super::score)). This is Louis's identity with nothing to simulate: the complete
//! data's Ω⁻¹ less the variance of u. Error parameters: central differences of the exact score along the unconstrained
//! coordinates w, which cannot leave the parameter space; d score / d naturals = (d score / d w)(d naturals / d w)⁻¹.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::block::{Block, Posterior};
use super::columns::dot;
use super::coordinates::Coordinates;
use super::data::Data;
use super::expect::expect;
use super::layout::{Layout, Parameters};
use super::regressors::blocks;
use super::score::score;
use crate::em::Flow;
use crate::error::{Error, Result};
use crate::linalg;
use crate::normal::orthant::Integration;
use crate::shard::{map_merge, BLOCK_ROWS};

/// Step of the differences, in units of 1 + |w|.
const STEP: f64 = 2e-5;

/// How rows are gone through.
#[derive(Debug, Clone, Copy)]
pub struct Passes {
    pub how: Integration,
    pub threads: usize,
}

/// The information in the naturals at `at`, K × K. `monitor` is asked before every pass over the rows.
///
/// # Errors
/// Those of [`expect()`]; [`Error::Interrupted`] when the monitor says so; [`Error::Numerical`] when Ω is singular to
/// rounding right beside `at`.
pub fn information(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    passes: &Passes,
    monitor: &mut dyn FnMut() -> Flow,
) -> Result<DMatrix<f64>> {
    let coordinates = Coordinates::new(layout);
    let w = coordinates.locate(at)?;
    let p = layout.coefficients();
    let errors = layout.len() - p;
    let sides = differences(data, &coordinates, &w, passes, monitor)?;
    let mut slopes = DMatrix::zeros(layout.len(), errors);
    for (k, side) in sides.iter().enumerate() {
        let slope = (&side.above.score - &side.below.score) / (2.0 * side.step);
        slopes.set_column(k, &slope);
    }
    let jacobian = coordinates.jacobian(&w);
    let jacobian = jacobian.view((p, p), (errors, errors)).into_owned();
    let singular = || Error::Numerical {
        message: "the correlations are at the boundary".into(),
    };
    let inverse = jacobian.try_inverse().ok_or_else(singular)?;
    let columns = -slopes * inverse;
    let mut information = DMatrix::zeros(layout.len(), layout.len());
    let coefficients = coefficient_information(data, layout, at, passes)?;
    assemble(&coefficients, &columns, &mut information);
    Ok(information)
}

/// The information in the free coordinates at `w`.
///
/// # Errors
/// As [`information()`].
pub fn information_at(
    data: &Data,
    coordinates: &Coordinates,
    w: &[f64],
    passes: &Passes,
    monitor: &mut dyn FnMut() -> Flow,
) -> Result<DMatrix<f64>> {
    let layout = coordinates.layout();
    let (p, size) = (layout.coefficients(), coordinates.len());
    let at = coordinates.parameters(w)?;
    let sides = differences(data, coordinates, w, passes, monitor)?;
    let mut columns = DMatrix::zeros(size, size - p);
    for (k, side) in sides.iter().enumerate() {
        let pulled = |end: &End| coordinates.pull_back(&end.w, &end.score);
        let slope = (pulled(&side.below) - pulled(&side.above)) / (2.0 * side.step);
        columns.set_column(k, &slope);
    }
    let transform = coordinates.jacobian(w);
    let transform = transform.view((0, 0), (p, p));
    let coefficients = coefficient_information(data, layout, &at, passes)?;
    let coefficients = linalg::symmetrized(&(transform.tr_mul(&coefficients) * transform));
    let mut information = DMatrix::zeros(size, size);
    assemble(&coefficients, &columns, &mut information);
    Ok(information)
}

/// Puts the block of the coefficients and the columns of the other parameters together.
fn assemble(coefficients: &DMatrix<f64>, columns: &DMatrix<f64>, to: &mut DMatrix<f64>) {
    let (p, errors) = (coefficients.nrows(), columns.ncols());
    to.view_mut((0, 0), (p, p)).copy_from(coefficients);
    to.view_mut((0, p), (p, errors))
        .copy_from(&columns.rows(0, p));
    to.view_mut((p, 0), (errors, p))
        .copy_from(&columns.rows(0, p).transpose());
    to.view_mut((p, p), (errors, errors))
        .copy_from(&linalg::symmetrized(&columns.rows(p, errors).into_owned()));
}

/// The score in the naturals at one end of a step.
struct End {
    w: Vec<f64>,
    score: DVector<f64>,
}

struct Sides {
    above: End,
    below: End,
    step: f64,
}

/// The scores on both sides of every free coordinate that is no coefficient.
fn differences(
    data: &Data,
    coordinates: &Coordinates,
    w: &[f64],
    passes: &Passes,
    monitor: &mut dyn FnMut() -> Flow,
) -> Result<Vec<Sides>> {
    let layout = coordinates.layout();
    let mut end = |k: usize, step: f64| -> Result<End> {
        if monitor() == Flow::Stop {
            return Err(Error::Interrupted);
        }
        let mut w = w.to_vec();
        w[k] += step;
        let at = coordinates.parameters(&w)?;
        let statistics = expect(data, layout, &at, &passes.how, passes.threads)?;
        let score = score(&statistics, layout, &at)?;
        Ok(End { w, score })
    };
    (layout.coefficients()..w.len())
        .map(|k| {
            let step = STEP * (1.0 + w[k].abs());
            Ok(Sides {
                above: end(k, step)?,
                below: end(k, -step)?,
                step,
            })
        })
        .collect()
}

/// The block of the coefficients, exactly.
///
/// # Errors
/// As [`expect()`].
pub fn coefficient_information(
    data: &Data,
    layout: &Layout,
    at: &Parameters,
    passes: &Passes,
) -> Result<DMatrix<f64>> {
    let posterior = Posterior::new(data, layout, at, &passes.how)?;
    let size = layout.coefficients();
    let sum = map_merge(data.n, passes.threads, |rows| {
        let mut curvature = Curvature::new(&posterior);
        let mut sum = DMatrix::zeros(size, size);
        for rows in blocks(rows) {
            curvature.fill(rows.clone())?;
            curvature.add(rows, &mut sum);
        }
        Ok(sum)
    });
    let mut information = sum?;
    linalg::mirror(&mut information);
    Ok(information)
}

/// w D of the rows of a block.
struct Curvature<'a> {
    posterior: &'a Posterior<'a>,
    loadings: Vec<DMatrix<f64>>,
    block: Block,
    /// Columns of [`BLOCK_ROWS`], one for each entry (a, b) of D, of which those with a ≥ b are filled.
    entries: Vec<f64>,
    /// One column.
    product: Vec<f64>,
}

impl<'a> Curvature<'a> {
    fn new(posterior: &'a Posterior<'a>) -> Self {
        let j = posterior.data.equations;
        let loadings = posterior.patterns.iter();
        Curvature {
            posterior,
            loadings: loadings.map(|pattern| pattern.loadings()).collect(),
            block: Block::new(j),
            entries: vec![0.0; 4 * j * j * BLOCK_ROWS],
            product: vec![0.0; BLOCK_ROWS],
        }
    }

    fn fill(&mut self, rows: Range<usize>) -> Result<()> {
        self.posterior.moments(rows, &mut self.block)?;
        let data = self.posterior.data;
        let j = data.equations;
        let errors = 2 * j;
        for group in &self.block.groups {
            let precision = &self.posterior.patterns[group.pattern].precision;
            let loadings = &self.loadings[group.pattern];
            for position in group.positions.clone() {
                let variance = self.block.variance(position);
                let row = self.block.order[position] as usize;
                let weight = data.weight(self.block.row(position));
                for b in 0..errors {
                    for a in b..errors {
                        let mut explained = 0.0;
                        for (c, variances) in variance.chunks_exact(j).enumerate() {
                            let along = variances.iter().enumerate();
                            let along: f64 = along.map(|(d, v)| v * loadings[(a, d)]).sum();
                            explained += along * loadings[(b, c)];
                        }
                        self.entries[(b * errors + a) * BLOCK_ROWS + row] =
                            weight * (precision[(a, b)] - explained);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds x_a D_ab x_b' to the lower triangle.
    fn add(&mut self, rows: Range<usize>, sum: &mut DMatrix<f64>) {
        let (data, layout) = (self.posterior.data, self.posterior.layout);
        let errors = data.components();
        for b in 0..errors {
            for (to_b, &column_b) in layout.range(b).zip(layout.kept(b)) {
                let x_b = data.column(b, column_b, rows.clone());
                for a in b..errors {
                    let entries = &self.entries[(b * errors + a) * BLOCK_ROWS..][..rows.len()];
                    let product = &mut self.product[..rows.len()];
                    let products = entries.iter().zip(x_b).map(|(d, x)| d * x);
                    product.iter_mut().zip(products).for_each(|(to, x)| *to = x);
                    for (to_a, &column_a) in layout.range(a).zip(layout.kept(a)) {
                        if to_a >= to_b {
                            let x_a = data.column(a, column_a, rows.clone());
                            sum[(to_a, to_b)] += dot(x_a, product);
                        }
                    }
                }
            }
        }
    }
}
