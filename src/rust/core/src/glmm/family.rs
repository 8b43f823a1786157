//! Densities of one row given its linear predictor η, with what Newton's method and Laplace's approximation need.
//!
//! A log density is w (kernel + constant): the kernel depends on η, the constant on y and the shape alone. For binomial
//! rows y is a proportion and w the number of trials; elsewhere w multiplies the log density.

mod binomial;
mod block;
mod gamma;
mod negative_binomial;
mod poisson;
mod special;

use crate::error::{Error, Result};
use crate::normal::univariate;
pub use block::{Block, BlockTerms};

/// The distribution of a row given its mean μ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Proportions of successes; variance μ(1 - μ) / trials.
    Binomial,
    /// Counts; variance μ.
    Poisson,
    /// Counts; variance μ + μ²/shape.
    NegativeBinomial,
    /// Positive numbers; variance μ²/shape.
    Gamma,
}

/// η as a function of the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Logit,
    Probit,
    Cloglog,
    Cauchit,
    Log,
    Sqrt,
    Inverse,
    Identity,
}

/// A distribution and a link that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    distribution: Distribution,
    link: Link,
}

/// The kernel of a row (times its weight) and its derivatives with respect to η.
///
/// Outside the domain of the link the value is -∞ and the derivatives are 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RowTerms {
    /// The kernel.
    pub value: f64,
    /// d value / dη.
    pub score: f64,
    /// -d² value / dη², the observed weight; may be negative.
    pub weight: f64,
    /// d weight / dη.
    pub slope: f64,
}

/// Derivatives with respect to log shape.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShapeTerms {
    /// Of the kernel.
    pub value: f64,
    /// Of the score.
    pub score: f64,
    /// Of the observed weight.
    pub weight: f64,
}

impl RowTerms {
    /// What a linear predictor outside the domain gives.
    const OUTSIDE: RowTerms = RowTerms {
        value: f64::NEG_INFINITY,
        score: 0.0,
        weight: 0.0,
        slope: 0.0,
    };

    #[inline(always)]
    fn times(self, factor: f64) -> Self {
        RowTerms {
            value: factor * self.value,
            score: factor * self.score,
            weight: factor * self.weight,
            slope: factor * self.slope,
        }
    }
}

impl Family {
    /// A family.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `family` when the link does not go with the distribution.
    pub fn new(distribution: Distribution, link: Link) -> Result<Self> {
        use Distribution::{Binomial, Gamma, NegativeBinomial, Poisson};
        use Link::{Cauchit, Cloglog, Identity, Inverse, Log, Logit, Probit, Sqrt};
        let fits = match distribution {
            Binomial => matches!(link, Logit | Probit | Cloglog | Cauchit | Log),
            Poisson | NegativeBinomial => matches!(link, Log | Sqrt | Identity),
            Gamma => matches!(link, Log | Inverse | Identity),
        };
        if fits {
            Ok(Family { distribution, link })
        } else {
            Err(unknown("has a link that does not go with its distribution"))
        }
    }

    /// The family of R's names, such as `"binomial"` and `"logit"`.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `family`.
    pub fn from_names(distribution: &str, link: &str) -> Result<Self> {
        let distribution = match distribution {
            "binomial" => Distribution::Binomial,
            "poisson" => Distribution::Poisson,
            "negative_binomial" => Distribution::NegativeBinomial,
            "Gamma" => Distribution::Gamma,
            _ => return Err(unknown("is not a distribution that glmm() has")),
        };
        let link = match link {
            "logit" => Link::Logit,
            "probit" => Link::Probit,
            "cloglog" => Link::Cloglog,
            "cauchit" => Link::Cauchit,
            "log" => Link::Log,
            "sqrt" => Link::Sqrt,
            "inverse" => Link::Inverse,
            "identity" => Link::Identity,
            _ => return Err(unknown("has a link that glmm() does not have")),
        };
        Family::new(distribution, link)
    }

    /// Its distribution.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// Its link.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Whether the distribution has a shape parameter.
    pub fn has_shape(&self) -> bool {
        matches!(
            self.distribution,
            Distribution::NegativeBinomial | Distribution::Gamma
        )
    }

    /// Whether the kernel is concave in η for every y and shape: its mode in u is then unique.
    pub fn is_log_concave(&self) -> bool {
        use Distribution::{Binomial, Gamma, NegativeBinomial, Poisson};
        match self.distribution {
            Binomial => self.link != Link::Cauchit,
            Poisson => self.link != Link::Sqrt,
            NegativeBinomial => self.link == Link::Log,
            Gamma => self.link != Link::Identity,
        }
    }

    /// μ of η. Outside the domain of the link it is what the formula gives.
    pub fn mean(&self, eta: f64) -> f64 {
        match self.link {
            Link::Logit => special::logistic(eta),
            Link::Probit => univariate::cdf(eta),
            Link::Cloglog => -(-eta.exp()).exp_m1(),
            Link::Cauchit => special::cauchy_cdf(eta),
            Link::Log => eta.exp(),
            Link::Sqrt => eta * eta,
            Link::Inverse => 1.0 / eta,
            Link::Identity => eta,
        }
    }

    /// η of μ.
    pub fn linear(&self, mu: f64) -> f64 {
        match self.link {
            Link::Logit => mu.ln() - (-mu).ln_1p(),
            Link::Probit => univariate::quantile(mu),
            Link::Cloglog => (-(-mu).ln_1p()).ln(),
            Link::Cauchit => (std::f64::consts::PI * (mu - 0.5)).tan(),
            Link::Log => mu.ln(),
            Link::Sqrt => mu.sqrt(),
            Link::Inverse => 1.0 / mu,
            Link::Identity => mu,
        }
    }

    /// The log density of a row, as R's `dbinom`, `dpois`, `dnbinom`, `dgamma` (times the weight).
    pub fn log_density(&self, y: f64, weight: f64, eta: f64, log_shape: f64) -> f64 {
        self.derivatives(y, weight, eta, log_shape).value + self.constant(y, weight, log_shape)
    }

    /// The part of the log density that does not depend on η.
    pub fn constant(&self, y: f64, weight: f64, log_shape: f64) -> f64 {
        match self.distribution {
            Distribution::Binomial => binomial::constant(y, weight),
            Distribution::Poisson => weight * poisson::constant(y),
            Distribution::NegativeBinomial => weight * negative_binomial::constant(y, log_shape),
            Distribution::Gamma => weight * gamma::constant(y, log_shape),
        }
    }

    /// d constant / d log shape.
    pub fn constant_slope(&self, y: f64, weight: f64, log_shape: f64) -> f64 {
        match self.distribution {
            Distribution::Binomial | Distribution::Poisson => 0.0,
            Distribution::NegativeBinomial => {
                weight * negative_binomial::constant_slope(y, log_shape)
            }
            Distribution::Gamma => weight * gamma::constant_slope(y, log_shape),
        }
    }

    /// The kernel and its derivatives with respect to η.
    #[inline]
    pub fn derivatives(&self, y: f64, weight: f64, eta: f64, log_shape: f64) -> RowTerms {
        match self.distribution {
            Distribution::Binomial => binomial::terms(self.link, y, weight, eta),
            Distribution::Poisson => poisson::terms(self.link, y, eta).times(weight),
            Distribution::NegativeBinomial => {
                negative_binomial::terms(self.link, y, eta, log_shape).times(weight)
            }
            Distribution::Gamma => gamma::terms(self.link, y, eta, log_shape).times(weight),
        }
    }

    /// Derivatives with respect to log shape, without that of the constant; zero for a family without shape.
    #[inline]
    pub fn shape_derivatives(&self, y: f64, weight: f64, eta: f64, log_shape: f64) -> ShapeTerms {
        let terms = match self.distribution {
            Distribution::Binomial | Distribution::Poisson => ShapeTerms::default(),
            Distribution::NegativeBinomial => {
                negative_binomial::shape_terms(self.link, y, eta, log_shape)
            }
            Distribution::Gamma => {
                // The kernel is proportional to the shape.
                let terms = gamma::terms(self.link, y, eta, log_shape);
                ShapeTerms {
                    value: terms.value,
                    score: terms.score,
                    weight: terms.weight,
                }
            }
        };
        ShapeTerms {
            value: weight * terms.value,
            score: weight * terms.score,
            weight: weight * terms.weight,
        }
    }

    /// E(-d² value / dη²), the weight of Fisher's scoring; never negative.
    #[inline]
    pub fn expected_weight(&self, weight: f64, eta: f64, log_shape: f64) -> f64 {
        let expected = match self.distribution {
            Distribution::Binomial => binomial::expected_weight(self.link, eta),
            Distribution::Poisson => poisson::expected_weight(self.link, eta),
            Distribution::NegativeBinomial => {
                negative_binomial::expected_weight(self.link, eta, log_shape)
            }
            Distribution::Gamma => gamma::expected_weight(self.link, eta, log_shape),
        };
        weight * expected
    }
}

fn unknown(message: &str) -> Error {
    Error::Argument {
        argument: "family",
        message: message.into(),
    }
}

#[cfg(test)]
mod tests;
