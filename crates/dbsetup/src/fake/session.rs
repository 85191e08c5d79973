//! A session of the database in memory.

use super::*;

pub(super) struct FakeSession {
    pub database: FakeDatabase,
    pub session: u64,
    pub about: About,
    /// Scripts of the open transaction.
    pub open: Option<Vec<String>>,
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        let session = self.session;
        self.database.with(|state| state.locks.retain(|_, holder| *holder != session));
    }
}

fn in_script(result: Result<(), DbError>) -> Result<(), ScriptError> {
    result.map_err(|error| ScriptError { error, statement: Some(0), offset: None, rolled_back: true })
}

pub(super) fn tables(state: &State) -> Vec<FoundTable> {
    let table = |name: &str, columns: &[&str]| FoundTable {
        schema: Some("public".into()),
        name: name.into(),
        columns: columns
            .iter()
            .map(|name| Column { name: (*name).into(), type_name: "text".into() })
            .collect(),
        on_path: true,
    };
    let ours = ["version", "seq", "name", "source", "checksum", "applied_at"];
    let mut found = Vec::new();
    found.extend(state.has_ledger.then(|| table("schema_migrations", &ours)));
    found.extend(state.has_meta.then(|| table(META_TABLE, &["key", "value"])));
    found.extend(state.has_progress.then(|| table(PROGRESS_TABLE, &["version"])));
    found
}

impl Driver for FakeSession {
    fn about(&self) -> &About {
        &self.about
    }

    fn find_tables<'a>(&'a mut self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<FoundTable>, DbError>> {
        ready(self.database.call(|state| Ok(tables(state))))
    }

    fn read_ledger<'a>(
        &'a mut self,
        _: &'a LedgerTable,
        _: Present,
    ) -> BoxFuture<'a, Result<LedgerState, DbError>> {
        ready(self.database.call(|state| Ok(state.ledger.clone())))
    }

    fn user_objects<'a>(
        &'a mut self,
        _: &'a LedgerTable,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, DbError>> {
        ready(self.database.call(|state| Ok(state.effects.iter().take(limit).cloned().collect())))
    }

    fn unknown_settings<'a>(
        &'a mut self,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<String>, DbError>> {
        ready(self.database.call(|state| {
            Ok(names.iter().filter(|name| state.unknown_settings.contains(name)).cloned().collect())
        }))
    }

    fn dump<'a>(&'a mut self, _: &'a DumpRequest) -> BoxFuture<'a, Result<Structure, DbError>> {
        ready(self.database.call(|state| {
            state.ledger.progress.extend(state.begins_during_dump.take());
            Ok(Structure { text: state.effects.join("\n\n"), notes: state.notes.clone(), rows_at: None })
        }))
    }

    fn fingerprint<'a>(&'a mut self, _: &'a DumpRequest) -> BoxFuture<'a, Result<Fingerprint, DbError>> {
        ready(self.database.call(|state| {
            let fact = |statement: &str| Fact {
                catalog: "effects".into(),
                object: statement.trim().into(),
                property: "is there".into(),
                value: "t".into(),
            };
            let statements = state.effects.iter().flat_map(|effect| effect.split_inclusive(';'));
            let is_object = |statement: &&str| {
                // Settings are the session's, not the database's.
                let statement = statement.trim();
                !(statement.is_empty() || statement.starts_with("SET ") || statement.contains("set_config"))
            };
            let mut facts: Vec<Fact> = statements.filter(is_object).map(fact).collect();
            facts.sort();
            Ok(Fingerprint { facts, unread: Vec::new(), server: "1".into() })
        }))
    }

    fn table_rows<'a>(&'a mut self, _: &'a LedgerTable) -> BoxFuture<'a, Result<Vec<FilledTable>, DbError>> {
        ready(self.database.call(|state| Ok(state.filled.clone())))
    }

    fn read_rows<'a>(&'a mut self, request: &'a RowsRequest) -> BoxFuture<'a, Result<Rows, DbError>> {
        ready(self.database.call(|state| {
            let is_kept = |rows: &&TableRows| request.kept.iter().any(|kept| kept.table == rows.table);
            let tables = state.rows.tables.iter().filter(is_kept).cloned().collect();
            Ok(Rows { tables, sequences: state.rows.sequences.clone() })
        }))
    }

    fn try_lock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<bool, DbError>> {
        let session = self.session;
        ready(self.database.call(|state| Ok(*state.locks.entry(key.clone()).or_insert(session) == session)))
    }

    fn unlock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<(), DbError>> {
        let session = self.session;
        ready(self.database.call(|state| match state.locks.get(key) {
            Some(holder) if *holder == session => {
                state.locks.remove(key);
                Ok(())
            }
            _ => Err(error(DbErrorClass::Statement, "the lock is not held")),
        }))
    }

    fn lock_holder<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<Option<String>, DbError>> {
        ready(self.database.call(|state| Ok(state.locks.get(key).map(|holder| format!("session {holder}")))))
    }

    fn prepare<'a>(&'a mut self, _: &'a LedgerTable, wanted: Present) -> BoxFuture<'a, Result<(), DbError>> {
        ready(self.database.call(|state| {
            state.has_ledger |= wanted.ledger;
            state.has_meta |= wanted.meta;
            state.has_progress |= wanted.progress;
            Ok(())
        }))
    }

    fn use_ledger(&mut self, _: &LedgerTable) {}

    fn transact<'a>(&'a mut self, work: Work<'a>) -> BoxFuture<'a, Result<(), ScriptError>> {
        ready(in_script(self.database.call(|state| {
            let recorded = |version: &String| state.ledger.rows.iter().any(|row| &row.version == version);
            let conflict = match work.guard {
                Some(Guard::NotApplied(version)) => recorded(version),
                Some(Guard::Applied(version)) => !recorded(version),
                None => false,
            };
            if conflict {
                return Err(error(DbErrorClass::LedgerConflict, "another session was faster"));
            }
            state.run(work.script)?;
            work.changes.iter().for_each(|change| state.change(change));
            Ok(())
        })))
    }

    /// Statements that contain `concurrently` are two calls: their effect, then their record.
    fn run_alone<'a>(
        &'a mut self,
        statement: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), ScriptError>> {
        let record = |state: &mut State| changes.iter().for_each(|change| state.change(change));
        let result = if statement.contains("concurrently") {
            self.database.call(|state| state.run(statement)).and_then(|()| {
                self.database.call(|state| {
                    record(state);
                    Ok(())
                })
            })
        } else {
            self.database.call(|state| {
                state.run(statement)?;
                record(state);
                Ok(())
            })
        };
        ready(in_script(result))
    }

    fn recover<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Recovery, DbError>> {
        ready(self.database.call(|state| {
            Ok(match state.effects.iter().any(|effect| effect == statement) {
                _ if statement.contains("mystery") => Recovery::Unknown,
                true if statement.contains("concurrently") => Recovery::Done,
                _ => Recovery::RunAgain(None),
            })
        }))
    }

    fn begin(&mut self, _: bool) -> BoxFuture<'_, Result<(), DbError>> {
        let result = self.database.call(|_| Ok(()));
        self.open = result.is_ok().then(Vec::new);
        ready(result)
    }

    fn execute<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), ScriptError>> {
        let result = self.database.call(|state| {
            if state.poison.as_ref().is_some_and(|poison| script.contains(poison)) {
                return Err(error(DbErrorClass::Statement, "poisoned"));
            }
            if state.busy > 0 {
                state.busy -= 1;
                return Err(error(DbErrorClass::LockTimeout, "a table is locked"));
            }
            Ok(())
        });
        if let (Ok(()), Some(open)) = (&result, &mut self.open) {
            open.push(script.to_owned());
        }
        ready(in_script(result))
    }

    /// The answer is what is committed so far, a row each.
    fn fetch<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Fetched, ScriptError>> {
        Box::pin(async move {
            if self.database.with(|state| state.slow) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            self.execute(statement).await?;
            let row = |effect: String| vec![Some(effect)];
            Ok(Fetched { rows: self.database.effects().into_iter().map(row).collect(), affected: 1 })
        })
    }

    fn copy_begin<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<(), ScriptError>> {
        self.execute(statement)
    }

    fn copy_data<'a>(&'a mut self, data: &'a [u8]) -> BoxFuture<'a, Result<(), ScriptError>> {
        self.execute(std::str::from_utf8(data).expect("tests copy text"))
    }

    fn copy_end(&mut self) -> BoxFuture<'_, Result<u64, ScriptError>> {
        ready(Ok(1))
    }

    fn commit<'a>(&'a mut self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), ScriptError>> {
        let open = self.open.take().unwrap_or_default();
        ready(in_script(self.database.call(|state| {
            for script in &open {
                state.run(script)?;
            }
            changes.iter().for_each(|change| state.change(change));
            Ok(())
        })))
    }

    fn rollback(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        self.open = None;
        ready(self.database.call(|_| Ok(())))
    }

    fn lock_capacity(&mut self) -> BoxFuture<'_, Result<Option<u64>, DbError>> {
        ready(self.database.call(|state| Ok(state.capacity)))
    }

    fn drop_empty_ledger<'a>(&'a mut self, _: &'a LedgerTable) -> BoxFuture<'a, Result<(), DbError>> {
        ready(self.database.call(|state| {
            assert!(state.ledger.rows.is_empty(), "a ledger with rows is never dropped");
            state.has_ledger = false;
            Ok(())
        }))
    }

    fn empty(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        ready(self.database.call(|state| {
            state.effects.clear();
            state.ledger = LedgerState::default();
            (state.has_ledger, state.has_meta, state.has_progress) = (false, false, false);
            Ok(())
        }))
    }

    fn make_durable(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        ready(self.database.call(|_| Ok(())))
    }

    fn take_notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        drop(self);
        ready(())
    }
}
