//! What happens in R while the core iterates: Ctrl-C and the progress display.

use std::time::{Duration, Instant};

use ember_core::em::{Flow, Progress};
use extendr_api::prelude::*;

use crate::convert::element;

/// R looks after itself no more often than this.
const PERIOD: Duration = Duration::from_millis(100);

/// Asks R for interrupts and shows progress, at most every tenth of a second, on R's own thread.
///
/// Both are R functions, because an interrupt that reaches the top level from native code ends a session that
/// is not interactive; an R handler catches it in any.
pub struct Monitor {
    last: Instant,
    show: Option<Function>,
    interrupted: Option<Function>,
}

impl Monitor {
    /// `control` as made by `native_control()` in R/native.R.
    pub fn new(control: &List) -> Self {
        let function = |name| element(control, name).and_then(|value| value.as_function());
        Monitor {
            last: Instant::now(),
            show: function("show"),
            interrupted: function("interrupted"),
        }
    }

    /// The answer to the driver of one run.
    pub fn flow(&mut self, progress: &Progress) -> Flow {
        self.poll(|| {
            pairlist!(
                progress.iteration as i32,
                progress.passes as i32,
                progress.objective,
                progress.distance
            )
        })
    }

    /// Shows `state` and looks for Ctrl-C, if a tenth of a second has passed since it last did.
    pub fn poll(&mut self, state: impl FnOnce() -> Pairlist) -> Flow {
        if self.last.elapsed() < PERIOD {
            return Flow::Continue;
        }
        self.last = Instant::now();
        if let Some(show) = &self.show {
            // A display that fails must not end a fit.
            let _ = show.call(state());
        }
        if self.interrupted() {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }

    /// Whether the user pressed Ctrl-C.
    pub fn interrupted(&self) -> bool {
        self.interrupted
            .as_ref()
            .is_some_and(|ask| match ask.call(pairlist!()) {
                Ok(answer) => answer.as_bool().unwrap_or(false),
                Err(_) => true, // the function returns unless it is jumped out of
            })
    }
}
