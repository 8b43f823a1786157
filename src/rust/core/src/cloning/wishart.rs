//! Draws from Wishart distributions.

use nalgebra::DMatrix;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

/// The lower triangular T with T Tᵀ ~ Wishart(df, I), q × q (Bartlett 1933); `None` unless df > q - 1.
pub fn bartlett(df: f64, q: usize, rng: &mut ChaCha8Rng) -> Option<DMatrix<f64>> {
    let mut root = DMatrix::zeros(q, q);
    for j in 0..q {
        let degrees = df - j as f64;
        root[(j, j)] = chi_squared(degrees, rng)?.sqrt();
        for i in j + 1..q {
            root[(i, j)] = rng.sample(StandardNormal);
        }
    }
    Some(root)
}

/// A draw of χ² with `df` degrees of freedom; `None` unless df > 0.
pub fn chi_squared(df: f64, rng: &mut ChaCha8Rng) -> Option<f64> {
    ChiSquared::new(df).ok().map(|law| law.sample(rng))
}

/// Σ z zᵀ of `count` standard normal vectors of length q.
pub fn scatter(count: usize, q: usize, rng: &mut ChaCha8Rng) -> DMatrix<f64> {
    if q == 1 && count > 0 {
        let square = chi_squared(count as f64, rng).unwrap_or(0.0);
        return DMatrix::from_element(1, 1, square);
    }
    if count >= q {
        if let Some(root) = bartlett(count as f64, q, rng) {
            return &root * root.transpose();
        }
    }
    let vectors = DMatrix::from_fn(q, count, |_, _| rng.sample::<f64, _>(StandardNormal));
    &vectors * vectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    /// E W = df I, Var W_ij = df (1 + δ_ij), on both sides of df = q.
    #[test]
    fn moments_are_those_of_a_wishart() {
        let (q, draws) = (3, 40_000);
        for count in [1, 2, 3, 7] {
            let mut rng = stream(3, count as u64);
            let df = count as f64;
            let (mut sum, mut square) = (DMatrix::zeros(q, q), DMatrix::<f64>::zeros(q, q));
            for _ in 0..draws {
                let w = scatter(count, q, &mut rng);
                square += w.component_mul(&w);
                sum += w;
            }
            let mean = sum / draws as f64;
            let variance = square / draws as f64 - mean.component_mul(&mean);
            for i in 0..q {
                for j in 0..q {
                    let same = f64::from(u8::from(i == j));
                    let expected = df * (1.0 + same);
                    let error = 5.0 * (expected / draws as f64).sqrt();
                    assert!((mean[(i, j)] - df * same).abs() < error, "{mean}");
                    assert!(
                        (variance[(i, j)] / expected - 1.0).abs() < 0.12,
                        "{variance}"
                    );
                }
            }
        }
    }
}
