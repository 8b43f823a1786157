//! Rows in the order of the levels of one grouping factor.

use std::borrow::Cow;
use std::ops::Range;

use crate::mixed::coincidence::sort_by_level;
use crate::mixed::rows::{Column, TermRows};
use crate::shard;

/// Where the rows of each level are. Positions count rows in the order of their levels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Groups {
    /// Position of the first row of each level; one more than there are levels.
    starts: Vec<usize>,
    /// Row at each position, unless rows are in that order anyhow.
    order: Option<Vec<u32>>,
}

impl Groups {
    /// The groups of a term.
    pub fn of(term: &TermRows) -> Self {
        let mut starts = vec![0; term.levels + 1];
        for &code in term.codes {
            starts[code as usize] += 1;
        }
        for level in 0..term.levels {
            starts[level + 1] += starts[level];
        }
        let sorted = term.codes.windows(2).all(|pair| pair[0] <= pair[1]);
        // Row numbers fit: no data frame has more than 2³¹ − 1 rows.
        let order = (!sorted).then(|| sort_by_level(term, 0..term.codes.len() as u32));
        Groups { starts, order }
    }

    /// Groups of one row each, in order.
    pub fn singletons(levels: usize) -> Self {
        Groups {
            starts: (0..=levels).collect(),
            order: None,
        }
    }

    /// Number of levels.
    pub fn levels(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts[self.levels()]
    }

    /// Positions of the rows of some levels.
    #[inline]
    pub fn positions(&self, levels: Range<usize>) -> Range<usize> {
        self.starts[levels.start]..self.starts[levels.end]
    }

    /// Levels in shards that depend on the data alone; every level is in one.
    pub fn shards(&self) -> Vec<Range<usize>> {
        let bounds = shard::shards(self.rows());
        let level = |position: usize| self.starts.partition_point(|&start| start < position);
        let mut shards: Vec<Range<usize>> = Vec::with_capacity(bounds.len());
        for bound in &bounds {
            let start = shards.last().map_or(0, |shard| shard.end);
            let end = if bound.end == self.rows() {
                self.levels()
            } else {
                level(bound.end).max(start)
            };
            shards.push(start..end);
        }
        shards
    }

    /// Consecutive levels of a shard with at most `rows` rows and levels together, or one level with more.
    pub fn batches(
        &self,
        shard: Range<usize>,
        rows: usize,
    ) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut next = shard.start;
        std::iter::from_fn(move || {
            let start = next;
            while next < shard.end
                && (next == start
                    || (self.positions(start..next + 1).len() <= rows && next - start < rows))
            {
                next += 1;
            }
            (start < next).then_some(start..next)
        })
    }

    /// Values of the rows at some positions.
    pub fn gather(&self, positions: Range<usize>, from: &[f64], to: &mut [f64]) {
        match &self.order {
            None => to.copy_from_slice(&from[positions]),
            Some(order) => {
                let rows = &order[positions];
                to.iter_mut()
                    .zip(rows)
                    .for_each(|(to, &row)| *to = from[row as usize]);
            }
        }
    }

    /// Values of a column of a random-effects model matrix at some positions.
    pub fn gather_column(&self, positions: Range<usize>, column: &Column, to: &mut [f64]) {
        match column {
            Column::One => to.fill(1.0),
            Column::Values(values) => self.gather(positions, values, to),
        }
    }

    /// Rows at some positions.
    pub fn rows_at(&self, positions: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let order = self.order.as_deref();
        positions.map(move |at| order.map_or(at, |order| order[at] as usize))
    }

    /// Values at all positions in the order of the rows.
    pub fn scatter<'s>(&self, values: &'s [f64]) -> Cow<'s, [f64]> {
        let Some(order) = &self.order else {
            return Cow::Borrowed(values);
        };
        let mut scattered = vec![0.0; values.len()];
        let both = order.iter().zip(values);
        both.for_each(|(&row, &value)| scattered[row as usize] = value);
        Cow::Owned(scattered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(codes: &[i32], levels: usize) -> Groups {
        Groups::of(&TermRows {
            codes,
            levels,
            columns: vec![Column::One],
        })
    }

    #[test]
    fn rows_are_found_by_level() {
        let groups = groups(&[3, 1, 3, 5, 1, 1], 6);
        assert_eq!(groups.positions(0..1), 0..3);
        assert!(groups.positions(1..2).is_empty());
        assert_eq!(groups.positions(2..5), 3..6);
        let mut sorted = [0.0; 6];
        groups.gather(0..6, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &mut sorted);
        assert_eq!(sorted, [1.0, 4.0, 5.0, 0.0, 2.0, 3.0]);
        assert_eq!(*groups.scatter(&sorted), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(groups.rows_at(2..5).eq([5, 0, 2]));
    }

    #[test]
    fn shards_and_batches_cover_the_levels_once() {
        let codes: Vec<i32> = (0..20_000).map(|i| 1 + (i as f64).sqrt() as i32).collect();
        let all = groups(&codes, 150);
        assert!(all.order.is_none());
        let mut next = 0;
        for shard in all.shards() {
            assert_eq!(shard.start, next);
            for batch in all.batches(shard.clone(), 256) {
                assert_eq!(batch.start, next);
                assert!(batch.len() == 1 || all.positions(batch.clone()).len() <= 256);
                next = batch.end;
            }
            assert_eq!(shard.end, next);
        }
        assert_eq!(next, 150);
    }
}
