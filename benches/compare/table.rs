//! What was found, line by line as it is found, and a table at the end.

use super::contest::{median, pairs};

/// What a goal speaks of.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// Ours by the peer's.
    Ratio(f64),
    /// Ours less the peer's, in milliseconds.
    Excess(f64),
    /// A number of round trips.
    Trips(u64),
    /// Bytes of memory.
    Memory(u64),
}

/// Every line so far.
#[derive(Debug, Default)]
pub struct Table {
    lines: Vec<[String; 6]>,
    missed: usize,
}

impl Table {
    /// Adds a comparison in milliseconds. `cargo` is the time of `cargo metadata` in the same rounds, taken off ours.
    pub fn times(&mut self, what: &str, peer: &str, ours: &[f64], cargo: &[f64], peers: &[f64], goal: Goal) {
        let own =
            if cargo.is_empty() { ours.to_vec() } else { pairs(ours, cargo, |ours, cargo| ours - cargo) };
        let ratios = pairs(&own, peers, |ours, peer| ours / peer);
        let (found, text, limit) = match goal {
            Goal::Excess(limit) => {
                let excess = pairs(&own, peers, |ours, peer| ours - peer);
                (median(&excess), format!("{:+.1} ms", median(&excess)), (limit, format!("{limit:+.1} ms")))
            }
            Goal::Ratio(limit) => {
                let (low, high) = quartiles(&ratios);
                let text = format!("{:.3} ({low:.3}..{high:.3})", median(&ratios));
                (median(&ratios), text, (limit, format!("{limit:.3}")))
            }
            Goal::Trips(_) | Goal::Memory(_) => unreachable!("counted, not timed"),
        };
        let mut shown = format!("{:.1} ms", median(&own));
        if !cargo.is_empty() {
            shown.push_str(&format!(" + {:.1} cargo", median(cargo)));
        }
        let peer = format!("{peer} {:.1} ms", median(peers));
        self.add(what, shown, peer, text, limit.1, found <= limit.0);
    }

    /// Adds a number that stands for itself.
    pub fn count(&mut self, what: &str, found: u64, goal: Goal) {
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let (shown, limit, ok) = match goal {
            Goal::Trips(limit) => (found.to_string(), limit.to_string(), found <= limit),
            Goal::Memory(limit) => (mib(found), mib(limit), found <= limit),
            Goal::Ratio(_) | Goal::Excess(_) => unreachable!("timed, not counted"),
        };
        self.add(what, shown, String::new(), String::new(), limit, ok);
    }

    fn add(&mut self, what: &str, ours: String, peer: String, found: String, limit: String, ok: bool) {
        self.missed += usize::from(!ok);
        let word = if ok { "ok" } else { "missed" };
        eprintln!("{what}: {ours} | {peer} | {found} | at most {limit}: {word}");
        self.lines.push([what.to_owned(), ours, peer, found, limit, word.to_owned()]);
    }

    /// Prints everything as a table of Markdown.
    pub fn print(&self) {
        println!("| what | ours | peer | ratio (quartiles) | at most | |");
        println!("|---|---:|---:|---:|---:|---|");
        for line in &self.lines {
            println!("| {} |", line.join(" | "));
        }
        println!("\n{} of {} goals missed", self.missed, self.lines.len());
    }
}

fn quartiles(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |quarter: usize| sorted.get(sorted.len() * quarter / 4).or(sorted.last()).copied();
    (at(1).unwrap_or(f64::NAN), at(3).unwrap_or(f64::NAN))
}
