//! When the driver stops and how it speeds EM up.

use crate::error::{Error, Result};

/// How the driver extrapolates the sequence of EM steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceleration {
    /// Plain EM.
    None,
    /// SQUAREM with the third step length of Varadhan and Roland (2008).
    Squarem,
    /// Anderson mixing over the given number of past differences (Walker and Ni 2011).
    Anderson(usize),
}

/// Every tolerance and limit of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Largest acceptable estimate of how far the objective is below its limit (log-likelihood units).
    ///
    /// For a model without an objective it bounds the estimated distance of the parameters to their limit,
    /// each relative to 1 + its size. 0 runs to the rounding of the arithmetic.
    pub tol: f64,
    /// Most updates of the parameters; a rejected extrapolation is not one.
    pub max_iter: usize,
    /// How the steps are extrapolated.
    pub acceleration: Acceleration,
    /// Whether the trace holds the lower bound, which costs two evaluations of Q per iteration.
    pub bounds: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            tol: 1e-8,
            max_iter: 1000,
            acceleration: Acceleration::Squarem,
            bounds: true,
        }
    }
}

/// Past differences that Anderson mixing may use: more are linearly dependent in practice.
const MAX_ANDERSON_MEMORY: usize = 20;

impl Settings {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `tol` (negative or not finite), `max_iter` (0) or `accelerate`.
    pub fn validate(&self) -> Result<()> {
        if !(self.tol.is_finite() && self.tol >= 0.0) {
            return Err(Error::Argument {
                argument: "tol",
                message: format!("must be a number of at least 0, not {}", self.tol),
            });
        }
        if self.max_iter == 0 {
            return Err(Error::Argument {
                argument: "max_iter",
                message: "must be at least 1".into(),
            });
        }
        if let Acceleration::Anderson(memory) = self.acceleration {
            if memory == 0 || memory > MAX_ANDERSON_MEMORY {
                return Err(Error::Argument {
                    argument: "accelerate",
                    message: format!(
                        "with Anderson mixing needs a memory of 1 to {MAX_ANDERSON_MEMORY}, not {memory}"
                    ),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(settings: Settings) -> &'static str {
        match settings.validate() {
            Err(Error::Argument { argument, .. }) => argument,
            other => panic!("expected an argument error, got {other:?}"),
        }
    }

    #[test]
    fn bad_fields_are_named() {
        assert!(Settings::default().validate().is_ok());
        for tol in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                argument(Settings {
                    tol,
                    ..Settings::default()
                }),
                "tol"
            );
        }
        let max_iter = Settings {
            max_iter: 0,
            ..Settings::default()
        };
        assert_eq!(argument(max_iter), "max_iter");
        for memory in [0, 21] {
            let acceleration = Acceleration::Anderson(memory);
            let settings = Settings {
                acceleration,
                ..Settings::default()
            };
            assert_eq!(argument(settings), "accelerate");
        }
    }
}
