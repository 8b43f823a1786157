//! Shifts between a fixed effect and the random effects of levels, which leave every linear predictor as it is.
//!
//! Where a column x_j of X is a_l z_c in the rows of level l, with z_c the column of effect c of a term, β_j + δ
//! and b_lc - a_l δ in all clones give the same η: a column that is constant within levels against their
//! intercepts, a covariate against its random slopes. Given everything else δ is normal, but for the prior of β_j.
//! This is what centring b on the fixed effects achieves (Gelfand, Sahu and Carlin 1995, *Biometrika* 82, 479-488),
//! in turn with effects that are not centred.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::cells::{CellTerm, Cells};
use super::prior::Prior;
use super::small;

/// A fixed effect and the effect of a term that can stand for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// Coefficient.
    pub fixed: usize,
    /// Core term.
    pub term: usize,
    /// Effect of the term.
    effect: usize,
    /// a, one for each level.
    ratios: Vec<f64>,
}

/// All that the cells allow.
pub fn shifts(cells: &Cells, fixed: usize) -> Vec<Shift> {
    let mut all = Vec::new();
    for j in 0..fixed {
        for (number, term) in cells.terms.iter().enumerate() {
            let found = (0..term.width).find_map(|effect| {
                let ratios = ratios(cells.column(j), term, effect)?;
                Some(Shift {
                    fixed: j,
                    term: number,
                    effect,
                    ratios,
                })
            });
            all.extend(found);
        }
    }
    all
}

/// x / z by level, if it is the same number in all cells of a level; `None` also if it is 0 everywhere.
fn ratios(x: &[f64], term: &CellTerm, effect: usize) -> Option<Vec<f64>> {
    let mut ratios = vec![f64::NAN; term.levels];
    for (cell, &x) in x.iter().enumerate() {
        let z = term.row(cell)[effect];
        let ratio = &mut ratios[term.codes[cell] as usize];
        if ratio.is_nan() && z != 0.0 {
            *ratio = x / z;
        }
    }
    for (cell, &x) in x.iter().enumerate() {
        let z = term.row(cell)[effect];
        let ratio = ratios[term.codes[cell] as usize];
        let same = if ratio.is_nan() {
            x == 0.0
        } else {
            x == ratio * z
        };
        if !same {
            return None;
        }
    }
    // A level without a ratio says nothing on β.
    ratios
        .iter_mut()
        .filter(|a| a.is_nan())
        .for_each(|a| *a = 0.0);
    ratios.iter().any(|&a| a != 0.0).then_some(ratios)
}

impl Shift {
    /// Draws δ and applies it to `w` and to u (level after level, the clones of each, b = Λu). Returns δ.
    pub fn draw(
        &self,
        prior: &Prior,
        lambda: &[f64],
        u: &mut [f64],
        w: &mut [f64],
        rng: &mut ChaCha8Rng,
    ) -> f64 {
        let q = (lambda.len() as f64).sqrt() as usize;
        let clones = u.len() / (q * self.ratios.len());
        let mut direction = vec![0.0; q];
        direction[self.effect] = 1.0;
        small::forward(lambda, &mut direction);
        // -(a δ² - 2 b δ) / 2 is the log density of the effects.
        let length: f64 = direction.iter().map(|d| d * d).sum();
        let (mut a, mut b) = (0.0, 0.0);
        for (level, &ratio) in u.chunks_exact(q * clones).zip(&self.ratios) {
            a += clones as f64 * ratio * ratio * length;
            let sum: f64 = level
                .chunks_exact(q)
                .map(|u| u.iter().zip(&direction).map(|(u, d)| u * d).sum::<f64>())
                .sum();
            b += ratio * sum;
        }
        let at = self.fixed;
        let normal = prior.normal(at);
        let (mean, precision) = normal.unwrap_or((0.0, 0.0));
        let total = a + precision;
        let noise: f64 = rng.sample(StandardNormal);
        let delta = (b + precision * (mean - w[at])) / total + noise / total.sqrt();
        if !delta.is_finite() {
            return 0.0;
        }
        let (from, here) = (w[at], prior.log_density(w));
        w[at] += delta;
        if normal.is_none() {
            let log_ratio = prior.log_density(w) - here;
            if log_ratio.is_nan() || rng.random::<f64>().ln() >= log_ratio {
                w[at] = from;
                return 0.0;
            }
        }
        for (level, &ratio) in u.chunks_exact_mut(q * clones).zip(&self.ratios) {
            for u in level.chunks_exact_mut(q) {
                u.iter_mut()
                    .zip(&direction)
                    .for_each(|(u, d)| *u -= ratio * delta * d);
            }
        }
        delta
    }
}
