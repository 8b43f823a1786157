//! Derivatives of the criterion where Λ may be singular and dispersion groups have their own precision.

use nalgebra::{DMatrix, DMatrixView, DVector};

use super::cross_products::{CrossProducts, Products, ResponseProducts};
use super::factor::Factor;

/// What one dispersion group adds to the derivatives, for unit precision.
pub(super) struct Score {
    /// Σ_l (ZᵀW[ZΛ X] S)_ll for each term, q × q.
    pub log_det: Vec<Vec<f64>>,
    /// Σ_l (ZᵀWe)_l u_lᵀ for each term, q × q.
    pub residual: Vec<Vec<f64>>,
    /// tr(S [ZΛ X]ᵀW[ZΛ X]).
    pub trace: f64,
    /// eᵀWe.
    pub rss: f64,
}

impl Score {
    pub fn of(
        statistics: &CrossProducts,
        factor: &Factor,
        products: &Products,
        response: &ResponseProducts,
    ) -> Self {
        let none = Vec::new();
        let selected = factor.selected();
        let p = statistics.fixed_columns();
        let terms = statistics.terms();
        let design = &statistics.design;
        let widths = statistics.widths();
        let beta = DVector::from_column_slice(factor.rotated_coefficients());
        let mut log_det: Vec<DMatrix<f64>> = widths.iter().map(|&q| DMatrix::zeros(q, q)).collect();
        let mut cross: Vec<DVector<f64>> = Vec::new();
        let mut trace = 0.0;
        let mut fixed_cross = &response.fixed - &products.gram * &beta;
        // ZᵀWe, starting from ZᵀWy - ZᵀWXβ - (diagonal blocks) Λu.
        let effects: Vec<DMatrix<f64>> = (0..terms)
            .map(|t| {
                let u =
                    DMatrixView::from_slice(factor.effects(t), widths[t], statistics.levels()[t]);
                factor.lambda(t) * u
            })
            .collect();
        for t in 0..terms {
            let (q, levels) = (widths[t], statistics.levels()[t]);
            let mut residual = DVector::from_column_slice(&response.effects[t]);
            let s_diagonal = selected.map_or(&none[..], |s| s.diagonal(t));
            let s_fixed = design.dense_fixed(t, selected.map_or(&none[..], |s| s.fixed(t)));
            let fixed = design.dense_fixed(t, &products.fixed[t]);
            for l in 0..levels {
                let a = DMatrixView::from_slice(&products.diagonal[t][l * q * q..], q, q);
                let f = DMatrixView::from_slice(&fixed[l * p * q..], p, q);
                let s = DMatrixView::from_slice(&s_diagonal[l * q * q..], q, q);
                let sf = DMatrixView::from_slice(&s_fixed[l * p * q..], p, q);
                log_det[t] += a * factor.lambda(t) * s + f.tr_mul(&sf);
                trace += (factor.lambda(t).tr_mul(&a) * factor.lambda(t)).dot(&s)
                    + 2.0 * (f * factor.lambda(t)).dot(&sf);
                let mut r = residual.rows_mut(l * q, q);
                r -= a * effects[t].column(l) + f.tr_mul(&beta);
                fixed_cross -= f * effects[t].column(l);
            }
            cross.push(residual);
        }
        for (k, (pairs, values)) in statistics.pairs().iter().zip(&products.pairs).enumerate() {
            let (a, b) = (pairs.first, pairs.second);
            let (qa, qb) = (widths[a], widths[b]);
            let s_pairs = selected.map_or(&none[..], |s| s.pairs(k));
            for l in 0..statistics.levels()[a] {
                for e in pairs.starts[l]..pairs.starts[l + 1] {
                    let m = pairs.levels[e] as usize;
                    let block = DMatrixView::from_slice(&values[e * qa * qb..], qa, qb);
                    let s = DMatrixView::from_slice(&s_pairs[e * qa * qb..], qa, qb);
                    log_det[a] += block * factor.lambda(b) * s.transpose();
                    log_det[b] += block.transpose() * factor.lambda(a) * s;
                    trace += 2.0 * (factor.lambda(a).tr_mul(&block) * factor.lambda(b)).dot(&s);
                    let mut r = cross[a].rows_mut(l * qa, qa);
                    r -= block * effects[b].column(m);
                    let mut r = cross[b].rows_mut(m * qb, qb);
                    r -= block.tr_mul(&effects[a].column(l));
                }
            }
        }
        if let Some(s) = selected {
            trace += products.gram.dot(s.coefficients());
        }
        // eᵀWe = yᵀWe - βᵀXᵀWe - (Λu)ᵀZᵀWe.
        let mut rss = response.square - beta.dot(&response.fixed) - beta.dot(&fixed_cross);
        let mut residual = Vec::new();
        for t in 0..terms {
            let (q, levels) = (widths[t], statistics.levels()[t]);
            let b = DVector::from_column_slice(effects[t].as_slice());
            rss -= b.dot(&DVector::from_column_slice(&response.effects[t])) + b.dot(&cross[t]);
            let r = DMatrixView::from_slice(cross[t].as_slice(), q, levels);
            let u = DMatrixView::from_slice(factor.effects(t), q, levels);
            residual.push((r * u.transpose()).as_slice().to_vec());
        }
        Score {
            log_det: log_det.iter().map(|g| g.as_slice().to_vec()).collect(),
            residual,
            trace,
            rss,
        }
    }
}
