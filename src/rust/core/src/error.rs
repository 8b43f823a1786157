//! What can go wrong, as facts: a kind that R turns into a condition class, and words for the user.

use std::fmt;

/// Result of every fallible function of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a computation could not give an answer.
///
/// `kind()` names the class that the R side gives the condition (`ember_error_<kind>`).
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// An argument is outside what the function is defined for; `argument` is the name users type.
    Argument {
        argument: &'static str,
        message: String,
    },
    /// A component (1-based, as users count) collapsed: its likelihood is unbounded or undefined.
    Degenerate { component: usize, message: String },
    /// A matrix that must be positive definite is not; `pivot` is the first bad one (0-based).
    NotPositiveDefinite { pivot: usize },
    /// The arithmetic broke down (overflow, NaN) although the arguments were valid.
    Numerical { message: String },
    /// The caller's callback failed (a user's closure, a chunk source).
    Callback { message: String },
    /// The user interrupted (Ctrl-C) before there was anything to return.
    Interrupted,
}

impl Error {
    /// The snake_case word that names the R condition class.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Argument { .. } => "argument",
            Error::Degenerate { .. } => "degenerate",
            Error::NotPositiveDefinite { .. } => "not_positive_definite",
            Error::Numerical { .. } => "numerical",
            Error::Callback { .. } => "callback",
            Error::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Argument { argument, message } => write!(f, "`{argument}` {message}"),
            Error::Degenerate { component, message } => {
                write!(f, "component {component} collapsed: {message}")
            }
            Error::NotPositiveDefinite { pivot } => {
                write!(f, "matrix is not positive definite (pivot {})", pivot + 1)
            }
            Error::Numerical { message } | Error::Callback { message } => f.write_str(message),
            Error::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {}
