//! The E-step as the formulas say it, row by row: what every kernel is checked against.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::super::data::Data;
use super::super::model::Mixture;
use super::super::stats::MixtureStats;

/// Log-densities of one row under every component, weight included; noise last.
fn log_terms(x: &DVector<f64>, mixture: &Mixture, roots: &[Cholesky<f64, Dyn>]) -> Vec<f64> {
    let d = mixture.dim() as f64;
    let mut terms: Vec<f64> = roots
        .iter()
        .enumerate()
        .map(|(k, root)| {
            let y = whiten(x, mixture, root, k);
            let log_root = root.l_dirty().diagonal().map(f64::ln).sum();
            mixture.weights[k].ln()
                - 0.5 * d * (2.0 * std::f64::consts::PI).ln()
                - log_root
                - 0.5 * y.norm_squared()
        })
        .collect();
    terms.extend(
        mixture
            .noise
            .map(|noise| noise.weight.ln() + noise.log_density),
    );
    terms
}

fn whiten(
    x: &DVector<f64>,
    mixture: &Mixture,
    root: &Cholesky<f64, Dyn>,
    k: usize,
) -> DVector<f64> {
    root.l_dirty()
        .solve_lower_triangular(&(x - mixture.means.column(k)))
        .expect("a Cholesky factor has no zero on its diagonal")
}

fn log_sum(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}

fn row(data: &Data, i: usize) -> DVector<f64> {
    DVector::from_fn(data.columns(), |j, _| data.column(j)[i])
}

fn roots(mixture: &Mixture) -> Vec<Cholesky<f64, Dyn>> {
    let root =
        |s: &DMatrix<f64>| Cholesky::new(s.clone()).expect("covariances are positive definite");
    mixture.covariances.iter().map(root).collect()
}

/// [`MixtureStats`] with every cross-product that the model's layout has.
pub fn expect(data: &Data, mixture: &Mixture) -> MixtureStats {
    let (d, k) = (mixture.dim(), mixture.components());
    let diagonal = mixture.model.is_diagonal();
    let p = if diagonal { d } else { d * (d + 1) / 2 };
    let roots = roots(mixture);
    let mut stats = MixtureStats {
        rows: data.rows() as u64,
        total_weight: data.total_weight(),
        counts: vec![0.0; k],
        sums: DMatrix::zeros(d, k),
        crosses: DMatrix::zeros(p, k),
        noise_count: 0.0,
        log_lik: 0.0,
    };
    for i in 0..data.rows() {
        let weight = data.weights().map_or(1.0, |w| w[i]);
        let x = row(data, i);
        let terms = log_terms(&x, mixture, &roots);
        let log_density = log_sum(&terms);
        stats.log_lik += weight * log_density;
        for (component, term) in terms.iter().enumerate() {
            let r = weight * (term - log_density).exp();
            if component == k {
                stats.noise_count += r;
                continue;
            }
            let y = whiten(&x, mixture, &roots[component], component);
            stats.counts[component] += r;
            let mut at = 0;
            for a in 0..d {
                stats.sums[(a, component)] += r * y[a];
                for b in if diagonal { a } else { 0 }..=a {
                    stats.crosses[(at, component)] += r * y[a] * y[b];
                    at += 1;
                }
            }
        }
    }
    stats
}

/// Log-density and responsibilities of row `i`.
pub fn posterior(data: &Data, mixture: &Mixture, i: usize) -> (f64, Vec<f64>) {
    let terms = log_terms(&row(data, i), mixture, &roots(mixture));
    let log_density = log_sum(&terms);
    (
        log_density,
        terms.iter().map(|t| (t - log_density).exp()).collect(),
    )
}
