//! Rounds of measurements side by side, and what they say.
//!
//! A machine drifts: contestants take turns within a round, every round begins with another one, and what counts is
//! the median of the ratios within rounds.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Runs a command to its end.
///
/// # Panics
/// When it fails: a figure of a failed command says nothing.
pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed: {}\n{out}{err}", output.status);
}

/// Runs a command to its end and returns the most memory that it held, in bytes: `VmHWM` of Linux.
pub fn peak_memory(command: &mut Command) -> u64 {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        if let Some(status) = child.try_wait().expect("a child that was started can be waited for") {
            assert!(status.success(), "{command:?} failed: {status}");
            return peak;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Someone who does a piece of work that is timed, after a piece that is not.
pub struct Contestant<'a> {
    prepare: Box<dyn FnMut() + 'a>,
    work: Box<dyn FnMut() + 'a>,
    times: Vec<f64>,
}

impl<'a> Contestant<'a> {
    /// `prepare` is not timed.
    pub fn new(prepare: impl FnMut() + 'a, work: impl FnMut() + 'a) -> Self {
        Self { prepare: Box::new(prepare), work: Box::new(work), times: Vec::new() }
    }

    /// A command that needs nothing before it.
    pub fn of(mut command: Command) -> Self {
        Self::new(|| {}, move || run(&mut command))
    }

    fn time(&mut self) -> f64 {
        (self.prepare)();
        let start = Instant::now();
        (self.work)();
        start.elapsed().as_secs_f64() * 1e3
    }
}

/// Returns the milliseconds that each contestant took in each round, after one round that does not count.
pub fn rounds<const N: usize>(rounds: usize, mut contestants: [Contestant<'_>; N]) -> [Vec<f64>; N] {
    for round in 0..=rounds {
        for turn in 0..N {
            let contestant = &mut contestants[(round + turn) % N];
            let time = contestant.time();
            if round > 0 {
                contestant.times.push(time);
            }
        }
    }
    contestants.map(|contestant| contestant.times)
}

/// Returns the median; of nothing, NaN.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// Combines two series round by round.
pub fn pairs(one: &[f64], other: &[f64], combine: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| combine(*one, *other)).collect()
}
