//! The Gibbs chains of all rows, kept from one E-step to the next.
//!
//! Rows are split into fixed shards; a shard owns the hidden values of its rows and, in every pass over the rows, a
//! stream of random numbers of its own. So the draws depend on the seed and the number of the pass, never on threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;

use super::block::predict;
use super::data::Data;
use super::draws::Draws;
use super::expect::Statistics;
use super::gibbs::{Conditional, Sampler};
use super::layout::{Layout, Parameters};
use super::walker::Walker;
use crate::error::{Error, Result};
use crate::rng;
use crate::shard::{shards, BLOCK_ROWS, MAX_SHARDS};
use crate::tasks;

/// Sweeps before the first draws that count.
pub const BURN_IN: usize = 10;

/// Sweeps without a trace at the head of every later pass: the parameters have moved a little since the last.
const SETTLE: usize = 1;

/// Rows and the places of their parameters.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a Data<'a>,
    pub layout: &'a Layout,
}

/// What a pass over the rows runs on, and who may end it.
pub struct Machine<'m> {
    pub threads: usize,
    /// Asked at least every 50 ms; `false` ends the pass with [`Error::Interrupted`].
    pub go_on: &'m mut dyn FnMut() -> bool,
}

/// The hidden values of all rows.
#[derive(Debug)]
pub struct Chains {
    sampler: Sampler,
    seed: u64,
    /// Passes over the rows so far: the number of the random streams.
    passes: u64,
    /// Rows × width values of each shard, row by row: s*, and y* where it is missing and drawn.
    hidden: Vec<Mutex<Vec<f64>>>,
}

/// A row while its chain is taken up.
pub struct Row<'r> {
    /// Place of the row in its block.
    pub place: usize,
    pub weight: f64,
    /// Place of its pattern among [`Data::distinct`].
    pub pattern: usize,
    pub conditional: &'r Conditional,
    /// e_O.
    pub observed: &'r [f64],
    pub walker: &'r mut Walker,
}

/// What is done with the rows of a shard in a pass.
pub trait Visitor {
    fn row(&mut self, row: Row, rng: &mut ChaCha8Rng);
    /// After the last of `rows`, at most [`BLOCK_ROWS`] that stand together.
    fn block(&mut self, rows: Range<usize>);
}

impl Chains {
    /// Chains that have not begun.
    pub fn new(data: &Data, sampler: Sampler, seed: u64) -> Self {
        let width = sampler.width(data.equations);
        let room = |rows: Range<usize>| Mutex::new(vec![f64::NAN; rows.len() * width]);
        Chains {
            sampler,
            seed,
            passes: 0,
            hidden: shards(data.n).into_iter().map(room).collect(),
        }
    }

    /// Chains as [`Chains::hidden`] and [`Chains::passes`] left them.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `state` when the values are not those of `data`.
    pub fn resume(
        data: &Data,
        sampler: Sampler,
        seed: u64,
        passes: u64,
        hidden: &[f64],
    ) -> Result<Self> {
        let width = sampler.width(data.equations);
        let finite = hidden.iter().all(|x| x.is_finite());
        if hidden.len() != data.n * width || passes == 0 || !finite {
            return Err(Error::Argument {
                argument: "state",
                message: "does not belong to these rows".into(),
            });
        }
        let part = |rows: Range<usize>| hidden[rows.start * width..rows.end * width].to_vec();
        Ok(Chains {
            sampler,
            seed,
            passes,
            hidden: (shards(data.n).into_iter().map(part))
                .map(Mutex::new)
                .collect(),
        })
    }

    /// The hidden values, row by row: s* of each equation; with the full sampler y* of each before them.
    pub fn hidden(&self) -> Vec<f64> {
        let parts = self.hidden.iter();
        parts
            .flat_map(|part| part.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    pub fn passes(&self) -> u64 {
        self.passes
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// `batches` batches of `length` sweeps at `at`.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; [`Error::NotPositiveDefinite`] when Ω is not.
    pub fn draw(
        &mut self,
        rows: Rows,
        at: &Parameters,
        batches: usize,
        length: usize,
        machine: &mut Machine,
    ) -> Result<Draws> {
        let sampler = self.sampler;
        let patterns = rows.data.distinct.iter();
        let constants: Vec<Conditional> = patterns
            .map(|&pattern| Conditional::new(&at.omega, pattern, sampler))
            .collect::<Result<_>>()?;
        let visitor = || Averages::new(rows, sampler, batches, length);
        let shards = self.pass(rows, at, &constants, machine, visitor)?;
        let shards = shards
            .into_iter()
            .map(|averages| averages.statistics(&constants));
        Ok(Draws::new(length, shards.collect()))
    }

    /// One visitor for each shard, in shard order, once it has seen the rows. `constants` are those of the distinct
    /// patterns; what they do not draw stays.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn pass<V: Visitor + Send>(
        &mut self,
        rows: Rows,
        at: &Parameters,
        constants: &[Conditional],
        machine: &mut Machine,
        visitor: impl Fn() -> V + Sync,
    ) -> Result<Vec<V>> {
        let ranges = shards(rows.data.n);
        let begun = self.passes > 0;
        let sweep = Sweep {
            rows,
            at,
            constants,
            places: places(rows.data),
            sampler: self.sampler,
        };
        let (hidden, seed, first) = (&self.hidden, self.seed, self.passes * MAX_SHARDS as u64);
        let task = |shard: usize, stop: &tasks::Stop| {
            let mut visitor = visitor();
            let mut chain = hidden[shard].lock().unwrap_or_else(PoisonError::into_inner);
            let mut rng = rng::stream(seed, first + shard as u64);
            let finished = sweep.visit(
                ranges[shard].clone(),
                (&mut chain, begun),
                &mut visitor,
                (&mut rng, stop),
            );
            finished.then_some(visitor)
        };
        let go_on = &mut machine.go_on;
        let mut stopped = false;
        let results = tasks::run(hidden.len(), machine.threads, task, &mut |_| {
            stopped = stopped || !go_on();
            !stopped
        });
        if stopped {
            return Err(Error::Interrupted);
        }
        let results = results.into_iter().map(Option::flatten);
        let visitors: Option<Vec<V>> = results.collect();
        let visitors = visitors.ok_or(Error::Interrupted)?;
        self.passes += 1;
        Ok(visitors)
    }
}

/// Where each pattern stands among the distinct ones.
fn places(data: &Data) -> Vec<usize> {
    let mut places = vec![0; 1 << data.equations];
    for (place, &pattern) in data.distinct.iter().enumerate() {
        places[usize::from(pattern)] = place;
    }
    places
}

/// One pass over the rows.
struct Sweep<'a> {
    rows: Rows<'a>,
    at: &'a Parameters,
    constants: &'a [Conditional],
    places: Vec<usize>,
    sampler: Sampler,
}

impl Sweep<'_> {
    /// Visits the rows of a shard with their chains; `false` if it was stopped.
    fn visit(
        &self,
        shard: Range<usize>,
        (chain, begun): (&mut [f64], bool),
        visitor: &mut impl Visitor,
        (rng, stop): (&mut ChaCha8Rng, &tasks::Stop),
    ) -> bool {
        let data = self.rows.data;
        let (equations, width) = (data.equations, self.sampler.width(data.equations));
        let mut predicted = vec![0.0; data.components() * BLOCK_ROWS];
        let (mut observed, mut index) = (vec![0.0; equations], vec![0.0; data.components()]);
        let mut walker = Walker::new(equations);
        for start in shard.clone().step_by(BLOCK_ROWS) {
            if stop.is_raised() {
                return false;
            }
            let block = start..(start + BLOCK_ROWS).min(shard.end);
            predict(
                data,
                self.rows.layout,
                self.at,
                block.clone(),
                &mut predicted,
            );
            for number in block.clone() {
                let at = number - start;
                let pattern = self.places[usize::from(data.patterns[number])];
                let conditional = &self.constants[pattern];
                for (component, index) in index.iter_mut().enumerate() {
                    *index = predicted[component * BLOCK_ROWS + at];
                }
                for (e, &j) in observed.iter_mut().zip(&conditional.observed) {
                    *e = data.response[j * data.n + number] - index[j];
                }
                let observed = &observed[..conditional.observed.len()];
                let hidden = &mut chain[(number - shard.start) * width..][..width];
                let slots = conditional.drawn.iter().map(|&c| (c, self.slot(c)));
                walker.enter(conditional, observed, &index[equations..]);
                if begun {
                    walker.resume(slots.clone().map(|(c, slot)| hidden[slot] - index[c]));
                    walker.sweep(conditional, SETTLE, rng);
                } else {
                    walker.begin();
                    walker.sweep(conditional, BURN_IN, rng);
                }
                let row = Row {
                    place: at,
                    weight: data.weight(number),
                    pattern,
                    conditional,
                    observed,
                    walker: &mut walker,
                };
                visitor.row(row, rng);
                if !begun {
                    // Places of outcomes that are seen.
                    hidden.fill(0.0);
                }
                for ((c, slot), error) in slots.zip(walker.errors()) {
                    hidden[slot] = index[c] + error;
                }
            }
            visitor.block(block);
        }
        true
    }

    /// Where a row keeps a component that is drawn.
    fn slot(&self, component: usize) -> usize {
        let unkept = self.rows.data.components() - self.sampler.width(self.rows.data.equations);
        component - unkept
    }
}

/// The E-step of a shard: averages of the draws, batch by batch.
struct Averages<'a> {
    rows: Rows<'a>,
    sampler: Sampler,
    length: usize,
    statistics: Vec<Statistics>,
    /// w E[e] of the rows of the block in columns of [`BLOCK_ROWS`], for each batch.
    weighted: Vec<Vec<f64>>,
    /// Σ w E[k k'] of known errors k = (e_O, e_U), for each batch and pattern; empty where no row has the pattern.
    known: Vec<Vec<Vec<f64>>>,
    /// Σ w of each pattern.
    weights: Vec<f64>,
}

impl<'a> Averages<'a> {
    fn new(rows: Rows<'a>, sampler: Sampler, batches: usize, length: usize) -> Self {
        let patterns = rows.data.distinct.len();
        Averages {
            rows,
            sampler,
            length,
            statistics: vec![Statistics::zeros(rows.layout); batches],
            weighted: vec![vec![0.0; rows.data.components() * BLOCK_ROWS]; batches],
            known: vec![vec![Vec::new(); patterns]; batches],
            weights: vec![0.0; patterns],
        }
    }

    /// The statistics of each batch.
    fn statistics(mut self, constants: &[Conditional]) -> Vec<Statistics> {
        for (statistics, known) in self.statistics.iter_mut().zip(&self.known) {
            statistics.weight = self.weights.iter().sum();
            for ((known, conditional), &weight) in known.iter().zip(constants).zip(&self.weights) {
                if !known.is_empty() {
                    conditional.spread(known, weight, &mut statistics.second);
                }
            }
        }
        self.statistics
    }
}

impl Visitor for Averages<'_> {
    fn row(&mut self, row: Row, rng: &mut ChaCha8Rng) {
        let Row {
            place,
            weight,
            conditional,
            observed,
            walker,
            pattern,
        } = row;
        self.weights[pattern] += weight;
        let (seen, known) = (observed.len(), conditional.known());
        let mut means = observed.to_vec();
        let mut rest = vec![0.0; conditional.rest.len()];
        for (weighted, sums) in self.weighted.iter_mut().zip(&mut self.known) {
            let moments = walker.average(conditional, self.sampler, self.length, rng);
            means.truncate(seen);
            means.extend_from_slice(moments.mean);
            conditional.complete(&means, &mut rest);
            for (&component, &mean) in conditional.components().zip(means.iter().chain(&rest)) {
                weighted[component * BLOCK_ROWS + place] = weight * mean;
            }
            let sums = &mut sums[pattern];
            sums.resize(known * known, 0.0);
            let columns = sums.chunks_exact_mut(known).zip(&means).enumerate();
            for (b, (column, &mean)) in columns {
                let products = column.iter_mut().zip(&means);
                products.for_each(|(sum, other)| *sum += weight * mean * other);
                if let Some(b) = b.checked_sub(seen) {
                    // Of two drawn errors the moment stands in for the product of the means.
                    let d = known - seen;
                    let drawn = column[seen..].iter_mut().zip(&means[seen..]);
                    for ((sum, other), moment) in drawn.zip(&moments.second[b * d..]) {
                        *sum += weight * (moment - mean * other);
                    }
                }
            }
        }
    }

    fn block(&mut self, rows: Range<usize>) {
        let Rows { data, layout } = self.rows;
        for (statistics, weighted) in self.statistics.iter_mut().zip(&self.weighted) {
            statistics.add_cross(data, layout, rows.clone(), weighted);
        }
    }
}
