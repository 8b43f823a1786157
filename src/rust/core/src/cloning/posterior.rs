//! The posterior of K copies of the data: K log L(w) + log π(w), with β integrated out where that is exact.
//!
//! Given the rest v of w, a Gaussian log L is a quadratic in β. With a normal or flat prior so is the
//! log posterior, and ∫ L(β, v)ᴷ π(β) dβ has a closed form: fixed effects, however many, cost no proposals.
//! β given v is drawn exactly.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::parameters::Layout;
use super::prior::Prior;
use super::target::{factorise, solve_lower, solve_transposed, Likelihood, Quadratic};

/// The target of a sampler, as a function of the coordinates v that are moved.
#[derive(Debug, Clone)]
pub struct Posterior<'a, L> {
    likelihood: L,
    layout: &'a Layout,
    prior: &'a Prior,
    /// K.
    copies: f64,
    normal: Option<NormalPrior>,
    /// Whether β is put at its mean given v, rather than integrated out.
    profiled: bool,
    quadratic: Quadratic,
    /// w.
    buffer: Vec<f64>,
}

/// The prior of β in the basis of the quadratic.
#[derive(Debug, Clone)]
struct NormalPrior {
    mean: Vec<f64>,
    /// p × p, lower triangle and upper; `None` if flat.
    precision: Option<Vec<f64>>,
}

/// A place and what is known there.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The coordinates that are moved.
    pub v: Vec<f64>,
    /// log posterior of v up to a constant, -∞ where it vanishes.
    pub log_density: f64,
    /// Mean of β̃ given v.
    center: Vec<f64>,
    /// L of its precision L Lᵀ.
    root: Vec<f64>,
}

impl<'a, L: Likelihood> Posterior<'a, L> {
    /// The posterior of `copies` clones.
    pub fn new(likelihood: L, layout: &'a Layout, prior: &'a Prior, copies: usize) -> Self {
        let normal = NormalPrior::of(&likelihood, layout, prior);
        let p = if normal.is_some() { layout.fixed } else { 0 };
        Posterior {
            likelihood,
            layout,
            prior,
            copies: copies as f64,
            normal,
            profiled: false,
            quadratic: Quadratic::new(p),
            buffer: vec![0.0; layout.coordinates()],
        }
    }

    /// From now on the maximum of the joint posterior over β, whose mode is that of w, stands for its integral.
    pub(super) fn profile(&mut self) {
        self.profiled = true;
    }

    /// What is sampled.
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// The prior.
    pub fn prior(&self) -> &'a Prior {
        self.prior
    }

    /// Position in w of the first coordinate that is moved: β is skipped where it is integrated out.
    pub fn first(&self) -> usize {
        if self.normal.is_some() {
            self.layout.fixed
        } else {
            0
        }
    }

    /// Length of v.
    pub fn dimension(&self) -> usize {
        self.layout.coordinates() - self.first()
    }

    /// Room for a point.
    pub fn point(&self) -> Point {
        let p = self.first();
        Point {
            v: vec![0.0; self.dimension()],
            log_density: f64::NEG_INFINITY,
            center: vec![0.0; p],
            root: vec![0.0; p * p],
        }
    }

    /// Evaluates the posterior at the v of a point; where the likelihood is not defined it vanishes.
    pub fn evaluate(&mut self, point: &mut Point) {
        let value = self.log_density(point);
        point.log_density = if value.is_nan() || value == f64::INFINITY {
            f64::NEG_INFINITY
        } else {
            value
        };
    }

    fn log_density(&mut self, point: &mut Point) -> f64 {
        let first = self.first();
        self.buffer[first..].copy_from_slice(&point.v);
        let prior = self.prior.log_density_from(first, &self.buffer);
        if prior == f64::NEG_INFINITY || !point.v.iter().all(|v| v.is_finite()) {
            return f64::NEG_INFINITY;
        }
        let Some(normal) = &self.normal else {
            let likelihood = self.likelihood.log_likelihood(&self.buffer);
            return likelihood.map_or(f64::NEG_INFINITY, |log| self.copies * log + prior);
        };
        let defined = self.likelihood.quadratic(&self.buffer, &mut self.quadratic);
        if defined.is_err() {
            return f64::NEG_INFINITY;
        }
        let (shrinkage, log_volume) = normal.integrate(&self.quadratic, self.copies, point);
        let value = self.copies * self.quadratic.maximum + shrinkage + prior;
        value + if self.profiled { 0.0 } else { log_volume }
    }

    /// Writes w: v, and β at its mean given v.
    pub fn center_into(&self, point: &Point, w: &mut [f64]) {
        w[self.first()..].copy_from_slice(&point.v);
        if self.normal.is_some() {
            self.coefficients_into(&point.center, w);
        }
    }

    /// Writes w: v, and β drawn given v.
    pub fn draw_into(&self, point: &Point, rng: &mut ChaCha8Rng, w: &mut [f64]) {
        w[self.first()..].copy_from_slice(&point.v);
        if self.normal.is_some() {
            let mut rotated: Vec<f64> = point
                .center
                .iter()
                .map(|_| rng.sample(StandardNormal))
                .collect();
            solve_transposed(&point.root, &mut rotated);
            rotated
                .iter_mut()
                .zip(&point.center)
                .for_each(|(z, center)| *z += center);
            self.coefficients_into(&rotated, w);
        }
    }

    /// Columns of A with A Aᵀ the covariance of β given v, p values each.
    pub fn coefficient_root(&self, point: &Point) -> Vec<Vec<f64>> {
        let p = self.first();
        let axes = (0..p).map(|j| {
            let mut axis = vec![0.0; p];
            axis[j] = 1.0;
            solve_transposed(&point.root, &mut axis);
            let mut column = vec![0.0; p];
            if let Some(linear) = self.likelihood.linear() {
                linear.basis.apply(&axis, &mut column);
            }
            column
        });
        axes.collect()
    }

    fn coefficients_into(&self, rotated: &[f64], w: &mut [f64]) {
        if let Some(linear) = self.likelihood.linear() {
            let beta = &mut w[..rotated.len()];
            linear.basis.apply(rotated, beta);
            beta.iter_mut()
                .zip(linear.origin)
                .for_each(|(beta, origin)| *beta += origin);
        }
    }
}

impl NormalPrior {
    /// `None` if β cannot be integrated out: its likelihood is no quadratic, or a prior neither normal nor flat.
    fn of<L: Likelihood>(likelihood: &L, layout: &Layout, prior: &Prior) -> Option<Self> {
        let linear = likelihood.linear()?;
        let p = layout.fixed;
        let moments: Vec<(f64, f64)> = (0..p).map(|j| prior.normal(j)).collect::<Option<_>>()?;
        let both = moments.iter().zip(linear.origin);
        // A flat prior has no mean: any will do.
        let means = both.map(|(&(mean, precision), origin)| match precision > 0.0 {
            true => mean - origin,
            false => 0.0,
        });
        let means: Vec<f64> = means.collect();
        let mean = linear.basis.solve(&means);
        if moments.iter().all(|&(_, precision)| precision == 0.0) {
            return Some(NormalPrior {
                mean,
                precision: None,
            });
        }
        let transform = linear.basis.matrix();
        let mut scaled = transform.clone();
        for (mut row, (_, precision)) in scaled.row_iter_mut().zip(&moments) {
            row *= *precision;
        }
        let precision = transform.transpose() * scaled;
        Some(NormalPrior {
            mean,
            precision: Some(precision.as_slice().to_vec()),
        })
    }

    /// ∫ exp(-K |Lᵀ(β̃ - β̃̂)|² / 2) π(β̃) dβ̃ up to a constant: the logarithms of the largest value of the integrand
    /// and of the volume under it. The moments of β̃ go into the point.
    ///
    /// With B = K L Lᵀ, the precision P and the mean m of the prior, Q = B + P and d = β̃̂ - m, the mean is
    /// m + Q⁻¹ B d, the largest value exp(-(P d)ᵀ Q⁻¹ B d / 2) and the volume |Q|^-½: nothing cancels.
    fn integrate(&self, quadratic: &Quadratic, copies: f64, point: &mut Point) -> (f64, f64) {
        let p = self.mean.len();
        let scale = copies.sqrt();
        let root = &mut point.root;
        let scaled = root.iter_mut().zip(&quadratic.root);
        scaled.for_each(|(to, l)| *to = scale * l);
        let Some(precision) = &self.precision else {
            point.center.copy_from_slice(&quadratic.center);
            return (0.0, -log_det(root, p));
        };
        let difference: Vec<f64> = quadratic
            .center
            .iter()
            .zip(&self.mean)
            .map(|(center, mean)| center - mean)
            .collect();
        let (mut pull, mut x) = (vec![0.0; p], vec![0.0; p]);
        for j in 0..p {
            let column = &root[j * p..][..p];
            let inner: f64 = (j..p).map(|i| column[i] * difference[i]).sum();
            (j..p).for_each(|i| x[i] += column[i] * inner);
            let column = &precision[j * p..][..p];
            pull.iter_mut()
                .zip(column)
                .for_each(|(to, l)| *to += l * difference[j]);
        }
        let lower = std::mem::replace(root, precision.clone());
        for (k, column) in lower.chunks_exact(p).enumerate() {
            for j in k..p {
                let factor = column[j];
                (j..p).for_each(|i| root[j * p + i] += factor * column[i]);
            }
        }
        if !factorise(root, p) {
            return (f64::NEG_INFINITY, 0.0);
        }
        solve_lower(root, &mut x);
        solve_transposed(root, &mut x);
        let shrinkage: f64 = pull.iter().zip(&x).map(|(pull, x)| pull * x).sum();
        let moved = point.center.iter_mut().zip(self.mean.iter().zip(&x));
        moved.for_each(|(to, (mean, x))| *to = mean + x);
        (-0.5 * shrinkage, -log_det(root, p))
    }
}

/// log of the product of the diagonal.
fn log_det(lower: &[f64], p: usize) -> f64 {
    (0..p).map(|j| lower[j * p + j].abs().ln()).sum()
}
