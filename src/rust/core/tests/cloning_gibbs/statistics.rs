//! What tests ask of draws.

use ember_core::cloning::chains::{Draws, Settings};

/// Draws of one monitored value, chain after chain.
pub fn values(draws: &Draws, at: usize) -> Vec<f64> {
    let chains = draws.chains.iter();
    chains
        .flat_map(|chain| chain.values.iter().skip(at).step_by(draws.width))
        .copied()
        .collect()
}

pub fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

pub fn variance(x: &[f64]) -> f64 {
    let centre = mean(x);
    x.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (x.len() - 1) as f64
}

/// Effective sample size of one chain: Geyer's initial positive sequence.
pub fn effective(x: &[f64]) -> f64 {
    let n = x.len();
    let centre = mean(x);
    let autocovariance = |lag: usize| -> f64 {
        let pairs = x.iter().zip(&x[lag..]);
        pairs.map(|(a, b)| (a - centre) * (b - centre)).sum::<f64>() / n as f64
    };
    let first = autocovariance(0);
    let mut sum = -first;
    for pair in 0..n / 2 - 1 {
        let both = autocovariance(2 * pair) + autocovariance(2 * pair + 1);
        if both <= 0.0 {
            break;
        }
        sum += 2.0 * both;
    }
    n as f64 * first / sum.max(first / n as f64)
}

/// Effective sample size of all chains.
pub fn effective_size(draws: &Draws, at: usize) -> f64 {
    let all = values(draws, at);
    let length = all.len() / draws.chains.len();
    all.chunks_exact(length).map(effective).sum()
}

pub fn settings(iterations: usize) -> Settings {
    Settings {
        iterations,
        burn_in: 500,
        thin: 1,
        chains: 3,
        threads: 2,
        seed: 7,
    }
}
