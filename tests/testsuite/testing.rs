//! `#[dbsetup::test]` in a package of an application, on real databases: in threads and in processes, killed and
//! refused.

mod application;
mod refused;

use std::process::Stdio;
use std::time::Duration;

use self::application::{Application, Tester, output};
use crate::support::postgres;
use crate::support::wait_until;

#[test]
fn every_shape_of_a_test_passes_on_postgresql_and_leaves_nothing_but_templates() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    let passed = output(Application::get().tests("postgres").env("DATABASE_URL", tester.url()));
    assert!(passed.contains("0 failed; 1 ignored"), "{passed}");
    assert_eq!(tester.databases(), Vec::<String>::new());
    // Core, other/steps, and two in the binary.
    assert_eq!(tester.templates().len(), 4, "{:?}", tester.templates());
}

#[test]
fn every_shape_of_a_test_passes_on_sqlite_in_files_and_in_memory() {
    for place in ["file", "memory"] {
        let mut tests = Application::get().tests("sqlite");
        let passed = output(tests.env("DATABASE_URL", "sqlite:app.db").env("DBSETUP_TEST_SQLITE", place));
        assert!(passed.contains("0 failed"), "{passed}");
    }
    assert!(!Application::get().path("app.db").exists(), "the application's own database is not touched");
}

#[test]
fn processes_that_begin_at_once_make_each_template_once() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    let processes: Vec<_> = (0..3)
        .map(|_| {
            let mut tests = Application::get().tests("postgres");
            tests.env("DATABASE_URL", tester.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
            tests.spawn().expect("the tests can be started")
        })
        .collect();
    for process in processes {
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(tester.databases(), Vec::<String>::new());
    assert_eq!(tester.templates().len(), 4, "{:?}", tester.templates());
}

#[test]
fn each_test_may_be_a_process_of_its_own() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    if let Some(mut nextest) = Application::get().nextest() {
        nextest.args(["--test", "postgres"]).env("DATABASE_URL", tester.url());
        let passed = output(&mut nextest);
        assert!(passed.contains("23 passed"), "{passed}");
    } else {
        let names = output(Application::get().tests("postgres").arg("--list"));
        let processes: Vec<_> = names
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(|name| {
                let mut test = Application::get().tests("postgres");
                test.args(["--exact", name]).env("DATABASE_URL", tester.url());
                (name, test.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started"))
            })
            .collect();
        for (name, process) in processes {
            let output = process.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
    assert_eq!(tester.databases(), Vec::<String>::new());
}

#[test]
fn what_a_killed_process_left_is_removed_by_the_next_and_not_while_it_lives() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    let mut stays = Application::get().tests("postgres");
    stays.args(["stays_when_told", "--exact"]).env("STAY", "1").env("DATABASE_URL", tester.url());
    let mut stays = stays.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be started");
    wait_until("the database is there", Duration::from_secs(60), || tester.databases().len() == 1);
    let mut other = Application::get().tests("postgres");
    other.args(["a_pool", "--exact"]).env("DATABASE_URL", tester.url());
    output(&mut other);
    assert_eq!(tester.databases().len(), 1, "its process lives");
    stays.kill().expect("it is there");
    stays.wait().expect("it ends");
    wait_until("the server has noticed", Duration::from_secs(30), || tester.sessions() == 0);
    output(&mut other);
    assert_eq!(tester.databases(), Vec::<String>::new());
}

#[test]
fn a_file_that_a_killed_process_left_is_removed_by_the_next_and_not_while_it_lives() {
    use std::io::BufRead as _;
    let mut stays = Application::get().tests("sqlite");
    stays
        .args(["stays_when_told", "--exact", "--nocapture"])
        .env("STAY", "1")
        .env("DATABASE_URL", "sqlite:app.db");
    let mut stays = stays.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be started");
    let lines = std::io::BufReader::new(stays.stdout.take().expect("it is piped")).lines();
    // The harness may have written to the same line before.
    let path = lines
        .map_while(Result::ok)
        .find_map(|line| line.find('/').filter(|_| line.ends_with(".db")).map(|at| line[at..].to_owned()))
        .expect("it says where its database is");
    let path = std::path::PathBuf::from(path);
    let mut other = Application::get().tests("sqlite");
    other.args(["a_pool", "--exact"]).env("DATABASE_URL", "sqlite:app.db");
    output(&mut other);
    assert!(path.is_file(), "its process lives");
    stays.kill().expect("it is there");
    stays.wait().expect("it ends");
    output(&mut other);
    assert!(!path.exists());
}

#[test]
fn the_database_of_a_failing_test_is_kept_when_asked_until_the_test_runs_again() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    let mut failing = Application::get().tests("postgres");
    failing.arg("fails_").env("DATABASE_URL", tester.url());
    let said = application::failure(failing.env("FAIL", "1"));
    assert!(!said.contains("kept"), "{said}");
    assert_eq!(tester.databases(), Vec::<String>::new());
    let said = application::failure(failing.env("DBSETUP_TEST_KEEP", "1"));
    let kept = tester.databases();
    assert_eq!(kept.len(), 2, "one by a panic, one by an error: {said}");
    assert!(kept.iter().all(|name| said.contains(name)), "{said}");
    assert!(!said.contains(server.password()) && !said.contains(tester.password()), "{said}");
    output(failing.env_remove("FAIL"));
    assert_eq!(tester.databases(), Vec::<String>::new());
}

#[test]
fn a_connection_that_is_never_given_back_is_named() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    let mut holds = Application::get().tests("postgres");
    holds.arg("holds_a_connection_when_told").env("HOLD", "1");
    let said = output(holds.env("DATABASE_URL", tester.url()));
    assert!(said.contains("was not given back within 10 s"), "{said}");
    assert_eq!(tester.databases(), Vec::<String>::new());
}
