//! The tests of the whole program: the real binary in real workspaces, against real databases.
//!
//! One integration binary, so that it links once. A new file of tests is one `mod` line here; what tests share
//! is in `support`.

#[allow(dead_code, reason = "each test uses the part that it needs")]
#[macro_use]
mod support;

mod aliases;
mod bad_input;
mod caches;
mod check;
mod code;
mod commands;
mod concurrency;
mod crashes;
mod dependencies;
mod documents;
mod drift;
mod embed;
mod errors;
mod floor;
mod generate;
mod git;
mod guides;
mod identity;
mod interop;
mod interruption;
mod layouts;
mod native;
mod output;
mod plans;
mod release;
mod safety;
mod secrets;
mod setup;
mod squash;
mod startup;
mod story;
mod streams;
mod structures;
mod templates;
mod testing;
mod usage;
mod verify;
