//! How well components are told apart: entropy of the classification, ICL, merging of components.
//!
//! Posteriors are n × (K + noise), column-major, as [`crate::mixture::expect::responsibilities`] writes them.

use crate::error::{Error, Result};

/// −Σ_i w_i Σ_k r_ik log r_ik, in nats: 0 when every row has one label for sure.
///
/// # Errors
/// [`Error::Argument`] when lengths do not fit.
pub fn classification_entropy(
    posterior: &[f64],
    rows: usize,
    weights: Option<&[f64]>,
) -> Result<f64> {
    check(posterior, rows, weights)?;
    Ok(-posterior
        .chunks_exact(rows)
        .map(|column| sum_x_log_x(column, weights))
        .sum::<f64>())
}

/// Integrated completed likelihood of Biernacki, Celeux & Govaert (2000) in R's sign, smaller is better:
/// BIC − 2 Σ_i w_i log max_k r_ik, with labels by maximum a posteriori.
///
/// # Errors
/// [`Error::Argument`] when lengths do not fit.
pub fn icl(bic: f64, posterior: &[f64], rows: usize, weights: Option<&[f64]>) -> Result<f64> {
    check(posterior, rows, weights)?;
    let penalty: f64 = (0..rows)
        .map(|i| {
            let columns = posterior.iter().skip(i).step_by(rows);
            let largest = columns.copied().fold(f64::MIN_POSITIVE, f64::max);
            weight(weights, i) * largest.ln()
        })
        .sum();
    Ok(bic - 2.0 * penalty)
}

/// Components merged two at a time, each time the pair whose union lowers the entropy most
/// (Baudry, Raftery, Celeux, Lo & Gottardo 2010, section 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Merging {
    /// Element m is the solution with K − m clusters.
    pub steps: Vec<Clusters>,
}

/// One level of a merging.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// Cluster (0-based) of each component. A union stays where its first member was; later clusters move up.
    pub of_component: Vec<usize>,
    /// Entropy of the classification into these clusters (and noise), in nats.
    pub entropy: f64,
    /// The two clusters of the previous level that were merged; `None` at the first.
    pub merged: Option<(usize, usize)>,
}

impl Merging {
    /// Merges the first `components` columns of `posterior` down to one cluster; a further column, noise,
    /// stays apart.
    ///
    /// # Errors
    /// [`Error::Argument`] when lengths do not fit.
    pub fn new(
        posterior: &[f64],
        rows: usize,
        components: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self> {
        check(posterior, rows, weights)?;
        let columns: Vec<&[f64]> = posterior.chunks_exact(rows).collect();
        if components == 0 || components > columns.len() {
            return Err(Error::Argument {
                argument: "posterior",
                message: format!("has {} columns for {components} components", columns.len()),
            });
        }
        let mut clusters: Vec<Vec<f64>> = columns[..components]
            .iter()
            .map(|column| column.to_vec())
            .collect();
        let noise: f64 = columns[components..]
            .iter()
            .map(|column| -sum_x_log_x(column, weights))
            .sum();
        let mut own: Vec<f64> = clusters.iter().map(|c| sum_x_log_x(c, weights)).collect();
        let mut unions: Vec<Vec<f64>> = (0..components)
            .map(|b| {
                (0..b)
                    .map(|a| union(&clusters[a], &clusters[b], weights))
                    .collect()
            })
            .collect();
        let mut of_component: Vec<usize> = (0..components).collect();
        let mut steps = vec![Clusters {
            of_component: of_component.clone(),
            entropy: noise - own.iter().sum::<f64>(),
            merged: None,
        }];
        while let Some((a, b)) = best_pair(&own, &unions) {
            let absorbed = clusters.remove(b);
            own.remove(b);
            unions.remove(b);
            for row in unions.iter_mut().skip(b) {
                row.remove(b);
            }
            for (sum, value) in clusters[a].iter_mut().zip(&absorbed) {
                *sum += value;
            }
            own[a] = sum_x_log_x(&clusters[a], weights);
            for other in 0..clusters.len() {
                if other != a {
                    let value = union(&clusters[a], &clusters[other], weights);
                    unions[a.max(other)][a.min(other)] = value;
                }
            }
            for cluster in &mut of_component {
                *cluster = match *cluster {
                    c if c == b => a,
                    c if c > b => c - 1,
                    c => c,
                };
            }
            steps.push(Clusters {
                of_component: of_component.clone(),
                entropy: noise - own.iter().sum::<f64>(),
                merged: Some((a, b)),
            });
        }
        Ok(Merging { steps })
    }
}

/// The pair a < b whose union lowers the entropy most.
fn best_pair(own: &[f64], unions: &[Vec<f64>]) -> Option<(usize, usize)> {
    let mut best: Option<(f64, (usize, usize))> = None;
    for (b, row) in unions.iter().enumerate() {
        for (a, joint) in row.iter().enumerate() {
            let gain = joint - own[a] - own[b];
            if best.is_none_or(|(largest, _)| gain > largest) {
                best = Some((gain, (a, b)));
            }
        }
    }
    best.map(|(_, pair)| pair)
}

fn x_log_x(x: f64) -> f64 {
    if x > 0.0 {
        x * x.ln()
    } else {
        0.0
    }
}

fn weight(weights: Option<&[f64]>, i: usize) -> f64 {
    weights.map_or(1.0, |weights| weights[i])
}

fn sum_x_log_x(column: &[f64], weights: Option<&[f64]>) -> f64 {
    column
        .iter()
        .enumerate()
        .map(|(i, &x)| weight(weights, i) * x_log_x(x))
        .sum()
}

fn union(a: &[f64], b: &[f64], weights: Option<&[f64]>) -> f64 {
    a.iter()
        .zip(b)
        .enumerate()
        .map(|(i, (x, y))| weight(weights, i) * x_log_x(x + y))
        .sum()
}

fn check(posterior: &[f64], rows: usize, weights: Option<&[f64]>) -> Result<()> {
    if rows == 0 || posterior.is_empty() || !posterior.len().is_multiple_of(rows) {
        return Err(Error::Argument {
            argument: "posterior",
            message: format!("must hold whole columns of {rows} rows"),
        });
    }
    if weights.is_some_and(|weights| weights.len() != rows) {
        return Err(Error::Argument {
            argument: "weights",
            message: format!("must have {rows} values, one per row"),
        });
    }
    Ok(())
}
