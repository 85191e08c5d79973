//! SQLite files as a test sees them.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, TypeInfo as _, ValueRef as _};
use tokio::runtime::Runtime;

/// One database file.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
}

impl Database {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    #[track_caller]
    pub fn create(&self) {
        let options = SqliteConnectOptions::new().filename(&self.path).create_if_missing(true);
        drop(Session::open(options, &self.path));
        // SQLite writes nothing before the first page is needed.
        if !self.path.exists() {
            std::fs::write(&self.path, "").expect("the directory can be written");
        }
    }

    /// Opens a connection that stays, for transactions and locks. The file must exist.
    #[track_caller]
    pub fn session(&self) -> Session {
        Session::open(SqliteConnectOptions::new().filename(&self.path), &self.path)
    }

    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.session().query(sql)
    }

    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.session().execute(sql);
    }
}

/// An open connection.
pub struct Session {
    runtime: Runtime,
    connection: SqliteConnection,
}

impl Session {
    #[track_caller]
    fn open(options: SqliteConnectOptions, path: &Path) -> Self {
        let runtime = super::postgres::runtime();
        match runtime.block_on(options.connect()) {
            Ok(connection) => Self { runtime, connection },
            Err(error) => panic!("cannot open {}: {error}", path.display()),
        }
    }

    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        match self.try_query(sql) {
            Ok(rows) => rows,
            Err(error) => panic!("{error}\nin: {sql}"),
        }
    }

    pub fn try_query(&mut self, sql: &str) -> sqlx::Result<Vec<Vec<String>>> {
        let rows =
            self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection))?;
        Ok(rows.iter().map(texts).collect())
    }

    #[track_caller]
    pub fn execute(&mut self, sql: &str) {
        self.query(sql);
    }
}

fn texts(row: &SqliteRow) -> Vec<String> {
    (0..row.len())
        .map(|column| {
            let value = row.try_get_raw(column).expect("the column is within the row");
            if value.is_null() {
                return "NULL".to_owned();
            }
            if value.type_info().name() == "BLOB" {
                let bytes: Vec<u8> = row.get_unchecked(column);
                return bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            }
            // SQLite itself turns a number into text.
            row.get_unchecked(column)
        })
        .collect()
}
