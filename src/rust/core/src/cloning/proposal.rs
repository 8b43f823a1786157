//! A multivariate t distribution with five degrees of freedom: heavier tails than the posterior it stands for.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

use nalgebra::{DMatrix, DVector};

/// Degrees of freedom.
const FREEDOM: f64 = 5.0;

/// center + A z √(ν / χ²).
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    pub center: DVector<f64>,
    /// A; its columns are the axes, one standard deviation long.
    pub root: DMatrix<f64>,
    /// A⁻¹.
    pub whitening: DMatrix<f64>,
    chi_squared: ChiSquared<f64>,
}

impl Proposal {
    /// `None` if the matrices are not finite.
    pub fn new(center: DVector<f64>, root: DMatrix<f64>, whitening: DMatrix<f64>) -> Option<Self> {
        let finite = root.iter().chain(whitening.iter()).all(|x| x.is_finite());
        let chi_squared = ChiSquared::new(FREEDOM).ok()?;
        finite.then_some(Proposal {
            center,
            root,
            whitening,
            chi_squared,
        })
    }

    /// Draws v.
    pub fn draw(&self, rng: &mut ChaCha8Rng, v: &mut [f64]) {
        v.copy_from_slice(self.center.as_slice());
        let scale = (FREEDOM / self.chi_squared.sample(rng)).sqrt();
        for column in self.root.column_iter() {
            let z: f64 = rng.sample(StandardNormal);
            let moved = v.iter_mut().zip(column.iter());
            moved.for_each(|(v, a)| *v += a * z * scale);
        }
    }

    /// log density at v, up to a constant.
    pub fn log_density(&self, v: &[f64]) -> f64 {
        let d = v.len();
        let mut square = 0.0;
        for i in 0..d {
            let z: f64 = (0..d)
                .map(|j| self.whitening[(i, j)] * (v[j] - self.center[j]))
                .sum();
            square += z * z;
        }
        -0.5 * (FREEDOM + d as f64) * (square / FREEDOM).ln_1p()
    }

    /// Standard deviation of a coordinate.
    pub fn deviation(&self, j: usize) -> f64 {
        self.root.row(j).norm()
    }
}
