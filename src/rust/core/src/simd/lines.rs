//! Scratch memory on cache-line bounds, so that no vector straddles two lines.

use std::slice;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; 8]);

/// A slice of doubles that starts on a cache line.
pub(crate) struct Lines(Vec<Line>);

impl Lines {
    /// At least `length` zeros.
    pub fn new(length: usize) -> Self {
        Lines(vec![Line([0.0; 8]); length.div_ceil(8)])
    }

    pub fn as_mut_slice(&mut self) -> &mut [f64] {
        // SAFETY: a line is eight doubles without padding, and the vector holds `len` of them.
        unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), 8 * self.0.len()) }
    }
}
