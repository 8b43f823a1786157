//! Columns standardised in effect: the data are never copied.

use crate::mixture::data::Data;

/// Centre and standard deviation of every column.
#[derive(Debug, Clone)]
pub(super) struct ColumnScale {
    centres: Vec<f64>,
    /// 1 / standard deviation; 0 for a constant column, which then tells rows apart no more.
    inverses: Vec<f64>,
}

impl ColumnScale {
    /// Weighted centres and standard deviations of the observed cells.
    pub fn of(data: &Data) -> Self {
        let (centres, inverses) = (0..data.columns())
            .map(|j| centre_and_inverse(data.column(j), data.weights()))
            .unzip();
        ColumnScale { centres, inverses }
    }

    /// The standardised value of a cell of column `j`; NaN stays NaN.
    pub fn standardise(&self, j: usize, value: f64) -> f64 {
        (value - self.centres[j]) * self.inverses[j]
    }
}

/// Sums run over (x − midrange) / half-range, in [−1, 1]: no large mean or unit can spoil them.
fn centre_and_inverse(column: &[f64], weights: Option<&[f64]>) -> (f64, f64) {
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let cells = || {
        let observed = move |&(i, x): &(usize, f64)| !x.is_nan() && weight(i) > 0.0;
        column.iter().copied().enumerate().filter(observed)
    };
    let (low, high) = cells().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, x)| {
        (low.min(x), high.max(x))
    });
    if low >= high {
        return (if low == high { low } else { 0.0 }, 0.0);
    }
    let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
    let (mut total, mut sum) = (0.0, 0.0);
    for (i, x) in cells() {
        total += weight(i);
        sum += weight(i) * ((x - middle) / half);
    }
    let mean = sum / total;
    let squares: f64 = cells()
        .map(|(i, x)| weight(i) * ((x - middle) / half - mean).powi(2))
        .sum();
    let inverse = 1.0 / (half * (squares / total).sqrt());
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    (middle + half * mean, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standardised_values_have_mean_zero_and_variance_one() {
        for (shift, unit) in [(0.0, 1.0), (1e7, 1e-3), (-3.0, 1e300), (0.0, 1e-300)] {
            let x: Vec<f64> = (0..50)
                .map(|i| unit * (shift + f64::from(i * i % 17)))
                .collect();
            let data = Data::new(&x, 50, 1, None).unwrap();
            let scale = ColumnScale::of(&data);
            let z: Vec<f64> = x.iter().map(|&v| scale.standardise(0, v)).collect();
            let mean = z.iter().sum::<f64>() / 50.0;
            let variance = z.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 50.0;
            assert!(mean.abs() < 1e-8, "{mean}");
            assert!((variance - 1.0).abs() < 1e-8, "{variance}");
        }
    }

    #[test]
    fn constant_and_empty_columns_standardise_to_zero_or_missing() {
        let x = [1e7, 1e7, f64::NAN, f64::NAN];
        let data = Data::new(&x, 2, 2, None).unwrap();
        let scale = ColumnScale::of(&data);
        assert_eq!(scale.standardise(0, 1e7), 0.0);
        assert!(scale.standardise(1, f64::NAN).is_nan());
    }

    #[test]
    fn rows_without_weight_do_not_count() {
        let x = [1.0, 3.0, 1e9];
        let weights = [1.0, 1.0, 0.0];
        let data = Data::new(&x, 3, 1, Some(&weights)).unwrap();
        assert_eq!(ColumnScale::of(&data).standardise(0, 3.0), 1.0);
    }
}
