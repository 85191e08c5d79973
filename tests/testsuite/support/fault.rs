//! Loops that disturb the program: chance with a printed seed, a count that is printed, and what must hold after
//! every try.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Database, is_full_run, postgres, wait_until};

/// How long a condition of a fault loop may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Returns how many tries a loop has.
pub fn tries(usual: usize, full: usize) -> usize {
    if is_full_run() { full } else { usual }
}

/// Chance that can be repeated: `DBSETUP_TEST_SEED` chooses the seed.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Returns the chance of a seed.
    pub fn seeded(seed: u64) -> Self {
        // A seed of zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number from 0 to `below` exclusively (xorshift64*).
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below.max(1)
    }

    /// Sleeps for a random part of `most`: the moment of a fault, not a wait for readiness.
    pub fn pause(&mut self, most: Duration) {
        let micros = u64::try_from(most.as_micros()).expect("a pause of a test is short");
        std::thread::sleep(Duration::from_micros(self.below(micros)));
    }

    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// Runs `attempt` until `wanted` tries counted, prints the count, and panics with every verdict that was not right.
///
/// An attempt answers `None` when the fault came too early or too late, so that it does not count, and otherwise
/// whether what was found afterwards is right. It is given its own number, counted or not.
#[track_caller]
pub fn fault_loop(
    name: &str,
    wanted: usize,
    mut attempt: impl FnMut(usize, &mut Random) -> Option<Result<(), String>>,
) {
    let seed =
        std::env::var("DBSETUP_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| u64::from(time.subsec_nanos()))
        });
    let mut random = Random::seeded(seed);
    let (mut counted, mut wrong, mut made) = (0, Vec::new(), 0);
    while counted < wanted && made < wanted * 4 {
        if let Some(verdict) = attempt(made, &mut random) {
            counted += 1;
            wrong.extend(verdict.err().map(|why| format!("try {made}: {why}")));
        }
        made += 1;
    }
    tell(&format!("{name} {}/{counted} (seed {seed}, {made} tries)", counted - wrong.len()));
    assert!(counted == wanted, "{name}: only {counted} of {made} tries hit the work in the middle");
    assert!(wrong.is_empty(), "{name} (DBSETUP_TEST_SEED={seed}):\n{}", wrong.join("\n"));
}

/// Writes a line that a reader of a log sees; the test harness would swallow a `println!`.
pub fn tell(line: &str) {
    // Nothing can be told to a reader who closed the stream.
    _ = writeln!(std::io::stderr(), "{line}");
}

/// Says what is wrong unless `actual` is `expected`.
pub fn expect<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what}: {actual:?} instead of {expected:?}")) }
}

/// The condition on `pg_stat_activity` that finds sessions of the program in the current database.
pub const OURS: &str = "datname = current_database() and application_name like 'dbsetup%'";

/// Waits until a query's answer is something else than nothing, `0` or false; a query that fails has no answer yet.
#[track_caller]
pub fn wait_for(session: &mut postgres::Session, what: &str, query: &str) {
    wait_until(what, PATIENCE, || holds(session, query));
}

/// Whether a query has an answer other than `0` and false.
pub fn holds(session: &mut postgres::Session, query: &str) -> bool {
    session
        .try_query(query)
        .is_ok_and(|rows| rows.first().is_some_and(|row| !["0", "f", "NULL"].contains(&row[0].as_str())))
}

/// Ends the program's sessions from the server's side and waits until they are gone.
#[track_caller]
pub fn terminate(session: &mut postgres::Session) -> usize {
    session.query(&format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where {OURS}")).len()
}

/// What must hold in a PostgreSQL database when no run is at work: no lock, no half-built index, no progress, and
/// no session of ours.
pub fn is_quiet(session: &mut postgres::Session) -> Result<(), String> {
    // A session ends a moment after its client.
    let gone = format!("select count(*) = 0 from pg_stat_activity where {OURS}");
    let start = std::time::Instant::now();
    while !holds(session, &gone) {
        if start.elapsed() > Duration::from_secs(10) {
            return Err("sessions are left".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    for (what, query) in [
        (
            "advisory locks",
            "select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
        ),
        (
            "invalid indexes",
            "select indexrelid::regclass from pg_index where not indisvalid or not indisready",
        ),
    ] {
        let rows = session.try_query(query).map_err(|error| error.to_string())?;
        if !rows.is_empty() {
            return Err(format!("{what} are left: {rows:?}"));
        }
    }
    if holds(session, "select to_regclass('dbsetup_progress') is not null") {
        let rows = session.try_query("select version, done, total from dbsetup_progress");
        let rows = rows.map_err(|error| error.to_string())?;
        if !rows.is_empty() {
            return Err(format!("progress is left: {rows:?}"));
        }
    }
    Ok(())
}

impl Database {
    /// Returns the PostgreSQL database.
    #[track_caller]
    pub fn postgres(self) -> postgres::Database {
        match self {
            Self::Postgres(database) => database,
            Self::Sqlite(_) => panic!("the repo is not PostgreSQL"),
        }
    }
}
