//! What a statement of a structure file is about.

use super::key::Key;
use super::words::{Name, Words};
use super::{rows, signature};
use crate::sql::Dialect;

/// What a statement is about.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub key: Key,
    /// The table of an index.
    pub on: Option<Key>,
}

/// What may stand between CREATE and the noun without telling one object from another.
const MODIFIERS: [&str; 12] = [
    "or",
    "replace",
    "temp",
    "temporary",
    "unlogged",
    "unique",
    "virtual",
    "recursive",
    "trusted",
    "procedural",
    "default",
    "constraint",
];

/// Nouns of CREATE, the longest first.
const NOUNS: [&[&str]; 30] = [
    &["text", "search", "configuration"],
    &["text", "search", "dictionary"],
    &["text", "search", "template"],
    &["text", "search", "parser"],
    &["foreign", "data", "wrapper"],
    &["operator", "family"],
    &["operator", "class"],
    &["materialized", "view"],
    &["foreign", "table"],
    &["access", "method"],
    &["event", "trigger"],
    &["user", "mapping"],
    &["aggregate"],
    &["cast"],
    &["collation"],
    &["conversion"],
    &["domain"],
    &["extension"],
    &["function"],
    &["index"],
    &["language"],
    &["operator"],
    &["policy"],
    &["procedure"],
    &["publication"],
    &["rule"],
    &["schema"],
    &["sequence"],
    &["server"],
    &["statistics"],
];

/// The rest of them.
const MORE_NOUNS: [&[&str]; 5] = [&["table"], &["transform"], &["trigger"], &["type"], &["view"]];

impl Named {
    /// Reads a statement's first words.
    pub fn of(dialect: Dialect, statement: &str) -> Self {
        if let Some(key) = rows::part(dialect, statement) {
            return Self { key, on: None };
        }
        let mut words = Words::new(dialect, statement);
        let found = if words.take("create") {
            words.created()
        } else if words.take("alter") {
            words.altered()
        } else if words.take("comment") && words.take("on") {
            let until = words.find(|token| token.is_word("is"));
            Some(Self::key("comment", Name::plain(format!("on {}", words.text_to(until)))))
        } else if words.take("set") {
            words.name().map(|name| Self::key("setting", name))
        } else if words.take("pragma") {
            words.name().map(|name| Self::key("pragma", name))
        } else if words.take("security") && words.take("label") {
            let until = words.find(|token| token.is_word("is"));
            Some(Self::key("security label", Name::plain(words.text_to(until))))
        } else {
            None
        };
        found.unwrap_or_else(|| {
            words.at = 0;
            if words.take("select") && statement.contains("set_config") {
                return Self::key("setting", Name::plain("search_path"));
            }
            words.at = 0;
            Self::key("statement", Name::plain(words.text_to(words.tokens.len())))
        })
    }

    fn key(kind: &str, name: Name) -> Self {
        Self { key: Key::folded(kind, name), on: None }
    }

    /// Whether it is one of the settings that stand before all objects.
    pub fn sets_something(&self) -> bool {
        self.key.kind == "setting"
    }
}

/// Words of an ALTER behind which a new value stands: what is before them tells one change from another.
const VALUED: [&str; 11] = [
    "statistics",
    "storage",
    "compression",
    "default",
    "owner",
    "owned",
    "identity",
    "cluster",
    "options",
    "values",
    "with",
];

impl Words<'_> {
    fn created(&mut self) -> Option<Named> {
        let replaces = self.tokens.get(self.at).is_some_and(|token| token.is_word("or"));
        while MODIFIERS.iter().any(|modifier| self.take(modifier)) {}
        let noun = NOUNS.iter().chain(&MORE_NOUNS).find(|noun| self.take_all(noun))?;
        let kind = noun.join(" ");
        let _ = self.take_all(&["if", "not", "exists"]);
        let name = match kind.as_str() {
            "cast" => Name::plain(self.parentheses()?.split_whitespace().collect::<Vec<_>>().join(" ")),
            "transform" => {
                let until = self.find(|token| token.is_punctuation("("));
                Name::plain(self.text_to(until))
            }
            "user mapping" => Name::plain(self.text_to(self.find(|token| token.is_word("options")))),
            "operator" => {
                let name = self.operator();
                let operands = self.parentheses().unwrap_or_default();
                name.and(format!("({})", signature::operands(operands)))
            }
            "operator class" => {
                let name = self.name()?;
                let until = self.find(|token| token.is_word("using"));
                self.at = until + 1;
                let method = self.name()?;
                name.and(" using ").and(method.shown)
            }
            "operator family" => {
                let name = self.name()?;
                name.and(" ").and(self.text_to(self.tokens.len()))
            }
            "function" | "procedure" => {
                let name = self.name()?;
                let arguments = signature::arguments(self.parentheses()?, kind == "procedure");
                name.and(format!("({arguments})"))
            }
            "aggregate" => {
                let name = self.name()?;
                let arguments = self.parentheses()?.split_whitespace().collect::<Vec<_>>().join(" ");
                name.and(format!("({arguments})"))
            }
            _ => self.name()?,
        };
        let name = match kind.as_str() {
            // What stood in for it before, in a loop of dependencies.
            "type" if self.peek().is_none() => return Some(Named::key("shell type", name)),
            "view" | "function" | "procedure" if replaces => name.and(" (in full)"),
            _ => name,
        };
        // Their names are the table's.
        if matches!(kind.as_str(), "trigger" | "rule" | "policy" | "index") {
            let mark = if kind == "rule" { "to" } else { "on" };
            self.at = self.find(|token| token.is_word(mark));
            if kind == "trigger" && self.dialect == Dialect::Postgres {
                // `AFTER UPDATE OF a ON t`: the names of columns before it are no keywords.
                self.at = self.find(|token| token.is_word("on"));
            }
            self.at += 1;
            let _ = self.take("only");
            let on = self.name()?;
            return Some(match (kind.as_str(), self.dialect) {
                ("index", _) => {
                    let on = Some(Key::folded("table", on));
                    Named { key: Key::folded("index", name), on }
                }
                (kind, Dialect::Sqlite) => Named::key(kind, name),
                (kind, Dialect::Postgres) => Named::key(kind, name.and(" on ").and(on.shown)),
            });
        }
        Some(Named::key(&kind, name))
    }

    fn altered(&mut self) -> Option<Named> {
        let start = self.at;
        if self.take("table") || self.take_all(&["foreign", "table"]) {
            let _ = self.take("only");
            let table = self.name()?;
            if self.take_all(&["add", "constraint"]) {
                let name = self.name()?;
                return Some(Named::key("constraint", name.and(" on ").and(table.shown)));
            }
            if self.take_all(&["attach", "partition"]) {
                let name = self.name()?;
                return Some(Named::key("partition", name.and(" of ").and(table.shown)));
            }
        }
        self.at = start;
        if let Some(named) = self.state_of_trigger() {
            return Some(named);
        }
        self.at = start;
        if self.take("publication") && self.name().is_some() && self.take_all(&["add", "table"]) {
            let _ = self.take("only");
            let _ = self.name()?;
            // Behind it: columns, a condition.
            let until = self.at;
            self.at = 0;
            return Some(Named::key("statement", Name::plain(self.text_to(until))));
        }
        self.at = start;
        let add = self.find(|token| token.is_word("add"));
        if self.tokens.get(add + 1).is_some_and(|token| token.is_word("constraint")) {
            self.at = 0;
            return Some(Named::key("statement", Name::plain(self.text_to(add + 3))));
        }
        let value = self.find(|token| VALUED.iter().any(|word| token.is_word(word)));
        let set = self.find(|token| token.is_word("set"));
        // `SET (fillfactor=70)`
        let options = self.tokens.get(set + 1).filter(|token| token.is_punctuation("(")).map(|_| set + 1);
        let until = (value + 1).min(options.unwrap_or(usize::MAX));
        self.at = 0;
        Some(Named::key("statement", Name::plain(self.text_to(until))))
    }

    /// Reads `TABLE a.t DISABLE TRIGGER x`: which state it is does not tell one change from another.
    fn state_of_trigger(&mut self) -> Option<Named> {
        let _ = self.take("foreign");
        if !self.take("table") {
            return None;
        }
        let _ = self.take("only");
        let table = self.name()?;
        if !self.take("enable") && !self.take("disable") {
            return None;
        }
        let _ = self.take("replica") || self.take("always");
        let kind = ["trigger", "rule"].into_iter().find(|kind| self.take(kind))?;
        let name = self.name()?;
        Some(Named::key(&format!("state of {kind}"), name.and(" on ").and(table.shown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(statement: &str) -> String {
        Named::of(Dialect::Postgres, statement).key.to_string()
    }

    #[test]
    fn statements_are_named_as_people_name_what_they_make() {
        for (statement, named) in [
            ("CREATE UNLOGGED TABLE app.\"Two Words\" (\n    a integer\n)", "table app.\"Two Words\""),
            ("CREATE TYPE public.t", "shell type public.t"),
            ("CREATE TYPE public.t (\n    INPUT = f\n)", "type public.t"),
            ("CREATE TYPE public.t AS ENUM ('a')", "type public.t"),
            ("CREATE UNIQUE INDEX i ON app.users USING btree (a)", "index i"),
            ("CREATE INDEX i ON ONLY app.users USING btree (a)", "index i"),
            ("CREATE MATERIALIZED VIEW app.v AS SELECT 1", "materialized view app.v"),
            ("CREATE OR REPLACE VIEW app.v AS SELECT 1", "view app.v (in full)"),
            (
                "CREATE FUNCTION app.f(a integer, OUT b text, VARIADIC c double precision[] DEFAULT '{}'::text)",
                "function app.f(integer, double precision[])",
            ),
            ("CREATE AGGREGATE app.a(integer) (\n    SFUNC = f\n)", "aggregate app.a(integer)"),
            (
                "CREATE OPERATOR app.=> (\n    FUNCTION = f,\n    LEFTARG = integer,\n    RIGHTARG = text\n)",
                "operator app.=>(integer, text)",
            ),
            (
                "CREATE OPERATOR CLASS app.c DEFAULT FOR TYPE x USING btree AS",
                "operator class app.c using btree",
            ),
            ("CREATE OPERATOR FAMILY app.c USING btree", "operator family app.c USING btree"),
            ("CREATE CAST (text AS integer) WITH INOUT", "cast text AS integer"),
            ("CREATE TRANSFORM FOR integer LANGUAGE sql (FROM", "transform FOR integer LANGUAGE sql"),
            ("CREATE DEFAULT CONVERSION app.c FOR 'A' TO 'B' FROM f", "conversion app.c"),
            (
                "CREATE CONSTRAINT TRIGGER t AFTER UPDATE OF a, b ON app.users FROM x",
                "trigger t on app.users",
            ),
            ("CREATE RULE r AS\n    ON INSERT TO app.v DO INSTEAD NOTHING", "rule r on app.v"),
            ("CREATE POLICY p ON app.users USING (true)", "policy p on app.users"),
            ("CREATE EVENT TRIGGER e ON ddl_command_start", "event trigger e"),
            ("COMMENT ON COLUMN app.users.a IS 'is it'", "comment on COLUMN app.users.a"),
            ("ALTER TABLE ONLY a.b ADD CONSTRAINT c FOREIGN KEY (x)", "constraint c on a.b"),
            ("ALTER TABLE ONLY a.b ATTACH PARTITION c.d FOR VALUES IN (1)", "partition c.d of a.b"),
            (
                "ALTER TABLE ONLY a.b ALTER COLUMN c SET STATISTICS 90",
                "`ALTER TABLE ONLY a.b ALTER COLUMN c SET STATISTICS`",
            ),
            (
                "ALTER TABLE ONLY a.b ALTER COLUMN c SET (n_distinct=10)",
                "`ALTER TABLE ONLY a.b ALTER COLUMN c SET`",
            ),
            ("ALTER TABLE a.b ENABLE ROW LEVEL SECURITY", "`ALTER TABLE a.b ENABLE ROW LEVEL SECURITY`"),
            ("ALTER TABLE a.b DISABLE TRIGGER t", "state of trigger t on a.b"),
            ("ALTER TABLE a.b ENABLE ALWAYS TRIGGER t", "state of trigger t on a.b"),
            (
                "ALTER PUBLICATION p ADD TABLE ONLY a.b (c) WHERE (c > 0)",
                "`ALTER PUBLICATION p ADD TABLE ONLY a.b`",
            ),
            ("ALTER DOMAIN a.d ADD CONSTRAINT c CHECK (true)", "`ALTER DOMAIN a.d ADD CONSTRAINT c`"),
            ("SET xmloption = content", "setting xmloption"),
            ("GRANT SELECT ON TABLE a TO b", "`GRANT SELECT ON TABLE a TO b`"),
        ] {
            assert_eq!(key(statement), named);
        }
    }

    #[test]
    fn names_of_sqlite_are_the_same_in_any_case_and_quotes() {
        let of = |statement| Named::of(Dialect::Sqlite, statement);
        assert_eq!(of("CREATE TABLE Users (a)").key, of("create table if not exists [users] (a)").key);
        assert_eq!(of("CREATE TABLE \"Users\" (a)").key.to_string(), "table \"Users\"");
        assert_eq!(of("create unique index i on `users` (a)").on, Some(of("create table 'USERS' (a)").key));
        assert_eq!(of("create trigger t after insert on a begin select 1; end").key.to_string(), "trigger t");
        assert_eq!(of("PRAGMA user_version = 7").key.to_string(), "pragma user_version");
    }
}
