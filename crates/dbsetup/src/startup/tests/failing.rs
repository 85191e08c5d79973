//! Which migration a start-up that failed names.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::event::{Event, What};

/// Mends a database while the second attempt runs.
struct Mends {
    database: FakeDatabase,
    attempts: AtomicUsize,
}

impl Observer for Mends {
    fn on(&self, event: &Event) {
        let begins = matches!(&event.what, What::MigrationStarted { version, .. } if version == "1");
        if begins && self.attempts.fetch_add(1, Ordering::SeqCst) == 1 {
            self.database.with(|state| state.poison = None);
        }
    }
}

#[tokio::test]
async fn the_migration_that_failed_is_known_whatever_was_done_about_it() {
    let failing = async |startup: Startup| {
        let mut failing = None;
        let result = startup.carry_out(&tracing::Span::none(), &mut failing).await;
        (result.map(|report| report.outcome.as_str()).ok(), failing)
    };
    let version = |version: &str| Some(version.to_owned());
    let recreate = || OnFailure::Recreate { accept_data_loss: false };
    let fixture = Fixture::new(2);
    assert_eq!(failing(fixture.startup()).await, (Some(Outcome::Migrated.as_str()), None));
    let poisoned = |fixture: &Fixture| fixture.database.with(|state| state.poison = Some("create 2".into()));
    let fixture = Fixture::new(2);
    poisoned(&fixture);
    assert_eq!(failing(fixture.startup().on_failure(recreate())).await, (None, version("2")), "twice");
    // The second attempt succeeds: the first one's failure is what is told.
    let fixture = Fixture::new(2);
    poisoned(&fixture);
    let mends = Mends { database: fixture.database.clone(), attempts: AtomicUsize::new(0) };
    let (outcome, failed) = failing(fixture.startup().on_failure(recreate()).observer(mends)).await;
    assert_eq!((outcome, failed), (Some("recreated"), version("2")));
    // What fails in another way, after a migration that failed, is no migration.
    let fixture = Fixture::new(2);
    poisoned(&fixture);
    let database = fixture.database.clone();
    let breaks = OnFailure::hook(move |failure| {
        database.with(|state| set(state, "format", "2"));
        let answer = if failure.attempt() == 1 { Answer::Retry } else { Answer::Abort };
        Box::pin(async move { answer })
    });
    assert_eq!(failing(fixture.startup().on_failure(breaks)).await, (None, None));
}
