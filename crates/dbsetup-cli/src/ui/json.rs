//! One JSON object an event. The names are a promise: docs/json.md lists them.

use std::path::Path;
use std::time::Duration;

use dbsetup::event::{Direction, Event, What};
use dbsetup::{Error, Kind};

/// The version of the format.
const VERSION: u32 = 1;

/// An object whose keys stay in the order in which they were added, `"v"` first.
#[derive(Debug, Clone)]
pub struct Object(String);

impl Object {
    /// Returns an object for an event.
    pub fn new(event: &str) -> Self {
        Self(format!("{{\"v\":{VERSION}")).text("event", event)
    }

    fn raw(mut self, key: &str, value: &str) -> Self {
        self.0.push_str(&format!(",\"{key}\":{value}"));
        self
    }

    /// Adds a string.
    pub fn text(self, key: &str, value: &str) -> Self {
        let value = serde_json::Value::from(value).to_string();
        self.raw(key, &value)
    }

    /// Adds a string, or null.
    pub fn maybe(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// Adds a number.
    pub fn number(self, key: &str, value: impl Into<u64>) -> Self {
        let value = value.into().to_string();
        self.raw(key, &value)
    }

    /// Adds true or false.
    pub fn fact(self, key: &str, value: bool) -> Self {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// Adds a list of strings.
    pub fn list(self, key: &str, values: &[&str]) -> Self {
        let value = serde_json::Value::from(values.to_vec()).to_string();
        self.raw(key, &value)
    }

    /// Adds a path with `/` between its parts.
    pub fn path(self, path: &Path) -> Self {
        self.path_as("path", path)
    }

    fn maybe_path(self, key: &str, path: Option<&Path>) -> Self {
        match path {
            Some(path) => self.path_as(key, path),
            None => self.raw(key, "null"),
        }
    }

    fn path_as(self, key: &str, path: &Path) -> Self {
        let shown = path.display().to_string();
        self.text(key, &if cfg!(windows) { shown.replace('\\', "/") } else { shown })
    }

    fn took(self, took: Duration) -> Self {
        self.number("took_us", u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
    }

    fn waited(self, waited: Duration) -> Self {
        self.number("waited_ms", u64::try_from(waited.as_millis()).unwrap_or(u64::MAX))
    }

    /// The object as one line.
    pub fn line(self) -> String {
        self.0 + "}\n"
    }
}

/// Returns the object of an event.
pub fn event(event: &Event) -> Object {
    let object = |name: &str| Object::new(name).text("repo", event.repo.as_str());
    let size = |number: &usize| *number as u64;
    match &event.what {
        What::Created { target, took } => object("created").text("target", target).took(*took),
        What::Cloned { target, template, took } => {
            object("created").text("target", target).took(*took).text("template", template)
        }
        What::TemplateKept { template, took } => {
            object("template_kept").text("template", template).took(*took)
        }
        What::TemplateThere { template } => object("template_there").text("template", template),
        What::TemplatesRemoved { count } => object("templates_removed").number("count", size(count)),
        What::TemplateRefused { reason } => object("template_refused").text("reason", reason),
        What::TemplateNotKept { reason } => object("template_not_kept").text("reason", reason),
        What::TemplateSkipped { reason } => object("template_skipped").text("reason", reason),
        What::AlreadyCreated { target } => object("already_created").text("target", target),
        What::Dropped { target, sessions, took } => {
            object("dropped").text("target", target).number("sessions_ended", size(sessions)).took(*took)
        }
        What::AlreadyDropped { target } => object("already_dropped").text("target", target),
        What::Reachable { target, took } => object("reachable").text("target", target).took(*took),
        What::Unreachable { target, waited, why } => {
            object("unreachable").text("target", target).waited(*waited).text("why", why)
        }
        What::LockWaiting { holder, waited } => {
            object("lock_waiting").maybe("holder", holder.as_deref()).waited(*waited)
        }
        What::LoadStarted { path, bytes } => object("load_started").path(path).number("bytes", *bytes),
        What::LoadProgress { bytes } => object("load_progress").number("bytes", *bytes),
        What::Loaded { path, statements, took } => {
            object("loaded").path(path).number("statements", *statements).took(*took)
        }
        What::LoadSkipped { reason } => object("load_skipped").text("reason", reason),
        What::Dumped { path, changed, took } => {
            object("dumped").path(path).fact("changed", *changed).took(*took)
        }
        What::FiltersKept { path, filters } => {
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            object("filters_kept").path(path).list("filters", &filters)
        }
        What::Verified { facts, unread, took } => {
            object("verified").number("facts", size(facts)).text("unread", &unread.join(", ")).took(*took)
        }
        What::BehindFloor { count, path } => object("behind_floor").number("count", size(count)).path(path),
        What::Squashed { migrations, stay, structure, floor, archive, baseline, took } => object("squashed")
            .number("migrations", size(migrations))
            .number("stay", size(stay))
            .path(structure)
            .path_as("floor", floor)
            .path_as("archive", archive)
            .maybe_path("baseline", baseline.as_deref())
            .took(*took),
        What::LedgerRewritten { rows, version } => {
            object("ledger_rewritten").number("rows", size(rows)).text("version", version)
        }
        What::SquashGivenUp { newest } => object("squash_given_up").text("newest", newest),
        What::SquashFinished { newest } => object("squash_finished").text("newest", newest),
        What::NothingToSquash { applied } => object("nothing_to_squash").number("applied", size(applied)),
        What::MigrationsPlanned { direction, count } => {
            object("migrations_planned").text("direction", word(*direction)).number("count", size(count))
        }
        What::MigrationStarted { direction, lane, version, name, path } => {
            let object = object("migration_started").text("direction", word(*direction));
            object.text("lane", lane.as_str()).text("version", version).text("name", name).path(path)
        }
        What::StatementDone { version, done, total } => object("statement_done")
            .text("version", version)
            .number("done", size(done))
            .number("total", size(total)),
        What::Migrated { direction, lane, version, name, took } => {
            let object = object("migrated").text("direction", word(*direction)).text("lane", lane.as_str());
            object.text("version", version).text("name", name).took(*took)
        }
        What::AppliedByOther { version, name } => {
            object("applied_by_other").text("version", version).text("name", name)
        }
        What::NothingToMigrate { direction, applied } => {
            object("nothing_to_migrate").text("direction", word(*direction)).number("applied", size(applied))
        }
        What::Seeded { path, took } => object("seeded").path(path).took(*took),
        What::SeedSkipped { reason } => object("seed_skipped").text("reason", reason),
        What::SeedCommandDone { command, took } => {
            object("seed_command_done").text("command", command).took(*took)
        }
        What::FileRun { path, statements, took } => {
            object("file_run").path(path).number("statements", *statements).took(*took)
        }
        What::Statement { sql } => object("statement").text("sql", sql),
        What::Resolved { version, change } => {
            object("resolved").text("version", version).text("change", change)
        }
        What::EnvironmentRecorded { environment } => {
            object("environment_recorded").text("environment", environment)
        }
        What::RepoRecorded { before } => object("repo_recorded").text("before", before),
        What::Retry { why, attempt } => object("retry").text("why", why).number("attempt", *attempt),
        What::Notice { text } => object("notice").text("text", text),
        What::Warning { text, help } => object("warning").text("text", text).maybe("help", help.as_deref()),
        other => object("other").text("text", &format!("{other:?}")),
    }
}

/// Returns the object of an error.
pub fn error(error: &Error, repo: Option<&str>, code: u8) -> Object {
    let notes: Vec<&str> = error.notes().iter().map(String::as_str).collect();
    let mut object = Object::new("error").maybe("repo", repo).text("kind", kind(error.kind()));
    object = object.number("code", code).text("message", error.message());
    if let Some(site) = error.site() {
        object = object.path(&site.path).number("line", site.at.line).number("column", site.at.column);
    }
    object.list("notes", &notes).maybe("help", error.help_text())
}

/// Returns the object of a command line that cannot be run.
pub fn usage(message: &str, help: Option<&str>, code: u8) -> Object {
    let object = Object::new("error").maybe("repo", None).text("kind", "usage").number("code", code);
    object.text("message", message).list("notes", &[]).maybe("help", help)
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Configuration => "configuration",
        Kind::Grammar => "grammar",
        Kind::DuplicateVersion => "duplicate_version",
        Kind::Pooled => "pooled",
        Kind::Statement => "statement",
        Kind::Changed => "changed",
        Kind::Missing => "missing",
        Kind::Ledger => "ledger",
        Kind::Undecided => "undecided",
        Kind::NotEmpty => "not_empty",
        Kind::PartlyLoaded => "partly_loaded",
        Kind::DatabaseMissing => "database_missing",
        Kind::Permission => "permission",
        Kind::Unsupported => "unsupported",
        Kind::Io => "io",
        Kind::Program => "program",
        Kind::Check => "check",
        Kind::BelowFloor => "below_floor",
        Kind::Refused => "refused",
        Kind::WrongDatabase => "wrong_database",
        Kind::Locked => "locked",
        Kind::Unreachable => "unreachable",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_begins_with_the_version_and_keeps_its_order() {
        let line = Object::new("x").text("z", "a\"\n").maybe("b", None).list("a", &["1"]).line();
        assert_eq!(line, "{\"v\":1,\"event\":\"x\",\"z\":\"a\\\"\\n\",\"b\":null,\"a\":[\"1\"]}\n");
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn the_documentation_lists_every_kind_of_error() {
        let text = include_str!("../../../../docs/json.md");
        let start = text.find("`kind` is ").expect("the list is there") + "`kind` is ".len();
        let list = text[start..].split("\n\n").next().expect("it has a first part");
        let mut listed: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
        // The words of `kind`, as this file has them.
        let own = include_str!("json.rs");
        let body = own.split("fn kind(kind: Kind)").nth(1).and_then(|rest| rest.split("\n}\n").next());
        let mut words: Vec<&str> = body.expect("it is in this file").split('"').skip(1).step_by(2).collect();
        words.push("usage");
        listed.sort_unstable();
        words.sort_unstable();
        assert_eq!(listed, words);
    }

    #[test]
    fn an_error_keeps_its_place() {
        let site = dbsetup::error::Site::in_text("a.sql", "select 1;\nselect x;\n", 17..18);
        let failure = Error::new(Kind::Statement, "no such column: x").at(site).help("fix it");
        assert_eq!(
            error(&failure, Some("core"), 1).line(),
            "{\"v\":1,\"event\":\"error\",\"repo\":\"core\",\"kind\":\"statement\",\"code\":1,\
             \"message\":\"no such column: x\",\"path\":\"a.sql\",\"line\":2,\"column\":8,\"notes\":[],\
             \"help\":\"fix it\"}\n"
        );
    }
}
