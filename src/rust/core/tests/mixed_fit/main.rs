//! Whole fits: against lme4's best of several tight optimizers, at boundaries, and where there is little to fit.

use ember_core::em::{Flow, Settings, Status};
use ember_core::mixed::criterion::{Known, Problem};
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::fit::{fit, Fit, Method};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::Structure;

/// Rows that own their columns: y, X, and terms as codes with columns (an empty one is the intercept).
struct Data {
    y: Vec<f64>,
    x: Vec<f64>,
    terms: Vec<(Vec<i32>, Vec<Vec<f64>>)>,
}

impl Data {
    fn rows(&self) -> Rows<'_> {
        let terms = self.terms.iter().map(|(codes, columns)| TermRows {
            codes,
            levels: codes.iter().copied().max().unwrap_or(0) as usize,
            columns: columns
                .iter()
                .map(|values| match values.is_empty() {
                    true => Column::One,
                    false => Column::Values(values),
                })
                .collect(),
        });
        Rows {
            response: &self.y,
            offset: None,
            weights: None,
            fixed: FixedColumns::Dense {
                values: &self.x,
                columns: self.x.len() / self.y.len(),
            },
            terms: terms.collect(),
            dispersion: None,
        }
    }

    fn fit(
        &self,
        reml: bool,
        start: Option<&[f64]>,
        settings: &Settings,
    ) -> ember_core::Result<Fit> {
        let statistics = cross_products(&self.rows(), 1)?;
        let structure = Structure::full(statistics.widths());
        let problem = Problem::new(&statistics, &structure, reml, Known::default())?;
        fit(&problem, Method::Profile, start, settings, &mut |_| {
            Flow::Continue
        })
    }
}

fn table(text: &str) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map(|cell| cell.parse().unwrap())
                .collect()
        })
        .collect();
    (0..rows[0].len())
        .map(|j| rows.iter().map(|row| row[j]).collect())
        .collect()
}

fn codes(values: &[f64]) -> Vec<i32> {
    values.iter().map(|&value| value as i32).collect()
}

fn sleepstudy() -> Data {
    let mut table = table(include_str!("../data/sleepstudy.txt"));
    let (y, days) = (table.pop().unwrap(), table.pop().unwrap());
    let mut x = vec![1.0; y.len()];
    x.extend(&days);
    Data {
        y,
        x,
        terms: vec![(codes(&table[0]), vec![vec![], days])],
    }
}

fn intercepts(text: &str) -> Data {
    let mut table = table(text);
    let y = table.pop().unwrap();
    Data {
        x: vec![1.0; y.len()],
        y,
        terms: table
            .iter()
            .map(|values| (codes(values), vec![vec![]]))
            .collect(),
    }
}

/// A balanced one-way layout of 6 groups of 5 with the given values.
fn one_way(value: impl Fn(usize, usize) -> f64) -> Data {
    let cells = || (0..6).flat_map(|g| (0..5).map(move |i| (g, i)));
    Data {
        y: cells().map(|(g, i)| value(g, i)).collect(),
        x: vec![1.0; 30],
        terms: vec![(cells().map(|(g, _)| g as i32 + 1).collect(), vec![vec![]])],
    }
}

/// Values that look random and are not.
fn scatter(g: usize, i: usize) -> f64 {
    ((g * 5 + i) as f64 * 12.9898).sin() * 43758.5453 % 1.0
}

#[test]
fn criteria_are_lme4s_best_or_below() {
    let pastes = intercepts(include_str!("../data/pastes.txt"));
    let penicillin = intercepts(include_str!("../data/penicillin.txt"));
    for (data, reml, best) in [
        (&sleepstudy(), true, 1743.62827195849),
        (&sleepstudy(), false, 1751.93934446320),
        (&pastes, true, 246.990745853486),
        (&pastes, false, 247.994465862425),
        (&penicillin, true, 330.860588991086),
        (&penicillin, false, 332.188348668501),
    ] {
        let fit = data.fit(reml, None, &Settings::default()).unwrap();
        assert_eq!(fit.status, Status::Converged);
        assert!(
            (fit.criterion - best).abs() < 1e-9,
            "{} {best}",
            fit.criterion
        );
        assert!(fit.verdict.distance < 1e-10 && fit.verdict.singular.is_empty());
        assert!(fit.verdict.eigenvalues.iter().all(|&value| value > 0.0));
        assert!(fit.iterations <= 8, "{}", fit.iterations);
    }
}

#[test]
fn theta_is_lme4s_from_any_start() {
    let data = sleepstudy();
    for start in [
        None,
        Some([1.0, 0.0, 1.0]),
        Some([0.0, 0.0, 0.0]),
        Some([30.0, -3.0, 0.01]),
    ] {
        let start = start.as_ref().map(|start| &start[..]);
        let fit = data.fit(true, start, &Settings::default()).unwrap();
        for (value, lme4) in fit.theta.iter().zip([0.9667330, 0.0151691, 0.2309096]) {
            assert!((value - lme4).abs() < 2e-6, "{:?}", fit.theta);
        }
        assert!((fit.sigma - 25.5918).abs() < 1e-4);
    }
    let short = [1.0, 0.0];
    assert!(data.fit(true, Some(&short), &Settings::default()).is_err());
}

#[test]
fn a_variance_of_zero_is_exactly_zero_and_named() {
    // Groups with equal means: between-group variance below what the residuals bring.
    let data = one_way(|g, i| {
        let mean = (0..5).map(|i| scatter(g, i)).sum::<f64>() / 5.0;
        scatter(g, i) - mean
    });
    for reml in [true, false] {
        let fit = data.fit(reml, None, &Settings::default()).unwrap();
        assert_eq!(fit.status, Status::Converged);
        assert_eq!(fit.theta, [0.0]);
        assert_eq!(fit.verdict.boundary, [true]);
        assert_eq!(fit.verdict.singular.len(), 1);
        assert_eq!(fit.verdict.singular[0].term, 0);
    }
}

#[test]
fn a_correlation_of_one_is_found_fast() {
    // The slope is a multiple of the intercept in every group.
    let times: Vec<f64> = (0..30).map(|k| (k % 5) as f64).collect();
    let mut data = one_way(|g, i| (1.0 + 0.5 * i as f64) * (g as f64 - 2.5) + 0.1 * scatter(g, i));
    data.x.extend(&times);
    data.terms[0].1.push(times);
    let fit = data.fit(true, None, &Settings::default()).unwrap();
    assert_eq!(fit.status, Status::Converged);
    assert!(fit.iterations < 20, "{}", fit.iterations);
    let lambda = &fit.theta;
    let slope = lambda[1].hypot(lambda[2]);
    assert!((lambda[1] / slope - 1.0).abs() < 1e-2, "{lambda:?}");
    // No point nearby is lower.
    let statistics = cross_products(&data.rows(), 1).unwrap();
    let structure = Structure::full(statistics.widths());
    let problem = Problem::new(&statistics, &structure, true, Known::default()).unwrap();
    let mut factor = ember_core::mixed::factor::Factor::new(&statistics, &structure).unwrap();
    for k in 0..3 {
        for change in [-1e-3, 1e-3] {
            let mut at = fit.coordinates.clone();
            at[k] += change;
            let value = problem.criterion(&mut factor, &at).unwrap();
            assert!(value >= fit.criterion - 1e-9);
        }
    }
}

#[test]
fn units_of_the_response_do_not_matter() {
    let data = sleepstudy();
    let reference = data.fit(true, None, &Settings::default()).unwrap();
    for unit in [1e-8, 1e8] {
        let scaled = Data {
            y: data.y.iter().map(|y| y * unit).collect(),
            ..sleepstudy()
        };
        let fit = scaled.fit(true, None, &Settings::default()).unwrap();
        assert_eq!(fit.status, Status::Converged);
        assert!((fit.sigma / (unit * reference.sigma) - 1.0).abs() < 1e-6);
        for (value, expected) in fit.theta.iter().zip(&reference.theta) {
            assert!((value - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn nothing_to_fit_is_an_error_or_an_honest_status() {
    // A constant response, a response that X explains, one that the groups explain.
    let constant = one_way(|_, _| 3.0);
    let groups = one_way(|g, _| (g * g) as f64);
    let mut explained = one_way(|_, i| i as f64);
    let column: Vec<f64> = explained.y.clone();
    explained.x.extend(column);
    for data in [constant, groups, explained] {
        for reml in [true, false] {
            if let Ok(fit) = data.fit(reml, None, &Settings::default()) {
                assert!(fit.iterations <= Settings::default().max_iter);
                println!(
                    "{:?} sigma {:e} theta {:?}",
                    fit.status, fit.sigma, fit.theta
                );
            }
        }
    }
    // As many columns as rows.
    let mut full = one_way(scatter);
    full.x = (0..900)
        .map(|k| f64::from(u8::from(k / 30 == k % 30)))
        .collect();
    assert!(full.fit(true, None, &Settings::default()).is_err());
}

#[test]
fn limits_and_interrupts_are_said() {
    let data = sleepstudy();
    let short = Settings {
        max_iter: 1,
        ..Settings::default()
    };
    let fit_short = data.fit(true, Some(&[1.0, 0.0, 1.0]), &short).unwrap();
    assert_eq!(fit_short.status, Status::IterationLimit);
    let statistics = cross_products(&data.rows(), 1).unwrap();
    let structure = Structure::full(statistics.widths());
    let problem = Problem::new(&statistics, &structure, true, Known::default()).unwrap();
    let stopped = fit(
        &problem,
        Method::Profile,
        None,
        &Settings::default(),
        &mut |_| Flow::Stop,
    );
    assert_eq!(stopped.unwrap().status, Status::Interrupted);
}
