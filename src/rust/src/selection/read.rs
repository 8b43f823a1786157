//! R's rows, parameters and integration as the core's. Vectors are viewed where R keeps them.

use ember_core::nalgebra::DMatrix;
use ember_core::normal::orthant::Integration;
use ember_core::selection::{Data, Design, Layout, Parameters};
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

    /// The rows, borrowed from R.
    ///
    /// # Errors
    /// [`Error::Argument`] when a vector is of the wrong type; as [`Data::new`].
    pub fn data(&self) -> Result<Data<'_>> {
        let designs = self.designs.iter().map(|(matrix, width)| {
            Ok(Design {
                columns: reals(matrix, "design")?,
                width: *width,
            })
        });
        let weights = self.weights.as_ref().map(|v| reals(v, "weights"));
        Data::new(
            designs.collect::<Result<_>>()?,
            reals(&self.response, "y")?,
            integers(&self.selected, "selected")?,
            weights.transpose()?,
        )
    }
}

/// `list(coefficients (of all columns, NA where aliased), omega)`.
///
/// # Errors
/// [`Error::Argument`] naming `start`: a wrong number of coefficients, a value that is not finite, an Ω that is not
/// a covariance matrix with ones on the diagonal of the selections.
pub fn parameters(list: &List, layout: &Layout) -> Result<Parameters> {
    let fields = Fields::of(list);
    let errors = layout.components();
    let wrong = |message: &str| wrong("start", message);
    let vectors = fields.value("coefficients").and_then(|list| list.as_list());
    let vectors = vectors.filter(|list| list.len() == errors);
    let vectors = vectors.ok_or_else(|| wrong("must have coefficients of every design"))?;
    let mut coefficients = Vec::with_capacity(errors);
    for (component, vector) in vectors.values().enumerate() {
        let basis = &layout.bases[component];
        let all = vector.as_real_slice().unwrap_or_default();
        if all.len() != basis.kept.len() + basis.aliased.len() {
            return Err(wrong("must have a coefficient for every column"));
        }
        coefficients.push(layout.kept_columns(component, all));
    }
    let omega = fields.reals("omega")?.unwrap_or_default();
    let mut finite = coefficients.iter().flatten().chain(&omega);
    if omega.len() != errors * errors || !finite.all(|x| x.is_finite()) {
        return Err(wrong(
            "must have finite coefficients and a covariance matrix of all errors",
        ));
    }
    let omega = DMatrix::from_vec(errors, errors, omega);
    let ones = (layout.equations..errors).all(|a| (omega[(a, a)] - 1.0).abs() < 1e-8);
    if !ones || (&omega - omega.transpose()).amax() > 1e-8 * omega.amax() {
        return Err(wrong(
            "must have a symmetric covariance matrix with variances of 1 for the selections",
        ));
    }
    ember_core::linalg::cholesky(&omega)
        .map_err(|_| wrong("must have a positive definite covariance matrix"))?;
    Ok(Parameters {
        coefficients,
        omega,
    })
}

/// Parameters, or none where R says NULL.
///
/// # Errors
/// As [`parameters`].
pub fn start(given: &Robj, layout: &Layout) -> Result<Option<Parameters>> {
    if given.is_null() {
        return Ok(None);
    }
    let list = given.as_list();
    let list = list.ok_or_else(|| wrong("start", "must be a list of parameters"))?;
    parameters(&list, layout).map(Some)
}

/// How orthants of `equations` dimensions are integrated: exactly up to three, else by `control$points` points.
///
/// # Errors
/// [`Error::Argument`] naming `points` or `seed`.
pub fn integration(control: &List, equations: usize) -> Result<Integration> {
    if equations <= 3 {
        return Ok(Integration::Exact);
    }
    let fields = Fields::of(control);
    Ok(Integration::Ghk {
        points: fields.count("points")?,
        seed: fields.seed()?,
    })
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
