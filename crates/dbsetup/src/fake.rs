//! A database in memory for tests of the rules: it keeps effects, ledger, locks and sessions, and fails on demand at
//! the n-th call, so that every place where a process can die is tried.

mod session;
mod template;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use crate::driver::*;
use crate::ledger::{AppliedRow, Change, Column, LedgerTable, META_TABLE, PROGRESS_TABLE, Progress};
use crate::repo::CreateOptions;
use crate::sql::Dialect;
use session::FakeSession;

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
    pub next_session: u64,
    /// How often somebody has glanced at it.
    pub glances: usize,
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
    /// The tables of users' that are said to be there. Scratch databases have the same.
    pub filled: Vec<FilledTable>,
    /// What is in them.
    pub rows: Rows,
    /// A statement that is waited for in an open transaction takes its time.
    pub slow: bool,
    /// How many statements of an open transaction fail at a lock.
    pub busy: usize,
    /// Scripts that contain this text fail.
    pub poison: Option<String>,
    /// Templates: what they are copies of, and what was said of them.
    pub templates: BTreeMap<TemplateName, (Copied, TemplateNote)>,
    /// Why no template can be made or used here.
    pub no_templates: Option<String>,
}

/// What a template is a copy of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    effects: Vec<String>,
    present: Present,
    ledger: LedgerState,
}

impl Copied {
    /// How many scripts ran in it.
    pub fn len(&self) -> usize {
        self.effects.len()
    }
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
            address: None,
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

    /// How often it was asked for anything.
    pub fn calls(&self) -> usize {
        self.with(|state| state.calls)
    }

    /// Gives the database another name.
    pub fn rename(&mut self, name: &str) {
        self.1.database = name.to_owned();
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
                absorbed: false,
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
            *state = State {
                calls: state.calls,
                next_session: state.next_session,
                templates: std::mem::take(&mut state.templates),
                no_templates: state.no_templates.take(),
                ..State::default()
            };
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

    fn glance<'a>(
        &'a self,
        _: &'a SessionOptions,
        ledger: &'a LedgerTable,
        _: &'a [String],
    ) -> BoxFuture<'a, Result<Option<Glance>, DbError>> {
        ready(self.call(|state| {
            state.glances += 1;
            if !(state.exists && state.has_ledger && state.has_meta) {
                return Ok(None);
            }
            let seen = LedgerState { progress: Vec::new(), ..state.ledger.clone() };
            let tables = session::tables(state);
            Ok(tables.iter().any(|table| table.name == ledger.name).then_some(Glance { tables, state: seen }))
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
            copy.with(|copy| {
                copy.forgets.clone_from(&state.scratch_forgets);
                (copy.filled, copy.rows) = (state.filled.clone(), state.rows.clone());
            });
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
            several_transactions: false,
            templates: false,
            native_dump: true,
            words_definitions: true,
            shared_server: false,
            pooled: None,
        },
        schema: Some("public".into()),
        session: Some(session.to_string()),
        database: "core".into(),
    }
}
