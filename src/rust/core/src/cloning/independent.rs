//! The model without smoothing: every level of a grouping factor has a mean of its own, an ordinary parameter with a
//! vague normal prior, and there is no variance between levels (Neyman and Scott 1948).
//!
//! One parameter at a time, as JAGS samples it: coefficients from their normal conditionals (by slices under a
//! prior that is not normal), log σ by slices. Nothing is done about the posterior correlation of the intercept
//! with the levels, which is what the model is here to show: with g levels, m rows in each and a prior precision
//! π of the levels, the autocorrelation of the intercept is about 1 - 1 / (1 + K m / (π σ²)). Clones are K copies
//! of the rows: parameters are not copied.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::chains::Sampler;
use super::doubling::{self, Curve};
use super::parameters::Layout;
use super::prior::Prior;
use crate::error::{Error, Result};
use crate::mixed::rows::{FixedColumns, Rows, TermRows};

/// The data of the model, and its prior.
#[derive(Debug, Clone)]
pub struct Unsmoothed<'a> {
    prior: &'a Prior,
    coefficients: Vec<Coefficient>,
    /// y less the offset.
    response: Vec<f64>,
    weights: Vec<f64>,
    /// K.
    copies: f64,
    /// Position of log σ in w, also the number of fixed effects.
    fixed: usize,
}

/// A regression coefficient: its column, and its prior's mean and precision if that is normal.
#[derive(Debug, Clone)]
struct Coefficient {
    /// Rows where the column is not 0, and its values there.
    entries: Vec<(u32, f64)>,
    /// Σ w z².
    square: f64,
    normal: Option<(f64, f64)>,
}

/// A chain at its current point.
#[derive(Debug, Clone)]
pub struct Independent<'a> {
    model: &'a Unsmoothed<'a>,
    coefficients: Vec<f64>,
    log_sigma: f64,
    residuals: Vec<f64>,
}

impl<'a> Unsmoothed<'a> {
    /// The model of the fixed effects `kept` and one random intercept. The prior of a layout's log standard deviation
    /// of the block, which must be normal, is taken for that of every level.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `sampler` if the model has other random effects, a known σ or dispersion groups, or
    /// `prior` if that of the levels is not normal.
    pub fn new(
        rows: &Rows,
        kept: &[usize],
        layout: &Layout,
        prior: &'a Prior,
        copies: usize,
    ) -> Result<Self> {
        let wrong = |argument, message: &str| Error::Argument {
            argument,
            message: message.into(),
        };
        let single = layout.blocks.len() == 1 && layout.blocks[0].width() == 1;
        let plain = layout.sigma.is_none() && layout.ratios == 0;
        let ([term], true) = (&rows.terms[..], single && plain) else {
            return Err(wrong(
                "sampler",
                "can be \"independent\" only for one random intercept and one unknown residual variance",
            ));
        };
        let of_levels = match prior.normal(layout.block_at(0)) {
            Some(normal) if normal.1 > 0.0 => normal,
            _ => {
                return Err(wrong(
                    "prior",
                    "must be normal for the effects of the levels",
                ))
            }
        };
        let weights: Vec<f64> = (0..rows.len()).map(|i| rows.weight(i)).collect();
        let columns = kept
            .iter()
            .map(|&j| fixed_column(&rows.fixed, rows.len(), j));
        let fixed = columns
            .zip(0..)
            .map(|(entries, j)| (entries, prior.normal(j)));
        let levels = level_columns(term).into_iter();
        let all = fixed.chain(levels.map(|entries| (entries, Some(of_levels))));
        let offset = |i: usize| rows.offset.map_or(0.0, |offset| offset[i]);
        let response = rows.response.iter().enumerate();
        Ok(Unsmoothed {
            prior,
            coefficients: all
                .map(|(entries, normal)| Coefficient::new(entries, &weights, normal))
                .collect(),
            response: response.map(|(i, y)| y - offset(i)).collect(),
            weights,
            copies: copies as f64,
            fixed: kept.len(),
        })
    }

    /// Number of values monitored: fixed effects, σ², and the effect of every level.
    pub fn width(&self) -> usize {
        self.coefficients.len() + 1
    }
}

impl Coefficient {
    fn new(entries: Vec<(u32, f64)>, weights: &[f64], normal: Option<(f64, f64)>) -> Self {
        let squares = entries.iter().map(|&(i, z)| weights[i as usize] * z * z);
        Coefficient {
            square: squares.sum(),
            entries,
            normal,
        }
    }
}

/// A column of X, without zeros.
fn fixed_column(fixed: &FixedColumns, n: usize, j: usize) -> Vec<(u32, f64)> {
    match *fixed {
        FixedColumns::Dense { values, .. } => {
            let column = (0..n as u32).zip(&values[j * n..(j + 1) * n]);
            column
                .filter(|(_, z)| **z != 0.0)
                .map(|(i, z)| (i, *z))
                .collect()
        }
        FixedColumns::Sparse {
            starts,
            rows,
            values,
            ..
        } => {
            let range = starts[j] as usize..starts[j + 1] as usize;
            let entries = rows[range.clone()].iter().zip(&values[range]);
            entries.map(|(&i, &z)| (i as u32, z)).collect()
        }
    }
}

/// The column of each level.
fn level_columns(term: &TermRows) -> Vec<Vec<(u32, f64)>> {
    let mut columns = vec![Vec::new(); term.levels];
    for (i, &code) in term.codes.iter().enumerate() {
        columns[code as usize - 1].push((i as u32, term.columns[0].at(i)));
    }
    columns
}

impl<'a> Independent<'a> {
    /// A chain that starts at values in the order of [`Unsmoothed::width`]; levels that are left out start at 0.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` if σ² is not positive or a value outside the support of its prior.
    pub fn new(model: &'a Unsmoothed<'a>, start: &[f64]) -> Result<Self> {
        let fixed = model.fixed;
        let mut coefficients = start.to_vec();
        coefficients.resize(model.width(), 0.0);
        let log_sigma = 0.5 * coefficients.remove(fixed).ln();
        let prior = (0..fixed).map(|j| model.prior.log_density_of(j, coefficients[j]));
        let log_prior = prior.sum::<f64>() + model.prior.log_density_of(fixed, log_sigma);
        if !log_sigma.is_finite() || !log_prior.is_finite() {
            return Err(Error::Argument {
                argument: "start",
                message: "must be inside the support of the prior".into(),
            });
        }
        let mut residuals = model.response.clone();
        for (coefficient, value) in model.coefficients.iter().zip(&coefficients) {
            for &(i, z) in &coefficient.entries {
                residuals[i as usize] -= z * value;
            }
        }
        Ok(Independent {
            model,
            coefficients,
            log_sigma,
            residuals,
        })
    }

    /// Draws one coefficient given all else.
    fn move_coefficient(&mut self, j: usize, rng: &mut ChaCha8Rng) {
        let model = self.model;
        let coefficient = &model.coefficients[j];
        let precision = model.copies * (-2.0 * self.log_sigma).exp();
        let product =
            |&(i, z): &(u32, f64)| model.weights[i as usize] * z * self.residuals[i as usize];
        let slope = precision * coefficient.entries.iter().map(product).sum::<f64>();
        let information = precision * coefficient.square;
        let value = self.coefficients[j];
        let change = match coefficient.normal {
            Some((mean, own)) if information + own > 0.0 => {
                let noise: f64 = rng.sample(StandardNormal);
                let all = information + own;
                (slope + own * (mean - value)) / all + noise / all.sqrt()
            }
            _ => {
                let log_density = |t: f64| {
                    let prior = model.prior.log_density_of(j, value + t);
                    slope * t - 0.5 * information * t * t + prior
                };
                let width = 2.0 / information.max(f64::MIN_POSITIVE).sqrt();
                moved(log_density, width, rng)
            }
        };
        self.coefficients[j] += change;
        for &(i, z) in &coefficient.entries {
            self.residuals[i as usize] -= z * change;
        }
    }

    /// Draws log σ given all else.
    fn move_sigma(&mut self, rng: &mut ChaCha8Rng) {
        let model = self.model;
        let residuals = self.residuals.iter().zip(&model.weights);
        let rss: f64 = residuals.map(|(r, w)| w * r * r).sum();
        let rows = model.copies * self.residuals.len() as f64;
        let at = self.log_sigma;
        let log_density = |t: f64| {
            let s = at + t;
            let prior = model.prior.log_density_of(model.fixed, s);
            prior - rows * s - 0.5 * model.copies * rss * (-2.0 * s).exp()
        };
        self.log_sigma += moved(log_density, (2.0 / rows).sqrt(), rng);
    }
}

/// A step by a slice of a log density, from 0.
fn moved(log_density: impl Fn(f64) -> f64, width: f64, rng: &mut ChaCha8Rng) -> f64 {
    let here = log_density(0.0);
    let mut line = Line {
        log_density,
        last: 0.0,
        kept: 0.0,
    };
    match doubling::step(&mut line, here, width, rng) {
        true => line.kept,
        false => 0.0,
    }
}

/// A log density of one number.
struct Line<F> {
    log_density: F,
    last: f64,
    kept: f64,
}

impl<F: Fn(f64) -> f64> Curve for Line<F> {
    fn at(&mut self, t: f64) -> f64 {
        self.last = t;
        (self.log_density)(t)
    }

    fn keep(&mut self) {
        self.kept = self.last;
    }
}

impl Sampler for Independent<'_> {
    fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
        for j in 0..self.coefficients.len() {
            self.move_coefficient(j, rng);
        }
        self.move_sigma(rng);
        if self.log_sigma.is_finite() && self.residuals.iter().all(|r| r.is_finite()) {
            Ok(())
        } else {
            Err(Error::Numerical {
                message: "the chain left the range of numbers".into(),
            })
        }
    }

    fn state(&self, to: &mut [f64]) {
        let (fixed, levels) = self.coefficients.split_at(self.model.fixed);
        to[..fixed.len()].copy_from_slice(fixed);
        to[fixed.len()] = (2.0 * self.log_sigma).exp();
        to[fixed.len() + 1..].copy_from_slice(levels);
    }
}
