//! One pass over a shard, block by block.

use std::ops::Range;

use super::super::data::Data;
use super::super::stats::MixtureStats;
use super::axes::{self, Axes};
use super::block::{row_weights, Columns, Scratch};
use super::components::{Components, Family};
use super::logit::{Logit, LogitSums, LOGIT_ROWS};
use super::posterior::{normalise, normalise_rows, sum, Evidence};
use super::small;
use super::tiled::{self, Triangle};
use crate::simd::{Kernel, Lanes};

/// Rows of a shard under prepared components.
pub(super) struct Pass<'a> {
    pub data: &'a Data<'a>,
    pub components: &'a Components,
    pub rows: Range<usize>,
    pub scratch: &'a mut Scratch,
}

impl Pass<'_> {
    /// The blocks of the shard.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (stride, end) = (self.scratch.stride, self.rows.end);
        self.rows
            .clone()
            .step_by(stride)
            .map(move |start| start..(start + stride).min(end))
    }
}

/// E-step: sufficient statistics of the shard, into cleared ones.
pub(super) struct Statistics<'a>(pub Pass<'a>, pub &'a mut MixtureStats);

impl Kernel for Statistics<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Statistics(pass, stats) = self;
        stats.rows = pass.rows.len() as u64;
        stats.total_weight = pass.data.weights().map_or(pass.rows.len() as f64, |w| {
            w[pass.rows.clone()].iter().sum()
        });
        let mut evidence = Evidence::<L>::new(pass.components.terms());
        if pass.components.family == Family::Logit {
            logit_statistics(&pass, &mut evidence, stats);
        } else {
            block_statistics(pass, &mut evidence, stats);
        }
        stats.log_lik += evidence.log_lik();
    }
}

#[inline(always)]
fn block_statistics<L: Lanes>(pass: Pass, evidence: &mut Evidence<L>, stats: &mut MixtureStats) {
    let components = pass.components;
    let blocks = pass.blocks();
    let Scratch {
        stride,
        x,
        r,
        y,
        strip,
        weights,
        log_density,
        ..
    } = pass.scratch;
    let stride = *stride;
    let r = &mut r.as_mut_slice()[..components.terms() * stride];
    for range in blocks {
        let block = columns(components, pass.data, &range, stride, x.as_mut_slice());
        log_terms::<L>(components, block, stride, y.as_mut_slice(), r);
        match row_weights(pass.data, &range, block.rows, weights.as_mut_slice()) {
            None => normalise(r, stride, block.rows, evidence),
            Some(weights) => {
                let weights = &weights[..block.rows];
                normalise_rows(r, stride, weights, log_density.as_mut_slice(), evidence);
            }
        }
        let (y, strip) = (y.as_mut_slice(), strip.as_mut_slice());
        moments::<L>(components, block, stride, y, r, strip, stats);
    }
}

/// The data of a block as the kernels of the family want them.
#[inline(always)]
fn columns<'a>(
    components: &Components,
    data: &Data<'a>,
    range: &Range<usize>,
    stride: usize,
    room: &'a mut [f64],
) -> Columns<'a> {
    match components.family {
        Family::Small => Columns::view(data, range, stride, room),
        _ => Columns::copy(data, range, stride, room),
    }
}

#[inline(always)]
fn logit_statistics<L: Lanes>(pass: &Pass, evidence: &mut Evidence<L>, stats: &mut MixtureStats) {
    let logit = Logit::new(pass.components);
    let mut sums = LogitSums::new();
    let x = &pass.data.column(0)[pass.rows.clone()];
    let whole = x.len() - x.len() % LOGIT_ROWS;
    let mut rest = [[0.0; LOGIT_ROWS]; 2];
    rest[0][..x.len() - whole].copy_from_slice(&x[whole..]);
    match pass.data.weights() {
        Some(weights) => {
            let weights = &weights[pass.rows.clone()];
            logit.add_weighted(&x[..whole], &weights[..whole], &mut sums);
            rest[1][..x.len() - whole].copy_from_slice(&weights[whole..]);
        }
        None => {
            logit.add(&x[..whole], &mut sums, evidence);
            rest[1][..x.len() - whole].fill(1.0);
        }
    }
    // The last rows are padded with rows of weight zero.
    logit.add_weighted(&rest[0], &rest[1], &mut sums);
    logit.finish(sums, stats.total_weight, stats);
}

/// Where a posterior pass writes: one slice of the shard's rows per component, and one for the log-density.
pub(super) struct Output<'a> {
    pub posterior: Vec<&'a mut [f64]>,
    pub log_density: Option<&'a mut [f64]>,
}

/// Responsibilities and log-densities of the rows of a shard; row weights are not applied.
pub(super) struct Posterior<'a, 'b>(pub Pass<'a>, pub &'a mut Output<'b>);

impl Kernel for Posterior<'_, '_> {
    /// Whether every log-density is finite.
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self) -> bool {
        let Posterior(pass, output) = self;
        let components = pass.components;
        let start = pass.rows.start;
        let blocks = pass.blocks();
        let Scratch {
            stride,
            x,
            r,
            y,
            weights,
            log_density,
            ..
        } = pass.scratch;
        let stride = *stride;
        let r = &mut r.as_mut_slice()[..components.terms() * stride];
        let log_density = log_density.as_mut_slice();
        let weights = weights.as_mut_slice();
        weights.fill(1.0);
        let mut evidence = Evidence::<L>::new(components.terms());
        for rows in blocks {
            let block = columns(components, pass.data, &rows, stride, x.as_mut_slice());
            log_terms::<L>(components, block, stride, y.as_mut_slice(), r);
            let weights = &weights[..block.rows];
            normalise_rows(r, stride, weights, log_density, &mut evidence);
            let to = rows.start - start..rows.end - start;
            for (out, r) in output.posterior.iter_mut().zip(r.chunks_exact(stride)) {
                out[to.clone()].copy_from_slice(&r[..rows.len()]);
            }
            if let Some(out) = &mut output.log_density {
                out[to].copy_from_slice(&log_density[..rows.len()]);
            }
        }
        evidence.log_lik().is_finite()
    }
}

/// Log-densities of every component, weight included, into the columns of `r`; whitened rows into those of `y`.
#[inline(always)]
fn log_terms<L: Lanes>(
    components: &Components,
    block: Columns,
    stride: usize,
    y: &mut [f64],
    r: &mut [f64],
) {
    let (x, rows, d) = (block.x, block.rows, components.dim);
    match components.family {
        Family::PooledFull => {
            let whitening = Triangle {
                center: &components.origin,
                inverse: components.inverse(0),
                constant: 0.0,
            };
            tiled::whiten::<L>(&whitening, x, stride, y, &mut r[..rows]);
        }
        Family::PooledDiagonal => {
            let (center, scale) = (&components.origin, components.inverse(0));
            axes::whiten::<L>(center, scale, x, stride, rows, y);
        }
        _ => {}
    }
    for (component, out) in r
        .chunks_exact_mut(stride)
        .take(components.count)
        .enumerate()
    {
        let out = &mut out[..rows];
        let constant = components.constants[component];
        match (components.family, d) {
            (Family::Small, 2) => small::log_density::<L, 2>(components, component, block, out),
            (Family::Small, 3) => small::log_density::<L, 3>(components, component, block, out),
            (Family::Small, _) => small::log_density::<L, 4>(components, component, block, out),
            (Family::Full, _) => {
                let triangle = Triangle {
                    center: components.center(component),
                    inverse: components.inverse(component),
                    constant,
                };
                let y = &mut y[component * d * stride..][..d * stride];
                tiled::whiten::<L>(&triangle, x, stride, y, out);
            }
            (Family::Diagonal, _) => {
                axes::log_density::<L>(axes_of(components, component), constant, x, stride, out);
            }
            _ => axes::log_density::<L>(axes_of(components, component), constant, y, stride, out),
        }
    }
    if let Some(noise) = components.noise {
        r[components.count * stride..][..rows].fill(noise);
    }
}

/// Adds the moments of a block with responsibilities `r`; `strip` is room for weighted columns.
#[inline(always)]
fn moments<L: Lanes>(
    components: &Components,
    block: Columns,
    stride: usize,
    y: &[f64],
    r: &[f64],
    strip: &mut [f64],
    stats: &mut MixtureStats,
) {
    let (x, rows, d, p) = (block.x, block.rows, components.dim, components.crosses());
    for (component, r) in r.chunks_exact(stride).take(components.count).enumerate() {
        let r = &r[..rows];
        match (components.family, d) {
            (Family::Small, 2) => small::moments::<L, 2>(components, component, block, r, stats),
            (Family::Small, 3) => small::moments::<L, 3>(components, component, block, r, stats),
            (Family::Small, _) => small::moments::<L, 4>(components, component, block, r, stats),
            _ => {
                let count = &mut stats.counts[component];
                let sums = &mut stats.sums.as_mut_slice()[component * d..][..d];
                let crosses = &mut stats.crosses.as_mut_slice()[component * p..][..p];
                let axes = axes_of(components, component);
                match components.family {
                    Family::Full => {
                        let y = &y[component * d * stride..][..d * stride];
                        tiled::moments::<L>(y, stride, r, strip, count, sums, crosses);
                    }
                    Family::Diagonal => {
                        axes::moments::<L>(axes, x, stride, r, count, sums, crosses);
                    }
                    _ => axes::moments::<L>(axes, y, stride, r, count, sums, crosses),
                }
            }
        }
    }
    if components.noise.is_some() {
        stats.noise_count += sum::<L>(&r[components.count * stride..][..rows]);
    }
}

/// The component as diagonal kernels see it; pooled components are whitened already.
#[inline(always)]
fn axes_of(components: &Components, component: usize) -> Axes<'_> {
    Axes {
        center: components.center(component),
        scale: match components.family {
            Family::Diagonal => Some(components.inverse(component)),
            _ => None,
        },
    }
}
