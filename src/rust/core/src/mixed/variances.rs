//! Variances of predicted random effects and of whole predictions, for σ = 1.
//!
//! (û - u, β̂ - β) has covariance σ² M⁻¹, the inverse of Henderson's coefficient matrix in spherical form, so an
//! error Xβ̂ + Zb̂ - (Xβ + Zb) = cᵀ(û - u, β̂ - β) has variance σ² cᵀM⁻¹c with c = (ΛᵀZᵀ, Xᵀ). Levels that
//! occur together in the data are blocks of the selected inverse; other pairs are solved for.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::{DMatrix, DMatrixView, DVector};

use super::cross_products::CrossProducts;
use super::factor::Factor;
use super::rows::{FixedColumns, TermRows};
use crate::error::{Error, Result};

/// The level of a row in a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    /// The term takes no part in the prediction (code < 0, R's NA).
    Absent,
    /// A level that was not in the data (code 0).
    New,
    /// A level of the data, from 0.
    Known(usize),
}

/// Rows to predict at.
#[derive(Debug, Clone)]
pub struct Points<'a> {
    /// Number of rows.
    pub rows: usize,
    /// X with the columns of the data, aliased ones too; `None`: the fixed effects take no part.
    pub fixed: Option<FixedColumns<'a>>,
    /// One for each core term, with codes 1..=levels; 0 is a level not in the data, and negative codes leave
    /// the term out.
    pub terms: Vec<TermRows<'a>>,
}

/// Covariance of the random effects given the data and β, Λ (ΛᵀZᵀWZΛ + I)⁻¹ Λᵀ on the diagonal: for each core
/// term q × q per level, column-major (times σ² lme4's `postVar`).
///
/// `factor` is at the θ of the fit.
pub fn conditional_variances(statistics: &CrossProducts, factor: &mut Factor) -> Vec<Vec<f64>> {
    let spherical = factor.selected_inverse(false).clone();
    let widths = statistics.widths().iter().enumerate();
    widths
        .map(|(t, &q)| {
            let lambda = factor.lambda(t);
            let levels = spherical.diagonal(t).chunks_exact((q * q).max(1));
            levels
                .flat_map(|block| {
                    let block = DMatrixView::from_slice(block, q, q);
                    (lambda * block * lambda.transpose()).as_slice().to_vec()
                })
                .collect()
        })
        .collect()
}

/// cᵀM⁻¹c of every row: times σ² the variance of the error of Xβ̂ + Zb̂, the uncertainty of β̂ included. The
/// effects of a new level are predicted as 0 and add their own variance zᵀΛΛᵀz.
///
/// `factor` is at the θ of the fit.
///
/// # Errors
/// [`Error::Argument`] naming `newdata` when the rows do not fit the model.
pub fn prediction_variances(
    statistics: &CrossProducts,
    factor: &mut Factor,
    points: &Points,
) -> Result<Vec<f64>> {
    points.check(statistics)?;
    factor.selected_inverse(true);
    let far = far_pairs(statistics, factor, points);
    let fixed = Fixed::of(statistics, factor, points);
    let mut scaled: Vec<DVector<f64>> = statistics
        .widths()
        .iter()
        .map(|&q| DVector::zeros(q))
        .collect();
    let variances = (0..points.rows).map(|i| {
        for (t, term) in points.terms.iter().enumerate() {
            for (a, column) in term.columns.iter().enumerate() {
                scaled[t][a] = column.at(i);
            }
            scaled[t] = factor.lambda(t).tr_mul(&scaled[t]);
        }
        let random = random_variance(statistics, factor, points, i, &scaled, &far);
        random + fixed.variance(factor, points, i, &scaled)
    });
    Ok(variances.collect())
}

impl Points<'_> {
    fn member(&self, term: usize, row: usize) -> Member {
        match self.terms[term].codes[row] {
            0 => Member::New,
            code if code > 0 => Member::Known(code as usize - 1),
            _ => Member::Absent,
        }
    }

    fn check(&self, statistics: &CrossProducts) -> Result<()> {
        let columns = self
            .fixed
            .as_ref()
            .map_or(statistics.columns(), FixedColumns::columns);
        let fits = columns == statistics.columns() && self.terms.len() == statistics.terms();
        let terms = self.terms.iter().enumerate().all(|(t, term)| {
            term.codes.len() == self.rows
                && term.columns.len() == statistics.widths()[t]
                && term
                    .codes
                    .iter()
                    .all(|&code| code <= statistics.levels()[t] as i32)
        });
        if fits && terms {
            Ok(())
        } else {
            Err(Error::Argument {
                argument: "newdata",
                message: "does not have the columns and levels of the model".into(),
            })
        }
    }
}

/// Blocks of M⁻¹ for levels that never occur together, by (pair of terms, level, level); q_first × q_second.
type FarPairs = BTreeMap<(usize, usize, usize), DMatrix<f64>>;

/// The blocks that the points need and the selected inverse lacks: one solve for each effect of the second term.
fn far_pairs(statistics: &CrossProducts, factor: &Factor, points: &Points) -> FarPairs {
    let mut wanted: BTreeMap<(usize, usize), BTreeSet<(usize, usize)>> = BTreeMap::new();
    for (k, pairs) in statistics.pairs().iter().enumerate() {
        for i in 0..points.rows {
            let both = (
                points.member(pairs.first, i),
                points.member(pairs.second, i),
            );
            if let (Member::Known(first), Member::Known(second)) = both {
                if pairs.position(first, second).is_none() {
                    wanted
                        .entry((pairs.second, second))
                        .or_default()
                        .insert((k, first));
                }
            }
        }
    }
    let widths = statistics.widths();
    let mut starts = vec![0];
    for (q, levels) in widths.iter().zip(statistics.levels()) {
        starts.push(starts[starts.len() - 1] + q * levels);
    }
    let size = starts[widths.len()] + statistics.fixed_columns();
    let mut far = FarPairs::new();
    for ((term, level), partners) in wanted {
        let solved: Vec<Vec<f64>> = (0..widths[term])
            .map(|a| {
                let mut vector = vec![0.0; size];
                vector[starts[term] + level * widths[term] + a] = 1.0;
                factor.solve(&mut vector);
                vector
            })
            .collect();
        for (k, first) in partners {
            let other = statistics.pairs()[k].first;
            let at = starts[other] + first * widths[other];
            let block = DMatrix::from_fn(widths[other], widths[term], |i, j| solved[j][at + i]);
            far.insert((k, first, level), block);
        }
    }
    far
}

/// What the random effects contribute; `scaled` is Λᵀz of each term.
fn random_variance(
    statistics: &CrossProducts,
    factor: &Factor,
    points: &Points,
    i: usize,
    scaled: &[DVector<f64>],
    far: &FarPairs,
) -> f64 {
    let Some(selected) = factor.selected() else {
        return f64::NAN;
    };
    let widths = statistics.widths();
    let mut variance = 0.0;
    for (t, &q) in widths.iter().enumerate() {
        variance += match points.member(t, i) {
            Member::Absent => 0.0,
            Member::New => scaled[t].norm_squared(),
            Member::Known(l) => {
                let block = DMatrixView::from_slice(&selected.diagonal(t)[l * q * q..], q, q);
                bilinear(&scaled[t], &block, &scaled[t])
            }
        };
    }
    for (k, pairs) in statistics.pairs().iter().enumerate() {
        let (a, b) = (pairs.first, pairs.second);
        let (Member::Known(la), Member::Known(lb)) = (points.member(a, i), points.member(b, i))
        else {
            continue;
        };
        let size = widths[a] * widths[b];
        variance += 2.0
            * match pairs.position(la, lb) {
                Some(e) => {
                    let block = &selected.pairs(k)[e * size..];
                    let block = DMatrixView::from_slice(block, widths[a], widths[b]);
                    bilinear(&scaled[a], &block, &scaled[b])
                }
                None => far.get(&(k, la, lb)).map_or(f64::NAN, |block| {
                    bilinear(&scaled[a], &block.as_view(), &scaled[b])
                }),
            };
    }
    variance
}

fn bilinear(left: &DVector<f64>, block: &DMatrixView<f64>, right: &DVector<f64>) -> f64 {
    let columns = block.column_iter().zip(right.iter());
    columns.map(|(column, r)| r * left.dot(&column)).sum()
}

/// The fixed effects' part, in the basis of the statistics if X is dense (which spares digits), and in the
/// user's columns if it is sparse (which spares zeros).
struct Fixed {
    /// Columns that count, with their values by row; empty without fixed effects.
    rows: Vec<f64>,
    width: usize,
    /// For sparse X: where each row starts.
    starts: Option<Vec<usize>>,
    /// The columns of the values: of all rows for a sparse X, of any row for a dense one.
    columns: Vec<usize>,
    /// M⁻¹ of β.
    coefficients: DMatrix<f64>,
    /// M⁻¹ between β and each term's levels, p × q per level; in the user's columns for a sparse X.
    across: Option<Vec<Vec<f64>>>,
}

impl Fixed {
    fn of(statistics: &CrossProducts, factor: &Factor, points: &Points) -> Self {
        let p = statistics.fixed_columns();
        let mut fixed = Fixed {
            rows: Vec::new(),
            width: p,
            starts: None,
            columns: (0..p).collect(),
            coefficients: DMatrix::zeros(0, 0),
            across: None,
        };
        let (Some(columns), Some(selected)) = (&points.fixed, factor.selected()) else {
            fixed.width = 0;
            return fixed;
        };
        let transform = statistics.transform();
        match columns {
            FixedColumns::Dense { values, .. } => {
                fixed.coefficients = selected.coefficients().clone();
                for i in 0..points.rows {
                    let kept = statistics.kept().iter();
                    let row = DVector::from_iterator(p, kept.map(|&j| values[j * points.rows + i]));
                    fixed.rows.extend(transform.tr_mul(&row).iter());
                }
            }
            FixedColumns::Sparse {
                starts,
                rows,
                values,
                ..
            } => {
                fixed.coefficients = &transform * selected.coefficients() * transform.transpose();
                fixed.across = Some(across(statistics, factor));
                let mut lists: Vec<Vec<(usize, f64)>> = vec![Vec::new(); points.rows];
                for (position, &j) in statistics.kept().iter().enumerate() {
                    for e in starts[j] as usize..starts[j + 1] as usize {
                        lists[rows[e] as usize].push((position, values[e]));
                    }
                }
                let (mut begin, mut columns) = (vec![0], Vec::new());
                for list in lists {
                    columns.extend(list.iter().map(|entry| entry.0));
                    fixed.rows.extend(list.iter().map(|entry| entry.1));
                    begin.push(columns.len());
                }
                fixed.starts = Some(begin);
                fixed.columns = columns;
            }
        }
        fixed
    }

    /// xᵀCx + 2 Σ (Λᵀz)ᵀ C x.
    fn variance(&self, factor: &Factor, points: &Points, i: usize, scaled: &[DVector<f64>]) -> f64 {
        let Some(selected) = factor.selected() else {
            return f64::NAN;
        };
        let p = self.width;
        let (columns, values) = match &self.starts {
            Some(starts) => {
                let range = starts[i]..starts[i + 1];
                (&self.columns[range.clone()], &self.rows[range])
            }
            None => (&self.columns[..p], &self.rows[i * p..(i + 1) * p]),
        };
        let mut variance = 0.0;
        for (&j, x) in columns.iter().zip(values) {
            let column = self.coefficients.column(j);
            variance += x * columns
                .iter()
                .zip(values)
                .map(|(&k, y)| column[k] * y)
                .sum::<f64>();
        }
        for (t, weights) in scaled.iter().enumerate() {
            let Member::Known(l) = points.member(t, i) else {
                continue;
            };
            let across = self
                .across
                .as_ref()
                .map_or(selected.fixed(t), |across| &across[t]);
            for (a, weight) in weights.iter().enumerate() {
                let start = (l * weights.len() + a) * p;
                let along = columns
                    .iter()
                    .zip(values)
                    .map(|(&j, x)| across[start + j] * x);
                variance += 2.0 * weight * along.sum::<f64>();
            }
        }
        variance
    }
}

/// The blocks of M⁻¹ of every level with β (user's units), p for each random effect of a term: a point may
/// combine a level with a column of a sparse X that it never met.
fn across(statistics: &CrossProducts, factor: &Factor) -> Vec<Vec<f64>> {
    let p = statistics.fixed_columns();
    let sizes = statistics.widths().iter().zip(statistics.levels());
    let sizes: Vec<usize> = sizes.map(|(q, levels)| q * levels).collect();
    let effects: usize = sizes.iter().sum();
    let mut blocks: Vec<Vec<f64>> = sizes.iter().map(|size| vec![0.0; size * p]).collect();
    for k in 0..p {
        let mut column = vec![0.0; effects + p];
        column[effects + k] = 1.0;
        factor.solve(&mut column);
        let mut rest = &column[..effects];
        for (block, &size) in blocks.iter_mut().zip(&sizes) {
            let (own, others) = rest.split_at(size);
            own.iter()
                .enumerate()
                .for_each(|(i, &value)| block[i * p + k] = value);
            rest = others;
        }
    }
    blocks
}
