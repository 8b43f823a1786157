//! Stored data and fits, and derivatives that owe nothing to the library.

use ember_core::mixture::model::{CovarianceModel, Mixture, Noise};
use nalgebra::{DMatrix, DVector};

fn read(file: &str) -> String {
    let path = format!("{}/tests/data/inference/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A stored matrix, one row per line.
pub fn matrix(file: &str) -> DMatrix<f64> {
    let rows = lines(file);
    DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

/// Stored numbers, line by line.
pub fn lines(file: &str) -> Vec<Vec<f64>> {
    read(file)
        .lines()
        .map(|line| {
            line.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        })
        .collect()
}

/// mclust's fits: log-likelihood and mixture.
pub fn fits(file: &str, d: usize) -> Vec<(f64, Mixture)> {
    read(file)
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let model = CovarianceModel::from_name(words[0]).unwrap();
            let k: usize = words[1].parse().unwrap();
            let values: Vec<f64> = words[2..]
                .iter()
                .map(|word| word.parse().unwrap())
                .collect();
            let (weights, rest) = values[1..].split_at(k);
            let (means, rest) = rest.split_at(k * d);
            let covariances = rest
                .chunks(d * d)
                .map(|c| DMatrix::from_column_slice(d, d, c))
                .collect();
            let mixture = Mixture {
                model,
                weights: weights.to_vec(),
                means: DMatrix::from_column_slice(d, k, means),
                covariances,
                noise: None,
            };
            (values[0], mixture)
        })
        .collect()
}

/// Σ w log p over rows, NaN marking what is missing; plain loops.
pub fn log_lik(x: &DMatrix<f64>, weights: Option<&[f64]>, mixture: &Mixture) -> f64 {
    let d = x.ncols();
    let factors: Vec<Vec<Vec<f64>>> = mixture.covariances.iter().map(cholesky).collect();
    let logs: Vec<f64> = factors
        .iter()
        .map(|l| (0..d).map(|j| l[j][j].ln()).sum::<f64>())
        .collect();
    let mut sum = 0.0;
    let mut y = vec![0.0; d];
    for i in 0..x.nrows() {
        let observed: Vec<usize> = (0..d).filter(|&j| !x[(i, j)].is_nan()).collect();
        let complete = observed.len() == d;
        let mut density = 0.0;
        for k in 0..mixture.weights.len() {
            let own;
            let (factor, log) = if complete {
                (&factors[k], logs[k])
            } else {
                let part = mixture.covariances[k]
                    .select_rows(&observed)
                    .select_columns(&observed);
                own = cholesky(&part);
                (&own, (0..observed.len()).map(|j| own[j][j].ln()).sum())
            };
            let mut squares = 0.0;
            for (a, &j) in observed.iter().enumerate() {
                let mut value = x[(i, j)] - mixture.means[(j, k)];
                for b in 0..a {
                    value -= factor[a][b] * y[b];
                }
                y[a] = value / factor[a][a];
                squares += y[a] * y[a];
            }
            let constant = observed.len() as f64 * std::f64::consts::TAU.ln();
            let log_density: f64 = -0.5 * (squares + constant) - log;
            density += mixture.weights[k] * log_density.exp();
        }
        if let Some(Noise {
            weight,
            log_density,
        }) = mixture.noise
        {
            density += weight * log_density.exp();
        }
        sum += weights.map_or(1.0, |w| w[i]) * density.ln();
    }
    sum
}

fn cholesky(a: &DMatrix<f64>) -> Vec<Vec<f64>> {
    let d = a.nrows();
    let mut l = vec![vec![0.0; d]; d];
    for i in 0..d {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|m| l[i][m] * l[j][m]).sum();
            l[i][j] = if i == j {
                (a[(i, i)] - sum).sqrt()
            } else {
                (a[(i, j)] - sum) / l[j][j]
            };
        }
    }
    l
}

/// Gradient by central differences, Richardson-extrapolated.
pub fn gradient(f: &dyn Fn(&[f64]) -> f64, at: &[f64], steps: &[f64]) -> DVector<f64> {
    DVector::from_fn(at.len(), |i, _| {
        let slope = |h: f64| {
            let mut x = at.to_vec();
            x[i] = at[i] + h;
            let up = f(&x);
            x[i] = at[i] - h;
            (up - f(&x)) / (2.0 * h)
        };
        (4.0 * slope(steps[i] / 2.0) - slope(steps[i])) / 3.0
    })
}

/// Hessian by central differences, Richardson-extrapolated.
pub fn hessian(f: &dyn Fn(&[f64]) -> f64, at: &[f64], steps: &[f64]) -> DMatrix<f64> {
    let p = at.len();
    let center = f(at);
    let moved = |shifts: &[(usize, f64)]| {
        let mut x = at.to_vec();
        for &(i, h) in shifts {
            x[i] += h;
        }
        f(&x)
    };
    let mut hessian = DMatrix::zeros(p, p);
    for i in 0..p {
        for j in 0..=i {
            let second = |scale: f64| {
                let (a, b) = (steps[i] * scale, steps[j] * scale);
                if i == j {
                    (moved(&[(i, a)]) - 2.0 * center + moved(&[(i, -a)])) / (a * a)
                } else {
                    (moved(&[(i, a), (j, b)])
                        - moved(&[(i, a), (j, -b)])
                        - moved(&[(i, -a), (j, b)])
                        + moved(&[(i, -a), (j, -b)]))
                        / (4.0 * a * b)
                }
            };
            let value = (4.0 * second(0.5) - second(1.0)) / 3.0;
            hessian[(i, j)] = value;
            hessian[(j, i)] = value;
        }
    }
    hessian
}

/// Largest |a − b| relative to √(diagonal a_ii a_jj).
pub fn difference(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let mut largest: f64 = 0.0;
    for i in 0..a.nrows() {
        for j in 0..a.ncols() {
            let scale = (a[(i, i)].abs() * a[(j, j)].abs())
                .sqrt()
                .max(f64::MIN_POSITIVE);
            let gap = (a[(i, j)] - b[(i, j)]).abs() / scale;
            assert!(
                !gap.is_nan(),
                "entry ({i}, {j}): {} and {}",
                a[(i, j)],
                b[(i, j)]
            );
            largest = largest.max(gap);
        }
    }
    largest
}
