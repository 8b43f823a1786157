//! One M-step against `mclust::mstep()`; the maximum against `mclust::me()`. See data/mstep.R.

use std::collections::HashMap;

use ember_core::mixture::maximize::{complete_log_lik, maximize};
use ember_core::mixture::model::{CovarianceModel, Mixture};
use nalgebra::DMatrix;

use crate::data::{error, load, matrix_error, read};

pub struct Oracles(HashMap<String, Vec<f64>>);

impl Oracles {
    pub fn load() -> Self {
        let mut oracles = HashMap::new();
        for line in read("mclust-mstep.txt").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let numbers = words[4..].iter().map(|x| x.parse().unwrap()).collect();
            oracles.insert(words[..4].join(" "), numbers);
        }
        Oracles(oracles)
    }

    pub fn find(
        &self,
        kind: &str,
        data: &str,
        model: CovarianceModel,
        what: &str,
    ) -> Option<&[f64]> {
        let key = format!("{kind} {data} {} {what}", model.name());
        self.0.get(&key).map(Vec::as_slice)
    }

    pub fn get(&self, kind: &str, data: &str, model: CovarianceModel, what: &str) -> &[f64] {
        self.find(kind, data, model, what)
            .unwrap_or_else(|| panic!("no oracle {kind} {data} {} {what}", model.name()))
    }

    /// Means and covariances of that name, as our types.
    pub fn moments(
        &self,
        kind: &str,
        data: &str,
        model: CovarianceModel,
        d: usize,
    ) -> (DMatrix<f64>, Vec<DMatrix<f64>>) {
        let means = self.get(kind, data, model, "means");
        let covariances = self.get(kind, data, model, "covariances");
        (
            DMatrix::from_column_slice(d, means.len() / d, means),
            covariances
                .chunks_exact(d * d)
                .map(|sigma| DMatrix::from_column_slice(d, d, sigma))
                .collect(),
        )
    }
}

#[test]
fn one_step_equals_mclust() {
    use CovarianceModel::{EVE, VVE};
    let oracles = Oracles::load();
    for name in ["iris", "faithful", "precip"] {
        let data = load(name);
        let d = data.x.nrows();
        let moments = data.moments(&data.soft());
        for model in data.models() {
            let ours = maximize(&moments, None, model, &data.rules()).unwrap();
            let weights = oracles.get("mstep", name, model, "weights");
            let (means, covariances) = oracles.moments("mstep", name, model, d);
            for (x, y) in ours.weights.iter().zip(weights) {
                assert!(error(*x, *y, 1.0) < 1e-12);
            }
            assert!(matrix_error(&ours.means, &means) < 1e-12);
            if matches!(model, EVE | VVE) {
                let theirs = Mixture {
                    covariances,
                    ..ours.clone()
                };
                let gain = complete_log_lik(&moments, &ours) - complete_log_lik(&moments, &theirs);
                assert!(gain > -1e-9, "{name} {}: {gain:e}", model.name());
            } else {
                for (x, y) in ours.covariances.iter().zip(&covariances) {
                    let error = matrix_error(x, y);
                    assert!(error < 1e-8, "{name} {}: {error:e}", model.name());
                }
            }
        }
    }
}
