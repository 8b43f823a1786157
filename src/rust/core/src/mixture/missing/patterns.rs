//! Which cells are missing: rows grouped by pattern.

use std::collections::HashMap;
use std::ops::Range;

use crate::mixture::data::Data;

/// Rows grouped by which of their cells are missing (NaN).
#[derive(Debug, Clone)]
pub struct Patterns {
    /// Rows with an observed cell: complete rows first, then pattern by pattern, ascending within each.
    order: Vec<usize>,
    patterns: Vec<Pattern>,
    empty: Vec<usize>,
    region: Region,
}

/// Columns observed and missing in some rows.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub observed: Vec<usize>,
    pub missing: Vec<usize>,
    /// Where the rows stand in the order of [`Patterns`].
    span: Range<usize>,
}

/// The box that the noise component is uniform over, one pair of bounds per column.
#[derive(Debug, Clone)]
struct Region {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Patterns {
    /// Groups the rows of `data`; the noise region is the smallest box that holds the observed cells.
    pub fn new(data: &Data) -> Self {
        let (n, d) = (data.rows(), data.columns());
        let words = d.div_ceil(64);
        let mut masks = vec![0_u64; words];
        let mut found: HashMap<Vec<u64>, usize> = HashMap::from([(masks.clone(), 0)]);
        let mut groups: Vec<Vec<usize>> = vec![Vec::new()];
        for i in 0..n {
            masks.fill(0);
            for j in (0..d).filter(|&j| data.column(j)[i].is_nan()) {
                masks[j / 64] |= 1 << (j % 64);
            }
            let group = match found.get(masks.as_slice()) {
                Some(&group) => group,
                None => {
                    found.insert(masks.clone(), groups.len());
                    groups.push(Vec::new());
                    groups.len() - 1
                }
            };
            groups[group].push(i);
        }
        let mut order = Vec::with_capacity(n);
        let mut patterns = Vec::with_capacity(groups.len());
        let mut empty = Vec::new();
        for rows in groups {
            let Some(&first) = rows.first() else {
                continue;
            };
            let (missing, observed): (Vec<usize>, Vec<usize>) =
                (0..d).partition(|&j| data.column(j)[first].is_nan());
            if observed.is_empty() {
                empty = rows;
                continue;
            }
            let start = order.len();
            order.extend(rows);
            patterns.push(Pattern {
                observed,
                missing,
                span: start..order.len(),
            });
        }
        Patterns {
            order,
            patterns,
            empty,
            region: Region::of(data),
        }
    }

    /// Sets the box that the noise component is uniform over: for new rows, that of the fitted data.
    pub fn with_noise_region(mut self, lower: Vec<f64>, upper: Vec<f64>) -> Self {
        self.region = Region { lower, upper };
        self
    }

    /// Whether no cell is missing.
    pub fn is_complete(&self) -> bool {
        self.empty.is_empty() && self.patterns.iter().all(|p| p.missing.is_empty())
    }

    /// Number of patterns among the rows with an observed cell.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether no row has an observed cell.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Rows (0-based, ascending) without any observed cell.
    pub fn empty_rows(&self) -> &[usize] {
        &self.empty
    }

    /// Number of rows with an observed cell: those that the statistics are about.
    pub(super) fn informative_rows(&self) -> usize {
        self.order.len()
    }

    /// The patterns that meet `range` of the order, each with its rows there.
    pub(super) fn within(&self, range: Range<usize>) -> impl Iterator<Item = (&Pattern, &[usize])> {
        let first = self.patterns.partition_point(|p| p.span.end <= range.start);
        self.patterns[first..]
            .iter()
            .take_while(move |p| p.span.start < range.end)
            .map(move |p| {
                let rows = p.span.start.max(range.start)..p.span.end.min(range.end);
                (p, &self.order[rows])
            })
    }

    /// Log of the noise region's extent in `columns`: what integrating them out adds to a uniform log-density.
    /// A column of no extent adds nothing.
    pub(super) fn log_extent(&self, columns: &[usize]) -> f64 {
        columns
            .iter()
            .map(|&j| self.region.upper[j] - self.region.lower[j])
            .filter(|extent| *extent > 0.0)
            .map(f64::ln)
            .sum()
    }

    /// Mean of column `j` under the noise component.
    pub(super) fn noise_mean(&self, j: usize) -> f64 {
        self.region.lower[j] / 2.0 + self.region.upper[j] / 2.0
    }
}

impl Region {
    fn of(data: &Data) -> Self {
        let bounds = |j: usize| {
            let start = (f64::INFINITY, f64::NEG_INFINITY);
            // min and max pass over NaN.
            let (low, high) = data
                .column(j)
                .iter()
                .fold(start, |(low, high), &x| (low.min(x), high.max(x)));
            if low <= high {
                (low, high)
            } else {
                (0.0, 0.0)
            }
        };
        let (lower, upper) = (0..data.columns()).map(bounds).unzip();
        Region { lower, upper }
    }
}
