//! Ward's tree of weighted points, by the nearest-neighbour chain in O(m²) time and O(m) memory.
//!
//! Merging a and b raises the within sum of squares by w_a w_b / (w_a + w_b) ‖c_a − c_b‖² (Ward 1963), which is
//! the classification likelihood of spherical components of equal volume (Fraley 1998). The criterion is
//! reducible, so chains of nearest neighbours find the merges in another order but the same tree (Murtagh
//! 1983).

/// Points with weights, q coordinates each, one point after the other.
#[derive(Debug, Clone)]
pub(super) struct Points {
    pub coordinates: usize,
    pub cells: Vec<f64>,
    pub weights: Vec<f64>,
}

impl Points {
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    pub fn get(&self, i: usize) -> &[f64] {
        &self.cells[i * self.coordinates..(i + 1) * self.coordinates]
    }

    /// Rise of the within sum of squares when `a` and `b` merge.
    fn rise(&self, a: usize, b: usize) -> f64 {
        let distance: f64 = std::iter::zip(self.get(a), self.get(b))
            .map(|(x, y)| (x - y) * (x - y))
            .sum();
        let (a, b) = (self.weights[a], self.weights[b]);
        a * (b / (a + b)) * distance
    }

    /// Moves `into` to the weighted mean of the two.
    fn merge(&mut self, from: usize, into: usize) {
        let total = self.weights[from] + self.weights[into];
        let share = self.weights[from] / total;
        for j in 0..self.coordinates {
            let x = self.cells[from * self.coordinates + j];
            let y = &mut self.cells[into * self.coordinates + j];
            *y += share * (x - *y);
        }
        self.weights[into] = total;
    }
}

/// The cluster whose first point is `from` joins the one whose first point is `into`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Join {
    pub from: usize,
    pub into: usize,
}

/// The m − 1 merges, smallest rise first; clusters bear the index of their first point.
pub(super) fn tree(mut points: Points) -> Vec<Join> {
    let m = points.len();
    let mut alive: Vec<usize> = (0..m).collect();
    let mut height = vec![0.0_f64; m];
    let mut joins: Vec<(f64, Join)> = Vec::with_capacity(m.saturating_sub(1));
    let mut chain: Vec<usize> = Vec::new();
    while alive.len() > 1 {
        let tip = match chain.last() {
            Some(&tip) => tip,
            None => {
                chain.push(alive[0]);
                alive[0]
            }
        };
        let before = chain.len().checked_sub(2).map(|at| chain[at]);
        let (next, rise) = nearest(&points, &alive, tip, before);
        if before != Some(next) {
            chain.push(next);
            continue;
        }
        chain.truncate(chain.len() - 2);
        let (into, from) = (tip.min(next), tip.max(next));
        // Rounding must not put a merge below those that it is made of.
        let rise = rise.max(height[into]).max(height[from]);
        points.merge(from, into);
        height[into] = rise;
        alive.retain(|&i| i != from);
        joins.push((rise, Join { from, into }));
    }
    joins.sort_by(|a, b| a.0.total_cmp(&b.0));
    joins.into_iter().map(|(_, join)| join).collect()
}

/// The cluster nearest to `tip`; among equals `before`, then the first.
fn nearest(points: &Points, alive: &[usize], tip: usize, before: Option<usize>) -> (usize, f64) {
    let first = || alive.iter().copied().find(|&i| i != tip).unwrap_or(tip);
    let start = before.unwrap_or_else(first);
    let mut best = (start, points.rise(tip, start));
    for &i in alive {
        if i != tip {
            let rise = points.rise(tip, i);
            if rise < best.1 {
                best = (i, rise);
            }
        }
    }
    best
}

/// Labels 0.. of `m` points after `joins`, numbered by first appearance.
pub(super) fn cut(m: usize, joins: &[Join]) -> Vec<u32> {
    let mut parent: Vec<usize> = (0..m).collect();
    for join in joins {
        parent[join.from] = join.into;
    }
    let mut labels = vec![0; m];
    let mut next = 0;
    // A cluster bears its first point's index, so `parent` points backwards and one sweep settles all.
    for i in 0..m {
        if parent[i] == i {
            labels[i] = next;
            next += 1;
        } else {
            labels[i] = labels[parent[i]];
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64], weights: &[f64]) -> Points {
        Points {
            coordinates: 1,
            cells: values.to_vec(),
            weights: weights.to_vec(),
        }
    }

    /// Ward by trying every pair: O(m³).
    fn exhaustive(mut points: Points) -> Vec<Join> {
        let mut alive: Vec<usize> = (0..points.len()).collect();
        let mut joins = Vec::new();
        while alive.len() > 1 {
            let mut best = (f64::INFINITY, 0, 0);
            for (at, &a) in alive.iter().enumerate() {
                for &b in &alive[at + 1..] {
                    let rise = points.rise(a, b);
                    if rise < best.0 {
                        best = (rise, a, b);
                    }
                }
            }
            let (_, into, from) = best;
            points.merge(from, into);
            alive.retain(|&i| i != from);
            joins.push(Join { from, into });
        }
        joins
    }

    #[test]
    fn chains_find_the_same_tree_as_trying_every_pair() {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let points = Points {
            coordinates: 3,
            cells: (0..180).map(|_| uniform()).collect(),
            weights: (0..60).map(|_| 0.5 + uniform()).collect(),
        };
        assert_eq!(tree(points.clone()), exhaustive(points));
    }

    #[test]
    fn a_weight_is_a_repeated_point() {
        let values = [0.0, 1.0, 2.2, 3.3];
        let plain = tree(points(&values, &[1.0; 4]));
        assert_eq!(cut(4, &plain[..1]), [0, 0, 1, 2]);
        let weighted = tree(points(&values, &[1.0, 3.0, 1.0, 1.0]));
        assert_eq!(cut(4, &weighted[..1]), [0, 1, 2, 2]);
        let repeated = tree(points(&[0.0, 1.0, 1.0, 1.0, 2.2, 3.3], &[1.0; 6]));
        assert_eq!(cut(6, &repeated[..3]), [0, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn equal_points_and_one_point_are_no_trouble() {
        assert!(tree(points(&[1.0], &[1.0])).is_empty());
        let joins = tree(points(&[1.0; 5], &[1.0; 5]));
        assert_eq!(cut(5, &joins), [0; 5]);
    }
}
