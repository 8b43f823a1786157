//! Markov chains side by side: each is a task with a stream of random numbers of its own.
//!
//! Chain c draws from stream c of the seed, so that the number of threads does not change a bit. A chain that
//! fails keeps what it has and says why; the others go on. So does a chain that is asked to stop.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::rng;
use crate::tasks::{self, Stop};

/// A Markov chain at its current point.
pub trait Sampler: Send {
    /// Moves on by one iteration.
    ///
    /// # Errors
    /// Whatever ends the chain.
    fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()>;

    /// Writes the values that are monitored.
    fn state(&self, to: &mut [f64]);

    /// Ends the burn-in: no adaptation from now on, and acceptance is counted anew.
    fn settle(&mut self) {}

    /// The share of proposals accepted since [`Sampler::settle`]; 1 for a sampler that proposes nothing.
    fn acceptance(&self) -> f64 {
        1.0
    }
}

/// How long chains are, and how many.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Iterations after burn-in.
    pub iterations: usize,
    /// Iterations that are thrown away, during which samplers adapt.
    pub burn_in: usize,
    /// One in so many iterations is kept.
    pub thin: usize,
    pub chains: usize,
    pub threads: usize,
    pub seed: u64,
}

impl Settings {
    /// Checks that there is something to keep.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the setting.
    pub fn validate(&self) -> Result<()> {
        let wrong = |argument, message: &str| {
            Err(Error::Argument {
                argument,
                message: message.into(),
            })
        };
        if self.chains == 0 {
            return wrong("n_chains", "must be at least 1");
        }
        if self.thin == 0 {
            return wrong("thin", "must be at least 1");
        }
        if self.iterations < self.thin {
            return wrong("n_iter", "must be at least `thin`");
        }
        Ok(())
    }

    /// Draws that a chain keeps.
    pub fn kept(&self) -> usize {
        self.iterations / self.thin
    }

    /// Iterations of all chains.
    pub fn total(&self) -> usize {
        self.chains * (self.burn_in + self.iterations)
    }
}

/// What a chain drew.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chain {
    /// Draw after draw, as many values as are monitored each.
    pub values: Vec<f64>,
    /// Share of proposals accepted after burn-in.
    pub acceptance: f64,
    /// Why it ended before its time.
    pub failure: Option<Error>,
}

/// What all chains drew.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    /// Values in a draw.
    pub width: usize,
    pub chains: Vec<Chain>,
    /// Whether somebody asked to stop.
    pub interrupted: bool,
}

/// Runs chains whose samplers `start` makes from the number of the chain and its random numbers, with `width`
/// values monitored. `monitor(iterations done)` is called on this thread and returns `false` to stop.
///
/// # Errors
/// [`Settings::validate`]; [`Error::Interrupted`] when stopped before anything was kept.
pub fn run<S, F>(
    settings: &Settings,
    width: usize,
    start: F,
    monitor: &mut dyn FnMut(usize) -> bool,
) -> Result<Draws>
where
    S: Sampler,
    F: Fn(usize, &mut ChaCha8Rng) -> Result<S> + Sync,
{
    settings.validate()?;
    let done = AtomicUsize::new(0);
    let mut interrupted = false;
    let chains = tasks::run(
        settings.chains,
        settings.threads,
        |number, stop| chain(settings, width, number, &start, &done, stop),
        &mut |_| {
            let go_on = monitor(done.load(Ordering::Relaxed));
            interrupted |= !go_on;
            go_on
        },
    );
    let chains: Vec<Chain> = chains.into_iter().map(Option::unwrap_or_default).collect();
    if interrupted && chains.iter().all(|chain| chain.values.is_empty()) {
        return Err(Error::Interrupted);
    }
    Ok(Draws {
        width,
        chains,
        interrupted,
    })
}

fn chain<S: Sampler>(
    settings: &Settings,
    width: usize,
    number: usize,
    start: &(impl Fn(usize, &mut ChaCha8Rng) -> Result<S> + Sync),
    done: &AtomicUsize,
    stop: &Stop,
) -> Chain {
    let mut rng = rng::stream(settings.seed, number as u64);
    let mut chain = Chain::default();
    let mut draw = || -> Result<()> {
        let mut sampler = start(number, &mut rng)?;
        for iteration in 0..settings.burn_in + settings.iterations {
            if stop.is_raised() {
                break;
            }
            if iteration == settings.burn_in {
                sampler.settle();
            }
            sampler.sweep(&mut rng)?;
            done.fetch_add(1, Ordering::Relaxed);
            let after = (iteration + 1).saturating_sub(settings.burn_in);
            if after > 0 && after % settings.thin == 0 {
                let from = chain.values.len();
                chain.values.resize(from + width, 0.0);
                sampler.state(&mut chain.values[from..]);
            }
        }
        chain.acceptance = sampler.acceptance();
        Ok(())
    };
    chain.failure = draw().err();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// A random walk that fails after `until` iterations.
    struct Walk {
        at: f64,
        iteration: usize,
        until: usize,
        settled: usize,
    }

    impl Sampler for Walk {
        fn sweep(&mut self, rng: &mut ChaCha8Rng) -> Result<()> {
            self.iteration += 1;
            if self.iteration > self.until {
                return Err(Error::Numerical {
                    message: "too far".into(),
                });
            }
            self.at += rng.random::<f64>() - 0.5;
            Ok(())
        }

        fn state(&self, to: &mut [f64]) {
            to[0] = self.at;
            to[1] = self.iteration as f64;
        }

        fn settle(&mut self) {
            self.settled = self.iteration;
        }

        fn acceptance(&self) -> f64 {
            self.settled as f64
        }
    }

    fn walk(until: usize) -> Walk {
        Walk {
            at: 0.0,
            iteration: 0,
            until,
            settled: 0,
        }
    }

    fn settings(threads: usize) -> Settings {
        Settings {
            iterations: 100,
            burn_in: 10,
            thin: 3,
            chains: 4,
            threads,
            seed: 11,
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let draws =
            |threads| run(&settings(threads), 2, |_, _| Ok(walk(1_000)), &mut |_| true).unwrap();
        let one = draws(1);
        assert!(one == draws(2) && one == draws(3));
        assert_ne!(one.chains[0].values, one.chains[1].values);
        for chain in &one.chains {
            assert_eq!(chain.values.len(), 2 * 33);
            assert_eq!(chain.values[1], 13.0, "the third iteration after burn-in");
            assert_eq!(chain.acceptance, 10.0, "settled after burn-in");
        }
    }

    #[test]
    fn a_failing_chain_leaves_the_others_alone() {
        let start = |number, _: &mut ChaCha8Rng| match number {
            0 => Err(Error::NotPositiveDefinite { pivot: 0 }),
            1 => Ok(walk(40)),
            _ => Ok(walk(1_000)),
        };
        let draws = run(&settings(2), 2, start, &mut |_| true).unwrap();
        assert!(draws.chains[0].failure.is_some() && draws.chains[0].values.is_empty());
        assert!(draws.chains[1].failure.is_some());
        assert_eq!(draws.chains[1].values.len(), 2 * 10);
        let whole = run(&settings(1), 2, |_, _| Ok(walk(1_000)), &mut |_| true).unwrap();
        assert_eq!(draws.chains[2..], whole.chains[2..]);
        assert!(!draws.interrupted);
    }

    #[test]
    fn a_stop_keeps_what_was_drawn() {
        let long = Settings {
            iterations: usize::MAX / 8,
            thin: 1_000,
            chains: 2,
            ..settings(2)
        };
        let mut polls = 0;
        let draws = run(&long, 2, |_, _| Ok(walk(usize::MAX)), &mut |done| {
            polls += 1;
            done < 100_000
        });
        let draws = draws.unwrap();
        assert!(draws.interrupted && polls > 0);
        assert!(draws.chains.iter().any(|chain| !chain.values.is_empty()));
        let nothing = run(
            &Settings {
                burn_in: usize::MAX / 8,
                ..long
            },
            2,
            |_, _| Ok(walk(usize::MAX)),
            &mut |_| false,
        );
        assert_eq!(nothing.unwrap_err(), Error::Interrupted);
    }

    #[test]
    fn settings_that_keep_nothing_are_refused() {
        for bad in [
            Settings {
                chains: 0,
                ..settings(1)
            },
            Settings {
                thin: 0,
                ..settings(1)
            },
            Settings {
                iterations: 2,
                ..settings(1)
            },
        ] {
            assert!(bad.validate().is_err());
        }
    }
}
