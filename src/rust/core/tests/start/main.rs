//! Starts: what they find, what they do not depend on, and what they refuse.

mod degenerate;
mod invariance;
mod mclust;
mod quality;

use std::path::PathBuf;

use ember_core::mixture::data::Data;
use ember_core::rng::stream;
use rand::RngExt;

/// A column-major matrix.
#[derive(Clone)]
pub struct Matrix {
    pub cells: Vec<f64>,
    pub rows: usize,
    pub columns: usize,
}

impl Matrix {
    /// From rows.
    pub fn of(rows: &[Vec<f64>]) -> Self {
        let columns = rows[0].len();
        Matrix {
            cells: (0..columns)
                .flat_map(|j| rows.iter().map(move |row| row[j]))
                .collect(),
            rows: rows.len(),
            columns,
        }
    }

    pub fn data(&self) -> Data<'_> {
        self.weighted(None)
    }

    pub fn weighted<'a>(&'a self, weights: Option<&'a [f64]>) -> Data<'a> {
        Data::new(&self.cells, self.rows, self.columns, weights).unwrap()
    }

    pub fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.cells[j * self.rows..(j + 1) * self.rows]
    }
}

/// A stored data set without its labels.
pub fn load(name: &str) -> Matrix {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.txt"));
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| {
            let cells = line.split_whitespace().skip(1);
            cells.map(|x| x.parse().unwrap()).collect()
        })
        .collect();
    Matrix::of(&rows)
}

/// `n` rows in `k` balls (cubes of side 2) far apart in `d` dimensions; row i belongs to ball i mod k.
pub fn balls(n: usize, d: usize, k: usize, seed: u64) -> Matrix {
    let mut rng = stream(seed, 0);
    let rows: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            (0..d)
                .map(|j| 10.0 * ((i % k) * (j + 1)) as f64 + 2.0 * rng.random::<f64>())
                .collect()
        })
        .collect();
    Matrix::of(&rows)
}

/// Whether two labellings are the same partition.
pub fn same_partition(a: &[u32], b: &[u32]) -> bool {
    let k = 1 + *a.iter().chain(b).max().unwrap() as usize;
    let mut forth = vec![None; k];
    let mut back = vec![None; k];
    a.len() == b.len()
        && a.iter().zip(b).all(|(&a, &b)| {
            *forth[a as usize].get_or_insert(b) == b && *back[b as usize].get_or_insert(a) == a
        })
}
