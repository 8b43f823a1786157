//! The rows of a mixed model as R holds them: borrowed columns and factor codes, never copied.

use crate::error::{Error, Result};

/// One column of a random-effects model matrix.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// The intercept.
    One,
    /// One value per row.
    Values(&'a [f64]),
}

impl Column<'_> {
    /// The value in a row.
    #[inline(always)]
    pub fn at(&self, row: usize) -> f64 {
        match self {
            Column::One => 1.0,
            Column::Values(values) => values[row],
        }
    }
}

/// The fixed-effects model matrix X, n × p.
#[derive(Debug, Clone, Copy)]
pub enum FixedColumns<'a> {
    /// Column-major values.
    Dense { values: &'a [f64], columns: usize },
    /// Compressed columns (the slots `p`, `i`, `x` of a dgCMatrix; rows count from 0).
    Sparse {
        columns: usize,
        starts: &'a [i32],
        rows: &'a [i32],
        values: &'a [f64],
    },
}

impl FixedColumns<'_> {
    /// Number of columns, p.
    pub fn columns(&self) -> usize {
        match self {
            FixedColumns::Dense { columns, .. } | FixedColumns::Sparse { columns, .. } => *columns,
        }
    }
}

/// The rows of one core term: a grouping factor and the columns that vary by it.
#[derive(Debug, Clone)]
pub struct TermRows<'a> {
    /// Level of each row, 1..=levels.
    pub codes: &'a [i32],
    /// Number of levels.
    pub levels: usize,
    /// Columns of the random-effects model matrix, as many as the term is wide.
    pub columns: Vec<Column<'a>>,
}

/// Everything that the data say.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// y, n values.
    pub response: &'a [f64],
    /// Known part of the linear predictor, subtracted from y first.
    pub offset: Option<&'a [f64]>,
    /// Prior weights, positive.
    pub weights: Option<&'a [f64]>,
    /// X.
    pub fixed: FixedColumns<'a>,
    /// Core terms.
    pub terms: Vec<TermRows<'a>>,
    /// Group of each row with a residual variance of its own (1..=groups), and the number of groups.
    pub dispersion: Option<(&'a [i32], usize)>,
}

impl Rows<'_> {
    /// Number of rows, n.
    pub fn len(&self) -> usize {
        self.response.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.response.is_empty()
    }

    /// Number of groups of rows with a residual variance of their own, at least 1.
    pub fn groups(&self) -> usize {
        self.dispersion.map_or(1, |(_, groups)| groups)
    }

    /// Group of a row, counted from 0.
    #[inline(always)]
    pub fn group(&self, row: usize) -> usize {
        self.dispersion
            .map_or(0, |(codes, _)| codes[row] as usize - 1)
    }

    /// Prior weight of a row.
    #[inline(always)]
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Checks lengths, codes, and that every number is finite and every weight positive.
    ///
    /// # Errors
    /// [`Error::Argument`] naming what is wrong.
    pub fn validate(&self) -> Result<()> {
        let n = self.len();
        if n == 0 {
            return Err(invalid("data", "has no rows"));
        }
        finite(self.response, n, "the response")?;
        if let Some(offset) = self.offset {
            finite(offset, n, "the offset")?;
        }
        if let Some(weights) = self.weights {
            finite(weights, n, "a weight")?;
            if !weights.iter().all(|&w| w > 0.0) {
                return Err(invalid("weights", "must be positive"));
            }
        }
        self.validate_fixed(n)?;
        for term in &self.terms {
            codes(term.codes, term.levels, n)?;
            if term.columns.is_empty() {
                return Err(invalid("formula", "has a random term without columns"));
            }
            for column in &term.columns {
                if let Column::Values(values) = column {
                    finite(values, n, "a column of a random term")?;
                }
            }
        }
        match self.dispersion {
            Some((groups_of_rows, groups)) => codes(groups_of_rows, groups, n),
            None => Ok(()),
        }
    }

    fn validate_fixed(&self, n: usize) -> Result<()> {
        match self.fixed {
            FixedColumns::Dense { values, columns } => {
                finite(values, n * columns, "a column of the fixed effects")
            }
            FixedColumns::Sparse {
                columns,
                starts,
                rows,
                values,
            } => {
                let ordered = starts.len() == columns + 1
                    && starts.first() == Some(&0)
                    && starts.windows(2).all(|pair| pair[0] <= pair[1])
                    && starts.last().map(|&end| end as usize) == Some(values.len())
                    && rows.len() == values.len()
                    && rows.iter().all(|&row| row >= 0 && (row as usize) < n);
                if !ordered {
                    return Err(invalid("formula", "gave a malformed sparse model matrix"));
                }
                finite(values, values.len(), "a column of the fixed effects")
            }
        }
    }
}

fn invalid(argument: &'static str, message: &str) -> Error {
    Error::Argument {
        argument,
        message: message.into(),
    }
}

fn finite(values: &[f64], length: usize, what: &str) -> Result<()> {
    if values.len() != length {
        return Err(Error::Argument {
            argument: "data",
            message: format!("{what} has {} values instead of {length}", values.len()),
        });
    }
    // A sum of zeros unless something is not finite: no branch per value.
    let bad: f64 = values.iter().map(|x| x * 0.0).sum();
    if bad == 0.0 {
        Ok(())
    } else {
        Err(Error::Argument {
            argument: "data",
            message: format!("{what} is not a finite number in some row"),
        })
    }
}

fn codes(codes: &[i32], levels: usize, n: usize) -> Result<()> {
    let in_range = codes.iter().fold(true, |ok, &code| {
        ok & (code >= 1) & ((code as u32 as usize) <= levels)
    });
    if codes.len() == n && in_range {
        Ok(())
    } else {
        Err(invalid(
            "formula",
            "has a factor whose codes do not match its levels",
        ))
    }
}
