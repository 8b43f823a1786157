//! Proposals that do not depend on the current point: a t distribution around the mode.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::walk::Guide;
use super::wishart::chi_squared;
use crate::linalg::cholesky;

/// Draws, for each coordinate, that weigh as much as the scale that is given.
const PRIOR_DRAWS: usize = 10;

/// How often a chain uses such proposals, at first and when so many or more of them are accepted: the rest are steps
/// of a random walk, which needs no good guess.
const SHARE: f64 = 0.5;
const GOOD_SHARE: f64 = 0.9;
const GOOD: f64 = 0.4;

/// A multivariate t distribution that learns its centre and scale during burn-in.
#[derive(Debug, Clone)]
pub struct Independence {
    centre: DVector<f64>,
    root: DMatrix<f64>,
    degrees: f64,
    /// Scale that was given.
    given: DMatrix<f64>,
    /// Number, sum and sum of squares of what was seen; `None` when nothing more is learnt.
    seen: Option<(usize, DVector<f64>, DMatrix<f64>)>,
    /// How many must be seen before the next look.
    next: usize,
    /// Proposals since the last look, and how many were accepted.
    tried: (usize, usize),
    /// How often the chain should use it.
    share: f64,
}

impl Independence {
    /// With K copies of the data the posterior is the more normal the larger K is.
    pub fn new(guide: &Guide, clones: usize) -> Self {
        let size = guide.w.len();
        let root = guide.conditional_root(0..size);
        Independence {
            centre: DVector::from_column_slice(&guide.w),
            given: &root * root.transpose(),
            root,
            degrees: 5.0 + clones as f64,
            seen: Some((0, DVector::zeros(size), DMatrix::zeros(size, size))),
            next: 50,
            tried: (0, 0),
            share: SHARE,
        }
    }

    /// How often the chain should use it.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Learns whether a proposal was accepted.
    pub fn count(&mut self, accepted: bool) {
        self.tried.0 += 1;
        self.tried.1 += usize::from(accepted);
    }

    /// A draw.
    pub fn propose(&self, w: &mut [f64], rng: &mut ChaCha8Rng) {
        let scale = chi_squared(self.degrees, rng).map_or(1.0, |x| (self.degrees / x).sqrt());
        let noise = DVector::from_fn(w.len(), |_, _| scale * rng.sample::<f64, _>(StandardNormal));
        w.copy_from_slice((&self.centre + &self.root * noise).as_slice());
    }

    /// log density, up to a constant.
    pub fn log_density(&self, w: &[f64]) -> f64 {
        let from = DVector::from_column_slice(w) - &self.centre;
        let white = self.root.solve_lower_triangular(&from);
        let square = white.map_or(f64::INFINITY, |white| white.norm_squared());
        -0.5 * (self.degrees + w.len() as f64) * (square / self.degrees).ln_1p()
    }

    /// Sees where the chain is; now and then the second half of what it saw becomes the new centre and scale.
    pub fn learn(&mut self, w: &[f64]) {
        let Some((count, sum, squares)) = &mut self.seen else {
            return;
        };
        let at = DVector::from_column_slice(w) - &self.centre;
        *count += 1;
        *sum += &at;
        squares.ger(1.0, &at, &at, 1.0);
        if *count < self.next {
            return;
        }
        let n = *count as f64;
        let mean = &*sum / n;
        let given = (PRIOR_DRAWS * w.len()) as f64;
        let spread = &*squares - &mean * mean.transpose() * n + &self.given * given;
        if let Ok(root) = cholesky(&(spread / (n + given))) {
            self.root = root;
            self.centre += mean;
        }
        // What was seen on the way there is forgotten.
        sum.fill(0.0);
        squares.fill(0.0);
        *count = 0;
        self.next *= 2;
        self.judge();
    }

    fn judge(&mut self) {
        let (tried, accepted) = self.tried;
        if tried > 0 {
            let good = accepted as f64 >= GOOD * tried as f64;
            self.share = if good { GOOD_SHARE } else { SHARE };
        }
        self.tried = (0, 0);
    }

    /// No more learning.
    pub fn settle(&mut self) {
        self.seen = None;
        self.judge();
    }
}
