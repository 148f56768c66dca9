//! What is printed: the machine first, then a figure a line.

use std::io::Write as _;
use std::time::Duration;

/// Says what this ran on and how it was built.
pub(crate) fn machine() {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let allocator = if cfg!(feature = "jemalloc") { "jemalloc" } else { "the system's" };
    let profile = if cfg!(debug_assertions) { "with debug assertions" } else { "optimised" };
    say(&format!(
        "machine: {cores} x {model}, Linux {}, load {load} before; {profile}, allocator {allocator}",
        kernel.trim()
    ));
}

/// One line.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's wish.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Processor time this thread has taken: what a figure of one core goes by where other programs share it.
pub(crate) fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = stat.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// The value below which this part of the samples lies, in milliseconds.
pub(crate) fn percentile_ms(samples: &mut [Duration], part: f64) -> f64 {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    samples.get((last as f64 * part).round() as usize).map_or(0.0, |d| d.as_secs_f64() * 1e3)
}
