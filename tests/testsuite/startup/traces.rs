//! What a start-up tells `tracing`: one span, what it did, and never a password.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use dbsetup::startup::{OnFailure, Outcome, Policy};
use dbsetup::{Source, Startup};

use super::app::{App, block_on};
use crate::support::{Postgres, Sqlite};

/// Writes down everything of whoever's name begins so.
#[derive(Clone)]
struct Notes(Arc<Mutex<String>>, &'static str);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").expect("writing to a string does not fail");
    }
}

impl Notes {
    fn of(target: &'static str) -> Self {
        Self(Arc::default(), target)
    }

    /// Returns what is told while `work` is done, and what comes of that.
    fn taken<T>(target: &'static str, work: impl FnOnce() -> T) -> (T, String) {
        let notes = Self::of(target);
        let result = tracing::subscriber::with_default(notes.clone(), work);
        let text = notes.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (result, text)
    }

    fn note(&self, what: &str, record: impl FnOnce(&mut Line<'_>)) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(what);
        record(&mut Line(&mut text));
        text.push('\n');
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(self.1)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(&format!("span {}", span.metadata().name()), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note("record", |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(&format!("event {}", event.metadata().level()), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_start_is_one_span_that_tells_what_was_done_and_never_the_password() {
    let Some(app) = App::new(Postgres) else { return };
    app.migration("1_users", "create table users (id int);");
    app.database().create();
    let (startups, text) = Notes::taken("dbsetup", || {
        let good = block_on(app.startup().run());
        app.migration("2_wrong", "selct 1;");
        (good, block_on(app.startup().run()))
    });
    startups.0.expect("the first can be applied");
    startups.1.expect_err("the second cannot");
    assert_eq!(text.matches("span dbsetup_startup").count(), 2, "{text}");
    for part in [
        "environment=\"prod\"",
        "policy=migrate",
        "migrated",
        "version=1",
        "start-up done",
        "start-up failed",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let password = app.server().password();
    assert!(password.is_empty() || !text.contains(password), "{text}");
}

#[test]
fn a_start_up_that_is_off_says_why_and_how_it_would_do_something() {
    let app = App::new(Sqlite).expect("it is always available");
    let source = || Startup::new(Source::directory("app", app.directory())).url(app.url());
    // The tests are built with debug assertions, and set no variable.
    let (_, text) = Notes::taken("dbsetup", || block_on(source().run()).expect("it does nothing"));
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("event INFO")).collect();
    let [line] = lines[..] else { panic!("{text}") };
    assert!(line.contains("RUN_MIGRATIONS=migrate") && line.contains("debug assertions"), "{line}");
    let (_, text) =
        Notes::taken("dbsetup", || block_on(source().policy(Policy::Off).run()).expect("nothing"));
    assert!(text.contains("`Policy::Off`") && !text.contains("RUN_MIGRATIONS"), "{text}");
}

#[test]
fn a_migration_is_told_when_it_begins_and_a_failure_in_one_line() {
    let app = App::new(Sqlite).expect("it is always available");
    app.migration("1_users", "create table users (id int);");
    app.migration("2_wrong", "create table more (id int);\nselct\n1;");
    app.database().create();
    let (result, text) = Notes::taken("dbsetup", || block_on(app.startup().run()));
    let error = result.expect_err("the second is wrong");
    assert!(error.to_string().lines().count() > 1, "{error}");
    let at = |wanted: &str| text.find(wanted).unwrap_or_else(|| panic!("{wanted}: {text}"));
    assert!(at("message=migrating") < at("message=migrated"), "{text}");
    let failures: Vec<&str> = text.lines().filter(|line| line.starts_with("event ERROR")).collect();
    let [line] = failures[..] else { panic!("{text}") };
    for part in
        ["start-up failed", "repo=\"app\"", "kind=Statement", "migration=\"2\"", "2_wrong.sql:2:1", "selct"]
    {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
    assert!(!text.contains("help:") && !text.contains("note:"), "{text}");
    // Whoever goes on without the migration is told of it, too.
    let (report, text) =
        Notes::taken("dbsetup", || block_on(app.startup().on_failure(OnFailure::Continue).run()));
    assert!(report.expect("it serves").failure().is_some());
    assert!(text.contains("event ERROR") && text.contains("continues=true"), "{text}");
    // So is whoever had it put back: the first migration of these two succeeds.
    app.without("migrations/2_wrong.sql").migration("3_more", "create table more (id int);");
    app.migration("4_wrong", "selct 1;");
    let restore = OnFailure::RestoreBackup { and_continue: true };
    let (report, text) = Notes::taken("dbsetup", || block_on(app.startup().on_failure(restore).run()));
    assert!(matches!(report.expect("it serves").outcome, Outcome::Restored(_)));
    assert!(text.contains("migration=\"4\""), "{text}");
}

#[test]
fn what_the_server_says_of_our_own_tables_is_nobodys_concern_and_what_it_says_of_others_is() {
    let Some(app) = App::new(Postgres) else { return };
    app.migration("1_users", "create table users (id int);");
    app.file("seeds.sql", "insert into users values (1);");
    app.database().create();
    block_on(app.startup().run()).expect("it can be migrated");
    app.migration("2_again", "create table if not exists users (id int);");
    app.migration("3_alone", "-- no-transaction\nvacuum users;");
    app.database().execute("insert into dbsetup_meta values ('unseeded', 'empty')");
    let (result, text) = Notes::taken("sqlx::postgres::notice", || block_on(app.startup().seed().run()));
    assert_eq!(result.expect("it can be migrated").seeded.len(), 1);
    assert!(text.contains("users"), "{text}");
    assert!(!text.contains("dbsetup") && !text.contains("schema_migrations"), "{text}");
}
