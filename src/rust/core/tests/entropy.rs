//! ICL and merging by entropy against mclust (`icl`, `clustCombi`).

use ember_core::mixture::entropy::{classification_entropy, icl, Merging};

fn lines(file: &str) -> Vec<Vec<f64>> {
    let path = format!("{}/tests/data/inference/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| {
            line.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        })
        .collect()
}

/// Column-major posterior and its number of rows.
fn posterior(file: &str) -> (Vec<f64>, usize) {
    let rows = lines(file);
    let columns = (0..rows[0].len()).flat_map(|j| rows.iter().map(move |row| row[j]));
    (columns.collect(), rows.len())
}

fn check(name: &str) {
    let (posterior, rows) = posterior(&format!("{name}-posterior.txt"));
    let expected = lines(&format!("{name}-merging.txt"));
    let components = posterior.len() / rows;
    // mclust's criteria have the other sign.
    let found = icl(-expected[0][0], &posterior, rows, None).unwrap();
    assert!((found + expected[0][1]).abs() < 1e-9, "{found}");
    let merging = Merging::new(&posterior, rows, components, None).unwrap();
    assert_eq!(merging.steps.len(), components);
    for (step, line) in merging.steps.iter().zip(&expected[1..]) {
        assert!(
            (step.entropy - line[0]).abs() < 1e-9,
            "{} {}",
            step.entropy,
            line[0]
        );
        let clusters: Vec<f64> = step.of_component.iter().map(|c| *c as f64 + 1.0).collect();
        assert_eq!(clusters, line[1..]);
    }
    let entropy = classification_entropy(&posterior, rows, None).unwrap();
    assert!((entropy - merging.steps[0].entropy).abs() < 1e-9);
}

#[test]
fn merging_follows_mclust_on_the_crosses() {
    check("ex41");
}

#[test]
fn merging_follows_mclust_on_faithful() {
    check("faithful");
}

#[test]
fn weights_repeat_rows_and_noise_stays_apart() {
    let posterior = [0.7, 0.2, 0.5, 0.2, 0.6, 0.3, 0.1, 0.2, 0.2];
    let weights = [2.0, 0.0, 1.0];
    let repeated = [0.7, 0.7, 0.5, 0.2, 0.2, 0.3, 0.1, 0.1, 0.2];
    let a = Merging::new(&posterior, 3, 2, Some(&weights)).unwrap();
    let b = Merging::new(&repeated, 3, 2, None).unwrap();
    assert_eq!(a.steps.len(), 2);
    for (a, b) in a.steps.iter().zip(&b.steps) {
        assert!((a.entropy - b.entropy).abs() < 1e-15);
        assert_eq!(a.of_component, b.of_component);
    }
    let two = |p: f64| p * p.ln() + (1.0 - p) * (1.0 - p).ln();
    let expected = -(2.0 * two(0.9) + two(0.8));
    assert!((a.steps[1].entropy - expected).abs() < 1e-14);
    let weighted = icl(10.0, &posterior, 3, Some(&weights)).unwrap();
    assert!((weighted - (10.0 - 2.0 * (2.0 * 0.7f64.ln() + 0.5f64.ln()))).abs() < 1e-14);
    assert!(icl(0.0, &posterior, 2, None).is_err());
    assert!(Merging::new(&posterior, 3, 4, None).is_err());
    assert!(classification_entropy(&posterior, 3, Some(&[1.0])).is_err());
}
