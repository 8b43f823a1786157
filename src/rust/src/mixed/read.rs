//! R's rows and structures as the core's. Vectors are viewed where R keeps them.

use ember_core::mixed::criterion::{Known, KnownDeviation};
use ember_core::mixed::rows::{Column, FixedColumns, Rows, TermRows};
use ember_core::mixed::structure::{Entry, Structure};
use ember_core::{Error, Result};
use extendr_api::prelude::*;

use crate::fields::Fields;

fn wrong(argument: &'static str, message: &str) -> Error {
    Error::Argument {
        argument,
        message: message.into(),
    }
}

/// R's vectors behind [`Rows`]: `list(y, offset, weights, x, terms, dispersion)`.
pub struct RowsList {
    response: Robj,
    offset: Option<Robj>,
    weights: Option<Robj>,
    fixed: Fixed,
    terms: Vec<TermList>,
    dispersion: Option<(Robj, usize)>,
}

/// X: a numeric matrix, or the slots of a dgCMatrix.
enum Fixed {
    Dense(Robj, usize),
    Sparse {
        columns: usize,
        starts: Robj,
        rows: Robj,
        values: Robj,
    },
}

/// A core term: factor codes and columns.
struct TermList {
    codes: Robj,
    levels: usize,
    columns: Vec<Robj>,
}

impl RowsList {
    /// The vectors of the list, not copied.
    ///
    /// # Errors
    /// [`Error::Argument`] when an element is missing or of the wrong type.
    pub fn read(list: &List) -> Result<Self> {
        let fields = Fields::of(list);
        let vector = |name: &'static str| {
            let found = fields.value(name).cloned();
            found.ok_or_else(|| wrong(name, "must be given"))
        };
        let terms = vector("terms")?;
        let terms = terms
            .as_list()
            .ok_or_else(|| wrong("terms", "must be a list"))?;
        let dispersion = match fields.fields("dispersion")? {
            Some(groups) => {
                let codes = groups.value("codes").cloned();
                let codes = codes.ok_or_else(|| wrong("dispersion", "must have codes"))?;
                Some((codes, groups.count("groups")?))
            }
            None => None,
        };
        Ok(RowsList {
            response: vector("y")?,
            offset: fields.value("offset").cloned(),
            weights: fields.value("weights").cloned(),
            fixed: Fixed::read(vector("x")?)?,
            terms: terms.values().map(TermList::read).collect::<Result<_>>()?,
            dispersion,
        })
    }

    /// The rows, borrowed from R.
    ///
    /// # Errors
    /// [`Error::Argument`] when a vector is of the wrong type.
    pub fn rows(&self) -> Result<Rows<'_>> {
        let fixed = self.fixed.columns()?;
        let n = reals(&self.response, "y")?.len();
        Ok(Rows {
            response: reals(&self.response, "y")?,
            offset: self
                .offset
                .as_ref()
                .map(|v| reals(v, "offset"))
                .transpose()?,
            weights: self
                .weights
                .as_ref()
                .map(|v| reals(v, "weights"))
                .transpose()?,
            terms: self
                .terms
                .iter()
                .map(|term| term.rows(&fixed, n))
                .collect::<Result<_>>()?,
            fixed,
            dispersion: match &self.dispersion {
                Some((codes, groups)) => Some((integers(codes, "dispersion")?, *groups)),
                None => None,
            },
        })
    }
}

impl Fixed {
    fn read(x: Robj) -> Result<Self> {
        let Some(slots) = x.as_list() else {
            let columns = x.ncols();
            return Ok(Fixed::Dense(x, columns));
        };
        let slots = Fields::of(&slots);
        let slot = |name: &'static str| {
            let found = slots.value(name).cloned();
            found.ok_or_else(|| wrong("x", "must have the slots p, i and x"))
        };
        Ok(Fixed::Sparse {
            columns: slots.count("columns")?,
            starts: slot("p")?,
            rows: slot("i")?,
            values: slot("x")?,
        })
    }

    fn columns(&self) -> Result<FixedColumns<'_>> {
        Ok(match self {
            Fixed::Dense(x, columns) => FixedColumns::Dense {
                values: reals(x, "x")?,
                columns: *columns,
            },
            Fixed::Sparse {
                columns,
                starts,
                rows,
                values,
            } => FixedColumns::Sparse {
                columns: *columns,
                starts: integers(starts, "x")?,
                rows: integers(rows, "x")?,
                values: reals(values, "x")?,
            },
        })
    }
}

impl TermList {
    fn read(term: Robj) -> Result<Self> {
        let list = term
            .as_list()
            .ok_or_else(|| wrong("terms", "must be lists"))?;
        let fields = Fields::of(&list);
        let columns = fields
            .value("columns")
            .and_then(|columns| columns.as_list());
        let columns = columns.ok_or_else(|| wrong("terms", "must have columns"))?;
        let codes = fields.value("codes").cloned();
        Ok(TermList {
            codes: codes.ok_or_else(|| wrong("terms", "must have codes"))?,
            levels: fields.count("levels")?,
            columns: columns.values().collect(),
        })
    }

    fn rows<'a>(&'a self, fixed: &FixedColumns<'a>, n: usize) -> Result<TermRows<'a>> {
        let columns = self
            .columns
            .iter()
            .map(|column| self::column(column, fixed, n));
        Ok(TermRows {
            codes: integers(&self.codes, "terms")?,
            levels: self.levels,
            columns: columns.collect::<Result<_>>()?,
        })
    }
}

/// NULL is the intercept, an integer the number of a column of X, and doubles the values themselves.
fn column<'a>(column: &'a Robj, fixed: &FixedColumns<'a>, n: usize) -> Result<Column<'a>> {
    if column.is_null() {
        return Ok(Column::One);
    }
    let Some(&[number]) = column.as_integer_slice() else {
        return Ok(Column::Values(reals(column, "terms")?));
    };
    let shared = match fixed {
        FixedColumns::Dense { values, .. } => {
            let start = (number - 1).max(0) as usize * n;
            values.get(start..start + n)
        }
        FixedColumns::Sparse { .. } => None,
    };
    let shared = shared.ok_or_else(|| wrong("terms", "refer to a column that X does not have"))?;
    Ok(Column::Values(shared))
}

fn reals<'a>(vector: &'a Robj, argument: &'static str) -> Result<&'a [f64]> {
    vector
        .as_real_slice()
        .ok_or_else(|| wrong(argument, "must hold doubles"))
}

fn integers<'a>(vector: &'a Robj, argument: &'static str) -> Result<&'a [i32]> {
    vector
        .as_integer_slice()
        .ok_or_else(|| wrong(argument, "must hold integers"))
}

/// `list(term, row, column, widths)`, everything counted from 1.
///
/// # Errors
/// [`Error::Argument`] when it is malformed.
pub fn structure(list: &List) -> Result<Structure> {
    let fields = Fields::of(list);
    let (terms, rows) = (positions(&fields, "term")?, positions(&fields, "row")?);
    let columns = positions(&fields, "column")?;
    if terms.len() != rows.len() || rows.len() != columns.len() {
        return Err(wrong(
            "structure",
            "must have as many rows as columns and terms",
        ));
    }
    let entries = terms.into_iter().zip(rows).zip(columns);
    let structure = Structure {
        widths: whole(&fields, "widths")?,
        entries: entries
            .map(|((term, row), column)| Entry { term, row, column })
            .collect(),
    };
    structure.validate()?;
    Ok(structure)
}

/// `list(sigma, term, index, sd)`; NULL if nothing is known.
///
/// # Errors
/// [`Error::Argument`] when it is malformed.
pub fn known(known: &Robj) -> Result<Known> {
    if known.is_null() {
        return Ok(Known::default());
    }
    let list = known
        .as_list()
        .ok_or_else(|| wrong("known", "must be a list"))?;
    let fields = Fields::of(&list);
    let sigma = fields.reals("sigma")?;
    let sds = fields.reals("sd")?.unwrap_or_default();
    let (terms, rows) = (positions(&fields, "term")?, positions(&fields, "index")?);
    if terms.len() != sds.len() || rows.len() != sds.len() {
        return Err(wrong("known", "must have a term and an index for each sd"));
    }
    let places = terms.into_iter().zip(rows);
    Ok(Known {
        sigma: sigma.and_then(|sigma| sigma.first().copied()),
        deviations: places
            .zip(sds)
            .map(|((term, index), sd)| KnownDeviation { term, index, sd })
            .collect(),
    })
}

/// Whole numbers of at least 0; none if the element is missing.
fn whole(fields: &Fields, name: &'static str) -> Result<Vec<usize>> {
    let numbers = fields.reals(name)?.unwrap_or_default();
    let valid = |x: &f64| *x >= 0.0 && x.fract() == 0.0 && *x < 2f64.powi(31);
    if !numbers.iter().all(valid) {
        return Err(wrong(name, "must hold whole numbers"));
    }
    Ok(numbers.into_iter().map(|x| x as usize).collect())
}

/// Positions counted from 1 in R, from 0 here.
fn positions(fields: &Fields, name: &'static str) -> Result<Vec<usize>> {
    let from_one = whole(fields, name)?.into_iter();
    let from_zero = from_one.map(|x| x.checked_sub(1));
    from_zero
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(name, "must count from 1"))
}
