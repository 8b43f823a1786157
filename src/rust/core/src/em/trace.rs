//! What every iteration did.

/// How an iteration reached its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The starting point.
    Start,
    /// A plain EM step.
    Em,
    /// A SQUAREM extrapolation; the length is 1 where it would equal two EM steps.
    Squarem(f64),
    /// Anderson mixing over this many past differences.
    Anderson(usize),
    /// A Newton step of a directly minimised criterion, of this length in units of its coordinates.
    Newton(f64),
}

impl Step {
    /// The word that R shows.
    pub fn name(self) -> &'static str {
        match self {
            Step::Start => "start",
            Step::Em => "em",
            Step::Squarem(_) => "squarem",
            Step::Anderson(_) => "anderson",
            Step::Newton(_) => "newton",
        }
    }

    /// Length of the extrapolation: SQUAREM's step length, Anderson's number of differences, 1 for EM.
    pub fn length(self) -> f64 {
        match self {
            Step::Start => 0.0,
            Step::Em => 1.0,
            Step::Squarem(length) | Step::Newton(length) => length,
            Step::Anderson(differences) => differences as f64,
        }
    }
}

/// One row of the trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Updates of the parameters so far; 0 is the start.
    pub iteration: usize,
    /// Objective at the parameters of this iteration; NaN for a model that has none.
    pub objective: f64,
    /// Lower bound of the objective known before its E-step (see [`crate::em`]); NaN if the model has no Q.
    pub bound: f64,
    /// How the parameters were reached.
    pub step: Step,
}

/// The rows of a run, start included.
pub type Trace = Vec<Entry>;
