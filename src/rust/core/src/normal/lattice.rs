//! Rank-1 lattices on the unit cube, for randomised quasi-Monte Carlo.

use std::f64::consts::PI;
use std::sync::{Arc, Mutex, PoisonError};

/// Doubles in two of the widest vectors.
const STEP: usize = 16;

/// Generators that are tried for a coordinate.
const CANDIDATES: usize = 256;

/// Points frac(i z / n), i = 0..n, coordinate by coordinate.
#[derive(Debug, PartialEq)]
pub(super) struct Lattice {
    points: usize,
    columns: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

/// Lattices made so far: a search takes about as long as some rows that use it.
static MADE: Mutex<Vec<Arc<Lattice>>> = Mutex::new(Vec::new());

impl Lattice {
    /// The lattice of `points` points, at least one, in `dimension` coordinates.
    pub fn new(points: usize, dimension: usize) -> Arc<Self> {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made
            .iter()
            .find(|lattice| lattice.points == points && lattice.columns.len() == dimension);
        if let Some(lattice) = known {
            return Arc::clone(lattice);
        }
        let lattice = Arc::new(Lattice::search(points, dimension));
        made.push(Arc::clone(&lattice));
        lattice
    }

    /// Coordinate by coordinate the z that makes the worst-case error in the Korobov space of smoothness 2 and weights
    /// 1/k least (Sloan and Reztsov 2002, *Math. Comp.* 71): the sum over points of Π_k (1 + 2π² B_2(x_k)/k).
    fn search(points: usize, dimension: usize) -> Self {
        let n = points.max(1);
        let at = |z: usize, i: usize| (i * z % n) as f64 / n as f64;
        let generators: Vec<usize> = (1..=n.div_ceil(2))
            .filter(|&z| greatest_divisor(z, n) == 1)
            .collect();
        let stride = generators.len().div_ceil(CANDIDATES);
        let mut products = vec![1.0; n];
        let mut columns = Vec::with_capacity(dimension);
        for k in 1..=dimension {
            let factor = |z: usize, i: usize| {
                let x = at(z, i);
                1.0 + 2.0 * PI * PI / k as f64 * (x * (x - 1.0) + 1.0 / 6.0)
            };
            let error = |z: usize| -> f64 {
                let terms = products.iter().enumerate();
                terms.map(|(i, product)| product * factor(z, i)).sum()
            };
            let z = generators
                .iter()
                .step_by(stride)
                .map(|&z| (error(z), z))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(1, |(_, z)| z);
            for (i, product) in products.iter_mut().enumerate() {
                *product *= factor(z, i);
            }
            columns.push(
                (0..n.next_multiple_of(STEP))
                    .map(|i| at(z, i % n))
                    .collect(),
            );
        }
        let weight = |i: usize| if i < n { 1.0 / n as f64 } else { 0.0 };
        Lattice {
            points,
            columns,
            weights: (0..n.next_multiple_of(STEP)).map(weight).collect(),
        }
    }

    /// A coordinate of every point, filled up to a whole number of pairs of vectors with points of weight zero.
    pub fn column(&self, k: usize) -> &[f64] {
        &self.columns[k]
    }

    /// 1/n for a point, 0 where there is none.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

fn greatest_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::Lattice;

    /// The random shift of a lattice integrates x_1 x_2 x_3 better than as many random points by far.
    #[test]
    fn products_are_integrated() {
        for points in [1, 2, 127, 128, 1280] {
            let lattice = Lattice::new(points, 3);
            let total: f64 = lattice.weights().iter().sum();
            assert!((total - 1.0).abs() < 1e-12);
            assert_eq!(lattice.weights().len() % 16, 0);
            let product = |i: usize| (0..3).map(|k| lattice.column(k)[i]).product::<f64>();
            let weights = lattice.weights().iter().enumerate();
            let mean: f64 = weights.map(|(i, weight)| weight * product(i)).sum();
            // A shift by half a step takes most of the bias of the origin away.
            assert!(
                (mean - 0.125).abs() < 2.0 / points as f64,
                "{points} {mean}"
            );
            assert_eq!(Lattice::new(points, 3), lattice);
        }
    }

    #[test]
    fn projections_have_all_points() {
        let lattice = Lattice::new(128, 9);
        for k in 0..9 {
            let mut column = lattice.column(k).to_vec();
            column.sort_by(f64::total_cmp);
            assert!(column
                .iter()
                .enumerate()
                .all(|(i, &x)| x == i as f64 / 128.0));
        }
    }
}
