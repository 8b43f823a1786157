//! Unconstrained coordinates w of the parameters, for optimisers and extrapolation.
//!
//! Per design T⁻¹β (see [`Layout`]); log σ of the outcomes; then the free entries z of a Cholesky factor L of the
//! correlation matrix whose rows are scaled to length 1: row i of L is (z_i1, …, z_i,i−1, 1)/√(1 + Σ z²). Every real
//! vector is a set of parameters, and every positive definite Ω with ones for the selections has one vector. L follows
//! an order of the 2J errors, so that what is held is an entry of its own: the correlation of the first two errors is
//! z₂₁/√(1 + z₂₁²), and a block of L that is zero is a block of correlations that is zero.

use nalgebra::{DMatrix, DVector};

use super::layout::{Layout, Parameters};
use crate::error::{Error, Result};
use crate::linalg;

/// Where the unconstrained coordinates stand, and which of them are held.
#[derive(Debug, Clone)]
pub struct Coordinates<'a> {
    layout: &'a Layout,
    /// The error in each row of L.
    order: Vec<usize>,
    /// The values of the coordinates that are held; they are not in w.
    held: Vec<Option<f64>>,
}

impl<'a> Coordinates<'a> {
    /// All parameters free.
    pub fn new(layout: &'a Layout) -> Self {
        Coordinates {
            layout,
            order: (0..layout.components()).collect(),
            held: vec![None; layout.len()],
        }
    }

    /// The correlation of errors `a` and `b` (0-based) held at `value`, which is inside (−1, 1).
    pub fn with_correlation(layout: &'a Layout, a: usize, b: usize, value: f64) -> Self {
        let mut coordinates = Self::new(layout);
        let others = (0..layout.components()).filter(|&c| c != a && c != b);
        coordinates.order = [a, b].into_iter().chain(others).collect();
        let at = coordinates.entry(1, 0);
        coordinates.held[at] = Some(value / ((1.0 - value) * (1.0 + value)).sqrt());
        coordinates
    }

    /// σ of outcome `equation` (0-based) held at `value` > 0.
    pub fn with_sigma(layout: &'a Layout, equation: usize, value: f64) -> Self {
        let mut coordinates = Self::new(layout);
        coordinates.held[layout.sigma(equation)] = Some(value.ln());
        coordinates
    }

    /// No correlation between outcomes and selections.
    pub fn without_selection(layout: &'a Layout) -> Self {
        let mut coordinates = Self::new(layout);
        let j = layout.equations;
        coordinates.hold_at_zero(|a, b| (a < j) != (b < j));
        coordinates
    }

    /// No correlation between different equations.
    pub fn separate_equations(layout: &'a Layout) -> Self {
        let mut coordinates = Self::new(layout);
        let j = layout.equations;
        coordinates.order = (0..j)
            .flat_map(|equation| [equation, j + equation])
            .collect();
        coordinates.hold_at_zero(|a, b| a % j != b % j);
        coordinates
    }

    /// Holds entries of L at zero; the errors of a block of L must stand together in the order.
    fn hold_at_zero(&mut self, uncorrelated: impl Fn(usize, usize) -> bool) {
        for i in 0..self.order.len() {
            for k in 0..i {
                if uncorrelated(self.order[i], self.order[k]) {
                    let at = self.entry(i, k);
                    self.held[at] = Some(0.0);
                }
            }
        }
    }

    /// Where z_ik, k < i, stands among all coordinates.
    fn entry(&self, i: usize, k: usize) -> usize {
        self.layout.coefficients() + self.layout.equations + i * (i - 1) / 2 + k
    }

    /// The layout of the parameters.
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// Number of free coordinates.
    pub fn len(&self) -> usize {
        self.held.iter().filter(|held| held.is_none()).count()
    }

    /// Whether nothing is free.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the free coordinates stand among all K.
    pub fn free(&self) -> Vec<usize> {
        let all = 0..self.held.len();
        all.filter(|&k| self.held[k].is_none()).collect()
    }

    /// w at `parameters`; what is held is not looked at.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] when Ω is not.
    pub fn locate(&self, parameters: &Parameters) -> Result<Vec<f64>> {
        let layout = self.layout;
        let mut all = Vec::with_capacity(layout.len());
        for (basis, coefficients) in layout.bases.iter().zip(&parameters.coefficients) {
            all.extend(basis.solve(coefficients));
        }
        let omega = &parameters.omega;
        let sigmas = omega.diagonal().map(f64::sqrt);
        all.extend(sigmas.iter().take(layout.equations).map(|sigma| sigma.ln()));
        let errors = self.order.len();
        let correlation = DMatrix::from_fn(errors, errors, |i, k| {
            let (a, b) = (self.order[i], self.order[k]);
            omega[(a, b)] / (sigmas[a] * sigmas[b])
        });
        let lower = linalg::cholesky(&correlation)?;
        for i in 1..errors {
            all.extend((0..i).map(|k| lower[(i, k)] / lower[(i, i)]));
        }
        Ok(self.free().into_iter().map(|k| all[k]).collect())
    }

    /// The parameters at w.
    ///
    /// # Errors
    /// [`Error::Numerical`] when w is so far out that Ω or a coefficient is not finite, a variance is zero or Ω is
    /// singular to rounding.
    pub fn parameters(&self, w: &[f64]) -> Result<Parameters> {
        let layout = self.layout;
        let all = self.all(w);
        let coefficients: Vec<Vec<f64>> = (0..layout.components())
            .map(|component| {
                let range = layout.range(component);
                let mut coefficients = vec![0.0; range.len()];
                layout.bases[component].apply(&all[range], &mut coefficients);
                coefficients
            })
            .collect();
        let sigmas = self.sigmas(&all);
        let lower = self.factor(&all);
        let mut omega = DMatrix::zeros(self.order.len(), self.order.len());
        for (i, &a) in self.order.iter().enumerate() {
            omega[(a, a)] = sigmas[a] * sigmas[a];
            for (k, &b) in self.order.iter().enumerate().take(i) {
                let covariance = sigmas[a] * sigmas[b] * lower.row(i).dot(&lower.row(k));
                omega[(a, b)] = covariance;
                omega[(b, a)] = covariance;
            }
        }
        let finite = coefficients.iter().flatten().all(|x| x.is_finite())
            && omega.iter().all(|x| x.is_finite());
        if !finite || linalg::cholesky(&omega).is_err() {
            return Err(Error::Numerical {
                message: "the error covariance matrix became singular or infinite".into(),
            });
        }
        Ok(Parameters {
            coefficients,
            omega,
        })
    }

    /// Large changes of the free coordinates: a residual standard deviation in a typical row, a factor of e of σ, and of
    /// an entry of L's rows the length of its row.
    pub(crate) fn units(&self, w: &[f64]) -> Vec<f64> {
        let layout = self.layout;
        let all = self.all(w);
        let mut units = vec![1.0; layout.len()];
        let sigmas = self.sigmas(&all);
        for (component, sigma) in sigmas.iter().enumerate() {
            units[layout.range(component)].fill(*sigma);
        }
        for i in 1..self.order.len() {
            let row = self.entry(i, 0)..self.entry(i, 0) + i;
            let length = all[row.clone()].iter().map(|z| z * z).sum::<f64>();
            units[row].fill((1.0 + length).sqrt());
        }
        self.free().into_iter().map(|k| units[k]).collect()
    }

    /// d naturals / d w, K × the number of free coordinates.
    pub fn jacobian(&self, w: &[f64]) -> DMatrix<f64> {
        let layout = self.layout;
        let all = self.all(w);
        let mut jacobian = DMatrix::zeros(layout.len(), layout.len());
        for (component, basis) in layout.bases.iter().enumerate() {
            let range = layout.range(component);
            jacobian
                .view_mut((range.start, range.start), (range.len(), range.len()))
                .copy_from(&basis.matrix());
        }
        for equation in 0..layout.equations {
            let at = layout.sigma(equation);
            jacobian[(at, at)] = all[at].exp();
        }
        let lower = self.factor(&all);
        let errors = self.order.len();
        for i in 1..errors {
            for j in (0..errors).filter(|&j| j != i) {
                let correlation = lower.row(i).dot(&lower.row(j));
                let to = layout.correlation(self.order[i], self.order[j]);
                for k in 0..i {
                    // L_ii is 1/√(1 + Σ z²).
                    let slope = lower[(i, i)] * (lower[(j, k)] - correlation * lower[(i, k)]);
                    jacobian[(to, self.entry(i, k))] = slope;
                }
            }
        }
        jacobian.select_columns(&self.free())
    }

    /// The gradient in w of a function whose gradient in the naturals is given.
    pub fn pull_back(&self, w: &[f64], gradient: &DVector<f64>) -> DVector<f64> {
        self.jacobian(w).tr_mul(gradient)
    }

    /// All coordinates, held ones included.
    fn all(&self, w: &[f64]) -> Vec<f64> {
        let mut free = w.iter();
        let values = self.held.iter();
        values
            .map(|held| held.unwrap_or_else(|| free.next().copied().unwrap_or(f64::NAN)))
            .collect()
    }

    fn sigmas(&self, all: &[f64]) -> Vec<f64> {
        let j = self.layout.equations;
        let outcomes = (0..j).map(|equation| all[self.layout.sigma(equation)].exp());
        outcomes.chain(std::iter::repeat_n(1.0, j)).collect()
    }

    /// L.
    fn factor(&self, all: &[f64]) -> DMatrix<f64> {
        let errors = self.order.len();
        let mut lower = DMatrix::zeros(errors, errors);
        for i in 0..errors {
            for k in 0..i {
                lower[(i, k)] = all[self.entry(i, k)];
            }
            lower[(i, i)] = 1.0;
            let length = lower.row(i).norm();
            lower.row_mut(i).unscale_mut(length);
        }
        lower
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::*;

    fn check(coordinates: &Coordinates, parameters: &Parameters) {
        let layout = coordinates.layout();
        let w = coordinates.locate(parameters).unwrap();
        assert_eq!(w.len(), coordinates.len());
        let naturals = |w: &[f64]| layout.naturals(&coordinates.parameters(w).unwrap());
        let back = naturals(&w);
        for (x, y) in back.iter().zip(layout.naturals(parameters)) {
            assert!((x - y).abs() < 1e-13 * (1.0 + y.abs()));
        }
        let jacobian = coordinates.jacobian(&w);
        for k in 0..w.len() {
            let moved = |step: f64| {
                let mut moved = w.clone();
                moved[k] += step;
                naturals(&moved)
            };
            let (above, below) = (moved(1e-5), moved(-1e-5));
            for i in 0..layout.len() {
                let slope = (above[i] - below[i]) / 2e-5;
                assert!((jacobian[(i, k)] - slope).abs() < 1e-9, "{i} {k}");
            }
        }
    }

    #[test]
    fn parameters_go_there_and_back_with_their_jacobian() {
        for equations in 1..=3 {
            let example = Example::new(equations, 80);
            let data = example.data();
            let layout = Layout::of(&data).unwrap();
            let parameters = &example.parameters;
            check(&Coordinates::new(&layout), parameters);
            let (a, b) = (0, 2 * equations - 1);
            let value = layout.naturals(parameters)[layout.correlation(a, b)];
            check(
                &Coordinates::with_correlation(&layout, b, a, value),
                parameters,
            );
            let sigma = parameters.omega[(0, 0)].sqrt();
            check(&Coordinates::with_sigma(&layout, 0, sigma), parameters);
            let mut independent = parameters.clone();
            let j = equations;
            for a in 0..2 * j {
                for b in (0..2 * j).filter(|&b| (a < j) != (b < j)) {
                    independent.omega[(a, b)] = 0.0;
                }
            }
            check(&Coordinates::without_selection(&layout), &independent);
            let mut separate = parameters.clone();
            for a in 0..2 * j {
                for b in (0..2 * j).filter(|&b| a % j != b % j) {
                    separate.omega[(a, b)] = 0.0;
                }
            }
            check(&Coordinates::separate_equations(&layout), &separate);
        }
    }

    #[test]
    fn what_is_held_stays_wherever_the_others_go() {
        let example = Example::new(2, 80);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let w_of = |coordinates: &Coordinates| -> Vec<f64> {
            (0..coordinates.len()).map(|k| (k as f64).sin()).collect()
        };
        let coordinates = Coordinates::with_correlation(&layout, 3, 1, -0.9);
        let at = coordinates.parameters(&w_of(&coordinates)).unwrap();
        assert!((layout.naturals(&at)[layout.correlation(1, 3)] + 0.9).abs() < 1e-14);
        let coordinates = Coordinates::separate_equations(&layout);
        assert_eq!(coordinates.len(), layout.len() - 4);
        let at = coordinates.parameters(&w_of(&coordinates)).unwrap();
        assert_eq!(at.omega[(0, 1)], 0.0);
        assert_eq!(at.omega[(0, 3)], 0.0);
        assert!(at.omega[(1, 3)] != 0.0);
        let coordinates = Coordinates::without_selection(&layout);
        let at = coordinates.parameters(&w_of(&coordinates)).unwrap();
        assert_eq!(at.omega.view((0, 2), (2, 2)).amax(), 0.0);
        assert!(at.omega[(0, 1)] != 0.0 && at.omega[(2, 3)] != 0.0);
    }

    #[test]
    fn far_away_is_an_error() {
        let example = Example::new(1, 80);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let coordinates = Coordinates::new(&layout);
        let w = coordinates.locate(&example.parameters).unwrap();
        for (k, value) in [
            (layout.sigma(0), 800.0),
            (layout.len() - 1, 1e9),
            (0, f64::NAN),
        ] {
            let mut far = w.clone();
            far[k] = value;
            assert!(coordinates.parameters(&far).is_err());
        }
    }
}
