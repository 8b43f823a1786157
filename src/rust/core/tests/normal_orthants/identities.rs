//! What the definitions imply.

use super::{correlations, moments, octant};

/// d log P/dm = C⁻¹(E - m) and d² log P/dm² = C⁻¹(V - C)C⁻¹, in the middle, in the tail and far in it.
#[test]
fn derivatives_of_log_p_are_moments() {
    for (r, mean) in [
        ([0.3, 0.5, 0.2], [0.4, -0.3, 0.9]),
        ([-0.4, 0.6, 0.1], [-1.5, -0.3, -1.2]),
        ([0.9, 0.85, 0.8], [0.2, -0.3, 0.1]),
        ([0.3, 0.5, 0.2], [-4.0, -3.0, -2.0]),
        ([-0.4, -0.3, 0.1], [-12.0, -9.0, 3.0]),
        ([0.99, 0.985, 0.98], [0.2, -0.3, 0.1]),
    ] {
        let orthant = octant(&r);
        let inverse = correlations(&r).try_inverse().unwrap();
        let found = moments(&orthant, &mean, 0);
        let away =
            |m: &[f64], e: &[f64]| ember_core::nalgebra::DVector::from_fn(3, |k, _| e[k] - m[k]);
        let gradient = &inverse * away(&mean, &found.mean);
        let hessian = &inverse * (&found.covariance - correlations(&r)) * &inverse;
        let step = 1e-3;
        for k in 0..3 {
            let moved = |by: f64| {
                let mut m = mean;
                m[k] += by;
                let found = moments(&orthant, &m, 0);
                (found.log_probability, &inverse * away(&m, &found.mean))
            };
            let [far_below, below, above, far_above] =
                [-2.0, -1.0, 1.0, 2.0].map(|i| moved(i * step));
            let slope = (8.0 * (above.0 - below.0) - (far_above.0 - far_below.0)) / (12.0 * step);
            let scale = 1.0 + gradient.amax();
            assert!(
                (slope - gradient[k]).abs() < 1e-8 * scale,
                "{r:?} {mean:?} {slope} {}",
                gradient[k]
            );
            let bend = ((above.1 - below.1) * 8.0 - (far_above.1 - far_below.1)) / (12.0 * step);
            let error = (bend - hessian.column(k)).amax();
            assert!(
                error < 2e-7 * (1.0 + hessian.amax()),
                "{r:?} {mean:?} {error:e}"
            );
        }
    }
}

/// The probabilities of the eight octants add up to 1, their moments to those of Z.
#[test]
fn octants_are_a_partition() {
    let c = correlations(&[0.6, -0.3, 0.4]);
    let mean = [0.5, -0.8, 1.2];
    let (mut total, mut first) = (0.0, [0.0; 3]);
    let mut second = ember_core::nalgebra::DMatrix::<f64>::zeros(3, 3);
    for pattern in 0..8 {
        let signs = [0, 1, 2].map(|k| if pattern >> k & 1 == 1 { 1.0 } else { -1.0 });
        let orthant = ember_core::normal::orthant::Orthant::new(&c, &signs, &super::EXACT).unwrap();
        let found = moments(&orthant, &mean, 0);
        let p = found.log_probability.exp();
        total += p;
        for i in 0..3 {
            first[i] += p * found.mean[i];
            assert!(signs[i] * found.mean[i] > 0.0);
            for j in 0..3 {
                second[(i, j)] += p * (found.covariance[(i, j)] + found.mean[i] * found.mean[j]);
            }
        }
    }
    assert!((total - 1.0).abs() < 1e-14);
    for i in 0..3 {
        assert!((first[i] - mean[i]).abs() < 1e-13);
        for j in 0..3 {
            assert!((second[(i, j)] - c[(i, j)] - mean[i] * mean[j]).abs() < 1e-12);
        }
    }
}
