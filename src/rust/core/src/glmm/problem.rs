//! What is fitted, and the coordinates that optimizers see.
//!
//! ψ = (θ in the user's order, β̃ of the columns kept, log shape if it is estimated), with β = T β̃ so that X T is
//! orthonormal in the prior weights (see [`crate::mixed::basis`]).

use super::family::{Distribution, Family};
use crate::error::{Error, Result};
use crate::mixed::basis::Basis;
use crate::mixed::rows::Rows;
use crate::mixed::structure::Structure;

/// A criterion to be minimised: -2 log-likelihood, constants included, in the coordinates of a [`Problem`].
pub trait Criterion {
    /// Number of coordinates.
    fn coordinates(&self) -> usize;

    /// The criterion at a point.
    ///
    /// # Errors
    /// [`Error::Numerical`] where it does not exist (the linear predictor leaves the domain, no mode is found).
    fn value(&mut self, psi: &[f64]) -> Result<f64>;

    /// The criterion and its gradient.
    ///
    /// # Errors
    /// As [`Criterion::value`].
    fn gradient(&mut self, psi: &[f64], gradient: &mut [f64]) -> Result<f64>;
}

/// The data and what is to be estimated from them.
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// The rows; weights are numbers of trials of a binomial, else they multiply log densities.
    pub rows: &'a Rows<'a>,
    /// The density of a row.
    pub family: Family,
    /// The free entries of Λ.
    pub structure: &'a Structure,
    /// The shape, if it is known.
    pub shape: Option<f64>,
    basis: Basis,
}

/// A point in the terms of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Every element of θ.
    pub theta: Vec<f64>,
    /// β of the columns kept.
    pub beta: Vec<f64>,
    /// The shape, known or estimated; `None` for a family without.
    pub shape: Option<f64>,
}

impl<'a> Problem<'a> {
    /// Checks the rows against the family and the structure.
    ///
    /// # Errors
    /// [`Error::Argument`] naming what is wrong.
    pub fn new(
        rows: &'a Rows<'a>,
        family: Family,
        structure: &'a Structure,
        shape: Option<f64>,
    ) -> Result<Self> {
        rows.validate()?;
        structure.validate()?;
        let widths = rows.terms.iter().map(|term| term.columns.len());
        if !widths.eq(structure.widths.iter().copied()) {
            return Err(Error::Argument {
                argument: "formula",
                message: "gave a covariance structure of other terms than the data".into(),
            });
        }
        if !shape.is_none_or(|shape| shape > 0.0 && shape.is_finite()) {
            return Err(Error::Argument {
                argument: "family",
                message: "must have a positive shape".into(),
            });
        }
        check_response(rows.response, family.distribution())?;
        Ok(Problem {
            rows,
            family,
            structure,
            shape,
            basis: Basis::of(rows),
        })
    }

    /// The same with the entries of Λ elsewhere.
    pub(super) fn with_structure<'b>(&'b self, structure: &'b Structure) -> Problem<'b> {
        Problem {
            rows: self.rows,
            family: self.family,
            structure,
            shape: self.shape,
            basis: self.basis.clone(),
        }
    }

    /// Which columns of X count, and T.
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// Number of columns of X that count, p.
    pub fn fixed_columns(&self) -> usize {
        self.basis.kept.len()
    }

    /// Whether log shape is a coordinate.
    pub fn shape_is_free(&self) -> bool {
        self.family.has_shape() && self.shape.is_none()
    }

    /// Number of coordinates.
    pub fn coordinates(&self) -> usize {
        let shape = usize::from(self.shape_is_free());
        self.structure.parameters() + self.fixed_columns() + shape
    }

    /// The point that coordinates stand for.
    pub fn parameters(&self, psi: &[f64]) -> Parameters {
        let (theta, rest) = psi.split_at(self.structure.parameters());
        let (rotated, log_shape) = rest.split_at(self.fixed_columns());
        let mut beta = vec![0.0; rotated.len()];
        self.basis.apply(rotated, &mut beta);
        let estimated = log_shape.first().map(|log| log.exp());
        Parameters {
            theta: theta.to_vec(),
            beta,
            shape: self.shape.or(estimated).filter(|_| self.family.has_shape()),
        }
    }

    /// The coordinates of a point; a shape that is known is ignored.
    pub fn locate(&self, parameters: &Parameters) -> Vec<f64> {
        let mut psi = parameters.theta.clone();
        psi.extend(self.basis.solve(&parameters.beta));
        if self.shape_is_free() {
            psi.push(parameters.shape.unwrap_or(1.0).ln());
        }
        psi
    }

    /// log shape at a point; 0 for a family without.
    pub fn log_shape(&self, psi: &[f64]) -> f64 {
        match (self.shape_is_free(), self.shape) {
            (true, _) => psi[psi.len() - 1],
            (false, Some(shape)) if self.family.has_shape() => shape.ln(),
            _ => 0.0,
        }
    }
}

/// Refuses responses that the distribution cannot give.
fn check_response(response: &[f64], distribution: Distribution) -> Result<()> {
    let (possible, message): (fn(f64) -> bool, _) = match distribution {
        Distribution::Binomial => (
            |y| (0.0..=1.0).contains(&y),
            "must have proportions between 0 and 1 as the response of a binomial",
        ),
        Distribution::Poisson | Distribution::NegativeBinomial => (
            |y| y >= 0.0,
            "must have counts that are not negative as the response",
        ),
        Distribution::Gamma => (
            |y| y > 0.0,
            "must have positive numbers as the response of a Gamma distribution",
        ),
    };
    if response.iter().all(|&y| possible(y)) {
        Ok(())
    } else {
        Err(Error::Argument {
            argument: "data",
            message: message.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glmm::family::Link;
    use crate::mixed::rows::{Column, FixedColumns, TermRows};

    #[test]
    fn coordinates_and_parameters_are_inverses() {
        let y = [1.0, 3.0, 0.0, 2.0, 5.0, 1.0];
        let x = [
            1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 3.0, 9.0, 1.0, 5.0, 3.0, 5.0, 4.0, 10.0, 2.0,
            6.0,
        ];
        let rows = Rows {
            response: &y,
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &x,
                columns: 3,
            },
            terms: vec![TermRows {
                codes: &[1, 1, 2, 2, 3, 3],
                levels: 3,
                columns: vec![Column::One],
            }],
            dispersion: None,
        };
        let structure = Structure::full(&[1]);
        let family = Family::new(Distribution::NegativeBinomial, Link::Log).unwrap();
        let problem = Problem::new(&rows, family, &structure, None).unwrap();
        // The third column is the sum of the others.
        assert_eq!((problem.fixed_columns(), problem.coordinates()), (2, 4));
        let parameters = Parameters {
            theta: vec![0.7],
            beta: vec![-1.5, 0.25],
            shape: Some(3.0),
        };
        let psi = problem.locate(&parameters);
        let back = problem.parameters(&psi);
        assert!((back.beta[0] + 1.5).abs() < 1e-14 && (back.beta[1] - 0.25).abs() < 1e-14);
        assert!((problem.log_shape(&psi) - 3f64.ln()).abs() < 1e-15);
        let known = Problem::new(&rows, family, &structure, Some(2.0)).unwrap();
        assert_eq!(known.coordinates(), 3);
        assert_eq!(known.parameters(&psi[..3]).shape, Some(2.0));
    }

    #[test]
    fn impossible_responses_are_refused() {
        assert!(check_response(&[0.0, 1.0], Distribution::Binomial).is_ok());
        assert!(check_response(&[1.5], Distribution::Binomial).is_err());
        assert!(check_response(&[-1.0], Distribution::Poisson).is_err());
        assert!(check_response(&[0.0], Distribution::Gamma).is_err());
    }
}
