//! Geweke's test of the joint distribution (2004, *JASA* 99, 799-804), with one copy of the data.
//!
//! Data drawn given the parameters, then parameters moved by the sampler given those data, and so on: if the
//! sampler leaves the posterior as it is, the parameters of this chain have the prior as their law.

use ember_core::cloning::chains::Sampler;
use ember_core::cloning::gibbs::{ClonedGaussian, Gibbs};
use ember_core::cloning::parameters::Layout;
use ember_core::cloning::prior::{Density, Prior, Scale, Term};
use ember_core::cloning::walk::Guide;
use ember_core::mixed::criterion::KnownDeviation;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::simulate::{Law, Simulator};
use ember_core::mixed::structure::Structure;
use ember_core::nalgebra::DMatrix;
use ember_core::rng::stream;
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::statistics::{effective, mean, variance};

/// A small design.
pub struct Design {
    pub name: &'static str,
    pub n: usize,
    pub x: Vec<f64>,
    pub weights: Option<Vec<f64>>,
    pub offset: Option<Vec<f64>>,
    /// Codes, levels, and columns besides the intercept.
    pub terms: Vec<(Vec<i32>, usize, Vec<Vec<f64>>)>,
    pub dispersion: Option<(Vec<i32>, usize)>,
    pub known: Vec<KnownDeviation>,
}

impl Design {
    /// `n` rows with an intercept and a covariate.
    pub fn new(name: &'static str, n: usize) -> Self {
        let mut rng = stream(99, n as u64);
        let covariate = (0..n).map(|_| rng.sample::<f64, _>(StandardNormal));
        let x = std::iter::repeat_n(1.0, n).chain(covariate).collect();
        Design {
            name,
            n,
            x,
            weights: None,
            offset: None,
            terms: Vec::new(),
            dispersion: None,
            known: Vec::new(),
        }
    }

    /// Adds a term whose level of row i is `code(i)`, counted from 0.
    pub fn term(mut self, levels: usize, slopes: usize, code: impl Fn(usize) -> usize) -> Self {
        let mut rng = stream(98, self.terms.len() as u64);
        let codes = (0..self.n).map(|i| code(i) as i32 + 1).collect();
        let column = |_| {
            (0..self.n)
                .map(|_| rng.sample::<f64, _>(StandardNormal))
                .collect()
        };
        let columns = (0..slopes).map(column).collect();
        self.terms.push((codes, levels, columns));
        self
    }

    pub fn rows<'a>(&'a self, y: &'a [f64]) -> Rows<'a> {
        let terms = self.terms.iter().map(|(codes, levels, columns)| TermRows {
            codes,
            levels: *levels,
            columns: std::iter::once(Column::One)
                .chain(columns.iter().map(|values| Column::Values(values)))
                .collect(),
        });
        Rows {
            response: y,
            offset: self.offset.as_deref(),
            weights: self.weights.as_deref(),
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: 2,
            },
            terms: terms.collect(),
            dispersion: self
                .dispersion
                .as_ref()
                .map(|(codes, groups)| (&codes[..], *groups)),
        }
    }

    pub fn structure(&self) -> Structure {
        let widths: Vec<usize> = self.terms.iter().map(|term| 1 + term.2.len()).collect();
        Structure::full(&widths)
    }

    pub fn levels(&self) -> Vec<usize> {
        self.terms.iter().map(|term| term.1).collect()
    }
}

/// Proper priors of every kind of step: normal and not on β, on variances, deviations and precisions.
pub fn priors(layout: &Layout) -> Vec<Term> {
    use ember_core::cloning::parameters::Kind;
    let kinds = layout.coordinate_kinds();
    let mut correlated = Vec::new();
    let terms = kinds
        .into_iter()
        .enumerate()
        .filter_map(|(coordinate, kind)| {
            let (scale, density) = match kind {
                Kind::Fixed(0) => (Scale::Coordinate, Density::Normal { mean: 0.4, sd: 0.6 }),
                Kind::Fixed(_) => (
                    Scale::Coordinate,
                    Density::Uniform {
                        lower: -0.7,
                        upper: 0.5,
                    },
                ),
                Kind::Residual => (
                    Scale::Power(-2.0),
                    Density::Gamma {
                        shape: 4.0,
                        rate: 3.0,
                    },
                ),
                Kind::Ratio(_) | Kind::Shape => {
                    (Scale::Coordinate, Density::Normal { mean: 0.2, sd: 0.4 })
                }
                Kind::Covariance { row, column, .. } if row == column => match row {
                    0 => (Scale::Power(1.0), Density::HalfNormal { sd: 0.8 }),
                    _ => (
                        Scale::Power(2.0),
                        Density::Gamma {
                            shape: 2.0,
                            rate: 4.0,
                        },
                    ),
                },
                Kind::Covariance { block, .. } => {
                    if correlated.contains(&block) {
                        return None;
                    }
                    correlated.push(block);
                    (Scale::Correlation, Density::SymmetricBeta { shape: 1.5 })
                }
            };
            Some(Term {
                coordinate,
                scale,
                density,
            })
        });
    terms.collect()
}

/// Mean and variance of a coordinate under the prior.
fn moments(prior: &Prior, at: usize) -> (f64, f64) {
    let (lower, upper) = (-30.0, 10.0);
    let steps = 400_000;
    let h = (upper - lower) / f64::from(steps);
    let mut sums = [0.0; 3];
    for i in 0..steps {
        let w = lower + (f64::from(i) + 0.5) * h;
        let density = prior.log_density_of(at, w).exp();
        for (sum, power) in sums.iter_mut().zip([1.0, w, w * w]) {
            *sum += density * power * h;
        }
    }
    assert!((sums[0] - 1.0).abs() < 1e-4, "{}", sums[0]);
    (sums[1], sums[2] - sums[1] * sums[1])
}

/// Compares draws of each coordinate with the prior.
pub fn compare(name: &str, prior: &Prior, chain: &[Vec<f64>]) {
    for at in 0..chain[0].len() {
        let x: Vec<f64> = chain.iter().map(|w| w[at]).collect();
        let (centre, spread) = moments(prior, at);
        let z = (mean(&x) - centre) / (variance(&x) / effective(&x)).sqrt();
        let squares: Vec<f64> = x.iter().map(|x| (x - centre).powi(2)).collect();
        let error = (variance(&squares) / effective(&squares)).sqrt();
        let z_spread = (mean(&squares) - spread) / error;
        eprintln!("{name} {at}: {z:.2} {z_spread:.2} of {:.0}", effective(&x));
        assert!(
            z.abs() < 4.0,
            "{name}: mean of coordinate {at} is {z} errors off"
        );
        assert!(
            z_spread.abs() < 4.0,
            "{name}: spread of coordinate {at} is {z_spread} errors off"
        );
    }
}

fn designs() -> Vec<Design> {
    let one = Design::new("intercepts", 9).term(4, 0, |i| i % 4);
    let mut slopes = Design::new("weighted slopes", 14).term(5, 1, |i| i % 5);
    slopes.weights = Some((0..14).map(|i| 0.5 + 0.2 * i as f64).collect());
    slopes.offset = Some((0..14).map(|i| (i as f64).sin()).collect());
    let mut crossed = Design::new("crossed, two dispersions", 15)
        .term(5, 0, |i| i % 5)
        .term(3, 0, |i| (i * i + i / 4) % 3);
    crossed.dispersion = Some(((0..15).map(|i| 1 + (i % 2)).collect(), 2));
    let nested = Design::new("nested", 14)
        .term(7, 0, |i| i % 7)
        .term(3, 1, |i| (i % 7) % 3);
    let mut known = Design::new("known deviation", 14).term(5, 1, |i| i % 5);
    known.known = vec![KnownDeviation {
        term: 0,
        index: 0,
        sd: 0.6,
    }];
    vec![one, slopes, crossed, nested, known]
}

#[test]
fn gibbs_leaves_the_posterior_as_it_is() {
    for (number, design) in designs().into_iter().enumerate() {
        let structure = design.structure();
        let groups = design.dispersion.as_ref().map_or(1, |(_, groups)| *groups);
        let levels = design.levels();
        let layout =
            Layout::new(&structure, &levels, 2, groups, None, &design.known, false).unwrap();
        let prior = Prior::new(&layout, &priors(&layout)).unwrap();
        let mut w = vec![0.0; layout.coordinates()];
        let guide = Guide {
            w: w.clone(),
            covariance: DMatrix::identity(w.len(), w.len()) * 0.2,
        };
        let mut rng = stream(2026, number as u64);
        let zero = vec![0.0; design.n];
        let rows = design.rows(&zero);
        let template = cross_products(&rows, 1).unwrap();
        let mut y = zero.clone();
        let mut chain = Vec::new();
        for _ in 0..20_000 {
            let parameters = layout.parameters(&w);
            let law = Law {
                theta: parameters.theta,
                beta: parameters.beta,
                sigma: parameters.sigma,
                dispersion: parameters.dispersion,
                effects: None,
            };
            Simulator::new(&rows, &structure, &law)
                .unwrap()
                .draw(&mut rng, &mut y);
            let statistics = template.with_response(&rows, &y).unwrap();
            let model = ClonedGaussian {
                statistics: &statistics,
                structure: &structure,
                layout: &layout,
                prior: &prior,
                clones: 1,
            };
            let mut sampler = Gibbs::new(model, &guide, w).unwrap();
            sampler.settle();
            sampler.sweep(&mut rng).unwrap();
            w = sampler.coordinates().to_vec();
            chain.push(w.clone());
        }
        compare(design.name, &prior, &chain);
    }
}
