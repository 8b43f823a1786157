//! The order of correlated effects in which a standard deviation or correlation is easily held.

use nalgebra::DMatrix;

use super::criterion::Known;
use super::slice::Hold;
use super::structure::{Entry, Structure};
use crate::error::{Error, Result};

/// The order of effects in which a random parameter is easily held.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub structure: Structure,
    /// For each element of θ of the reordered block: its place, its row and column within the block.
    places: Vec<(usize, usize, usize)>,
    term: usize,
    /// The block's effects in the new order.
    effects: Vec<usize>,
    /// Whether it was made for a correlation.
    correlation: bool,
}

impl Order {
    /// Brings the effects of element `k` of θ to the front of their block.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `parm` when the block has known standard deviations.
    pub(crate) fn of(structure: &Structure, known: &Known, k: usize) -> Result<Self> {
        let Entry { term, row, column } = structure.entries[k];
        let in_term = |entry: &&Entry| entry.term == term;
        let mut block = vec![row];
        let mut next = 0;
        while next < block.len() {
            let effect = block[next];
            for entry in structure.entries.iter().filter(in_term) {
                for (one, other) in [(entry.row, entry.column), (entry.column, entry.row)] {
                    if one == effect && !block.contains(&other) {
                        block.push(other);
                    }
                }
            }
            next += 1;
        }
        block.sort_unstable();
        let mut effects = if row == column {
            vec![row]
        } else {
            vec![column, row]
        };
        effects.extend(block.iter().filter(|&&b| b != row && b != column));
        let free: Vec<usize> = (0..structure.entries.len())
            .filter(|&e| {
                structure.entries[e].term == term && block.contains(&structure.entries[e].row)
            })
            .collect();
        let held = known
            .deviations
            .iter()
            .any(|d| d.term == term && block.contains(&d.index));
        let size = block.len();
        if held && size > 1 || free.len() != size * (size + 1) / 2 {
            return Err(Error::Argument {
                argument: "parm",
                message: "names a parameter that is correlated with a known one".into(),
            });
        }
        let mut order = Order {
            structure: structure.clone(),
            places: Vec::new(),
            term,
            effects,
            correlation: row != column,
        };
        let triangle = (0..size).flat_map(|j| (j..size).map(move |i| (i, j)));
        for (&place, (i, j)) in free.iter().zip(triangle) {
            order.places.push((place, i, j));
            order.structure.entries[place] = Entry {
                term,
                row: order.effects[i],
                column: block[j],
            };
        }
        Ok(order)
    }

    /// No reordering.
    pub(crate) fn same(structure: &Structure) -> Self {
        Order {
            structure: structure.clone(),
            places: Vec::new(),
            term: 0,
            effects: Vec::new(),
            correlation: false,
        }
    }

    /// The θ of this order with the ΛΛᵀ of `theta` in the order of `structure`.
    pub(crate) fn translate(&self, structure: &Structure, theta: &[f64]) -> Vec<f64> {
        let mut translated = theta.to_vec();
        if self.places.is_empty() {
            return translated;
        }
        let lambda = structure.lambda(self.term, theta);
        let block = (&lambda * lambda.transpose())
            .select_rows(&self.effects)
            .select_columns(&self.effects);
        let lower = semidefinite_root(&block);
        for &(place, i, j) in &self.places {
            translated[place] = lower[(i, j)];
        }
        translated
    }

    /// Holds the parameter that this order was made for.
    pub(crate) fn hold(&self, value: f64) -> Hold {
        let corner = (self.place(0, 0), self.place(1, 0), self.place(1, 1));
        match (self.correlation, corner) {
            (true, (Some(first), Some(along), Some(across))) => Hold::Correlation {
                first,
                along,
                across,
                value,
            },
            (false, (Some(place), ..)) => Hold::Deviation(place, value),
            _ => Hold::Nothing,
        }
    }

    /// The place in θ of row `i`, column `j` of the reordered block.
    fn place(&self, i: usize, j: usize) -> Option<usize> {
        let found = self
            .places
            .iter()
            .find(|place| (place.1, place.2) == (i, j));
        found.map(|place| place.0)
    }
}

/// Lower L with L Lᵀ = A, which may be singular.
fn semidefinite_root(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let size = matrix.nrows();
    let mut lower: DMatrix<f64> = DMatrix::zeros(size, size);
    for j in 0..size {
        let above = |i: usize, lower: &DMatrix<f64>| -> f64 {
            (0..j).map(|k| lower[(i, k)] * lower[(j, k)]).sum()
        };
        let pivot = matrix[(j, j)] - above(j, &lower);
        if pivot <= 8.0 * f64::EPSILON * matrix[(j, j)] {
            continue;
        }
        let root = pivot.sqrt();
        lower[(j, j)] = root;
        for i in j + 1..size {
            lower[(i, j)] = (matrix[(i, j)] - above(i, &lower)) / root;
        }
    }
    lower
}
