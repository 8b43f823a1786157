//! What the observed columns say about the missing ones, pattern by pattern.

use nalgebra::DMatrix;

use super::patterns::{Pattern, Patterns};
use crate::error::Result;
use crate::linalg;
use crate::mixture::data::Data;
use crate::mixture::model::{Mixture, Noise};

/// Rows of one pattern, their observed columns only: a small copy.
pub(super) struct ObservedPart {
    rows: usize,
    columns: usize,
    cells: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl ObservedPart {
    pub fn of(data: &Data, pattern: &Pattern, rows: &[usize]) -> Self {
        let mut cells = Vec::with_capacity(rows.len() * pattern.observed.len());
        for &j in &pattern.observed {
            let column = data.column(j);
            cells.extend(rows.iter().map(|&i| column[i]));
        }
        ObservedPart {
            rows: rows.len(),
            columns: pattern.observed.len(),
            cells,
            weights: data
                .weights()
                .map(|weights| rows.iter().map(|&i| weights[i]).collect()),
        }
    }

    pub fn has_weight(&self) -> bool {
        self.weights
            .as_ref()
            .is_none_or(|weights| weights.iter().any(|w| *w > 0.0))
    }

    pub fn weighted(&self) -> Result<Data<'_>> {
        Data::new(
            &self.cells,
            self.rows,
            self.columns,
            self.weights.as_deref(),
        )
    }

    pub fn unweighted(&self) -> Result<Data<'_>> {
        Data::new(&self.cells, self.rows, self.columns, None)
    }
}

/// The mixture of the observed columns of `pattern`.
///
/// It keeps the model's name, which tells the kernel no more than whether covariances are diagonal. The noise
/// component is uniform over a box, so the missing columns' extents leave its density.
pub(super) fn marginal(mixture: &Mixture, patterns: &Patterns, pattern: &Pattern) -> Mixture {
    let observed = &pattern.observed;
    Mixture {
        model: mixture.model,
        weights: mixture.weights.clone(),
        means: mixture.means.select_rows(observed),
        covariances: mixture
            .covariances
            .iter()
            .map(|sigma| sigma.select_rows(observed).select_columns(observed))
            .collect(),
        noise: mixture.noise.map(|noise| Noise {
            log_density: noise.log_density + patterns.log_extent(&pattern.missing),
            ..noise
        }),
    }
}

/// Lower Cholesky factors L_k of the covariances.
pub(super) fn roots(mixture: &Mixture) -> Result<Vec<DMatrix<f64>>> {
    mixture.covariances.iter().map(linalg::cholesky).collect()
}

/// L_Oᵀ = Q R with a positive diagonal in R: Q is d × |O|, Rᵀ = chol Σ_OO.
pub(super) fn observed_directions(
    root: &DMatrix<f64>,
    pattern: &Pattern,
) -> (DMatrix<f64>, DMatrix<f64>) {
    let (mut q, mut r) = root
        .select_rows(&pattern.observed)
        .transpose()
        .qr()
        .unpack();
    for j in 0..r.nrows() {
        if r[(j, j)] < 0.0 {
            q.column_mut(j).neg_mut();
            r.row_mut(j).neg_mut();
        }
    }
    (q, r)
}
