//! The program under test and those that it is compared with, each called on one database.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::postgres::{Database, Server, Session};
use crate::support::{Postgres, Project, Run, Running};

const PATIENCE: Duration = Duration::from_secs(300);

/// How the program under test dumps: natively. `DBSETUP_TEST_NATIVE_VIA=pg_dump` tries the tests themselves on what is
/// known to be right.
fn via() -> String {
    std::env::var("DBSETUP_TEST_NATIVE_VIA").unwrap_or_else(|_| "native".to_owned())
}

/// A checkout whose one database is the one that `url` names.
pub fn project(server: &Server, url: &str) -> Project {
    Project::new().on(server).repo("core", Postgres).url("core", Some(url))
}

/// Prepares a dump to stdout.
pub fn dump_of<'a>(
    project: &'a Project,
    flags: &str,
    programs: Option<&Path>,
) -> crate::support::command::Command<'a> {
    let line = format!("dump --dump-path - --via {} {flags}", via());
    let command = project.command(&line).timeout(PATIENCE);
    match programs {
        // For the oracle's own way through the program: its pg_dump has to be that of the server.
        Some(programs) => {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", &format!("{}:{path}", programs.display()))
        }
        None => command,
    }
}

/// Returns the structure of a database as the program writes it.
#[track_caller]
pub fn dump(server: &Server, url: &str, flags: &str, programs: Option<&Path>) -> String {
    dump_aloud(server, url, flags, programs).0
}

/// Returns the structure of a database, and the objects that the program says are left out: `SUBSCRIPTION a`.
#[track_caller]
pub fn dump_aloud(server: &Server, url: &str, flags: &str, programs: Option<&Path>) -> (String, Vec<String>) {
    let project = project(server, url);
    let run = dump_of(&project, flags, programs).run();
    run.success();
    let left_out = run
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("warning: ")?.split_once(" is left out: "))
        .map(|(name, _)| name.to_owned())
        .collect();
    (run.stdout, left_out)
}

/// Loads a structure into a new database. What the program keeps there for itself is removed again, so that the
/// database holds what the structure says and nothing else.
///
/// `load` refuses functions in C, since a structure file with one may do whatever the server may. A structure that has
/// some goes the way that the refusal proposes: the same reader and sender, without the rules for structure files.
#[track_caller]
pub fn load(server: &Server, name: &str, structure: &str) -> Database {
    let database = create(server, name);
    let reaches_out = structure.contains("LANGUAGE c") || structure.contains("LANGUAGE \"c\"");
    let project = project(server, &database.url());
    let (project, line) = if reaches_out {
        // What `load` sets by itself.
        let text = format!("SET check_function_bodies = off;\n{structure}");
        (project.file("structure.sql", &text), "run structure.sql")
    } else {
        (project.structure("core", structure), "load")
    };
    project.command(line).timeout(PATIENCE).run().success();
    forget_the_program(&database);
    database
}

/// Makes a database that has nothing that a superuser may have put into every new one.
#[track_caller]
pub fn create(server: &Server, name: &str) -> Database {
    let database = server.database(name);
    server.execute(&format!("create database \"{}\" template template0", database.name()));
    database
}

fn forget_the_program(database: &Database) {
    let mut session = database.session();
    let own = session.query(
        "select c.oid::regclass from pg_class c where c.relkind = 'r' and c.relname in \
         ('dbsetup_migrations', 'dbsetup_meta', 'dbsetup_progress') order by 1",
    );
    for row in own {
        session.execute(&format!("drop table {}", row[0]));
    }
}

/// Runs pg_dump for a structure.
#[track_caller]
pub fn pg_dump(programs: &Path, url: &str, flags: &[&str]) -> String {
    let mut command = Command::new(programs.join("pg_dump"));
    command.arg("--schema-only").args(flags).arg(url).env("PGTZ", "UTC");
    let run = finish(command, "pg_dump");
    run.success();
    run.stdout
}

/// Runs psql over a file of statements, as somebody would who restores a dump: errors do not stop it. Returns their
/// number.
#[track_caller]
pub fn psql(programs: &Path, url: &str, text: &str) -> usize {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("a temporary file can be written");
    let mut command = Command::new(programs.join("psql"));
    command.args(["--no-psqlrc", "--quiet", "--output", "/dev/null", "--file"]).arg(file.path()).arg(url);
    let run = finish(command, "psql");
    run.success();
    run.stderr.lines().filter(|line| line.contains("ERROR:")).count()
}

/// Runs a program to its end.
#[track_caller]
pub fn finish(command: Command, shown: &str) -> Run {
    Running::spawn(command, shown.to_owned(), None, PATIENCE).wait()
}

/// Runs statements one after the other, each by itself, as psql would.
#[track_caller]
pub fn run_each(session: &mut Session, text: &str) {
    for statement in super::statements::split(text) {
        session.execute(statement);
    }
}
