//! Prior densities of single parameters, on the scale that the user names.
//!
//! A coordinate of w is β itself, a logarithm, or an inverse hyperbolic tangent. A term says on which function
//! x = g(w) of a coordinate the density is given; the density of w is that of x times |dx/dw|.

use std::f64::consts::{LN_2, PI};

use statrs::function::gamma::ln_gamma;

use nalgebra::{DMatrix, DVector};

use super::parameters::{log_cosh, Kind, Layout};
use crate::error::{Error, Result};
use crate::linalg::{cholesky, inverse_lower};

/// The function of a coordinate that has the density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// The coordinate: a fixed effect, or the logarithm of a standard deviation or shape.
    Coordinate,
    /// exp(c w): c = 1 is the standard deviation of log σ, 2 the variance, -2 the precision.
    Power(f64),
    /// tanh w: a partial correlation.
    Correlation,
}

impl Scale {
    /// x and log |dx/dw|.
    fn apply(self, w: f64) -> (f64, f64) {
        match self {
            Scale::Coordinate => (w, 0.0),
            Scale::Power(c) => ((c * w).exp(), c.abs().ln() + c * w),
            Scale::Correlation => (w.tanh(), -2.0 * log_cosh(w)),
        }
    }

    /// The w of an x, ±∞ if there is none.
    fn invert(self, x: f64) -> f64 {
        match self {
            Scale::Coordinate => x,
            Scale::Power(c) => x.max(0.0).ln() / c,
            Scale::Correlation => x.clamp(-1.0, 1.0).atanh(),
        }
    }
}

/// A density on the line or a part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Density {
    /// 1, improper.
    Flat,
    Normal {
        mean: f64,
        sd: f64,
    },
    Uniform {
        lower: f64,
        upper: f64,
    },
    Gamma {
        shape: f64,
        rate: f64,
    },
    InverseGamma {
        shape: f64,
        scale: f64,
    },
    HalfCauchy {
        scale: f64,
    },
    HalfNormal {
        sd: f64,
    },
    Exponential {
        rate: f64,
    },
    /// (1 - x²)^(shape - 1) on (-1, 1), normalised.
    SymmetricBeta {
        shape: f64,
    },
}

impl Density {
    /// The density that R calls `name`, with its parameters in R's order.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `prior`.
    pub fn from_name(name: &str, a: f64, b: f64) -> Result<Self> {
        let density = match name {
            "flat" => Density::Flat,
            "normal" => Density::Normal { mean: a, sd: b },
            "uniform" => Density::Uniform { lower: a, upper: b },
            "gamma" => Density::Gamma { shape: a, rate: b },
            "inverse_gamma" => Density::InverseGamma { shape: a, scale: b },
            "half_cauchy" => Density::HalfCauchy { scale: a },
            "half_normal" => Density::HalfNormal { sd: a },
            "exponential" => Density::Exponential { rate: a },
            "lkj" => Density::SymmetricBeta { shape: a },
            _ => {
                return Err(wrong(format!(
                    "has a distribution \"{name}\" that is not known"
                )))
            }
        };
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let valid = match density {
            Density::Flat => true,
            Density::Normal { mean, sd } => mean.is_finite() && positive(sd),
            Density::Uniform { lower, upper } => {
                lower.is_finite() && upper.is_finite() && lower < upper
            }
            Density::Gamma { .. } | Density::InverseGamma { .. } => positive(a) && positive(b),
            Density::HalfCauchy { .. }
            | Density::HalfNormal { .. }
            | Density::Exponential { .. }
            | Density::SymmetricBeta { .. } => positive(a),
        };
        if valid {
            Ok(density)
        } else {
            Err(wrong(format!(
                "has a {name} distribution with parameters out of range"
            )))
        }
    }

    /// log density at x, -∞ outside the support.
    pub fn log_density(&self, x: f64) -> f64 {
        let (lower, upper) = self.support();
        if !(lower..=upper).contains(&x) {
            return f64::NEG_INFINITY;
        }
        match *self {
            Density::Flat => 0.0,
            Density::Normal { mean, sd } => {
                let z = (x - mean) / sd;
                -0.5 * z * z - sd.ln() - 0.5 * (2.0 * PI).ln()
            }
            Density::Uniform { lower, upper } => -(upper - lower).ln(),
            Density::Gamma { shape, rate } => {
                shape * rate.ln() - ln_gamma(shape) + (shape - 1.0) * x.ln() - rate * x
            }
            Density::InverseGamma { shape, scale } => {
                shape * scale.ln() - ln_gamma(shape) - (shape + 1.0) * x.ln() - scale / x
            }
            Density::HalfCauchy { scale } => {
                let z = x / scale;
                LN_2 - PI.ln() - scale.ln() - (z * z).ln_1p()
            }
            Density::HalfNormal { sd } => {
                let z = x / sd;
                -0.5 * z * z - sd.ln() + 0.5 * (2.0 / PI).ln()
            }
            Density::Exponential { rate } => rate.ln() - rate * x,
            Density::SymmetricBeta { shape } => {
                let log_beta = 2.0 * ln_gamma(shape) - ln_gamma(2.0 * shape);
                (shape - 1.0) * (1.0 - x * x).ln() - log_beta - (2.0 * shape - 1.0) * LN_2
            }
        }
    }

    fn support(&self) -> (f64, f64) {
        match *self {
            Density::Flat | Density::Normal { .. } => (f64::NEG_INFINITY, f64::INFINITY),
            Density::Uniform { lower, upper } => (lower, upper),
            Density::SymmetricBeta { .. } => (-1.0, 1.0),
            _ => (0.0, f64::INFINITY),
        }
    }
}

/// The prior of one coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Position in w.
    pub coordinate: usize,
    pub scale: Scale,
    pub density: Density,
}

impl Term {
    /// log density of the coordinate.
    pub fn log_density(&self, w: f64) -> f64 {
        let (x, log_jacobian) = self.scale.apply(w);
        match (self.scale, self.density) {
            // Written in w: x² or log x of an x that under- or overflowed would be lost.
            (Scale::Power(_), Density::Gamma { shape, rate }) => {
                shape * rate.ln() - ln_gamma(shape) - rate * x
                    + (shape - 1.0) * self.log(w)
                    + log_jacobian
            }
            (Scale::Power(_), Density::InverseGamma { shape, scale }) => {
                shape * scale.ln()
                    - ln_gamma(shape)
                    - scale * (-self.log(w)).exp()
                    - (shape + 1.0) * self.log(w)
                    + log_jacobian
            }
            (Scale::Correlation, Density::SymmetricBeta { shape }) => {
                let log_beta = 2.0 * ln_gamma(shape) - ln_gamma(2.0 * shape);
                shape * log_jacobian - log_beta - (2.0 * shape - 1.0) * LN_2
            }
            _ => self.density.log_density(x) + log_jacobian,
        }
    }

    /// log x for a power.
    fn log(&self, w: f64) -> f64 {
        match self.scale {
            Scale::Power(c) => c * w,
            _ => self.scale.apply(w).0.ln(),
        }
    }

    /// The interval of the coordinate where the density is positive.
    pub fn support(&self) -> (f64, f64) {
        let (lower, upper) = self.density.support();
        let (a, b) = (self.scale.invert(lower), self.scale.invert(upper));
        (a.min(b), a.max(b))
    }
}

/// Independent priors of coordinates; a coordinate without a term has a flat prior. Or one normal prior of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    terms: Vec<Term>,
    joint: Option<Joint>,
}

/// A normal distribution of w.
#[derive(Debug, Clone, PartialEq)]
struct Joint {
    mean: DVector<f64>,
    /// A with w - mean = A⁻¹ z, z ~ N(0, I).
    whitening: DMatrix<f64>,
}

impl Joint {
    /// log density, up to a constant.
    fn log_density(&self, w: &[f64]) -> f64 {
        let from = DVector::from_column_slice(w) - &self.mean;
        -0.5 * (&self.whitening * from).norm_squared()
    }
}

impl Prior {
    /// Checks terms against a layout. A term with [`Density::SymmetricBeta`] stands at the first partial
    /// correlation of a block and is the LKJ density of its correlation matrix R, |R|^(shape - 1) up to a
    /// constant; its partial correlations are independent then (Lewandowski, Kurowicka and Joe 2009, section 2.4).
    ///
    /// # Errors
    /// [`Error::Argument`] naming `prior` when a coordinate has two priors, or a prior on the wrong scale.
    pub fn new(layout: &Layout, terms: &[Term]) -> Result<Self> {
        let kinds = layout.coordinate_kinds();
        let mut all = Vec::new();
        for term in terms {
            let kind = kinds.get(term.coordinate);
            match (kind, term.scale) {
                (None, _) => return Err(wrong("names a parameter that does not exist".into())),
                (Some(&Kind::Covariance { block, row, column }), Scale::Correlation)
                    if row != column =>
                {
                    all.extend(correlations(layout, term, block, column));
                }
                (Some(Kind::Covariance { row, column, .. }), Scale::Power(_)) if row != column => {
                    return Err(wrong("has a positive scale for a correlation".into()));
                }
                (_, Scale::Correlation) => {
                    return Err(wrong(
                        "has the scale of a correlation for another parameter".into(),
                    ));
                }
                _ => all.push(*term),
            }
        }
        all.sort_by_key(|term| term.coordinate);
        if all
            .windows(2)
            .any(|two| two[0].coordinate == two[1].coordinate)
        {
            return Err(wrong("gives a parameter two distributions".into()));
        }
        Ok(Prior {
            terms: all,
            joint: None,
        })
    }

    /// A normal prior of all coordinates at once.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `prior` when the covariance matrix is not positive definite.
    pub fn normal_around(mean: &[f64], covariance: &DMatrix<f64>) -> Result<Self> {
        let root = cholesky(covariance)
            .map_err(|_| wrong("has a covariance matrix that is not positive definite".into()))?;
        Ok(Prior {
            terms: Vec::new(),
            joint: Some(Joint {
                mean: DVector::from_column_slice(mean),
                whitening: inverse_lower(&root),
            }),
        })
    }

    /// log π(w), -∞ outside the support.
    pub fn log_density(&self, w: &[f64]) -> f64 {
        self.log_density_from(0, w)
    }

    /// The part of log π(w) of coordinates `first` and on; a normal prior of all has no parts.
    pub fn log_density_from(&self, first: usize, w: &[f64]) -> f64 {
        let terms = self.terms.iter().filter(|term| term.coordinate >= first);
        let logs: f64 = terms.map(|term| term.log_density(w[term.coordinate])).sum();
        logs + self
            .joint
            .as_ref()
            .map_or(0.0, |joint| joint.log_density(w))
    }

    /// The prior of a coordinate; `None` if flat.
    pub fn term(&self, coordinate: usize) -> Option<&Term> {
        self.terms.iter().find(|term| term.coordinate == coordinate)
    }

    /// log π of one coordinate, of its term alone.
    pub fn log_density_of(&self, coordinate: usize, w: f64) -> f64 {
        self.term(coordinate)
            .map_or(0.0, |term| term.log_density(w))
    }

    /// Mean and precision of the prior of a coordinate, if that is normal on its own scale; (0, 0) if it is flat.
    /// `None` too if it depends on other coordinates.
    pub fn normal(&self, coordinate: usize) -> Option<(f64, f64)> {
        if self.joint.is_some() {
            return None;
        }
        match self.term(coordinate) {
            None => Some((0.0, 0.0)),
            Some(Term {
                scale: Scale::Coordinate,
                density,
                ..
            }) => match *density {
                Density::Flat => Some((0.0, 0.0)),
                Density::Normal { mean, sd } => Some((mean, sd.powi(-2))),
                _ => None,
            },
            Some(_) => None,
        }
    }

    /// The interval of a coordinate where the density is positive.
    pub fn support(&self, coordinate: usize) -> (f64, f64) {
        self.term(coordinate)
            .map_or((f64::NEG_INFINITY, f64::INFINITY), Term::support)
    }
}

/// The terms that an LKJ prior stands for; a single correlation may have any density.
fn correlations(layout: &Layout, term: &Term, block: usize, column: usize) -> Vec<Term> {
    let width = layout.blocks[block].width();
    let Density::SymmetricBeta { shape } = term.density else {
        return vec![*term];
    };
    let mut all = Vec::new();
    for j in column..width {
        // Column j, counted from 0, of the vine has (1 - z²)^(η - 1 + (q - 2 - j) / 2).
        let shape = shape + 0.5 * (width as f64 - 2.0 - j as f64);
        all.extend((j + 1..width).map(|_| Density::SymmetricBeta { shape }));
    }
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(k, density)| Term {
            coordinate: term.coordinate + k,
            scale: term.scale,
            density,
        })
        .collect()
}

fn wrong(message: String) -> Error {
    Error::Argument {
        argument: "prior",
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixed::structure::Structure;

    fn term(scale: Scale, density: Density) -> Term {
        Term {
            coordinate: 0,
            scale,
            density,
        }
    }

    /// R 4.2: dnorm(1.3, 0.5, 2, TRUE), dunif(1, -1, 3, TRUE), dgamma(0.4, 2.5, 1.5, log = TRUE),
    /// dgamma(1 / 0.4, 2.5, 1.5, log = TRUE) - 2 * log(0.4), dcauchy(0.7, 0, 2.5, TRUE) + log(2),
    /// dnorm(0.7, 0, 2, TRUE) + log(2), dexp(0.7, 3, TRUE), dbeta(0.65, 1.7, 1.7, log = TRUE) - log(2).
    #[test]
    fn densities_are_those_of_r() {
        let cases = [
            ("normal", 0.5, 2.0, 1.3, -1.692_085_713_764_618_1),
            ("uniform", -1.0, 3.0, 1.0, -1.386_294_361_119_890_6),
            ("gamma", 2.5, 1.5, 0.4, -1.245_456_198_013_740_6),
            ("inverse_gamma", 2.5, 1.5, 0.4, 0.185_997_461_357_034_32),
            ("half_cauchy", 2.5, 0.0, 0.7, -1.443_351_898_339_515_5),
            ("half_normal", 2.0, 0.0, 0.7, -0.980_188_533_204_672_8),
            ("exponential", 3.0, 0.0, 0.7, -1.001_387_711_331_890_3),
            ("lkj", 1.7, 0.0, 0.3, -0.445_627_254_356_864_57),
        ];
        for (name, a, b, x, expected) in cases {
            let value = Density::from_name(name, a, b).unwrap().log_density(x);
            assert!(
                (value - expected).abs() < 1e-12,
                "{name} {value} {expected}"
            );
        }
    }

    #[test]
    fn densities_of_coordinates_integrate_to_one() {
        let densities = [
            ("normal", 0.3, 0.6),
            ("gamma", 2.5, 1.5),
            ("inverse_gamma", 2.5, 1.5),
            ("half_cauchy", 2.5, 0.0),
            ("half_normal", 2.0, 0.0),
            ("exponential", 3.0, 0.0),
        ];
        let scales = [1.0, 2.0, -1.0, -2.0].map(Scale::Power);
        let mut terms = vec![
            term(
                Scale::Coordinate,
                Density::from_name("normal", 1.0, 2.0).unwrap(),
            ),
            term(
                Scale::Correlation,
                Density::from_name("lkj", 1.7, 0.0).unwrap(),
            ),
            term(
                Scale::Power(2.0),
                Density::from_name("uniform", 0.001, 5.0).unwrap(),
            ),
        ];
        for (name, a, b) in densities.into_iter().skip(1) {
            let density = Density::from_name(name, a, b).unwrap();
            terms.extend(scales.map(|scale| term(scale, density)));
        }
        for term in terms {
            // A density of w that falls exponentially: the trapezoidal rule is exact to rounding, up to a jump.
            let (lower, upper) = term.support();
            let (lower, upper) = (lower.max(-60.0), upper.min(60.0));
            let steps = 200_000;
            let h = (upper - lower) / f64::from(steps);
            let middle = |i: i32| lower + (f64::from(i) + 0.5) * h;
            let sum: f64 = (0..steps).map(|i| term.log_density(middle(i)).exp()).sum();
            assert!((sum * h - 1.0).abs() < 1e-8, "{term:?} {}", sum * h);
        }
    }

    #[test]
    fn far_tails_are_finite_and_outside_is_not() {
        let note = term(
            Scale::Power(2.0),
            Density::Gamma {
                shape: 0.01,
                rate: 0.01,
            },
        );
        // d log x / dw = 2, so that the density of w falls by 2 shape for each unit.
        let slope = note.log_density(-500.0) - note.log_density(-501.0);
        assert!((slope - 0.02).abs() < 1e-9);
        let uniform = term(
            Scale::Power(2.0),
            Density::Uniform {
                lower: 0.001,
                upper: 5.0,
            },
        );
        assert_eq!(uniform.log_density(-5.0), f64::NEG_INFINITY);
        assert_eq!(uniform.log_density(1.0), f64::NEG_INFINITY);
        assert!(uniform.log_density(0.0).is_finite());
        let (lower, upper) = uniform.support();
        assert!((lower - 0.5 * 0.001_f64.ln()).abs() < 1e-14);
        assert!((upper - 0.5 * 5.0_f64.ln()).abs() < 1e-14);
    }

    /// |R|^(η - 1) dR up to a constant, for a 3 × 3 matrix.
    #[test]
    fn lkj_is_a_power_of_the_determinant() {
        let structure = Structure::full(&[3]);
        let layout = Layout::new(&structure, &[9], 0, 1, Some(1.0), &[], false).unwrap();
        let eta = 1.8;
        let lkj = Term {
            coordinate: 3,
            scale: Scale::Correlation,
            density: Density::SymmetricBeta { shape: eta },
        };
        let prior = Prior::new(&layout, &[lkj]).unwrap();
        let constant = |w: &[f64]| {
            let log_det = layout.covariance(0, w).determinant().ln();
            // With unit standard deviations the Jacobian is that of R, but for a constant.
            prior.log_density(w) - (eta - 1.0) * log_det - layout.log_jacobian(w)
        };
        let first = constant(&[0.0, 0.0, 0.0, 0.3, -0.8, 1.1]);
        for w in [
            [0.0, 0.0, 0.0, -1.0, 0.2, 0.4],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.1],
        ] {
            assert!((constant(&w) - first).abs() < 1e-12);
        }
        assert!(Prior::new(&layout, &[lkj, lkj]).is_err());
        assert!(Prior::new(
            &layout,
            &[Term {
                coordinate: 0,
                ..lkj
            }]
        )
        .is_err());
        assert!(Prior::new(
            &layout,
            &[Term {
                coordinate: 6,
                ..lkj
            }]
        )
        .is_err());
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        assert!(Density::from_name("normal", 0.0, 0.0).is_err());
        assert!(Density::from_name("uniform", 2.0, 1.0).is_err());
        assert!(Density::from_name("gamma", -1.0, 1.0).is_err());
        assert!(Density::from_name("half_cauchy", f64::NAN, 0.0).is_err());
        assert!(Density::from_name("cauchy", 0.0, 1.0).is_err());
    }
}
