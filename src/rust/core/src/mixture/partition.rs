//! A hard partition of the rows: labels, and the moments they give.

use nalgebra::{DMatrix, DVector};

use super::data::Data;
use super::stats::{Moments, Scatter};

/// Labels 0..k of the rows; a label of `k` or more stands for the noise component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub k: usize,
    pub labels: Vec<u32>,
}

impl Partition {
    /// Counts, means and scatter matrices of the parts, in two passes over `data` (complete rows).
    ///
    /// The same as an M-step from responsibilities that are 0 or 1, without the n × K matrix. A part without
    /// weight has the overall mean and no scatter.
    pub fn moments(&self, data: &Data) -> Moments {
        let (d, k) = (data.columns(), self.k);
        let weight = |i: usize| data.weights().map_or(1.0, |w| w[i]);
        let overall = data.mean();
        let mut counts = vec![0.0; k];
        let mut noise_count = 0.0;
        for (i, &label) in self.labels.iter().enumerate() {
            match counts.get_mut(label as usize) {
                Some(count) => *count += weight(i),
                None => noise_count += weight(i),
            }
        }
        let means = self.means(data, &counts, &overall);
        let mut scatters = vec![DMatrix::zeros(d, d); k];
        for a in 0..d {
            for b in 0..=a {
                let mut sums = vec![0.0; k];
                let pairs = data.column(a).iter().zip(data.column(b));
                for (i, (&label, (x, y))) in self.labels.iter().zip(pairs).enumerate() {
                    let part = label as usize;
                    if part < k {
                        sums[part] += weight(i) * (x - means[(a, part)]) * (y - means[(b, part)]);
                    }
                }
                for (scatter, sum) in scatters.iter_mut().zip(sums) {
                    scatter[(a, b)] = sum;
                    scatter[(b, a)] = sum;
                }
            }
        }
        Moments {
            total_weight: data.total_weight(),
            counts,
            means,
            scatter: Scatter::PerComponent(scatters),
            noise_count,
        }
    }

    /// d × K means, as deviations from the overall mean until the end so that a large one costs no digits.
    fn means(&self, data: &Data, counts: &[f64], overall: &DVector<f64>) -> DMatrix<f64> {
        let mut means = DMatrix::zeros(data.columns(), self.k);
        for j in 0..data.columns() {
            let mut sums = vec![0.0; self.k];
            for (i, (&label, x)) in self.labels.iter().zip(data.column(j)).enumerate() {
                if let Some(sum) = sums.get_mut(label as usize) {
                    *sum += data.weights().map_or(1.0, |w| w[i]) * (x - overall[j]);
                }
            }
            for (part, sum) in sums.into_iter().enumerate() {
                let deviation = if counts[part] > 0.0 {
                    sum / counts[part]
                } else {
                    0.0
                };
                means[(j, part)] = overall[j] + deviation;
            }
        }
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::moments::moments_from_responsibilities;

    #[test]
    fn moments_are_those_of_zero_one_responsibilities() {
        let x = [1.0, 2.5, -1.0, 4.0, 0.5, 3.0, 2.0, 2.0, 7.0, -2.0, 0.0, 1.0];
        let weights = [1.0, 2.0, 0.5, 1.0, 3.0, 1.0];
        let data = Data::new(&x, 6, 2, Some(&weights)).unwrap();
        let partition = Partition {
            k: 2,
            labels: vec![0, 1, 1, 0, 2, 1],
        };
        let posterior: Vec<f64> = (0..3)
            .flat_map(|part| partition.labels.iter().map(move |&l| f64::from(l == part)))
            .collect();
        let soft = moments_from_responsibilities(&data, &posterior, 2, true);
        let hard = partition.moments(&data);
        assert_eq!(hard.counts, soft.counts);
        assert_eq!(hard.noise_count, soft.noise_count);
        assert!((&hard.means - &soft.means).amax() < 1e-14);
        let (Scatter::PerComponent(hard), Scatter::PerComponent(soft)) =
            (hard.scatter, soft.scatter)
        else {
            panic!("partitions give one scatter per part");
        };
        for (hard, soft) in hard.iter().zip(&soft) {
            assert!((hard - soft).amax() < 1e-13);
        }
    }
}
