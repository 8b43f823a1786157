//! Which levels of two grouping factors occur in the same rows, and which factor is nested in which.

use super::rows::{FixedColumns, TermRows};

/// For each of several keys a sorted list of indices.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lists {
    /// Where each list starts; one more than there are lists.
    pub starts: Vec<usize>,
    /// The lists, one behind the other.
    pub indices: Vec<u32>,
}

impl Lists {
    /// Positions of the list of a key.
    #[inline(always)]
    pub fn range(&self, key: usize) -> std::ops::Range<usize> {
        self.starts[key]..self.starts[key + 1]
    }
}

/// Which levels of two terms occur together: for each level of `first` a sorted list of levels of `second`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// The term that is eliminated first.
    pub first: usize,
    /// The other term.
    pub second: usize,
    /// Where the list of each level of `first` starts; one more than there are levels.
    pub starts: Vec<usize>,
    /// Levels of `second`, from 0.
    pub levels: Vec<u32>,
}

impl Pairs {
    /// Positions of the list of a level of `first`.
    #[inline(always)]
    pub fn range(&self, level: usize) -> std::ops::Range<usize> {
        self.starts[level]..self.starts[level + 1]
    }

    /// Position of a pair of levels in the lists.
    pub fn position(&self, first: usize, second: usize) -> Option<usize> {
        let range = self.range(first);
        let found = self.levels[range.clone()].binary_search(&(second as u32));
        found.ok().map(|k| range.start + k)
    }
}

/// Rows ordered by the level of a term, stably behind an order given.
pub(crate) fn sort_by_level(term: &TermRows, order: impl Iterator<Item = u32> + Clone) -> Vec<u32> {
    let mut next = vec![0u32; term.levels + 1];
    for row in order.clone() {
        next[term.codes[row as usize] as usize] += 1;
    }
    let mut total = 0;
    for next in &mut next {
        total += *next;
        *next = total;
    }
    // next[l] is where level l + 1 starts.
    let mut sorted = vec![0; total as usize];
    for row in order {
        let slot = &mut next[term.codes[row as usize] as usize - 1];
        sorted[*slot as usize] = row;
        *slot += 1;
    }
    sorted
}

/// Which levels occur together, and the position of its pair for each row of `order` (sorted by both terms).
pub(super) fn pairs_in_order(
    (first, a): (usize, &TermRows),
    (second, b): (usize, &TermRows),
    order: &[u32],
) -> Pairs {
    let mut starts = vec![0; a.levels + 1];
    let mut levels = Vec::new();
    let mut last = (0, 0);
    for &row in order {
        let key = (a.codes[row as usize], b.codes[row as usize]);
        if key != last {
            last = key;
            starts[key.0 as usize] += 1;
            levels.push(key.1 as u32 - 1);
        }
    }
    for l in 0..a.levels {
        starts[l + 1] += starts[l];
    }
    levels.shrink_to_fit();
    Pairs {
        first,
        second,
        starts,
        levels,
    }
}

/// Whether each level of `inner` occurs with one level of `outer` only.
fn is_nested(inner: &TermRows, outer: &TermRows) -> bool {
    let mut parents = vec![0; inner.levels];
    inner.codes.iter().zip(outer.codes).all(|(&inner, &outer)| {
        let parent = &mut parents[inner as usize - 1];
        let same = *parent == 0 || *parent == outer;
        *parent = outer;
        same
    })
}

/// The order of elimination: a chain of terms that stay block diagonal, then the rest; largest first.
///
/// A term joins the chain when every term of the chain is nested in it: each of their levels then touches one
/// of its blocks only.
pub(super) fn elimination_order(terms: &[TermRows]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..terms.len()).collect();
    order.sort_by_key(|&t| std::cmp::Reverse(terms[t].columns.len() * terms[t].levels));
    let (mut chain, mut rest): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for t in order {
        if chain
            .iter()
            .all(|&inner| is_nested(&terms[inner], &terms[t]))
        {
            chain.push(t);
        } else {
            rest.push(t);
        }
    }
    (chain, rest)
}

/// The kept columns of a sparse X by rows: for each row its columns (positions among those kept) and values.
#[derive(Debug, Clone)]
pub(super) struct SparseRows {
    pub lists: Lists,
    pub values: Vec<f64>,
}

impl SparseRows {
    /// Transposes; `None` for a dense X.
    pub fn of(fixed: &FixedColumns, n: usize, kept: &[usize]) -> Option<Self> {
        let FixedColumns::Sparse {
            starts: columns,
            rows,
            values,
            ..
        } = fixed
        else {
            return None;
        };
        let entries = |j: usize| columns[j] as usize..columns[j + 1] as usize;
        let mut starts = vec![0; n + 1];
        for &j in kept {
            for e in entries(j) {
                starts[rows[e] as usize + 1] += 1;
            }
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut indices = vec![0; starts[n]];
        let mut by_row = vec![0.0; starts[n]];
        for (k, &j) in kept.iter().enumerate() {
            for e in entries(j) {
                let slot = &mut next[rows[e] as usize];
                indices[*slot] = k as u32;
                by_row[*slot] = values[e];
                *slot += 1;
            }
        }
        Some(SparseRows {
            lists: Lists { starts, indices },
            values: by_row,
        })
    }

    /// Columns and values of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + Clone + '_ {
        let range = self.lists.range(row);
        let columns = self.lists.indices[range.clone()].iter();
        columns
            .zip(&self.values[range])
            .map(|(&k, &x)| (k as usize, x))
    }

    /// The columns that meet each level of a term.
    pub fn columns_of_levels(&self, term: &TermRows, columns: usize) -> Lists {
        let order = sort_by_level(term, 0..term.codes.len() as u32);
        let mut seen = vec![0; columns];
        let (mut starts, mut indices) = (vec![0; term.levels + 1], Vec::new());
        for row in order {
            let level = term.codes[row as usize] as usize;
            for (k, _) in self.row(row as usize) {
                if seen[k] != level {
                    seen[k] = level;
                    indices.push(k as u32);
                }
            }
            starts[level] = indices.len();
        }
        // A level without rows or columns ends where the one before it ended.
        for level in 0..term.levels {
            starts[level + 1] = starts[level + 1].max(starts[level]);
            indices[starts[level]..starts[level + 1]].sort_unstable();
        }
        Lists { starts, indices }
    }
}
