//! The rows that a structure file holds: a squash has put them there, and nothing but the file may have them any more. Pure.

use super::recorded::is_ledger_name;
use super::rows::{setting, shell};
use super::{format, header};
use crate::choice::split_qualified;
use crate::driver::TableName;
use crate::error::{Error, Kind};
use crate::ledger::{META_TABLE, PROGRESS_TABLE};
use crate::repo::{KeepData, Repo};
use crate::sql::{self, Dialect};

/// Returns the tables whose rows a structure file of ours holds, sorted; `configured` is the ledger's table, whose rows do
/// not count. None in files of others: what is in them was never decided here.
pub(super) fn held(dialect: Dialect, text: &str, configured: Option<&str>) -> Vec<TableName> {
    const OURS: [&str; 3] = [META_TABLE, PROGRESS_TABLE, "sqlite_sequence"];
    if !text.trim_start_matches('\u{feff}').starts_with(format::HEADER) {
        return Vec::new();
    }
    let configured = configured.map(|table| split_qualified(table).1);
    let mut tables = Vec::new();
    // Text that does not split is told by whoever loads it.
    for span in sql::split(dialect, text).unwrap_or_default() {
        let Some(table) = filled(dialect, &text[span.range]) else { continue };
        let is_own =
            is_ledger_name(&table.name, configured.as_deref()) || OURS.contains(&table.name.as_str());
        if !is_own && !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables.sort();
    tables
}

/// Returns the table that an INSERT fills; nothing for other statements.
fn filled(dialect: Dialect, statement: &str) -> Option<TableName> {
    let mut tokens = sql::significant(dialect, statement);
    if !tokens.next()?.is_word("insert") || !tokens.next()?.is_word("into") {
        return None;
    }
    let name = |token| sql::identifier_name(dialect, token).map(std::borrow::Cow::into_owned);
    let first = name(tokens.next()?)?;
    Some(match tokens.next() {
        Some(token) if token.text == "." => TableName { schema: Some(first), name: name(tokens.next()?)? },
        _ => TableName { schema: None, name: first },
    })
}

/// Returns the tables whose rows a structure's text holds although neither `keep-data` nor the head of the file names
/// them: the next dump would not write them.
pub fn unnamed_rows(repo: &Repo, dialect: Dialect, text: &str) -> Vec<TableName> {
    let without = header::without_rows(text);
    let mut tables = held(dialect, text, repo.ledger.table.as_deref());
    tables.retain(|table| {
        let is = |named: &str| means(dialect, named, table);
        !repo.keep_data.iter().any(|kept| is(&kept.table)) && !without.iter().any(|named| is(named))
    });
    tables
}

/// Whether a name may mean a table; one without a schema means it in any.
fn means(dialect: Dialect, named: &str, table: &TableName) -> bool {
    let is_same = |one: &str, other: &str| match dialect {
        Dialect::Postgres => one == other,
        Dialect::Sqlite => one.eq_ignore_ascii_case(other),
    };
    if is_same(named, &table.shown()) || is_same(named, &table.name) {
        return true;
    }
    let (schema, name) = split_qualified(named);
    let is_there = match (&schema, &table.schema) {
        (Some(schema), Some(own)) => schema == own,
        (Some(schema), None) => schema == "main",
        (None, _) => true,
    };
    is_there && is_same(&name, &table.name)
}

/// Returns the refusal to lose rows of these tables, with both answers ready to paste.
pub fn unnamed_rows_error(repo: &Repo, tables: &[TableName]) -> Error {
    let names: Vec<String> = tables.iter().map(TableName::shown).collect();
    let mut kept = repo.keep_data.clone();
    kept.extend(names.iter().map(|table| KeepData { table: table.clone(), except: Vec::new() }));
    let dropped: Vec<String> = names.iter().map(|name| format!(" --drop-data {}", shell(name))).collect();
    let message = format!(
        "`{}` holds rows of {}, and `keep-data` does not name {}",
        repo.shown(&repo.structure).display(),
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        if names.len() == 1 { "it" } else { "them" },
    );
    Error::new(Kind::Refused, message)
        .note("a dump would leave them out: where migrations were squashed, nothing else has these rows")
        .help(format!(
            "keep them, in Cargo.toml below [package.metadata.dbsetup.repos.{}]: `{}`; or leave them out: {}",
            repo.name,
            setting(&kept),
            repo.command(&format!("dump{}", dropped.concat()))
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::repo;

    const TEXT: &str = "-- dbsetup structure format 1 (postgresql)\n-- without rows: public.log\n\n\
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$\nINSERT INTO \"public\".\"inner\" VALUES (1);\n$$;\n\
        INSERT INTO \"public\".\"plans\" (\"id\") VALUES (1);\n\
        INSERT INTO \"public\".\"plans\" (\"id\") VALUES (2);\n\
        INSERT INTO \"app\".\"we.ird\" DEFAULT VALUES;\n\
        INSERT INTO \"public\".\"log\" (\"id\") VALUES (2);\n\
        INSERT INTO \"public\".\"schema_migrations\" (version) VALUES ('1');\n\n-- dbsetup structure end\n";

    fn names(tables: &[TableName]) -> Vec<String> {
        tables.iter().map(TableName::shown).collect()
    }

    #[test]
    fn rows_of_tables_are_told_from_those_of_the_ledger_and_from_text_in_bodies() {
        let found = held(Dialect::Postgres, TEXT, None);
        assert_eq!(names(&found), ["app.we.ird", "public.log", "public.plans"]);
        assert_eq!(names(&held(Dialect::Postgres, TEXT, Some("public.plans"))).len(), 2);
        let foreign = TEXT.replacen("-- dbsetup", "-- other", 1);
        assert!(held(Dialect::Postgres, &foreign, None).is_empty());
    }

    #[test]
    fn what_keep_data_or_the_head_names_is_decided() {
        let mut repo = repo();
        let unnamed = |repo: &Repo| names(&unnamed_rows(repo, Dialect::Postgres, TEXT));
        assert_eq!(unnamed(&repo), ["app.we.ird", "public.plans"]);
        let keep = |table: &str| KeepData { table: table.into(), except: Vec::new() };
        repo.keep_data = vec![keep("plans"), keep("other.plans")];
        assert_eq!(unnamed(&repo), ["app.we.ird"]);
        repo.keep_data = vec![keep("other.plans"), keep("app.we.ird")];
        assert_eq!(unnamed(&repo), ["public.plans"]);
        let error = unnamed_rows_error(&repo, &unnamed_rows(&repo, Dialect::Postgres, TEXT));
        assert_eq!(error.kind(), Kind::Refused);
        let help = error.help_text().unwrap();
        assert!(help.contains("\"app.we.ird\", \"public.plans\"]`"), "{help}");
        assert!(help.contains("dump --drop-data public.plans"), "{help}");
    }
}
