//! What a set of selections says about the errors: the probability of a pattern, and its derivatives.
//!
//! Some selections K are known (1 or 0), the others are not conditioned on. With m the latent indices wγ of K, C their
//! block of Ω and q the signs, log P = log Φ(q∘m; C∘qq') has
//!
//! * the gradient u = C⁻¹ (E[s*] - m), the (generalised) inverse Mills ratios of Heckman (1979);
//! * the Hessian H = C⁻¹ (V - C) C⁻¹;
//!
//! with E and V the moments of N(m, C) on the orthant. All predictions follow: E[y_j | pattern] = xβ + Ω_jK u, and
//! by Plackett's identity ∂P/∂ρ_kl = ∂²P/∂m_k ∂m_l, so that derivatives by correlations are derivatives by m.

use nalgebra::{Cholesky, DMatrix, DMatrixView};

use crate::error::{Error, Result};
use crate::normal::orthant::{Integration, Orthant, Work};
use crate::normal::univariate::Positive;

/// What is known of the selection of each equation: 1, 0, or nothing.
pub type Known = [Option<bool>];

/// Step of the differences of H, in conditional standard deviations of a selection: with four points the error is
/// about STEP⁴ / 30.
const STEP: f64 = 0.01;

/// Log-probability of one pattern and its derivatives by the latent indices of the selections that it holds.
#[derive(Debug, Clone)]
pub struct KnownSelections {
    /// The equations whose selections are conditioned on, in order.
    pub equations: Vec<usize>,
    law: Law,
}

#[derive(Debug, Clone)]
enum Law {
    Certain,
    /// Its sign.
    One(f64),
    Several {
        orthant: Orthant,
        /// C⁻¹.
        precision: DMatrix<f64>,
    },
}

/// The derivatives at one row; K selections are conditioned on.
#[derive(Debug, Clone)]
pub struct Derivatives {
    pub log_probability: f64,
    /// u, length K.
    pub gradient: Vec<f64>,
    /// H, K × K.
    pub hessian: Vec<f64>,
    /// ∂H/∂m_k one after the other, K × K each; only [`KnownSelections::third`] fills it.
    pub third: Vec<f64>,
    scratch: Scratch,
}

#[derive(Debug, Clone)]
struct Scratch {
    orthant: Work,
    mean: Vec<f64>,
    expectation: Vec<f64>,
    covariance: Vec<f64>,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
    product: Vec<f64>,
}

impl KnownSelections {
    /// `omega` is the 2J × 2J covariance of the errors, `pattern` has a value for each of the J equations.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] when the selections are perfectly correlated.
    pub fn new(omega: &DMatrix<f64>, pattern: &Known, how: &Integration) -> Result<Self> {
        let known = pattern.iter().enumerate();
        let known: Vec<(usize, f64)> = known
            .filter_map(|(j, selected)| selected.map(|s| (j, if s { 1.0 } else { -1.0 })))
            .collect();
        let equations: Vec<usize> = known.iter().map(|&(j, _)| j).collect();
        let signs: Vec<f64> = known.iter().map(|&(_, sign)| sign).collect();
        let law = match signs[..] {
            [] => Law::Certain,
            [sign] => Law::One(sign),
            _ => {
                let at = |k: usize| pattern.len() + equations[k];
                let size = signs.len();
                let covariance = DMatrix::from_fn(size, size, |k, l| omega[(at(k), at(l))]);
                let factor = Cholesky::new(covariance.clone());
                Law::Several {
                    orthant: Orthant::new(&covariance, &signs, how)?,
                    precision: factor
                        .ok_or(Error::NotPositiveDefinite { pivot: 0 })?
                        .inverse(),
                }
            }
        };
        Ok(KnownSelections { equations, law })
    }

    /// Room for the derivatives of a row.
    pub fn derivatives(&self) -> Derivatives {
        let k = self.equations.len();
        Derivatives {
            log_probability: 0.0,
            gradient: vec![0.0; k],
            hessian: vec![0.0; k * k],
            third: vec![0.0; k * k * k],
            scratch: Scratch {
                orthant: Work::default(),
                mean: vec![0.0; k],
                expectation: vec![0.0; k],
                covariance: vec![0.0; k * k],
                gradient: vec![0.0; k],
                hessian: vec![0.0; k * k],
                product: vec![0.0; k * k],
            },
        }
    }

    /// log P, u and H at the latent indices of all J equations; `row` chooses the shift of simulated integrals.
    pub fn evaluate(&self, indices: &[f64], row: u64, at: &mut Derivatives) {
        let Derivatives {
            gradient,
            hessian,
            scratch,
            ..
        } = at;
        for (mean, &j) in scratch.mean.iter_mut().zip(&self.equations) {
            *mean = indices[j];
        }
        at.log_probability = self.law.evaluate(row, scratch, gradient, hessian);
    }

    /// The third derivatives at the latent indices, by central differences of H. They are needed for the derivatives
    /// of u by correlations, so only where two selections or more are conditioned on.
    pub fn third(&self, indices: &[f64], row: u64, at: &mut Derivatives) {
        let Law::Several { precision, .. } = &self.law else {
            return;
        };
        let size = self.equations.len();
        let Derivatives { third, scratch, .. } = at;
        let mut gradient = std::mem::take(&mut scratch.gradient);
        let mut hessian = std::mem::take(&mut scratch.hessian);
        third.fill(0.0);
        for k in 0..size {
            let step = STEP / precision[(k, k)].sqrt();
            // f' = [8 (f(h) - f(-h)) - (f(2h) - f(-2h))] / 12h
            for (places, factor) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
                for (mean, &j) in scratch.mean.iter_mut().zip(&self.equations) {
                    *mean = indices[j];
                }
                scratch.mean[k] += places * step;
                self.law.evaluate(row, scratch, &mut gradient, &mut hessian);
                let slopes = &mut third[k * size * size..][..size * size];
                for (slope, value) in slopes.iter_mut().zip(&hessian) {
                    *slope += factor * value / (12.0 * step);
                }
            }
        }
        scratch.gradient = gradient;
        scratch.hessian = hessian;
    }
}

impl Law {
    /// log P at `scratch.mean`.
    fn evaluate(
        &self,
        row: u64,
        scratch: &mut Scratch,
        gradient: &mut [f64],
        hessian: &mut [f64],
    ) -> f64 {
        match self {
            Law::Certain => 0.0,
            Law::One(sign) => {
                let inside = Positive::new(sign * scratch.mean[0]);
                gradient[0] = sign * inside.mills;
                hessian[0] = inside.variance - 1.0;
                inside.log_probability
            }
            Law::Several { orthant, precision } => {
                let size = gradient.len();
                let log_probability = orthant.moments(
                    &scratch.mean,
                    row,
                    &mut scratch.orthant,
                    &mut scratch.expectation,
                    &mut scratch.covariance,
                );
                for (e, m) in scratch.expectation.iter_mut().zip(&scratch.mean) {
                    *e -= m;
                }
                for (k, slope) in gradient.iter_mut().enumerate() {
                    let column = precision.column(k);
                    *slope = column
                        .iter()
                        .zip(&scratch.expectation)
                        .map(|(p, e)| p * e)
                        .sum();
                }
                // H = C⁻¹ V C⁻¹ - C⁻¹.
                let covariance = DMatrixView::from_slice(&scratch.covariance, size, size);
                let mut product =
                    nalgebra::DMatrixViewMut::from_slice(&mut scratch.product, size, size);
                product.gemm(1.0, precision, &covariance, 0.0);
                let mut to = nalgebra::DMatrixViewMut::from_slice(hessian, size, size);
                to.copy_from(precision);
                to.gemm(1.0, &product, precision, -1.0);
                log_probability
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::*;

    fn check(equations: usize, pattern: &Known, indices: &[f64]) {
        let omega = Example::new(equations, 1).parameters.omega;
        let law = KnownSelections::new(&omega, pattern, &Integration::Exact).unwrap();
        let size = law.equations.len();
        let (mut at, mut near) = (law.derivatives(), law.derivatives());
        law.evaluate(indices, 0, &mut at);
        law.third(indices, 0, &mut at);
        let step = 1e-4;
        for k in 0..size {
            let mut sides = [1.0, -1.0].map(|sign| {
                let mut moved = indices.to_vec();
                moved[law.equations[k]] += sign * step;
                law.evaluate(&moved, 0, &mut near);
                let first = near.gradient.iter().copied();
                let values: Vec<f64> = first.chain(near.hessian.iter().copied()).collect();
                (near.log_probability, values)
            });
            let [high, low] = &mut sides;
            let slope = (high.0 - low.0) / (2.0 * step);
            assert!((slope - at.gradient[k]).abs() < 1e-7, "{slope} {k}");
            let slopes: Vec<f64> = high
                .1
                .iter()
                .zip(&low.1)
                .map(|(h, l)| (h - l) / (2.0 * step))
                .collect();
            for (slope, value) in slopes.iter().zip(&at.hessian[k * size..(k + 1) * size]) {
                assert!((slope - value).abs() < 1e-6, "{slope} {value}");
            }
            if size > 1 {
                let third = &at.third[k * size * size..][..size * size];
                for (slope, value) in slopes[size..].iter().zip(third) {
                    assert!((slope - value).abs() < 1e-6, "{slope} {value}");
                }
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_the_log_probability() {
        let indices = [0.4, -0.9, 1.3];
        check(1, &[Some(true)], &indices[..1]);
        check(1, &[Some(false)], &[-7.0]);
        for pattern in [[Some(true), Some(true)], [Some(false), Some(true)]] {
            check(2, &pattern, &indices[..2]);
            check(2, &pattern, &[-2.5, 3.0]);
        }
        check(3, &[Some(true), None, Some(false)], &indices);
        check(3, &[Some(true), Some(false), Some(false)], &indices);
    }

    /// ∂P/∂ρ = q₁q₂φ₂ (Plackett), so that ∂u₁/∂ρ = f (-(m₁ - ρ m₂)/(1 - ρ²) - u₁) with f = q₁q₂φ₂/P.
    #[test]
    fn third_derivatives_of_two_selections_are_in_closed_form() {
        let omega = Example::new(2, 1).parameters.omega;
        let rho: f64 = omega[(2, 3)];
        for (pattern, sign) in [([true, true], 1.0), ([true, false], -1.0)] {
            let law =
                KnownSelections::new(&omega, &pattern.map(Some), &Integration::Exact).unwrap();
            let mut at = law.derivatives();
            let m = [0.3, -0.8];
            law.evaluate(&m, 0, &mut at);
            law.third(&m, 0, &mut at);
            let rest = 1.0 - rho * rho;
            let square = (m[0] * m[0] - 2.0 * rho * m[0] * m[1] + m[1] * m[1]) / rest;
            let density = (-0.5 * square).exp() / (std::f64::consts::TAU * rest.sqrt());
            let f = sign * density / at.log_probability.exp();
            let (u, h) = (&at.gradient, &at.hessian);
            assert!((h[1] + u[0] * u[1] - f).abs() < 1e-12);
            let expected = f * (-(m[0] - rho * m[1]) / rest - u[0]);
            let found = at.third[1] + h[0] * u[1] + u[0] * h[1];
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn nothing_known_is_certain() {
        let omega = Example::new(2, 1).parameters.omega;
        let law = KnownSelections::new(&omega, &[None, None], &Integration::Exact).unwrap();
        let mut at = law.derivatives();
        law.evaluate(&[0.1, 0.2], 0, &mut at);
        assert_eq!(at.log_probability, 0.0);
        assert!(law.equations.is_empty());
    }

    #[test]
    fn perfectly_correlated_selections_are_an_error() {
        let mut omega = DMatrix::identity(4, 4);
        omega[(2, 3)] = 1.0;
        omega[(3, 2)] = 1.0;
        let law = KnownSelections::new(&omega, &[Some(true), Some(true)], &Integration::Exact);
        assert!(matches!(law, Err(Error::NotPositiveDefinite { .. })));
    }
}
