//! The tests of the whole program: the real binary in real workspaces, against real databases.
//!
//! One integration binary, so that it links once. A new file of tests is one `mod` line here; what tests share
//! is in `support`.

#[allow(dead_code, reason = "each test uses the part that it needs")]
mod support;

mod aliases;
mod concurrency;
mod consent;
mod crashes;
mod interop;
mod interruption;
mod output;
mod usage;
