//! Durations in words.

use std::time::Duration;

/// Returns `870 μs`, `38 ms`, `3.0 s`, `2 min 5 s`.
pub fn shown(took: Duration) -> String {
    if took < Duration::from_millis(1) {
        format!("{} μs", took.as_micros())
    } else if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else if took < Duration::from_secs(60) {
        format!("{:.1} s", tenths(took))
    } else {
        format!("{} min {} s", took.as_secs() / 60, took.as_secs() % 60)
    }
}

/// Returns seconds with one decimal, as the lines of migrations have it: `0.1s`. Cut off, not rounded.
pub fn seconds(took: Duration) -> String {
    format!("{:.1}s", tenths(took))
}

/// Returns seconds cut off after one decimal.
fn tenths(took: Duration) -> f64 {
    (took.as_millis() / 100) as f64 / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_grows_with_the_duration() {
        assert_eq!(shown(Duration::from_micros(870)), "870 μs");
        assert_eq!(shown(Duration::from_micros(38_700)), "38 ms");
        assert_eq!(shown(Duration::from_millis(999)), "999 ms");
        assert_eq!(shown(Duration::from_millis(3_000)), "3.0 s");
        assert_eq!(shown(Duration::from_millis(59_990)), "59.9 s");
        assert_eq!(shown(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn seconds_are_cut_off_as_ecto_does() {
        assert_eq!(seconds(Duration::from_millis(199)), "0.1s");
        assert_eq!(seconds(Duration::from_millis(12)), "0.0s");
    }
}
