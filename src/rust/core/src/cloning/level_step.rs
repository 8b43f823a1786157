//! Effects of the levels of one term, drawn level by level around Newton's step from where they are.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::clones::ClonedGlmm;
use super::level_likelihood::LevelLikelihood;
use super::level_modes::Search;
use super::small::{self, inner, square};

/// Draws of the levels of one term in one clone, everything else given.
pub(super) struct LevelStep<'a> {
    pub model: &'a ClonedGlmm<'a>,
    pub term: usize,
    /// Λ of the term.
    pub lambda: &'a [f64],
    pub log_shape: f64,
}

impl LevelStep<'_> {
    /// Draws u of all levels; `eta` is that of the clone and stays so, `without` is overwritten. Returns what the
    /// log-likelihood gains.
    pub fn draw(
        &self,
        u: &mut [f64],
        eta: &mut [f64],
        without: &mut [f64],
        rng: &mut ChaCha8Rng,
    ) -> f64 {
        let cells = self.model.cells;
        let term = &cells.terms[self.term];
        let q = term.width;
        let mut b = vec![0.0; q];
        without.copy_from_slice(eta);
        for (level, u) in u.chunks_exact(q).enumerate() {
            small::lower_times(self.lambda, u, &mut b);
            for &cell in term.cells(level) {
                without[cell as usize] -= inner(term.row(cell as usize), &b);
            }
        }
        let likelihood = LevelLikelihood {
            cells,
            term,
            family: self.model.family,
            log_shape: self.log_shape,
            eta: without,
            sums: None,
        };
        let mut gained = 0.0;
        let mut search = Search::new(q);
        let (mut here, mut there) = (Newton::new(q), Newton::new(q));
        let (mut z, mut proposal) = (vec![0.0; q], vec![0.0; q]);
        for (level, u) in u.chunks_exact_mut(q).enumerate() {
            here.expand(&mut search, &likelihood, self.lambda, level, u);
            z.iter_mut().for_each(|z| *z = rng.sample(StandardNormal));
            let forth = -0.5 * square(&z) + here.log_det;
            small::backward(&here.root, &mut z);
            for (to, (mean, z)) in proposal.iter_mut().zip(here.mean.iter().zip(&z)) {
                *to = mean + z;
            }
            there.expand(&mut search, &likelihood, self.lambda, level, &proposal);
            z.iter_mut()
                .zip(u.iter().zip(&there.mean))
                .for_each(|(z, (u, mean))| *z = u - mean);
            small::lower_transposed_times(&there.root, &mut z);
            let back = -0.5 * square(&z) + there.log_det;
            let log_ratio = there.value - here.value + back - forth;
            if rng.random::<f64>().ln() < log_ratio {
                gained += there.value - here.value + 0.5 * (square(&proposal) - square(u));
                u.copy_from_slice(&proposal);
            }
            small::lower_times(self.lambda, u, &mut b);
            for &cell in term.cells(level) {
                let cell = cell as usize;
                eta[cell] = without[cell] + inner(term.row(cell), &b);
            }
        }
        gained
    }
}

/// Newton's step from a point as a normal distribution.
struct Newton {
    /// log density at the point.
    value: f64,
    mean: Vec<f64>,
    /// Cholesky factor of the precision.
    root: Vec<f64>,
    log_det: f64,
}

impl Newton {
    fn new(q: usize) -> Self {
        Newton {
            value: 0.0,
            mean: vec![0.0; q],
            root: vec![0.0; q * q],
            log_det: 0.0,
        }
    }

    fn expand(
        &mut self,
        search: &mut Search,
        likelihood: &LevelLikelihood,
        lambda: &[f64],
        level: usize,
        u: &[f64],
    ) {
        let q = u.len();
        self.value = search.expand(likelihood, lambda, level, u, &mut self.root);
        self.mean.copy_from_slice(&search.gradient);
        small::forward(&self.root, &mut self.mean);
        small::backward(&self.root, &mut self.mean);
        self.mean.iter_mut().zip(u).for_each(|(mean, u)| *mean += u);
        self.log_det = (0..q).map(|j| self.root[j * q + j].ln()).sum();
    }
}
