//! Quantiles cut one column into parts of about equal weight.

use super::distinct::has_weight;
use crate::mixture::data::Data;

/// Labels 0..k of the rows of the first column, which has no missing cells and at least k distinct values of
/// positive weight: label j from the j/k quantile on (Hyndman & Fan 1996, definition 7).
///
/// Where a value so frequent that it spans a part would leave one empty, all distinct values weigh the same.
/// Only the ratios of the weights matter, and a whole number of them is that many rows.
pub fn quantile_classes(data: &Data, k: usize) -> Vec<u32> {
    let column = data.column(0);
    let mut order: Vec<usize> = (0..data.rows()).filter(|&i| has_weight(data, i)).collect();
    order.sort_by(|&a, &b| column[a].total_cmp(&column[b]));
    let weight = |i: usize| data.weights().map_or(1.0, |w| w[i]);
    let mut values: Vec<f64> = Vec::new();
    let mut weights: Vec<f64> = Vec::new();
    for &i in &order {
        match weights.last_mut() {
            Some(last) if values.last() == Some(&column[i]) => *last += weight(i),
            _ => {
                values.push(column[i]);
                weights.push(weight(i));
            }
        }
    }
    let row = order
        .iter()
        .map(|&i| weight(i))
        .fold(f64::INFINITY, f64::min);
    let mut classes = classes(&weights, row, k);
    let skips = |pair: &[u32]| pair[1] > pair[0] + 1;
    if classes.first().is_some_and(|&class| class > 0) || classes.windows(2).any(skips) {
        classes = self::classes(&vec![1.0; values.len()], 1.0, k);
    }
    column
        .iter()
        .map(|x| {
            let at = values.partition_point(|value| value < x);
            classes.get(at).or(classes.last()).copied().unwrap_or(0)
        })
        .collect()
}

/// Classes of ascending values that weigh `weights`, where one row weighs `row`.
fn classes(weights: &[f64], row: f64, k: usize) -> Vec<u32> {
    let span = weights.iter().sum::<f64>() - row;
    let mut rank = -row;
    weights
        .iter()
        .map(|weight| {
            // The rank of the last of equal values, from 0.
            rank += weight;
            let class = if span > 0.0 {
                rank * k as f64 / span
            } else {
                0.0
            };
            (class as u32).min(k as u32 - 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(x: &[f64], weights: Option<&[f64]>, k: usize) -> Vec<u32> {
        quantile_classes(&Data::new(x, x.len(), 1, weights).unwrap(), k)
    }

    /// R: findInterval(x, quantile(x, 1:(k - 1) / k)).
    #[test]
    fn parts_are_cut_at_quantiles() {
        let x = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0];
        assert_eq!(labels(&x, None, 2), [0, 0, 1, 0, 1, 1, 0, 1, 1, 0]);
        assert_eq!(labels(&x, None, 3), [1, 0, 1, 0, 2, 2, 0, 2, 2, 1]);
        assert_eq!(labels(&x, None, 4), [1, 0, 2, 0, 3, 3, 0, 3, 3, 1]);
    }

    #[test]
    fn a_weight_is_a_repeated_row() {
        let x = [3.0, 1.0, 4.0, 5.0, 9.0, 2.0, 6.0];
        let weights = [2.0, 2.0, 1.0, 2.0, 1.0, 1.0, 1.0];
        let scaled = weights.map(|w| w * 1024.0);
        for k in 1..=4 {
            let repeated = labels(&[3.0, 1.0, 4.0, 5.0, 9.0, 2.0, 6.0, 3.0, 1.0, 5.0], None, k);
            assert_eq!(labels(&x, Some(&weights), k), repeated[..7]);
            assert_eq!(labels(&x, Some(&scaled), k), repeated[..7]);
        }
    }

    #[test]
    fn every_part_has_a_row() {
        let mut x = vec![0.0; 100];
        x.extend([1.0, 2.0, 3.0]);
        for k in 1..=4 {
            let labels = labels(&x, None, k);
            assert!((0..k as u32).all(|label| labels.contains(&label)), "{k}");
        }
        assert_eq!(labels(&[7.0], None, 1), [0]);
        assert_eq!(labels(&[7.0, 7.0], None, 1), [0, 0]);
        assert_eq!(
            labels(&[1.0, 2.0, 9.0], Some(&[1.0, 1.0, 0.0]), 2),
            [0, 1, 1]
        );
    }
}
