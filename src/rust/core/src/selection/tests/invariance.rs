use super::super::expect::expect;
use super::super::gram::Gram;
use super::super::maximize::maximize;
use super::super::Layout;
use super::*;

fn log_likelihood(example: &Example, at: &Parameters) -> f64 {
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let statistics = expect(&data, &layout, at, &EXACT, 1).unwrap();
    statistics.log_likelihood
}

/// The parameters after one step of PX-EM.
fn step(example: &Example, at: &Parameters) -> Parameters {
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let statistics = expect(&data, &layout, at, &EXACT, 1).unwrap();
    let gram = Gram::of(&data, &layout, 1).unwrap();
    maximize(&statistics, &gram, &layout, at).unwrap().reduce()
}

fn close(a: &Parameters, b: &Parameters, tolerance: f64) {
    let values = a
        .coefficients
        .iter()
        .flatten()
        .zip(b.coefficients.iter().flatten());
    for (x, y) in values.chain(a.omega.iter().zip(&b.omega)) {
        assert!((x - y).abs() < tolerance * (1.0 + y.abs()), "{x} {y}");
    }
}

#[test]
fn units_of_outcomes_and_regressors_do_not_matter() {
    let example = weighted(Example::new(2, 400));
    let n = example.n;
    let at = &example.parameters;
    let (unit, scale) = (1e4, 1e-5);
    // Outcome 2 in another unit, the second column of its design and of selection 1 too.
    let mut other = example.clone();
    other.response[n..].iter_mut().for_each(|y| *y *= unit);
    let convert = |at: &Parameters| {
        let mut to = at.clone();
        to.coefficients[1].iter_mut().for_each(|b| *b *= unit);
        for component in [1, 2] {
            to.coefficients[component][1] /= scale;
        }
        to.omega.row_mut(1).scale_mut(unit);
        to.omega.column_mut(1).scale_mut(unit);
        to
    };
    for component in [1, 2] {
        other.designs[component][n..2 * n]
            .iter_mut()
            .for_each(|x| *x *= scale);
    }
    let seen = (0..n).filter(|i| example.selected[n + i] == 1);
    let weights = example.weights.as_ref().unwrap();
    let jacobian: f64 = seen.map(|i| weights[i]).sum::<f64>() * unit.ln();
    let expected = log_likelihood(&example, at) - jacobian;
    let found = log_likelihood(&other, &convert(at));
    assert!((found - expected).abs() < 1e-8);
    close(
        &step(&other, &convert(at)),
        &convert(&step(&example, at)),
        1e-9,
    );
}

#[test]
fn the_order_of_equations_does_not_matter() {
    let example = weighted(Example::new(2, 400));
    let n = example.n;
    let swap = |component: usize| [1, 0, 3, 2][component];
    let reorder = |at: &Parameters| Parameters {
        coefficients: (0..4).map(|c| at.coefficients[swap(c)].clone()).collect(),
        omega: DMatrix::from_fn(4, 4, |a, b| at.omega[(swap(a), swap(b))]),
    };
    let mut other = example.clone();
    other.designs = (0..4).map(|c| example.designs[swap(c)].clone()).collect();
    other.response.rotate_left(n);
    other.selected.rotate_left(n);
    let at = &example.parameters;
    let (a, b) = (
        log_likelihood(&example, at),
        log_likelihood(&other, &reorder(at)),
    );
    assert!((a - b).abs() < 1e-9);
    close(
        &step(&other, &reorder(at)),
        &reorder(&step(&example, at)),
        1e-10,
    );
}

#[test]
fn equations_without_correlation_are_separate() {
    let mut example = weighted(Example::new(2, 400));
    let n = example.n;
    for a in 0..4 {
        for b in (0..4).filter(|b| a % 2 != b % 2) {
            example.parameters.omega[(a, b)] = 0.0;
        }
    }
    let at = &example.parameters;
    let mut sum = 0.0;
    let both = step(&example, at);
    for equation in 0..2 {
        let keep = [equation, 2 + equation];
        let one = Example {
            n,
            equations: 1,
            designs: keep.map(|c| example.designs[c].clone()).to_vec(),
            response: example.response[equation * n..][..n].to_vec(),
            selected: example.selected[equation * n..][..n].to_vec(),
            weights: example.weights.clone(),
            parameters: Parameters {
                coefficients: keep.map(|c| at.coefficients[c].clone()).to_vec(),
                omega: DMatrix::from_fn(2, 2, |a, b| at.omega[(keep[a], keep[b])]),
            },
        };
        sum += log_likelihood(&one, &one.parameters);
        // The regression (16) splits, and with it the coefficients of the step.
        let alone = step(&one, &one.parameters);
        for (c, &component) in keep.iter().enumerate() {
            let pairs = alone.coefficients[c]
                .iter()
                .zip(&both.coefficients[component]);
            pairs.for_each(|(x, y)| assert!((x - y).abs() < 1e-10));
        }
    }
    assert!((log_likelihood(&example, at) - sum).abs() < 1e-9);
}

#[test]
fn a_weight_of_two_is_two_rows() {
    let mut example = Example::new(2, 300);
    let n = example.n;
    let mut twice = example.clone();
    twice.n = 2 * n;
    for design in &mut twice.designs {
        *design = design
            .chunks_exact(n)
            .flat_map(|x| [x, x].concat())
            .collect();
    }
    twice.response = (example.response.chunks_exact(n))
        .flat_map(|y| [y, y].concat())
        .collect();
    twice.selected = (example.selected.chunks_exact(n))
        .flat_map(|s| [s, s].concat())
        .collect();
    example.weights = Some(vec![2.0; n]);
    let at = &example.parameters;
    let (a, b) = (log_likelihood(&example, at), log_likelihood(&twice, at));
    assert!((a - b).abs() < 1e-9);
    close(&step(&example, at), &step(&twice, at), 1e-10);
}
