//! The trivariate normal distribution function with its gradient and Hessian, to absolute precision.
//!
//! With h and correlations r,
//!
//! ```text
//! ∂Φ3/∂h_k = φ(h_k) Φ2(h_i|k, h_j|k; r_ij|k),   ∂²Φ3/∂h_i∂h_j = φ2(h_i, h_j; r_ij) Φ(h_k|ij),
//! ∂²Φ3/∂h_k² = -h_k ∂Φ3/∂h_k - Σ_{j≠k} r_jk ∂²Φ3/∂h_j∂h_k,
//! ```
//!
//! and Φ3 itself by [`plackett`](super::plackett), all integrals by rules that the correlations alone decide. What is not in
//! the tails needs no more; see [`Slices`](super::slices::Slices) for those.

use std::f64::consts::{FRAC_PI_2, PI};

use super::plackett::{self, exponentials, forms, probabilities, Arc, Exponent, Path, Tilt};
use crate::simd::{dispatch, Isa, Kernel, Lanes};

const INVERSE_SQRT_TAU: f64 = 0.398_942_280_401_432_7;
const INVERSE_TAU: f64 = 0.159_154_943_091_895_35;

/// Beyond it Φ is 0 or 1.
const FARTHEST: f64 = 40.0;

/// A pair of variables this close to one line makes steps too steep for the rules of a path.
const THINNEST: f64 = 0.15;
/// A path this plain takes even those.
const PLAIN: f64 = 2.2;

/// Φ3(·; r) for one r. Pair k is the pair that leaves variable k out.
#[derive(Debug, Clone)]
pub(super) struct Trivariate {
    /// r of each pair.
    correlations: [f64; 3],
    /// Variable whose correlations the path moves, then the other two.
    order: [usize; 3],
    path: Path,
    /// Φ2 of the pair that the path leaves alone.
    start: Arc,
    given: [Given; 3],
    pairs: [Pair; 3],
    isa: Isa,
}

/// The other two variables given variable k.
#[derive(Debug, Clone)]
struct Given {
    others: [usize; 2],
    /// r_jk and 1/√(1 - r_jk²).
    correlations: [f64; 2],
    scales: [f64; 2],
    arc: Arc,
}

/// A pair of variables and the third one given both.
#[derive(Debug, Clone)]
struct Pair {
    ends: [usize; 2],
    sign: f64,
    exponent: Exponent,
    /// 1/(2π √(1 - r²)).
    scale: f64,
    tilt: [f64; 3],
}

/// Φ3 and its derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Derivatives {
    pub value: f64,
    pub gradient: [f64; 3],
    pub hessian: [[f64; 3]; 3],
}

/// The other two variables.
pub(super) fn others(k: usize) -> [usize; 2] {
    [[1, 2], [0, 2], [0, 1]][k]
}

/// acos r, with its digits beside ±1.
fn arccosine(r: f64) -> f64 {
    ((1.0 - r) * (1.0 + r)).max(0.0).sqrt().atan2(r)
}

/// asin r, with its digits beside ±1.
fn arcsine(r: f64) -> f64 {
    r.atan2(((1.0 - r) * (1.0 + r)).max(0.0).sqrt())
}

/// The first zero of the determinant, or of a pair's, on the path of correlations with asin `a` and `b` against a fixed
/// angle acos r; zeros lie symmetrically about t = 0.
fn nearest_singularity([a, b]: [f64; 2], fixed: f64) -> f64 {
    let sum = (PI - fixed) / (a + b).abs();
    let difference = fixed / (a - b).abs();
    let single = FRAC_PI_2 / a.abs().max(b.abs());
    // Zero over zero: a path that does not move.
    [sum, difference, single]
        .into_iter()
        .fold(f64::INFINITY, f64::min)
}

/// Coefficients of (h_l - E[X_l | h_k, h_j]) / sd(X_l | X_k, X_j) in the order k, j, l, the path being at t; `angles` are
/// asin r_kj and asin r_kl, `fixed` is acos r_jl.
fn tilt(angles: [f64; 2], fixed: f64, t: f64) -> [f64; 3] {
    let [a, b] = angles.map(|angle| t * angle);
    let (sine_a, sine_b, r) = (a.sin(), b.sin(), fixed.cos());
    let cosine = (FRAC_PI_2 - a.abs()).sin();
    // 1 - r_kj² - r_kl² - r_jl² + 2 r_kj r_kl r_jl by the sides of its spherical triangle, without cancellation.
    let half = |x: f64| (0.5 * x).sin();
    let determinant = 4.0
        * half(PI + fixed - a - b)
        * half(PI - fixed - a - b)
        * half(fixed + a - b)
        * half(fixed - a + b);
    let scale = 1.0 / (cosine * determinant.sqrt());
    [
        (r * sine_a - sine_b) * scale,
        (sine_a * sine_b - r) * scale,
        cosine * cosine * scale,
    ]
}

impl Trivariate {
    /// `correlations` of the pairs (1, 2), (0, 2), (0, 1), a positive definite matrix; None if it is near singularity.
    pub fn new(correlations: [f64; 3]) -> Option<Self> {
        let angles = correlations.map(arcsine);
        let fixed = correlations.map(arccosine);
        let steepness = |k: usize| {
            let [i, j] = others(k);
            let nearest = nearest_singularity([angles[j], angles[i]], fixed[k]);
            Some((plackett::steepness(nearest)?, k))
        };
        let (steepness, apex) = (0..3)
            .filter_map(steepness)
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        if steepness > PLAIN && fixed[apex].sin() < THINNEST {
            return None;
        }
        let [i, j] = others(apex);
        let ends = [angles[j], angles[i]];
        let nodes = || plackett::nodes(steepness);
        let mut tilts = [Tilt::default(), Tilt::default()];
        for (t, _) in nodes() {
            tilts[0].push(tilt(ends, fixed[apex], t));
            let [k, l, m] = tilt([ends[1], ends[0]], fixed[apex], t);
            tilts[1].push([k, m, l]);
        }
        let given = [
            Given::new(&correlations, 0)?,
            Given::new(&correlations, 1)?,
            Given::new(&correlations, 2)?,
        ];
        Some(Trivariate {
            correlations,
            order: [apex, i, j],
            path: Path {
                arcs: ends.map(|angle| Arc::with_nodes(angle, nodes())),
                tilts,
            },
            start: Arc::new(angles[apex])?,
            given,
            pairs: [0, 1, 2].map(|k| Pair::new(&angles, &fixed, k)),
            isa: Isa::best(),
        })
    }

    /// Φ3(h), error about 1e-15.
    pub fn cdf(&self, h: [f64; 3]) -> f64 {
        let h = h.map(|x| x.clamp(-FARTHEST, FARTHEST));
        dispatch(self.isa, Value { of: self, h })
    }

    /// Φ3 and its derivatives at h, errors of the same kind.
    pub fn derivatives(&self, h: [f64; 3]) -> Derivatives {
        let h = h.map(|x| x.clamp(-FARTHEST, FARTHEST));
        dispatch(self.isa, All { of: self, h })
    }

    /// Φ3 from Φ of each h.
    #[inline(always)]
    fn value<L: Lanes>(&self, h: [f64; 3], probabilities: &[f64]) -> L {
        let [apex, i, j] = self.order;
        let product = L::splat(probabilities[i] * probabilities[j] / L::WIDTH as f64);
        let start = self.start.integrate::<L>(h[i], h[j]) + product;
        let path = self.path.integrate::<L>([h[apex], h[i], h[j]]);
        start.mul_add(L::splat(probabilities[apex]), path)
    }
}

impl Given {
    fn new(correlations: &[f64; 3], k: usize) -> Option<Self> {
        let [i, j] = others(k);
        // Pair j joins i and k.
        let with = [correlations[j], correlations[i]];
        let scales = with.map(|r| 1.0 / ((1.0 - r) * (1.0 + r)).sqrt());
        let partial = (correlations[k] - with[0] * with[1]) * scales[0] * scales[1];
        if partial.abs() >= 1.0 {
            return None;
        }
        Some(Given {
            others: [i, j],
            correlations: with,
            scales,
            arc: Arc::new(arcsine(partial))?,
        })
    }
}

impl Pair {
    fn new(angles: &[f64; 3], fixed: &[f64; 3], k: usize) -> Self {
        let [i, j] = others(k);
        // Seen from i: its correlations with j and k, and that of j with k.
        let [from, to, last] = tilt([angles[k], angles[j]], fixed[i], 1.0);
        let mut tilt = [0.0; 3];
        (tilt[i], tilt[j], tilt[k]) = (from, to, last);
        Pair {
            ends: [i, j],
            sign: 1f64.copysign(angles[k]),
            exponent: Exponent::new(angles[k]),
            scale: INVERSE_TAU / fixed[k].sin(),
            tilt,
        }
    }
}

struct Value<'a> {
    of: &'a Trivariate,
    h: [f64; 3],
}

impl Kernel for Value<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f64 {
        let mut phi = [0.0; 8];
        phi[..3].copy_from_slice(&self.h);
        probabilities::<L, 8>(&mut phi);
        self.of.value::<L>(self.h, &phi).sum()
    }
}

struct All<'a> {
    of: &'a Trivariate,
    h: [f64; 3],
}

impl Kernel for All<'_> {
    type Output = Derivatives;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Derivatives {
        let All { of, h } = self;
        // Φ of h, of the bounds of two variables given one, and of one given two.
        let mut phi = [0.0; 16];
        let mut densities = [0.0; 8];
        let mut bounds = [[0.0; 2]; 3];
        for k in 0..3 {
            let given = &of.given[k];
            for side in 0..2 {
                let gap = h[given.others[side]] - given.correlations[side] * h[k];
                bounds[k][side] = gap * given.scales[side];
                phi[3 + 2 * k + side] = bounds[k][side];
            }
            phi[k] = h[k];
            densities[k] = -0.5 * h[k] * h[k];
            let pair = &of.pairs[k];
            phi[9 + k] = (0..3).map(|i| pair.tilt[i] * h[i]).sum();
            let [square, product] = forms(pair.sign, h[pair.ends[0]], h[pair.ends[1]]);
            densities[3 + k] = -(pair.exponent.square * square + pair.exponent.product * product);
        }
        probabilities::<L, 16>(&mut phi);
        exponentials::<L, 8>(&mut densities);
        // Loops, not closures, which would leave the code compiled for the instruction set.
        let mut integrals = [of.value::<L>(h, &phi); 4];
        for k in 0..3 {
            integrals[1 + k] = of.given[k].arc.integrate(bounds[k][0], bounds[k][1]);
        }
        let sums = L::sums(integrals);
        let mut gradient = [0.0; 3];
        let mut hessian = [[0.0; 3]; 3];
        for k in 0..3 {
            let both = phi[3 + 2 * k] * phi[4 + 2 * k] + sums[1 + k];
            gradient[k] = INVERSE_SQRT_TAU * densities[k] * both;
            let [i, j] = of.pairs[k].ends;
            let across = of.pairs[k].scale * densities[3 + k] * phi[9 + k];
            (hessian[i][j], hessian[j][i]) = (across, across);
        }
        for k in 0..3 {
            let [i, j] = others(k);
            let across = of.correlations[j] * hessian[k][i] + of.correlations[i] * hessian[k][j];
            hessian[k][k] = -h[k] * gradient[k] - across;
        }
        Derivatives {
            value: sums[0],
            gradient,
            hessian,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt};
    use rand_distr::StandardNormal;

    use super::super::slices::Slices;
    use super::{others, Trivariate};

    /// Correlations of three sums of a common part and four others of a given standard deviation.
    fn correlations<R: Rng>(noise: f64, rng: &mut R) -> [f64; 3] {
        let rows: [[f64; 5]; 3] = std::array::from_fn(|_| {
            let mut row = [0.0; 5].map(|_: f64| noise * rng.sample::<f64, _>(StandardNormal));
            row[0] /= noise;
            row
        });
        let product = |i: usize, j: usize| (0..5).map(|k| rows[i][k] * rows[j][k]).sum::<f64>();
        [0, 1, 2].map(|k| {
            let [i, j] = others(k);
            product(i, j) / (product(i, i) * product(j, j)).sqrt()
        })
    }

    /// Two integrals that have nothing in common: along correlations, and along a variable.
    #[test]
    fn slices_say_the_same() {
        let mut rng = crate::rng::stream(1, 1);
        let (mut near_singular, mut worst) = (0, 0f64);
        for case in 0..1200 {
            let r = correlations([3.0, 1.0, 0.5, 0.3][case % 4], &mut rng);
            let Some(standard) = Trivariate::new(r) else {
                near_singular += 1;
                continue;
            };
            let h = [0.0; 3].map(|_: f64| 1.5 * rng.sample::<f64, _>(StandardNormal));
            let at = standard.derivatives(h);
            assert!((at.value - standard.cdf(h)).abs() < 4e-16);
            let octant = Slices::new(r).octant(h.map(|x| -x));
            let error = (at.value - octant.log_probability.exp()).abs();
            worst = worst.max(error);
            assert!(error < 1e-13, "{r:?} {h:?} {error:e}");
            for k in 0..3 {
                let [i, j] = others(k);
                let first = at.gradient[k] + r[j] * at.gradient[i] + r[i] * at.gradient[j];
                let excess = (octant.excess[k] - h[k]) * at.value;
                assert!((first - excess).abs() < 1e-12, "{r:?} {h:?}");
            }
        }
        assert!(near_singular < 60, "{near_singular} {worst}");
    }
}
