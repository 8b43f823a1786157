//! Gauss–Hermite rules: expectations over standard normal variables as weighted sums over nodes.

use nalgebra::DMatrix;

use crate::error::Result;
use crate::linalg::symmetric_eigen;

/// Newton steps that polish a node; the eigenvalue it starts from has 13 digits or more.
const POLISH: usize = 3;

/// E f(z) ≈ Σ_k w_k f(z_k) for z ~ N(0, I) in q dimensions, exact for polynomials of degree 2 n − 1 in each.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// q.
    width: usize,
    /// Coordinates of the nodes, q behind one another for each node.
    nodes: Vec<f64>,
    /// log w_k + z_kᵀz_k / 2: the weights of a plain integral, without (2π)^(q/2).
    log_weights: Vec<f64>,
}

impl Grid {
    /// The product of `width` rules of `order` nodes, `order`^`width` nodes in all.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn product(order: usize, width: usize) -> Result<Self> {
        let (nodes, logs) = rule(order)?;
        let count = order.pow(width as u32);
        let mut grid = Grid {
            width,
            nodes: Vec::with_capacity(count * width),
            log_weights: Vec::with_capacity(count),
        };
        for k in 0..count {
            let digits = (0..width).scan(k, |rest, _| {
                let digit = *rest % order;
                *rest /= order;
                Some(digit)
            });
            grid.nodes.extend(digits.clone().map(|j| nodes[j]));
            let plain = digits.map(|j| logs[j] + 0.5 * nodes[j] * nodes[j]);
            grid.log_weights.push(plain.sum());
        }
        Ok(grid)
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        self.log_weights.len()
    }

    /// Nodes and logarithms of their weights.
    pub fn iter(&self) -> impl Iterator<Item = (&[f64], f64)> {
        let weights = self.log_weights.iter().copied();
        self.nodes.chunks_exact(self.width).zip(weights)
    }
}

/// Nodes (increasing) and log weights of the rule of `order` nodes for a standard normal variable.
///
/// The nodes are the eigenvalues of the Jacobi matrix of the Hermite polynomials (Golub and Welsch 1969, *Math.
/// Comp.* 23), polished by Newton's method on the orthonormal polynomial; the weights are Christoffel's numbers
/// 1 / Σ_{j<n} p_j(z)², sums of positive terms.
fn rule(order: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let jacobi = DMatrix::from_fn(order, order, |i, j| match i.abs_diff(j) {
        1 => (i.max(j) as f64).sqrt(),
        _ => 0.0,
    });
    let (values, _) = symmetric_eigen(&jacobi)?;
    let mut nodes: Vec<f64> = values.iter().rev().copied().collect();
    for node in &mut nodes {
        for _ in 0..POLISH {
            let (value, before, _) = orthonormal(order, *node);
            // p_n' = √n p_{n−1}.
            *node -= value / ((order as f64).sqrt() * before);
        }
    }
    for k in 0..order / 2 {
        let half = 0.5 * (nodes[order - 1 - k] - nodes[k]);
        (nodes[k], nodes[order - 1 - k]) = (-half, half);
    }
    if order % 2 == 1 {
        nodes[order / 2] = 0.0;
    }
    let logs = nodes.iter().map(|&z| -orthonormal(order, z).2.ln());
    Ok((nodes.clone(), logs.collect()))
}

/// p_n(z), p_{n−1}(z) and Σ_{j<n} p_j(z)² of the orthonormal Hermite polynomials.
fn orthonormal(order: usize, z: f64) -> (f64, f64, f64) {
    let (mut value, mut before, mut squares) = (1.0, 0.0, 0.0);
    for j in 0..order {
        squares += value * value;
        let (j, next) = (j as f64, (j + 1) as f64);
        (value, before) = ((z * value - j.sqrt() * before) / next.sqrt(), value);
    }
    (value, before, squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E z^m of a standard normal variable is (m − 1)!! for even m.
    #[test]
    fn moments_are_exact() {
        for order in [1, 2, 3, 5, 9, 25, 50] {
            let grid = Grid::product(order, 1).unwrap();
            for power in 0..(2 * order).min(40) as i32 {
                let weight = |z: f64, log: f64| (log - 0.5 * z * z).exp();
                let moment: f64 = grid
                    .iter()
                    .map(|(z, w)| weight(z[0], w) * z[0].powi(power))
                    .sum();
                let size: f64 = (1..=power)
                    .rev()
                    .step_by(2)
                    .skip(1)
                    .map(f64::from)
                    .product();
                let exact = if power % 2 == 0 {
                    (1..power).step_by(2).map(f64::from).product()
                } else {
                    0.0
                };
                assert!(
                    (moment - exact).abs() < 1e-12 * size.max(1.0),
                    "{order} {power} {moment}"
                );
            }
        }
    }

    /// Abramowitz and Stegun, table 25.10 (for the weight e^(−x²)), n = 5 and 20.
    #[test]
    fn nodes_are_the_published_ones() {
        let published = [
            (5, 2.020_182_870_456_086, 1.995_324_205_904_6e-2),
            (20, 5.387_480_890_011_23, 2.229_393_645_534_e-13),
        ];
        for (order, node, weight) in published {
            let (nodes, logs) = rule(order).unwrap();
            let largest = nodes[order - 1] / 2f64.sqrt();
            assert!((largest - node).abs() < 1e-13 * node, "{largest}");
            let last = logs[order - 1].exp() * std::f64::consts::PI.sqrt();
            assert!((last - weight).abs() < 1e-9 * weight, "{last:e}");
        }
    }

    #[test]
    fn products_integrate_products() {
        let grid = Grid::product(4, 3).unwrap();
        assert_eq!(grid.size(), 64);
        let weight = |z: &[f64], log: f64| (log - 0.5 * z.iter().map(|z| z * z).sum::<f64>()).exp();
        let mean: f64 = grid
            .iter()
            .map(|(z, w)| weight(z, w) * z[0].powi(6) * z[1].powi(2) * z[2].powi(4))
            .sum();
        assert!((mean - 45.0).abs() < 1e-11, "{mean}");
    }

    /// Golub and Welsch's eigenvalues must be good enough for Newton's method up to the largest order allowed.
    #[test]
    fn a_hundred_nodes_are_distinct_and_sum_to_one() {
        let (nodes, logs) = rule(100).unwrap();
        assert!(nodes.windows(2).all(|pair| pair[1] - pair[0] > 0.1));
        let total: f64 = logs.iter().map(|log| log.exp()).sum();
        assert!((total - 1.0).abs() < 1e-13, "{total}");
    }
}
