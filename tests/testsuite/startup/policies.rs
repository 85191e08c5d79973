//! What each policy does with a database that is missing, behind, current or ahead.

use std::time::Duration;

use dbsetup::Kind;
use dbsetup::startup::{Outcome, Policy};

use super::app::{App, block_on};
use crate::support::{Backend, Sqlite};

fn two(backend: Backend) -> App {
    let app = App::new(backend).expect("the backend is available");
    app.migration("1_users", "create table users (id integer primary key, name text);");
    app.migration("2_more", "alter table users add email text;");
    app
}

on_each_database! {
    fn a_missing_database_is_an_error_and_is_made_only_when_asked(backend) {
        let app = two(backend);
        let error = block_on(app.startup().run()).expect_err("there is no database");
        assert_eq!(error.kind(), Kind::DatabaseMissing, "{error}");
        assert!(!app.database().exists());
        let report = block_on(app.startup().create_if_missing().run()).expect("it may be made");
        assert_eq!(report.applied, ["1", "2"]);
        let report = block_on(app.startup().create_if_missing().run()).expect("it is there");
        assert!(matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
    }

    fn requiring_refuses_what_is_behind_and_writes_nothing(backend) {
        let app = two(backend);
        app.database().create();
        let require = || app.startup().policy(Policy::RequireCurrent);
        let error = block_on(require().run()).expect_err("nothing is applied");
        assert_eq!(error.kind(), Kind::Check, "{error}");
        assert!(error.message().contains("2 migrations are pending"), "{error}");
        assert!(app.database().tables().is_empty());
        block_on(app.startup().run()).expect("it can be migrated");
        block_on(require().run()).expect("it is current");
        app.migration("3_last", "create table last (id int);");
        let error = block_on(require().run()).expect_err("one is pending");
        assert!(error.message().contains("3 is pending"), "{error}");
        assert!(!app.database().tables().contains(&"last".to_owned()));
    }

    fn waiting_ends_with_the_migrations_of_another_process(backend) {
        let app = two(backend);
        app.database().create();
        let error = block_on(app.startup().policy(Policy::WaitForCurrent(Duration::from_millis(300))).run());
        assert_eq!(error.expect_err("nobody migrates").kind(), Kind::Check);
        let mut waiting: Vec<_> = (0..3).map(|_| app.start(&["policy wait:60s"])).collect();
        std::thread::sleep(Duration::from_millis(200));
        assert!(waiting.iter_mut().all(crate::support::Running::is_running));
        app.start(&[]).wait().success().stderr_contains("migrated; applied 1 2");
        for running in waiting {
            running.wait().success().stderr_contains("waited; applied");
        }
    }

    fn a_release_that_was_rolled_back_serves_with_a_warning(backend) {
        let app = two(backend);
        app.database().create();
        block_on(app.startup().run()).expect("it can be migrated");
        app.without("migrations/2_more.sql");
        let report = block_on(app.startup().run()).expect("it serves");
        assert_eq!((report.ahead.clone(), report.is_ahead()), (vec!["2".to_owned()], true));
        assert!(report.warnings.iter().any(|text| text.contains("ahead of this application")), "{report:?}");
        let error = block_on(app.startup().strict().run()).expect_err("strict");
        assert_eq!(error.kind(), Kind::Refused);
        let recorded = app.database().column("select version from schema_migrations order by version");
        assert_eq!(recorded, ["1", "2"]);
    }

    fn seeds_of_other_environments_are_never_run(backend) {
        let app = two(backend);
        app.file("seeds.sql", "insert into users (id, name) values (1, 'all');");
        app.file("seeds/prod/a.sql", "insert into users (id, name) values (2, 'prod');");
        app.file("seeds/dev/a.sql", "insert into users (id, name) values (3, 'dev');");
        app.file("seeds/test/a.sql", "insert into users (id, name) values (4, 'test');");
        app.database().create();
        let report = block_on(app.startup().seed().run()).expect("it can be seeded");
        assert_eq!(report.seeded.len(), 2);
        for _ in 0..2 {
            let report = block_on(app.startup().seed().run()).expect("it was seeded");
            assert!(report.seeded.is_empty() && matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
        }
        assert_eq!(app.database().column("select name from users order by id"), ["all", "prod"]);
    }

    fn an_application_that_came_to_a_filled_database_does_not_seed_it(backend) {
        let app = two(backend);
        app.file("seeds.sql", "insert into users (id, name) values (1, 'all');");
        app.database().create();
        block_on(app.startup().run()).expect("it can be migrated");
        let report = block_on(app.startup().seed().run()).expect("it starts");
        assert!(report.seeded.is_empty(), "{report:?}");
    }

    fn the_manual_lane_is_reported_and_never_run(backend) {
        let app = two(backend);
        app.file("manual_migrations/3_drop.sql", "drop table users;");
        app.file("migrations/4_waits.sql", "-- requires: 3\ncreate table later (id int);");
        app.database().create();
        for _ in 0..2 {
            let report = block_on(app.startup().run()).expect("it starts");
            assert_eq!(report.manual_pending, ["3"]);
            assert_eq!(report.blocked.len(), 1);
        }
        assert!(app.database().tables().contains(&"users".to_owned()));
        block_on(app.startup().policy(Policy::RequireCurrent).run()).expect("what can run has run");
    }
}

#[test]
fn what_the_variable_says_is_done_and_what_nobody_meant_is_an_error() {
    let app = two(Sqlite);
    app.database().create();
    app.start(&["policy off"]).wait().success().stderr_contains("off; applied");
    assert!(app.database().tables().is_empty());
    for (value, outcome) in [("off", "off;"), ("1", "migrated; applied 1 2"), ("require", "nothing to do")] {
        let run = app.start_by_variable(Some(value));
        run.success().stderr_contains(outcome);
    }
    app.start_by_variable(Some("yes")).code(1).stderr_contains("RUN_MIGRATIONS is `yes`, which is no policy");
    // The tests are built with debug assertions.
    app.start_by_variable(None).success().stderr_contains("off; applied");
}
