//! A systematic sample of the rows, on which modes are searched for where there are many.

use super::data::{Data, Design};
use crate::error::Result;

/// Rows of a pattern that are kept at least.
const FEWEST: usize = 200;

/// The fractional part of the golden ratio.
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// Rows taken from data, with weights that stand for the rows left out.
pub(super) struct Sample {
    designs: Vec<Vec<f64>>,
    response: Vec<f64>,
    selected: Vec<i32>,
    weights: Vec<f64>,
}

impl Sample {
    /// About `size` rows of `data`: of each pattern its share, spread evenly over its rows, but not fewer than a few
    /// hundred where there are as many.
    pub(super) fn of(data: &Data, size: usize) -> Self {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); 1 << data.equations];
        for (row, &pattern) in data.patterns.iter().enumerate() {
            members[usize::from(pattern)].push(row);
        }
        let mut taken: Vec<(usize, f64)> = Vec::with_capacity(size);
        for rows in members.iter().filter(|rows| !rows.is_empty()) {
            let share = rows.len() * size / data.n;
            let count = share.max(FEWEST).min(rows.len());
            let stride = rows.len() as f64 / count as f64;
            taken.extend((0..count).map(|k| {
                // A place inside the stride that does not keep step with any period of the rows.
                let place = (k as f64 + (k as f64 * GOLDEN).fract()) * stride;
                let row = rows[(place as usize).min(rows.len() - 1)];
                (row, data.weight(row) * stride)
            }));
        }
        taken.sort_unstable_by_key(|&(row, _)| row);
        let rows: Vec<usize> = taken.iter().map(|&(row, _)| row).collect();
        let gather = |column: &[f64]| rows.iter().map(|&i| column[i]).collect::<Vec<f64>>();
        let columns = |values: &[f64]| values.chunks_exact(data.n).flat_map(gather).collect();
        let equations = 0..data.equations;
        Sample {
            designs: data.designs.iter().map(|d| columns(d.columns)).collect(),
            response: columns(data.response),
            selected: equations
                .flat_map(|j| rows.iter().map(move |&i| i32::from(data.is_selected(i, j))))
                .collect(),
            weights: taken.iter().map(|&(_, weight)| weight).collect(),
        }
    }

    /// The sample as the core takes rows.
    ///
    /// # Errors
    /// None but those of the rows it was taken from.
    pub(super) fn data(&self) -> Result<Data<'_>> {
        let n = self.weights.len();
        let designs = self.designs.iter().map(|columns| Design {
            columns,
            width: columns.len() / n,
        });
        let weights = Some(self.weights.as_slice());
        Data::new(designs.collect(), &self.response, &self.selected, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::Example;
    use super::*;

    #[test]
    fn a_sample_stands_for_all_rows() {
        let example = Example::new(2, 5000);
        let data = example.data();
        let sample = Sample::of(&data, 1500);
        let part = sample.data().unwrap();
        assert!(part.n > 1490 && part.n < 2300, "{}", part.n);
        assert!((part.total_weight - 5000.0).abs() < 1e-8);
        assert_eq!(part.distinct, data.distinct);
        for (pattern, count) in data.counts() {
            let rows = (0..part.n).filter(|&i| part.patterns[i] == pattern);
            let weight: f64 = rows.map(|i| part.weight(i)).sum();
            assert!((weight - count as f64).abs() < 1e-8);
        }
        let mean = |data: &Data| -> f64 {
            let x = data.column(0, 1, 0..data.n).iter().enumerate();
            x.map(|(i, x)| data.weight(i) * x).sum::<f64>() / data.total_weight
        };
        assert!((mean(&part) - mean(&data)).abs() < 0.05);
    }
}
