//! Sufficient statistics that travel: computed here, merged there, turned into parameters by whoever likes.

use ember_core::em::{Progress, Status};
use ember_core::mixture::criteria::Criteria;
use ember_core::mixture::expect::expect;
use ember_core::mixture::fit::{Fit, GaussianMixture};
use ember_core::mixture::maximize::maximize;
use ember_core::mixture::missing::{expect_missing, Patterns};
use ember_core::mixture::model::Mixture;
use ember_core::mixture::moments::{moments, TotalScatter};
use ember_core::mixture::rules::Rules;
use ember_core::mixture::saddle::{coinciding, saddle_status};
use ember_core::mixture::stats::MixtureStats;
use ember_core::nalgebra::{DMatrix, DVector};
use ember_core::shard::Merge;
use ember_core::Error;
use extendr_api::prelude::*;

use super::read::{data, read_assumptions, read_mixture_list};
use super::search::fit_list;
use super::write::{matrix, mixture_pairs};
use crate::convert::{settings, Result};
use crate::em::call;
use crate::fields::Fields;
use crate::monitor::Monitor;

/// One E-step over some rows.
/// @noRd
#[extendr]
fn mixture_expect(x: Robj, weights: Robj, mixture: List, threads: i32) -> Result<List> {
    let (data, threads) = (data(&x, &weights)?, threads.max(1) as usize);
    let mixture = read_mixture_list(&mixture)?;
    let patterns = Patterns::new(&data);
    let stats = if patterns.is_complete() {
        expect(&data, &mixture, None, threads)?
    } else {
        expect_missing(&data, &patterns, &mixture, threads)?
    };
    Ok(stats_list(&stats))
}

/// Adds two statistics taken at the same parameters.
/// @noRd
#[extendr]
fn mixture_stats_merge(first: List, second: List) -> Result<List> {
    let (mut sum, second) = (read_stats(&first)?, read_stats(&second)?);
    if (sum.sums.shape(), sum.crosses.shape()) != (second.sums.shape(), second.crosses.shape()) {
        return Err(Error::Argument {
            argument: "stats",
            message: "must be of mixtures of the same size".into(),
        }
        .into());
    }
    sum.merge(second);
    Ok(stats_list(&sum))
}

/// Counts, means (k × d) and summed scatter about them.
/// @noRd
#[extendr]
fn mixture_moments(stats: List, mixture: List) -> Result<List> {
    let moments = moments(&read_stats(&stats)?, &read_mixture_list(&mixture)?, None)?;
    Ok(list!(
        counts = moments.counts.clone(),
        means = matrix(&moments.means.transpose()),
        scatter = matrix(&moments.scatter.pooled())
    ))
}

/// One M-step.
/// @noRd
#[extendr]
fn mixture_maximize(stats: List, mixture: List, rules: List) -> Result<List> {
    let (stats, previous) = (read_stats(&stats)?, read_mixture_list(&mixture)?);
    let rules = read_rules(&rules, &previous)?;
    let moments = moments(&stats, &previous, None)?;
    let next = maximize(&moments, Some(&previous), previous.model, &rules)?;
    Ok(List::from_pairs(mixture_pairs(&next)))
}

/// EM whose E-steps are an R function of the parameters.
/// @noRd
#[extendr]
fn mixture_fit_stats(start: List, rules: List, expect: Function, control: List) -> Result<List> {
    let settings = settings(&control)?;
    let mut monitor = Monitor::new(&control);
    let start = read_mixture_list(&start)?;
    let start = start.as_member(start.model);
    let rules = read_rules(&rules, &start)?;
    let mut model = GaussianMixture {
        source: |mixture: &Mixture| {
            let at = List::from_pairs(mixture_pairs(mixture));
            let stats = call(&expect, pairlist!(at))?.as_list();
            read_stats(&stats.ok_or_else(malformed)?)
        },
        model: start.model,
        rules: &rules,
    };
    let mut run = model.run(start, &settings, &mut |progress: &Progress| {
        monitor.flow(progress)
    })?;
    if run.status == Status::Converged {
        // Other saddles show in the rows only.
        if let Some(status) = saddle_status(false, &coinciding(&run.params)?) {
            run.status = status;
        }
    }
    let stats = &run.stats.stats;
    let known = &rules.known;
    // ICL needs the rows; the statistics do not have them.
    let unknown = |_| Ok(f64::NAN);
    let criteria = Criteria::of(
        &run.params,
        stats.log_lik,
        stats.total_weight,
        known,
        unknown,
    )?;
    Ok(fit_list(&Fit::new(run, criteria, Vec::new())))
}

/// Known parts, prior, noise, floor, and the mean and scatter of all rows.
fn read_rules(rules: &List, mixture: &Mixture) -> ember_core::Result<Rules> {
    let fields = Fields::of(rules);
    let part = |name: &str| fields.value(name).cloned().unwrap_or_else(|| ().into());
    let assumptions = read_assumptions(&part("known"), &part("noise"), &part("prior"), &fields)?;
    let d = mixture.dim();
    let mean = fields.reals("mean")?.unwrap_or_default();
    let scatter = fields.reals("scatter")?.unwrap_or_default();
    if mean.len() != d || scatter.len() != d * d {
        return Err(malformed());
    }
    let total = TotalScatter {
        mean: DVector::from_vec(mean),
        scatter: DMatrix::from_vec(d, d, scatter),
        total_weight: fields.real("total_weight")?,
    };
    let rows = fields.count("rows")? as u64;
    assumptions.rules(mixture.model, mixture.components(), &total, rows)
}

fn stats_list(stats: &MixtureStats) -> List {
    list!(
        rows = stats.rows as f64,
        total_weight = stats.total_weight,
        counts = stats.counts.clone(),
        sums = matrix(&stats.sums),
        crosses = matrix(&stats.crosses),
        noise_count = stats.noise_count,
        log_lik = stats.log_lik
    )
}

fn read_stats(stats: &List) -> ember_core::Result<MixtureStats> {
    let fields = Fields::of(stats);
    let counts = fields.reals("counts")?.ok_or_else(malformed)?;
    let columns = |name| -> ember_core::Result<DMatrix<f64>> {
        let cells = fields.reals(name)?.ok_or_else(malformed)?;
        if counts.is_empty() || cells.len() % counts.len() != 0 {
            return Err(malformed());
        }
        Ok(DMatrix::from_vec(
            cells.len() / counts.len(),
            counts.len(),
            cells,
        ))
    };
    Ok(MixtureStats {
        rows: fields.real("rows")? as u64,
        total_weight: fields.real("total_weight")?,
        sums: columns("sums")?,
        crosses: columns("crosses")?,
        noise_count: fields.real("noise_count")?,
        log_lik: fields.real("log_lik")?,
        counts,
    })
}

fn malformed() -> Error {
    Error::Argument {
        argument: "stats",
        message: "must be made by `mixture_stats()` at the same parameters".into(),
    }
}

extendr_module! {
    mod stats;
    fn mixture_expect;
    fn mixture_stats_merge;
    fn mixture_moments;
    fn mixture_maximize;
    fn mixture_fit_stats;
}
