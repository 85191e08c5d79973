//! The structure: SQLite keeps the text of every object as it was written, and that text is what is dumped.
//!
//! Order: each table (by name) with its indexes, so that a change of one table is one place in a diff; then virtual tables,
//! views, triggers. Names inside views and triggers are resolved when they are used, so no other order is needed.
//! What cannot be written is an error by name, and every dump is proved: it is loaded into memory and compared.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Either, SqliteConnection};

use super::catalog::{SHADOWS, quoted};
use super::error::{self, failure};
use super::session::{Open, Rows, Session, texts};
use crate::driver::{DbError, DbErrorClass, DumpRequest, Fact, Fingerprint, Structure, Via};
use crate::ledger::{self, LedgerTable, META_TABLE, PROGRESS_TABLE};
use crate::sql::{self, Dialect, TokenKind};

/// A row of `sqlite_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    kind: String,
    name: String,
    table: String,
    sql: String,
}

/// What a database consists of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Snapshot {
    objects: Vec<Object>,
    /// What the pragmas say of each table and index, in their order.
    facts: BTreeMap<String, Vec<String>>,
    /// Foreign keys: table, parent.
    parents: Vec<(String, String)>,
    modules: BTreeSet<String>,
    user_version: String,
    application_id: String,
    /// Every row of `sqlite_schema`, whatever is done with it: kind, name, table, and whether it is behind a virtual
    /// table.
    census: Vec<[String; 4]>,
}

/// How many statements [`queries`] has.
const QUERIES: usize = 9;

/// The queries of a [`Snapshot`], in one message.
fn queries() -> String {
    let tables =
        format!("s.type = 'table' AND substr(s.name, 1, 7) <> 'sqlite_' AND s.name NOT IN ({SHADOWS})");
    format!(
        "SELECT s.type, s.name, s.tbl_name, s.sql FROM main.sqlite_schema AS s \
         WHERE s.sql IS NOT NULL AND substr(s.name, 1, 7) <> 'sqlite_' AND s.tbl_name NOT IN ({SHADOWS}) \
         ORDER BY s.name;\
         SELECT s.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden \
         FROM main.sqlite_schema AS s, pragma_table_xinfo(s.name, 'main') AS c WHERE {tables} ORDER BY s.name, c.cid;\
         SELECT i.name, x.seqno, x.cid, x.name, x.\"desc\", x.coll, x.key, i.\"unique\", i.origin, i.partial \
         FROM main.sqlite_schema AS s, pragma_index_list(s.name, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS x \
         WHERE {tables} ORDER BY i.name, x.seqno;\
         SELECT s.name, f.\"table\", f.id, f.seq, f.\"from\", f.\"to\", f.on_update, f.on_delete, f.\"match\" \
         FROM main.sqlite_schema AS s, pragma_foreign_key_list(s.name, 'main') AS f WHERE {tables} \
         ORDER BY s.name, f.id, f.seq;\
         SELECT l.name, l.type, l.wr, l.strict FROM pragma_table_list AS l \
         WHERE l.schema = 'main' AND l.type <> 'shadow' ORDER BY l.name;\
         SELECT m.name FROM pragma_module_list AS m;\
         PRAGMA main.user_version;PRAGMA main.application_id;\
         SELECT s.type, s.name, s.tbl_name, s.tbl_name IN ({SHADOWS}) FROM main.sqlite_schema AS s \
         ORDER BY s.name, s.type"
    )
}

impl Snapshot {
    fn of(tables: Vec<Rows>) -> Self {
        let mut tables = tables.into_iter().map(|rows| {
            rows.into_iter()
                .map(|row| {
                    row.into_iter().map(|value| value.unwrap_or_else(|| "-".into())).collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        });
        let mut next = || tables.next().unwrap_or_default();
        let mut snapshot = Self::default();
        for row in next() {
            let [kind, name, table, sql] = <[String; 4]>::try_from(row).unwrap_or_default();
            snapshot.objects.push(Object { kind, name, table, sql: sql.trim().to_owned() });
        }
        let mut note = |what: &str, row: &[String]| {
            if let Some((name, facts)) = row.split_first() {
                snapshot.facts.entry(name.clone()).or_default().push(format!("{what} {}", facts.join(" ")));
            }
        };
        next().iter().for_each(|row| note("column", row));
        next().iter().for_each(|row| note("index column", row));
        let foreign = next();
        foreign.iter().for_each(|row| note("foreign key", row));
        next().iter().for_each(|row| note("is", row));
        snapshot.parents =
            foreign.into_iter().filter_map(|row| Some((row.first()?.clone(), row.get(1)?.clone()))).collect();
        snapshot.modules = next().into_iter().flatten().map(|name| name.to_lowercase()).collect();
        let mut number = || next().into_iter().flatten().next().unwrap_or_default();
        snapshot.user_version = number();
        snapshot.application_id = number();
        snapshot.census = next().into_iter().filter_map(|row| row.try_into().ok()).collect();
        snapshot
    }

    /// Leaves out what is not dumped.
    fn keep(&mut self, is_kept: impl Fn(&Object) -> bool) {
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.objects).into_iter().partition(is_kept);
        self.objects = kept;
        for object in gone {
            self.facts.remove(&object.name);
        }
        let tables: BTreeSet<&str> = self
            .objects
            .iter()
            .filter(|object| object.kind == "table")
            .map(|object| object.name.as_str())
            .collect();
        self.parents.retain(|(table, _)| tables.contains(table.as_str()));
        // The indexes of constraints have no text of their own.
        let prefix = "sqlite_autoindex_";
        self.facts.retain(|name, _| {
            name.strip_prefix(prefix)
                .is_none_or(|rest| rest.rsplit_once('_').is_some_and(|(table, _)| tables.contains(table)))
                && (name.starts_with(prefix) || !name.starts_with("sqlite_"))
        });
    }

    /// The same as facts: the text of each object, and what the pragmas say of it.
    fn as_facts(&self) -> Vec<Fact> {
        let fact = |catalog: &str, object: &str, property: &str, value: &str| Fact {
            catalog: catalog.into(),
            object: object.into(),
            property: property.into(),
            value: value.into(),
        };
        let mut facts: Vec<Fact> = self
            .objects
            .iter()
            .map(|object| {
                fact("sqlite_schema", &format!("{} {}", object.kind, object.name), "sql", &object.sql)
            })
            .collect();
        for (name, said) in &self.facts {
            facts.extend(said.iter().map(|said| fact("pragma", name, "row", said)));
        }
        facts.push(fact("pragma", "user_version", "value", &self.user_version));
        facts.push(fact("pragma", "application_id", "value", &self.application_id));
        facts
    }

    /// Returns the first object that differs, and how.
    fn difference(&self, other: &Self) -> Option<String> {
        let named = |snapshot: &Self| -> BTreeMap<(String, String), Object> {
            let key = |object: &Object| (object.kind.clone(), object.name.clone());
            snapshot.objects.iter().map(|object| (key(object), object.clone())).collect()
        };
        let (ours, theirs) = (named(self), named(other));
        for (key, object) in &ours {
            if theirs.get(key) != Some(object) {
                return Some(format!("{} `{}`", key.0, key.1));
            }
        }
        if let Some((kind, name)) = theirs.keys().find(|key| !ours.contains_key(*key)) {
            return Some(format!("{kind} `{name}`"));
        }
        let names: BTreeSet<&String> = self.facts.keys().chain(other.facts.keys()).collect();
        names
            .into_iter()
            .find(|name| self.facts.get(*name) != other.facts.get(*name))
            .map(|name| format!("`{name}`"))
    }
}

impl Object {
    /// The module of a virtual table.
    fn module(&self) -> Option<String> {
        let mut words = sql::tokens(Dialect::Sqlite, &self.sql)
            .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
        let is = |token: Option<sql::Token<'_>>, word: &str| {
            token.is_some_and(|token| token.text.eq_ignore_ascii_case(word))
        };
        if !is(words.next(), "create") || !is(words.next(), "virtual") {
            return None;
        }
        // The table's name is quoted where it is a keyword.
        words.find(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case("using"))?;
        let module = words.next()?.text;
        Some(module.trim_matches(['"', '`', '[', ']', '\'']).to_lowercase())
    }
}

/// Returns the first row of `sqlite_schema` that nobody accounts for: neither it nor what it hangs on was written or left
/// out on purpose, and loading what was written does not make it.
fn unaccounted<'a>(
    snapshot: &'a Snapshot,
    copy: &Snapshot,
    request: &DumpRequest,
) -> Option<&'a [String; 4]> {
    let made: BTreeSet<(&str, &str)> =
        copy.census.iter().map(|[kind, name, ..]| (kind.as_str(), name.as_str())).collect();
    let left_out = |name: &str| left_out(request).any(|out| out == name);
    snapshot.census.iter().find(|[kind, name, table, shadow]| {
        let table = table.to_lowercase();
        let with_its_table = shadow == "1" && table.match_indices('_').any(|(at, _)| left_out(&table[..at]));
        !made.contains(&(kind, name))
            // SQLite's own: counters, statistics, the indexes of constraints.
            && !name.starts_with("sqlite_")
            && !left_out(&table)
            && !with_its_table
    })
}

/// The tables that are not written, in lower case: our own, and those that the request names.
fn left_out(request: &DumpRequest) -> impl Iterator<Item = String> + '_ {
    let excluded =
        request.exclude_tables.iter().map(|name| name.strip_prefix("main.").unwrap_or(name).to_lowercase());
    [META_TABLE, PROGRESS_TABLE].into_iter().map(str::to_owned).chain(excluded)
}

/// Refuses what SQLite has not.
fn refuse(request: &DumpRequest) -> Result<(), DbError> {
    let asked_for = |what: &str| Err(failure(DbErrorClass::Configuration, what));
    if request.via == Some(Via::PgDump) {
        return asked_for("`pg_dump` does not read SQLite databases");
    }
    if request.schemas.iter().chain(&request.exclude_schemas).any(|schema| schema != "main") {
        return asked_for("SQLite databases have no schemas to choose from");
    }
    if !request.exclude_extensions.is_empty() {
        return asked_for("SQLite databases have no extensions to leave out");
    }
    if request.owners || request.privileges {
        return asked_for("SQLite databases have neither owners nor privileges");
    }
    Ok(())
}

/// The error of a virtual table that cannot be looked at.
fn no_module(table: &str, module: &str) -> DbError {
    failure(
        DbErrorClass::Unsupported,
        format!("the virtual table `{table}` needs the module `{module}`, which this program does not have"),
    )
}

/// Chooses what is dumped.
fn choose(snapshot: &mut Snapshot, request: &DumpRequest) -> Result<(), DbError> {
    let unsupported = |what: String| Err(failure(DbErrorClass::Unsupported, what));
    let excluded: BTreeSet<String> = left_out(request).collect();
    let is_ledger = |object: &Object| {
        object.kind == "table"
            && request.ledger.as_ref().is_some_and(|ledger| ledger.name.eq_ignore_ascii_case(&object.name))
    };
    snapshot.keep(|object| {
        let table = object.table.to_lowercase();
        !excluded.contains(&table) && !is_ledger(object)
    });
    for object in &snapshot.objects {
        if !matches!(object.kind.as_str(), "table" | "index" | "view" | "trigger") {
            return unsupported(format!("`{}` is a {}, which cannot be written", object.name, object.kind));
        }
        if let Some(module) = object.module()
            && !snapshot.modules.contains(&module)
        {
            return Err(no_module(&object.name, &module));
        }
    }
    for (table, parent) in &snapshot.parents {
        if excluded.contains(&parent.to_lowercase()) {
            return unsupported(format!(
                "`{table}` refers to `{parent}`, which is excluded; exclude both or neither"
            ));
        }
    }
    Ok(())
}

/// The last group of statements.
const TRIGGERS: u8 = 3;

/// Where a statement stands: the group, its table, the rank beside that, its name.
type Rank<'a> = (u8, &'a str, u8, &'a str);

/// Writes a structure: each statement ends in `;`, a blank line between. Returns where triggers begin, too: rows stand
/// before them, where none fires.
fn write(snapshot: &Snapshot, ledger: Option<&LedgerTable>) -> (String, Option<usize>) {
    let mut statements = Vec::new();
    for (pragma, value) in
        [("user_version", &snapshot.user_version), ("application_id", &snapshot.application_id)]
    {
        if value != "0" {
            statements.push(format!("PRAGMA {pragma} = {value};"));
        }
    }
    let mut parts: Vec<(Rank<'_>, String)> = Vec::new();
    for object in &snapshot.objects {
        let place = match object.kind.as_str() {
            "table" if object.module().is_some() => (1, &*object.name, 0, ""),
            "table" => (0, &*object.name, 0, ""),
            "index" => (0, &*object.table, 1, &*object.name),
            "view" => (2, &*object.name, 0, ""),
            _ => (TRIGGERS, &*object.table, 0, &*object.name),
        };
        parts.push((place, closed(&object.sql)));
    }
    if let Some(ledger) = ledger {
        parts
            .push(((0, &*ledger.name, 0, ""), format!("{};", ledger::create_table(Dialect::Sqlite, ledger))));
    }
    parts.sort_by_key(|(rank, _)| *rank);
    let (triggers, others): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|((group, ..), _)| *group == TRIGGERS);
    statements.extend(others.into_iter().map(|(_, text)| text));
    let rows_at = (!triggers.is_empty()).then(|| statements.iter().map(|text| text.len() + 2).sum());
    statements.extend(triggers.into_iter().map(|(_, text)| text));
    let mut text = statements.join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    (text, rows_at)
}

/// Returns a statement with its `;`, which a comment at its end must not swallow.
fn closed(statement: &str) -> String {
    let last = sql::tokens(Dialect::Sqlite, statement).last();
    let comment = last.is_some_and(|token| token.kind == TokenKind::Comment && token.text.starts_with("--"));
    format!("{statement}{};", if comment { "\n" } else { "" })
}

/// Runs statements in another database and returns the rows of each as text; the error comes with the number of
/// statements that were done.
async fn load(copy: &mut SqliteConnection, text: &str) -> Result<Vec<Rows>, (usize, DbError)> {
    let mut tables = vec![Rows::new()];
    let mut results = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(copy);
    loop {
        let last = tables.len() - 1;
        match results.try_next().await {
            Ok(Some(Either::Left(_))) => tables.push(Rows::new()),
            Ok(Some(Either::Right(row))) => {
                tables[last].push(texts(&row).map_err(|error| (last, error::database(&error)))?);
            }
            Ok(None) => {
                tables.truncate(last);
                return Ok(tables);
            }
            Err(error) => return Err((last, error::database(&error))),
        }
    }
}

impl Session {
    /// Returns the structure, proved.
    pub(super) async fn structure(&mut self, request: &DumpRequest) -> Result<Structure, DbError> {
        refuse(request)?;
        let snapshot = self.snapshot(request).await?;
        let (text, rows_at) = write(&snapshot, request.ledger.as_ref());
        self.prove(&snapshot, request, &text).await?;
        Ok(Structure { text, rows_at, notes: Vec::new() })
    }

    /// Returns what the pragmas say of everything that is dumped.
    pub(super) async fn fingerprint_of(&mut self, request: &DumpRequest) -> Result<Fingerprint, DbError> {
        refuse(request)?;
        let mut facts = self.snapshot(request).await?.as_facts();
        facts.sort();
        Ok(Fingerprint { facts, unread: Vec::new(), server: "3".to_owned() })
    }

    /// Reads what the database consists of, as far as it is dumped.
    async fn snapshot(&mut self, request: &DumpRequest) -> Result<Snapshot, DbError> {
        // One transaction: the structure is that of one moment.
        let alone = self.open == Open::Nothing;
        let (begin, end) = if alone { ("BEGIN;", ";COMMIT") } else { ("", "") };
        let tables = match self.tables(format!("{begin}{}{end}", queries())).await {
            Ok(tables) => tables,
            Err(error) => {
                if alone {
                    self.undo().await?;
                }
                return Err(self.without_module(error).await);
            }
        };
        let mut snapshot = Snapshot::of(tables.into_iter().skip(usize::from(alone)).collect());
        choose(&mut snapshot, request)?;
        Ok(snapshot)
    }

    /// Names the virtual table whose module is missing, if that is why the catalog could not be read.
    async fn without_module(&mut self, error: DbError) -> DbError {
        let Some(module) = error.message.strip_prefix("no such module: ") else {
            return error;
        };
        let query =
            "SELECT s.type, s.name, s.tbl_name, s.sql FROM main.sqlite_schema AS s WHERE s.rootpage = 0";
        let virtuals = Snapshot::of(vec![self.rows(query).await.unwrap_or_default()]).objects;
        let needs = |object: &&Object| object.module().as_deref() == Some(&*module.to_lowercase());
        virtuals.iter().find(needs).map(|object| no_module(&object.name, module)).unwrap_or(error)
    }

    /// Loads a structure into memory and compares.
    async fn prove(&mut self, snapshot: &Snapshot, request: &DumpRequest, text: &str) -> Result<(), DbError> {
        let differs = |what: String| {
            let mut error =
                failure(DbErrorClass::Unsupported, format!("the structure of {what} cannot be written"));
            error.notes.push("loading the written structure gives another database".into());
            error
        };
        let mut copy = SqliteConnectOptions::new()
            .foreign_keys(false)
            .disable_statement_logging()
            .connect()
            .await
            .map_err(|error| error::database(&error))?;
        let loaded = load(&mut copy, &format!("BEGIN;{text};COMMIT;{}", queries())).await;
        let tables = loaded.map_err(|(done, mut error)| {
            // BEGIN is the first.
            let spans = sql::split(Dialect::Sqlite, text).unwrap_or_default();
            let statement =
                done.checked_sub(1).and_then(|at| spans.get(at)).map(|span| &text[span.range.clone()]);
            error.class = DbErrorClass::Unsupported;
            error.notes.push(format!("written structure: {}", statement.unwrap_or_default()));
            error
        })?;
        let before = tables.len() - QUERIES;
        let mut copied = Snapshot::of(tables.into_iter().skip(before).collect());
        let original = request;
        let request = DumpRequest { ledger: request.ledger.clone(), ..DumpRequest::default() };
        choose(&mut copied, &request)?;
        if let Some(what) = snapshot.difference(&copied) {
            return Err(differs(what));
        }
        if let Some([kind, name, table, shadow]) = unaccounted(snapshot, &copied, original) {
            let mut error =
                failure(DbErrorClass::Unsupported, format!("the {kind} `{name}` cannot be written"));
            error.notes.push(match (shadow.as_str(), name == table) {
                ("1", true) => {
                    "its name is one of those that a virtual table takes for its own tables".into()
                }
                ("1", false) => format!("it is on `{table}`, which belongs to a virtual table"),
                _ => "loading the written structure does not make it".to_owned(),
            });
            return Err(error);
        }
        // A view may read what is left out. One that does not work here either is as it was.
        for view in snapshot.objects.iter().filter(|object| object.kind == "view") {
            let look = format!("SELECT 1 FROM main.{} LIMIT 0", quoted(&view.name));
            if load(&mut copy, &look).await.is_err() && self.send(look).await.is_ok() {
                return Err(failure(
                    DbErrorClass::Unsupported,
                    format!(
                        "the view `{}` reads a table that is excluded; exclude both or neither",
                        view.name
                    ),
                ));
            }
        }
        Ok(())
    }
}
