//! Simulation, cdf and quantiles against R's.

use ember_core::mixture::distribution::{simulate, Marginal, Tail};
use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use ember_core::normal::univariate::log_cdf;
use ember_core::rng::stream;
use nalgebra::DMatrix;

fn lines() -> Vec<Vec<f64>> {
    let path = format!(
        "{}/tests/data/inference/univariate.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map(|word| word.parse().unwrap())
                .collect()
        })
        .collect()
}

fn univariate(weights: &[f64], means: &[f64], variances: &[f64]) -> Mixture {
    Mixture {
        model: CovarianceModel::V,
        weights: weights.to_vec(),
        means: DMatrix::from_row_slice(1, means.len(), means),
        covariances: variances
            .iter()
            .map(|v| DMatrix::from_element(1, 1, *v))
            .collect(),
        noise: None,
    }
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * b.abs(), "{a} {b}");
}

#[test]
fn cdf_and_quantiles_are_those_of_r() {
    let stored = lines();
    let mixture = univariate(&stored[0], &stored[1], &stored[2]);
    let marginal = Marginal::new(&mixture, 0, None).unwrap();
    for (p, q) in stored[3].iter().zip(&stored[4]) {
        close(marginal.quantile(*p, Tail::Lower), *q, 1e-13);
    }
    for (i, x) in stored[5].iter().enumerate() {
        close(marginal.probability(*x, Tail::Lower), stored[6][i], 1e-13);
        close(marginal.probability(*x, Tail::Upper), stored[7][i], 1e-13);
    }
}

/// z and pnorm(z, log.p = TRUE) of R.
#[test]
fn tails_of_the_normal_are_those_of_r() {
    let expected = [
        (-40.00, -804.6084420137538),
        (-31.00, -484.85396362717927),
        (-29.00, -424.78741990973015),
        (-8.00, -35.01343715991455),
        (-5.01, -15.116911800640429),
        (-4.99, -15.01318171768932),
        (-3.30, -7.634616148071127),
        (-1.00, -1.8410216450092636),
        (-0.10, -0.7761545927302733),
        (0.00, -std::f64::consts::LN_2),
        (0.40, -0.42247637022777607),
        (3.00, -0.0013508099647481938),
        (9.00, -1.1285884059538408e-19),
    ];
    for (z, log_p) in expected {
        // Above 0 a rounding of z alone moves the tail by z² units.
        close(log_cdf(z), log_p, 1e-15 * (10.0 + z.max(0.0).powi(2)));
    }
}

#[test]
fn quantiles_invert_probabilities_everywhere() {
    // A far gap, where the cdf is flat, a narrow and a wide component.
    let mut mixture = univariate(&[0.3, 0.6, 0.1], &[-1e3, 2.0, 50.0], &[1e-4, 1.0, 900.0]);
    for noise in [false, true] {
        if noise {
            mixture.weights = vec![0.27, 0.54, 0.09];
            mixture.noise = Some(Noise {
                weight: 0.1,
                log_density: -(5000f64.ln()),
            });
        }
        let marginal = Marginal::new(&mixture, 0, Some((-2e3, 3e3))).unwrap();
        for tail in [Tail::Lower, Tail::Upper] {
            for p in [1e-300, 1e-30, 1e-5, 0.1, 0.29, 0.31, 0.5, 0.7, 0.9, 0.999] {
                let x = marginal.quantile(p, tail);
                // What an error of one unit in the last place of x does to p.
                let slack = 4.0 * f64::EPSILON * (x.abs() * marginal.density(x) / p + 1.0);
                close(marginal.probability(x, tail), p, slack.max(2e-13));
            }
            assert!(marginal.quantile(0.0, tail).is_infinite());
            assert!(marginal.quantile(1.0, tail).is_infinite());
            assert_eq!(marginal.quantile(0.0, tail), -marginal.quantile(1.0, tail));
            assert!(marginal.quantile(-0.1, tail).is_nan());
            assert!(marginal.quantile(f64::NAN, tail).is_nan());
        }
        // The density is the derivative of the cdf.
        for x in [-1000.005, -10.0, 1.3, 60.0] {
            let h = 1e-4;
            let rise =
                marginal.probability(x + h, Tail::Lower) - marginal.probability(x - h, Tail::Lower);
            let slope = rise / (2.0 * h);
            assert!((slope - marginal.density(x)).abs() < 1e-3 * (marginal.density(x) + 1e-8));
        }
    }
}

#[test]
fn simulated_rows_have_the_moments_and_classes_of_the_mixture() {
    let mixture = Mixture {
        model: CovarianceModel::VVV,
        weights: vec![0.5, 0.3],
        means: DMatrix::from_column_slice(2, 2, &[1.0, -2.0, 5.0, 4.0]),
        covariances: vec![
            DMatrix::from_row_slice(2, 2, &[2.0, 0.8, 0.8, 1.0]),
            DMatrix::from_row_slice(2, 2, &[0.5, -0.3, -0.3, 0.9]),
        ],
        noise: Some(Noise {
            weight: 0.2,
            log_density: -(200f64.ln()),
        }),
    };
    let ranges = [(-10.0, 10.0), (0.0, 10.0)];
    let n = 100_000;
    let draw = || simulate(&mixture, n, Some(&ranges), &mut stream(3, 1)).unwrap();
    let sample = draw();
    assert_eq!(sample, draw());
    let shares = [0.2, 0.5, 0.3];
    for (class, share) in shares.iter().enumerate() {
        let rows: Vec<usize> = (0..n)
            .filter(|&i| sample.classes[i] == class as u32)
            .collect();
        let m = rows.len() as f64;
        assert!((m / n as f64 - share).abs() < 4.0 * (share * (1.0 - share) / n as f64).sqrt());
        let x = sample.x.select_rows(&rows);
        let mean = x.row_mean();
        let (center, sigma) = if class == 0 {
            (
                vec![0.0, 5.0],
                DMatrix::from_row_slice(2, 2, &[400.0 / 12.0, 0.0, 0.0, 100.0 / 12.0]),
            )
        } else {
            (
                mixture.means.column(class - 1).as_slice().to_vec(),
                mixture.covariances[class - 1].clone(),
            )
        };
        for i in 0..2 {
            assert!((mean[i] - center[i]).abs() < 4.0 * (sigma[(i, i)] / m).sqrt());
            for j in 0..2 {
                let cross: f64 = x
                    .row_iter()
                    .map(|row| (row[i] - center[i]) * (row[j] - center[j]))
                    .sum();
                let se = (sigma[(i, i)] * sigma[(j, j)] + sigma[(i, j)].powi(2)).sqrt() / m.sqrt();
                assert!((cross / m - sigma[(i, j)]).abs() < 4.0 * se);
            }
        }
    }
    assert!(simulate(&mixture, 10, None, &mut stream(3, 1)).is_err());
    assert!(simulate(&mixture, 10, Some(&[(0.0, 0.0); 2]), &mut stream(3, 1)).is_err());
    assert!(Marginal::new(&mixture, 0, None).is_err());
    assert!(Marginal::new(&mixture, 2, Some((0.0, 1.0))).is_err());
}
