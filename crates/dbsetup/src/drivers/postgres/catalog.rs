//! What the catalogs say: tables that may be a ledger, ledger rows, and objects that users made.

use super::error::{has_code, own};
use super::lock::is_true;
use super::script::Row;
use super::session::Session;
use super::text::{beside, literal, literals, name};
use crate::driver::{DbError, DbErrorClass, FoundTable, LedgerState, Present};
use crate::ledger::{self, AppliedRow, Column, LedgerTable, META_TABLE, PROGRESS_TABLE, Progress};
use crate::sql::Dialect;

/// How often a race for the creation of the same table is tried again.
const RACES: u32 = 5;

pub(super) fn cell(row: &Row, index: usize) -> String {
    row.get(index).cloned().flatten().unwrap_or_default()
}

/// The query for tables of these names; [`tables_of`] reads its rows.
pub(super) fn find(names: &[String]) -> String {
    format!(
        "SELECT n.nspname, c.relname, n.nspname = ANY (pg_catalog.current_schemas(false)), a.attname, \
         pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p') AND c.relname IN ({}) AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema' \
         ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(false), n.nspname), 1, 2, a.attnum",
        literals(names.iter().map(String::as_str))
    )
}

/// Returns the tables that [`find`] found.
pub(super) fn tables_of(rows: &[Row]) -> Vec<FoundTable> {
    let mut found: Vec<FoundTable> = Vec::new();
    for row in rows {
        let (schema, table) = (cell(row, 0), cell(row, 1));
        if !found.last().is_some_and(|last| last.schema.as_ref() == Some(&schema) && last.name == table) {
            let on_path = cell(row, 2) == "t";
            found.push(FoundTable { schema: Some(schema), name: table, columns: Vec::new(), on_path });
        }
        if let (Some(last), Some(Some(column))) = (found.last_mut(), row.get(3)) {
            last.columns.push(Column { name: column.clone(), type_name: cell(row, 4) });
        }
    }
    found
}

impl Session {
    pub(super) async fn tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>, DbError> {
        if let Some((known, found)) = self.found.take()
            && known == names
        {
            return Ok(found);
        }
        let rows = self.look(find(names)).await?;
        Ok(tables_of(&rows))
    }

    pub(super) async fn state(
        &mut self,
        table: &LedgerTable,
        present: Present,
    ) -> Result<LedgerState, DbError> {
        let wanted = [
            (present.ledger, ledger::select_rows(Dialect::Postgres, table)),
            (present.meta, ledger::select_meta(table)),
            (present.progress, ledger::select_progress(table)),
        ];
        let queries: Vec<String> =
            wanted.iter().filter(|(wanted, _)| *wanted).map(|(_, query)| query.clone()).collect();
        if queries.is_empty() {
            return Ok(LedgerState::default());
        }
        let mut answers = self.looks(queries).await?.into_iter();
        let mut next = |wanted: bool| if wanted { answers.next().unwrap_or_default() } else { Vec::new() };
        Ok(LedgerState {
            rows: next(present.ledger).iter().map(|row| AppliedRow::from_columns(row)).collect(),
            baseline: None,
            meta: next(present.meta).iter().map(|row| (cell(row, 0), cell(row, 1))).collect(),
            progress: next(present.progress).iter().map(|row| Progress::from_columns(row)).collect(),
        })
    }

    /// Makes tables around the ledger that are not there.
    pub(super) async fn make_tables(&mut self, table: &LedgerTable, wanted: Present) -> Result<(), DbError> {
        let tables = [
            (wanted.ledger, table.name.as_str(), ledger::create_table(Dialect::Postgres, table)),
            (wanted.meta, META_TABLE, ledger::create_meta(table)),
            (wanted.progress, PROGRESS_TABLE, ledger::create_progress(table)),
        ];
        let mut attempt = 0;
        loop {
            // A failure would end the open transaction; elsewhere it costs nothing to try before looking.
            let look_first = self.open || attempt > 0;
            let (mut missing, mut has_schema) = (Vec::new(), true);
            for (_, table_name, create) in tables.iter().filter(|(wanted, _, _)| *wanted) {
                let is_there = look_first
                    && {
                        let schema = table.schema.as_deref().map_or("public".into(), name);
                        let query = format!(
                            "SELECT pg_catalog.to_regclass({}) IS NOT NULL, pg_catalog.to_regnamespace({}) IS NULL",
                            literal(&beside(table, table_name)),
                            literal(&schema)
                        );
                        let rows = self.look(query).await?;
                        has_schema = rows.first().is_none_or(|row| cell(row, 1) != "t");
                        is_true(&rows)
                    };
                if !is_there {
                    missing.push(create.clone());
                }
            }
            if missing.is_empty() {
                return Ok(());
            }
            // In an open transaction there is no second attempt.
            if let (true, false, Some(schema)) = (self.open, has_schema, &table.schema) {
                missing.insert(0, format!("CREATE SCHEMA IF NOT EXISTS {}", name(schema)));
            }
            attempt += 1;
            let error = match self.in_one_transaction(missing).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match (error.code.as_deref(), &table.schema) {
                // Two creations of one table: the loser fails on a catalog's unique index.
                (Some("23505" | "42P07" | "42710"), _) if attempt < RACES && !self.open => {}
                // `IF NOT EXISTS` wants the right to create even where there is nothing to create.
                (Some("42501"), _) if !look_first => {}
                (Some("3F000"), Some(schema)) if attempt < RACES && !self.open => {
                    let made = self
                        .in_one_transaction(vec![format!("CREATE SCHEMA IF NOT EXISTS {}", name(schema))])
                        .await;
                    made.or_else(|error| if has_code(&error, "23505") { Ok(()) } else { Err(error) })?;
                }
                _ => return Err(error),
            }
        }
    }

    /// Runs our own statements in one message: in the open transaction, else in one of their own.
    pub(super) async fn in_one_transaction(&mut self, statements: Vec<String>) -> Result<(), DbError> {
        if self.open {
            return self.message(statements.join(";\n")).await.map(drop);
        }
        let mut all = vec!["BEGIN".to_owned()];
        all.extend(self.local_settings());
        // What is there already is nobody's concern but ours.
        all.push("SET LOCAL client_min_messages = warning".into());
        all.extend(statements);
        all.push("COMMIT".into());
        let result = self.message(all.join(";\n")).await;
        if result.is_err() && self.connection.is_some() {
            self.message("ROLLBACK".into()).await?;
        }
        result.map(drop)
    }

    pub(super) async fn forget_empty_ledger(&mut self, table: &LedgerTable) -> Result<(), DbError> {
        let name = beside(table, &table.name);
        // Under the exclusive lock nobody adds a row between the look and the drop.
        let statements = vec![
            format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"),
            super::lock::guard(&format!("DELETE FROM {name}"), false),
            format!("DROP TABLE {name}"),
        ];
        self.in_one_transaction(statements).await.map_err(|error| {
            if has_code(&error, "22P02") {
                own(DbErrorClass::LedgerConflict, format!("the ledger `{}` has rows", table.shown()))
            } else {
                error
            }
        })
    }
}
