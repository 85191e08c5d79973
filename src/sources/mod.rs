//! What Rust sources do with migrations at compile time and at start: `sqlx::migrate!()`, `Migrator::new`,
//! `#[sqlx::test]`. A squash takes files away that these expect to find.

pub mod decision;
mod tokens;

use std::path::{Component, Path, PathBuf};

use dbsetup::repo::Repo;
use walkdir::{DirEntry, WalkDir};

use crate::workspace::Workspace;
use tokens::Call;

/// How a source file uses a directory of migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usage {
    /// `sqlx::migrate!()` or `Migrator::new()`: refuses to start when applied migrations have no file.
    Migrator,
    /// `#[sqlx::test]`: makes databases from the files alone.
    Test,
}

/// One place in the sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is done there.
    pub usage: Usage,
    /// The directory that is read.
    pub migrations: PathBuf,
    /// Whether the file calls `set_ignore_missing(true)`.
    pub ignores_missing: bool,
}

/// Returns every place in the crate at `root` that uses migrations, in order. `default` is the directory that is meant
/// where none is named: sqlx's own, or that of `sqlx.toml`.
pub fn of_crate(root: &Path, default: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let enter = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        // A crate below this one is another one.
        entry.depth() == 0
            || !(entry.file_type().is_dir()
                && (name.starts_with('.') || name == "target" || entry.path().join("Cargo.toml").is_file()))
    };
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(enter).flatten() {
        if entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        // Reading tokens costs; most files have no word of it.
        if !text.contains("sqlx") && !text.contains("migrate!") && !text.contains("Migrator") {
            continue;
        }
        let calls = tokens::calls(&text);
        let ignores_missing = calls.iter().any(|call| matches!(call, Call::IgnoreMissing));
        for call in calls {
            let (usage, line, named) = match call {
                Call::Migrator { line, directory } => (Usage::Migrator, line, directory),
                Call::Test { line, directory } => (Usage::Test, line, directory),
                Call::IgnoreMissing => continue,
            };
            let migrations = named.map_or_else(|| default.to_path_buf(), |named| tidy(&root.join(named)));
            found.push(Found {
                path: entry.path().to_path_buf(),
                line,
                usage,
                migrations,
                ignores_missing: ignores_missing && usage == Usage::Migrator,
            });
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Returns every place in a workspace.
pub fn of_workspace(workspace: &Workspace) -> Vec<Found> {
    let members = workspace.members.iter();
    members.flat_map(|member| of_crate(&member.dir, &workspace.sqlx_migrations(member))).collect()
}

/// Returns those that read a directory of one of the repo's lanes.
pub fn of_repo<'a>(repo: &Repo, found: &'a [Found]) -> Vec<&'a Found> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| tidy(path));
    let lanes: Vec<PathBuf> =
        repo.migrations.iter().chain(&repo.manual_migrations).map(|path| real(path)).collect();
    found.iter().filter(|found| lanes.contains(&real(&found.migrations))).collect()
}

/// Takes `.` and `..` out of a path without looking at the disk.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                tidied.pop();
            }
            part => tidied.push(part),
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the crate")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    #[test]
    fn every_use_is_found_with_its_line_and_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        write(root, "src/main.rs", "fn main() {\n    sqlx::migrate!().run(&pool);\n}\n");
        write(
            root,
            "src/db.rs",
            "// sqlx::migrate!(\"no\")\nstatic M: X = sqlx::migrate!(\"priv/core/migrations\");\n",
        );
        write(
            root,
            "tests/a.rs",
            "#[sqlx::test]\nasync fn a(pool: PgPool) {}\n#[sqlx::test(migrations = false)]\nfn b() {}\n",
        );
        write(root, "target/x.rs", "sqlx::migrate!()");
        write(root, "inner/Cargo.toml", "");
        write(root, "inner/src/main.rs", "sqlx::migrate!()");
        let found = of_crate(root, &root.join("migrations"));
        let shown: Vec<(String, usize, Usage, String)> = found
            .iter()
            .map(|found| {
                let short = |path: &Path| path.strip_prefix(root).expect("below it").display().to_string();
                (short(&found.path), found.line, found.usage, short(&found.migrations))
            })
            .collect();
        let expect = |path: &str, line, usage, dir: &str| (path.to_owned(), line, usage, dir.to_owned());
        assert_eq!(
            shown,
            [
                expect("src/db.rs", 2, Usage::Migrator, "priv/core/migrations"),
                expect("src/main.rs", 2, Usage::Migrator, "migrations"),
                expect("tests/a.rs", 1, Usage::Test, "migrations"),
            ]
        );
        assert!(found.iter().all(|found| !found.ignores_missing));
    }

    #[test]
    fn whoever_ignores_missing_files_is_known() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        write(root, "src/a.rs", "fn a() { sqlx::migrate!().set_ignore_missing(true).run(p); }");
        write(root, "src/b.rs", "fn b() { sqlx::migrate!().set_ignore_missing(false).run(p); }");
        let found = of_crate(root, &root.join("migrations"));
        assert_eq!(found.iter().map(|found| found.ignores_missing).collect::<Vec<_>>(), [true, false]);
    }
}
