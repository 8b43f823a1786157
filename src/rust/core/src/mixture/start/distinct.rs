//! Distinct rows: no more components than these can be told apart.

use std::collections::hash_map::Entry;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::mixture::data::Data;

/// The first of each set of equal rows, in row order, up to `limit` of them.
///
/// Rows are equal when their cells have the same bits, save that −0 equals 0 and any missing cell equals any
/// other. Rows of weight zero do not count. Stops reading once `limit` rows are found.
pub fn distinct_rows(data: &Data, limit: usize) -> Vec<usize> {
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut distinct = Vec::new();
    for i in (0..data.rows()).filter(|&i| has_weight(data, i)) {
        if distinct.len() == limit {
            break;
        }
        match seen.entry(hash(data, i)) {
            Entry::Vacant(slot) => {
                slot.insert(vec![i]);
                distinct.push(i);
            }
            Entry::Occupied(mut rows) => {
                if !rows.get().iter().any(|&other| equal(data, i, other)) {
                    rows.get_mut().push(i);
                    distinct.push(i);
                }
            }
        }
    }
    distinct
}

/// Fails when `data` have fewer than `k` distinct rows.
///
/// # Errors
/// [`Error::Argument`] on `k`, with the number of distinct rows.
pub fn require_distinct_rows(data: &Data, k: usize) -> Result<()> {
    if k == 0 {
        return Err(Error::Argument {
            argument: "k",
            message: "must be at least 1.".into(),
        });
    }
    let distinct = distinct_rows(data, k).len();
    if distinct < k {
        return Err(Error::Argument {
            argument: "k",
            message: format!(
                "must not be above the number of distinct rows: k is {k}, the data have {distinct}."
            ),
        });
    }
    Ok(())
}

/// Whether row `i` counts at all.
pub(super) fn has_weight(data: &Data, i: usize) -> bool {
    data.weights().is_none_or(|weights| weights[i] > 0.0)
}

/// Bits of a cell, one pattern for both zeros and one for all missing values.
fn bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        (value + 0.0).to_bits()
    }
}

fn equal(data: &Data, a: usize, b: usize) -> bool {
    (0..data.columns()).all(|j| bits(data.column(j)[a]) == bits(data.column(j)[b]))
}

/// Multiply-and-fold over the bits of the cells; equal hashes are settled by `equal`.
fn hash(data: &Data, i: usize) -> u64 {
    (0..data.columns()).fold(0, |state: u64, j| {
        let mixed = (state ^ bits(data.column(j)[i])).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_missing_values_are_equal() {
        let x = [0.0, -0.0, f64::NAN, -f64::NAN, 1.0, 1.0, 1.0, 1.0];
        let data = Data::new(&x, 4, 2, None).unwrap();
        assert_eq!(distinct_rows(&data, usize::MAX), [0, 2]);
    }

    #[test]
    fn columns_are_not_interchangeable() {
        let x = [1.0, 2.0, 1.0, 2.0, 1.0, 1.0];
        let data = Data::new(&x, 3, 2, None).unwrap();
        assert_eq!(distinct_rows(&data, usize::MAX), [0, 1, 2]);
    }

    #[test]
    fn a_large_grid_is_counted_exactly() {
        let x: Vec<f64> = (0..40_000).map(|i| f64::from(i % 20_000) % 317.0).collect();
        let data = Data::new(&x, 20_000, 2, None).unwrap();
        let mut pairs: Vec<(u64, u64)> = (0..20_000)
            .map(|i| (x[i].to_bits(), x[20_000 + i].to_bits()))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(distinct_rows(&data, usize::MAX).len(), pairs.len());
    }

    #[test]
    fn the_error_names_k_and_the_count() {
        let x = [1.0, 2.0, 2.0, 3.0];
        let weights = [1.0, 1.0, 1.0, 0.0];
        let data = Data::new(&x, 4, 1, Some(&weights)).unwrap();
        assert!(require_distinct_rows(&data, 2).is_ok());
        let error = require_distinct_rows(&data, 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`k` must not be above the number of distinct rows: k is 3, the data have 2."
        );
        assert_eq!(
            require_distinct_rows(&data, 0).unwrap_err().kind(),
            "argument"
        );
    }
}
