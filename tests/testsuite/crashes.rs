//! What is killed half way is right after one more run, without a person.
//!
//! A try counts only when the fault hit the work in the middle. What must hold after the rerun is asserted for each of
//! them: every statement's effect once, the ledger as the files, nothing left behind.

mod connections;
mod dumps;
mod files;
mod indexes;
mod lite;
mod loads;
mod messages;
#[cfg(unix)]
mod restarts;
mod settings;
#[cfg(unix)]
mod signals;

use crate::support::fault::{expect, is_quiet};
use crate::support::{Run, postgres};

/// Finds a statement of the program that sleeps.
const ASLEEP: &str = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' \
                      and datname = current_database() and application_name like 'dbsetup%'";

/// What a finished run must have left: `rows` marks in the trace, none of them twice, and `versions` in the ledger.
fn complete(run: &Run, session: &mut postgres::Session, rows: usize, versions: usize) -> Result<(), String> {
    if !run.is_success() {
        return Err(run.to_string());
    }
    let check = |session: &mut postgres::Session| {
        let found = session.query("select count(*), count(distinct mark) from trace");
        expect("marks, distinct marks", found, vec![vec![rows.to_string(), rows.to_string()]])?;
        let recorded = session.query("select count(*) from schema_migrations");
        expect("rows of the ledger", recorded, vec![vec![versions.to_string()]])?;
        is_quiet(session)
    };
    check(session).map_err(|why| format!("{why}\n{run}"))
}
