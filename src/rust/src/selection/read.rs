//! R's rows, parameters and integration as the core's. Vectors are viewed where R keeps them.

use ember_core::{Error, Result};
use extendr_api::prelude::*;

use crate::fields::Fields;

fn wrong(argument: &'static str, message: &str) -> Error {
    Error::Argument {
        argument,
        message: message.into(),
    }
}

/// R's vectors behind the core's data: `list(outcome, selection, y, selected, weights)`.
pub struct RowsList {
    /// Outcome 1..J, selection 1..J, with their numbers of columns.
    designs: Vec<(Robj, usize)>,
    response: Robj,
    selected: Robj,
    weights: Option<Robj>,
}

impl RowsList {
    /// The vectors of the list, not copied.
    ///
    /// # Errors
    /// [`Error::Argument`] when an element is missing.
    pub fn read(list: &List) -> Result<Self> {
        let fields = Fields::of(list);
        let vector = |name: &'static str| {
            let found = fields.value(name).cloned();
            found.ok_or_else(|| wrong(name, "must be given"))
        };
        let matrices = |name: &'static str| {
            let list = vector(name)?.as_list();
            let list = list.ok_or_else(|| wrong(name, "must be a list of matrices"))?;
            let matrices = list.values().map(|matrix| {
                let columns = matrix.ncols();
                (matrix, columns)
            });
            Ok::<Vec<_>, Error>(matrices.collect())
        };
        let mut designs = matrices("outcome")?;
        designs.extend(matrices("selection")?);
        Ok(RowsList {
            designs,
            response: vector("y")?,
            selected: vector("selected")?,
            weights: fields.value("weights").cloned(),
        })
    }
}

fn reals<'a>(vector: &'a Robj, name: &'static str) -> Result<&'a [f64]> {
    vector
        .as_real_slice()
        .ok_or_else(|| wrong(name, "must be numeric"))
}

fn integers<'a>(vector: &'a Robj, name: &'static str) -> Result<&'a [i32]> {
    vector
        .as_integer_slice()
        .ok_or_else(|| wrong(name, "must be of type integer"))
}
