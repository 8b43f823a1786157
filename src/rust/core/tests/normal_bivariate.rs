//! Quadrants of the bivariate normal distribution against stored values, quadrature and identities.

use ember_core::normal::bivariate::{cdf, Bivariate};

fn lines(name: &str) -> Vec<Vec<f64>> {
    let path = format!(
        "{}/tests/data/normal/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let numbers = |line: &str| {
        line.split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect()
    };
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(numbers)
        .collect()
}

/// h, k, r and mvtnorm's pmvnorm(algorithm = TVPACK(1e-16)).
#[test]
fn probabilities_are_those_of_mvtnorm() {
    for line in lines("pmvnorm") {
        let got = cdf(line[0], line[1], line[2]);
        assert!((got - line[3]).abs() < 2e-15, "{line:?} {got}");
    }
}

/// a, b, r, then log P, E[X] - (a, b) and the covariances of X given X > (a, b), by quadrature in 40 digits.
#[test]
fn quadrants_are_those_of_quadrature_in_forty_digits() {
    for line in lines("quadrants") {
        let inside = Bivariate::new(line[2]).moments(line[0], line[1]);
        let [x, y] = inside.excess;
        let [xx, xy, yy] = inside.covariance;
        let scales = [
            line[3].abs().max(1.0),
            line[4],
            line[5],
            line[6],
            (line[6] * line[8]).sqrt(),
            line[8],
        ];
        let got = [inside.log_probability, x, y, xx, xy, yy];
        for (k, tolerance) in [4e-15, 2e-14, 2e-14, 4e-13, 4e-13, 4e-13]
            .into_iter()
            .enumerate()
        {
            let error = (got[k] - line[3 + k]) / scales[k];
            assert!(error.abs() < tolerance, "{line:?} {k} {got:?} {error}");
        }
    }
}
