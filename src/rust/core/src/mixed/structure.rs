//! Which entries of the relative covariance factors are free: the map from θ to Λ.

use nalgebra::DMatrix;

use crate::error::{Error, Result};

/// A free entry of a lower triangular factor Λ_t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Core term, from 0.
    pub term: usize,
    /// Row in Λ_t, from 0.
    pub row: usize,
    /// Column in Λ_t, at most `row`.
    pub column: usize,
}

/// The free entries of all Λ_t, one per element of θ, in the user's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    /// Width q_t of each core term.
    pub widths: Vec<usize>,
    /// Where each θ stands.
    pub entries: Vec<Entry>,
}

impl Structure {
    /// Every lower triangle free, term by term and column by column (lme4's order).
    pub fn full(widths: &[usize]) -> Self {
        let mut entries = Vec::new();
        for (term, &width) in widths.iter().enumerate() {
            for column in 0..width {
                entries.extend((column..width).map(|row| Entry { term, row, column }));
            }
        }
        Structure {
            widths: widths.to_vec(),
            entries,
        }
    }

    /// Checks that entries are in the lower triangles, and none twice.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `formula`, from which structures come.
    pub fn validate(&self) -> Result<()> {
        let inside = self.entries.iter().all(|entry| {
            entry.term < self.widths.len()
                && entry.row < self.widths[entry.term]
                && entry.column <= entry.row
        });
        let mut keys: Vec<_> = self
            .entries
            .iter()
            .map(|entry| (entry.term, entry.row, entry.column))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        if inside && keys.len() == self.entries.len() {
            Ok(())
        } else {
            Err(Error::Argument {
                argument: "formula",
                message: "gave a malformed covariance structure".into(),
            })
        }
    }

    /// Number of elements of θ.
    pub fn parameters(&self) -> usize {
        self.entries.len()
    }

    /// θ of Λ = I, where iterations begin.
    pub fn start(&self) -> Vec<f64> {
        self.entries
            .iter()
            .map(|entry| f64::from(u8::from(entry.row == entry.column)))
            .collect()
    }

    /// Λ_t, q × q lower triangular.
    pub fn lambda(&self, term: usize, theta: &[f64]) -> DMatrix<f64> {
        let width = self.widths[term];
        let mut lambda = DMatrix::zeros(width, width);
        for (entry, &value) in self.entries.iter().zip(theta) {
            if entry.term == term {
                lambda[(entry.row, entry.column)] = value;
            }
        }
        lambda
    }

    /// Turns the signs of Λ's columns so that no diagonal is negative; Λ Λᵀ stays what it is.
    pub fn rectify(&self, theta: &mut [f64]) {
        for k in 0..self.entries.len() {
            let Entry { term, row, column } = self.entries[k];
            if row != column || theta[k] >= 0.0 {
                continue;
            }
            for (entry, value) in self.entries.iter().zip(theta.iter_mut()) {
                if entry.term == term && entry.column == column {
                    *value = -*value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectifying_keeps_the_covariance() {
        let structure = Structure::full(&[1, 3]);
        assert_eq!(structure.parameters(), 7);
        let mut theta = vec![-2.0, -1.0, 0.5, -0.3, 2.0, 0.7, -0.4];
        let before = structure.lambda(1, &theta);
        structure.rectify(&mut theta);
        let after = structure.lambda(1, &theta);
        assert!((0..3).all(|j| after[(j, j)] >= 0.0));
        assert_eq!(theta[0], 2.0);
        assert!((&before * before.transpose() - &after * after.transpose()).amax() < 1e-15);
        assert!(structure.validate().is_ok());
    }

    #[test]
    fn malformed_structures_are_refused() {
        let mut structure = Structure::full(&[2]);
        structure.entries[1].column = 2;
        assert!(structure.validate().is_err());
        structure.entries[1] = structure.entries[0];
        assert!(structure.validate().is_err());
    }
}
