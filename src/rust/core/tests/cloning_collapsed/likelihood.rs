//! The Gaussian likelihood against the multivariate normal density, and β drawn against β moved.

use ember_core::cloning::collapsed;
use ember_core::cloning::mode::Mode;
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::posterior::Posterior;
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::cloning::target::{Gaussian, Likelihood};
use ember_core::mixed::criterion::KnownDeviation;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;
use ember_core::nalgebra::{DMatrix, DVector};
use ember_core::rng::stream;
use ember_core::Result;
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::statistics::{effective_size, mean, settings, values, variance};

/// Two crossed factors, the first with a slope, weights, an offset and two dispersion groups.
struct Data {
    y: Vec<f64>,
    x: Vec<f64>,
    offset: Vec<f64>,
    weights: Vec<f64>,
    first: Vec<i32>,
    second: Vec<i32>,
    groups: Vec<i32>,
}

const N: usize = 60;

impl Data {
    fn new() -> Self {
        let mut rng = stream(8, 0);
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let b: Vec<f64> = (0..16).map(|_| 0.8 * normal()).collect();
        let x: Vec<f64> = (0..N).map(|_| normal()).collect();
        let first: Vec<i32> = (0..N).map(|i| (i % 8) as i32 + 1).collect();
        let y = (0..N).map(|i| {
            let g = i % 8;
            1.0 + 0.5 * x[i] + b[g] + b[8 + g] * x[i] + 0.4 * normal()
        });
        Data {
            y: y.collect(),
            offset: x.iter().map(|x| 0.1 * x * x).collect(),
            weights: (0..N).map(|i| 0.5 + (i % 3) as f64).collect(),
            second: (0..N).map(|i| (i / 8 % 5) as i32 + 1).collect(),
            groups: (0..N).map(|i| (i % 2) as i32 + 1).collect(),
            x: std::iter::repeat_n(1.0, N).chain(x).collect(),
            first,
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            response: &self.y,
            offset: Some(&self.offset),
            weights: Some(&self.weights),
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: 2,
            },
            terms: vec![
                TermRows {
                    codes: &self.first,
                    levels: 8,
                    columns: vec![Column::One, Column::Values(&self.x[N..])],
                },
                TermRows {
                    codes: &self.second,
                    levels: 5,
                    columns: vec![Column::One],
                },
            ],
            dispersion: Some((&self.groups, 2)),
        }
    }

    /// log N(y; Xβ + offset, V) with V in full.
    fn log_density(&self, layout: &Layout, w: &[f64]) -> f64 {
        let at = layout.parameters(w);
        let (first, second) = (layout.covariance(0, w), layout.covariance(1, w));
        let z = |i: usize| DVector::from_vec(vec![1.0, self.x[N + i]]);
        let v = DMatrix::from_fn(N, N, |i, j| {
            let mut value = 0.0;
            if self.first[i] == self.first[j] {
                value += (z(i).transpose() * &first * z(j))[0];
            }
            if self.second[i] == self.second[j] {
                value += second[(0, 0)];
            }
            if i == j {
                let ratio = at.dispersion[self.groups[i] as usize - 1];
                value += (at.sigma * ratio).powi(2) / self.weights[i];
            }
            value
        });
        let residual = DVector::from_fn(N, |i, _| {
            self.y[i] - self.offset[i] - at.beta[0] - at.beta[1] * self.x[N + i]
        });
        let factor = v.cholesky().unwrap();
        let log_det: f64 = factor.l().diagonal().iter().map(|l| 2.0 * l.ln()).sum();
        let square = residual.dot(&factor.solve(&residual));
        -0.5 * (N as f64 * (2.0 * std::f64::consts::PI).ln() + log_det + square)
    }
}

#[test]
fn likelihood_is_the_multivariate_normal_density() {
    let data = Data::new();
    let statistics = cross_products(&data.rows(), 1).unwrap();
    let structure = Structure::full(&[2, 1]);
    let known = KnownDeviation {
        term: 1,
        index: 0,
        sd: 0.6,
    };
    for (sigma, known) in [
        (None, vec![]),
        (Some(0.7), vec![]),
        (None, vec![known]),
        (Some(0.7), vec![known]),
    ] {
        let layout = Layout::new(&structure, &[8, 5], 2, 2, sigma, &known, false).unwrap();
        let mut gaussian = Gaussian::new(&statistics, &structure, &layout).unwrap();
        for shift in [0.0, 1.0, 2.0] {
            let length = layout.coordinates();
            let w: Vec<f64> = (0..length).map(|i| (i as f64 + shift).sin()).collect();
            let expected = data.log_density(&layout, &w);
            let value = gaussian.log_likelihood(&w).unwrap();
            assert!(
                (value - expected).abs() < 1e-10 * expected.abs(),
                "{value} {expected}"
            );
        }
    }
}

/// A Gaussian likelihood that does not tell how β enters.
#[derive(Clone)]
struct Opaque<'a>(Gaussian<'a>);

impl Likelihood for Opaque<'_> {
    fn log_likelihood(&mut self, w: &[f64]) -> Result<f64> {
        self.0.log_likelihood(w)
    }
}

/// The same posterior with β integrated out and drawn, and with β moved like the variances.
#[test]
fn integrating_the_fixed_effects_out_changes_nothing() {
    let data = Data::new();
    let rows = data.rows();
    let statistics = cross_products(&rows, 1).unwrap();
    let structure = Structure::full(&[2, 1]);
    let layout = Layout::new(&structure, &[8, 5], 2, 2, None, &[], false).unwrap();
    let normal = |coordinate, mean, sd| Term {
        coordinate,
        scale: Scale::Coordinate,
        density: Density::Normal { mean, sd },
    };
    // A prior that matters for one fixed effect, and is flat for the other.
    let correlation = Term {
        coordinate: layout.block_at(0) + 2,
        scale: Scale::Correlation,
        density: Density::SymmetricBeta { shape: 1.5 },
    };
    let mut terms = vec![normal(1, 2.0, 0.3), correlation];
    let others = (2..layout.coordinates()).filter(|&j| j != correlation.coordinate);
    terms.extend(others.map(|j| normal(j, 0.0, 1.0)));
    let prior = Prior::new(&layout, &terms).unwrap();
    let gaussian = Gaussian::new(&statistics, &structure, &layout).unwrap();
    let w = vec![0.0; layout.coordinates()];
    let settings = settings(6000);
    let exact = Posterior::new(gaussian.clone(), &layout, &prior, 2);
    let mode = Mode::find(&exact, &w).unwrap();
    let drawn = collapsed::run(&exact, &mode, None, &settings, &mut |_| true).unwrap();
    let opaque = Posterior::new(Opaque(gaussian), &layout, &prior, 2);
    let other = Mode::find(&opaque, &w).unwrap();
    let moved = collapsed::run(&opaque, &other, None, &settings, &mut |_| true).unwrap();
    for (a, b) in mode.w.iter().zip(&other.w) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    assert!((&mode.covariance - &other.covariance).amax() < 1e-3 * mode.covariance.amax());
    for at in 0..layout.naturals() {
        let (x, y) = (values(&drawn, at), values(&moved, at));
        let (first, second) = (effective_size(&drawn, at), effective_size(&moved, at));
        assert!(first.min(second) > 1000.0, "{at}: {first} {second}");
        let error = (variance(&x) / first + variance(&y) / second).sqrt();
        let z = (mean(&x) - mean(&y)) / error;
        assert!(z.abs() < 4.0, "{at}: {z}");
    }
}
