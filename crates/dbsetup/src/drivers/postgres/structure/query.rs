//! The queries of a dump: each names what is made of its rows.

use super::catalog::Catalog;
use super::cells::Cells;
use super::presence::Empty;

/// A query over catalogs. Set-based: it is asked once, whatever the number of objects.
pub struct Query {
    /// One statement without a `;`, every name qualified with `pg_catalog`.
    pub sql: String,
    /// Takes a row.
    pub take: fn(&mut Catalog, &mut Cells<'_>),
}

impl Query {
    pub fn new(sql: impl Into<String>, take: fn(&mut Catalog, &mut Cells<'_>)) -> Self {
        Self { sql: sql.into(), take }
    }
}

/// What is known before the queries are written: how they must be worded, and what they must answer.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `server_version_num`, for example 150020.
    pub version: u32,
    /// Whether owners are wanted.
    pub owners: bool,
    /// Whether privileges are wanted.
    pub privileges: bool,
    /// Catalogs that need not be asked.
    pub empty: Empty,
}

impl Facts {
    /// Whether the server is of that major release or newer.
    pub fn since(&self, major: u32) -> bool {
        self.version >= major * 10_000
    }

    /// Returns `new` for that major release and newer ones, else `old`: what a catalog did not have yet.
    pub fn either<'a>(&self, major: u32, new: &'a str, old: &'a str) -> &'a str {
        if self.since(major) { new } else { old }
    }
}

/// The condition that a schema is not the engine's own; `column` holds its identifier. Objects that a user put into
/// the engine's schemas are found by the census.
pub fn in_user_schema(column: &str) -> String {
    format!(
        "{column} NOT IN (SELECT n.oid FROM pg_catalog.pg_namespace n \
         WHERE n.nspname ~ '^pg_(toast|temp)' OR n.nspname IN ('pg_catalog', 'information_schema'))"
    )
}
