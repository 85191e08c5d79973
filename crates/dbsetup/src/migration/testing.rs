//! Values that tests of this room share.

use std::path::PathBuf;
use std::time::Duration;

use super::grammar::Grammar;
use super::script::Script;
use super::set::{FileSet, Migration};
use super::version::Version;
use crate::driver::LedgerState;
use crate::ledger::{AppliedRow, LedgerKind, LedgerTable};
use crate::repo::{DatabaseUrl, Lane, Repo, RepoName};

/// A repo `core` below `/shop`, which need not exist.
pub(crate) fn repo() -> Repo {
    let root = PathBuf::from("/shop");
    let url = DatabaseUrl::new("sqlite:core.db");
    Repo {
        disposable: true,
        lock_wait: Duration::from_secs(1),
        display_root: root.clone(),
        root: root.clone(),
        ..Repo::plain(RepoName::new("core"), root.join("priv/core"), url, "dev")
    }
}

/// An automatic migration with an up side.
pub(crate) fn migration(version: &str, sql: &str) -> Migration {
    Migration {
        version: Version::numeric(version).expect("tests use numbers"),
        name: format!("m{version}"),
        lane: Lane::Automatic,
        source: "migrations".into(),
        directory: "/shop/priv/core/migrations".into(),
        grammar: Grammar::Plain,
        unordered: false,
        up: Script::whole(format!("{version}_m{version}.up.sql").into(), sql.into(), true),
        down: None,
        requires: Vec::new(),
        code: None,
    }
}

/// The same with a down side.
pub(crate) fn reversible(version: &str) -> Migration {
    let mut migration = migration(version, "select 1;");
    migration.down =
        Some(Script::whole(format!("{version}_m{version}.down.sql").into(), "select 2;".into(), true));
    migration
}

pub(crate) fn files(migrations: &[Migration]) -> FileSet {
    let mut set = FileSet { migrations: migrations.to_vec(), numeric: true, ..FileSet::default() };
    set.migrations.sort_by(|a, b| a.version.cmp(&b.version));
    set
}

/// A ledger with these versions, applied in this order.
pub(crate) fn state(versions: &[&str]) -> LedgerState {
    let row = |(at, version): (usize, &&str)| AppliedRow {
        version: (*version).into(),
        seq: i64::try_from(at + 1).ok(),
        success: true,
        ..AppliedRow::default()
    };
    LedgerState { rows: versions.iter().enumerate().map(row).collect(), ..LedgerState::default() }
}

pub(crate) fn ledger(kind: LedgerKind) -> LedgerTable {
    LedgerTable { kind, schema: None, name: kind.default_table().into(), wide: false }
}
