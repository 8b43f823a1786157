use nalgebra::DVector;

use super::super::chains::{Chains, Machine, Rows};
use super::super::gibbs::Sampler;
use super::super::information::{information, Passes};
use super::super::monte_carlo::{run, Outcome, Progress, Settings};
use super::*;
use crate::em::{Flow, Status};
use crate::linalg::inverse_spd;
use crate::selection::expect::{expect, Statistics};
use crate::selection::score::score;

const SAMPLERS: [Sampler; 2] = [Sampler::Collapsed, Sampler::Full];

fn settings(sampler: Sampler) -> Settings {
    Settings {
        sampler,
        draws: 10,
        max_iter: 1000,
        // The full sweep needs a hundred times the draws.
        tolerance: match sampler {
            Sampler::Collapsed => 0.02,
            Sampler::Full => 0.1,
        },
        threads: 2,
    }
}

/// The exact maximum by Newton steps, its information and standard errors.
fn maximum(data: &Data, layout: &Layout, start: &Parameters) -> (DVector<f64>, DMatrix<f64>) {
    let passes = Passes {
        how: EXACT,
        threads: 2,
    };
    let mut at = DVector::from_vec(layout.naturals(start));
    for _ in 0..20 {
        let parameters = layout.parameters(at.as_slice()).unwrap();
        let statistics = expect(data, layout, &parameters, &EXACT, 2).unwrap();
        let gradient = score(&statistics, layout, &parameters).unwrap();
        let information =
            information(data, layout, &parameters, &passes, &mut || Flow::Continue).unwrap();
        let mut step = inverse_spd(&information).unwrap() * &gradient;
        while layout.parameters((&at + &step).as_slice()).is_err() {
            step *= 0.5;
        }
        at += &step;
        if gradient.dot(&step) < 1e-16 {
            return (at, information);
        }
    }
    panic!("no maximum");
}

fn fit(example: &Example, sampler: Sampler, seed: u64, threads: usize) -> Outcome {
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let rows = Rows {
        data: &data,
        layout: &layout,
    };
    let mut chains = Chains::new(&data, sampler, seed);
    let settings = Settings {
        threads,
        ..settings(sampler)
    };
    run(
        rows,
        nearby(&layout, &example.parameters),
        &mut chains,
        &settings,
        &mut |_| true,
    )
    .unwrap()
}

/// Rows with a maximum inside, and that maximum.
struct Problem {
    example: Example,
    exact: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Problem {
    fn new(equations: usize, n: usize) -> Self {
        let example = Example::new(equations, n);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let (exact, information) = maximum(&data, &layout, &example.parameters);
        Problem {
            covariance: inverse_spd(&information).unwrap(),
            exact,
            example,
        }
    }

    fn fit(&self, sampler: Sampler, seed: u64, threads: usize) -> Outcome {
        fit(&self.example, sampler, seed, threads)
    }

    fn error(&self, outcome: &Outcome) -> DVector<f64> {
        let data = self.example.data();
        let layout = Layout::of(&data).unwrap();
        DVector::from_vec(layout.naturals(&outcome.parameters)) - &self.exact
    }
}

/// All statistics side by side.
fn flat(statistics: &Statistics) -> DVector<f64> {
    let cross = statistics.cross.iter().flat_map(|cross| cross.iter());
    let all = cross.chain(statistics.second.iter());
    DVector::from_iterator(all.clone().count(), all.copied())
}

/// 44 to 64 statistics in 4 cases.
#[test]
fn draws_have_the_moments_of_the_exact_e_step() {
    for (equations, sampler) in [1, 2].into_iter().flat_map(|j| SAMPLERS.map(|s| (j, s))) {
        let example = weighted(Example::new(equations, 700));
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let at = nearby(&layout, &example.parameters);
        let rows = Rows {
            data: &data,
            layout: &layout,
        };
        let mut machine = Machine {
            threads: 2,
            go_on: &mut || true,
        };
        let mut chains = Chains::new(&data, sampler, 11);
        let mut draws = chains.draw(rows, &at, 12, 40, &mut machine).unwrap();
        draws.append(chains.draw(rows, &at, 12, 40, &mut machine).unwrap());
        let found = draws.statistics().unwrap();
        let exact = expect(&data, &layout, &at, &EXACT, 2).unwrap();
        assert!((found.weight - exact.weight).abs() < 1e-9);
        let difference = flat(&found) - flat(&exact);
        let size = flat(&exact).amax();
        let variance = draws.covariance(flat).diagonal();
        for (x, v) in difference.iter().zip(variance.iter()) {
            let bound = 4.5 * v.sqrt() + 1e-10 * size;
            assert!(x.abs() < bound, "{sampler:?} {equations}: {x} {bound}");
        }
    }
}

#[test]
fn louis_row_by_row_is_the_observed_information() {
    for (equations, sampler) in [(1, Sampler::Full), (2, Sampler::Collapsed)] {
        let problem = Problem::new(equations, 600);
        let data = problem.example.data();
        let layout = Layout::of(&data).unwrap();
        let at = layout.parameters(problem.exact.as_slice()).unwrap();
        let rows = Rows {
            data: &data,
            layout: &layout,
        };
        let mut machine = Machine {
            threads: 2,
            go_on: &mut || true,
        };
        let mut chains = Chains::new(&data, sampler, 4);
        let found = chains.information(rows, &at, 1000, &mut machine).unwrap();
        let covariance = inverse_spd(&found).unwrap();
        let exact = problem.covariance.diagonal();
        for (found, exact) in covariance.diagonal().iter().zip(exact.iter()) {
            let ratio = (found / exact).sqrt();
            assert!((ratio - 1.0).abs() < 0.05, "{sampler:?}: {ratio}");
        }
    }
}

#[test]
fn estimates_are_those_of_exact_maximum_likelihood() {
    for (equations, sampler) in [
        (1, Sampler::Collapsed),
        (1, Sampler::Full),
        (2, Sampler::Collapsed),
    ] {
        let problem = Problem::new(equations, 600);
        let outcome = problem.fit(sampler, 3, 2);
        assert_eq!(outcome.status, Status::Converged);
        let error = problem.error(&outcome);
        let chance = outcome.errors.as_ref().unwrap();
        for (k, (x, mc)) in error.iter().zip(chance.iter()).enumerate() {
            let se = problem.covariance[(k, k)].sqrt();
            assert!(*mc < 1.1 * settings(sampler).tolerance * se);
            assert!(
                x.abs() < 4.0 * mc + 1e-3 * se,
                "{sampler:?} {k}: {x} {mc} {se}"
            );
            let ratio = outcome.covariance.as_ref().unwrap()[(k, k)].sqrt() / se;
            assert!((ratio - 1.0).abs() < 0.05, "{sampler:?} {k}: {ratio}");
        }
        if (equations, sampler) == (1, Sampler::Collapsed) {
            assert!(chance.amax() < 1e-12);
        }
    }
}

/// Over independent seeds the errors are as large as the fits say.
#[test]
fn monte_carlo_errors_are_honest() {
    let problem = Problem::new(2, 500);
    let seeds = 20;
    let mut squares = DVector::zeros(problem.exact.len());
    for seed in 0..seeds {
        let outcome = problem.fit(Sampler::Collapsed, 100 + seed, 2);
        let scores = problem
            .error(&outcome)
            .component_div(outcome.errors.as_ref().unwrap());
        squares += scores.map(|z| z * z);
    }
    let ratios = (squares / seeds as f64).map(f64::sqrt);
    let overall = (ratios.norm_squared() / ratios.len() as f64).sqrt();
    assert!((0.7..1.4).contains(&overall), "{overall} {ratios}");
}

#[test]
fn threads_do_not_change_bits() {
    let example = Example::new(2, 900);
    let naturals = |threads| {
        let outcome = fit(&example, Sampler::Collapsed, 8, threads);
        let data = example.data();
        let layout = Layout::of(&data).unwrap();
        let mut bits = layout.naturals(&outcome.parameters);
        bits.extend(outcome.errors.unwrap().iter());
        bits.extend(outcome.covariance.unwrap().iter());
        bits.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    let one = naturals(1);
    assert_eq!(one, naturals(2));
    assert_eq!(one, naturals(3));
}

#[test]
fn a_stopped_run_goes_on_from_its_state() {
    let problem = Problem::new(2, 500);
    let data = problem.example.data();
    let layout = Layout::of(&data).unwrap();
    let rows = Rows {
        data: &data,
        layout: &layout,
    };
    let start = nearby(&layout, &problem.example.parameters);
    let settings = settings(Sampler::Collapsed);
    let mut chains = Chains::new(&data, Sampler::Collapsed, 5);
    let mut stop = |progress: &Progress| progress.iteration < 3;
    let stopped = run(rows, start.clone(), &mut chains, &settings, &mut stop).unwrap();
    assert_eq!(stopped.status, Status::Interrupted);
    assert_eq!(stopped.history.len(), 3);
    assert!(stopped.parameters != start && stopped.covariance.is_none());
    let (hidden, passes) = (chains.hidden(), chains.passes());
    let mut chains = Chains::resume(&data, Sampler::Collapsed, 5, passes, &hidden).unwrap();
    let outcome = run(
        rows,
        stopped.parameters,
        &mut chains,
        &settings,
        &mut |_| true,
    )
    .unwrap();
    assert_eq!(outcome.status, Status::Converged);
    let chance = outcome.errors.as_ref().unwrap();
    let scores = problem.error(&outcome).component_div(chance);
    assert!(scores.amax() < 4.5, "{scores}");
    assert!(Chains::resume(&data, Sampler::Full, 5, passes, &hidden).is_err());
    assert!(Chains::resume(&data, Sampler::Collapsed, 5, passes, &hidden[1..]).is_err());
}
