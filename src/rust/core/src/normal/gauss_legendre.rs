//! Gauss–Legendre rules on [0, 1].

use std::f64::consts::PI;

/// Newton steps on a node; its first guess has three digits.
const POLISH: usize = 5;

/// A node of [`rule`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Distance from 0.
    pub left: f64,
    /// Distance from 1, with all its digits.
    pub right: f64,
    pub weight: f64,
}

/// The rule of `order` nodes, increasing, exact for polynomials of degree 2 `order` - 1.
///
/// Newton's method on P_n(cos θ) in θ, which keeps the digits of nodes and weights beside the ends.
pub fn rule(order: usize) -> Vec<Node> {
    let n = order as f64;
    let node = |k: usize| {
        // From the right end; the left half mirrors it.
        let rank = k.min(order - 1 - k);
        let mut angle = PI * (rank as f64 + 0.75) / (n + 0.5);
        let mut slope = 0.0;
        for _ in 0..POLISH {
            let (value, derivative) = legendre(order, angle);
            slope = derivative;
            angle -= value / derivative;
        }
        let (near, far) = ((0.5 * angle).sin().powi(2), (0.5 * angle).cos().powi(2));
        let (left, right) = if k < order / 2 {
            (near, far)
        } else {
            (far, near)
        };
        Node {
            left,
            right,
            weight: 1.0 / (slope * slope),
        }
    };
    (0..order).map(node).collect()
}

/// P_n(cos θ) and its derivative in θ.
fn legendre(n: usize, angle: f64) -> (f64, f64) {
    let x = angle.cos();
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    (value, n as f64 * (x * value - before) / angle.sin())
}

#[cfg(test)]
mod tests {
    use super::rule;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for order in [1, 2, 3, 8, 16, 33, 56] {
            let nodes = rule(order);
            for degree in 0..2 * order as i32 {
                let exact = 1.0 / f64::from(degree + 1);
                let left: f64 = nodes.iter().map(|n| n.weight * n.left.powi(degree)).sum();
                let right: f64 = nodes.iter().map(|n| n.weight * n.right.powi(degree)).sum();
                assert!(
                    (left - exact).abs() < 4e-15 * exact,
                    "{order} {degree} {left}"
                );
                assert!((right - exact).abs() < 4e-15 * exact, "{order} {degree}");
            }
            assert!(nodes.windows(2).all(|pair| pair[0].left < pair[1].left));
            assert!(nodes.iter().all(|n| (n.left + n.right - 1.0).abs() < 1e-15));
        }
    }
}
