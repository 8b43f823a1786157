//! Heckman's two-step estimator of each equation, with its corrected covariance.
//!
//! J. J. Heckman (1979), *Sample Selection Bias as a Specification Error*, Econometrica 47, 153-161: a probit of the
//! selection, then least squares of the outcome on its regressors and the inverse Mills ratio λ = φ(wᵀγ)/Φ(wᵀγ) of the
//! rows selected. With δ = λ (λ + wᵀγ), e the residuals and b the coefficient of λ,
//! σ² = mean(e²) + b² mean(δ) and ρ = b/σ. The covariance of the coefficients of X* = (X, λ) is
//! (X*ᵀX*)⁻¹ (X*ᵀ(σ² I - b² Δ)X* + b² X*ᵀΔW V WᵀΔX*) (X*ᵀX*)⁻¹, V that of the probit (W. H. Greene, *Econometric
//! Analysis*, "The sample selection model"): the errors are heteroskedastic, and λ is estimated.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

use super::data::Data;
use super::layout::Layout;
use super::probit::{probit, Probit, Selected};
use super::regressors::{add_cross, blocks, predictor, Regressors};
use crate::error::{Error, Result};
use crate::linalg::{inverse_spd, mirror, symmetrized};
use crate::mixed::basis::dot;
use crate::normal::univariate::mills;
use crate::shard::{map_merge, Merge, BLOCK_ROWS};

/// λ is a linear combination of the outcome's regressors when the part of its length outside their span is smaller.
const COLLINEAR: f64 = 1e-7;

/// An error variance this much smaller than that of y is rounding.
const VANISHING: f64 = 1e-24;

/// The two-step estimates of one equation, by kept columns.
#[derive(Debug, Clone)]
pub struct TwoStep {
    /// β, k.
    pub outcome: DVector<f64>,
    /// γ.
    pub selection: DVector<f64>,
    /// Coefficient of the inverse Mills ratio; `None` if the outcome's regressors determine the ratio.
    pub inverse_mills: Option<f64>,
    pub sigma: f64,
    /// Not kept inside -1 and 1; `None` with `inverse_mills`.
    pub rho: Option<f64>,
    /// Corrected covariance of β and, last, the coefficient of the ratio (if there is one).
    pub outcome_covariance: DMatrix<f64>,
    pub selection_covariance: DMatrix<f64>,
    pub probit_log_likelihood: f64,
    /// Share of the variation of the ratio (about its mean) that the outcome's regressors explain.
    pub collinearity: f64,
    pub(super) fit: InBasis,
}

/// The coefficients of both steps in the bases of their regressors.
#[derive(Debug, Clone)]
pub(super) struct InBasis {
    pub probit: DVector<f64>,
    pub second: SecondStep,
}

/// The two-step estimates of all equations.
///
/// # Errors
/// [`Error::Degenerate`] naming the component (1-based among the 2J errors) of a selection whose rows are separated, or
/// of an outcome that is observed in too few rows.
pub fn two_steps(data: &Data, layout: &Layout, threads: usize) -> Result<Vec<TwoStep>> {
    (0..data.equations)
        .map(|j| Equation::of(data, layout, j).estimate(threads))
        .collect()
}

/// What one equation is fitted to.
pub(super) struct Equation<'a> {
    pub outcome: Regressors<'a>,
    pub selection: Regressors<'a>,
    pub selected: Selected<'a>,
    pub response: &'a [f64],
}

impl<'a> Equation<'a> {
    pub fn of(data: &'a Data<'a>, layout: &'a Layout, equation: usize) -> Self {
        Equation {
            outcome: Regressors::of(data, layout, equation),
            selection: Regressors::of(data, layout, data.equations + equation),
            selected: Selected {
                patterns: &data.patterns,
                equation,
                component: data.equations + equation + 1,
                weights: data.weights,
            },
            response: &data.response[equation * data.n..][..data.n],
        }
    }

    fn estimate(&self, threads: usize) -> Result<TwoStep> {
        let probit = probit(&self.selection, &self.selected, threads)?;
        let k = self.outcome.width();
        // Least squares of y and λ on X̃, then of what is left of y on X̃ and what is left of λ.
        let mut fit = SecondStep::none(k);
        let rough = self.moments(&probit.coefficients, &fit, threads)?;
        let inverse = self.inverse(rough.gram.view((0, 0), (k, k)).into_owned())?;
        fit.ratio = &inverse * rough.of_regressors(k);
        fit.response = &inverse * rough.of_regressors(k + 1);
        let fine = self.moments(&probit.coefficients, &fit, threads)?;
        let identified = fine.gram[(k, k)] > COLLINEAR * COLLINEAR * rough.gram[(k, k)];
        let width = if identified { k + 1 } else { k };
        let bread = self.inverse(fine.gram.view((0, 0), (width, width)).into_owned())?;
        let rest = &bread * fine.gram.view((k + 1, 0), (1, width)).transpose();
        fit.response += rest.rows(0, k);
        fit.along = if identified { rest[k] } else { 0.0 };
        let errors = self.errors(&probit.coefficients, &fit, width, threads)?;
        let variance = (errors.squares + fit.along * fit.along * errors.shrinkage) / errors.weight;
        let scale = fine.gram[(k + 1, k + 1)].max(rough.gram[(k + 1, k + 1)]) / errors.weight;
        if !(variance > VANISHING * scale && variance.is_finite()) {
            return Err(self.too_few());
        }
        let gram = fine.gram.view((0, 0), (width, width)).into_owned();
        let covariance = &bread * errors.meat(&gram, variance, fit.along, &probit) * &bread;
        let to_naturals = self.to_naturals(&fit, width);
        let t = &self.selection.transform;
        let sigma = variance.sqrt();
        Ok(TwoStep {
            outcome: &self.outcome.transform * (&fit.response - &fit.ratio * fit.along),
            selection: t * &probit.coefficients,
            inverse_mills: identified.then_some(fit.along),
            sigma,
            rho: identified.then_some(fit.along / sigma),
            outcome_covariance: symmetrized(&(&to_naturals * covariance * to_naturals.transpose())),
            selection_covariance: symmetrized(&(t * &probit.covariance * t.transpose())),
            probit_log_likelihood: probit.log_likelihood,
            collinearity: 1.0 - fine.gram[(k, k)] / rough.ratio_variation(),
            fit: InBasis {
                probit: probit.coefficients,
                second: fit,
            },
        })
    }

    /// d (β, coefficient of λ) / d (coefficients of X̃ and of what is left of λ).
    fn to_naturals(&self, fit: &SecondStep, width: usize) -> DMatrix<f64> {
        let k = self.outcome.width();
        let mut jacobian = DMatrix::identity(width, width);
        jacobian
            .view_mut((0, 0), (k, k))
            .copy_from(&self.outcome.transform);
        if width > k {
            let through = -(&self.outcome.transform * &fit.ratio);
            jacobian.view_mut((0, k), (k, 1)).copy_from(&through);
        }
        jacobian
    }

    fn inverse(&self, gram: DMatrix<f64>) -> Result<DMatrix<f64>> {
        inverse_spd(&gram).map_err(|_| self.too_few())
    }

    fn too_few(&self) -> Error {
        Error::Degenerate {
            component: self.selected.equation + 1,
            message: "it is observed in too few rows for its regressors".into(),
        }
    }

    /// Cross-products of X̃, what is left of λ, and what is left of y.
    fn moments(&self, probit: &DVector<f64>, fit: &SecondStep, threads: usize) -> Result<Moments> {
        let width = self.outcome.width() + 2;
        let mut sums = map_merge(self.outcome.n, threads, |rows| {
            let mut sums = Moments {
                gram: DMatrix::zeros(width, width),
                weight: 0.0,
                ratio: 0.0,
            };
            let mut block = Block::new(self);
            for rows in blocks(rows) {
                let height = rows.len();
                block.fill(self, probit, fit, rows);
                let columns = &block.columns[..height * width];
                let left = &columns[height * (width - 2)..height * (width - 1)];
                let weights = &block.weights[..height];
                add_cross(
                    &mut sums.gram,
                    (columns, columns),
                    weights,
                    &mut block.weighted,
                );
                sums.weight += weights.iter().sum::<f64>();
                sums.ratio += dot(weights, left);
            }
            Ok(sums)
        })?;
        mirror(&mut sums.gram);
        Ok(sums)
    }

    /// What the covariance is made of.
    fn errors(
        &self,
        probit: &DVector<f64>,
        fit: &SecondStep,
        width: usize,
        threads: usize,
    ) -> Result<Errors> {
        let (k, l) = (self.outcome.width(), self.selection.width());
        let mut sums = map_merge(self.outcome.n, threads, |rows| {
            let mut sums = Errors {
                weight: 0.0,
                squares: 0.0,
                shrinkage: 0.0,
                uneven: DMatrix::zeros(width, width),
                through_probit: DMatrix::zeros(width, l),
            };
            let mut block = Block::new(self);
            for rows in blocks(rows) {
                let height = rows.len();
                block.fill(self, probit, fit, rows);
                let regressors = &block.columns[..height * width];
                let rest = &block.columns[height * (k + 1)..height * (k + 2)];
                for (i, e) in rest.iter().enumerate() {
                    let weight = block.weights[i];
                    sums.weight += weight;
                    sums.squares += weight * e * e;
                    block.shrinkage[i] *= weight;
                    sums.shrinkage += block.shrinkage[i];
                }
                let uneven = &block.shrinkage[..height];
                let weighted = &mut block.weighted;
                add_cross(&mut sums.uneven, (regressors, regressors), uneven, weighted);
                let w = &block.selection[..height * l];
                add_cross(&mut sums.through_probit, (regressors, w), uneven, weighted);
            }
            Ok(sums)
        })?;
        mirror(&mut sums.uneven);
        Ok(sums)
    }
}

/// Coefficients of the second step in terms that are nearly orthogonal: y = X̃ response + (λ - X̃ ratio) along + e.
#[derive(Debug, Clone)]
pub(super) struct SecondStep {
    /// Regression of λ on X̃.
    ratio: DVector<f64>,
    response: DVector<f64>,
    along: f64,
}

impl SecondStep {
    fn none(width: usize) -> Self {
        SecondStep {
            ratio: DVector::zeros(width),
            response: DVector::zeros(width),
            along: 0.0,
        }
    }
}

/// One block of rows: those not selected have weight 0.
pub(super) struct Block {
    /// X̃, what is left of λ, what is left of y.
    pub columns: Vec<f64>,
    pub selection: Vec<f64>,
    pub predictor: [f64; BLOCK_ROWS],
    pub weights: [f64; BLOCK_ROWS],
    /// δ.
    pub shrinkage: [f64; BLOCK_ROWS],
    pub weighted: [f64; BLOCK_ROWS],
}

impl Block {
    pub fn new(equation: &Equation) -> Self {
        Block {
            columns: equation.outcome.room(2),
            selection: equation.selection.room(0),
            predictor: [0.0; BLOCK_ROWS],
            weights: [0.0; BLOCK_ROWS],
            shrinkage: [0.0; BLOCK_ROWS],
            weighted: [0.0; BLOCK_ROWS],
        }
    }

    pub fn fill(
        &mut self,
        equation: &Equation,
        probit: &DVector<f64>,
        fit: &SecondStep,
        rows: Range<usize>,
    ) {
        let (height, k) = (rows.len(), equation.outcome.width());
        equation.selection.block(rows.clone(), &mut self.selection);
        let eta = &mut self.predictor[..height];
        predictor(&self.selection, height, probit.as_slice(), eta);
        equation.outcome.block(rows.clone(), &mut self.columns);
        let (x, rest) = self.columns.split_at_mut(height * k);
        let (ratio, rest) = rest.split_at_mut(height);
        let response = &mut rest[..height];
        predictor(x, height, fit.ratio.as_slice(), ratio);
        predictor(x, height, fit.response.as_slice(), response);
        for (i, row) in rows.enumerate() {
            let (lambda, observed) = (mills(eta[i]), equation.selected.sign(row) > 0.0);
            self.shrinkage[i] = lambda * (lambda + eta[i]);
            ratio[i] = lambda - ratio[i];
            (self.weights[i], response[i]) = if observed {
                let fitted = response[i] + ratio[i] * fit.along;
                (
                    equation.selected.weight(row),
                    equation.response[row] - fitted,
                )
            } else {
                // There is no y: a weight of 0 does not hide NaN.
                (0.0, 0.0)
            };
        }
    }
}

struct Moments {
    /// Of X̃, what is left of λ, what is left of y, over the rows selected.
    gram: DMatrix<f64>,
    weight: f64,
    /// Σ of what is left of λ.
    ratio: f64,
}

impl Moments {
    /// X̃ᵀ of another column.
    fn of_regressors(&self, column: usize) -> DVector<f64> {
        let k = self.gram.ncols() - 2;
        self.gram.view((0, column), (k, 1)).column(0).into_owned()
    }

    /// Σ (λ - mean λ)².
    fn ratio_variation(&self) -> f64 {
        let k = self.gram.ncols() - 2;
        self.gram[(k, k)] - self.ratio * self.ratio / self.weight
    }
}

impl Merge for Moments {
    fn merge(&mut self, other: Self) {
        self.gram += other.gram;
        self.weight += other.weight;
        self.ratio += other.ratio;
    }
}

struct Errors {
    weight: f64,
    /// Σ w e².
    squares: f64,
    /// Σ w δ.
    shrinkage: f64,
    /// X*ᵀΔX*.
    uneven: DMatrix<f64>,
    /// X*ᵀΔW̃.
    through_probit: DMatrix<f64>,
}

impl Errors {
    /// The middle of the covariance.
    fn meat(&self, gram: &DMatrix<f64>, variance: f64, b: f64, probit: &Probit) -> DMatrix<f64> {
        let through = &self.through_probit;
        gram * variance
            + (through * &probit.covariance * through.transpose() - &self.uneven) * (b * b)
    }
}

impl Merge for Errors {
    fn merge(&mut self, other: Self) {
        self.weight += other.weight;
        self.squares += other.squares;
        self.shrinkage += other.shrinkage;
        self.uneven += other.uneven;
        self.through_probit += other.through_probit;
    }
}
