//! Plackett's (1954, *Biometrika* 41) identity ∂Φ_J/∂r_ij = ∂²Φ_J/∂h_i∂h_j, integrated along a path of correlations.
//!
//! The correlations of one variable, the apex, with the others go as r_j(t) = sin(t asin r_j) from 0 at t = 0 to their value
//! at t = 1 (Genz 2004, *Statistics and Computing* 14, eqs. 5 and 14); then dr_j/dt cancels the root in the bivariate density.
//! The integrand has singularities where the correlation matrix is singular, at real t. The nearest of them, beyond 1, is
//! sent to infinity by t = T (1 - (1 - 1/T)^u), and a Gauss–Legendre rule in u then converges fast.

use std::f64::consts::{FRAC_PI_2, TAU};
use std::sync::LazyLock;

use super::gauss_legendre::{self, Node};
use super::ray;
use crate::simd::{exp, Lanes};

const INVERSE_SQRT_TAU: f64 = 0.398_942_280_401_432_7;

/// The most distant singularity that makes a difference.
const FARTHEST: f64 = 1e6;

/// Numbers of nodes (whole numbers of the widest vectors) and the largest -log(1 - 1/T) for which each leaves an error
/// below 2e-15; found by trial on 1500 correlation matrices against 160 nodes.
const LADDER: [(usize, f64); 5] = [(8, 0.4), (16, 1.4), (24, 1.9), (32, 2.4), (48, 5.0)];

static RULES: LazyLock<[Vec<Node>; 5]> =
    LazyLock::new(|| LADDER.map(|(order, _)| gauss_legendre::rule(order)));

/// How far the nearest singularity of a path is: T becomes -log(1 - 1/T), small when far. None if a rule would need too
/// many nodes.
pub(super) fn steepness(nearest: f64) -> Option<f64> {
    let steepness = -(-1.0 / nearest.min(FARTHEST)).ln_1p();
    (steepness <= LADDER[LADDER.len() - 1].1).then_some(steepness)
}

/// t and weights of the rule for a given [`steepness`].
pub(super) fn nodes(steepness: f64) -> impl Iterator<Item = (f64, f64)> {
    let rung = LADDER.iter().position(|&(_, most)| steepness <= most);
    let nearest = -1.0 / (-steepness).exp_m1();
    RULES[rung.unwrap_or(LADDER.len() - 1)]
        .iter()
        .map(move |node| {
            let t = -nearest * (-steepness * node.left).exp_m1();
            let slope = nearest * steepness * (-steepness * node.left).exp();
            (t, node.weight * slope)
        })
}

/// (h_i² + h_j² - 2 s h_i h_j) / (2 (1 - s²)) as `square` A + `product` B without cancellation, where
/// A = (h_i - σ h_j)², B = σ h_i h_j and σ is the sign of s.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exponent {
    pub square: f64,
    pub product: f64,
}

impl Exponent {
    /// s = sin `angle`.
    pub fn new(angle: f64) -> Self {
        let size = angle.abs();
        Exponent {
            square: 0.5 / (FRAC_PI_2 - size).sin().powi(2),
            product: 1.0 / (1.0 + size.sin()),
        }
    }
}

/// A and B of [`Exponent`].
#[inline(always)]
pub(super) fn forms(sign: f64, first: f64, second: f64) -> [f64; 2] {
    let gap = first - sign * second;
    [gap * gap, sign * first * second]
}

/// Φ2(h, k; r) - Φ(h) Φ(k) = (1/2π) ∫_0^{asin r} exp(-(h² + k² - 2hk sin θ)/(2 cos² θ)) dθ, at many (h, k) for one r.
#[derive(Debug, Clone)]
pub(super) struct Arc {
    /// Sign of r.
    pub sign: f64,
    square: Vec<f64>,
    product: Vec<f64>,
    weights: Vec<f64>,
}

impl Arc {
    /// r = sin `angle`; None beside ±1.
    pub fn new(angle: f64) -> Option<Self> {
        let steepness = steepness(FRAC_PI_2 / angle.abs())?;
        Some(Arc::with_nodes(angle, nodes(steepness)))
    }

    /// With the rule of some path of which this is a part.
    pub fn with_nodes(angle: f64, nodes: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut arc = Arc {
            sign: 1f64.copysign(angle),
            square: Vec::new(),
            product: Vec::new(),
            weights: Vec::new(),
        };
        for (t, weight) in nodes {
            let exponent = Exponent::new(t * angle);
            arc.square.push(-exponent.square);
            arc.product.push(-exponent.product);
            arc.weights.push(weight * angle / TAU);
        }
        arc
    }

    /// The integral at (h, k).
    #[inline(always)]
    pub fn integrate<L: Lanes>(&self, first: f64, second: f64) -> L {
        let forms = forms(self.sign, first, second).map(L::splat);
        let mut sum = L::splat(0.0);
        let square = self.square.chunks_exact(L::WIDTH);
        let product = self.product.chunks_exact(L::WIDTH);
        let weights = self.weights.chunks_exact(L::WIDTH);
        for ((square, product), weights) in square.zip(product).zip(weights) {
            let [density] = exp([exponent([L::load(square), L::load(product)], forms)]);
            sum = density.mul_add(L::load(weights), sum);
        }
        sum
    }
}

#[inline(always)]
fn exponent<L: Lanes>(constants: [L; 2], forms: [L; 2]) -> L {
    constants[0].mul_add(forms[0], constants[1] * forms[1])
}

/// Φ(`tilt` · h) at the nodes of a path, beside its [`Arc`].
#[derive(Debug, Clone, Default)]
pub(super) struct Tilt([Vec<f64>; 3]);

impl Tilt {
    pub fn push(&mut self, coefficients: [f64; 3]) {
        for (values, value) in self.0.iter_mut().zip(coefficients) {
            values.push(value);
        }
    }
}

/// The two arcs of a trivariate path that meet in the apex, with the probabilities of the variable that each leaves out.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub arcs: [Arc; 2],
    pub tilts: [Tilt; 2],
}

impl Path {
    /// Both integrals; h in the order apex, then the other end of the first arc and of the second.
    #[inline(always)]
    pub fn integrate<L: Lanes>(&self, h: [f64; 3]) -> L {
        let [first, second] = &self.arcs;
        let forms = [
            forms(first.sign, h[0], h[1]).map(L::splat),
            forms(second.sign, h[0], h[2]).map(L::splat),
        ];
        let h = h.map(L::splat);
        let mut sum = L::splat(0.0);
        for start in (0..first.weights.len()).step_by(L::WIDTH) {
            let mut exponents = [L::splat(0.0); 4];
            let mut bounds = [L::splat(0.0); 2];
            for i in 0..2 {
                let (arc, tilt) = (&self.arcs[i], &self.tilts[i].0);
                let constants = [
                    L::load(&arc.square[start..]),
                    L::load(&arc.product[start..]),
                ];
                exponents[i] = exponent(constants, forms[i]);
                let [a, b, c] = [
                    L::load(&tilt[0][start..]),
                    L::load(&tilt[1][start..]),
                    L::load(&tilt[2][start..]),
                ];
                bounds[i] = a.mul_add(h[0], b.mul_add(h[1], c * h[2]));
                exponents[2 + i] = bounds[i] * bounds[i] * L::splat(-0.5);
            }
            let densities = exp(exponents);
            for i in 0..2 {
                let probability = probability(bounds[i], densities[2 + i]);
                let weight = L::load(&self.arcs[i].weights[start..]);
                sum = (densities[i] * weight).mul_add(probability, sum);
            }
        }
        sum
    }
}

/// Φ(x) from exp(-x²/2), to absolute precision.
#[inline(always)]
fn probability<L: Lanes>(x: L, density: L) -> L {
    let zero = L::splat(0.0);
    let ratio = ray::zeroth(zero - x.neg_abs());
    let upper = density * ratio * L::splat(INVERSE_SQRT_TAU);
    L::select(x.less(zero), upper, L::splat(1.0) - upper)
}

/// Φ of each value, and e^x of each, on as many lanes as fit.
#[inline(always)]
pub(super) fn probabilities<L: Lanes, const N: usize>(values: &mut [f64; N]) {
    for values in values.chunks_exact_mut(L::WIDTH) {
        let x = L::load(values);
        let [density] = exp([x * x * L::splat(-0.5)]);
        probability(x, density).store(values);
    }
}

/// e^x of each value.
#[inline(always)]
pub(super) fn exponentials<L: Lanes, const N: usize>(values: &mut [f64; N]) {
    for values in values.chunks_exact_mut(L::WIDTH) {
        let [e] = exp([L::load(values)]);
        e.store(values);
    }
}
