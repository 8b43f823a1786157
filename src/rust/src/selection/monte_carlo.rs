//! Fits by PX-MCEM.

use ember_core::em::Flow;
use ember_core::nalgebra::{DMatrix, DVector};
use ember_core::selection::chains::{Chains, Rows};
use ember_core::selection::expect::expect;
use ember_core::selection::gibbs::Sampler;
use ember_core::selection::monte_carlo::{run, Iteration, Outcome, Settings};
use ember_core::selection::start::start as two_step_start;
use ember_core::selection::two_step::two_steps;
use ember_core::selection::{Data, Layout};
use ember_core::{linalg, Error};
use extendr_api::prelude::*;

use super::read::{integration, parameters, RowsList};
use super::write;
use crate::convert::Result;
use crate::fields::Fields;
use crate::mixed::write::matrix;
use crate::monitor::Monitor;

/// Fits a sample selection model by Monte Carlo EM; see `native_mssm_monte_carlo()`.
/// @noRd
#[extendr]
fn mssm_monte_carlo(rows: List, start: Robj, state: Robj, control: List) -> Result<List> {
    let mut monitor = Monitor::new(&control);
    let fields = Fields::of(&control);
    let rows = RowsList::read(&rows)?;
    let data = rows.data()?;
    let layout = Layout::of(&data)?;
    let mut settings = settings(&fields)?;
    let start = match given(&start) {
        Some(start) => parameters(&start, &layout)?,
        None => {
            let steps = two_steps(&data, &layout, settings.threads)?;
            two_step_start(&data, &layout, &steps, settings.threads)?
        }
    };
    let mut chains = match given(&state) {
        Some(state) => resume(&Fields::of(&state), &data, &mut settings)?,
        None => Chains::new(&data, settings.sampler, fields.seed()?),
    };
    let rows = Rows {
        data: &data,
        layout: &layout,
    };
    let outcome = run(rows, start, &mut chains, &settings, &mut |progress| {
        let state = || {
            pairlist!(
                progress.iteration as i32,
                progress.passes as i32,
                f64::na(),
                f64::na()
            )
        };
        monitor.poll(state) == Flow::Continue
    })?;
    let how = integration(&control, data.equations)?;
    let log_likelihood = expect(&data, &layout, &outcome.parameters, &how, settings.threads)
        .map_or(f64::na(), |statistics| statistics.log_likelihood);
    Ok(write(
        &layout,
        &outcome,
        &chains,
        vec![
            ("loglik", log_likelihood.into()),
            ("integration", write::integration(&how, f64::NAN).into()),
        ],
    ))
}

/// A list, unless it is NULL, which reads as an empty one.
fn given(value: &Robj) -> Option<List> {
    value.as_list().filter(|list| !list.is_empty())
}

fn settings(fields: &Fields) -> ember_core::Result<Settings> {
    Ok(Settings {
        sampler: sampler(fields)?,
        draws: fields.count("draws")?,
        max_iter: fields.count("max_iter")?,
        tolerance: fields.real("mc_tol")?,
        threads: fields.count("threads")?,
    })
}

fn sampler(fields: &Fields) -> ember_core::Result<Sampler> {
    match fields.text("sampler")? {
        "collapsed" => Ok(Sampler::Collapsed),
        "full" => Ok(Sampler::Full),
        _ => Err(Error::Argument {
            argument: "sampler",
            message: r#"must be "collapsed" or "full""#.into(),
        }),
    }
}

/// Chains that go on where a fit left them: `list(hidden, passes, seed, draws, sampler)`. Chains of another sampler are
/// of no use and begin anew, with random numbers of their own.
fn resume<'a>(
    state: &Fields,
    data: &Data<'a>,
    settings: &mut Settings,
) -> ember_core::Result<Chains> {
    let seed = state.seed()?;
    if sampler(state)? != settings.sampler {
        return Ok(Chains::new(data, settings.sampler, !seed));
    }
    settings.draws = settings.draws.max(state.count("draws")?);
    let passes = state.count("passes")? as u64;
    let hidden = state.reals("hidden")?.unwrap_or_default();
    Chains::resume(data, settings.sampler, seed, passes, &hidden)
}

/// A fit as R's list.
fn write(
    layout: &Layout,
    outcome: &Outcome,
    chains: &Chains,
    evaluated: Vec<(&'static str, Robj)>,
) -> List {
    let unknown = || DMatrix::from_element(layout.len(), layout.len(), f64::NAN);
    let numbers = |values: &Option<DVector<f64>>| -> Robj {
        match values {
            Some(values) => values.as_slice().into(),
            None => vec![f64::na(); layout.len()].into(),
        }
    };
    let information = outcome.information.clone().unwrap_or_else(unknown);
    let eigenvalues = match linalg::symmetric_eigen(&information) {
        Ok((values, _)) => values.as_slice().into(),
        Err(_) => Robj::from(()),
    };
    let covariance = outcome.covariance.clone().unwrap_or_else(unknown);
    let mut pairs = vec![
        (
            "coefficients",
            write::coefficients(layout, &outcome.parameters).into(),
        ),
        ("omega", matrix(&outcome.parameters.omega).into()),
        ("aliased", write::aliased(layout).into()),
        ("iterations", (outcome.history.len() as i32).into()),
        ("passes", (chains.passes() as i32).into()),
        ("status", outcome.status.name().into()),
        ("message", outcome.status.message().into()),
        ("component", (outcome.status.component() as i32).into()),
        ("gradient", numbers(&outcome.score)),
        ("decrement", outcome.decrement.into()),
        ("eigenvalues", eigenvalues),
        ("information", write::known(&information).into()),
        ("vcov", write::known(&covariance).into()),
        ("mc_error", numbers(&outcome.errors)),
        ("draws", (outcome.draws as i32).into()),
        ("sweeps", (outcome.sweeps as f64).into()),
        ("history", history(&outcome.history).into()),
        ("state", state(chains, outcome)),
    ];
    pairs.extend(evaluated);
    List::from_pairs(pairs)
}

fn history(history: &[Iteration]) -> List {
    let column = |value: fn(&Iteration) -> f64| -> Vec<f64> { history.iter().map(value).collect() };
    let accepted: Vec<bool> = history.iter().map(|step| step.accepted).collect();
    let iterations: Vec<i32> = (1..).take(history.len()).collect();
    list!(
        iteration = iterations,
        draws = column(|step| step.draws as f64),
        gain = column(|step| step.gain.value),
        ase = column(|step| step.gain.error),
        accepted = accepted,
        newton = column(|step| step.newton),
        newton_error = column(|step| step.newton_error)
    )
}

/// What [`resume`] reads; NULL before the chains have begun.
fn state(chains: &Chains, outcome: &Outcome) -> Robj {
    if chains.passes() == 0 {
        return ().into();
    }
    let seed = chains.seed();
    let sampler = match chains.sampler() {
        Sampler::Collapsed => "collapsed",
        Sampler::Full => "full",
    };
    list!(
        hidden = chains.hidden(),
        passes = chains.passes() as f64,
        seed = vec![(seed >> 32) as f64, f64::from(seed as u32)],
        draws = outcome.draws as f64,
        sampler = sampler
    )
    .into()
}

extendr_module! {
    mod monte_carlo;
    fn mssm_monte_carlo;
}
