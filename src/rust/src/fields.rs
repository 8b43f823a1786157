//! Reading the named lists that R sends. Types were settled in R; a wrong one is still an error, never a panic.

use std::collections::HashMap;

use ember_core::{Error, Result};
use extendr_api::prelude::*;

/// The named elements of an R list; `NULL` elements and missing names read the same.
pub struct Fields(HashMap<String, Robj>);

impl Fields {
    /// The elements of `list`.
    pub fn of(list: &List) -> Self {
        Fields(
            list.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
        )
    }

    /// The element `name` as it is.
    pub fn value(&self, name: &str) -> Option<&Robj> {
        self.0.get(name)
    }

    /// The seed of the control list, see [`two_integers`].
    pub fn seed(&self) -> Result<u64> {
        two_integers(self.value("seed").unwrap_or(&().into()))
    }

    /// A nested list.
    pub fn fields(&self, name: &'static str) -> Result<Option<Fields>> {
        self.value(name)
            .map(|value| {
                let list = value.as_list().ok_or_else(|| wrong(name, "a list"))?;
                Ok(Fields::of(&list))
            })
            .transpose()
    }

    /// All numbers of `name`, in R's order.
    pub fn reals(&self, name: &'static str) -> Result<Option<Vec<f64>>> {
        self.value(name)
            .map(|value| {
                value
                    .as_real_vector()
                    .or_else(|| {
                        let whole = value.as_integer_vector()?;
                        Some(whole.into_iter().map(f64::from).collect())
                    })
                    .ok_or_else(|| wrong(name, "numeric"))
            })
            .transpose()
    }

    /// One number that must be there.
    pub fn real(&self, name: &'static str) -> Result<f64> {
        match self.reals(name)?.as_deref() {
            Some([value]) => Ok(*value),
            _ => Err(wrong(name, "one number")),
        }
    }

    /// One whole number of at least 0 that must be there.
    pub fn count(&self, name: &'static str) -> Result<usize> {
        let value = self.real(name)?;
        if value >= 0.0 && value.fract() == 0.0 && value < 9e15 {
            Ok(value as usize)
        } else {
            Err(wrong(name, "a whole number of at least 0"))
        }
    }

    /// One string that must be there.
    pub fn text(&self, name: &'static str) -> Result<&str> {
        self.value(name)
            .and_then(|value| value.as_str())
            .ok_or_else(|| wrong(name, "one string"))
    }
}

fn wrong(argument: &'static str, what: &str) -> Error {
    Error::Argument {
        argument,
        message: format!("must be {what}"),
    }
}

/// A seed of 64 bits from two whole numbers of R's generator.
pub fn two_integers(seed: &Robj) -> Result<u64> {
    let halves = seed.as_real_vector().or_else(|| {
        let whole = seed.as_integer_vector()?;
        Some(whole.into_iter().map(f64::from).collect())
    });
    match halves.as_deref() {
        Some(&[high, low]) => Ok((high as u64) << 32 | low as u64),
        _ => Err(Error::Argument {
            argument: "seed",
            message: "must be two whole numbers".into(),
        }),
    }
}
