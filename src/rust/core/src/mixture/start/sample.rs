//! Some rows of the data, as data: what seeding and trees look at when n is large.

use rand::seq::index;
use rand::Rng;

use super::distinct::{distinct_rows, has_weight};
use crate::error::Result;
use crate::mixture::data::Data;

/// A copy of some rows, with their weights.
#[derive(Debug, Clone)]
pub struct Sample {
    rows: Vec<usize>,
    columns: usize,
    cells: Vec<f64>,
    weights: Vec<f64>,
}

impl Sample {
    /// At most `size` rows of positive weight drawn at random (all of them when no more), plus as many as it
    /// takes to have `distinct` distinct rows where the data have them. `eligible` says which rows may be drawn.
    pub(super) fn draw<R: Rng>(
        data: &Data,
        size: usize,
        distinct: usize,
        eligible: impl Fn(usize) -> bool,
        rng: &mut R,
    ) -> Self {
        let mut rows: Vec<usize> = (0..data.rows())
            .filter(|&i| has_weight(data, i) && eligible(i))
            .collect();
        if rows.len() > size {
            let mut drawn = index::sample(rng, rows.len(), size).into_vec();
            drawn.sort_unstable();
            rows = drawn.into_iter().map(|i| rows[i]).collect();
        }
        let sample = Self::of(data, rows);
        let found = sample
            .data()
            .map_or(0, |some| distinct_rows(&some, distinct).len());
        if found >= distinct {
            return sample;
        }
        let mut rows = sample.rows;
        rows.extend(distinct_rows(data, distinct));
        rows.sort_unstable();
        rows.dedup();
        Self::of(data, rows)
    }

    fn of(data: &Data, rows: Vec<usize>) -> Self {
        let columns = data.columns();
        let cells = (0..columns)
            .flat_map(|j| rows.iter().map(move |&i| data.column(j)[i]))
            .collect();
        let weights = rows
            .iter()
            .map(|&i| data.weights().map_or(1.0, |weights| weights[i]))
            .collect();
        Sample {
            rows,
            columns,
            cells,
            weights,
        }
    }

    /// Where the rows stand in the data, ascending.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The rows as data with weights.
    ///
    /// # Errors
    /// Those of [`Data::new`], which the whole data did not raise.
    pub fn data(&self) -> Result<Data<'_>> {
        Data::new(
            &self.cells,
            self.rows.len(),
            self.columns,
            Some(&self.weights),
        )
    }
}
