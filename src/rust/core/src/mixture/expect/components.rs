//! Parameters as kernels want them: inverse Cholesky factors, centres, constants.

use nalgebra::DMatrix;

use super::super::model::Mixture;
use super::super::moments::{root, TotalScatter};
use super::super::stats::MixtureStats;
use crate::error::{Error, Result};
use crate::shard::BLOCK_ROWS;

/// Rows of a triangular matrix that a register tile holds.
pub(super) const STRIP: usize = 4;

/// Which coordinates a mixture needs, hence which kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Own covariance matrices: y = L_k⁻¹(x − μ_k), all second moments.
    Full,
    /// The same in two to four dimensions, where a component fits the registers.
    Small,
    /// Diagonal covariance matrices: y = (x − μ_k)/σ_k, squares only.
    Diagonal,
    /// One full covariance matrix, first moments only: z = L⁻¹(x − m) once per row, y = z − L⁻¹(μ_k − m).
    PooledFull,
    /// One diagonal covariance matrix, first moments only.
    PooledDiagonal,
    /// Two components of one variance in one dimension, first moments only: the logit is linear in x.
    Logit,
}

/// A mixture, prepared.
pub(super) struct Components {
    pub family: Family,
    /// Dimensions d.
    pub dim: usize,
    /// Gaussian components K.
    pub count: usize,
    /// K constants log π_k − log |L_k| − (d/2) log 2π.
    pub constants: Vec<f64>,
    /// K × d centres: μ_k, or L⁻¹(μ_k − m) for the pooled families.
    pub centers: Vec<f64>,
    /// L_k⁻¹ as [`strips`] (full) or 1/σ_k (diagonal), one after the other; only one for the pooled families.
    pub inverses: Vec<f64>,
    /// m: the mean of the means, for the pooled families.
    pub origin: Vec<f64>,
    /// Log-density of the noise component, weight included.
    pub noise: Option<f64>,
}

impl Components {
    /// Prepares `mixture`; first moments only where the model allows it and `total` keeps enough digits.
    pub fn new(mixture: &Mixture, total: Option<&TotalScatter>) -> Result<Self> {
        let (d, k) = (mixture.dim(), mixture.components());
        let pooled = mixture.model.is_pooled();
        let roots = mixture.covariances[..if pooled { 1 } else { k }]
            .iter()
            .map(root)
            .collect::<Result<Vec<_>>>()?;
        let first_only = pooled
            && mixture.noise.is_none()
            && total.is_some_and(|total| total.suffices(&roots[0]));
        let family = family(mixture, first_only);
        let of = |component: usize| &roots[component.min(roots.len() - 1)];
        let constants = (0..k)
            .map(|component| {
                let log_root = of(component).diagonal().map(f64::ln).sum();
                let log_two_pi = (2.0 * std::f64::consts::PI).ln();
                mixture.weights[component].ln() - log_root - 0.5 * d as f64 * log_two_pi
            })
            .collect();
        let invert = |root: &DMatrix<f64>| match family {
            Family::Full | Family::Small | Family::PooledFull => strips(root),
            _ => root.diagonal().map(f64::recip).as_slice().to_vec(),
        };
        let mut inverses = Vec::new();
        for component in 0..if first_only { 1 } else { k } {
            inverses.extend(invert(of(component)));
        }
        let mut centers = mixture.means.clone();
        let mut origin = vec![0.0; d];
        if matches!(family, Family::PooledFull | Family::PooledDiagonal) {
            let mean = mixture.means.column_mean();
            for mut center in centers.column_iter_mut() {
                center -= &mean;
                if !roots[0].solve_lower_triangular_mut(&mut center) {
                    return Err(Error::NotPositiveDefinite { pivot: 0 });
                }
            }
            origin.copy_from_slice(mean.as_slice());
        }
        Ok(Components {
            family,
            dim: d,
            count: k,
            constants,
            centers: centers.as_slice().to_vec(),
            inverses,
            origin,
            noise: mixture
                .noise
                .map(|noise| noise.weight.ln() + noise.log_density),
        })
    }

    /// Components, the noise counted.
    pub fn terms(&self) -> usize {
        self.count + usize::from(self.noise.is_some())
    }

    pub fn center(&self, component: usize) -> &[f64] {
        &self.centers[component * self.dim..][..self.dim]
    }

    pub fn inverse(&self, component: usize) -> &[f64] {
        let size = match self.family {
            Family::Full | Family::Small | Family::PooledFull => strips_len(self.dim),
            _ => self.dim,
        };
        &self.inverses[component * size..][..size]
    }

    /// Rows per block: whitened rows of every component should stay in the second-level cache.
    pub fn block_rows(&self) -> usize {
        const BUDGET: usize = 64 * 1024;
        let per_row = match self.family {
            Family::Full => self.terms() * self.dim,
            _ => self.terms() + self.dim,
        };
        let mut rows = BLOCK_ROWS;
        while rows > 64 && rows * per_row > BUDGET {
            rows /= 2;
        }
        rows
    }

    /// Length p of one column of cross-products.
    pub fn crosses(&self) -> usize {
        match self.family {
            Family::Full | Family::Small => self.dim * (self.dim + 1) / 2,
            Family::Diagonal => self.dim,
            _ => 0,
        }
    }

    /// Statistics of no rows.
    pub fn empty_stats(&self) -> MixtureStats {
        MixtureStats {
            rows: 0,
            total_weight: 0.0,
            counts: vec![0.0; self.count],
            sums: DMatrix::zeros(self.dim, self.count),
            crosses: DMatrix::zeros(self.crosses(), self.count),
            noise_count: 0.0,
            log_lik: 0.0,
        }
    }
}

fn family(mixture: &Mixture, first_only: bool) -> Family {
    let diagonal = mixture.model.is_diagonal() || mixture.dim() == 1;
    let logit = mixture.dim() == 1
        && mixture.components() == 2
        && mixture.weights.iter().all(|weight| *weight > 0.0);
    match (first_only, diagonal) {
        (true, _) if logit => Family::Logit,
        (true, true) => Family::PooledDiagonal,
        (true, false) => Family::PooledFull,
        (false, true) => Family::Diagonal,
        (false, false) if mixture.dim() <= 4 => Family::Small,
        (false, false) => Family::Full,
    }
}

/// L⁻¹ in strips of [`STRIP`] rows (fewer in the last); within a strip column by column, up to the diagonal block.
fn strips(root: &DMatrix<f64>) -> Vec<f64> {
    let d = root.nrows();
    let inverse = invert_lower(root);
    let mut packed = Vec::with_capacity(strips_len(d));
    for first in (0..d).step_by(STRIP) {
        let last = (first + STRIP).min(d);
        for j in 0..last {
            packed.extend((first..last).map(|i| if j <= i { inverse[(i, j)] } else { 0.0 }));
        }
    }
    packed
}

/// Inverse of a lower triangular matrix with positive diagonal, by forward substitution below the diagonal only.
fn invert_lower(root: &DMatrix<f64>) -> DMatrix<f64> {
    let d = root.nrows();
    let mut inverse = DMatrix::identity(d, d);
    let columns = inverse.as_mut_slice().chunks_exact_mut(d);
    for (first, column) in columns.enumerate() {
        for j in first..d {
            let (solved, rest) = column.split_at_mut(j + 1);
            solved[j] /= root[(j, j)];
            let below = &root.as_slice()[j * d + j + 1..(j + 1) * d];
            for (x, l) in rest.iter_mut().zip(below) {
                *x -= solved[j] * l;
            }
        }
    }
    inverse
}

fn strips_len(d: usize) -> usize {
    (0..d)
        .step_by(STRIP)
        .map(|first| {
            let last = (first + STRIP).min(d);
            last * (last - first)
        })
        .sum()
}
