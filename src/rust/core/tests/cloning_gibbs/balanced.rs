//! The balanced one-way layout, where everything has a closed form.

use ember_core::cloning::chains::{Draws, Settings};
use ember_core::cloning::gibbs::{ClonedGaussian, Gibbs};
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::cloning::walk::Guide;
use ember_core::mixed::cross_products::{cross_products, CrossProducts};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;
use ember_core::nalgebra::DMatrix;
use ember_core::rng::stream;
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::sample::sample;
use crate::statistics::{effective_size, mean, settings, values, variance};

/// y_ij = μ + α_i + e_ij, `groups` × `each`.
struct OneWay {
    y: Vec<f64>,
    x: Vec<f64>,
    codes: Vec<i32>,
    groups: usize,
    each: usize,
}

impl OneWay {
    fn new(groups: usize, each: usize, tau: f64, sigma: f64, seed: u64) -> Self {
        let mut rng = stream(seed, 0);
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let alpha: Vec<f64> = (0..groups).map(|_| tau * normal()).collect();
        let n = groups * each;
        OneWay {
            y: (0..n)
                .map(|i| 2.5 + alpha[i % groups] + sigma * normal())
                .collect(),
            x: vec![1.0; n],
            codes: (0..n).map(|i| (i % groups) as i32 + 1).collect(),
            groups,
            each,
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            response: &self.y,
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: 1,
            },
            terms: vec![TermRows {
                codes: &self.codes,
                levels: self.groups,
                columns: vec![Column::One],
            }],
            dispersion: None,
        }
    }

    /// Maximum likelihood: μ, σ², τ².
    fn maximum(&self) -> [f64; 3] {
        let (g, m) = (self.groups as f64, self.each as f64);
        let means: Vec<f64> = (0..self.groups)
            .map(|l| {
                let own = self.y.iter().skip(l).step_by(self.groups);
                own.sum::<f64>() / m
            })
            .collect();
        let mu = mean(&means);
        let within: f64 = (self.y.iter().enumerate())
            .map(|(i, y)| (y - means[i % self.groups]).powi(2))
            .sum();
        let between: f64 = means.iter().map(|x| (x - mu).powi(2)).sum();
        let sigma_sq = within / (g * (m - 1.0));
        [mu, sigma_sq, between / g - sigma_sq / m]
    }

    /// The inverse of the information matrix of (μ, σ², τ²) at the maximum: observed and expected are the same
    /// there, with eigenvalues λ = σ² + m τ² of the groups' means and σ² within.
    fn inverse_information(&self) -> DMatrix<f64> {
        let [_, sigma_sq, tau_sq] = self.maximum();
        let (g, m) = (self.groups as f64, self.each as f64);
        let lambda = sigma_sq + m * tau_sq;
        let within = g * (m - 1.0) / (2.0 * sigma_sq * sigma_sq);
        let between = g / (2.0 * lambda * lambda);
        let information = DMatrix::from_row_slice(
            3,
            3,
            &[
                g * m / lambda,
                0.0,
                0.0,
                0.0,
                within + between,
                m * between,
                0.0,
                m * between,
                m * m * between,
            ],
        );
        information.try_inverse().expect("regular")
    }
}

/// The note's priors: normal on log standard deviations and on μ.
fn priors() -> Vec<Term> {
    let normal = |coordinate, mean, sd| Term {
        coordinate,
        scale: Scale::Coordinate,
        density: Density::Normal { mean, sd },
    };
    vec![
        normal(0, 0.0, 10f64.sqrt()),
        normal(1, 0.0, 1000f64.sqrt()),
        normal(2, 0.0, 1000f64.sqrt()),
    ]
}

struct Case {
    statistics: CrossProducts,
    structure: Structure,
    layout: Layout,
    prior: Prior,
}

impl Case {
    fn new(data: &OneWay, terms: &[Term]) -> Self {
        let statistics = cross_products(&data.rows(), 1).unwrap();
        let structure = Structure::full(&[1]);
        let layout = Layout::new(&structure, statistics.levels(), 1, 1, None, &[], false).unwrap();
        let prior = Prior::new(&layout, terms).unwrap();
        Case {
            statistics,
            structure,
            layout,
            prior,
        }
    }

    fn model(&self, clones: usize) -> ClonedGaussian<'_> {
        ClonedGaussian {
            statistics: &self.statistics,
            structure: &self.structure,
            layout: &self.layout,
            prior: &self.prior,
            clones,
        }
    }
}

/// The mode in w and the covariance of so many clones by the delta method.
fn guide(data: &OneWay, clones: usize) -> Guide {
    let [mu, sigma_sq, tau_sq] = data.maximum();
    let slopes = [1.0, 0.5 / sigma_sq, 0.5 / tau_sq];
    let inverse = data.inverse_information();
    Guide {
        w: vec![mu, 0.5 * sigma_sq.ln(), 0.5 * tau_sq.ln()],
        covariance: DMatrix::from_fn(3, 3, |i, j| {
            slopes[i] * slopes[j] * inverse[(i, j)] / clones as f64
        }),
    }
}

#[test]
fn clones_bring_the_maximum_and_the_inverse_information() {
    let data = OneWay::new(100, 2, 0.5, 0.2, 4);
    let case = Case::new(&data, &priors());
    let inverse = data.inverse_information();
    for clones in [50, 400] {
        let guide = guide(&data, clones);
        let draws = sample(&settings(2000), 3, |_, _| {
            Gibbs::new(case.model(clones), &guide, guide.w.clone())
        });
        for (at, maximum) in data.maximum().into_iter().enumerate() {
            let x = values(&draws, at);
            let size = effective_size(&draws, at);
            assert!(size > 0.3 * x.len() as f64, "{at}: {size} effective draws");
            let sd = (inverse[(at, at)] / clones as f64).sqrt();
            // The posterior mean of a variance is off by a skewness of order 1 / K.
            let error = (mean(&x) - maximum).abs() / sd;
            assert!(
                error < 4.0 / size.sqrt() + 1.0 / (clones as f64).sqrt(),
                "{at}: {error}"
            );
            let ratio = variance(&x) / (sd * sd);
            let allowed = 4.0 * (2.0 / size).sqrt() + 2.0 / clones as f64;
            assert!((ratio - 1.0).abs() < allowed, "{at}: {ratio}");
        }
    }
}

/// K copies of the data in one copy are the same posterior, by another road: no scatter is drawn.
#[test]
fn clones_are_copies_of_the_data() {
    let data = OneWay::new(12, 3, 0.5, 0.4, 5);
    let copies = 3;
    let mut copied = OneWay::new(12 * copies, 3, 0.0, 0.0, 5);
    for (i, y) in copied.y.iter_mut().enumerate() {
        let (group, each) = (i % (12 * copies), i / (12 * copies));
        *y = data.y[each * 12 + group % 12];
    }
    let guide = guide(&data, copies);
    let (one, all) = (Case::new(&data, &priors()), Case::new(&copied, &priors()));
    let cloned = sample(&settings(6000), 3, |_, _| {
        Gibbs::new(one.model(copies), &guide, guide.w.clone())
    });
    let stacked = sample(&settings(6000), 3, |_, _| {
        Gibbs::new(all.model(1), &guide, guide.w.clone())
    });
    for at in 0..3 {
        agree(&cloned, &stacked, at);
    }
}

/// Means and variances of a value agree within Monte Carlo error.
fn agree(a: &Draws, b: &Draws, at: usize) {
    let (x, y) = (values(a, at), values(b, at));
    let (first, second) = (effective_size(a, at), effective_size(b, at));
    let z = (mean(&x) - mean(&y)) / (variance(&x) / first + variance(&y) / second).sqrt();
    assert!(z.abs() < 4.0, "{at}: {z}");
    let log_ratio = (variance(&x) / variance(&y)).ln();
    // The fourth moment of a skewed posterior of few groups may be twice the normal one.
    let error = (4.0 / first + 4.0 / second).sqrt();
    assert!(log_ratio.abs() < 4.0 * error, "{at}: {log_ratio} {error}");
}

/// With one row for each group only σ² + τ² is known: that shrinks, and the chain still crosses the ridge.
#[test]
fn a_ridge_is_crossed_and_does_not_shrink() {
    let data = OneWay::new(100, 1, 0.5, 0.2, 4);
    let case = Case::new(&data, &priors());
    let total = data
        .y
        .iter()
        .map(|y| (y - mean(&data.y)).powi(2))
        .sum::<f64>()
        / 100.0;
    let half = 0.5 * (0.5 * total).ln();
    let guide = Guide {
        w: vec![mean(&data.y), half, half],
        covariance: DMatrix::identity(3, 3),
    };
    let spreads = [1, 50].map(|clones| {
        let mut draws = sample(&settings(4000), 3, |_, _| {
            Gibbs::new(case.model(clones), &guide, guide.w.clone())
        });
        let size = effective_size(&draws, 1);
        assert!(size > 60.0, "{clones}: {size} effective draws on the ridge");
        let sigma = variance(&values(&draws, 1));
        for chain in &mut draws.chains {
            for draw in chain.values.chunks_exact_mut(3) {
                draw[1] += draw[2];
            }
        }
        let sum = values(&draws, 1);
        let z = (mean(&sum) - total) / (variance(&sum) / effective_size(&draws, 1)).sqrt();
        assert!(clones == 1 || z.abs() < 5.0, "{z}");
        (sigma, variance(&sum))
    });
    assert!(spreads[1].0 > 0.3 * spreads[0].0, "{spreads:?}");
    assert!(spreads[1].1 < 0.04 * spreads[0].1, "{spreads:?}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let data = OneWay::new(20, 2, 0.5, 0.2, 4);
    let case = Case::new(&data, &priors());
    let guide = guide(&data, 7);
    let draws = |threads| {
        let settings = Settings {
            threads,
            ..settings(50)
        };
        sample(&settings, 3, |_, _| {
            Gibbs::new(case.model(7), &guide, guide.w.clone())
        })
    };
    assert!(draws(1) == draws(2));
}
