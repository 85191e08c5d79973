//! What a person reads when a start-up fails: settings of the application, and no command that may not be there.

use super::*;
use crate::ledger::LedgerTable;
use crate::repo::Program;

const WHOSE: &str = " (with the release's own program, or with `cargo dbsetup` from a checkout)";

fn help(error: &Error) -> &str {
    error.help_text().expect("it helps")
}

/// A repo of a protected environment.
fn in_production(startup: Startup) -> Startup {
    startup.environment("prod")
}

#[tokio::test]
async fn commands_are_named_without_a_program_until_one_is_named() {
    let fixture = Fixture::new(1);
    let require = || in_production(fixture.startup()).policy(Policy::RequireCurrent);
    let error = wrong(require().run().await);
    let expected = format!(
        "run the migrations of this release first: `migrate --repo core --env prod`{WHOSE}; or let the application do \
         it: `Policy::Migrate`"
    );
    assert_eq!(help(&error), expected);
    let error = wrong(require().program("bin/db").run().await);
    assert!(help(&error).contains("first: `bin/db migrate --repo core`; or"), "{error}");
    // What the release's own program cannot do is done from a checkout.
    let known = Repo { program: Program::release("db"), ..fixture.repo() };
    let known = Startup::of_repo(known).repo().unwrap();
    assert_eq!(known.command("migrate"), "`db migrate --repo core --env dev`");
    assert!(known.explained(&known.command("reset")).ends_with("(from a checkout)"));
}

#[tokio::test]
async fn a_changed_file_is_put_back_where_nothing_may_be_dropped() {
    let fixture = Fixture::new(1);
    in_production(fixture.startup()).run().await.unwrap();
    fixture.file("migrations/1_m.sql", "create other;");
    let error = wrong(in_production(fixture.startup()).run().await);
    assert_eq!(error.kind(), Kind::Changed);
    let advice = help(&error);
    assert!(advice.contains("`resolve 1 --accept-checksum --repo core --env prod`"), "{advice}");
    assert!(advice.ends_with(WHOSE), "{advice}");
    assert!(["redo", "reset", "`cargo dbsetup "].iter().all(|word| !advice.contains(word)), "{advice}");
}

#[tokio::test]
async fn who_misses_a_database_is_told_how_the_start_up_makes_it() {
    let fixture = Fixture::new(1);
    fixture.database.with(|state| state.exists = false);
    let error = wrong(fixture.startup().run().await);
    assert_eq!(error.kind(), Kind::DatabaseMissing);
    assert!(
        help(&error).contains("`.create_if_missing()`") && !help(&error).contains("create --"),
        "{error}"
    );
    // Where nothing is ever written it would not help.
    let error = wrong(fixture.startup().policy(Policy::RequireCurrent).run().await);
    assert!(!help(&error).contains("create_if_missing"), "{error}");
    let error = wrong(fixture.startup().program("db").run().await);
    assert!(help(&error).contains("`db setup --create --repo core --env dev`"), "{error}");
}

#[tokio::test]
async fn a_lock_is_waited_for_longer_by_a_setting_of_the_application() {
    let fixture = Fixture::new(1);
    let ledger =
        LedgerTable { schema: Some("public".into()), ..testing::ledger(crate::ledger::LedgerKind::Dbsetup) };
    fixture.database.hold(&crate::lock::main_key(&ledger));
    for startup in [fixture.startup(), fixture.startup().program("db")] {
        let error = wrong(startup.run().await);
        assert_eq!(error.kind(), Kind::Locked);
        assert!(help(&error).contains("`.lock_wait(..)`"), "{error}");
    }
}

#[tokio::test]
async fn a_warning_says_whose_its_commands_are() {
    let fixture = Fixture::new(2);
    fixture.startup().run().await.unwrap();
    std::fs::remove_file(fixture.directory.path().join("priv/migrations/1_m.sql")).unwrap();
    let helps = Arc::new(std::sync::Mutex::new(Vec::new()));
    struct Helps(Arc<std::sync::Mutex<Vec<String>>>);
    impl Observer for Helps {
        fn on(&self, event: &crate::event::Event) {
            if let crate::event::What::Warning { help: Some(help), .. } = &event.what {
                self.0.lock().unwrap().push(help.clone());
            }
        }
    }
    fixture.startup().observer(Helps(helps.clone())).run().await.unwrap();
    let helps = helps.lock().unwrap().concat();
    assert!(helps.contains(&format!("`status --repo core --env dev`{WHOSE}")), "{helps}");
}

#[tokio::test]
async fn what_was_interrupted_is_not_called_pending() {
    let fixture = Fixture::new(2);
    fixture.file("migrations/2_m.sql", "-- no-transaction\ncreate 2;\ncreate 3;");
    fixture.startup().run().await.unwrap();
    fixture.database.with(|state| {
        state.ledger.rows.pop();
        state.has_progress = true;
        state.ledger.progress.push(Progress {
            version: "2".into(),
            reverting: false,
            done: 1,
            total: 2,
            checksum: String::new(),
            retry: false,
        });
    });
    let error = wrong(fixture.startup().policy(Policy::RequireCurrent).run().await);
    assert_eq!(error.kind(), Kind::Check);
    assert_eq!(error.message(), "migration 2 of `core` is half applied");
    assert!(error.notes().iter().any(|note| note == "1 of its 2 statements are done"), "{error:?}");
    assert!(help(&error).starts_with("finish it: `migrate --repo core --env dev`"), "{error}");
    // Whoever is at it is named, and is to be waited for.
    let ledger =
        LedgerTable { schema: Some("public".into()), ..testing::ledger(crate::ledger::LedgerKind::Dbsetup) };
    fixture.database.hold(&crate::lock::main_key(&ledger));
    let error = wrong(fixture.startup().policy(Policy::RequireCurrent).run().await);
    assert!(error.notes().iter().any(|note| note.ends_with(" is at it")), "{error:?}");
    assert!(help(&error).starts_with("wait for that run"), "{error}");
}
