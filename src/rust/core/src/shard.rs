//! Rows in fixed shards: the same sums, bit for bit, on any number of threads.
//!
//! Shards depend on the number of rows alone. Threads take them in order; their statistics are merged
//! in shard order by whichever thread completes the next one, so at most about one statistic per thread
//! waits in memory, and the sum never depends on who computed what.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use nalgebra::DMatrix;

use crate::error::{Error, Result};

/// Rows that a kernel processes at once; shard boundaries are multiples of it.
pub const BLOCK_ROWS: usize = 256;

/// The most shards that rows are split into: enough to balance 16 threads, few enough to merge for free.
pub const MAX_SHARDS: usize = 64;

/// Statistics that add: `merge` is associative up to rounding.
pub trait Merge: Send {
    /// Adds `other`, computed from rows that come after those of `self`.
    fn merge(&mut self, other: Self);
}

impl Merge for DMatrix<f64> {
    fn merge(&mut self, other: Self) {
        *self += other;
    }
}

/// Splits `0..n` into at most [`MAX_SHARDS`] ranges whose bounds are multiples of [`BLOCK_ROWS`].
pub fn shards(n: usize) -> Vec<Range<usize>> {
    let blocks = n.div_ceil(BLOCK_ROWS);
    let rows = blocks.div_ceil(MAX_SHARDS).max(1) * BLOCK_ROWS;
    (0..n)
        .step_by(rows)
        .map(|start| start..(start + rows).min(n))
        .collect()
}

/// Applies `expect` to every shard of `0..n` on `threads` threads and merges in shard order.
///
/// # Errors
/// The error of the first shard (in shard order) that failed, or [`Error::Numerical`] when `n` is 0.
pub fn map_merge<S, F>(n: usize, threads: usize, expect: F) -> Result<S>
where
    S: Merge,
    F: Fn(Range<usize>) -> Result<S> + Sync,
{
    let shards = shards(n);
    let threads = threads.clamp(1, shards.len().max(1));
    let mut merged: Option<Result<S>> = None;
    if threads == 1 {
        for shard in shards {
            append(&mut merged, expect(shard));
        }
    } else {
        let next = AtomicUsize::new(0);
        let frontier = Mutex::new(Frontier {
            merged: None,
            expected: 0,
            waiting: BTreeMap::new(),
        });
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(shard) = shards.get(index) else {
                        break;
                    };
                    let statistic = expect(shard.clone());
                    if let Ok(mut frontier) = frontier.lock() {
                        frontier.push(index, statistic);
                    }
                });
            }
        });
        merged = frontier.into_inner().ok().and_then(|f| f.merged);
    }
    merged.unwrap_or_else(|| {
        Err(Error::Numerical {
            message: "there are no rows to summarise".into(),
        })
    })
}

/// Applies `work` to every shard of `0..n` and its parts of `slices` (n values each) on `threads` threads; the results
/// come in shard order.
pub fn map_slices<T, F, const K: usize>(
    n: usize,
    threads: usize,
    slices: [&mut [f64]; K],
    work: F,
) -> Vec<T>
where
    T: Send,
    F: Fn(Range<usize>, [&mut [f64]; K]) -> T + Sync,
{
    let shards = shards(n);
    let threads = threads.clamp(1, shards.len().max(1));
    let mut rest = slices;
    let mut parts = shards.into_iter().map(|shard| {
        let part = rest.each_mut().map(|slice| {
            let (part, others) = std::mem::take(slice).split_at_mut(shard.len());
            *slice = others;
            part
        });
        (shard, part)
    });
    if threads == 1 {
        return parts.map(|(shard, part)| work(shard, part)).collect();
    }
    let count = parts.len();
    let mut queues: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    (0..count).for_each(|k| queues[k % threads].extend(parts.next()));
    let work = &work;
    let mut done: Vec<_> = std::thread::scope(|scope| {
        let workers = queues.into_iter().map(|queue| {
            let one = move |(shard, part)| work(shard, part);
            scope.spawn(move || queue.into_iter().map(one).collect::<Vec<T>>())
        });
        let workers: Vec<_> = workers.collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .map(|done| done.unwrap_or_default().into_iter())
            .collect()
    });
    (0..count)
        .filter_map(|k| done[k % threads].next())
        .collect()
}

/// Merged statistics of shards `0..expected`, and those that finished out of turn.
struct Frontier<S> {
    merged: Option<Result<S>>,
    expected: usize,
    waiting: BTreeMap<usize, Result<S>>,
}

impl<S: Merge> Frontier<S> {
    fn push(&mut self, index: usize, statistic: Result<S>) {
        self.waiting.insert(index, statistic);
        while let Some(statistic) = self.waiting.remove(&self.expected) {
            append(&mut self.merged, statistic);
            self.expected += 1;
        }
    }
}

/// Merges `next` behind `merged`; the first error stays.
fn append<S: Merge>(merged: &mut Option<Result<S>>, next: Result<S>) {
    match (merged.as_mut(), next) {
        (None, first) => *merged = Some(first),
        (Some(Ok(sum)), Ok(next)) => sum.merge(next),
        (Some(slot @ Ok(_)), Err(error)) => *slot = Err(error),
        (Some(Err(_)), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sum(f64, Vec<usize>);

    impl Merge for Sum {
        fn merge(&mut self, other: Self) {
            self.0 += other.0;
            self.1.extend(other.1);
        }
    }

    fn sum_of_logs(threads: usize, n: usize) -> Sum {
        map_merge(n, threads, |rows| {
            Ok(Sum(
                rows.clone().map(|i| (1.0 + i as f64).ln()).sum(),
                vec![rows.start],
            ))
        })
        .unwrap()
    }

    #[test]
    fn shards_cover_the_rows_once() {
        for n in [1, 255, 256, 257, 16_384, 16_385, 1_000_003] {
            let shards = shards(n);
            assert!(shards.len() <= MAX_SHARDS);
            assert_eq!(shards[0].start, 0);
            assert_eq!(shards.last().unwrap().end, n);
            for pair in shards.windows(2) {
                assert_eq!(pair[0].end, pair[1].start);
                assert_eq!(pair[0].end % BLOCK_ROWS, 0);
            }
        }
        assert!(shards(0).is_empty());
    }

    #[test]
    fn threads_do_not_change_bits() {
        let one = sum_of_logs(1, 100_003);
        for threads in [2, 3, 7] {
            let many = sum_of_logs(threads, 100_003);
            assert_eq!(one.0.to_bits(), many.0.to_bits());
            assert_eq!(one.1, many.1);
        }
    }

    #[test]
    fn parts_of_slices_come_back_in_order() {
        let n = 70_001;
        for threads in [1, 2, 3] {
            let (mut a, mut b) = (vec![0.0; n], vec![1.0; n]);
            let starts = map_slices(n, threads, [&mut a, &mut b], |rows, [a, b]| {
                a.iter_mut()
                    .zip(rows.clone())
                    .for_each(|(a, i)| *a = i as f64);
                b.fill(2.0);
                rows.start
            });
            let expected: Vec<usize> = shards(n).into_iter().map(|shard| shard.start).collect();
            assert_eq!(starts, expected);
            assert!(a.iter().enumerate().all(|(i, &a)| a == i as f64));
            assert!(b.iter().all(|&b| b == 2.0));
        }
    }

    #[test]
    fn the_first_error_wins() {
        for threads in [1, 4] {
            let result: Result<Sum> = map_merge(100_000, threads, |rows| {
                if rows.start >= 5 * BLOCK_ROWS {
                    Err(Error::Numerical {
                        message: format!("{}", rows.start),
                    })
                } else {
                    Ok(Sum(0.0, vec![]))
                }
            });
            let message = result.unwrap_err().to_string();
            assert_eq!(message, format!("{}", 7 * BLOCK_ROWS));
        }
    }
}
