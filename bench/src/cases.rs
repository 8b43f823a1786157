//! Simulated mixtures of the sizes that the goals are set for.

use ember_core::mixture::model::{CovarianceModel, Mixture};
use nalgebra::DMatrix;

/// A benchmark: rows and the parameters that an iteration starts from.
pub struct Case {
    pub name: &'static str,
    pub rows: usize,
    pub x: Vec<f64>,
    pub mixture: Mixture,
}

impl Case {
    /// The four cases of the goals.
    pub fn all() -> Vec<Case> {
        vec![
            Case::new("A", 100_000, 10, 8, CovarianceModel::VVV),
            Case::new("B", 1_000_000, 2, 3, CovarianceModel::VVV),
            Case::new("C", 10_000, 50, 10, CovarianceModel::VVV),
            Case::new("D", 1_000_000, 1, 2, CovarianceModel::E),
        ]
    }

    fn new(name: &'static str, rows: usize, d: usize, k: usize, model: CovarianceModel) -> Case {
        let mut random = Random(7);
        let spread = 6.0 / (d as f64).sqrt();
        let means = DMatrix::from_fn(d, k, |_, _| spread * random.normal());
        let root = DMatrix::from_fn(d, d, |i, j| match i.cmp(&j) {
            std::cmp::Ordering::Equal => 1.0,
            std::cmp::Ordering::Greater => 0.3 * random.normal(),
            std::cmp::Ordering::Less => 0.0,
        });
        let mut x = vec![0.0; rows * d];
        for i in 0..rows {
            let component = (random.uniform() * k as f64) as usize % k;
            let z: Vec<f64> = (0..d).map(|_| random.normal()).collect();
            for j in 0..d {
                let e: f64 = (0..=j).map(|l| root[(j, l)] * z[l]).sum();
                x[j * rows + i] = means[(j, component)] + e;
            }
        }
        let covariance = &root * root.transpose() * 1.2;
        Case {
            name,
            rows,
            x,
            mixture: Mixture {
                model,
                weights: vec![1.0 / k as f64; k],
                means: means.map(|m| m + 0.2),
                covariances: vec![covariance; k],
                noise: None,
            },
        }
    }
}

/// A small generator: the numbers only have to look normal.
struct Random(u64);

impl Random {
    /// Steele, Lea & Flood (2014), SplitMix64.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Box & Muller (1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}
