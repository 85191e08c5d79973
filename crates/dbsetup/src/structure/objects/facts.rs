//! What the blocks of a structure say of a table that rows and other objects depend on: its columns, what is unique in
//! it, what it refers to.

use std::collections::{BTreeSet, HashMap};

use super::{Structure, table};
use crate::sql::{self, Dialect, Token, TokenKind};

/// Columns that hold other values in every row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Unique {
    /// The columns; none where it is about something else than columns, so that nothing is known without the database.
    pub columns: Vec<String>,
    pub is_primary: bool,
    /// Whether it holds for all rows; an index may leave some out.
    is_whole: bool,
    /// Whether NULL is a value like others.
    pub nulls_equal: bool,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    pub columns: Vec<String>,
    pub table: String,
    /// The columns that it refers to; none for the primary key.
    pub to: Vec<String>,
}

/// What is known of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The columns with what is said of them.
    pub columns: HashMap<String, String>,
    /// All that rows have to comply with, in pieces.
    pub pieces: BTreeSet<String>,
    pub unique: Vec<Unique>,
    pub references: Vec<Reference>,
}

/// Returns the name of a table without quotes, as it is compared: `schema.name`.
pub(super) fn plain_table(dialect: Dialect, written: &str) -> String {
    sql::significant(dialect, written).map(|token| plain(dialect, token)).collect()
}

/// Returns a name without quotes, as it is compared; of other tokens, their text.
pub(super) fn plain(dialect: Dialect, token: Token<'_>) -> String {
    match (sql::identifier_name(dialect, token), dialect) {
        (Some(name), Dialect::Sqlite) => name.to_ascii_lowercase(),
        (Some(name), Dialect::Postgres) => name.into_owned(),
        // SQLite takes strings for names.
        (None, Dialect::Sqlite) if token.kind == TokenKind::String => {
            token.text.trim_matches('\'').to_ascii_lowercase()
        }
        (None, _) => token.text.to_owned(),
    }
}

impl Facts {
    /// Reads what is known of each table of a structure.
    pub fn of(structure: &Structure) -> HashMap<String, Self> {
        let mut tables: HashMap<String, Self> = HashMap::new();
        let is_about_tables =
            |kind: &str| matches!(kind, "table" | "foreign table" | "constraint" | "partition");
        for object in structure.objects.iter().filter(|object| is_about_tables(&object.key.kind)) {
            for statement in &object.statements {
                Statement::new(structure.dialect, statement).read(&mut tables);
            }
        }
        tables
    }

    /// Returns the columns that tell rows of all versions apart, where an INSERT has them.
    pub fn key<'a>(versions: &[Option<&'a Self>], inserted: &[String]) -> Option<&'a [String]> {
        let (first, others) = versions.split_first()?;
        let known = (*first)?;
        let is_key = |facts: &Self, unique: &Unique| {
            let there = |column: &String| {
                let required = facts.columns.get(column).is_some_and(|text| is_required(text));
                inserted.contains(column) && (unique.is_primary || required)
            };
            unique.is_whole && !unique.columns.is_empty() && unique.columns.iter().all(there)
        };
        let is_everywhere = |unique: &&Unique| {
            let has = |facts: &Self| {
                facts.unique.iter().any(|one| one.columns == unique.columns && is_key(facts, one))
            };
            is_key(known, unique) && others.iter().flatten().all(|facts| has(facts))
        };
        let unique = &known.unique;
        let primary = unique.iter().filter(|unique| unique.is_primary).find(is_everywhere);
        primary.or_else(|| unique.iter().find(is_everywhere)).map(|unique| unique.columns.as_slice())
    }

    /// Whether rows that comply with `before` may not comply with it.
    pub fn asks_more_than(&self, before: &Self) -> bool {
        let is_harmless = |piece: &String| {
            let name = self.columns.iter().find(|(_, text)| *text == piece).map(|(name, _)| name);
            name.is_some_and(|name| !before.columns.contains_key(name)) && may_be_left_out(piece)
        };
        before.columns.keys().any(|column| !self.columns.contains_key(column))
            || self.pieces.difference(&before.pieces).any(|piece| !is_harmless(piece))
    }

    /// Whether the database gives the column a value of its own where an INSERT leaves it out.
    pub fn numbers_itself(&self, column: &str) -> bool {
        let Some(text) = self.columns.get(column) else { return false };
        let is_rowid = has_word(text, &["integer"]) && has_word(text, &["primary"]);
        is_rowid || has_word(text, &["nextval", "identity", "serial", "bigserial", "gen_random_uuid"])
    }
}

fn has_word(text: &str, wanted: &[&str]) -> bool {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.any(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

/// Whether a column's text says NOT NULL.
fn is_required(text: &str) -> bool {
    let words: Vec<_> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
    words.windows(2).any(|two| two[0] == "not" && two[1].starts_with("null"))
}

/// Whether rows need not know of a column.
fn may_be_left_out(text: &str) -> bool {
    !has_word(text, &["not", "primary", "unique", "references", "check", "constraint"])
}

/// A statement of a table's block.
struct Statement<'a> {
    dialect: Dialect,
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Statement<'a> {
    fn new(dialect: Dialect, text: &'a str) -> Self {
        Self { dialect, text, tokens: sql::significant(dialect, text).collect(), at: 0 }
    }

    fn read(mut self, tables: &mut HashMap<String, Facts>) {
        let text = || self.text.trim_end().trim_end_matches(';').to_owned();
        if let Some(parts) = table::parts(self.dialect, self.text) {
            let facts = tables.entry(plain_table(self.dialect, parts.name)).or_default();
            facts.pieces.insert(format!("({})", parts.behind.trim_end().trim_end_matches(';')));
            for (column, text) in parts.items {
                facts.pieces.insert(text.to_owned());
                if let Some(column) = &column {
                    facts.columns.insert(column.clone(), text.to_owned());
                }
                Statement::new(self.dialect, text).constraint(column, facts);
            }
        } else if self.has(0, &["alter", "table"]) {
            self.at = if self.is(2, "only") { 3 } else { 2 };
            let name = self.table();
            if !self.is(0, "add") && !self.is(0, "attach") {
                return;
            }
            let piece = text();
            let facts = tables.entry(name).or_default();
            facts.pieces.insert(piece);
            self.constraint(None, facts);
        } else if self.has(0, &["create", "unique", "index"]) {
            let mut at = 0;
            while at < self.tokens.len() && !self.is(at, "on") {
                at += 1;
            }
            self.at = at + 1;
            self.at += usize::from(self.is(0, "only"));
            let piece = text();
            let facts = tables.entry(self.table()).or_default();
            facts.pieces.insert(piece);
            let columns = self.list();
            let is_whole = !(0..self.tokens.len()).any(|at| self.is(at, "where"));
            let nulls_equal = self.nulls_equal();
            facts.unique.push(Unique { columns, is_primary: false, is_whole, nulls_equal });
        } else if self.is(0, "create") {
            // A table that is not written with a list of columns: a virtual one, a partition.
            let Some(at) = (0..self.tokens.len()).find(|at| self.is(*at, "table")) else { return };
            self.at = if self.has(at + 1, &["if", "not", "exists"]) { at + 4 } else { at + 1 };
            let piece = text();
            tables.entry(self.table()).or_default().pieces.insert(piece);
        }
    }

    fn is(&self, ahead: usize, word: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.is_word(word))
    }

    fn has(&self, ahead: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.is(ahead + at, word))
    }

    fn opens(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is_punctuation("("))
    }

    fn nulls_equal(&self) -> bool {
        self.tokens
            .windows(3)
            .any(|three| three[0].is_word("nulls") && three[1].is_word("not") && three[2].is_word("distinct"))
    }

    /// Reads a table's name.
    fn table(&mut self) -> String {
        let mut name = String::new();
        while let Some(token) = self.tokens.get(self.at) {
            name.push_str(&plain(self.dialect, *token));
            self.at += 1;
            if !self.tokens.get(self.at).is_some_and(|token| token.is_punctuation(".")) {
                break;
            }
            name.push('.');
            self.at += 1;
        }
        name
    }

    /// Reads the columns in the next parentheses; none where it is about more than columns.
    fn list(&mut self) -> Vec<String> {
        while self.at < self.tokens.len() && !self.opens() {
            self.at += 1;
        }
        let mut columns = Vec::new();
        let (mut is_plain, mut is_first, mut depth) = (true, true, 0_usize);
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token.text {
                "(" => {
                    is_plain &= depth == 0;
                    depth += 1;
                }
                ")" if depth <= 1 => break,
                ")" => depth -= 1,
                "," if depth == 1 => is_first = true,
                _ if is_first => {
                    is_plain &= matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
                        || token.kind == TokenKind::String && self.dialect == Dialect::Sqlite;
                    columns.push(plain(self.dialect, *token));
                    is_first = false;
                }
                // `a COLLATE b DESC`; `a WITHOUT OVERLAPS` is no equality.
                _ => {
                    let is_name = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier);
                    is_plain &= is_name && !token.is_word("overlaps");
                }
            }
        }
        if is_plain { columns } else { Vec::new() }
    }

    /// Reads the constraints of a column or of a table.
    fn constraint(mut self, column: Option<String>, facts: &mut Facts) {
        let own: Vec<String> = column.iter().cloned().collect();
        let nulls_equal = self.nulls_equal();
        let mut from = own.clone();
        // The name of a column is no constraint, however it is called.
        self.at = own.len();
        while let Some(token) = self.tokens.get(self.at).copied() {
            let is_primary = self.has(0, &["primary", "key"]);
            if self.opens() {
                self.skip();
            } else if is_primary || token.is_word("unique") {
                self.at += if is_primary { 2 } else { 1 };
                let columns = if own.is_empty() { self.list() } else { own.clone() };
                facts.unique.push(Unique { columns, is_primary, is_whole: true, nulls_equal });
            } else if token.is_word("exclude") && own.is_empty() {
                self.at = self.tokens.len();
                let columns = Vec::new();
                facts.unique.push(Unique { columns, is_primary: false, is_whole: false, nulls_equal });
            } else if self.has(0, &["foreign", "key"]) {
                self.at += 2;
                from = self.list();
            } else if token.is_word("references") {
                self.at += 1;
                let table = self.table();
                let to = if self.opens() { self.list() } else { Vec::new() };
                facts.references.push(Reference { columns: from.clone(), table, to });
            } else {
                self.at += 1;
            }
        }
    }

    /// Goes behind the parentheses that open here.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token.text {
                "(" => depth += 1,
                ")" if depth <= 1 => return,
                ")" => depth -= 1,
                _ => {}
            }
        }
    }
}
