//! The rows of a generalised linear mixed model in the order in which samplers read them.
//!
//! Rows with the same levels, the same columns and the same offset have the same linear predictor whatever the
//! parameters. All kernels are linear in y for a given η, so such rows are one cell, with the sum of their weights
//! and the weighted mean of their responses: of binary data by clinic and treatment little is left.

use crate::error::Result;
use crate::glmm::family::Family;
use crate::mixed::rows::{Column, FixedColumns, Rows};

/// Rows in cells, those of a level of the first term next to each other.
#[derive(Debug, Clone)]
pub struct Cells {
    pub response: Vec<f64>,
    pub weights: Vec<f64>,
    offset: Vec<f64>,
    /// Columns of X that count, column-major.
    x: Vec<f64>,
    pub terms: Vec<CellTerm>,
    /// Response and weight of every row, for what depends on no η.
    rows: Vec<(f64, f64)>,
}

/// A grouping factor.
#[derive(Debug, Clone)]
pub struct CellTerm {
    /// Level of each cell, from 0.
    pub codes: Vec<u32>,
    pub levels: usize,
    /// Effects of a level.
    pub width: usize,
    /// Columns of each cell, `width` each; empty for an intercept alone.
    pub columns: Vec<f64>,
    /// Where the cells of each level start in `order`; one more than there are levels.
    pub starts: Vec<usize>,
    /// Cells by level.
    pub order: Vec<u32>,
}

impl Cells {
    /// The cells of `rows`, with the columns `kept` of X.
    ///
    /// # Errors
    /// As [`Rows::validate`].
    pub fn new(rows: &Rows, kept: &[usize]) -> Result<Self> {
        rows.validate()?;
        let n = rows.len();
        let x = dense_columns(&rows.fixed, kept, n);
        let keys = Keys::of(rows, &x);
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_by_key(|&i| keys.key(i as usize));
        // First row of each cell, in the order.
        let mut firsts: Vec<usize> = Vec::new();
        for at in 0..n {
            let new = at == 0 || keys.key(order[at] as usize) != keys.key(order[at - 1] as usize);
            if new {
                firsts.push(at);
            }
        }
        let chosen: Vec<usize> = firsts.iter().map(|&at| order[at] as usize).collect();
        let mut response = Vec::with_capacity(firsts.len());
        let mut weights = Vec::with_capacity(firsts.len());
        for (cell, &first) in firsts.iter().enumerate() {
            let last = firsts.get(cell + 1).copied().unwrap_or(n);
            let members = order[first..last].iter().map(|&i| i as usize);
            let total: f64 = members.clone().map(|i| rows.weight(i)).sum();
            let sum: f64 = members.map(|i| rows.weight(i) * rows.response[i]).sum();
            let single = last == first + 1;
            response.push(if single {
                rows.response[chosen[cell]]
            } else {
                sum / total
            });
            weights.push(total);
        }
        let pick = |values: &[f64]| chosen.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let terms = rows.terms.iter().map(|term| {
            let codes = chosen.iter().map(|&i| term.codes[i] as u32 - 1).collect();
            CellTerm::new(codes, term.levels, &term.columns, &chosen)
        });
        Ok(Cells {
            response,
            weights,
            offset: rows.offset.map_or_else(|| vec![0.0; chosen.len()], &pick),
            x: x.chunks_exact(n).flat_map(&pick).collect(),
            terms: terms.collect(),
            rows: (0..n).map(|i| (rows.response[i], rows.weight(i))).collect(),
        })
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.response.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.response.is_empty()
    }

    /// Column `j` of those of X that count.
    pub fn column(&self, j: usize) -> &[f64] {
        &self.x[j * self.len()..][..self.len()]
    }

    /// Writes offset + X β.
    pub fn fixed_part(&self, beta: &[f64], eta: &mut [f64]) {
        eta.copy_from_slice(&self.offset);
        for (j, &b) in beta.iter().enumerate() {
            eta.iter_mut()
                .zip(self.column(j))
                .for_each(|(eta, x)| *eta += b * x);
        }
    }

    /// The part of the log-likelihood that depends on no η, of one copy of the data.
    pub fn constant(&self, family: &Family, log_shape: f64) -> f64 {
        let rows = self.rows.iter();
        rows.map(|&(y, weight)| family.constant(y, weight, log_shape))
            .sum()
    }
}

impl CellTerm {
    fn new(codes: Vec<u32>, levels: usize, columns: &[Column], chosen: &[usize]) -> Self {
        let mut starts = vec![0; levels + 1];
        for &code in &codes {
            starts[code as usize + 1] += 1;
        }
        for level in 0..levels {
            starts[level + 1] += starts[level];
        }
        let mut order: Vec<u32> = (0..codes.len() as u32).collect();
        order.sort_by_key(|&cell| codes[cell as usize]);
        let values = match columns {
            [Column::One] => Vec::new(),
            _ => chosen
                .iter()
                .flat_map(|&i| columns.iter().map(move |column| column.at(i)))
                .collect(),
        };
        CellTerm {
            codes,
            levels,
            width: columns.len(),
            columns: values,
            starts,
            order,
        }
    }

    /// Cells of a level.
    pub fn cells(&self, level: usize) -> &[u32] {
        &self.order[self.starts[level]..self.starts[level + 1]]
    }

    /// The columns of a cell.
    #[inline(always)]
    pub fn row(&self, cell: usize) -> &[f64] {
        if self.columns.is_empty() {
            &[1.0]
        } else {
            &self.columns[cell * self.width..][..self.width]
        }
    }
}

/// What two rows of one cell have in common: levels, and two hashes of everything else.
struct Keys {
    levels: Vec<i32>,
    terms: usize,
    hashes: Vec<(u64, u64)>,
}

impl Keys {
    fn of(rows: &Rows, x: &[f64]) -> Self {
        let n = rows.len();
        let mut hashes = vec![(0, 0); n];
        x.chunks_exact(n)
            .for_each(|column| mix(&mut hashes, column));
        if let Some(offset) = rows.offset {
            mix(&mut hashes, offset);
        }
        for term in &rows.terms {
            for column in &term.columns {
                if let Column::Values(values) = column {
                    mix(&mut hashes, values);
                }
            }
        }
        let levels = (0..n).flat_map(|i| rows.terms.iter().map(move |term| term.codes[i]));
        Keys {
            levels: levels.collect(),
            terms: rows.terms.len(),
            hashes,
        }
    }

    fn key(&self, row: usize) -> (&[i32], (u64, u64)) {
        (
            &self.levels[row * self.terms..][..self.terms],
            self.hashes[row],
        )
    }
}

/// Two independent hashes of 64 bits: equal ones of different rows are out of the question.
fn mix(hashes: &mut [(u64, u64)], values: &[f64]) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        // The two zeros are one number.
        let bits = (value + 0.0).to_bits();
        hash.0 = scramble(hash.0 ^ bits, 0x9e37_79b9_7f4a_7c15);
        hash.1 = scramble(hash.1.rotate_left(17) ^ bits, 0xd6e8_feb8_6659_fd93);
    }
}

fn scramble(mut x: u64, odd: u64) -> u64 {
    x = (x ^ (x >> 32)).wrapping_mul(odd);
    x = (x ^ (x >> 29)).wrapping_mul(odd);
    (x ^ (x >> 32)).wrapping_add(odd)
}

/// The columns `kept` of X.
fn dense_columns(fixed: &FixedColumns, kept: &[usize], n: usize) -> Vec<f64> {
    let mut x = Vec::with_capacity(n * kept.len());
    for &j in kept {
        match fixed {
            FixedColumns::Dense { values, .. } => x.extend_from_slice(&values[j * n..(j + 1) * n]),
            FixedColumns::Sparse {
                starts,
                rows,
                values,
                ..
            } => {
                let from = x.len();
                x.resize(from + n, 0.0);
                for e in starts[j] as usize..starts[j + 1] as usize {
                    x[from + rows[e] as usize] = values[e];
                }
            }
        }
    }
    x
}
