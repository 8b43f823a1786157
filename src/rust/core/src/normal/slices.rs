//! Octants of the trivariate normal distribution to relative precision, slice by slice: the two variables that are left
//! given the first one are a [`Bivariate`] quadrant, and what remains is one integral, of a log-concave function on a ray.
//!
//! Slow beside [`Trivariate`](super::trivariate::Trivariate), but right in the tails and near singular matrices.

use std::cell::Cell;

use super::bivariate::{Bivariate, Quadrant};
use super::trivariate::others;

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Logarithms by which the integrand falls from its mode to where it is cut, and to the end of the main panels.
const CUT: f64 = 38.0;
const MAIN: f64 = 8.0;

/// Newton steps towards the mode, which need only be near.
const STEPS: usize = 60;
const NEAR: f64 = 0.05;

/// A panel is halved until two rules agree to this share of the whole; the better rule then has far less error.
const AGREEMENT: f64 = 1e-9;
const HALVINGS: usize = 24;
/// No more panels are halved than this, whatever the agreement.
const MOST_HALVED: usize = 400;

/// Units in the last place of a log density that rounding may cost.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Partial correlations are held off ±1.
const LARGEST: f64 = 1.0 - f64::EPSILON;

/// Nodes in (0, 1) of Gauss and Kronrod's rules of 10 and 21 points on [-1, 1] and their weights (Piessens et al. 1983,
/// *QUADPACK*); the 10 points are those of odd index.
const NODES: [f64; 11] = [
    0.995_657_163_025_808_1,
    0.973_906_528_517_171_7,
    0.930_157_491_355_708_2,
    0.865_063_366_688_984_5,
    0.780_817_726_586_416_9,
    0.679_409_568_299_024_4,
    0.562_757_134_668_604_7,
    0.433_395_394_129_247_2,
    0.294_392_862_701_460_2,
    0.148_874_338_981_631_22,
    0.0,
];
const KRONROD: [f64; 11] = [
    0.011_694_638_867_371_874,
    0.032_558_162_307_964_725,
    0.054_755_896_574_351_995,
    0.075_039_674_810_919_96,
    0.093_125_454_583_697_6,
    0.109_387_158_802_297_64,
    0.123_491_976_262_065_84,
    0.134_709_217_311_473_34,
    0.142_775_938_577_060_09,
    0.147_739_104_901_338_49,
    0.149_445_554_002_916_9,
];
const GAUSS: [f64; 5] = [
    0.066_671_344_308_688_14,
    0.149_451_349_150_580_6,
    0.219_086_362_515_982_04,
    0.269_266_719_309_996_35,
    0.295_524_224_714_752_87,
];

/// Standard trivariate normal X of given correlations.
#[derive(Debug, Clone)]
pub(super) struct Slices {
    /// The variable that is integrated last, then the other two.
    order: [usize; 3],
    /// r and √(1 - r²) of the other two with it.
    correlations: [f64; 2],
    sines: [f64; 2],
    rest: Bivariate,
    /// Partial correlation of the other two.
    partial: f64,
}

/// X given that it lies in an octant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Octant {
    pub log_probability: f64,
    /// E[X] less the corner of the octant: positive.
    pub excess: [f64; 3],
    /// Cov(X).
    pub covariance: [[f64; 3]; 3],
}

/// A slice at the distance y from the corner.
#[derive(Debug, Clone, Copy)]
struct Slice {
    y: f64,
    /// Log of its share of the probability, per unit of y.
    log_density: f64,
    /// E and Var, Cov, Var of the other two less their corner.
    excess: [f64; 2],
    covariance: [f64; 3],
}

/// Integrals of 1, of Y less a point and of its products, over part of the ray; Y in the order of [`Slices`].
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    mass: f64,
    first: [f64; 3],
    /// 00, 01, 02, 11, 12, 22.
    second: [f64; 6],
}

/// The integral along the ray.
struct Ray<'a> {
    slices: &'a Slices,
    corner: [f64; 3],
    /// The slice at the mode, whose density is the unit of `Sums` and whose means are their origin.
    mode: Slice,
    agreement: f64,
    halved: Cell<usize>,
}

impl Slices {
    /// `correlations` of the pairs (1, 2), (0, 2), (0, 1).
    pub fn new(correlations: [f64; 3]) -> Self {
        // The pair that is closest stays together.
        let size = |k: &usize| correlations[*k].abs();
        let last = (0..3)
            .max_by(|a, b| size(a).total_cmp(&size(b)))
            .unwrap_or(0);
        let [i, j] = others(last);
        let with = [correlations[j], correlations[i]].map(|r| r.clamp(-LARGEST, LARGEST));
        let sines = with.map(|r| ((1.0 - r) * (1.0 + r)).sqrt());
        let partial = (correlations[last] - with[0] * with[1]) / (sines[0] * sines[1]);
        let partial = partial.clamp(-LARGEST, LARGEST);
        Slices {
            order: [last, i, j],
            correlations: with,
            sines,
            rest: Bivariate::new(partial),
            partial,
        }
    }

    /// log P(X > `corner`) and the moments of X there.
    pub fn octant(&self, corner: [f64; 3]) -> Octant {
        let corner = self.order.map(|k| corner[k]);
        let (mode, slope, curvature) = self.mode(corner);
        let ray = Ray {
            slices: self,
            corner,
            mode,
            agreement: AGREEMENT + ROUNDING * mode.log_density.abs(),
            halved: Cell::new(0),
        };
        let sums = ray.integrate(slope, curvature);
        let mean = sums.first.map(|value| value / sums.mass);
        let origin = [mode.y, mode.excess[0], mode.excess[1]];
        let mut octant = Octant {
            log_probability: mode.log_density + sums.mass.ln(),
            excess: [0.0; 3],
            covariance: [[0.0; 3]; 3],
        };
        let mut second = sums.second.iter();
        for a in 0..3 {
            octant.excess[self.order[a]] = origin[a] + mean[a];
            for b in a..3 {
                let raw = second.next().map_or(f64::NAN, |value| value / sums.mass);
                let central = raw - mean[a] * mean[b];
                octant.covariance[self.order[a]][self.order[b]] = central;
                octant.covariance[self.order[b]][self.order[a]] = central;
            }
        }
        octant
    }

    /// The corner of the other two, standardised given that the first is at y from its own.
    fn rest_corner(&self, corner: [f64; 3], y: f64) -> [f64; 2] {
        let x = corner[0] + y;
        [0, 1].map(|i| (corner[1 + i] - self.correlations[i] * x) / self.sines[i])
    }

    fn slice(&self, corner: [f64; 3], y: f64) -> (Slice, Quadrant) {
        let [a, b] = self.rest_corner(corner, y);
        let rest = self.rest.moments(a, b);
        let x = corner[0] + y;
        let [s, t] = self.sines;
        let [aa, ab, bb] = rest.covariance;
        let slice = Slice {
            y,
            log_density: rest.log_probability - 0.5 * x * x - HALF_LOG_TAU,
            excess: [s * rest.excess[0], t * rest.excess[1]],
            covariance: [s * s * aa, s * t * ab, t * t * bb],
        };
        (slice, rest)
    }

    /// A slice near the mode of the density on y ≥ 0, with the slope there and minus its derivative, at least 1.
    fn mode(&self, corner: [f64; 3]) -> (Slice, f64, f64) {
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut y = 0f64;
        let mut found = self.derivatives(corner, y);
        for step in 0..STEPS {
            let (_, slope, curvature) = found;
            let at_end = y == 0.0 && slope <= 0.0;
            let newton = slope / curvature;
            if at_end || newton * newton * curvature <= NEAR * NEAR || !slope.is_finite() {
                break;
            }
            if slope > 0.0 {
                low = y;
            } else {
                high = y;
            }
            let unconstrained = -corner[0];
            y = if step == 0 && unconstrained > 0.0 {
                unconstrained
            } else if y + newton > low && y + newton < high {
                y + newton
            } else if high.is_finite() {
                0.5 * (low + high)
            } else {
                // Curvature is at least 1, so that the mode is nearer than this.
                low + slope
            };
            found = self.derivatives(corner, y);
        }
        found
    }

    /// The slice at y with the first derivative of its log density and minus the second.
    fn derivatives(&self, corner: [f64; 3], y: f64) -> (Slice, f64, f64) {
        let (slice, rest) = self.slice(corner, y);
        let bounds = self.rest_corner(corner, y);
        // Derivatives of the log probability in the means: R⁻¹(E - m) and R⁻¹(V - R)R⁻¹, and those of the means in y.
        let (r, square) = (self.partial, (1.0 - self.partial) * (1.0 + self.partial));
        let solve = |v: [f64; 2]| [(v[0] - r * v[1]) / square, (v[1] - r * v[0]) / square];
        let shift = [0, 1].map(|i| self.correlations[i] / self.sines[i]);
        let weights = solve(shift);
        let away = [rest.excess[0] + bounds[0], rest.excess[1] + bounds[1]];
        let slope = weights[0] * away[0] + weights[1] * away[1] - (corner[0] + y);
        let [aa, ab, bb] = rest.covariance;
        let inside =
            weights[0] * (weights[0] * aa + 2.0 * weights[1] * ab) + weights[1] * weights[1] * bb;
        let outside = weights[0] * shift[0] + weights[1] * shift[1];
        (slice, slope, (1.0 + outside - inside).max(1.0))
    }
}

/// Distance over which a function of a given slope and curvature (both downwards) falls by `drop`.
fn fall(slope: f64, curvature: f64, drop: f64) -> f64 {
    2.0 * drop / (slope + (slope * slope + 2.0 * curvature * drop).sqrt())
}

impl Ray<'_> {
    /// Over all of the ray that counts, from `slope` and `curvature` at the mode.
    fn integrate(&self, slope: f64, curvature: f64) -> Sums {
        let mode = self.mode.y;
        // The curvature is at least 1 everywhere, so that nothing is cut.
        let above = fall(-slope, 1.0, CUT);
        let below = fall(slope, 1.0, CUT).min(mode);
        let main_above = fall(-slope, curvature, MAIN);
        let main_below = fall(slope, curvature, MAIN);
        let ends = [
            mode - below,
            mode - main_below.min(below),
            mode,
            mode + main_above.min(above),
            mode + above,
        ];
        let mut total = Sums::default();
        // The main panels first: they say how much the others matter.
        for panel in [2, 1, 3, 0] {
            if ends[panel] < ends[panel + 1] {
                self.panel(ends[panel], ends[panel + 1], HALVINGS, &mut total);
            }
        }
        total
    }

    /// Adds [`low`, `high`] to `total`.
    fn panel(&self, low: f64, high: f64, halvings: usize, total: &mut Sums) {
        let (centre, radius) = (0.5 * (low + high), 0.5 * (high - low));
        let mut sums = Sums::default();
        let mut coarse = 0.0;
        for (k, &node) in NODES.iter().enumerate() {
            let sides = if node == 0.0 {
                &[0.0][..]
            } else {
                &[-1.0, 1.0]
            };
            for side in sides {
                let (slice, _) = self
                    .slices
                    .slice(self.corner, centre + side * radius * node);
                let density = radius * (slice.log_density - self.mode.log_density).exp();
                sums.add_slice(KRONROD[k] * density, &slice, &self.mode);
                if k % 2 == 1 {
                    coarse += GAUSS[k / 2] * density;
                }
            }
        }
        let differ = (sums.mass - coarse).abs();
        let may_halve = halvings > 0 && self.halved.get() < MOST_HALVED;
        if may_halve && differ > self.agreement * (total.mass + sums.mass) {
            self.halved.set(self.halved.get() + 1);
            self.panel(low, centre, halvings - 1, total);
            self.panel(centre, high, halvings - 1, total);
        } else {
            total.add(&sums);
        }
    }
}

impl Sums {
    fn add_slice(&mut self, weight: f64, slice: &Slice, origin: &Slice) {
        let y = slice.y - origin.y;
        let a = slice.excess[0] - origin.excess[0];
        let b = slice.excess[1] - origin.excess[1];
        let [aa, ab, bb] = slice.covariance;
        let second = [y * y, y * a, y * b, a * a + aa, a * b + ab, b * b + bb];
        self.mass += weight;
        for (sum, value) in self.first.iter_mut().zip([y, a, b]) {
            *sum += weight * value;
        }
        for (sum, value) in self.second.iter_mut().zip(second) {
            *sum += weight * value;
        }
    }

    fn add(&mut self, other: &Sums) {
        self.mass += other.mass;
        for (sum, value) in self.first.iter_mut().zip(other.first) {
            *sum += value;
        }
        for (sum, value) in self.second.iter_mut().zip(other.second) {
            *sum += value;
        }
    }
}
