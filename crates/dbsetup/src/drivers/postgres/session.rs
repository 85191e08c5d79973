//! A session: how it is opened, which settings it has, and how it comes back to them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{ConnectOptions, Connection};

use super::catalog;
use super::copy::Copy;
use super::error::{advised, at_connect, has_code, own};
use super::place::{NAME_LIMIT, Place};
use super::script::{self, Failure, Row};
use super::text::{cut, literal, name};
use crate::driver::{About, Capabilities, DbError, DbErrorClass, Fetched, FoundTable, SessionOptions};
use crate::ledger::LedgerTable;
use crate::sql::Dialect;

/// How long a full server is asked again.
const FULL_FOR: Duration = Duration::from_secs(10);
/// The oldest server: older ones have catalogs of another shape.
pub(super) const OLDEST: u32 = 120_000;
/// The setting by which a session knows that the server at the other end is its own.
pub(super) const PROBE: &str = "dbsetup.session";

/// One session.
pub(super) struct Session {
    /// Nothing when the connection went out of step and was closed.
    pub(super) connection: Option<PgConnection>,
    pub(super) copy: Option<Copy>,
    pub(super) about: About,
    pub(super) place: Place,
    pub(super) options: SessionOptions,
    /// `server_version_num`, for example 150020.
    pub(super) version: u32,
    pub(super) ledger: Option<LedgerTable>,
    /// Whether a transaction of ours is open.
    pub(super) open: bool,
    /// Random: no script can select it by accident.
    pub(super) mark: String,
    /// How many transactions were sent.
    pub(super) sent: u64,
    /// Whether a fresh session has been told to wait for the disk again.
    pub(super) durable: bool,
    /// What a script without a transaction, which is at work, has set ([`Driver::keep`](crate::driver::Driver::keep)).
    pub(super) kept: Vec<String>,
    watches_client: bool,
    /// Tables that were looked for while connecting, until they are asked for.
    pub(super) found: Option<(Vec<String>, Vec<FoundTable>)>,
    /// Whether the server takes no changes.
    standby: bool,
    /// How many entries the server's lock table has.
    pub(super) lock_slots: Option<u64>,
}

/// Opens a connection, waiting for a full server to have room.
pub(super) async fn open(
    place: &Place,
    application: &str,
    settings: &[(String, String)],
) -> Result<PgConnection, DbError> {
    let mut options = place.connect_options().disable_statement_logging();
    let application = match application {
        "" => place.application.as_deref().unwrap_or("dbsetup"),
        application => application,
    };
    options = options.application_name(cut(application, NAME_LIMIT));
    if !settings.is_empty() {
        options = options.options(settings.iter().map(|(name, value)| (name, value)));
    }
    let deadline = tokio::time::Instant::now() + FULL_FOR;
    let mut pause = Duration::from_millis(50);
    loop {
        let attempt = tokio::time::timeout(place.connect_timeout, PgConnection::connect_with(&options)).await;
        let error = match attempt {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => place.explained(at_connect(&error)),
            Err(_) => own(
                DbErrorClass::Unreachable,
                format!("no answer within {} s", place.connect_timeout.as_secs_f32()),
            ),
        };
        if !has_code(&error, "53300") || tokio::time::Instant::now() + pause > deadline {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Returns 64 random bits in hexadecimal: the standard library seeds its hash tables from the system.
pub(super) fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn milliseconds(duration: Duration) -> String {
    // Zero means for ever to the server, so that less than a millisecond becomes one.
    let milliseconds = duration.as_millis();
    (if milliseconds == 0 && !duration.is_zero() { 1 } else { milliseconds }).to_string()
}

/// The settings of a session, in the order in which the server takes them: the last one counts.
pub(super) fn settings(place: &Place, options: &SessionOptions) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = [
        // What a role or a database sets must not change what a script means or how long it may take.
        ("standard_conforming_strings", "on".to_owned()),
        ("statement_timeout", "0".to_owned()),
        ("lock_timeout", milliseconds(options.lock_timeout)),
        // A client that hangs must not hold its locks for ever.
        ("idle_in_transaction_session_timeout", "60000".to_owned()),
        ("tcp_keepalives_idle", "30".to_owned()),
        ("tcp_keepalives_interval", "10".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    settings.extend(place.settings.iter().cloned());
    let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
    if let Some(timeout) = options.statement_timeout {
        set("statement_timeout", milliseconds(timeout));
    }
    if !options.schemas.is_empty() {
        set("search_path", options.schemas.iter().map(|schema| name(schema)).collect::<Vec<_>>().join(", "));
    } else if let Some(path) = &place.search_path {
        set("search_path", path.clone());
    }
    if options.fresh {
        set("synchronous_commit", "off".to_owned());
    }
    if options.read_only {
        set("default_transaction_read_only", "on".to_owned());
    }
    settings
}

impl Session {
    /// Opens a session and learns what it is connected to, in one message.
    pub async fn connect(place: &Place, options: &SessionOptions) -> Result<Self, DbError> {
        let probe = random();
        let mut settings = settings(place, options);
        if let Some((setting, _)) =
            settings.iter().find(|(_, value)| value.chars().any(|c| c != ' ' && c.is_whitespace()))
        {
            // The server splits its start-up options at any white space, and sqlx escapes blanks alone.
            return Err(own(
                DbErrorClass::Configuration,
                format!("the value of the setting `{setting}` holds a line end or a tab"),
            ));
        }
        settings.push((PROBE.to_owned(), probe.clone()));
        let (connection, refused) = match open(place, &options.application, &settings).await {
            Ok(connection) => (connection, None),
            // A pooler does not take start-up options: it says so, or drops them.
            Err(error) if has_code(&error, "08P01") && error.message.contains("startup parameter") => {
                (open(place, &options.application, &[]).await?, Some("it refuses start-up options"))
            }
            Err(error) => return Err(error),
        };
        let mut session = Self {
            connection: Some(connection),
            copy: None,
            about: About {
                version: String::new(),
                dialect: Dialect::Postgres,
                capabilities: Capabilities {
                    session_locks: true,
                    transactional_ddl: true,
                    session_foreign_keys: false,
                    several_transactions: false,
                    templates: true,
                    native_dump: true,
                    words_definitions: true,
                    shared_server: true,
                    pooled: refused.map(pooler),
                },
                schema: None,
                session: None,
                database: place.database.clone(),
            },
            place: place.clone(),
            options: options.clone(),
            version: 0,
            ledger: None,
            open: false,
            mark: format!("dbsetup:{}", random()),
            sent: 0,
            durable: false,
            kept: Vec::new(),
            watches_client: false,
            found: None,
            standby: false,
            lock_slots: None,
        };
        let facts = session.facts().await?;
        if session.about.capabilities.pooled.is_none() && facts.get(5).cloned().flatten() != Some(probe) {
            session.about.capabilities.pooled = Some(pooler("it drops start-up options"));
            // Asked once more, now with the settings inside the transaction.
            let facts = session.facts().await?;
            session.learn(&facts)?;
        } else {
            session.learn(&facts)?;
        }
        Ok(session)
    }

    async fn facts(&mut self) -> Result<Row, DbError> {
        let mut text = String::new();
        if let (Some(role), None) = (&self.options.role, &self.about.capabilities.pooled) {
            text = format!("SET ROLE {}; ", name(role));
        }
        // Servers on other systems refuse to watch the client's socket before release 15 or at all.
        text.push_str(
            "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.version(), \
             pg_catalog.current_database(), pg_catalog.current_schema(), pg_catalog.pg_backend_pid(), \
             pg_catalog.current_setting('dbsetup.session', true), pg_catalog.pg_is_in_recovery(), \
             pg_catalog.current_setting('application_name'), \
             pg_catalog.current_setting('max_locks_per_transaction')::int8 \
             * (pg_catalog.current_setting('max_connections')::int8 \
             + pg_catalog.current_setting('max_prepared_transactions')::int8)",
        );
        if self.about.capabilities.pooled.is_none() {
            text.push_str(
                ", CASE WHEN pg_catalog.current_setting('server_version_num')::int4 >= 140000 \
                 AND pg_catalog.version() LIKE '%linux%' \
                 THEN pg_catalog.set_config('client_connection_check_interval', '1s', false) END",
            );
        }
        // The ledger is looked for in the same trip.
        let tables = self.options.tables.clone();
        let mut queries = vec![text];
        if !tables.is_empty() {
            queries.push(catalog::find(&tables));
        }
        let mut answers = self.looks(queries).await?;
        if !tables.is_empty() {
            let found = catalog::tables_of(&answers.pop().unwrap_or_default());
            self.found = Some((tables, found));
        }
        let rows = answers.pop().unwrap_or_default();
        rows.into_iter()
            .next()
            .ok_or_else(|| own(DbErrorClass::Unsupported, "the server tells nothing about itself"))
    }

    fn learn(&mut self, facts: &Row) -> Result<(), DbError> {
        let fact = |index: usize| facts.get(index).cloned().flatten().unwrap_or_default();
        let version = fact(1);
        self.version = fact(0).parse().unwrap_or(0);
        if self.version < OLDEST || !version.starts_with("PostgreSQL ") || version.contains("-YB-") {
            return Err(own(
                DbErrorClass::Unsupported,
                format!(
                    "`{}` is not supported: the server has to be PostgreSQL 12 or newer",
                    version.split(',').next().unwrap_or_default()
                ),
            ));
        }
        self.standby = fact(6) == "t";
        self.lock_slots = fact(8).parse().ok();
        self.about.version = version.split(' ').take(2).collect::<Vec<_>>().join(" ");
        self.about.database = fact(2);
        // Before the configured schema exists nothing is current; it is made with the first table.
        let configured = self.options.schemas.first();
        self.about.schema = facts.get(3).cloned().flatten().or_else(|| configured.cloned());
        self.watches_client = facts.get(9).is_some_and(Option::is_some);
        self.about.capabilities.session_locks = self.about.capabilities.pooled.is_none();
        if self.about.capabilities.pooled.is_none() {
            // The name as the server has it: it replaces what is not ASCII.
            self.about.session = Some(format!("{} {}", fact(4), fact(7)));
        }
        Ok(())
    }

    pub(super) fn pooled(&self) -> bool {
        self.about.capabilities.pooled.is_some()
    }

    /// The open connection.
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        self.connection.as_mut().ok_or_else(|| {
            own(DbErrorClass::ConnectionLost, "the session was closed after an earlier failure")
        })
    }

    /// Sends a message and returns the rows of each statement.
    pub(super) async fn message(&mut self, text: String) -> Result<Vec<Vec<Row>>, DbError> {
        let result = script::query(self.connection()?, text).await;
        result.map_err(|failure| self.settle(failure).error)
    }

    /// Sends a message and hands each row on with the index of its statement.
    pub(super) async fn stream(
        &mut self,
        text: String,
        hear: &mut (dyn FnMut(usize, &PgRow) + Send),
    ) -> Result<(), DbError> {
        let result = script::stream(self.connection()?, text, hear).await;
        result.map_err(|failure| self.settle(failure).error)
    }

    /// Sends a message in which [`Message`](script::Message) wrapped a script.
    pub(super) async fn send(&mut self, text: String) -> Result<(), Failure> {
        self.send_and_keep(text, None).await.map(drop)
    }

    /// The same, and returns what the statement of the index `kept` answers.
    pub(super) async fn send_and_keep(
        &mut self,
        text: String,
        kept: Option<usize>,
    ) -> Result<Fetched, Failure> {
        let mark = self.mark.clone();
        let connection = self.connection().map_err(|error| Failure {
            error,
            done: 0,
            position: None,
            marked: None,
            broken: true,
        })?;
        let result = script::execute(connection, text, &mark, kept).await;
        result.map_err(|failure| self.settle(failure))
    }

    /// Forgets a connection that is out of step, before anyone waits on it for ever.
    fn settle(&mut self, mut failure: Failure) -> Failure {
        if self.standby && failure.error.class == DbErrorClass::ReadOnly {
            failure.error = advised(failure.error, "the server is a standby: connect to the primary");
        }
        if failure.broken || failure.error.class == DbErrorClass::ConnectionLost {
            // Dropping it closes the socket; the server rolls back.
            self.connection = None;
            self.open = false;
        }
        failure
    }

    /// Sends one query and returns its rows, under our settings also where a pooler keeps none.
    pub(super) async fn look(&mut self, query: String) -> Result<Vec<Row>, DbError> {
        let mut answers = self.looks(vec![query]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Sends queries in one message and returns the rows of each.
    pub(super) async fn looks(&mut self, queries: Vec<String>) -> Result<Vec<Vec<Row>>, DbError> {
        let count = queries.len();
        let local = if self.open { Vec::new() } else { self.local_settings() };
        if local.is_empty() {
            let mut answers = self.message(queries.join(";\n")).await?;
            return Ok(answers.split_off(answers.len().saturating_sub(count)));
        }
        let text = format!("BEGIN;\n{};\n{};\nCOMMIT", local.join(";\n"), queries.join(";\n"));
        match self.message(text).await {
            Ok(mut answers) => {
                answers.pop();
                Ok(answers.split_off(answers.len().saturating_sub(count)))
            }
            Err(error) => {
                if self.connection.is_some() {
                    self.message("ROLLBACK".into()).await?;
                }
                Err(error)
            }
        }
    }

    /// Asks several questions, with nothing of the users' on the search path: an operator of theirs would run in place
    /// of the engine's, with the rights of whoever asks. In a transaction of its own.
    pub(super) async fn looks_pinned(&mut self, queries: Vec<String>) -> Result<Vec<Vec<Row>>, DbError> {
        let mut statements = vec!["BEGIN".to_owned()];
        statements.extend(self.local_settings());
        statements.push("SET LOCAL search_path = ''".to_owned());
        let first = statements.len();
        statements.extend(queries);
        statements.push("COMMIT".to_owned());
        match self.message(statements.join(";\n")).await {
            Ok(mut answers) => {
                answers.pop();
                Ok(answers.split_off(first.min(answers.len())))
            }
            Err(error) => {
                self.abandon().await?;
                Err(error)
            }
        }
    }

    /// The statements that set a transaction up where the session cannot be: behind a pooler.
    pub(super) fn local_settings(&self) -> Vec<String> {
        if !self.pooled() {
            return Vec::new();
        }
        // Keep-alives belong to the pooler's own connection.
        let mut statements: Vec<String> = settings(&self.place, &self.options)
            .into_iter()
            .filter(|(name, _)| !name.starts_with("tcp_") && name != "default_transaction_read_only")
            .map(|(name, value)| {
                format!("SELECT pg_catalog.set_config({}, {}, true)", literal(&name), literal(&value))
            })
            .collect();
        if self.options.read_only {
            statements.insert(0, "SET TRANSACTION READ ONLY".into());
        }
        statements.extend(self.options.role.as_deref().map(|role| format!("SET LOCAL ROLE {}", name(role))));
        statements
    }

    /// The statements that bring the session back to its settings, whatever a script did to them. They mean the
    /// same inside a transaction and outside.
    pub(super) fn restoring(&self) -> Vec<String> {
        // The start-up options are what `RESET ALL` goes back to. It spares the role.
        let mut statements = vec!["RESET SESSION AUTHORIZATION".to_owned(), "RESET ALL".to_owned()];
        match (&self.options.role, self.pooled()) {
            (Some(role), false) => statements.push(format!("SET ROLE {}", name(role))),
            (Some(role), true) => {
                statements.push("RESET ROLE".into());
                statements.push(format!("SET LOCAL ROLE {}", name(role)));
            }
            (None, _) => statements.push("RESET ROLE".into()),
        }
        if self.watches_client {
            statements
                .push("SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)".into());
        }
        if self.durable {
            statements.push("SET synchronous_commit = on".into());
        }
        // A comment at the end of one swallows no `;`.
        statements.extend(self.kept.iter().map(|statement| format!("{statement}\n")));
        statements
    }

    /// Brings the session to its settings and these on top, which a script that is at work has set.
    pub(super) async fn keep_settings(&mut self, settings: &[String]) -> Result<(), DbError> {
        if self.kept == settings {
            return Ok(());
        }
        self.kept = settings.to_vec();
        self.message(self.restoring().join(";\n")).await.map(drop)
    }

    /// Says goodbye.
    pub async fn goodbye(mut self) {
        if let Some(connection) = self.connection.take() {
            // Nobody is left to hear of a failure to say goodbye.
            let _ = connection.close().await;
        }
    }
}

fn pooler(why: &str) -> String {
    format!("the connection goes through a pooler: {why}, as PgBouncer does")
}
