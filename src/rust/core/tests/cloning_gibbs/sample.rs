//! Draws of samplers.

use ember_core::cloning::chains::{run, Draws, Sampler, Settings};
use ember_core::Result;
use rand_chacha::ChaCha8Rng;

/// Chains from samplers that all start the same way.
pub fn sample<S: Sampler>(
    settings: &Settings,
    width: usize,
    start: impl Fn(usize, &mut ChaCha8Rng) -> Result<S> + Sync,
) -> Draws {
    let draws = run(settings, width, start, &mut |_| true).expect("settings");
    for chain in &draws.chains {
        assert_eq!(chain.failure, None);
    }
    draws
}
