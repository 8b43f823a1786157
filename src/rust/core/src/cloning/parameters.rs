//! What is sampled, on three scales: unconstrained, natural, and as the model takes it.
//!
//! The unconstrained vector w holds β (columns kept), log σ, the logarithms of the dispersion ratios of groups 2,
//! 3, ..., then for each block of random effects the log standard deviations and the partial correlations on the
//! atanh scale (below the diagonal, column by column), and log shape. What is known is left out.
//!
//! The natural vector, which is what users see, holds β, σ², the dispersion ratios, for each block its variances
//! and covariances (lower triangle, column by column), and the shape.

use nalgebra::DMatrix;

use crate::error::{Error, Result};
use crate::mixed::covariances::{lower_factor, partition, Block};
use crate::mixed::criterion::KnownDeviation;
use crate::mixed::structure::Structure;

/// Logarithms are taken of nothing smaller, so that w is finite on the boundary too.
const SMALLEST: f64 = 1e-150;

/// Partial correlations count as no closer to ±1 than this, for the same reason.
const CLOSEST: f64 = 1e-14;

/// Which parameters there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Fixed effects (columns kept).
    pub fixed: usize,
    /// σ, the scale of Λ, if it is not sampled: known, or 1 in models without a residual scale.
    pub sigma: Option<f64>,
    /// Groups of rows with a residual variance of their own, less 1.
    pub ratios: usize,
    /// Random effects with a covariance matrix in common, term by term.
    pub blocks: Vec<Block>,
    /// Whether the shape of the response's distribution is sampled.
    pub shape: bool,
    /// Number of elements of θ.
    pub theta: usize,
}

/// The parameters as the model takes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// β of the columns kept.
    pub beta: Vec<f64>,
    /// σ.
    pub sigma: f64,
    /// Ratios of residual standard deviations to that of group 1, one for each group.
    pub dispersion: Vec<f64>,
    /// Every element of θ.
    pub theta: Vec<f64>,
    /// Shape of the response's distribution, where it is sampled.
    pub shape: Option<f64>,
}

/// What a coordinate or a natural parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Fixed effect number ..
    Fixed(usize),
    /// σ² or log σ.
    Residual,
    /// Dispersion ratio of group .., counted from 1 (group 0 has ratio 1), or its logarithm.
    Ratio(usize),
    /// Variance or covariance, log standard deviation or partial correlation: rows `row` and `column` of a block.
    Covariance {
        block: usize,
        row: usize,
        column: usize,
    },
    /// Shape or log shape.
    Shape,
}

impl Layout {
    /// The layout of a model with `fixed` columns of X kept and `groups` dispersion groups; `sigma` and
    /// `known` are not sampled.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `formula` when effects of a block are neither all correlated nor all not.
    pub fn new(
        structure: &Structure,
        levels: &[usize],
        fixed: usize,
        groups: usize,
        sigma: Option<f64>,
        known: &[KnownDeviation],
        shape: bool,
    ) -> Result<Self> {
        let blocks = partition(structure, levels, known).map_err(|_| Error::Argument {
            argument: "formula",
            message:
                "has a covariance structure that cannot be sampled: only full and diagonal ones can"
                    .into(),
        })?;
        Ok(Layout {
            fixed,
            sigma,
            ratios: groups.max(1) - 1,
            blocks,
            shape,
            theta: structure.parameters(),
        })
    }

    /// Length of w.
    pub fn coordinates(&self) -> usize {
        self.block_at(self.blocks.len()) + usize::from(self.shape)
    }

    /// Length of the natural vector; the same as that of w.
    pub fn naturals(&self) -> usize {
        self.coordinates()
    }

    /// What each coordinate of w is.
    pub fn coordinate_kinds(&self) -> Vec<Kind> {
        self.kinds_of(true)
    }

    /// What each natural parameter is.
    pub fn natural_kinds(&self) -> Vec<Kind> {
        self.kinds_of(false)
    }

    fn kinds_of(&self, unconstrained: bool) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = (0..self.fixed).map(Kind::Fixed).collect();
        kinds.extend(self.sigma.is_none().then_some(Kind::Residual));
        kinds.extend((1..=self.ratios).map(Kind::Ratio));
        for (block, of) in self.blocks.iter().enumerate() {
            let width = of.width();
            let entry = |row, column| Kind::Covariance { block, row, column };
            let first = of.first_expanded();
            let diagonal = (first..width).map(|i| entry(i, i));
            let below = |j: usize| (j + 1..width).map(move |i| entry(i, j));
            if unconstrained {
                kinds.extend(diagonal.chain((0..width).flat_map(below)));
            } else {
                kinds.extend((0..width).flat_map(|j| {
                    let variance = (j >= first).then(|| entry(j, j));
                    variance.into_iter().chain(below(j))
                }));
            }
        }
        kinds.extend(self.shape.then_some(Kind::Shape));
        kinds
    }

    /// Where log σ is in w.
    pub fn sigma_at(&self) -> Option<usize> {
        self.sigma.is_none().then_some(self.fixed)
    }

    /// Where a block begins in w: log standard deviations, then partial correlations.
    pub fn block_at(&self, block: usize) -> usize {
        let before = self.blocks[..block].iter().map(sampled).sum::<usize>();
        self.fixed + usize::from(self.sigma.is_none()) + self.ratios + before
    }

    /// Where log shape is in w.
    pub fn shape_at(&self) -> Option<usize> {
        self.shape.then(|| self.block_at(self.blocks.len()))
    }

    /// σ at w.
    pub fn sigma(&self, w: &[f64]) -> f64 {
        self.sigma.unwrap_or_else(|| w[self.fixed].exp())
    }

    /// The parameters of the model at w.
    pub fn parameters(&self, w: &[f64]) -> Parameters {
        let ratios = &w[self.block_at(0) - self.ratios..][..self.ratios];
        let mut theta = vec![0.0; self.theta];
        self.theta_into(w, &mut theta);
        Parameters {
            beta: w[..self.fixed].to_vec(),
            sigma: self.sigma(w),
            dispersion: std::iter::once(1.0)
                .chain(ratios.iter().map(|log| log.exp()))
                .collect(),
            theta,
            shape: self.shape_at().map(|at| w[at].exp()),
        }
    }

    /// Writes θ at w.
    pub fn theta_into(&self, w: &[f64], theta: &mut [f64]) {
        let scale = 1.0 / self.sigma(w);
        for (k, block) in self.blocks.iter().enumerate() {
            if let (&[at], None) = (&block.theta[..], block.deviation) {
                theta[at] = w[self.block_at(k)].exp() * scale;
            } else {
                block.store(&(self.factor(k, w) * scale), theta);
            }
        }
    }

    /// w of the parameters of the model; on the boundary of their space the nearest finite one.
    pub fn unconstrained(&self, parameters: &Parameters) -> Vec<f64> {
        let mut w = vec![0.0; self.coordinates()];
        w[..self.fixed].copy_from_slice(&parameters.beta);
        if let Some(at) = self.sigma_at() {
            w[at] = log(parameters.sigma);
        }
        let first = self.block_at(0) - self.ratios;
        for (to, &ratio) in w[first..].iter_mut().zip(&parameters.dispersion[1..]) {
            *to = log(ratio);
        }
        for (k, block) in self.blocks.iter().enumerate() {
            let factor = block.factor(&parameters.theta) * parameters.sigma;
            self.set_factor(k, &factor, &mut w);
        }
        if let (Some(at), Some(shape)) = (self.shape_at(), parameters.shape) {
            w[at] = log(shape);
        }
        w
    }

    /// The lower triangular factor of the covariance matrix of a block at w.
    pub fn factor(&self, block: usize, w: &[f64]) -> DMatrix<f64> {
        let of = &self.blocks[block];
        let (width, first) = (of.width(), of.first_expanded());
        let (logs, partial) = w[self.block_at(block)..].split_at(width - first);
        let mut factor = DMatrix::zeros(width, width);
        let mut left = vec![1.0; width];
        let mut partial = partial.iter();
        for j in 0..width {
            factor[(j, j)] = f64::sqrt(left[j]);
            for (i, y) in (j + 1..width).zip(partial.by_ref()) {
                let z = y.tanh();
                factor[(i, j)] = z * left[i].sqrt();
                // 1 - tanh² without cancellation
                left[i] *= y.cosh().powi(-2);
            }
        }
        for (i, mut row) in factor.row_iter_mut().enumerate() {
            row *= match of.deviation {
                Some(sd) if i == 0 => sd,
                _ => logs[i - first].exp(),
            };
        }
        factor
    }

    /// The covariance matrix of a block at w.
    pub fn covariance(&self, block: usize, w: &[f64]) -> DMatrix<f64> {
        let factor = self.factor(block, w);
        &factor * factor.transpose()
    }

    /// Writes the covariance matrix A Aᵀ of a block into w.
    pub fn set_factor(&self, block: usize, a: &DMatrix<f64>, w: &mut [f64]) {
        let of = &self.blocks[block];
        let (width, first) = (of.width(), of.first_expanded());
        let factor = lower_factor(a);
        let (logs, partial) = w[self.block_at(block)..].split_at_mut(width - first);
        let norms: Vec<f64> = factor.row_iter().map(|row| row.norm()).collect();
        for (to, &sd) in logs.iter_mut().zip(&norms[first..]) {
            *to = log(sd);
        }
        let mut partial = partial.iter_mut();
        for j in 0..width {
            for (i, to) in (j + 1..width).zip(partial.by_ref()) {
                let left = factor.view((i, j), (1, i + 1 - j)).norm();
                let z = if left > 0.0 {
                    factor[(i, j)] / left
                } else {
                    0.0
                };
                *to = z.clamp(CLOSEST - 1.0, 1.0 - CLOSEST).atanh();
            }
        }
    }

    /// Writes the natural vector at w.
    pub fn natural_into(&self, w: &[f64], to: &mut [f64]) {
        to[..self.fixed].copy_from_slice(&w[..self.fixed]);
        if let Some(at) = self.sigma_at() {
            to[at] = (2.0 * w[at]).exp();
        }
        let first = self.block_at(0) - self.ratios;
        for (to, log) in to[first..].iter_mut().zip(&w[first..][..self.ratios]) {
            *to = log.exp();
        }
        for (k, block) in self.blocks.iter().enumerate() {
            let at = self.block_at(k);
            if let (1, None) = (block.width(), block.deviation) {
                to[at] = (2.0 * w[at]).exp();
                continue;
            }
            let covariance = self.covariance(k, w);
            let mut to = to[at..].iter_mut();
            for j in 0..block.width() {
                let from = j + usize::from(j < block.first_expanded());
                let entries = (from..block.width()).map(|i| covariance[(i, j)]);
                to.by_ref().zip(entries).for_each(|(to, value)| *to = value);
            }
        }
        if let Some(at) = self.shape_at() {
            to[at] = w[at].exp();
        }
    }

    /// w of a natural vector.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `start` when a variance is not positive or a covariance matrix not positive
    /// definite.
    pub fn from_natural(&self, natural: &[f64]) -> Result<Vec<f64>> {
        let wrong = |message: &str| Error::Argument {
            argument: "start",
            message: message.into(),
        };
        if natural.len() != self.naturals() {
            return Err(wrong("must give a value for each parameter"));
        }
        let mut w = natural.to_vec();
        for (to, kind) in w.iter_mut().zip(self.natural_kinds()) {
            match kind {
                Kind::Residual | Kind::Ratio(_) | Kind::Shape if *to <= 0.0 || to.is_nan() => {
                    return Err(wrong("must hold positive variances and shapes"));
                }
                Kind::Residual => *to = 0.5 * to.ln(),
                Kind::Ratio(_) | Kind::Shape => *to = to.ln(),
                Kind::Fixed(_) | Kind::Covariance { .. } => {}
            }
        }
        for (k, block) in self.blocks.iter().enumerate() {
            let mut values = natural[self.block_at(k)..].iter();
            let width = block.width();
            let mut covariance = DMatrix::zeros(width, width);
            if let Some(sd) = block.deviation {
                covariance[(0, 0)] = sd * sd;
            }
            for j in 0..width {
                let from = j + usize::from(j < block.first_expanded());
                for (i, &value) in (from..width).zip(values.by_ref()) {
                    covariance[(i, j)] = value;
                }
            }
            let factor = covariance
                .cholesky()
                .ok_or_else(|| wrong("must hold covariance matrices that are positive definite"))?;
            self.set_factor(k, &factor.l(), &mut w);
        }
        Ok(w)
    }

    /// log |d natural / d w|. With standard deviations s and partial correlations z of a block of q effects,
    /// |dΣ / d(s, R)| = 2^q Π sᵢ^q, and dR by the z of column j is Π (1 - z²)^((q - j - 1) / 2), columns counted
    /// from 1 (Lewandowski, Kurowicka and Joe 2009, eq. 5); d log s and d atanh z give another s and 1 - z² each.
    pub fn log_jacobian(&self, w: &[f64]) -> f64 {
        let mut log_jacobian = 0.0;
        if let Some(at) = self.sigma_at() {
            log_jacobian += std::f64::consts::LN_2 + 2.0 * w[at];
        }
        let first = self.block_at(0) - self.ratios;
        log_jacobian += w[first..][..self.ratios].iter().sum::<f64>();
        for (k, block) in self.blocks.iter().enumerate() {
            let width = block.width();
            let first = block.first_expanded();
            let (logs, partial) = w[self.block_at(k)..].split_at(width - first);
            let own = logs.len() as f64 * std::f64::consts::LN_2;
            log_jacobian += own + (width + 1) as f64 * logs.iter().sum::<f64>();
            if let Some(sd) = block.deviation {
                log_jacobian += (width - 1) as f64 * sd.ln();
            }
            let mut partial = partial.iter();
            for j in 0..width {
                let power = (width - j) as f64;
                let columns = partial.by_ref().take(width - 1 - j);
                log_jacobian -= columns.map(|y| power * log_cosh(*y)).sum::<f64>();
            }
        }
        if let Some(at) = self.shape_at() {
            log_jacobian += w[at];
        }
        log_jacobian
    }
}

/// Coordinates of a block.
fn sampled(block: &Block) -> usize {
    block.theta.len() - block.first_expanded()
}

fn log(x: f64) -> f64 {
    x.max(SMALLEST).ln()
}

/// log cosh y = -log(1 - tanh² y) / 2, without overflow.
pub(super) fn log_cosh(y: f64) -> f64 {
    y.abs() + (-2.0 * y.abs()).exp().ln_1p() - std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(known: &[KnownDeviation], sigma: Option<f64>) -> Layout {
        let mut structure = Structure::full(&[3, 2]);
        // The second term has uncorrelated effects.
        structure
            .entries
            .retain(|entry| entry.term == 0 || entry.row == entry.column);
        Layout::new(&structure, &[5, 7], 2, 2, sigma, known, true).unwrap()
    }

    fn point(length: usize) -> Vec<f64> {
        (0..length).map(|i| (1.7 * i as f64 + 0.4).sin()).collect()
    }

    fn layouts() -> Vec<Layout> {
        let known = KnownDeviation {
            term: 0,
            index: 0,
            sd: 0.7,
        };
        vec![
            layout(&[], None),
            layout(&[], Some(1.3)),
            layout(&[known], None),
        ]
    }

    #[test]
    fn every_scale_leads_back_to_the_same_point() {
        for layout in layouts() {
            let w = point(layout.coordinates());
            let mut natural = vec![0.0; layout.naturals()];
            layout.natural_into(&w, &mut natural);
            let from_natural = layout.from_natural(&natural).unwrap();
            let from_model = layout.unconstrained(&layout.parameters(&w));
            for ((w, a), b) in w.iter().zip(&from_natural).zip(&from_model) {
                assert!(
                    (w - a).abs() < 1e-12 && (w - b).abs() < 1e-12,
                    "{w} {a} {b}"
                );
            }
        }
    }

    #[test]
    fn natural_parameters_are_the_covariances_of_the_model() {
        let layout = layout(&[], None);
        let w = point(layout.coordinates());
        let mut natural = vec![0.0; layout.naturals()];
        layout.natural_into(&w, &mut natural);
        let parameters = layout.parameters(&w);
        let lambda = layout.blocks[0].factor(&parameters.theta) * parameters.sigma;
        let covariance = &lambda * lambda.transpose();
        for (value, kind) in natural.iter().zip(layout.natural_kinds()) {
            match kind {
                Kind::Covariance {
                    block: 0,
                    row,
                    column,
                } => assert!((value - covariance[(row, column)]).abs() < 1e-14),
                Kind::Residual => assert!((value - parameters.sigma.powi(2)).abs() < 1e-14),
                _ => {}
            }
        }
        // The first two standard deviations are coordinates themselves.
        let at = layout.block_at(0);
        assert!((covariance[(0, 0)].sqrt().ln() - w[at]).abs() < 1e-14);
        assert!((covariance[(1, 1)].sqrt().ln() - w[at + 1]).abs() < 1e-14);
        // With one partial correlation before it, a correlation is tanh w.
        let r = covariance[(1, 0)] / (covariance[(0, 0)] * covariance[(1, 1)]).sqrt();
        assert!((r.atanh() - w[at + 3]).abs() < 1e-13);
    }

    #[test]
    fn log_jacobian_is_that_of_differences() {
        for layout in layouts() {
            let w = point(layout.coordinates());
            let n = w.len();
            let h = 1e-5;
            let mut jacobian = DMatrix::zeros(n, n);
            let (mut up, mut down) = (vec![0.0; n], vec![0.0; n]);
            for j in 0..n {
                let mut moved = w.clone();
                moved[j] += h;
                layout.natural_into(&moved, &mut up);
                moved[j] -= 2.0 * h;
                layout.natural_into(&moved, &mut down);
                for i in 0..n {
                    jacobian[(i, j)] = (up[i] - down[i]) / (2.0 * h);
                }
            }
            let numerical = jacobian.determinant().abs().ln();
            let exact = layout.log_jacobian(&w);
            assert!((numerical - exact).abs() < 1e-7, "{numerical} {exact}");
        }
    }

    #[test]
    fn the_boundary_has_a_finite_neighbour() {
        let layout = layout(&[], None);
        let mut parameters = layout.parameters(&point(layout.coordinates()));
        parameters.theta.fill(0.0);
        let w = layout.unconstrained(&parameters);
        assert!(w.iter().all(|w| w.is_finite()));
        assert!(layout.from_natural(&vec![-1.0; layout.naturals()]).is_err());
    }
}
