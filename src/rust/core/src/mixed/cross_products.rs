//! The sufficient statistics of a linear mixed model: [Z X y]ᵀW[Z X y] in blocks.
//!
//! Z is never formed: a level of a grouping factor owns one q × q block with itself, q × p with the fixed
//! effects, and one block with every level of another factor that it occurs with. X stands for X T
//! (see [`super::basis`]) and y for its least-squares residuals, so nothing cancels later.

use std::borrow::Cow;
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::basis::Basis;
pub use super::coincidence::{Lists, Pairs};
use super::rows::Rows;
use crate::error::{Error, Result};

/// Cross-products of the rows; everything that fits and inference need.
#[derive(Debug, Clone)]
pub struct CrossProducts {
    pub(super) design: Arc<Design>,
    pub(super) response: Response,
}

/// Everything without y.
#[derive(Debug, Clone)]
pub(super) struct Design {
    pub rows: usize,
    /// Number of columns of X, aliased ones too.
    pub columns: usize,
    /// Σ log w.
    pub log_weights: f64,
    /// Rows in each dispersion group.
    pub group_rows: Vec<usize>,
    pub widths: Vec<usize>,
    pub levels: Vec<usize>,
    pub basis: Basis,
    /// Terms that are eliminated first: their blocks stay diagonal.
    pub chain: Vec<usize>,
    /// The other terms.
    pub rest: Vec<usize>,
    /// Which levels occur together, for each pair of terms.
    pub pairs: Vec<Pairs>,
    /// For a sparse X: which of its columns meet each level, for each term.
    pub fixed_lists: Option<Vec<Lists>>,
    /// One for each dispersion group.
    pub products: Vec<Products>,
}

/// Blocks of [Z X]ᵀW[Z X], column-major each.
#[derive(Debug, Clone, Default)]
pub(super) struct Products {
    /// For each term, q × q per level.
    pub diagonal: Vec<Vec<f64>>,
    /// For each term, X̃ᵀWZ: p × q per level, or q for each element of the lists of a sparse X.
    pub fixed: Vec<Vec<f64>>,
    /// For each of the pairs, q_first × q_second.
    pub pairs: Vec<Vec<f64>>,
    /// X̃ᵀWX̃.
    pub gram: DMatrix<f64>,
}

/// What depends on y.
#[derive(Debug, Clone)]
pub(super) struct Response {
    /// β₀ (columns kept, user's units): y stands for y - offset - X β₀.
    pub origin: DVector<f64>,
    /// One for each dispersion group.
    pub products: Vec<ResponseProducts>,
}

/// Blocks of [Z X y]ᵀW y.
#[derive(Debug, Clone)]
pub(super) struct ResponseProducts {
    /// For each term, q per level.
    pub effects: Vec<Vec<f64>>,
    /// X̃ᵀWy.
    pub fixed: DVector<f64>,
    /// yᵀWy.
    pub square: f64,
}

/// Summarises the rows. `threads` changes nothing but the time.
///
/// # Errors
/// [`Error::Argument`] from [`Rows::validate`].
pub fn cross_products(rows: &Rows, threads: usize) -> Result<CrossProducts> {
    rows.validate()?;
    let design = Arc::new(Design::of(rows, threads));
    let response = Response::of(rows, &design, rows.response);
    Ok(CrossProducts { design, response })
}

impl Design {
    /// Blocks of a term with the fixed effects as p × q per level, whether X is dense or sparse.
    pub fn dense_fixed<'a>(&self, term: usize, blocks: &'a [f64]) -> Cow<'a, [f64]> {
        let Some(lists) = &self.fixed_lists else {
            return Cow::Borrowed(blocks);
        };
        let (q, p) = (self.widths[term], self.basis.kept.len());
        let mut dense = vec![0.0; self.levels[term] * q * p];
        for level in 0..self.levels[term] {
            for at in lists[term].range(level) {
                let column = lists[term].indices[at] as usize;
                for a in 0..q {
                    dense[(level * q + a) * p + column] = blocks[at * q + a];
                }
            }
        }
        Cow::Owned(dense)
    }
}

impl CrossProducts {
    /// Number of rows, n.
    pub fn rows(&self) -> usize {
        self.design.rows
    }

    /// Number of columns of X, aliased ones too.
    pub fn columns(&self) -> usize {
        self.design.columns
    }

    /// Number of columns of X that count, p.
    pub fn fixed_columns(&self) -> usize {
        self.design.basis.kept.len()
    }

    /// Columns of X that count, increasing.
    pub fn kept(&self) -> &[usize] {
        &self.design.basis.kept
    }

    /// Columns of X that depend on those before them.
    pub fn aliased(&self) -> &[usize] {
        &self.design.basis.aliased
    }

    /// Number of core terms.
    pub fn terms(&self) -> usize {
        self.design.widths.len()
    }

    /// Width of each core term.
    pub fn widths(&self) -> &[usize] {
        &self.design.widths
    }

    /// Number of levels of each core term.
    pub fn levels(&self) -> &[usize] {
        &self.design.levels
    }

    /// Σ log w.
    pub fn log_weights(&self) -> f64 {
        self.design.log_weights
    }

    /// Rows in each dispersion group.
    pub fn group_rows(&self) -> &[usize] {
        &self.design.group_rows
    }

    /// Which levels occur together.
    pub fn pairs(&self) -> &[Pairs] {
        &self.design.pairs
    }

    /// Which columns of X count, and T.
    pub fn basis(&self) -> &Basis {
        &self.design.basis
    }

    /// β₀ of the columns kept: β = β₀ + T β̃.
    pub fn origin(&self) -> &[f64] {
        self.response.origin.as_slice()
    }

    /// Residual sum of squares of the fixed effects alone.
    pub fn residual_square(&self) -> f64 {
        let products = &self.response.products;
        products.iter().map(|products| products.square).sum()
    }

    /// T: β = T β̃ for the columns kept.
    pub fn transform(&self) -> DMatrix<f64> {
        self.design.basis.matrix()
    }

    /// Which columns of a sparse X (positions among those kept) meet each level of a term; `None`: X is dense.
    pub fn fixed_lists(&self, term: usize) -> Option<&Lists> {
        self.design.fixed_lists.as_ref().map(|lists| &lists[term])
    }

    /// The statistics of the same design with another response (refit, bootstrap).
    ///
    /// # Errors
    /// [`Error::Argument`] naming `data` when `y` has another length or values that are not finite.
    pub fn with_response(&self, rows: &Rows, y: &[f64]) -> Result<CrossProducts> {
        if y.len() != self.rows() || rows.len() != self.rows() || y.iter().any(|y| !y.is_finite()) {
            return Err(Error::Argument {
                argument: "data",
                message: "must give one finite response for each row of the fit".into(),
            });
        }
        Ok(CrossProducts {
            design: Arc::clone(&self.design),
            response: Response::of(rows, &self.design, y),
        })
    }
}
