//! A database in memory for tests of the rules: it keeps effects, ledger, locks and sessions, and fails on demand at
//! the n-th call, so that every place where a process can die is tried.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::driver::*;
use crate::ledger::{AppliedRow, Change, Column, LedgerTable, META_TABLE, PROGRESS_TABLE, Progress};
use crate::repo::CreateOptions;
use crate::sql::Dialect;

/// What a call that is to fail does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the call: nothing of it happens, and nothing works until [`FakeDatabase::revive`].
    KilledBefore,
    /// The process dies after the call: its effect is there, its answer never arrives.
    KilledAfter,
    /// The connection is lost after the call; a new one works.
    LostAfter,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub exists: bool,
    /// What is committed, in order: scripts and statements.
    pub effects: Vec<String>,
    pub has_ledger: bool,
    pub has_meta: bool,
    pub has_progress: bool,
    pub ledger: LedgerState,
    locks: HashMap<LockKey, u64>,
    next_session: u64,
    calls: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    faulted: bool,
    /// Relations that one transaction may create.
    pub capacity: Option<u64>,
    /// What begins to run while the structure is read.
    pub begins_during_dump: Option<Progress>,
    /// What the server has no setting of.
    pub unknown_settings: Vec<String>,
    /// What a dump says besides its text.
    pub notes: Vec<String>,
    /// Scratch databases that are there.
    pub scratches: usize,
    /// Whether one was made and its maker died before it heard of it.
    pub scratch_unheard: bool,
    /// What scratch databases forget ([`State::forgets`]).
    pub scratch_forgets: Option<String>,
    /// Statements that contain this text leave nothing behind.
    pub forgets: Option<String>,
    /// Scripts that contain this text fail.
    pub poison: Option<String>,
}

/// The database; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct FakeDatabase(pub Arc<Mutex<State>>, Target);

impl FakeDatabase {
    pub fn new() -> Self {
        let target = Target {
            shown: "fake:core".into(),
            database: "core".into(),
            local: true,
            plain_text_over_network: false,
        };
        Self(Arc::new(Mutex::new(State { exists: true, ..State::default() })), target)
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().expect("tests do not panic while holding it"))
    }

    /// Fails the `n`-th call from now, counted from 1.
    pub fn fail_at(&self, n: usize, fault: Fault) {
        self.with(|state| state.fault = Some((state.calls + n, fault)));
    }

    /// Whether the fault that was asked for has happened.
    pub fn fault_was_due(&self) -> bool {
        self.with(|state| state.faulted)
    }

    /// Ends what a killed process left behind, as an operating system and a server do.
    pub fn revive(&self) {
        self.with(|state| {
            state.dead = false;
            state.fault = None;
            state.locks.clear();
        });
    }

    pub fn versions(&self) -> Vec<String> {
        self.with(|state| state.ledger.rows.iter().map(|row| row.version.clone()).collect())
    }

    pub fn effects(&self) -> Vec<String> {
        self.with(|state| state.effects.clone())
    }

    pub fn locks(&self) -> usize {
        self.with(|state| state.locks.len())
    }

    /// Holds a lock as another session would.
    pub fn hold(&self, key: &LockKey) {
        self.with(|state| state.locks.insert(key.clone(), 0));
    }

    fn call<T>(&self, work: impl FnOnce(&mut State) -> Result<T, DbError>) -> Result<T, DbError> {
        self.with(|state| {
            state.calls += 1;
            if state.dead {
                return Err(error(DbErrorClass::Unreachable, "the process is dead"));
            }
            let due = state.fault.filter(|(at, _)| *at == state.calls).map(|(_, fault)| fault);
            state.faulted |= due.is_some();
            if due == Some(Fault::KilledBefore) {
                state.dead = true;
                return Err(error(DbErrorClass::ConnectionLost, "killed"));
            }
            let result = work(state);
            match due {
                Some(Fault::KilledAfter) => {
                    state.dead = true;
                    Err(error(DbErrorClass::ConnectionLost, "killed"))
                }
                Some(Fault::LostAfter) => {
                    state.locks.clear();
                    Err(error(DbErrorClass::ConnectionLost, "lost"))
                }
                _ => result,
            }
        })
    }
}

pub(crate) fn error(class: DbErrorClass, message: &str) -> DbError {
    DbError { class, message: message.into(), code: None, notes: Vec::new() }
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl State {
    fn change(&mut self, change: &Change) {
        let rows = &mut self.ledger.rows;
        match change {
            Change::Insert(row) => rows.push(AppliedRow {
                version: row.version.clone(),
                seq: row.seq.or_else(|| Some(rows.iter().filter_map(|row| row.seq).max().unwrap_or(0) + 1)),
                name: Some(row.name.clone()),
                source: Some(row.source.clone()),
                checksum: row.checksum.clone(),
                applied_at: Some("now".into()),
                success: true,
            }),
            Change::Delete { version } => rows.retain(|row| &row.version != version),
            Change::SetChecksum { version, checksum } => rows
                .iter_mut()
                .filter(|row| &row.version == version)
                .for_each(|row| row.checksum = Some(checksum.clone())),
            Change::SetMeta { key, value } => {
                self.ledger.meta.retain(|(name, _)| name != key);
                self.ledger.meta.push((key.clone(), value.clone()));
            }
            Change::ClearMeta { key } => self.ledger.meta.retain(|(name, _)| name != key),
            Change::SetProgress(progress) => {
                self.ledger.progress.retain(|other| other.version != progress.version);
                self.ledger.progress.push(Progress::clone(progress));
            }
            Change::ClearProgress { version } => {
                self.ledger.progress.retain(|other| &other.version != version);
            }
        }
    }

    fn run(&mut self, script: &str) -> Result<(), DbError> {
        if self.poison.as_ref().is_some_and(|poison| script.contains(poison)) {
            return Err(error(DbErrorClass::Statement, "poisoned"));
        }
        let script: String = match &self.forgets {
            Some(text) => script.split_inclusive(';').filter(|part| !part.contains(text)).collect(),
            None => script.to_owned(),
        };
        if !script.trim().is_empty() {
            self.effects.push(script.trim().to_owned());
        }
        Ok(())
    }
}

impl Server for FakeDatabase {
    fn target(&self) -> &Target {
        &self.1
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn exists(&self) -> BoxFuture<'_, Result<bool, DbError>> {
        ready(self.call(|state| Ok(state.exists)))
    }

    fn create<'a>(&'a self, _: &'a CreateOptions) -> BoxFuture<'a, Result<Created, DbError>> {
        ready(self.call(|state| {
            Ok(if std::mem::replace(&mut state.exists, true) { Created::Already } else { Created::Now })
        }))
    }

    fn drop(&self, _: Sessions) -> BoxFuture<'_, Result<Dropped, DbError>> {
        ready(self.call(|state| {
            let existed = state.exists;
            *state = State { calls: state.calls, next_session: state.next_session, ..State::default() };
            Ok(if existed { Dropped::Now { sessions: 0 } } else { Dropped::Already })
        }))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), DbError>> {
        ready(self.call(|_| Ok(())))
    }

    fn connect<'a>(&'a self, _: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>> {
        let opened = self.call(|state| {
            if !state.exists {
                return Err(error(DbErrorClass::DatabaseMissing, "no such database"));
            }
            state.next_session += 1;
            Ok(state.next_session)
        });
        ready(opened.map(|session| {
            Box::new(FakeSession { database: self.clone(), session, about: about(session), open: None })
                as Box<dyn Driver>
        }))
    }

    fn end_session<'a>(&'a self, session: &'a str) -> BoxFuture<'a, Result<(), DbError>> {
        ready(self.call(|state| {
            state.locks.retain(|_, holder| holder.to_string() != session);
            Ok(())
        }))
    }

    fn scratch<'a>(
        &'a self,
        _: Option<&'a crate::repo::DatabaseUrl>,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Scratch>, DbError>> {
        let made = self.call(|state| {
            state.scratches += 1;
            let copy = FakeDatabase::new();
            copy.with(|copy| copy.forgets = state.scratch_forgets.clone());
            Ok(Box::new(FakeScratch { original: self.clone(), copy }) as Box<dyn Scratch>)
        });
        self.with(|state| state.scratch_unheard |= made.is_err());
        ready(made)
    }
}

/// A scratch database of a fake: another one in memory.
struct FakeScratch {
    original: FakeDatabase,
    copy: FakeDatabase,
}

impl Scratch for FakeScratch {
    fn target(&self) -> &Target {
        &self.copy.1
    }

    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>> {
        self.copy.connect(options)
    }

    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>> {
        ready(self.original.call(|state| {
            state.scratches -= 1;
            Ok(())
        }))
    }
}

fn about(session: u64) -> About {
    About {
        version: "Fake 1".into(),
        dialect: Dialect::Postgres,
        capabilities: Capabilities {
            session_locks: true,
            transactional_ddl: true,
            session_foreign_keys: false,
            templates: false,
            native_dump: true,
            words_definitions: true,
            pooled: None,
        },
        schema: Some("public".into()),
        session: Some(session.to_string()),
        database: "core".into(),
    }
}

struct FakeSession {
    database: FakeDatabase,
    session: u64,
    about: About,
    /// Scripts of the open transaction.
    open: Option<Vec<String>>,
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

impl Driver for FakeSession {
    fn about(&self) -> &About {
        &self.about
    }

    fn find_tables<'a>(&'a mut self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<FoundTable>, DbError>> {
        ready(self.database.call(|state| {
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
            Ok(found)
        }))
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
            Ok(Structure { text: state.effects.join("\n\n"), notes: state.notes.clone() })
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
            Ok(())
        });
        if let (Ok(()), Some(open)) = (&result, &mut self.open) {
            open.push(script.to_owned());
        }
        ready(in_script(result))
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
