use super::super::information::{information, information_at, Passes};
use super::super::score::evaluate;
use super::super::{Coordinates, Layout};
use super::*;
use crate::em::Flow;
use crate::selection::expect::expect;
use crate::selection::score::score;

/// Both informations against differences of the score in all coordinates.
fn check(equations: usize, rows: usize) {
    let example = weighted(Example::new(equations, rows));
    let data = example.data();
    let layout = Layout::of(&data).unwrap();
    let at = nearby(&layout, &example.parameters);
    let passes = Passes {
        how: EXACT,
        threads: 2,
    };
    let mut go_on = || Flow::Continue;
    let exact = information(&data, &layout, &at, &passes, &mut go_on).unwrap();
    let naturals = layout.naturals(&at);
    let by_differences = -differences(&naturals, 1e-5, |naturals| {
        let at = layout.parameters(naturals).unwrap();
        let statistics = expect(&data, &layout, &at, &EXACT, 1).unwrap();
        score(&statistics, &layout, &at)
            .unwrap()
            .as_slice()
            .to_vec()
    });
    let size = by_differences.amax();
    assert!((&exact - &by_differences).amax() < 1e-6 * size);
    assert_eq!(exact, exact.transpose());
    let coordinates = Coordinates::new(&layout);
    let held = Coordinates::without_selection(&layout);
    for coordinates in [coordinates, held] {
        let w = coordinates.locate(&at).unwrap();
        let exact = information_at(&data, &coordinates, &w, &passes, &mut go_on).unwrap();
        let by_differences = -differences(&w, 1e-5, |w| {
            let evaluation = evaluate(&data, &coordinates, w, &EXACT, 1).unwrap();
            evaluation.score.as_slice().to_vec()
        });
        let size = by_differences.amax();
        assert!((&exact - &by_differences).amax() < 1e-6 * size);
    }
    let mut stop = || Flow::Stop;
    assert!(information(&data, &layout, &at, &passes, &mut stop).is_err());
}

#[test]
fn it_is_minus_the_derivative_of_the_score() {
    check(1, 500);
    check(2, 300);
    check(3, 60);
}
