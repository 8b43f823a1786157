//! The tree of unequal ellipsoids against mclust's.

use std::path::PathBuf;

use ember_core::mixture::start::{Criterion, Tree};
use ember_core::rng::stream;

use super::{load, same_partition};

/// What tests/data/hierarchy.R stored: name of the data, k, labels.
fn stored() -> Vec<(String, usize, Vec<u32>)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/mclust-hc.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap().to_string();
            let k = words.next().unwrap().parse().unwrap();
            (name, k, words.map(|label| label.parse().unwrap()).collect())
        })
        .collect()
}

#[test]
fn partitions_are_those_of_mclust() {
    let stored = stored();
    assert_eq!(stored.len(), 16);
    for (name, k, labels) in stored {
        let x = load(&name);
        let tree = Tree::grow(&x.data(), 9, 2000, &mut stream(1, 0)).unwrap();
        let ours = tree.sample_labels(k, Criterion::UnequalEllipsoids).unwrap();
        assert!(same_partition(&ours, &labels), "{name} {k}");
    }
}

/// Many pairs of rows of faithful are equally far apart: rounding in other units must not merge them otherwise.
#[test]
fn ties_are_broken_alike_in_every_unit() {
    let x = load("faithful");
    let mut y = x.clone();
    y.column_mut(0).iter_mut().for_each(|v| *v = 1e3 - 0.3 * *v);
    y.column_mut(1)
        .iter_mut()
        .for_each(|v| *v = 1e4 + 7.1e-3 * *v);
    let grow = |x: &super::Matrix| Tree::grow(&x.data(), 9, 2000, &mut stream(1, 0)).unwrap();
    let (before, after) = (grow(&x), grow(&y));
    for k in 2..=9 {
        assert_eq!(
            before
                .sample_labels(k, Criterion::UnequalEllipsoids)
                .unwrap(),
            after
                .sample_labels(k, Criterion::UnequalEllipsoids)
                .unwrap(),
            "{k}"
        );
    }
}
