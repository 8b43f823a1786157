//! A corner of the plane under a bivariate normal density, in polar coordinates about its apex.
//!
//! X is standard bivariate normal with correlation r, s = √(1 - r²), and the wedge is {X1 > a, X2 > b}. Where X is white the
//! wedge has the angle θ = arccos(-r), and its apex the squared distance R² = (a² - 2rab + b²)/s² from the mean. A
//! point at distance ρ from the apex in direction ψ ∈ (0, θ) is X1 = a + ρ sin ψ, X2 = b + ρ sin(θ - ψ), so
//!
//! ```text
//! ∫ g = exp(-R²/2)/(2π) ∫_0^θ ∫_0^∞ g ρ exp(-ρ t - ρ²/2) dρ dψ,   t(ψ) = (t1 sin(θ - ψ) + t2 sin ψ)/s,
//! t1 = (b - ra)/s, t2 = (a - rb)/s,
//! ```
//!
//! and the inner integrals are I_1, I_2 and I_3 of [`ray`](super::ray). Nothing cancels where t is not far below 0, however
//! thin the wedge or far its apex: the factor exp(-R²/2) is kept as a logarithm. This is the integral behind Owen's T
//! function (Owen 1956, *Ann. Math. Statist.* 27), taken about the apex instead of the mean.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::gauss_legendre;
use super::ray;
use crate::simd::{dispatch, Isa, Kernel, Lanes};

/// Integrals over a wedge times 2π exp(R²/2).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Integrals {
    /// Of 1.
    pub mass: f64,
    /// Of X1 - a and X2 - b.
    pub first: [f64; 2],
    /// Of (X1 - a)², (X1 - a)(X2 - b) and (X2 - b)².
    pub second: [f64; 3],
}

/// Rules for wedges of one correlation.
#[derive(Debug, Clone)]
pub(super) struct Wedge {
    /// √(1 - r²).
    sine: f64,
    rules: Vec<Rule>,
    isa: Isa,
}

/// Nodes in ψ, a whole number of the widest vectors.
#[derive(Debug, Clone)]
struct Rule {
    /// The largest R² that it serves.
    limit: f64,
    /// sin(θ - ψ)/s.
    first: Vec<f64>,
    /// sin(ψ)/s.
    second: Vec<f64>,
    weights: Vec<f64>,
}

/// A rule on (0, 1) and the largest θR for which it has 14 digits.
struct Template {
    reach: f64,
    nodes: Vec<gauss_legendre::Node>,
}

/// Wider wedges need more than the first template, whatever R.
const WIDE: f64 = 2.2;

/// Plain rules while the integrand varies slowly; further out it lives within 1/R of the edges.
static TEMPLATES: LazyLock<[Template; 5]> = LazyLock::new(|| {
    let plain = |order, reach| Template {
        reach,
        nodes: gauss_legendre::rule(order),
    };
    [
        plain(16, 4.0),
        plain(24, 10.0),
        plain(32, 20.0),
        Template {
            reach: 800.0,
            nodes: graded(6.0, 32),
        },
        Template {
            reach: f64::INFINITY,
            nodes: graded(12.0, 56),
        },
    ]
});

/// 2 × `order` nodes on (0, 1), crowded beside both ends: x = sinh(κy) / (2 sinh κ) from either.
fn graded(crowding: f64, order: usize) -> Vec<gauss_legendre::Node> {
    let half = gauss_legendre::rule(order);
    let scale = 0.5 / crowding.sinh();
    let near = half.iter().map(|node| {
        let y = crowding * node.left;
        let left = scale * y.sinh();
        gauss_legendre::Node {
            left,
            right: 1.0 - left,
            weight: node.weight * scale * crowding * y.cosh(),
        }
    });
    let far = near.clone().rev().map(|node| gauss_legendre::Node {
        left: node.right,
        right: node.left,
        weight: node.weight,
    });
    near.chain(far).collect()
}

impl Wedge {
    /// For one correlation, -1 < r < 1, and every apex.
    pub fn new(correlation: f64) -> Self {
        Wedge::with_rules(correlation, |_| true)
    }

    /// For one correlation and apexes at the distance R alone.
    pub fn at_distance(correlation: f64, distance_squared: f64) -> Self {
        let mut found = false;
        Wedge::with_rules(correlation, |limit| {
            let serves = !found && (distance_squared <= limit || limit.is_infinite());
            found |= serves;
            serves
        })
    }

    /// With the rules whose limit of R² is wanted.
    fn with_rules(correlation: f64, mut wanted: impl FnMut(f64) -> bool) -> Self {
        let sine = ((1.0 - correlation) * (1.0 + correlation)).sqrt();
        let angle = sine.atan2(-correlation);
        let narrow = usize::from(angle > WIDE);
        let rules = TEMPLATES[narrow..].iter().filter_map(|template| {
            let limit = (template.reach / angle).powi(2);
            wanted(limit).then(|| Rule::new(template, limit, correlation, sine))
        });
        Wedge {
            sine,
            rules: rules.collect(),
            isa: Isa::best(),
        }
    }

    /// Integrals for t1 and t2 of the edges; t must not fall below -[`ray::REACH`] in between. With `MOMENTS` false the mass
    /// alone.
    pub fn integrate<const MOMENTS: bool>(
        &self,
        edges: [f64; 2],
        distance_squared: f64,
    ) -> Integrals {
        let last = &self.rules[self.rules.len() - 1];
        let rule = self
            .rules
            .iter()
            .find(|rule| distance_squared <= rule.limit)
            .unwrap_or(last);
        let kernel = Sum::<MOMENTS> { rule, edges };
        let [mass, x, y, xx, xy, yy] = dispatch(self.isa, kernel);
        let (s, s2) = (self.sine, self.sine * self.sine);
        Integrals {
            mass,
            first: [s * x, s * y],
            second: [s2 * xx, s2 * xy, s2 * yy],
        }
    }
}

impl Rule {
    fn new(template: &Template, limit: f64, correlation: f64, sine: f64) -> Self {
        // sin(θx), by way of the supplement where θ is near π.
        let (angle, supplement) = (sine.atan2(-correlation), sine.atan2(correlation));
        let ratio = |x: f64, rest: f64| {
            let turned = if x < 0.5 {
                angle * x
            } else {
                PI * rest + supplement * x
            };
            turned.sin() / sine
        };
        let nodes = &template.nodes;
        Rule {
            limit,
            first: nodes.iter().map(|n| ratio(n.right, n.left)).collect(),
            second: nodes.iter().map(|n| ratio(n.left, n.right)).collect(),
            weights: nodes.iter().map(|n| angle * n.weight).collect(),
        }
    }
}

/// The sums over nodes of [`Wedge::integrate`].
struct Sum<'a, const MOMENTS: bool> {
    rule: &'a Rule,
    edges: [f64; 2],
}

impl<const MOMENTS: bool> Kernel for Sum<'_, MOMENTS> {
    type Output = [f64; 6];

    #[inline(always)]
    fn run<L: Lanes>(self) -> [f64; 6] {
        let [t1, t2] = self.edges.map(L::splat);
        let mut sums = [L::splat(0.0); 6];
        let first = self.rule.first.chunks_exact(L::WIDTH);
        let second = self.rule.second.chunks_exact(L::WIDTH);
        let weights = self.rule.weights.chunks_exact(L::WIDTH);
        for ((first, second), weight) in first.zip(second).zip(weights) {
            let (along, across, weight) = (L::load(first), L::load(second), L::load(weight));
            let t = t1.mul_add(along, t2 * across);
            let [_, one, two, three] = ray::integrals(t);
            sums[0] = weight.mul_add(one, sums[0]);
            if MOMENTS {
                let (two, three) = (weight * two, weight * three);
                let (x, y) = (across * three, along * three);
                sums[1] = across.mul_add(two, sums[1]);
                sums[2] = along.mul_add(two, sums[2]);
                sums[3] = across.mul_add(x, sums[3]);
                sums[4] = along.mul_add(x, sums[4]);
                sums[5] = along.mul_add(y, sums[5]);
            }
        }
        let [mass, x, y, xx] = L::sums([sums[0], sums[1], sums[2], sums[3]]);
        [mass, x, y, xx, sums[4].sum(), sums[5].sum()]
    }
}
