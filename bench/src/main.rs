//! CPU seconds per EM iteration against the arithmetic limit measured here and now.
//!
//! `ember-bench [case] [instruction set] [threads]` restricts the run, for a profiler.

mod cases;
mod clock;
mod limits;

use std::env;

use ember_core::mixture::data::Data;
use ember_core::mixture::expect::expect_on;
use ember_core::mixture::model::Mixture;
use ember_core::mixture::moments::{moments, TotalScatter};
use ember_core::simd::Isa;

use cases::Case;
use clock::{median, peak_mb, reset_peak, resident_mb, Time};
use limits::Limits;

fn main() {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let cases = Case::all();
    for isa in Isa::available() {
        if wanted
            .get(1)
            .is_some_and(|name| *name != format!("{isa:?}"))
        {
            continue;
        }
        let limits = Limits::measure(isa);
        println!(
            "{isa:?}: {:.1} Gflop/s, exp {:.3} ns, reads {:.1} GB/s",
            limits.flops * 1e-9,
            limits.exp * 1e9,
            limits.bandwidth * 1e-9
        );
        println!("case threads   cpu ms  wall ms   limit   ratio  memory MB");
        for case in &cases {
            if wanted.first().is_some_and(|name| name != case.name) {
                continue;
            }
            for threads in [1, 2] {
                if wanted
                    .get(2)
                    .is_some_and(|count| *count != threads.to_string())
                {
                    continue;
                }
                report(case, isa, threads, &limits);
            }
        }
    }
}

fn report(case: &Case, isa: Isa, threads: usize, limits: &Limits) {
    let mixture = &case.mixture;
    let (d, k) = (mixture.dim(), mixture.components());
    let data = Data::new(&case.x, case.rows, d, None).expect("the case is valid");
    let total = mixture.model.is_pooled().then(|| TotalScatter::of(&data));
    let limit = if total.is_some() {
        limits.logit(case.rows as f64)
    } else {
        limits.full(case.rows as f64, d as f64, k as f64)
    };
    reset_peak();
    let before = resident_mb();
    let Time { cpu, wall } = median(41, || {
        std::hint::black_box(iterate(&data, mixture, total.as_ref(), isa, threads));
    });
    println!(
        "{:<4} {threads:>7} {:>8.3} {:>8.3} {:>7.3} {:>7.2} {:>10.1}",
        case.name,
        cpu * 1e3,
        wall * 1e3,
        limit * 1e3,
        cpu / limit,
        peak_mb() - before
    );
}

/// One EM iteration with the closed-form M-step of VVV or E.
fn iterate(
    data: &Data,
    mixture: &Mixture,
    total: Option<&TotalScatter>,
    isa: Isa,
    threads: usize,
) -> Mixture {
    let stats = expect_on(isa, data, mixture, total, threads).expect("the E-step is defined");
    let moments = moments(&stats, mixture, total).expect("the moments are defined");
    let mut next = mixture.clone();
    let pooled = mixture.model.is_pooled().then(|| moments.scatter.pooled());
    for k in 0..mixture.components() {
        next.weights[k] = moments.counts[k] / moments.total_weight;
        next.covariances[k] = match (&pooled, &moments.scatter) {
            (None, ember_core::mixture::stats::Scatter::PerComponent(w)) => {
                &w[k] / moments.counts[k]
            }
            _ => moments.scatter.pooled() / moments.total_weight,
        };
    }
    next.means = moments.means;
    next
}
