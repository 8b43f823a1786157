//! The balanced one-way layout: data, the model around it, and the posterior on a grid.

use ember_core::cloning::chains::{Draws, Settings};
use ember_core::cloning::collapsed;
use ember_core::cloning::mode::Mode;
use ember_core::cloning::parameters::{Layout, Parameters};
use ember_core::cloning::posterior::Posterior;
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::cloning::target::Gaussian;
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;

/// y_ij = μ + α_i + e_ij with given sums of squares: group means a and -a by turns, rows d and -d around them.
pub struct OneWay {
    pub y: Vec<f64>,
    pub groups: usize,
    pub each: usize,
    x: Vec<f64>,
    codes: Vec<i32>,
}

impl OneWay {
    /// `between` and `within` are the standard deviations of means and of rows around them; both numbers even,
    /// or one row for each group.
    pub fn new(groups: usize, each: usize, between: f64, within: f64) -> Self {
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let n = groups * each;
        let y = (0..n).map(|i| {
            let (group, row) = (i % groups, i / groups);
            let around = if each > 1 { within * sign(row) } else { 0.0 };
            2.5 + between * sign(group) + around
        });
        OneWay {
            y: y.collect(),
            groups,
            each,
            x: vec![1.0; n],
            codes: (0..n).map(|i| (i % groups) as i32 + 1).collect(),
        }
    }

    pub fn rows(&self) -> Rows<'_> {
        Rows {
            response: &self.y,
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: 1,
            },
            terms: vec![TermRows {
                codes: &self.codes,
                levels: self.groups,
                columns: vec![Column::One],
            }],
            dispersion: None,
        }
    }

    /// Mean, sum of squares of the group means around it, and of rows around those.
    pub fn sums(&self) -> (f64, f64, f64) {
        let means: Vec<f64> = (0..self.groups)
            .map(|g| self.y.iter().skip(g).step_by(self.groups).sum::<f64>() / self.each as f64)
            .collect();
        let mean = means.iter().sum::<f64>() / self.groups as f64;
        let between = means.iter().map(|x| (x - mean).powi(2)).sum();
        let rows = self.y.iter().enumerate();
        let within = rows
            .map(|(i, y)| (y - means[i % self.groups]).powi(2))
            .sum();
        (mean, between, within)
    }
}

/// The note's priors: normal on μ with variance 10, on log σ and log τ with variance 1000.
pub fn note() -> Vec<Term> {
    let normal = |coordinate, variance: f64| Term {
        coordinate,
        scale: Scale::Coordinate,
        density: Density::Normal {
            mean: 0.0,
            sd: variance.sqrt(),
        },
    };
    vec![normal(0, 10.0), normal(1, 1000.0), normal(2, 1000.0)]
}

pub struct Model {
    pub statistics: CrossProducts,
    pub structure: Structure,
    pub layout: Layout,
    pub prior: Prior,
}

impl Model {
    pub fn new(data: &OneWay, prior: &[Term]) -> Self {
        let statistics = cross_products(&data.rows(), 1).unwrap();
        let structure = Structure::full(&[1]);
        let layout = Layout::new(&structure, statistics.levels(), 1, 1, None, &[], false).unwrap();
        let prior = Prior::new(&layout, prior).unwrap();
        Model {
            statistics,
            structure,
            layout,
            prior,
        }
    }

    pub fn posterior(&self, clones: usize) -> Posterior<'_, Gaussian<'_>> {
        let gaussian = Gaussian::new(&self.statistics, &self.structure, &self.layout).unwrap();
        Posterior::new(gaussian, &self.layout, &self.prior, clones)
    }

    pub fn mode(&self, clones: usize) -> Mode {
        let start = Parameters {
            beta: vec![self.statistics.origin()[0]],
            sigma: 1.0,
            dispersion: vec![1.0],
            theta: vec![1.0],
            shape: None,
        };
        Mode::find(&self.posterior(clones), &self.layout.unconstrained(&start)).unwrap()
    }

    pub fn draws(&self, clones: usize, settings: &Settings) -> Draws {
        let mode = self.mode(clones);
        collapsed::run(&self.posterior(clones), &mode, None, settings, &mut |_| {
            true
        })
        .unwrap()
    }
}

/// The posterior of (log σ, log τ) on a grid, μ integrated out in closed form, with moments of μ given them.
///
/// K log L = -K/2 {g (m - 1) log σ² + W/σ² + g log λ + m (B + g (ȳ - μ)²)/λ} with λ = σ² + m τ².
pub struct Grid {
    /// log σ, log τ, weight (they sum to 1), mean and variance of μ.
    points: Vec<[f64; 5]>,
}

impl Grid {
    /// `prior` gives the log density of (log σ, log τ), `mu` the mean and precision of the prior of μ; each axis is
    /// (first, last, points).
    pub fn new(
        data: &OneWay,
        clones: f64,
        mu: (f64, f64),
        prior: impl Fn(f64, f64) -> f64,
        axes: [(f64, f64, usize); 2],
    ) -> Self {
        let (mean, between, within) = data.sums();
        let (g, m) = (data.groups as f64, data.each as f64);
        let at = |(first, last, n): (f64, f64, usize), i: usize| {
            first + (last - first) * (i as f64 + 0.5) / n as f64
        };
        let mut points = Vec::with_capacity(axes[0].2 * axes[1].2);
        for i in 0..axes[0].2 {
            for j in 0..axes[1].2 {
                let (s, t) = (at(axes[0], i), at(axes[1], j));
                let sigma_sq = (2.0 * s).exp();
                let lambda = sigma_sq + m * (2.0 * t).exp();
                let deviance = g * (m - 1.0) * sigma_sq.ln()
                    + within / sigma_sq
                    + g * lambda.ln()
                    + m * between / lambda;
                let precision = clones * g * m / lambda;
                let all = precision + mu.1;
                let shrinkage = precision * mu.1 / all * (mean - mu.0).powi(2);
                let log = -0.5 * (clones * deviance + shrinkage + all.ln()) + prior(s, t);
                let center = (precision * mean + mu.1 * mu.0) / all;
                points.push([s, t, log, center, 1.0 / all]);
            }
        }
        let largest = points.iter().map(|p| p[2]).fold(f64::MIN, f64::max);
        points
            .iter_mut()
            .for_each(|p| p[2] = (p[2] - largest).exp());
        let total: f64 = points.iter().map(|p| p[2]).sum();
        points.iter_mut().for_each(|p| p[2] /= total);
        Grid { points }
    }

    /// Mean of a function of (log σ, log τ).
    pub fn mean(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        self.points.iter().map(|p| p[2] * of(p[0], p[1])).sum()
    }

    /// Mean and variance of a function of (log σ, log τ).
    pub fn moments(&self, of: impl Fn(f64, f64) -> f64) -> (f64, f64) {
        let mean = self.mean(&of);
        (mean, self.mean(|s, t| (of(s, t) - mean).powi(2)))
    }

    /// Mean and variance of μ.
    pub fn mu(&self) -> (f64, f64) {
        let mean: f64 = self.points.iter().map(|p| p[2] * p[3]).sum();
        let square = |p: &[f64; 5]| p[2] * ((p[3] - mean).powi(2) + p[4]);
        (mean, self.points.iter().map(square).sum())
    }
}
