//! R's families, models and parameters as the core's.

use ember_core::glmm::family::Family;
use ember_core::glmm::problem::Problem;
use ember_core::glmm::start::Given;
use ember_core::mixed::rows::Rows;
use ember_core::mixed::structure::Structure;
use ember_core::{Error, Result};
use extendr_api::prelude::*;

use crate::fields::Fields;
use crate::mixed::read::{structure, RowsList};

/// A family, and its shape if that is known.
pub struct KnownFamily {
    pub family: Family,
    pub shape: Option<f64>,
}

/// `list(name, link, shape)`; shape is NULL if it is to be estimated or the family has none.
///
/// # Errors
/// [`Error::Argument`] naming `family`.
pub fn family(list: &List) -> Result<KnownFamily> {
    let fields = Fields::of(list);
    let family = Family::from_names(fields.text("name")?, fields.text("link")?)?;
    let shape = fields
        .reals("shape")?
        .and_then(|shape| shape.first().copied());
    if shape.is_some_and(|shape| !(shape > 0.0 && shape.is_finite())) {
        return Err(Error::Argument {
            argument: "family",
            message: "must have a positive shape".into(),
        });
    }
    Ok(KnownFamily {
        shape: shape.filter(|_| family.has_shape()),
        family,
    })
}

/// What R sends of a model: rows, family, structure and points of the quadrature.
pub struct Model {
    rows: RowsList,
    family: KnownFamily,
    pub structure: Structure,
    pub n_agq: usize,
}

impl Model {
    /// # Errors
    /// [`Error::Argument`] naming what is malformed.
    pub fn read(rows: &List, family: &List, structure: &List, n_agq: i32) -> Result<Self> {
        Ok(Model {
            rows: RowsList::read(rows)?,
            family: self::family(family)?,
            structure: self::structure(structure)?,
            n_agq: usize::try_from(n_agq).unwrap_or(0),
        })
    }

    /// From `list(rows, family, structure, n_agq)`.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn of(model: &List) -> Result<Self> {
        let fields = Fields::of(model);
        let nested = |name: &'static str| {
            let found = fields.value(name).and_then(|value| value.as_list());
            found.ok_or_else(|| Error::Argument {
                argument: name,
                message: "is missing or malformed".into(),
            })
        };
        let n_agq = fields.count("n_agq")? as i32;
        Model::read(
            &nested("rows")?,
            &nested("family")?,
            &nested("structure")?,
            n_agq,
        )
    }

    /// The rows, borrowed from R.
    ///
    /// # Errors
    /// As [`RowsList::rows`].
    pub fn rows(&self) -> Result<Rows<'_>> {
        self.rows.rows()
    }

    /// # Errors
    /// As [`Problem::new`].
    pub fn problem<'a>(&'a self, rows: &'a Rows<'a>) -> Result<Problem<'a>> {
        Problem::new(rows, self.family.family, &self.structure, self.family.shape)
    }
}

/// `list(theta, beta, shape)`, any of them NULL; beta has the columns kept.
///
/// # Errors
/// [`Error::Argument`] naming what is not numeric.
pub fn given(start: &Robj) -> Result<Given> {
    let Some(list) = start.as_list() else {
        return Ok(Given::default());
    };
    let fields = Fields::of(&list);
    Ok(Given {
        theta: fields.reals("theta")?,
        beta: fields.reals("beta")?,
        shape: fields
            .reals("shape")?
            .and_then(|shape| shape.first().copied()),
    })
}
