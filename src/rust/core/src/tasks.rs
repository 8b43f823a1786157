//! Independent tasks on several threads, watched from the calling thread.
//!
//! R may be asked about interrupts on its main thread only. So workers compute, and the thread that called
//! [`run`] does nothing but watch: it reports progress, and raises [`Stop`] when the monitor says so. Results
//! come back in task order; a task that was never begun is `None`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::time::Duration;

/// How often the watching thread asks its monitor when no task has finished.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);

/// A request to stop, seen by all tasks.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks every task to end with what it has.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs tasks `0..count` on `threads` worker threads.
///
/// `monitor(done)` is called on the calling thread, after each task and at least every 50 ms; it returns
/// `true` to go on and `false` to stop. A long task should look at [`Stop`] itself.
pub fn run<T, F>(
    count: usize,
    threads: usize,
    task: F,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Vec<Option<T>>
where
    T: Send,
    F: Fn(usize, &Stop) -> T + Sync,
{
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    let stop = Stop::default();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            let sender = sender.clone();
            let (stop, next, task) = (&stop, &next, &task);
            scope.spawn(move || loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count || stop.is_raised() {
                    break;
                }
                if sender.send((index, task(index, stop))).is_err() {
                    break;
                }
            });
        }
        drop(sender);
        let mut done = 0;
        loop {
            match receiver.recv_timeout(WATCH_INTERVAL) {
                Ok((index, result)) => {
                    results[index] = Some(result);
                    done += 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !monitor(done) {
                stop.raise();
            }
        }
    });
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_task_order() {
        for threads in [1, 2, 5] {
            let results = run(100, threads, |i, _| i * i, &mut |_| true);
            for (i, result) in results.into_iter().enumerate() {
                assert_eq!(result, Some(i * i));
            }
        }
        assert!(run(0, 2, |i, _| i, &mut |_| true).is_empty());
    }

    #[test]
    fn a_raised_stop_leaves_later_tasks_unbegun() {
        let results = run(
            1_000,
            2,
            |i, stop| {
                while i >= 3 && !stop.is_raised() {
                    std::thread::yield_now();
                }
                i
            },
            &mut |done| done < 3,
        );
        assert!(results.iter().flatten().count() < 1_000);
        assert_eq!(results[3], Some(3));
    }
}
