//! The collapsed posterior of clones of generalised linear mixed models, integrated by quadrature.

use ember_core::cloning::chains::Settings;
use ember_core::cloning::collapsed;
use ember_core::cloning::mode::Mode;
use ember_core::cloning::parameters::{Layout, Parameters};
use ember_core::cloning::posterior::Posterior;
use ember_core::cloning::prior::Prior;
use ember_core::cloning::quadrature_target::QuadratureTarget;
use ember_core::cloning::target::Likelihood;
use ember_core::em::{Flow, Settings as FitSettings};
use ember_core::glmm::family::{Distribution, Family, Link};
use ember_core::glmm::fit::{fit, Fit, Plan};
use ember_core::glmm::problem::Problem;
use ember_core::glmm::start::Given;
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;
use ember_core::Error;

const GROUPS: usize = 40;
const EACH: usize = 5;

/// Counts of `GROUPS` groups that differ, with a covariate.
struct Data {
    y: Vec<f64>,
    x: Vec<f64>,
    codes: Vec<i32>,
}

impl Data {
    fn new(binary: bool) -> Self {
        let n = GROUPS * EACH;
        // Weyl sequences: equidistributed without a generator.
        let weyl = |i: usize, root: f64| (i as f64 * root.sqrt()).fract();
        let covariate: Vec<f64> = (0..n).map(|i| weyl(i + 1, 2.0) - 0.5).collect();
        let group = |i: usize| 4.0 * (weyl(i / EACH + 1, 3.0) - 0.5);
        let eta = |i: usize| 0.4 + covariate[i] + group(i);
        let y = (0..n).map(|i| match binary {
            true => f64::from(u8::from(weyl(i + 1, 5.0) < 1.0 / (1.0 + (-eta(i)).exp()))),
            false => (eta(i).exp() * 2.0 * weyl(i + 1, 5.0)).round(),
        });
        Data {
            y: y.collect(),
            x: [vec![1.0; n], covariate.clone()].concat(),
            codes: (0..n).map(|i| 1 + (i / EACH) as i32).collect(),
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            response: &self.y,
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: 2,
            },
            terms: vec![TermRows {
                codes: &self.codes,
                levels: GROUPS,
                columns: vec![Column::One],
            }],
            dispersion: None,
        }
    }
}

fn fitted(problem: &Problem, n_agq: usize) -> Fit {
    let plan = Plan {
        n_agq,
        start: &Given::default(),
        settings: &FitSettings::default(),
        threads: 1,
    };
    fit(problem, &plan, &mut |_| Flow::Continue).unwrap()
}

fn layout(problem: &Problem) -> Layout {
    let levels: Vec<usize> = problem.rows.terms.iter().map(|term| term.levels).collect();
    let (structure, p) = (problem.structure, problem.fixed_columns());
    Layout::new(structure, &levels, p, 1, Some(1.0), &[], false).unwrap()
}

fn located(layout: &Layout, fit: &Fit) -> Vec<f64> {
    layout.unconstrained(&Parameters {
        beta: fit.parameters.beta.clone(),
        sigma: 1.0,
        dispersion: vec![1.0],
        theta: fit.parameters.theta.clone(),
        shape: None,
    })
}

/// Means and standard deviations of the draws for very many clones against the estimates and √(K⁻¹ I⁻¹), for β and log θ.
fn draws_are_normal_around_the_estimate(distribution: Distribution, link: Link) {
    let data = Data::new(distribution == Distribution::Binomial);
    let rows = data.rows();
    let structure = Structure::full(&[1]);
    let family = Family::new(distribution, link).unwrap();
    let problem = Problem::new(&rows, family, &structure, None).unwrap();
    let (layout, best) = (layout(&problem), fitted(&problem, 25));
    let w = located(&layout, &best);
    let copies = 1000;
    let mut target = QuadratureTarget::new(&problem, &layout, copies, &w).unwrap();
    assert!(target.accuracy().error * copies as f64 <= 1e-3);
    let value = target.log_likelihood(&w).unwrap();
    assert!((value + 0.5 * best.criterion).abs() < 1e-4);
    let prior = Prior::new(&layout, &[]).unwrap();
    let posterior = Posterior::new(target, &layout, &prior, copies);
    let mode = Mode::find(&posterior, &w).unwrap();
    let settings = Settings {
        iterations: 4000,
        burn_in: 200,
        thin: 1,
        chains: 2,
        threads: 1,
        seed: 5,
    };
    let draws = collapsed::run(&posterior, &mode, None, &settings, &mut |_| true).unwrap();
    let count = 2.0 * 4000.0;
    // θ stands first in the covariance of the fit, τ² last in the natural vector.
    let theta = best.parameters.theta[0];
    let covariance = &best.verdict.covariance;
    for (natural, estimate, error) in [
        (0, best.parameters.beta[0], covariance[(1, 1)].sqrt()),
        (1, best.parameters.beta[1], covariance[(2, 2)].sqrt()),
        (2, theta.ln(), covariance[(0, 0)].sqrt() / theta),
    ] {
        let values = draws
            .chains
            .iter()
            .flat_map(|chain| chain.values.chunks_exact(3));
        let value = |draw: &[f64]| {
            if natural == 2 {
                0.5 * draw[2].ln()
            } else {
                draw[natural]
            }
        };
        let values: Vec<f64> = values.map(value).collect();
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let expected = error / (copies as f64).sqrt();
        // Skewness moves the mean by a part of order 1/√K of a standard deviation.
        assert!(
            (mean - estimate).abs() < 0.15 * expected,
            "{mean} {estimate} {expected}"
        );
        let ratio = square.sqrt() / expected;
        assert!((ratio - 1.0).abs() < 0.06, "{natural}: {ratio}");
    }
}

#[test]
fn counts() {
    draws_are_normal_around_the_estimate(Distribution::Poisson, Link::Log);
}

#[test]
fn binary_responses() {
    draws_are_normal_around_the_estimate(Distribution::Binomial, Link::Logit);
}

/// A factor that crosses another is not for quadrature; the error names what the user chose.
#[test]
fn crossed_factors_are_refused() {
    let data = Data::new(false);
    let mut rows = data.rows();
    let other: Vec<i32> = (0..rows.len()).map(|i| 1 + (i % EACH) as i32).collect();
    rows.terms.push(TermRows {
        codes: &other,
        levels: EACH,
        columns: vec![Column::One],
    });
    let structure = Structure::full(&[1, 1]);
    let family = Family::new(Distribution::Poisson, Link::Log).unwrap();
    let problem = Problem::new(&rows, family, &structure, None).unwrap();
    let layout = layout(&problem);
    let refused = QuadratureTarget::new(&problem, &layout, 1, &[0.0; 4]).unwrap_err();
    assert!(matches!(
        refused,
        Error::Argument {
            argument: "sampler",
            ..
        }
    ));
}
