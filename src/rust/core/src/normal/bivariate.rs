//! Quadrants of the bivariate normal distribution: probabilities and moments to relative precision, however small.
//!
//! A quadrant {X1 > a, X2 > b} whose apex looks away from the mean is a [`Wedge`]. Any other is a half-plane, or the plane,
//! less such wedges and half-planes, chosen so that little cancels; each piece carries the logarithm of its scale, and its
//! moments about a point of its own near which its mass lies.

use super::ray;
use super::univariate;
use super::wedge::Wedge;
use crate::simd::{Lanes, Scalar};

const LOG_TAU: f64 = 1.837_877_066_409_345_3;

/// Bounds are cut here, where squares do not overflow yet.
const FARTHEST: f64 = 1e70;

/// Standard bivariate normal X of a given correlation.
#[derive(Debug, Clone)]
pub struct Bivariate {
    /// r.
    correlation: f64,
    /// √(1 - r²).
    sine: f64,
    same: Wedge,
    opposite: Wedge,
}

/// Φ2(h, k; r) = P(X1 ≤ h, X2 ≤ k) for -1 ≤ r ≤ 1, to 15 digits (absolute and relative). Many points of one r go
/// faster through [`Bivariate::upper`] at (-h, -k).
pub fn cdf(h: f64, k: f64, r: f64) -> f64 {
    if r >= 1.0 {
        univariate::cdf(h.min(k))
    } else if r <= -1.0 {
        antithetic(h, k)
    } else {
        Bivariate::at_corner(r, -h, -k).upper(-h, -k)
    }
}

/// log Φ2(h, k; r), finite where Φ2 underflows.
pub fn log_cdf(h: f64, k: f64, r: f64) -> f64 {
    if r >= 1.0 {
        univariate::log_cdf(h.min(k))
    } else if r <= -1.0 {
        antithetic(h, k).ln()
    } else {
        Bivariate::at_corner(r, -h, -k).log_upper(-h, -k)
    }
}

/// P(-k ≤ X ≤ h) for a standard normal X.
fn antithetic(h: f64, k: f64) -> f64 {
    let (low, high) = if h > k { (-h, k) } else { (-k, h) };
    (univariate::cdf(high) - univariate::cdf(low)).max(0.0)
}

/// X given that it lies in a quadrant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quadrant {
    pub log_probability: f64,
    /// E[X] less the corner of the quadrant: positive.
    pub excess: [f64; 2],
    /// Var X1, Cov(X1, X2), Var X2.
    pub covariance: [f64; 3],
}

impl Bivariate {
    /// -1 < `correlation` < 1.
    pub fn new(correlation: f64) -> Self {
        Bivariate {
            correlation,
            sine: ((1.0 - correlation) * (1.0 + correlation)).sqrt(),
            same: Wedge::new(correlation),
            opposite: Wedge::new(-correlation),
        }
    }

    /// As [`Bivariate::new`], for the corners ±a, ±b alone.
    fn at_corner(correlation: f64, a: f64, b: f64) -> Self {
        let sine = ((1.0 - correlation) * (1.0 + correlation)).sqrt();
        let edge = (b - correlation * a) / sine;
        let distance_squared = a * a + edge * edge;
        Bivariate {
            correlation,
            sine,
            same: Wedge::at_distance(correlation, distance_squared),
            opposite: Wedge::at_distance(-correlation, distance_squared),
        }
    }

    /// P(X1 > a, X2 > b).
    pub fn upper(&self, a: f64, b: f64) -> f64 {
        let piece = self.quadrant::<false>(a, b);
        piece.whole + piece.mass * piece.log_scale.exp()
    }

    /// log P(X1 > a, X2 > b).
    pub fn log_upper(&self, a: f64, b: f64) -> f64 {
        self.quadrant::<false>(a, b).log_mass()
    }

    /// log P(X1 > a, X2 > b) and the moments of X there.
    pub fn moments(&self, a: f64, b: f64) -> Quadrant {
        let piece = self.quadrant::<true>(a, b);
        let mass = piece.whole + piece.mass;
        let mean = piece.first.map(|value| value / mass);
        let [xx, xy, yy] = piece.second.map(|value| value / mass);
        Quadrant {
            log_probability: piece.log_mass(),
            excess: [piece.at[0] - a + mean[0], piece.at[1] - b + mean[1]],
            covariance: [
                xx - mean[0] * mean[0],
                xy - mean[0] * mean[1],
                yy - mean[1] * mean[1],
            ],
        }
    }

    /// The quadrant above (a, b).
    fn quadrant<const MOMENTS: bool>(&self, a: f64, b: f64) -> Piece {
        let corner = [a, b].map(|x| x.clamp(-FARTHEST, FARTHEST));
        let edges = [
            (corner[1] - self.correlation * corner[0]) / self.sine,
            (corner[0] - self.correlation * corner[1]) / self.sine,
        ];
        let far = usize::from(corner[1] > corner[0]);
        let near = 1 - far;
        let distance_squared = corner[far] * corner[far] + edges[far] * edges[far];
        let wedge = |signs| self.wedge::<MOMENTS>(corner, edges, signs, distance_squared);
        let reach = -ray::REACH;
        let lowest = if corner[0] < 0.0 && corner[1] < 0.0 {
            -distance_squared.sqrt()
        } else {
            edges[far]
        };
        if lowest >= reach || lowest.is_nan() {
            return wedge([1.0, 1.0]);
        }
        // Bounded by the larger of a and b alone; what lies below the other one goes.
        let mut piece = self.above(far, corner[far]);
        let mut signs = [1.0, 1.0];
        signs[near] = -1.0;
        if edges[near] < reach {
            piece.add(-1.0, &self.half_plane(near, corner[near], -1.0));
            piece.add(1.0, &wedge([-1.0, -1.0]));
        } else {
            piece.add(-1.0, &wedge(signs));
        }
        piece
    }

    /// {q1 X1 > q1 a, q2 X2 > q2 b} for the corner (a, b), q = `signs`.
    fn wedge<const MOMENTS: bool>(
        &self,
        corner: [f64; 2],
        edges: [f64; 2],
        signs: [f64; 2],
        distance_squared: f64,
    ) -> Piece {
        let turn = signs[0] * signs[1];
        let rules = if turn > 0.0 {
            &self.same
        } else {
            &self.opposite
        };
        let edges = [signs[1] * edges[0], signs[0] * edges[1]];
        let integrals = rules.integrate::<MOMENTS>(edges, distance_squared);
        let [x, y] = integrals.first;
        let [xx, xy, yy] = integrals.second;
        Piece {
            log_scale: -0.5 * distance_squared - LOG_TAU,
            whole: 0.0,
            mass: integrals.mass,
            at: corner,
            first: [signs[0] * x, signs[1] * y],
            second: [xx, turn * xy, yy],
        }
    }

    /// {X_axis > bound}.
    fn above(&self, axis: usize, bound: f64) -> Piece {
        if bound < -ray::REACH {
            let mut plane = Piece {
                log_scale: 0.0,
                whole: 1.0,
                mass: 0.0,
                at: [0.0; 2],
                first: [0.0; 2],
                second: [1.0, self.correlation, 1.0],
            };
            plane.add(-1.0, &self.half_plane(axis, bound, -1.0));
            plane
        } else {
            self.half_plane(axis, bound, 1.0)
        }
    }

    /// {q X_axis > q bound} for q bound ≥ -[`ray::REACH`], q = `sign`. Given X_axis = bound + q ρ the other coordinate is
    /// N(r bound + q r ρ, s²).
    fn half_plane(&self, axis: usize, bound: f64, sign: f64) -> Piece {
        let r = self.correlation;
        let [mass, first, second, _] = ray::integrals(Scalar::splat(sign * bound)).map(Lanes::sum);
        let order = |own: f64, other: f64| {
            if axis == 0 {
                [own, other]
            } else {
                [other, own]
            }
        };
        let other = r * r * second + self.sine * self.sine * mass;
        let squares = order(second, other);
        Piece {
            log_scale: -0.5 * (bound * bound + LOG_TAU),
            whole: 0.0,
            mass,
            at: order(bound, r * bound),
            first: order(sign * first, sign * r * first),
            second: [squares[0], r * second, squares[1]],
        }
    }
}

/// Integrals of 1, X - `at` and its products over part of the plane, divided by exp(`log_scale`).
#[derive(Debug, Clone, Copy)]
struct Piece {
    log_scale: f64,
    /// 1 where the piece is the whole plane less something, and `mass` is that; `log_scale` is then 0.
    whole: f64,
    mass: f64,
    at: [f64; 2],
    first: [f64; 2],
    second: [f64; 3],
}

impl Piece {
    fn log_mass(&self) -> f64 {
        if self.whole > 0.0 {
            self.mass.ln_1p()
        } else {
            self.log_scale + self.mass.ln()
        }
    }

    /// Adds `sign` times a piece of a smaller scale.
    fn add(&mut self, sign: f64, other: &Piece) {
        let scale = sign * (other.log_scale - self.log_scale).exp();
        if scale == 0.0 {
            return;
        }
        let [dx, dy] = [other.at[0] - self.at[0], other.at[1] - self.at[1]];
        let ([x, y], [xx, xy, yy]) = (other.first, other.second);
        let (sx, sy) = (x + dx * other.mass, y + dy * other.mass);
        self.mass += scale * other.mass;
        self.first[0] += scale * sx;
        self.first[1] += scale * sy;
        self.second[0] += scale * (xx + dx * (x + sx));
        self.second[1] += scale * (xy + dx * y + dy * sx);
        self.second[2] += scale * (yy + dy * (y + sy));
    }
}
