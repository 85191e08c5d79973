//! The program `pg_dump`: which one, and how it is run.
//!
//! It refuses a server that is newer than itself, so that its version is looked at first.

mod clean;

use std::cmp::Reverse;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sqlx::postgres::PgSslMode;
use tokio::process::Command;

use crate::driver::{DbError, DbErrorClass, DumpRequest};
use crate::drivers::postgres::census::SQLX_TEST;
use crate::drivers::postgres::error::{advised, own};
use crate::drivers::postgres::place::{Host, Place};
use crate::drivers::postgres::text::name;
use crate::ledger::{META_TABLE, PROGRESS_TABLE};

/// Names the program where several are installed.
const VARIABLE: &str = "PG_DUMP";
/// The first release that can leave out an extension.
const LEAVES_OUT_EXTENSIONS: u32 = 17;
/// Where Debian and its children install one release beside the other.
const RELEASES: &str = "/usr/lib/postgresql";

/// Returns the structure as pg_dump has it, without what belongs to one run of it.
pub(super) async fn dump(
    place: &Place,
    role: Option<&str>,
    version: u32,
    request: &DumpRequest,
) -> Result<String, DbError> {
    let text = run(place, role, version, request).await?;
    clean::clean(&text)
        .map_err(|error| own(DbErrorClass::Program, format!("pg_dump's text cannot be read: {error}")))
}

/// Runs pg_dump and returns its text. `version` is the server's `server_version_num`.
async fn run(
    place: &Place,
    role: Option<&str>,
    version: u32,
    request: &DumpRequest,
) -> Result<String, DbError> {
    let server = version / 10_000;
    let program = find(server, !request.exclude_extensions.is_empty()).await?;
    let mut command = Command::new(&program);
    command.args(arguments(role, request)).stdin(Stdio::null()).kill_on_drop(true);
    // Nothing of the caller's environment decides which server is read, or how.
    for (variable, _) in std::env::vars_os() {
        let text = variable.to_string_lossy();
        if text.starts_with("PG") && !(text == "PGPASSFILE" && place.password.is_none()) {
            command.env_remove(&variable);
        }
    }
    command.env_remove("LANGUAGE").envs(environment(place));
    let output = command.output().await.map_err(|error| {
        own(DbErrorClass::Program, format!("`{}` cannot be run: {error}", program.display()))
    })?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr), place.password.as_deref()));
    }
    String::from_utf8(output.stdout).map_err(|_| own(DbErrorClass::Program, "pg_dump's text is not UTF-8"))
}

/// Returns a program that can read a server of that major version, and can do what is asked for.
async fn find(server: u32, leaves_out_extensions: bool) -> Result<PathBuf, DbError> {
    let wanted = if leaves_out_extensions { server.max(LEAVES_OUT_EXTENSIONS) } else { server };
    let mut newest: Option<(u32, PathBuf)> = None;
    for program in candidates(server) {
        match version_of(&program).await {
            Some(version) if version >= wanted => return Ok(program),
            Some(version) if newest.as_ref().is_none_or(|(newest, _)| *newest < version) => {
                newest = Some((version, program));
            }
            _ => {}
        }
    }
    let message = match newest {
        Some((version, program)) if version >= server => format!(
            "pg_dump {version} (`{}`) cannot leave out an extension; {LEAVES_OUT_EXTENSIONS} and newer can",
            program.display()
        ),
        Some((version, program)) => {
            format!(
                "pg_dump {version} (`{}`) is older than the server, PostgreSQL {server}",
                program.display()
            )
        }
        None => match std::env::var(VARIABLE) {
            Ok(program) if !program.is_empty() => {
                format!("`{VARIABLE}` names `{program}`, which does not run as pg_dump")
            }
            _ => format!("pg_dump is not installed, and the server is PostgreSQL {server}"),
        },
    };
    Err(advised(
        own(DbErrorClass::Unsupported, message),
        format!("install the package `postgresql-client-{wanted}`, or name the program in `{VARIABLE}`"),
    ))
}

/// The programs to be asked, best first.
fn candidates(server: u32) -> Vec<PathBuf> {
    if let Some(program) = std::env::var_os(VARIABLE).filter(|program| !program.is_empty()) {
        return vec![program.into()];
    }
    let mut releases: Vec<(u32, PathBuf)> = std::fs::read_dir(RELEASES)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/pg_dump")))
        })
        .collect();
    // The server's own release writes the same text on every machine; else the newest one.
    releases.sort_by_key(|(version, _)| (*version != server, Reverse(*version)));
    releases.into_iter().map(|(_, program)| program).chain([PathBuf::from("pg_dump")]).collect()
}

async fn version_of(program: &Path) -> Option<u32> {
    let output =
        Command::new(program).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL)")?.1.trim_start();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn arguments(role: Option<&str>, request: &DumpRequest) -> Vec<OsString> {
    let mut arguments: Vec<String> = ["--schema-only", "--no-tablespaces"].map(str::to_owned).into();
    arguments.extend((!request.owners).then(|| "--no-owner".to_owned()));
    arguments.extend((!request.privileges).then(|| "--no-privileges".to_owned()));
    arguments.extend(role.map(|role| format!("--role={role}")));
    arguments.extend(request.schemas.iter().map(|schema| format!("--schema={}", pattern(schema))));
    arguments.push(format!("--exclude-schema={}", pattern(SQLX_TEST)));
    arguments
        .extend(request.exclude_schemas.iter().map(|schema| format!("--exclude-schema={}", pattern(schema))));
    let schema = match request.ledger.as_ref().and_then(|ledger| ledger.schema.as_deref()) {
        Some(schema) => name(schema),
        None => "*".to_owned(),
    };
    for table in [META_TABLE, PROGRESS_TABLE] {
        arguments.push(format!("--exclude-table={schema}.{}", name(table)));
    }
    arguments.extend(
        request.exclude_tables.iter().map(|table| format!("--exclude-table={}", table_pattern(table))),
    );
    let extensions = &request.exclude_extensions;
    arguments
        .extend(extensions.iter().map(|extension| format!("--exclude-extension={}", pattern(extension))));
    arguments.into_iter().map(OsString::from).collect()
}

/// Returns one of our patterns as pg_dump's: `*` and `?` mean the same there, all else is quoted.
/// <https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS>
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(['*', '?']).unwrap_or(rest.len());
        if plain > 0 {
            pattern.push_str(&name(&rest[..plain]));
        }
        let wildcards = rest[plain..].find(|c| c != '*' && c != '?').unwrap_or(rest.len() - plain);
        pattern.push_str(&rest[plain..plain + wildcards]);
        rest = &rest[plain + wildcards..];
    }
    pattern
}

/// Returns the pattern of a table. One without a schema means those of all: to pg_dump it would mean the search path's.
fn table_pattern(text: &str) -> String {
    let (schema, table) = text.split_once('.').unwrap_or(("*", text));
    format!("{}.{}", pattern(schema), pattern(table))
}

fn environment(place: &Place) -> Vec<(&'static str, OsString)> {
    let mode = match place.ssl {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    };
    let host = match &place.host {
        Host::Socket(directory) => directory.clone().into_os_string(),
        Host::Name(name) => name.into(),
    };
    let mut variables: Vec<(&str, OsString)> = vec![
        ("PGHOST", host),
        ("PGPORT", place.port.to_string().into()),
        ("PGUSER", (&place.user).into()),
        ("PGDATABASE", (&place.database).into()),
        ("PGSSLMODE", mode.into()),
        ("PGAPPNAME", "dbsetup dump".into()),
        ("PGCONNECT_TIMEOUT", place.connect_timeout.as_secs().max(1).to_string().into()),
        ("PGCLIENTENCODING", "UTF8".into()),
        // Bounds of partitions and defaults are printed in the session's time zone.
        ("PGTZ", "UTC".into()),
        ("TZ", "UTC".into()),
        ("LC_ALL", "C".into()),
    ];
    for (variable, value) in [
        ("PGPASSWORD", &place.password),
        ("PGSSLROOTCERT", &place.root_cert),
        ("PGSSLCERT", &place.client_cert),
        ("PGSSLKEY", &place.client_key),
    ] {
        variables.extend(value.as_ref().map(|value| (variable, value.into())));
    }
    variables
}

/// Returns the error of a run; the program has no reason to print the password, and does not get to.
fn failed(stderr: &str, password: Option<&str>) -> DbError {
    let stderr = match password.filter(|password| password.len() >= 4) {
        Some(password) => stderr.replace(password, "***"),
        None => stderr.to_owned(),
    };
    let mut lines = stderr
        .lines()
        .map(|line| line.trim_start_matches("pg_dump: ").trim_start_matches("error: ").trim())
        .filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("it said nothing");
    let mut error = own(DbErrorClass::Program, format!("pg_dump failed: {first}"));
    error.notes.extend(lines.map(str::to_owned));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_packager() {
        assert_eq!(parse_version("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("pg_dump (PostgreSQL) 18devel\n"), Some(18));
        assert_eq!(parse_version("mysqldump 8\n"), None);
    }

    #[test]
    fn names_are_quoted_and_patterns_are_not() {
        assert_eq!(table_pattern("app.Users"), "\"app\".\"Users\"");
        assert_eq!(table_pattern("app.tmp_*"), "\"app\".\"tmp_\"*");
        assert_eq!(table_pattern("a\"b"), "*.\"a\"\"b\"");
        assert_eq!(pattern("*_a.[x]?"), "*\"_a.[x]\"?");
    }

    #[test]
    fn the_password_is_never_an_argument_and_never_in_an_error() {
        let asked = DumpRequest { owners: true, privileges: true, ..DumpRequest::default() };
        let all = arguments(None, &asked);
        assert!(!all.contains(&"--no-owner".into()) && !all.contains(&"--no-privileges".into()), "{all:?}");
        let arguments = arguments(Some("owner"), &DumpRequest::default());
        assert!(arguments.contains(&"--no-owner".into()) && arguments.contains(&"--no-privileges".into()));
        assert!(arguments.contains(&"--role=owner".into()));
        assert!(arguments.contains(&"--exclude-table=*.\"dbsetup_meta\"".into()), "{arguments:?}");
        let error = failed("pg_dump: error: connection with s3cret failed\nFATAL: no\n", Some("s3cret"));
        assert_eq!(error.message, "pg_dump failed: connection with *** failed");
        assert_eq!(error.notes, ["FATAL: no"]);
    }
}
