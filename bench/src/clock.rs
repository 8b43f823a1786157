//! CPU time, wall time and peak memory of this process.

use std::fs;
use std::time::Instant;

/// Seconds of one run.
#[derive(Clone, Copy)]
pub struct Time {
    pub cpu: f64,
    pub wall: f64,
}

/// The run with the median CPU time among `repeats`, after one to warm up.
pub fn median(repeats: usize, mut run: impl FnMut()) -> Time {
    run();
    let mut times: Vec<Time> = (0..repeats)
        .map(|_| {
            let (cpu, wall) = (process_cpu(), Instant::now());
            run();
            Time {
                cpu: process_cpu() - cpu,
                wall: wall.elapsed().as_secs_f64(),
            }
        })
        .collect();
    let wall = median_of(&mut times, |time| time.wall);
    let cpu = median_of(&mut times, |time| time.cpu);
    Time { cpu, wall }
}

fn median_of(times: &mut [Time], key: fn(&Time) -> f64) -> f64 {
    times.sort_by(|a, b| key(a).total_cmp(&key(b)));
    key(&times[times.len() / 2])
}

/// Seconds of CPU that all threads have used.
fn process_cpu() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Starts a new peak of resident memory (Linux).
pub fn reset_peak() {
    // Without the permission the peak is that of the whole run, an upper bound.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Peak resident memory in MB.
pub fn peak_mb() -> f64 {
    status("VmHWM:")
}

/// Resident memory now, in MB.
pub fn resident_mb() -> f64 {
    status("VmRSS:")
}

fn status(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .map_or(f64::NAN, |kilobytes| kilobytes / 1024.0)
}
