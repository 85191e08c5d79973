//! What a start-up tells `tracing`: one span, what it did, and never a password.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::app::{App, block_on};
use crate::support::Postgres;

/// Writes down everything of ours.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").expect("writing to a string does not fail");
    }
}

impl Notes {
    fn note(&self, what: &str, record: impl FnOnce(&mut Line<'_>)) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(what);
        record(&mut Line(&mut text));
        text.push('\n');
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dbsetup")
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
    let notes = Notes::default();
    let startups = tracing::subscriber::with_default(notes.clone(), || {
        let good = block_on(app.startup().run());
        app.migration("2_wrong", "selct 1;");
        (good, block_on(app.startup().run()))
    });
    startups.0.expect("the first can be applied");
    startups.1.expect_err("the second cannot");
    let text = notes.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
