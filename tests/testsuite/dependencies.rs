//! What the library brings into an application: nothing that an application with sqlx does not have. Cargo resolves real
//! packages; nothing is built.

use std::collections::BTreeSet;

use crate::support::app::App;
use crate::support::{Run, is_full_run};

const OURS: [&str; 2] = ["dbsetup", "dbsetup-build"];

/// A package on sqlx with its default features, or with the library beside it.
fn app(name: &'static str, dependencies: &str, features: Option<&[&str]>) -> App {
    let mut lines = format!("[dependencies]\n{dependencies}");
    if let Some(features) = features {
        lines += &App::ours("dbsetup", features);
        lines += &format!("\n[build-dependencies]\n{}", App::ours("dbsetup-build", &[]));
    }
    App::new(name, &lines).file("src/main.rs", "fn main() {}\n")
}

fn sqlx(features: &[&str]) -> String {
    format!("sqlx = {{ version = \"0.9\", features = {features:?} }}\n")
}

/// Resolves without a network, where everything is known on this machine, or with one.
#[track_caller]
fn resolved(app: &App, line: &str) -> Run {
    let run = app.cargo(&format!("{line} --offline"));
    if run.is_success() { run } else { app.cargo(line) }
}

/// The crates of its lock file, with their versions.
#[track_caller]
fn locked(app: &App) -> BTreeSet<String> {
    resolved(app, "update --workspace").success();
    let lock = std::fs::read_to_string(app.dir().join("Cargo.lock")).expect("it was written");
    let quoted = |line: Option<&str>, key: &str| {
        line.and_then(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1).filter_map(|package| {
        let mut lines = package.trim().lines();
        Some((quoted(lines.next(), "name = ")?, quoted(lines.next(), "version = ")?))
    });
    packages
        .filter(|(name, _)| !name.starts_with("deps-"))
        .map(|(name, version)| format!("{name} {version}"))
        .collect()
}

/// The crates that are built for it, those of build scripts among them.
#[track_caller]
fn built(app: &App) -> BTreeSet<String> {
    let run = resolved(app, "tree --edges normal,build --prefix none");
    run.success();
    let names = run.stdout.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| !is_package(name)).map(str::to_owned).collect()
}

/// Whether a crate is one of these tests' own.
fn is_package(name: &str) -> bool {
    name.starts_with("deps-")
}

/// Leaves our crates out.
fn others(crates: &BTreeSet<String>) -> BTreeSet<String> {
    let is_ours = |name: &&String| OURS.contains(&name.split(' ').next().unwrap_or_default());
    crates.iter().filter(|name| !is_ours(name)).cloned().collect()
}

/// Returns the crates that are built for an application with sqlx and the library, once it is proved that without the
/// library they are the same.
#[track_caller]
fn adds_nothing(names: [&'static str; 2], features: &[&str], ours: &[&str]) -> BTreeSet<String> {
    let alone = app(names[0], &sqlx(features), None);
    let with = app(names[1], &sqlx(features), Some(ours));
    let lock = locked(&with);
    assert_ne!(others(&lock), lock, "the library is not in the lock file");
    assert_eq!(others(&lock), locked(&alone), "sqlx with {features:?}");
    let crates = built(&with);
    assert_eq!(others(&crates), built(&alone), "sqlx with {features:?}");
    crates
}

#[test]
fn a_postgresql_application_gets_no_other_crate_and_no_sqlite() {
    for (at, tls) in ["tls-rustls", "tls-native-tls"].into_iter().enumerate() {
        let names = [["deps-pg-ring", "deps-pg-ring-with"], ["deps-pg-native", "deps-pg-native-with"]][at];
        let crates = adds_nothing(names, &["runtime-tokio", tls, "postgres"], &["postgres"]);
        assert!(crates.contains("sqlx-postgres") && crates.contains("dbsetup"), "{crates:?}");
        for sqlite in ["libsqlite3-sys", "sqlx-sqlite"] {
            assert!(!crates.contains(sqlite), "{sqlite} is built for PostgreSQL");
        }
    }
}

#[test]
fn an_sqlite_application_gets_no_other_crate_and_no_postgresql() {
    let crates = adds_nothing(["deps-lite", "deps-lite-with"], &["runtime-tokio", "sqlite"], &["sqlite"]);
    assert!(crates.contains("libsqlite3-sys") && !crates.contains("sqlx-postgres"), "{crates:?}");
}

#[test]
fn an_application_without_sqlx_chooses_its_tls() {
    let none = app("deps-plain", "", Some(&["postgres"]));
    let crates = built(&none);
    for tls in ["rustls", "native-tls", "openssl-sys", "ring", "libsqlite3-sys", "signal-hook-registry"] {
        assert!(!crates.contains(tls), "{tls} was not asked for");
    }
    assert!(built(&app("deps-ring", "", Some(&["postgres", "tls-rustls"]))).contains("rustls"));
    assert!(built(&app("deps-native", "", Some(&["postgres", "tls-native-tls"]))).contains("native-tls"));
}

/// Two crates that bring SQLite's C library must agree on one: cargo links it once. docs/embedding.md has the versions.
#[test]
fn rusqlite_stands_beside_the_library_within_the_documented_versions() {
    if !is_full_run() {
        eprintln!("skipped: it asks the registry for versions that nothing here is built with");
        return;
    }
    let resolves = |name: &'static str, version: &str, features: &[&str]| {
        let app = app(name, &format!("rusqlite = \"{version}\"\n"), Some(features));
        app.cargo("generate-lockfile").is_success()
    };
    for (version, beside_sqlite) in [("0.31", false), ("0.32", true), ("0.39", true), ("0.40", false)] {
        assert_eq!(resolves("deps-rusqlite", version, &["sqlite"]), beside_sqlite, "rusqlite {version}");
        assert!(resolves("deps-rusqlite-pg", version, &["postgres"]), "rusqlite {version} beside PostgreSQL");
    }
}
