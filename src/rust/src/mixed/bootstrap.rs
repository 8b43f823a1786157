//! Simulated responses, and fits to them.

use ember_core::em::Flow;
use ember_core::mixed::bootstrap::{Bootstrap, Replicate};
use ember_core::mixed::criterion::Problem;
use ember_core::mixed::cross_products::cross_products;
use ember_core::mixed::simulate::{Law, Simulator};
use ember_core::nalgebra::DMatrix;
use ember_core::{rng, Error};
use extendr_api::prelude::*;

use super::read::{known, structure, RowsList};
use super::write;
use crate::convert::{settings, Result};
use crate::fields::{two_integers, Fields};
use crate::monitor::Monitor;

/// Fits to simulated responses; see `native_mixed_bootstrap()`.
/// @noRd
#[extendr]
#[allow(clippy::too_many_arguments)]
fn mixed_bootstrap(
    rows: List,
    structure: List,
    known: Robj,
    reml: bool,
    law: List,
    replicates: i32,
    control: List,
) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let fields = Fields::of(&control);
    let structure = self::structure(&structure)?;
    let rows = RowsList::read(&rows)?;
    let rows = rows.rows()?;
    let threads = fields.count("threads")?;
    let statistics = cross_products(&rows, threads)?;
    let problem = Problem::new(&statistics, &structure, reml, self::known(&known)?)?;
    let bootstrap = Bootstrap {
        problem: &problem,
        rows: &rows,
        law: &self::law(&law)?,
        settings: &settings(&control)?,
        seed: fields.seed()?,
        threads,
    };
    let total = replicates.max(0);
    let done = bootstrap.run(total as usize, &mut |done| {
        monitor.poll(|| pairlist!(done as i32, total)) == Flow::Continue
    })?;
    let numbers = |value: fn(&Replicate) -> f64| -> Vec<f64> { done.iter().map(value).collect() };
    let status: Vec<&str> = done.iter().map(|one| one.status.name()).collect();
    Ok(list!(
        theta = table(&done, |one| &one.theta),
        beta = table(&done, |one| &one.beta),
        sigma = numbers(|one| one.sigma),
        dispersion = table(&done, |one| &one.dispersion),
        criterion = numbers(|one| one.criterion),
        status = status
    ))
}

/// Responses from a model; see `native_mixed_simulate()`.
/// @noRd
#[extendr]
fn mixed_simulate(
    rows: List,
    structure: List,
    law: List,
    first: i32,
    count: i32,
    seed: Robj,
) -> Result<RMatrix<f64>> {
    let structure = self::structure(&structure)?;
    let rows = RowsList::read(&rows)?;
    let rows = rows.rows()?;
    let law = self::law(&law)?;
    let simulator = Simulator::new(&rows, &structure, &law)?;
    let seed = two_integers(&seed)?;
    let first = first.max(1) as u64 - 1;
    let mut responses = RMatrix::<f64>::new(rows.len(), count.max(0) as usize);
    let columns = responses.data_mut().chunks_exact_mut(rows.len());
    for (number, y) in (first..).zip(columns) {
        simulator.draw(&mut rng::stream(seed, number), y);
    }
    Ok(responses)
}

/// One row per replicate.
fn table(replicates: &[Replicate], values: fn(&Replicate) -> &Vec<f64>) -> RMatrix<f64> {
    let columns = replicates.first().map_or(0, |one| values(one).len());
    let rows = replicates
        .iter()
        .flat_map(|one| values(one).iter().copied());
    write::matrix(&DMatrix::from_row_iterator(replicates.len(), columns, rows))
}

/// `list(theta, beta, sigma, dispersion, effects)`: `effects` are kept, or drawn if NULL.
fn law(list: &List) -> Result<Law> {
    let fields = Fields::of(list);
    let vector = |name| -> Result<Vec<f64>> { Ok(fields.reals(name)?.unwrap_or_default()) };
    let effects = match fields
        .value("effects")
        .and_then(|effects| effects.as_list())
    {
        Some(terms) => Some(terms.values().map(|b| effects(&b)).collect::<Result<_>>()?),
        None => None,
    };
    Ok(Law {
        theta: vector("theta")?,
        beta: vector("beta")?,
        sigma: fields.real("sigma")?,
        dispersion: vector("dispersion")?,
        effects,
    })
}

/// b of one core term, q × levels.
fn effects(b: &Robj) -> Result<DMatrix<f64>> {
    match b.as_real_slice() {
        Some(values) if values.len() == b.nrows() * b.ncols() => {
            Ok(DMatrix::from_column_slice(b.nrows(), b.ncols(), values))
        }
        _ => Err(Error::Argument {
            argument: "fit",
            message: "holds random effects that are no matrices of numbers".into(),
        }
        .into()),
    }
}

extendr_module! {
    mod bootstrap;
    fn mixed_bootstrap;
    fn mixed_simulate;
}
