//! Waits for a condition, with a bound. Tests never sleep and hope.

use std::time::{Duration, Instant};

/// Waits until `condition` holds; panics with `what` when it does not within `bound`.
#[track_caller]
pub fn wait_until(what: &str, bound: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < bound, "waited {bound:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
