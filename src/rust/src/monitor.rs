//! What happens in R while the core iterates: Ctrl-C and the progress display.

use std::ffi::{c_int, c_void};
use std::time::{Duration, Instant};

use ember_core::em::{Flow, Progress};
use extendr_api::prelude::*;

use crate::convert::element;

unsafe extern "C" {
    fn R_CheckUserInterrupt();
    fn R_ToplevelExec(
        function: Option<unsafe extern "C" fn(*mut c_void)>,
        data: *mut c_void,
    ) -> c_int;
}

unsafe extern "C" fn poll(_: *mut c_void) {
    // SAFETY: runs inside R_ToplevelExec, which ends the long jump of an interrupt; this frame owns nothing.
    unsafe { R_CheckUserInterrupt() }
}

/// Whether the user pressed Ctrl-C. To be called on R's own thread only.
pub fn interrupted() -> bool {
    // SAFETY: `poll` takes no data and R_ToplevelExec returns normally in every case.
    unsafe { R_ToplevelExec(Some(poll), std::ptr::null_mut()) == 0 }
}

/// R looks after itself no more often than this.
const PERIOD: Duration = Duration::from_millis(100);

/// Asks R for interrupts and shows progress, at most every tenth of a second.
pub struct Monitor {
    last: Instant,
    show: Option<Function>,
}

impl Monitor {
    /// `control$show`, where given, is an R function that raises no condition: of iteration, passes,
    /// log-likelihood and distance for one run, of parts done and all parts for a search.
    pub fn new(control: &List) -> Self {
        Monitor {
            last: Instant::now(),
            show: element(control, "show").and_then(|show| show.as_function()),
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
            if show.call(state()).is_err() {
                return Flow::Stop; // only an interrupt leaves `show` without a value
            }
        }
        if interrupted() {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }
}
