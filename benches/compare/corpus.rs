//! Migrations to run: made up, or read from a directory in diesel's layout.

use std::fs;
use std::io;
use std::path::Path;

/// One migration.
#[derive(Debug, Clone)]
struct Migration {
    /// Digits alone.
    version: String,
    name: String,
    sql: String,
    transaction: bool,
}

/// A set of migrations that can be written in the layouts of several tools.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// As a table of results calls it.
    pub name: String,
    migrations: Vec<Migration>,
}

impl Corpus {
    /// Makes `count` migrations of one statement: a table, a column, an index and a column, over and over.
    pub fn made_up(count: usize) -> Self {
        let migrations = (0..count).map(|at| {
            let table = at / 4;
            let sql = match at % 4 {
                0 => format!("create table t{table} (id bigint primary key, a text);\n"),
                1 => format!("alter table t{table} add column b int;\n"),
                2 => format!("create index t{table}_b on t{table} (b);\n"),
                _ => format!("alter table t{table} add column c timestamp;\n"),
            };
            let (version, name) = (format!("2025{:010}", 101_000_000 + at), format!("m{at}"));
            Migration { version, name, sql, transaction: true }
        });
        Self { name: format!("{count} one-statement migrations"), migrations: migrations.collect() }
    }

    /// Reads `DIR/VERSION_NAME/up.sql`, with `metadata.toml` where a migration wants no transaction.
    ///
    /// # Errors
    /// Those of the files, and a directory without migrations.
    pub fn of_diesel(dir: &Path) -> io::Result<Self> {
        let mut migrations = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let up = entry.path().join("up.sql");
            let file_name = entry.file_name().to_string_lossy().into_owned();
            let Some((version, name)) = file_name.split_once('_').filter(|_| up.is_file()) else { continue };
            let metadata = fs::read_to_string(entry.path().join("metadata.toml")).unwrap_or_default();
            let transaction =
                !metadata.lines().any(|line| line.replace(' ', "") == "run_in_transaction=false");
            let (version, name) = (version.replace('-', ""), name.to_owned());
            migrations.push(Migration { version, name, sql: fs::read_to_string(up)?, transaction });
        }
        if migrations.is_empty() {
            return Err(io::Error::other(format!("no VERSION_NAME/up.sql in {}", dir.display())));
        }
        migrations.sort_by(|one, other| one.version.cmp(&other.version));
        let parent = dir.parent().and_then(Path::file_name).unwrap_or(dir.as_os_str()).to_string_lossy();
        Ok(Self { name: format!("{} migrations of {parent}", migrations.len()), migrations })
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.migrations.len()
    }

    /// Returns how many run without a transaction.
    pub fn without_transaction(&self) -> usize {
        self.migrations.iter().filter(|migration| !migration.transaction).count()
    }

    /// Writes one file a migration, as sqlx wants them.
    ///
    /// # Errors
    /// Those of the files.
    pub fn write_sqlx(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        for Migration { version, name, sql, transaction } in &self.migrations {
            let head = if *transaction { "" } else { "-- no-transaction\n" };
            fs::write(dir.join(format!("{version}_{name}.sql")), format!("{head}{sql}"))?;
        }
        Ok(())
    }

    /// Writes one directory a migration, as diesel wants them.
    ///
    /// # Errors
    /// Those of the files.
    pub fn write_diesel(&self, dir: &Path) -> io::Result<()> {
        for Migration { version, name, sql, transaction } in &self.migrations {
            let dir = dir.join(format!("{version}_{name}"));
            fs::create_dir_all(&dir)?;
            fs::write(dir.join("up.sql"), sql)?;
            fs::write(dir.join("down.sql"), "")?;
            if !transaction {
                fs::write(dir.join("metadata.toml"), "run_in_transaction = false\n")?;
            }
        }
        Ok(())
    }
}
