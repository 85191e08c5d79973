//! Any text, split as SQLite's.
#![no_main]

#[path = "shared/splitting.rs"]
mod splitting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| splitting::holds(dbsetup::sql::Dialect::Sqlite, bytes));
