//! What servers say besides their answers: `RAISE NOTICE`, `RAISE WARNING`, "relation already exists, skipping".
//!
//! The PostgreSQL driver gives them to nobody but [`tracing`], as events of one target. They are kept until the repo that
//! was polled meanwhile is known to the face: the runtime has one thread, so whoever is polled is whom they are for.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::Ui;

/// Where the driver sends them.
const TARGET: &str = "sqlx::postgres::notice";

thread_local! {
    static HEARD: RefCell<Vec<Notice>> = const { RefCell::new(Vec::new()) };
}

/// One message of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is a warning rather than a notice.
    pub warning: bool,
    /// The server's words.
    pub text: String,
}

/// Starts to listen. Once a process.
pub fn listen() {
    // Nobody else listens in this process; where somebody does, notices are theirs.
    let _ = tracing::subscriber::set_global_default(Listener);
}

/// Returns what has been said since the last call, oldest first.
pub fn take() -> Vec<Notice> {
    HEARD.take()
}

/// Runs `work` on the database of `repo`, and shows what the server says meanwhile as said to that repo.
pub async fn of<T>(repo: &str, ui: &Ui, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        // What was said before was said to others, who have been polled and have shown it.
        let _ = take();
        let polled = work.as_mut().poll(context);
        ui.notices(repo);
        polled
    })
    .await
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && !metadata.is_span() && *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let warning = *event.metadata().level() <= Level::WARN;
        if is_of_our_own_doing(&message.0) {
            return;
        }
        HEARD.with_borrow_mut(|heard| heard.push(Notice { warning, text: message.0 }));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Whether the server says that a table of ours is there already, which we knew when we asked for it.
fn is_of_our_own_doing(text: &str) -> bool {
    ["dbsetup_meta", "dbsetup_progress"]
        .iter()
        .any(|table| text == format!("relation \"{table}\" already exists, skipping"))
}

struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_and_warnings_of_the_driver_are_heard_and_nothing_else() {
        tracing::subscriber::with_default(Listener, || {
            tracing::info!(target: "sqlx::postgres::notice", message = "a notice");
            tracing::warn!(target: "sqlx::postgres::notice", message = "a warning");
            tracing::debug!(target: "sqlx::postgres::notice", message = "chatter");
            tracing::warn!(target: "sqlx::query", message = "slow");
            let ours = "relation \"dbsetup_meta\" already exists, skipping";
            tracing::info!(target: "sqlx::postgres::notice", message = ours);
        });
        let notice = |warning, text: &str| Notice { warning, text: text.to_owned() };
        assert_eq!(take(), [notice(false, "a notice"), notice(true, "a warning")]);
        assert_eq!(take(), []);
    }
}
