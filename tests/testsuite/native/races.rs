//! Dumps while another session changes the structure.
//!
//! The session goes to and fro between a few states, each change in one transaction. A dump has to show one of these
//! states to the byte, or say that the structure keeps changing; anything else is a mixture that never was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::programs;
use crate::support::fault::{Random, tell, tries};
use crate::support::postgres::{self, Database};

/// What is there in every state. The more there is, the longer a dump takes, and the more often it is hit.
const STANDING: &str = "
    create function {schema}.checked(integer) returns boolean language sql immutable as 'select $1 > 0';
    do $$ begin for n in 1..150 loop
      execute format('create table {schema}.standing_%s (id bigserial primary key, note text default %L, at timestamptz,
        check (length(note) < 100))', n, 'text');
      execute format('create index on {schema}.standing_%s (note, at)', n);
      execute format('create view {schema}.view_%s as select s.id, g from {schema}.standing_%s s, generate_series(1, 2) g', n, n);
    end loop; end $$;";

/// From one state to the next, in a circle. What is renamed stands in the text of many objects, which the server writes
/// from the newest catalogs, whatever a transaction sees.
const STEPS: [&str; 4] = [
    "alter table moving.one rename to two; alter table moving.two rename column a to b",
    "drop view moving.shown; drop table moving.child; alter function moving.f(integer) rename to g",
    "alter table moving.two rename column b to a; alter table moving.two rename to one;
     alter function moving.g(integer) rename to f",
    "create table moving.child (id integer primary key, one integer references moving.one, check (moving.f(one)));
     create view moving.shown as select c.id, o.a from moving.child c join moving.one o on o.id = c.one",
];

const START: &str = "
    create schema moving;
    create function moving.f(integer) returns boolean language sql immutable as 'select $1 > 0';
    create table moving.one (id integer primary key, a integer default 1, constraint positive check (moving.f(a)),
      constraint sum check (a + id > 0));
    create index one_a on moving.one ((a + 1)) where a > 2;
    create table moving.child (id integer primary key, one integer references moving.one, check (moving.f(one)));
    create view moving.shown as select c.id, o.a from moving.child c join moving.one o on o.id = c.one;";

fn prepared(server: &postgres::Server) -> Database {
    let database = programs::create(server, "races");
    let mut session = database.session();
    session.execute("create schema standing");
    session.execute(&STANDING.replace("{schema}", "standing"));
    session.execute(START);
    database
}

/// Changes the structure until it is told to stop.
struct Changes {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Changes {
    fn begin(url: String, pause: Duration, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut session = postgres::Session::open(&url);
            let mut random = Random::seeded(seed);
            let mut made = 0;
            while !told.load(Ordering::Relaxed) {
                // Several statements in one message are one transaction.
                session.execute(STEPS[made % STEPS.len()]);
                made += 1;
                random.pause(pause);
            }
            made
        });
        Self { stop, thread: Some(thread) }
    }

    /// Returns how many changes were made.
    fn end(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it is ended once").join().expect("every change succeeds")
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // A test that failed drops its database next.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

#[test]
fn a_dump_shows_one_state_of_a_structure_that_changes_or_says_that_it_changes() {
    let Some(server) = postgres::server() else { return };
    let database = prepared(&server);
    let project = programs::project(&server, &database.url());
    let mut states = Vec::new();
    for step in STEPS {
        let run = programs::dump_of(&project, "", None).run();
        run.success();
        states.push(run.stdout);
        database.execute(step);
    }
    assert!(
        (1..states.len()).all(|at| !states[..at].contains(&states[at])),
        "each state has bytes of its own"
    );

    let (mut shown, mut refused, mut made, mut wrong) = ([0; STEPS.len()], 0, 0, Vec::new());
    let wanted = tries(24, 120);
    for round in 0..wanted {
        // From changes without a pause, where hardly a dump can succeed, to few enough that most do.
        let pause = [0, 50, 500, 4000].map(Duration::from_millis)[round % 4];
        let changes = Changes::begin(database.url(), pause, round as u64);
        let run = programs::dump_of(&project, "", None).run();
        let count = changes.end();
        made += count;
        // The next round begins where the circle begins.
        for step in
            STEPS.iter().skip(count % STEPS.len()).take((STEPS.len() - count % STEPS.len()) % STEPS.len())
        {
            database.execute(step);
        }
        if run.is_success() {
            match states.iter().position(|state| *state == run.stdout) {
                Some(state) => shown[state] += 1,
                None => wrong.push(mixture(&states, &run.stdout)),
            }
        } else if run.stderr.contains("while its structure is read") || run.stderr.contains("chang") {
            refused += 1;
        } else {
            wrong.push(run.to_string());
        }
    }
    tell(&format!(
        "dumps during {made} changes: {shown:?} showed one of the states, {refused} said that it changes, {} of {wanted} \
         were wrong",
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(shown.iter().sum::<usize>() > 0, "not one dump came through");
}

/// Says how a dump differs from the state that it is nearest to.
fn mixture(states: &[String], text: &str) -> String {
    let nearest = states
        .iter()
        .map(|state| super::statements::difference(state, text))
        .min_by_key(|(left, right)| left.len() + right.len())
        .expect("there are states");
    format!(
        "a mixture\n--- a state has\n{}\n--- and the dump\n{}",
        nearest.0.join("\n"),
        nearest.1.join("\n")
    )
}
