//! Stand-in until the kernels land.
use crate::Result;

#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    x: &'a [f64],
    rows: usize,
    columns: usize,
    weights: Option<&'a [f64]>,
}

impl<'a> Data<'a> {
    pub fn new(
        x: &'a [f64],
        rows: usize,
        columns: usize,
        weights: Option<&'a [f64]>,
    ) -> Result<Self> {
        Ok(Data {
            x,
            rows,
            columns,
            weights,
        })
    }
    pub fn rows(&self) -> usize {
        self.rows
    }
    pub fn columns(&self) -> usize {
        self.columns
    }
    pub fn column(&self, j: usize) -> &'a [f64] {
        &self.x[j * self.rows..(j + 1) * self.rows]
    }
    pub fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }
}
