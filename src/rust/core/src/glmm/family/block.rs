//! Blocks of rows: the same terms on vectors where the kernel is made of exponentials.

use super::{Distribution, Family, Link};
use crate::simd::{dispatch, exp, log, Isa, Kernel, Lanes};

/// Rows that are evaluated at once; slices of one length.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    pub response: &'a [f64],
    /// `None`: all 1.
    pub weights: Option<&'a [f64]>,
    pub eta: &'a [f64],
    pub log_shape: f64,
}

/// Where the terms of a block go; what nobody wants may be empty.
#[derive(Debug, Default)]
pub struct BlockTerms<'a> {
    pub value: &'a mut [f64],
    pub score: &'a mut [f64],
    pub weight: &'a mut [f64],
    pub slope: &'a mut [f64],
}

impl BlockTerms<'_> {
    /// In the order of [`RowTerms`](super::RowTerms).
    #[inline(always)]
    fn slices(&mut self) -> [&mut [f64]; 4] {
        [self.value, self.score, self.weight, self.slope]
    }

    /// Writes the terms of a row that somebody wants.
    #[inline(always)]
    fn write(&mut self, row: usize, terms: [f64; 4]) {
        for (to, term) in self.slices().into_iter().zip(terms) {
            if let Some(to) = to.get_mut(row) {
                *to = term;
            }
        }
    }
}

/// Largest argument of the vector exponential.
const LARGEST: f64 = 700.0;

impl Family {
    /// Writes kernel, score, observed weight and slope of every row; returns the sum of the kernels.
    pub fn block(&self, rows: &Block, to: &mut BlockTerms) -> f64 {
        let shape = rows.log_shape.exp();
        match (self.distribution, self.link) {
            (Distribution::Binomial, Link::Logit) => {
                let odds = Odds {
                    shift: 0.0,
                    failures: [1.0, -1.0],
                };
                self.vectors(rows, to, odds)
            }
            (Distribution::NegativeBinomial, Link::Log) => {
                let odds = Odds {
                    shift: rows.log_shape,
                    failures: [shape, 0.0],
                };
                self.vectors(rows, to, odds)
            }
            (Distribution::Poisson, Link::Log) => self.vectors(
                rows,
                to,
                Rate {
                    sign: 1.0,
                    events: [0.0, 1.0],
                    exposure: [1.0, 0.0],
                    constant: 0.0,
                },
            ),
            (Distribution::Gamma, Link::Log) => self.vectors(
                rows,
                to,
                Rate {
                    sign: -1.0,
                    events: [shape, 0.0],
                    exposure: [0.0, shape],
                    constant: shape,
                },
            ),
            _ => self.scalars(rows, to, 0),
        }
    }

    /// Writes the derivatives of kernel, score and weight with respect to log shape (`slope` must be empty); returns the
    /// sum of those of the kernels.
    pub fn shape_block(&self, rows: &Block, to: &mut BlockTerms) -> f64 {
        let (mut sum, mut first) = (0.0, 0);
        if let (Distribution::NegativeBinomial, Link::Log) = (self.distribution, self.link) {
            let terms = OddsShape {
                shift: rows.log_shape,
                shape: rows.log_shape.exp(),
            };
            (sum, first) = dispatch(Isa::best(), BlockKernel { rows, to, terms });
        }
        for i in first..rows.eta.len() {
            let weight = rows.weights.map_or(1.0, |weights| weights[i]);
            let (y, eta) = (rows.response[i], rows.eta[i]);
            let terms = self.shape_derivatives(y, weight, eta, rows.log_shape);
            sum += terms.value;
            to.write(i, [terms.value, terms.score, terms.weight, 0.0]);
        }
        sum
    }

    fn vectors<T: VectorTerms>(&self, rows: &Block, to: &mut BlockTerms, terms: T) -> f64 {
        let (sum, done) = dispatch(Isa::best(), BlockKernel { rows, to, terms });
        sum + self.scalars(rows, to, done)
    }

    /// The rows from `first` on, one by one.
    fn scalars(&self, rows: &Block, to: &mut BlockTerms, first: usize) -> f64 {
        let mut sum = 0.0;
        for i in first..rows.eta.len() {
            let weight = rows.weights.map_or(1.0, |weights| weights[i]);
            let terms = self.derivatives(rows.response[i], weight, rows.eta[i], rows.log_shape);
            sum += terms.value;
            to.write(i, [terms.value, terms.score, terms.weight, terms.slope]);
        }
        sum
    }
}

/// Terms of rows on vectors, per unit of prior weight.
trait VectorTerms: Copy {
    /// Value, score, weight and slope of (y, η).
    fn of<L: Lanes>(&self, y: [L; 2], eta: [L; 2]) -> [[L; 4]; 2];
}

/// y η - (y + f) log(1 + e^z) with log odds z = η - shift, and f linear in y.
#[derive(Clone, Copy)]
struct Odds {
    shift: f64,
    failures: [f64; 2],
}

/// p, q = 1 - p and log(1 + e^z) of log odds z.
#[inline(always)]
fn odds<L: Lanes>(z: [L; 2]) -> [[L; 3]; 2] {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let e = exp([z[0].neg_abs(), z[1].neg_abs()]);
    let mut terms = [[zero; 3]; 2];
    for v in 0..2 {
        let total = one + e[v];
        let large = one / total;
        let small = e[v] * large;
        // log(1 + e) with what the sum has rounded away.
        let log_total = log(total) + (e[v] - (total - one)) * large;
        let negative = z[v].less(zero);
        let p = L::select(negative, small, large);
        let q = L::select(negative, large, small);
        terms[v] = [p, q, zero.max(z[v]) + log_total];
    }
    terms
}

impl VectorTerms for Odds {
    #[inline(always)]
    fn of<L: Lanes>(&self, y: [L; 2], eta: [L; 2]) -> [[L; 4]; 2] {
        let shift = L::splat(self.shift);
        let odds = odds([eta[0] - shift, eta[1] - shift]);
        let mut terms = [[shift; 4]; 2];
        for v in 0..2 {
            let [p, q, softplus] = odds[v];
            let f = y[v].mul_add(L::splat(self.failures[1]), L::splat(self.failures[0]));
            let n = y[v] + f;
            let weight = n * p * q;
            terms[v] = [
                n.neg_mul_add(softplus, y[v] * eta[v]),
                f.neg_mul_add(p, y[v] * q),
                weight,
                weight * (q - p),
            ];
        }
        terms
    }
}

/// Derivatives of the negative binomial's terms with respect to log k = shift; the slope is not used.
#[derive(Clone, Copy)]
struct OddsShape {
    shift: f64,
    shape: f64,
}

impl VectorTerms for OddsShape {
    #[inline(always)]
    fn of<L: Lanes>(&self, y: [L; 2], eta: [L; 2]) -> [[L; 4]; 2] {
        let (shift, k) = (L::splat(self.shift), L::splat(self.shape));
        let odds = odds([eta[0] - shift, eta[1] - shift]);
        let mut terms = [[shift; 4]; 2];
        for v in 0..2 {
            let [p, q, softplus] = odds[v];
            let n = y[v] + k;
            terms[v] = [
                k.neg_mul_add(softplus, n * p),
                p * k.neg_mul_add(p, y[v] * q),
                p * q * n.neg_mul_add(q - p, k),
                p,
            ];
        }
        terms
    }
}

/// a (z + c) - m with z = ±η and m = x e^z, where a and x are linear in y.
#[derive(Clone, Copy)]
struct Rate {
    sign: f64,
    events: [f64; 2],
    exposure: [f64; 2],
    constant: f64,
}

impl VectorTerms for Rate {
    #[inline(always)]
    fn of<L: Lanes>(&self, y: [L; 2], eta: [L; 2]) -> [[L; 4]; 2] {
        let (sign, least) = (L::splat(self.sign), L::splat(-LARGEST));
        let minus = L::splat(-1.0);
        let z = [eta[0] * sign, eta[1] * sign];
        // The smaller of z and what the exponential takes.
        let e = exp([
            least.max(z[0] * minus) * minus,
            least.max(z[1] * minus) * minus,
        ]);
        let mut terms = [[least; 4]; 2];
        for v in 0..2 {
            let a = y[v].mul_add(L::splat(self.events[1]), L::splat(self.events[0]));
            let x = y[v].mul_add(L::splat(self.exposure[1]), L::splat(self.exposure[0]));
            let m = x * e[v];
            terms[v] = [
                a.mul_add(z[v], L::splat(self.constant)) - m,
                (a - m) * sign,
                m,
                m * sign,
            ];
        }
        terms
    }
}

struct BlockKernel<'k, 'r, 't, T> {
    rows: &'k Block<'r>,
    to: &'k mut BlockTerms<'t>,
    terms: T,
}

impl<T: VectorTerms> Kernel for BlockKernel<'_, '_, '_, T> {
    /// The sum of the kernels and the number of rows done.
    type Output = (f64, usize);

    #[inline(always)]
    fn run<L: Lanes>(self) -> (f64, usize) {
        let step = 2 * L::WIDTH;
        let rows = self.rows;
        let mut to = self.to.slices();
        let mut sums = [L::splat(0.0); 2];
        let count = rows.eta.len() / step * step;
        for first in (0..count).step_by(step) {
            let at = [first, first + L::WIDTH];
            let load = |from: &[f64]| [L::load(&from[at[0]..]), L::load(&from[at[1]..])];
            let mut terms = self.terms.of(load(rows.response), load(rows.eta));
            if let Some(weights) = rows.weights {
                let weights = load(weights);
                for v in 0..2 {
                    terms[v].iter_mut().for_each(|x| *x = *x * weights[v]);
                }
            }
            for v in 0..2 {
                sums[v] = sums[v] + terms[v][0];
                for (to, term) in to.iter_mut().zip(terms[v]) {
                    if !to.is_empty() {
                        term.store(&mut to[at[v]..]);
                    }
                }
            }
        }
        ((sums[0] + sums[1]).sum(), count)
    }
}
