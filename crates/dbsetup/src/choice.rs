//! Which ledger a database has, or gets. Pure: it sees tables, settings and layout, never a connection.

use crate::driver::{FoundTable, Present};
use crate::error::{Error, Kind, Result};
use crate::ledger::{LedgerKind, LedgerTable, META_TABLE, PROGRESS_TABLE};
use crate::repo::Repo;
use crate::sql::Dialect;

/// The ledger, and which of the tables around it exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The table.
    pub table: LedgerTable,
    /// What of it is there.
    pub present: Present,
}

/// Returns the names of tables that [`choose`] wants to hear of.
pub fn names(repo: &Repo) -> Vec<String> {
    let mut names: Vec<String> = LedgerKind::ALL.iter().map(|kind| kind.default_table().to_owned()).collect();
    names.dedup();
    if let Some(table) = &repo.ledger.table {
        names.push(split_qualified(table).1);
    }
    names.extend([META_TABLE.to_owned(), PROGRESS_TABLE.to_owned()]);
    names
}

/// Returns the schema that the configuration names for the ledger; nothing for an engine without schemas.
pub fn configured_schema(repo: &Repo, dialect: Dialect) -> Option<String> {
    let table = repo.ledger.table.as_deref().filter(|_| dialect == Dialect::Postgres)?;
    split_qualified(table).0
}

/// Chooses: the configured ledger, else the one that the database has, else the one that the project's layout speaks
/// for, else ours. `schema` is where a new one is made.
///
/// # Errors
/// [`Kind::Ledger`] when two ledgers answer, or a table with a ledger's name has nobody's shape.
pub fn choose(repo: &Repo, found: &[FoundTable], schema: Option<&str>) -> Result<Choice> {
    let configured = repo.ledger.table.as_deref().map(split_qualified);
    let candidates: Vec<&FoundTable> = found
        .iter()
        .filter(|table| table.name != META_TABLE && table.name != PROGRESS_TABLE)
        .filter(|table| match &configured {
            Some((Some(schema), name)) => &table.name == name && table.schema.as_deref() == Some(schema),
            Some((None, name)) => &table.name == name && table.on_path,
            None => table.on_path,
        })
        .collect();
    let mut known = Vec::new();
    let mut strange = Vec::new();
    for table in candidates {
        match LedgerKind::of_columns(&table.columns) {
            Some(kind) if repo.ledger.kind.is_none_or(|wanted| wanted == kind) => known.push((kind, table)),
            Some(_) if repo.ledger.kind.is_some() && configured.is_none() => {}
            _ => strange.push(table),
        }
    }
    if known.len() > 1
        && let Some(layout) = repo.layout_ledger
        && known.iter().filter(|(kind, _)| *kind == layout).count() == 1
    {
        known.retain(|(kind, _)| *kind == layout);
    }
    match &known[..] {
        [] => {
            let table = new_table(repo, configured, schema);
            match strange.iter().find(|found| found.name == table.name) {
                Some(found) => Err(strange_shape(repo, found)),
                None => Ok(with_companions(table, false, found)),
            }
        }
        [(kind, table)] => {
            let (schema, name) = (table.schema.clone(), table.name.clone());
            let ledger = LedgerTable { kind: *kind, schema, name, wide: is_wide(table) };
            Ok(with_companions(ledger, true, found))
        }
        [(_, first), (_, second), ..] => Err(Error::new(
            Kind::Ledger,
            format!(
                "the database of `{}` has two ledgers: `{}` and `{}`",
                repo.name,
                shown(first),
                shown(second)
            ),
        )
        .help(format!("say which one counts: ledger = {{ table = \"{}\" }} for this repo", shown(first)))),
    }
}

/// Returns the ledger that a repo most likely has, before anything is known of its database. Its schema is named only
/// where the configuration does.
pub fn guess(repo: &Repo, dialect: Dialect) -> LedgerTable {
    let configured = repo.ledger.table.as_deref().map(split_qualified);
    LedgerTable { schema: configured_schema(repo, dialect), ..new_table(repo, configured, None) }
}

/// Chooses a ledger that was decided elsewhere, whether it is there or to be made.
///
/// # Errors
/// [`Kind::Ledger`] when the table is there and has another shape.
pub fn pinned(repo: &Repo, table: &LedgerTable, found: &[FoundTable]) -> Result<Choice> {
    let there = found.iter().find(|other| other.name == table.name && other.schema == table.schema);
    let Some(there) = there else { return Ok(with_companions(table.clone(), false, found)) };
    if LedgerKind::of_columns(&there.columns) != Some(table.kind) {
        return Err(strange_shape(repo, there));
    }
    let table = LedgerTable { wide: is_wide(there), ..table.clone() };
    Ok(with_companions(table, true, found))
}

/// Whether the versions of a table are 64-bit numbers.
fn is_wide(table: &FoundTable) -> bool {
    let version = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case("version"));
    version.is_some_and(|column| {
        let name = column.type_name.to_ascii_lowercase();
        name.contains("bigint") || name.contains("int8")
    })
}

fn new_table(repo: &Repo, configured: Option<(Option<String>, String)>, schema: Option<&str>) -> LedgerTable {
    let kind = repo.ledger.kind.or(repo.layout_ledger).unwrap_or(LedgerKind::Dbsetup);
    let (named_schema, name) = configured.unwrap_or((None, kind.default_table().to_owned()));
    // An engine without schemas has none, whatever is configured.
    let schema = schema.map(|current| named_schema.unwrap_or_else(|| current.to_owned()));
    LedgerTable { kind, schema, name, wide: false }
}

fn with_companions(table: LedgerTable, exists: bool, found: &[FoundTable]) -> Choice {
    let beside = |name: &str| found.iter().any(|other| other.name == name && other.schema == table.schema);
    let present = Present { ledger: exists, meta: beside(META_TABLE), progress: beside(PROGRESS_TABLE) };
    Choice { table, present }
}

fn strange_shape(repo: &Repo, table: &FoundTable) -> Error {
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("{} {}", column.name, column.type_name)).collect();
    Error::new(Kind::Ledger, format!("`{}` is the ledger of no tool that is known", shown(table)))
        .note(format!("its columns are: {}", columns.join(", ")))
        .help(format!(
            "keep the ledger of `{}` in another table: ledger = {{ kind = \"schema_migrations\", table = \"dbsetup_migrations\" }}",
            repo.name
        ))
}

fn shown(table: &FoundTable) -> String {
    match &table.schema {
        Some(schema) => format!("{schema}.{}", table.name),
        None => table.name.clone(),
    }
}

/// Splits `schema.table`; quotes around either part are taken off.
pub(crate) fn split_qualified(name: &str) -> (Option<String>, String) {
    let plain = |part: &str| part.trim_matches('"').to_owned();
    match name.split_once('.') {
        Some((schema, table)) => (Some(plain(schema)), plain(table)),
        None => (None, plain(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Column;
    use crate::migration::testing::repo;

    fn table(schema: &str, name: &str, columns: &[&str]) -> FoundTable {
        let column = |name: &&str| {
            let (name, type_name) = name.split_once(' ').unwrap_or((name, "text"));
            Column { name: name.into(), type_name: type_name.into() }
        };
        FoundTable {
            schema: Some(schema.into()),
            name: name.into(),
            columns: columns.iter().map(column).collect(),
            on_path: schema == "public",
        }
    }

    const SQLX: [&str; 6] =
        ["version bigint", "description", "installed_on", "success", "checksum", "execution_time"];
    const DIESEL: [&str; 2] = ["version", "run_on"];

    #[test]
    fn an_empty_database_gets_the_ledger_of_the_layout_else_ours() {
        let mut repo = repo();
        assert_eq!(choose(&repo, &[], Some("public")).unwrap().table.shown(), "public.schema_migrations");
        repo.layout_ledger = Some(LedgerKind::Sqlx);
        assert_eq!(choose(&repo, &[], Some("public")).unwrap().table.shown(), "public._sqlx_migrations");
    }

    #[test]
    fn the_ledger_that_the_database_has_wins_over_the_layout() {
        let mut repo = repo();
        repo.layout_ledger = Some(LedgerKind::Sqlx);
        let choice =
            choose(&repo, &[table("public", "__diesel_schema_migrations", &DIESEL)], Some("public")).unwrap();
        assert_eq!(choice.table.kind, LedgerKind::Diesel);
        assert!(choice.present.ledger && !choice.present.meta);
    }

    #[test]
    fn two_ledgers_are_an_error_unless_the_layout_decides() {
        let mut repo = repo();
        let both = [
            table("public", "_sqlx_migrations", &SQLX),
            table("public", "__diesel_schema_migrations", &DIESEL),
        ];
        assert_eq!(choose(&repo, &both, Some("public")).unwrap_err().kind(), Kind::Ledger);
        repo.layout_ledger = Some(LedgerKind::Diesel);
        assert_eq!(choose(&repo, &both, Some("public")).unwrap().table.kind, LedgerKind::Diesel);
    }

    #[test]
    fn a_table_of_unknown_shape_is_named_with_its_columns() {
        let ecto = table("public", "schema_migrations", &["version bigint", "inserted_at timestamp"]);
        let error = choose(&repo(), std::slice::from_ref(&ecto), Some("public")).unwrap_err();
        assert!(error.to_string().contains("version bigint, inserted_at timestamp"), "{error}");
        let mut sqlx = repo();
        sqlx.layout_ledger = Some(LedgerKind::Sqlx);
        assert_eq!(choose(&sqlx, &[ecto], Some("public")).unwrap().table.name, "_sqlx_migrations");
    }

    #[test]
    fn a_pinned_ledger_is_that_very_table_whatever_else_is_there() {
        let there = table("tenant", "_sqlx_migrations", &SQLX);
        let other = table("public", "__diesel_schema_migrations", &DIESEL);
        let wanted = LedgerTable {
            kind: LedgerKind::Sqlx,
            schema: Some("tenant".into()),
            name: "_sqlx_migrations".into(),
            wide: false,
        };
        let choice = pinned(&repo(), &wanted, &[other.clone(), there]).unwrap();
        assert!(choice.present.ledger && choice.table.wide && choice.table.shown() == wanted.shown());
        let choice = pinned(&repo(), &wanted, &[other]).unwrap();
        assert!(!choice.present.ledger && choice.table == wanted);
        let strange = table("tenant", "_sqlx_migrations", &DIESEL);
        assert_eq!(pinned(&repo(), &wanted, &[strange]).unwrap_err().kind(), Kind::Ledger);
    }

    #[test]
    fn a_ledger_outside_of_the_search_path_belongs_to_somebody_else() {
        let other = table("tenant", "_sqlx_migrations", &SQLX);
        assert_eq!(
            choose(&repo(), std::slice::from_ref(&other), Some("public")).unwrap().table.kind,
            LedgerKind::Dbsetup
        );
        let mut named = repo();
        named.ledger.table = Some("tenant._sqlx_migrations".into());
        let choice =
            choose(&named, &[other, table("tenant", META_TABLE, &["key", "value"])], Some("public")).unwrap();
        assert_eq!(choice.table.shown(), "tenant._sqlx_migrations");
        assert!(choice.present.meta);
    }
}
