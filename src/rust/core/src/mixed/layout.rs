//! Where every block of the factor goes: a chain of block-diagonal terms, then one dense tail.
//!
//! The tail holds the random effects of the other terms, then the columns of X, then y as its last row.
//! A level of a chain term has a small diagonal block, rows below it in the tail (a list of those that occur
//! with it), dense rows for the columns of a dense X and for y, and one block with each later chain term.

use super::coincidence::Lists;
use super::cross_products::Design;
use crate::error::{Error, Result};

/// The largest tail that is attempted, in bytes of its dense triangle's square.
const MAX_TAIL_BYTES: usize = 4 << 30;

/// Share of the tail's rows that meet a level on average from which products are dense.
const DENSE_SHARE: f64 = 0.15;

/// Where every block goes.
#[derive(Debug)]
pub(super) struct Layout {
    pub links: Vec<Link>,
    /// Terms in the tail and the rows where they start.
    pub rest: Vec<(usize, usize)>,
    /// Rows of the tail that are random effects.
    pub random: usize,
    /// Rows of the tail that chain terms meet by lists: random effects and the columns of a sparse X.
    pub listed: usize,
    /// Rows that every level meets: the columns of a dense X, and y.
    pub dense: usize,
    /// Rows of the tail without y.
    pub size: usize,
}

/// A chain term.
#[derive(Debug)]
pub(super) struct Link {
    pub term: usize,
    pub width: usize,
    pub levels: usize,
    /// For each level the rows of the tail below it.
    pub rows: Lists,
    /// The pairs that fill the rows: index of the pairs and the row of the tail where their term starts.
    pub fills: Vec<(usize, usize)>,
    pub parents: Vec<Parent>,
    /// For each listed row of the tail the positions in `rows` where it stands, and their levels.
    pub columns: Lists,
    pub column_levels: Vec<u32>,
    /// Whether rows are dense enough to be multiplied as a matrix.
    pub is_dense: bool,
}

/// A later chain term, in whose levels those of a link are nested.
#[derive(Debug)]
pub(super) struct Parent {
    /// Its position in the chain.
    pub link: usize,
    /// The pairs of the two terms.
    pub pairs: usize,
    /// For each position in the rows of the child the position in the rows of the parent.
    pub positions: Vec<u32>,
    /// For each later parent of the child: its index among the child's parents and among this parent's parents.
    pub grandparents: Vec<(usize, usize)>,
}

impl Layout {
    /// The layout of a design.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `formula` when the tail would need more memory than is sensible.
    pub fn of(design: &Design) -> Result<Self> {
        let p = design.basis.kept.len();
        let sparse = design.fixed_lists.is_some();
        let mut rest = Vec::new();
        let mut random = 0;
        for &term in &design.rest {
            rest.push((term, random));
            random += design.widths[term] * design.levels[term];
        }
        let size = random + p;
        check_tail(size)?;
        let mut layout = Layout {
            links: Vec::new(),
            rest,
            random,
            listed: if sparse { size } else { random },
            dense: if sparse { 1 } else { p + 1 },
            size,
        };
        for &term in &design.chain {
            let link = layout.link(design, term);
            layout.links.push(link);
        }
        layout.connect(design);
        Ok(layout)
    }

    /// A chain term without its parents.
    fn link(&self, design: &Design, term: usize) -> Link {
        let (width, levels) = (design.widths[term], design.levels[term]);
        let fills: Vec<(usize, usize)> = self
            .rest
            .iter()
            .filter_map(|&(other, start)| Some((pairs_of(design, term, other)?, start)))
            .collect();
        let mut rows = Lists {
            starts: vec![0],
            indices: Vec::new(),
        };
        for level in 0..levels {
            for &(k, start) in &fills {
                let pairs = &design.pairs[k];
                let q = design.widths[pairs.second];
                for &other in &pairs.levels[pairs.range(level)] {
                    let first = start + other as usize * q;
                    rows.indices
                        .extend((first..first + q).map(|row| row as u32));
                }
            }
            if let Some(lists) = &design.fixed_lists {
                let columns = &lists[term].indices[lists[term].range(level)];
                rows.indices
                    .extend(columns.iter().map(|k| k + self.random as u32));
            }
            rows.starts.push(rows.indices.len());
        }
        let (columns, column_levels) = transpose(&rows, self.listed);
        let share = rows.indices.len() as f64 / (self.listed * levels).max(1) as f64;
        Link {
            term,
            width,
            levels,
            fills,
            parents: Vec::new(),
            columns,
            column_levels,
            is_dense: self.listed >= 16 && share >= DENSE_SHARE,
            rows,
        }
    }

    /// Finds the parents of every link.
    fn connect(&mut self, design: &Design) {
        for child in (0..self.links.len()).rev() {
            let mut parents: Vec<Parent> = Vec::new();
            for parent in child + 1..self.links.len() {
                let terms = (self.links[child].term, self.links[parent].term);
                let Some(k) = pairs_of(design, terms.0, terms.1) else {
                    continue;
                };
                let pairs = &design.pairs[k];
                let (below, above) = (&self.links[child].rows, &self.links[parent].rows);
                let mut positions = Vec::with_capacity(below.indices.len());
                for level in 0..self.links[child].levels {
                    // A level that no row has stands below nothing.
                    for at in below.range(level) {
                        let list = above.range(pairs.levels[pairs.starts[level]] as usize);
                        let found = above.indices[list.clone()].binary_search(&below.indices[at]);
                        positions.push((list.start + found.unwrap_or(0)) as u32);
                    }
                }
                parents.push(Parent {
                    link: parent,
                    pairs: k,
                    positions,
                    grandparents: Vec::new(),
                });
            }
            for k in 0..parents.len() {
                let above = &self.links[parents[k].link].parents;
                let later = parents.iter().enumerate().skip(k + 1);
                let grandparents = later.filter_map(|(i, other)| {
                    let j = above.iter().position(|parent| parent.link == other.link)?;
                    Some((i, j))
                });
                parents[k].grandparents = grandparents.collect();
            }
            self.links[child].parents = parents;
        }
    }
}

/// The pairs of two terms.
fn pairs_of(design: &Design, first: usize, second: usize) -> Option<usize> {
    let of_both =
        |pairs: &super::cross_products::Pairs| pairs.first == first && pairs.second == second;
    design.pairs.iter().position(of_both)
}

/// For each index the positions where it stands, and the keys of those positions.
fn transpose(lists: &Lists, indices: usize) -> (Lists, Vec<u32>) {
    let mut starts = vec![0; indices + 1];
    for &index in &lists.indices {
        starts[index as usize + 1] += 1;
    }
    for k in 0..indices {
        starts[k + 1] += starts[k];
    }
    let mut next = starts.clone();
    let mut positions = vec![0; lists.indices.len()];
    let mut keys = vec![0; lists.indices.len()];
    for key in 0..lists.starts.len() - 1 {
        for at in lists.range(key) {
            let slot = &mut next[lists.indices[at] as usize];
            positions[*slot] = at as u32;
            keys[*slot] = key as u32;
            *slot += 1;
        }
    }
    let lists = Lists {
        starts,
        indices: positions,
    };
    (lists, keys)
}

fn check_tail(size: usize) -> Result<()> {
    let bytes = (size + 1).saturating_mul(size + 1).saturating_mul(8);
    if bytes <= MAX_TAIL_BYTES {
        return Ok(());
    }
    Err(Error::Argument {
        argument: "formula",
        message: format!(
            "has crossed terms and fixed effects that together need a dense matrix of {size} rows \
             ({:.0} GB): leave out or coarsen all but one of the large grouping factors",
            bytes as f64 / 1e9
        ),
    })
}
