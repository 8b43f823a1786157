//! Agglomeration by volume and shape: the classification likelihood of unequal ellipsoids.
//!
//! Merging keeps Σ_k n_k log(|W_k/n_k| + (tr W_k + α) / n_k) low, W_k the scatter of cluster k and α the total
//! one's trace per row and coordinate (Fraley 1998, model VVV). Without the second term in the logarithm this
//! is the classification likelihood (Banfield & Raftery 1993), which means nothing for clusters that are flat;
//! with it, single points are clusters like any other. The two terms are of different degree, so the unit of
//! the coordinates matters: see [`hierarchical`](super::hierarchical). With many rows the trace outweighs the
//! volume, so that the clusters are nearly those of unequal spheres. mclust 6.0.0 takes |W_k| of a cluster that
//! has waited from a wrong factor; its merges differ from these where volumes decide (wreath, k = 2 and 3).

use std::cmp::Ordering;

use super::ward::{Join, Points};

/// Floating-point operations that agglomeration may take, roughly, and the most clusters it begins with.
const OPERATIONS: f64 = 2e8;
const MOST_CLUSTERS: f64 = 1000.0;

/// Rises are counted in this part of a unit: rounding in the coordinates stays well below, and values on a
/// grid, where many pairs are equally far apart, merge in the order of the rows, not in that of rounding errors.
const RISES_PER_UNIT: f64 = 1e10;

/// How many clusters agglomeration can begin with in `q` dimensions: each pair costs a determinant.
pub(super) fn affordable_clusters(q: usize) -> usize {
    let q = q as f64;
    let determinant = q * q * q / 3.0 + 2.0 * q * q + 20.0;
    (OPERATIONS / determinant).sqrt().min(MOST_CLUSTERS) as usize
}

/// Sufficient statistics of clusters, each kind in one flat vector.
struct Clusters {
    coordinates: usize,
    /// Trace of the total scatter per row and coordinate.
    alpha: f64,
    /// Indices of the first points.
    firsts: Vec<usize>,
    points: Vec<usize>,
    weights: Vec<f64>,
    means: Vec<f64>,
    /// Upper triangles of q × q matrices, rows one after the other.
    scatters: Vec<f64>,
    traces: Vec<f64>,
    costs: Vec<f64>,
    /// Room for one scatter.
    scratch: Vec<f64>,
}

impl Clusters {
    /// The clusters that `labels` (0.. by first appearance) make of `points`.
    fn new(points: &Points, labels: &[u32]) -> Self {
        let q = points.coordinates;
        let m = labels.iter().max().map_or(0, |&last| last as usize + 1);
        let mut clusters = Clusters {
            coordinates: q,
            alpha: total_trace(points).max(f64::MIN_POSITIVE),
            firsts: Vec::with_capacity(m),
            points: Vec::with_capacity(m),
            weights: Vec::with_capacity(m),
            means: Vec::with_capacity(m * q),
            scatters: Vec::with_capacity(m * q * q),
            traces: Vec::with_capacity(m),
            costs: Vec::with_capacity(m),
            scratch: vec![0.0; q * q],
        };
        for (i, &label) in labels.iter().enumerate() {
            let last = clusters.firsts.len();
            clusters.push_point(points, i);
            if (label as usize) < last {
                clusters.merge(last, label as usize);
                clusters.pop();
            }
        }
        clusters
    }

    fn push_point(&mut self, points: &Points, i: usize) {
        let weight = points.weights[i];
        self.firsts.push(i);
        self.points.push(1);
        self.weights.push(weight);
        self.means.extend_from_slice(points.get(i));
        self.scatters
            .resize(self.scatters.len() + self.coordinates.pow(2), 0.0);
        self.traces.push(0.0);
        self.costs.push(weight * (self.alpha / weight).ln());
    }

    fn pop(&mut self) {
        self.firsts.pop();
        self.points.pop();
        self.weights.pop();
        self.means.truncate(self.firsts.len() * self.coordinates);
        self.scatters
            .truncate(self.firsts.len() * self.coordinates.pow(2));
        self.traces.pop();
        self.costs.pop();
    }

    fn mean(&self, a: usize) -> &[f64] {
        &self.means[a * self.coordinates..][..self.coordinates]
    }

    fn trace_of_union(&self, a: usize, b: usize) -> f64 {
        let distance: f64 = std::iter::zip(self.mean(a), self.mean(b))
            .map(|(x, y)| (x - y) * (x - y))
            .sum();
        self.traces[a] + self.traces[b] + self.coupling(a, b) * distance
    }

    /// w_a w_b / (w_a + w_b).
    fn coupling(&self, a: usize, b: usize) -> f64 {
        self.weights[a] * (self.weights[b] / (self.weights[a] + self.weights[b]))
    }

    /// Puts the scatter of both together into `scratch`.
    fn scatter_union(&mut self, a: usize, b: usize) {
        let q = self.coordinates;
        let coupling = self.coupling(a, b);
        let (mean_a, mean_b) = (&self.means[a * q..][..q], &self.means[b * q..][..q]);
        let scatter_a = &self.scatters[a * q * q..][..q * q];
        let scatter_b = &self.scatters[b * q * q..][..q * q];
        for s in 0..q {
            let part = coupling * (mean_a[s] - mean_b[s]);
            for t in s..q {
                let at = s * q + t;
                self.scratch[at] = scatter_a[at] + scatter_b[at] + part * (mean_a[t] - mean_b[t]);
            }
        }
    }

    /// The cost of both together.
    fn cost_of_union(&mut self, a: usize, b: usize) -> f64 {
        let weight = self.weights[a] + self.weights[b];
        let trace = self.trace_of_union(a, b);
        // So few points lie in a plane.
        let volume = if self.points[a] + self.points[b] > self.coordinates {
            self.scatter_union(a, b);
            determinant(&mut self.scratch, self.coordinates, weight)
        } else {
            0.0
        };
        weight * (volume + (trace + self.alpha) / weight).ln()
    }

    /// Rise of the total cost when `a` and `b` merge, rounded so that equals are equal in every unit.
    fn rise(&mut self, a: usize, b: usize) -> f64 {
        let rise = self.cost_of_union(a, b) - self.costs[a] - self.costs[b];
        (rise * RISES_PER_UNIT).round()
    }

    /// Puts both together in the place of `into`.
    fn merge(&mut self, from: usize, into: usize) {
        let q = self.coordinates;
        self.costs[into] = self.cost_of_union(from, into);
        self.traces[into] = self.trace_of_union(from, into);
        self.scatter_union(from, into);
        self.scatters[into * q * q..][..q * q].copy_from_slice(&self.scratch);
        let share = self.weights[from] / (self.weights[from] + self.weights[into]);
        for s in 0..q {
            let x = self.means[from * q + s];
            let mean = &mut self.means[into * q + s];
            *mean += share * (x - *mean);
        }
        self.weights[into] += self.weights[from];
        self.points[into] += self.points[from];
        self.firsts[into] = self.firsts[into].min(self.firsts[from]);
    }
}

/// tr W / (n q) of all points.
fn total_trace(points: &Points) -> f64 {
    let total: f64 = points.weights.iter().sum();
    let sums = (0..points.coordinates).map(|s| {
        let cells = || (0..points.len()).map(|i| (points.weights[i], points.get(i)[s]));
        let mean = cells().map(|(w, x)| w * x).sum::<f64>() / total;
        cells()
            .map(|(w, x)| w * (x - mean) * (x - mean))
            .sum::<f64>()
            / total
    });
    sums.sum::<f64>() / points.coordinates.max(1) as f64
}

/// |W / weight| of the symmetric matrix whose upper triangle is `w`, which is overwritten; 0 if singular.
fn determinant(w: &mut [f64], q: usize, weight: f64) -> f64 {
    let mut product = 1.0;
    for k in 0..q {
        let pivot = w[k * q + k];
        if pivot <= 0.0 {
            return 0.0;
        }
        product *= pivot / weight;
        for s in k + 1..q {
            let factor = w[k * q + s] / pivot;
            for t in s..q {
                w[s * q + t] -= factor * w[k * q + t];
            }
        }
    }
    product
}

/// Rises of all pairs of clusters, and for every cluster the earlier one that it would best join.
///
/// Among equals the latest pair comes first, as in mclust.
struct Rises {
    /// Row a holds those of merging a with b < a.
    rows: Vec<Vec<f64>>,
    nearest: Vec<usize>,
    /// The rises of joining the nearest.
    least: Vec<f64>,
}

impl Rises {
    fn of(clusters: &mut Clusters) -> Self {
        let m = clusters.firsts.len();
        let rows = (0..m)
            .map(|a| (0..a).map(|b| clusters.rise(a, b)).collect())
            .collect();
        let mut rises = Rises {
            rows,
            nearest: vec![0; m],
            least: vec![f64::INFINITY; m],
        };
        let all: Vec<usize> = (0..m).collect();
        for a in 1..m {
            rises.find_nearest(a, &all[..a]);
        }
        rises
    }

    fn find_nearest(&mut self, a: usize, earlier: &[usize]) {
        let row = &self.rows[a];
        self.least[a] = f64::INFINITY;
        for &b in earlier {
            if row[b] <= self.least[a] {
                self.least[a] = row[b];
                self.nearest[a] = b;
            }
        }
    }

    /// The pair a > b whose merge costs least, of at least two clusters.
    fn cheapest(&self, alive: &[usize]) -> (usize, usize) {
        let mut best = alive[1];
        for &a in &alive[2..] {
            if self.least[a] <= self.least[best] {
                best = a;
            }
        }
        (best, self.nearest[best])
    }

    /// After `gone` has joined `grown`.
    fn update(&mut self, clusters: &mut Clusters, alive: &[usize], grown: usize, gone: usize) {
        for (at, &c) in alive.iter().enumerate() {
            match c.cmp(&grown) {
                Ordering::Less => self.rows[grown][c] = clusters.rise(grown, c),
                Ordering::Equal => self.find_nearest(c, &alive[..at]),
                Ordering::Greater => {
                    let rise = clusters.rise(c, grown);
                    self.rows[c][grown] = rise;
                    if self.nearest[c] == gone || self.nearest[c] == grown {
                        self.find_nearest(c, &alive[..at]);
                    } else if (rise, self.nearest[c]) < (self.least[c], grown) {
                        self.least[c] = rise;
                        self.nearest[c] = grown;
                    }
                }
            }
        }
    }
}

/// Merges the clusters that `labels` (0.. by first appearance) make of `points` until one is left.
pub(super) fn agglomerate(points: &Points, labels: &[u32]) -> Vec<Join> {
    let mut clusters = Clusters::new(points, labels);
    let mut rises = Rises::of(&mut clusters);
    let mut alive: Vec<usize> = (0..clusters.firsts.len()).collect();
    let mut joins = Vec::with_capacity(alive.len().saturating_sub(1));
    while alive.len() > 1 {
        let (gone, grown) = rises.cheapest(&alive);
        joins.push(Join {
            from: clusters.firsts[gone],
            into: clusters.firsts[grown],
        });
        clusters.merge(gone, grown);
        alive.retain(|&c| c != gone);
        rises.update(&mut clusters, &alive, grown, gone);
    }
    joins
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;
    use rand::RngExt;

    use super::super::ward::{self, cut};
    use super::*;
    use crate::rng::stream;

    /// `m` points in `q` dimensions; on a grid, so that many pairs are equally far apart, if so asked.
    fn points(m: usize, q: usize, grid: bool) -> Points {
        let mut rng = stream(7, q as u64);
        let cell = |x: f64| if grid { (4.0 * x).floor() } else { x };
        Points {
            coordinates: q,
            cells: (0..m * q).map(|_| cell(rng.random())).collect(),
            weights: (0..m)
                .map(|i| if grid { 1.0 } else { 0.5 + i as f64 / m as f64 })
                .collect(),
        }
    }

    fn singletons(m: usize) -> Vec<u32> {
        (0..m as u32).collect()
    }

    /// The cost of the points `members`, from the definition.
    fn cost(points: &Points, members: &[usize], alpha: f64) -> f64 {
        let q = points.coordinates;
        let weight: f64 = members.iter().map(|&i| points.weights[i]).sum();
        let moment = |s: usize| {
            members
                .iter()
                .map(|&i| points.weights[i] * points.get(i)[s])
                .sum::<f64>()
                / weight
        };
        let covariance = DMatrix::from_fn(q, q, |s, t| {
            let products = members.iter().map(|&i| {
                let x = points.get(i);
                points.weights[i] * (x[s] - moment(s)) * (x[t] - moment(t))
            });
            products.sum::<f64>() / weight
        });
        let volume = if members.len() > q {
            covariance.determinant().max(0.0)
        } else {
            0.0
        };
        weight * (volume + covariance.trace() + alpha / weight).ln()
    }

    /// Trying every pair at every step.
    fn exhaustive(points: &Points) -> Vec<Join> {
        let alpha = total_trace(points);
        let mut clusters: Vec<Vec<usize>> = (0..points.len()).map(|i| vec![i]).collect();
        let mut joins = Vec::new();
        while clusters.len() > 1 {
            let mut best = (f64::INFINITY, 0, 0);
            for a in 1..clusters.len() {
                for b in 0..a {
                    let both = [clusters[a].clone(), clusters[b].clone()].concat();
                    let parts =
                        cost(points, &clusters[a], alpha) + cost(points, &clusters[b], alpha);
                    let rise = cost(points, &both, alpha) - parts;
                    if rise <= best.0 + 1e-9 {
                        best = (rise.min(best.0), a, b);
                    }
                }
            }
            let (_, a, b) = best;
            let gone = clusters.remove(a);
            joins.push(Join {
                from: gone[0],
                into: clusters[b][0],
            });
            clusters[b].extend(gone);
        }
        joins
    }

    #[test]
    fn bookkeeping_finds_the_merges_that_trying_every_pair_finds() {
        for (m, q) in [(40, 1), (40, 2), (30, 3), (20, 5)] {
            for grid in [false, true] {
                let points = points(m, q, grid);
                assert_eq!(
                    agglomerate(&points, &singletons(m)),
                    exhaustive(&points),
                    "{m} {q} {grid}"
                );
            }
        }
    }

    #[test]
    fn it_goes_on_from_wards_clusters() {
        let points = points(60, 2, false);
        let ward = ward::tree(points.clone());
        let labels = cut(60, &ward[..40]);
        let joins = agglomerate(&points, &labels);
        assert_eq!(joins.len(), 19);
        let mut all = ward[..40].to_vec();
        all.extend(joins);
        assert!(cut(60, &all).iter().all(|&label| label == 0));
    }

    /// A dense cluster beside a wide one: Ward's equal sizes cut the wide one.
    #[test]
    fn clusters_may_differ_in_size() {
        let mut rng = stream(3, 0);
        let cells: Vec<f64> = (0..200)
            .flat_map(|i| {
                let (centre, radius) = if i % 2 == 0 { (0.0, 0.1) } else { (4.0, 3.0) };
                let mut coordinate =
                    |centre: f64| centre + radius * (2.0 * rng.random::<f64>() - 1.0);
                [coordinate(centre), coordinate(0.0)]
            })
            .collect();
        let points = Points {
            coordinates: 2,
            cells,
            weights: vec![1.0; 200],
        };
        let split = |joins: &[Join]| {
            let labels = cut(200, &joins[..198]);
            (0..200).all(|i| labels[i] == labels[i % 2]) && labels[0] != labels[1]
        };
        assert!(split(&agglomerate(&points, &singletons(200))));
        assert!(!split(&ward::tree(points)));
    }

    #[test]
    fn equal_points_one_point_and_no_coordinates_are_no_trouble() {
        for q in [0, 1, 3] {
            let points = Points {
                coordinates: q,
                cells: vec![2.0; 5 * q],
                weights: vec![1.0; 5],
            };
            assert_eq!(cut(5, &agglomerate(&points, &singletons(5))), [0; 5]);
            assert!(agglomerate(&points, &[0; 5]).is_empty());
        }
    }

    #[test]
    fn the_number_of_clusters_falls_with_the_dimension() {
        assert_eq!(affordable_clusters(2), 1000);
        assert!(affordable_clusters(50) > 50);
        assert!(affordable_clusters(100) > 20);
    }
}
