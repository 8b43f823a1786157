//! Agglomeration by volume and shape: the classification likelihood of unequal ellipsoids.
//!
//! Merging a and b raises Σ_k n_k log|Σ̂_k| (Banfield & Raftery 1993; Fraley 1998, model VVV). Small clusters
//! have singular scatters, so every Σ̂_k is shrunk towards a common matrix, as under a conjugate prior. The
//! criterion means little for single points and costs O(g³ q²) from g clusters at least, so Ward's tree comes
//! first and hands over a few hundred clusters.

use nalgebra::{DMatrix, DVector};

use super::ward::{Join, Points};
use crate::linalg;

/// Rows that the common matrix weighs in every Σ̂_k, and its size relative to the mean variance of the
/// coordinates. The matrix is spherical: one shaped like the data joins distant clusters that lie in a row.
/// The size was chosen by where EM from the tree ends on faithful, iris, wreath, banknote, diabetes, thyroid,
/// galaxies, acidity and precip (k = 2..9, ten models).
const PRIOR_ROWS: f64 = 4.0;
const PRIOR_SIZE: f64 = 0.1;

/// Floating-point operations that agglomeration may take, roughly, and the most clusters it begins with.
const OPERATIONS: f64 = 1e9;
const MOST_CLUSTERS: f64 = 200.0;

/// How many clusters agglomeration can begin with in `q` dimensions: each pair costs a determinant.
pub(super) fn affordable_clusters(q: usize) -> usize {
    let q = q as f64;
    let determinant = q * q * q / 3.0 + q * q + 1.0;
    (OPERATIONS / determinant).sqrt().min(MOST_CLUSTERS) as usize
}

/// A cluster, by the index of its first point and its sufficient statistics.
struct Cluster {
    first: usize,
    weight: f64,
    mean: DVector<f64>,
    scatter: DMatrix<f64>,
    /// n log|Σ̂|.
    cost: f64,
}

impl Cluster {
    /// Both together.
    fn union(&self, other: &Cluster, prior: &DMatrix<f64>) -> Cluster {
        let weight = self.weight + other.weight;
        let share = other.weight / weight;
        let difference = &other.mean - &self.mean;
        let mut scatter = &self.scatter + &other.scatter;
        scatter.ger(self.weight * share, &difference, &difference, 1.0);
        Cluster {
            first: self.first.min(other.first),
            weight,
            mean: &self.mean + difference * share,
            cost: cost(&scatter, weight, prior),
            scatter,
        }
    }

    fn rise(&self, other: &Cluster, prior: &DMatrix<f64>) -> f64 {
        self.union(other, prior).cost - self.cost - other.cost
    }
}

/// n log|(W + S) / (n + ν)|.
fn cost(scatter: &DMatrix<f64>, weight: f64, prior: &DMatrix<f64>) -> f64 {
    let shrunk = (scatter + prior) / (weight + PRIOR_ROWS);
    // The prior is positive definite, so only overflow can fail: such a merge comes last.
    linalg::cholesky(&shrunk).map_or(f64::INFINITY, |lower| {
        weight * linalg::log_det_cholesky(&lower)
    })
}

/// Merges the clusters that `labels` (0.. by first appearance) make of `points` until one is left.
///
/// `variance` is the mean one of the points' coordinates.
pub(super) fn agglomerate(points: &Points, labels: &[u32], variance: f64) -> Vec<Join> {
    let q = points.coordinates;
    let prior = DMatrix::from_diagonal_element(q, q, PRIOR_ROWS * PRIOR_SIZE * variance);
    let mut clusters = clusters(points, labels, &prior);
    // Row a holds the rises of merging a with b < a.
    let mut rises: Vec<Vec<f64>> = (0..clusters.len())
        .map(|a| {
            let earlier = clusters[..a].iter();
            earlier.map(|b| clusters[a].rise(b, &prior)).collect()
        })
        .collect();
    let mut alive: Vec<usize> = (0..clusters.len()).collect();
    let mut joins = Vec::with_capacity(clusters.len().saturating_sub(1));
    while alive.len() > 1 {
        let (a, b) = cheapest(&rises, &alive);
        let union = clusters[a].union(&clusters[b], &prior);
        joins.push(Join {
            from: clusters[a].first.max(clusters[b].first),
            into: union.first,
        });
        clusters[b] = union;
        alive.retain(|&c| c != a);
        for &c in alive.iter().filter(|&&c| c != b) {
            rises[c.max(b)][c.min(b)] = clusters[c].rise(&clusters[b], &prior);
        }
    }
    joins
}

/// The pair a > b whose merge costs least.
fn cheapest(rises: &[Vec<f64>], alive: &[usize]) -> (usize, usize) {
    let mut best = (f64::INFINITY, (alive[1], alive[0]));
    for (at, &a) in alive.iter().enumerate() {
        for &b in &alive[..at] {
            if rises[a][b] < best.0 {
                best = (rises[a][b], (a, b));
            }
        }
    }
    best.1
}

fn clusters(points: &Points, labels: &[u32], prior: &DMatrix<f64>) -> Vec<Cluster> {
    let q = points.coordinates;
    let mut clusters: Vec<Cluster> = Vec::new();
    for (i, &label) in labels.iter().enumerate() {
        let point = Cluster {
            first: i,
            weight: points.weights[i],
            mean: DVector::from_column_slice(points.get(i)),
            scatter: DMatrix::zeros(q, q),
            cost: 0.0,
        };
        match clusters.get_mut(label as usize) {
            Some(cluster) => *cluster = cluster.union(&point, prior),
            None => clusters.push(point),
        }
    }
    for cluster in &mut clusters {
        cluster.cost = cost(&cluster.scatter, cluster.weight, prior);
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::super::ward::cut;
    use super::*;

    /// Two crossed needles: means agree, shapes differ.
    #[test]
    fn long_clusters_are_kept_whole() {
        let cells: Vec<f64> = (0..40)
            .flat_map(|i| {
                let t = f64::from(i / 2) - 9.5;
                let jitter = 0.1 * f64::from(i * 7 % 5);
                // Row i of either needle; they lie side by side, far longer than apart.
                [t, jitter + 4.0 * f64::from(i % 2)]
            })
            .collect();
        let points = Points {
            coordinates: 2,
            cells,
            weights: vec![1.0; 40],
        };
        let ward = super::super::ward::tree(points.clone());
        let fine = cut(40, &ward[..30]);
        let mut joins = ward[..30].to_vec();
        joins.extend(agglomerate(&points, &fine, 18.0));
        let labels = cut(40, &joins[..38]);
        assert!((0..40).all(|i| labels[i] == labels[i % 2]));
        assert_ne!(labels[0], labels[1]);
        let by_ward = cut(40, &ward[..38]);
        assert!((0..40).any(|i| by_ward[i] != by_ward[i % 2]));
    }

    #[test]
    fn the_number_of_clusters_falls_with_the_dimension() {
        assert_eq!(affordable_clusters(2), 200);
        assert!(affordable_clusters(50) > 100);
        assert!(affordable_clusters(100) > 40);
    }
}
