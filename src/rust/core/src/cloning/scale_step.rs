//! Interweaving: the scales of random effects, with the effects in units of their standard deviation held.
//!
//! A covariance matrix drawn given the effects b moves little where the data say little on b: the draws of b keep
//! the size they have. Given the effects in units of their standard deviation it moves freely there, and little
//! where the data say much. Both in turn move in either case (Yu and Meng 2011, *JCGS* 20, 531-570); a step that
//! multiplies b and its standard deviation by the same factor is also the working parameter of Liu and Wu (1999,
//! *JASA* 94, 1264-1274).

use rand_chacha::ChaCha8Rng;

use super::parameters::Layout;
use super::prior::Prior;
use super::slice::slice;
use crate::mixed::effect_moments::{EffectMoments, ScaledSquares};

/// A standard deviation that is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// Position of its logarithm in w.
    pub coordinate: usize,
    /// Core term.
    pub term: usize,
    /// Position of the effect in the term.
    pub effect: usize,
}

/// The standard deviations of random effects that are sampled.
pub fn deviations(layout: &Layout) -> Vec<Deviation> {
    let mut all = Vec::new();
    for (k, block) in layout.blocks.iter().enumerate() {
        let effects = &block.effects[block.first_expanded()..];
        all.extend(effects.iter().enumerate().map(|(i, &effect)| Deviation {
            coordinate: layout.block_at(k) + i,
            term: block.term,
            effect,
        }));
    }
    all
}

/// Draws the factor of one effect of a Gaussian model, and multiplies the moments of its clones by it.
/// `precisions` are 1 / σ² of the dispersion groups.
pub fn rescale(
    deviation: &Deviation,
    moments: &mut EffectMoments,
    precisions: &[f64],
    prior: &Prior,
    width: f64,
    w: &mut [f64],
    rng: &mut ChaCha8Rng,
) {
    let position = moments.position(deviation.term, deviation.effect);
    let square = |group: &ScaledSquares| group.products[(position, position)];
    let others = |group: &ScaledSquares| {
        group.linear[position] - group.products.column(position).sum() + square(group)
    };
    let weigh = |of: &dyn Fn(&ScaledSquares) -> f64| -> f64 {
        let groups = moments.groups.iter().zip(precisions);
        groups.map(|(group, precision)| precision * of(group)).sum()
    };
    // -(s² a - 2 s b) / 2 is the log-likelihood of the factor s.
    let (a, b) = (weigh(&square), weigh(&others));
    let at = deviation.coordinate;
    let from = w[at];
    let mut log_density = |x: f64| {
        w[at] = x;
        let s = (x - from).exp();
        prior.log_density(w) - 0.5 * s * s * a + s * b
    };
    let here = log_density(from);
    let (to, _) = slice(from, here, width, rng, log_density);
    w[at] = to;
    let mut scales = vec![1.0; moments.scales()];
    scales[position] = (to - from).exp();
    moments.scale(&scales);
}
