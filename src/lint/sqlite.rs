//! Files for SQLite, read by our own tokens: it has no server whose tables could be blocked, so only what the old code
//! would not survive counts.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use dbsetup::migration::Script;
use dbsetup::sql::{self, Dialect, Token, TokenKind, tokens};

use super::Found;
use super::name::Name;
use super::source::{self, Source};

/// Lints a script by every rule, whatever its lane.
pub(super) fn lint(script: &Script) -> Vec<Found> {
    let source = match Source::read(script, Dialect::Sqlite) {
        Ok(source) => source,
        Err(found) => return vec![found],
    };
    let mut found = source.everywhere(Dialect::Sqlite);
    let statements: Vec<(Range<usize>, Words<'_>)> =
        source.statements.iter().map(|range| (range.clone(), Words::new(source.text(range)))).collect();
    let controls =
        statements.iter().map(|(range, _)| sql::transaction_control(Dialect::Sqlite, source.text(range)));
    let transactions = source::transactions(script.transactional, controls);
    let mut facts = Facts::new(&statements, transactions);
    for (range, words) in &statements {
        found.extend(statement(words, range, &facts));
        facts.advance(words);
    }
    found
}

/// So many tokens of a statement are looked at: an insert of rows has many, and says all in front.
const LOOKED_AT: usize = 20_000;

/// The significant tokens of a statement.
struct Words<'a> {
    tokens: Vec<Token<'a>>,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        let blank = |token: &Token<'_>| matches!(token.kind, TokenKind::Space | TokenKind::Comment);
        Self { tokens: tokens(Dialect::Sqlite, text).filter(|token| !blank(token)).take(LOOKED_AT).collect() }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
    }

    fn is_point(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text == ".")
    }

    /// Returns the first place behind words that may stand there.
    fn behind(&self, at: usize, words: &[&str]) -> usize {
        words.iter().fold(at, |at, word| if self.is(at, word) { at + 1 } else { at })
    }

    /// Returns the identifier at a place, without quotes. SQLite takes strings for names too.
    fn identifier(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        let text = match token.kind {
            TokenKind::Word => token.text.to_owned(),
            TokenKind::QuotedIdentifier | TokenKind::String => {
                let inner = token.text.get(1..token.text.len().checked_sub(1)?)?;
                match token.text.chars().next()? {
                    '[' => inner.to_owned(),
                    quote => inner.replace(&format!("{quote}{quote}"), &quote.to_string()),
                }
            }
            _ => return None,
        };
        Some(text.to_lowercase())
    }

    /// Returns the name of a table or view, and the place behind it.
    fn name(&self, at: usize) -> Option<(Name, usize)> {
        let first = self.identifier(at)?;
        if self.is_point(at + 1) {
            return Some((Name::new(Some(first), self.identifier(at + 2)?), at + 3));
        }
        Some((Name::new(None, first), at + 1))
    }

    /// Returns the places of words outside parentheses, from a place on.
    fn outside(&self, from: usize) -> impl Iterator<Item = usize> {
        let mut depth = 0_usize;
        (from..self.tokens.len()).filter(move |at| {
            let token = &self.tokens[*at];
            match token.text {
                "(" if token.kind == TokenKind::Punctuation => depth += 1,
                ")" if token.kind == TokenKind::Punctuation => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.kind == TokenKind::Word
        })
    }

    /// Returns the kind of object that is created, and its name.
    fn created(&self) -> Option<(&'static str, Name)> {
        if !self.is(0, "create") {
            return None;
        }
        let at = self.behind(1, &["temp", "temporary", "virtual"]);
        let kind = ["table", "view"].into_iter().find(|kind| self.is(at, kind))?;
        let (name, _) = self.name(self.behind(at + 1, &["if", "not", "exists"]))?;
        Some((kind, name))
    }

    /// Returns the table that is altered, and the place behind its name.
    fn altered(&self) -> Option<(Name, usize)> {
        (self.is(0, "alter") && self.is(1, "table")).then(|| self.name(2))?
    }

    /// Returns the old and the new name of a table.
    fn renamed(&self) -> Option<(Name, Name)> {
        let (old, at) = self.altered()?;
        if !self.is(at, "rename") || !self.is(at + 1, "to") {
            return None;
        }
        let new = Name::new(None, self.identifier(at + 2)?);
        Some((old.clone(), old.sibling(&new)))
    }
}

/// What the file itself says of its tables.
#[derive(Default)]
struct Facts {
    at: usize,
    /// The number of each statement's transaction.
    transactions: Vec<usize>,
    created: HashSet<Name>,
    views: HashMap<Name, usize>,
    /// The last statement that renames a table of the file to this name.
    replaced: HashMap<Name, usize>,
}

impl Facts {
    fn new(statements: &[(Range<usize>, Words<'_>)], transactions: Vec<usize>) -> Self {
        let mut facts = Self { transactions, ..Self::default() };
        let mut tables = HashSet::new();
        for (at, (_, words)) in statements.iter().enumerate() {
            match words.created() {
                Some(("view", name)) => {
                    facts.views.insert(name, at);
                }
                Some((_, name)) => {
                    tables.insert(name);
                }
                None => {}
            }
            if let Some((old, new)) = words.renamed()
                && tables.contains(&old)
            {
                facts.replaced.insert(new, at);
            }
        }
        facts
    }

    fn advance(&mut self, words: &Words<'_>) {
        self.at += 1;
        if let Some((_, name)) = words.created() {
            self.created.insert(name);
        }
        if let Some((old, new)) = words.renamed()
            && self.created.remove(&old)
        {
            self.created.insert(new);
        }
        if let Some((_, name)) = dropped(words) {
            self.created.remove(&name);
        }
    }

    fn later(&self, places: &HashMap<Name, usize>, name: &Name) -> bool {
        let together = |at: usize| self.transactions.get(at) == self.transactions.get(self.at);
        places.get(name).is_some_and(|at| *at > self.at && together(*at))
    }
}

fn dropped(words: &Words<'_>) -> Option<(&'static str, Name)> {
    if !words.is(0, "drop") {
        return None;
    }
    let kind = ["table", "view"].into_iter().find(|kind| words.is(1, kind))?;
    let (name, _) = words.name(words.behind(2, &["if", "exists"]))?;
    Some((kind, name))
}

fn statement(words: &Words<'_>, range: &Range<usize>, facts: &Facts) -> Option<Found> {
    let told = |rule, message: String| Some(Found::new(rule, range.clone(), message));
    if let Some((kind, name)) = dropped(words) {
        let again = if kind == "view" { &facts.views } else { &facts.replaced };
        if facts.created.contains(&name) || facts.later(again, &name) {
            return None;
        }
        let rule = if kind == "view" { "drop-object" } else { "drop-table" };
        return told(rule, format!("{kind} `{name}` is dropped"));
    }
    if let Some((table, at)) = words.altered() {
        if facts.created.contains(&table) {
            return None;
        }
        return altered(words, &table, at, range, facts);
    }
    let (verb, table) = changed(words)?;
    if facts.created.contains(&table) {
        return None;
    }
    told("data-change", format!("{verb} changes rows of `{table}`"))
}

fn altered(words: &Words<'_>, table: &Name, at: usize, range: &Range<usize>, facts: &Facts) -> Option<Found> {
    let told = |rule, message: String| Some(Found::new(rule, range.clone(), message));
    if words.renamed().is_some() {
        if facts.later(&facts.views, table) {
            return None;
        }
        return told("rename-table", format!("table `{table}` is renamed"));
    }
    let column_at = words.behind(at + 1, &["column"]);
    let column = words.identifier(column_at).unwrap_or_default();
    let of = |what: &str| format!("column `{column}` of `{table}` {what}");
    if words.is(at, "rename") {
        return told("rename-column", of("is renamed"));
    }
    if words.is(at, "drop") {
        return told("drop-column", of("is dropped"));
    }
    if !words.is(at, "add") {
        return None;
    }
    let outside: Vec<usize> = words.outside(column_at + 1).collect();
    let required = outside.iter().any(|at| words.is(*at, "not") && words.is(*at + 1, "null"));
    let valued = outside.iter().any(|at| {
        (words.is(*at, "default") && !words.is(*at + 1, "null"))
            || words.is(*at, "generated")
            || words.is(*at, "as")
    });
    (required && !valued).then(|| told("required-column", of("has to be given a value")))?
}

/// Returns what changes rows, and of which table.
fn changed(words: &Words<'_>) -> Option<(&'static str, Name)> {
    // Behind a WITH the statement itself comes as the first of these words outside parentheses.
    let verbs = ["update", "delete", "insert", "replace", "select", "values"];
    let start = if words.is(0, "with") {
        words.outside(1).find(|at| verbs.iter().any(|verb| words.is(*at, verb)))?
    } else {
        0
    };
    let action = |at: usize| if words.is(at, "or") { at + 2 } else { at };
    if words.is(start, "update") {
        return Some(("`UPDATE`", words.name(action(start + 1))?.0));
    }
    if words.is(start, "delete") {
        return Some(("`DELETE`", words.name(words.behind(start + 1, &["from"]))?.0));
    }
    if !words.is(start, "insert") && !words.is(start, "replace") {
        return None;
    }
    let (table, at) = words.name(words.behind(action(start + 1), &["into"]))?;
    let selects = words.outside(at).any(|at| words.is(at, "select"));
    // A table in parentheses is one that the new rows are only compared with.
    let reads = words.outside(at).any(|at| words.is(at, "from"));
    (selects && reads).then_some(("`INSERT … SELECT`", table))
}
