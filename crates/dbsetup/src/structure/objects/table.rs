//! Merging CREATE TABLE by its columns and constraints.

use super::inside::{Sides, decide};
use super::key::Key;
use super::order;
use crate::sql::{self, Dialect, Token, TokenKind};

/// A CREATE TABLE, taken apart so that its parts side by side are its text.
#[derive(Debug, Clone)]
struct Table<'a> {
    /// Up to the parenthesis that opens, with it.
    head: &'a str,
    items: Vec<Item<'a>>,
    /// What stands between the last item and the parenthesis that closes: a line end.
    closing: &'a str,
    /// From the parenthesis that closes, with it.
    rest: &'a str,
}

/// A column, a constraint or another clause.
#[derive(Debug, Clone)]
struct Item<'a> {
    key: Key,
    /// Blanks and remarks before it.
    lead: &'a str,
    /// The item, and remarks behind it.
    text: &'a str,
}

/// First words of what is no column.
const CLAUSES: [&str; 7] = ["constraint", "primary", "unique", "check", "foreign", "exclude", "like"];

/// Merges what two sides have made of one CREATE TABLE; nothing where it is none with a list of columns.
pub(super) fn merge<'a>(dialect: Dialect, [base, ours, theirs]: [&'a str; 3]) -> Option<Sides<String>> {
    let [base, ours, theirs] = [base, ours, theirs].map(|text| Table::read(dialect, text));
    let (base, ours, theirs) = (base?, ours?, theirs?);
    let head = Sides::of_texts([base.head, ours.head, theirs.head]);
    let rest = Sides::of_texts([base.rest, ours.rest, theirs.rest]);
    // Only how it looks.
    let closing = Sides::of_texts([base.closing, ours.closing, theirs.closing]).ours;
    let closing = [closing, ours.closing, theirs.closing].into_iter().find(|text| !text.is_empty());
    let keys = |table: &Table<'_>| table.items.iter().map(|item| item.key.clone()).collect::<Vec<_>>();
    let is_column = |key: &Key| key.kind == "column";
    let order = order::merged(
        (&keys(&base), &keys(&ours), &keys(&theirs)),
        |_| true,
        // SQLite wants columns before constraints, and that is how people read them.
        |ours, theirs| is_column(ours) || !is_column(theirs),
    );
    let mut items = Sides { ours: Vec::new(), theirs: Vec::new() };
    for key in order {
        let versions = [&base, &ours, &theirs].map(|table| table.items.iter().find(|item| item.key == key));
        // A remark above it is a part of it, the blanks are not.
        let said = |item: &Item<'a>| (item.lead.trim(), item.text);
        let Sides { ours, theirs } = decide(versions.map(|item| item.map(said)));
        let whole = |wanted: (&str, &'a str)| {
            let same = versions.into_iter().rev().flatten().find(|item| said(item) == wanted);
            (same.map_or("", |item| item.lead), wanted.1)
        };
        items.ours.extend(ours.map(whole));
        items.theirs.extend(theirs.map(whole));
    }
    let leads = Leads::of(&[&ours, &theirs, &base]);
    let text = |head: &str, items: &[(&str, &str)], rest: &str| {
        let closing = if items.is_empty() { "" } else { closing.unwrap_or_default() };
        format!("{head}{}{closing}{rest}", leads.joined(items))
    };
    Some(Sides {
        ours: text(head.ours, &items.ours, rest.ours),
        theirs: text(head.theirs, &items.theirs, rest.theirs),
    })
}

/// A CREATE TABLE, for those who read it.
pub(super) struct Parts<'a> {
    /// The table's name as it is written.
    pub name: &'a str,
    /// Columns with their names, and other clauses without.
    pub items: Vec<(Option<String>, &'a str)>,
    /// What stands behind the list of columns.
    pub behind: &'a str,
}

/// Takes a CREATE TABLE apart; nothing where it is none with a list of columns.
pub(super) fn parts(dialect: Dialect, text: &str) -> Option<Parts<'_>> {
    let table = Table::read(dialect, text)?;
    let head = table.head.strip_suffix('(')?.trim_end();
    let name = sql::significant(dialect, head).fold(None, |start, token| {
        let is_before = ["table", "exists"].iter().any(|word| token.is_word(word));
        if is_before { Some(token.start + token.text.len()) } else { start }
    });
    let items = table.items.iter().map(|item| {
        let column = (item.key.kind == "column").then(|| item.key.compared().to_owned());
        (column, item.text.trim_end())
    });
    Some(Parts { name: head[name?..].trim(), items: items.collect(), behind: table.rest })
}

/// The blanks before the first item and before others, where an item comes to stand elsewhere than it was.
struct Leads<'a> {
    first: &'a str,
    next: &'a str,
}

impl<'a> Leads<'a> {
    fn of(tables: &[&Table<'a>]) -> Self {
        let lead_of = |at: usize| {
            let leads = tables.iter().filter_map(|table| table.items.get(at)).map(|item| item.lead);
            leads.into_iter().find(|lead| lead.trim().is_empty())
        };
        let first = lead_of(0).unwrap_or_default();
        Self { first, next: lead_of(1).unwrap_or(if first.is_empty() { " " } else { first }) }
    }

    fn joined(&self, items: &[(&str, &str)]) -> String {
        let mut text = String::new();
        for (at, (lead, item)) in items.iter().enumerate() {
            let usual = if at == 0 { self.first } else { self.next };
            if at > 0 {
                text.push(',');
            }
            text.push_str(if *lead == self.first || *lead == self.next { usual } else { lead });
            text.push_str(item);
        }
        text
    }
}

impl<'a> Table<'a> {
    fn read(dialect: Dialect, text: &'a str) -> Option<Self> {
        let tokens: Vec<Token<'a>> = sql::tokens(dialect, text).collect();
        let open = opening(&tokens)?;
        let mut cuts = vec![open];
        let mut depth = 0_usize;
        let mut close = None;
        for (at, token) in tokens.iter().enumerate().skip(open) {
            match token.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.checked_sub(1)?,
                "," if depth == 1 => cuts.push(at),
                _ => {}
            }
            if depth == 0 {
                close = Some(at);
                break;
            }
        }
        let close = close?;
        cuts.push(close);
        let inside = |from: usize, to: usize| &tokens[from + 1..to];
        let mut items: Vec<Item<'a>> = Vec::with_capacity(cuts.len());
        for cut in cuts.windows(2) {
            match Item::read(dialect, text, inside(cut[0], cut[1])) {
                Some(item) => items.push(item),
                // `()`; elsewhere it is no list of columns.
                None if cuts.len() == 2 => {}
                None => return None,
            }
        }
        number(&mut items);
        let end = tokens[close].start;
        let mut closing = &text[tokens[open].start + 1..end];
        if let Some(last) = items.last_mut() {
            // What is blank behind the last item belongs to the parenthesis, but for the end of a remark's line.
            let bare = last.text.trim_end();
            let has_remark = cuts.len() >= 2
                && inside(cuts[cuts.len() - 2], close)
                    .iter()
                    .rfind(|token| token.kind != TokenKind::Space)
                    .is_some_and(|token| token.kind == TokenKind::Comment && token.text.starts_with("--"));
            let length = bare.len() + usize::from(has_remark && last.text.len() > bare.len());
            closing = &last.text[length..];
            last.text = &last.text[..length];
        }
        Some(Self { head: &text[..=tokens[open].start], items, closing, rest: &text[end..] })
    }
}

/// Returns where the list of columns opens: right behind the table's name.
fn opening(tokens: &[Token<'_>]) -> Option<usize> {
    let meaning =
        |(_, token): &(usize, &Token<'_>)| !matches!(token.kind, TokenKind::Space | TokenKind::Comment);
    let mut words = tokens.iter().enumerate().filter(meaning).peekable();
    if !words.next()?.1.is_word("create") {
        return None;
    }
    words
        .find(|(_, token)| token.kind != TokenKind::Word || token.is_word("table"))
        .filter(|(_, token)| token.is_word("table"))?;
    for word in ["if", "not", "exists"] {
        words.next_if(|(_, token)| token.is_word(word));
    }
    words.next()?;
    while words.next_if(|(_, token)| token.is_punctuation(".")).is_some() {
        words.next()?;
    }
    words.next().filter(|(_, token)| token.is_punctuation("(")).map(|(at, _)| at)
}

impl<'a> Item<'a> {
    fn read(dialect: Dialect, text: &'a str, tokens: &[Token<'a>]) -> Option<Self> {
        let meaning = |token: &&Token<'a>| !matches!(token.kind, TokenKind::Space | TokenKind::Comment);
        let first = tokens.iter().find(meaning)?;
        let (start, last) = (tokens.first()?.start, tokens.last()?);
        let whole = &text[first.start..last.start + last.text.len()];
        let plain = |token: &Token<'a>| match sql::identifier_name(dialect, *token) {
            Some(name) if dialect == Dialect::Sqlite => name.to_ascii_lowercase(),
            Some(name) => name.into_owned(),
            None => token.text.to_owned(),
        };
        let clause = CLAUSES.iter().find(|word| first.is_word(word));
        let key = match clause {
            Some(&"constraint") => Key::new("constraint", plain(tokens.iter().filter(meaning).nth(1)?)),
            Some(&"primary") => Key::new("clause", "primary key"),
            Some(_) => Key::new("clause", whole.split_whitespace().collect::<Vec<_>>().join(" ")),
            None => Key::new("column", plain(first)),
        };
        Some(Self { key, lead: &text[start..first.start], text: whole })
    }
}

fn number(items: &mut [Item<'_>]) {
    for at in 0..items.len() {
        let times = items[..at].iter().filter(|item| item.key == items[at].key).count();
        if times > 0 {
            items[at].key = items[at].key.numbered(times + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(dialect: Dialect, texts: [&str; 3]) -> String {
        let sides = merge(dialect, texts).expect("these are tables");
        assert_eq!(sides.ours, sides.theirs, "no conflict");
        sides.ours
    }

    #[test]
    fn columns_of_both_sides_come_together() {
        let base = "CREATE TABLE a.t (\n    a integer,\n    CONSTRAINT p PRIMARY KEY (a)\n)\nWITH (x=1);";
        let ours = base.replace("    CONSTRAINT p", "    b text,\n    CONSTRAINT p");
        let theirs =
            base.replace("    CONSTRAINT p", "    c numeric(1,2),\n    CONSTRAINT p").replace("x=1", "x=2");
        assert_eq!(
            clean(Dialect::Postgres, [base, &ours, &theirs]),
            "CREATE TABLE a.t (\n    a integer,\n    b text,\n    c numeric(1,2),\n    CONSTRAINT p PRIMARY KEY (a)\n)\nWITH (x=2);"
        );
        assert_eq!(clean(Dialect::Postgres, [base, &ours, base]), ours);
        assert_eq!(clean(Dialect::Postgres, [base, base, &theirs]), theirs);
        assert_eq!(clean(Dialect::Postgres, [&ours, base, &ours]), base);
    }

    #[test]
    fn what_people_wrote_on_one_line_stays_on_it() {
        let base = "create table T (a int, b int)";
        let merged = clean(
            Dialect::Sqlite,
            [base, "create table T (a int, b int, c int)", "create table T (b int, d int)"],
        );
        assert_eq!(merged, "create table T (b int, c int, d int)");
        let merged = clean(
            Dialect::Sqlite,
            [base, "create table T (a int, b int, c int)", "create table T (a int, b int, unique (a))"],
        );
        assert_eq!(merged, "create table T (a int, b int, c int, unique (a))");
    }

    #[test]
    fn a_remark_swallows_no_comma() {
        let base = "create table t (\n  a int -- last\n)";
        let ours = "create table t (\n  a int -- last\n, b int)";
        let merged =
            clean(Dialect::Sqlite, [base, ours, "create table t (\n  a int -- last\n, c int -- new\n)"]);
        assert_eq!(merged, "create table t (\n  a int -- last\n, b int, c int -- new\n)");
    }

    #[test]
    fn a_remark_that_one_side_changed_is_kept() {
        let base = "create table t (\n  a int, -- one\n  b int\n)";
        let (ours, theirs) = (base.replace("one", "two"), base.replace("b int", "b int,\n  c int"));
        let expected = "create table t (\n  a int, -- two\n  b int,\n  c int\n)";
        assert_eq!(clean(Dialect::Sqlite, [base, &ours, &theirs]), expected);
        assert_eq!(clean(Dialect::Sqlite, [base, &theirs, &ours]), expected);
        assert!(!merge(Dialect::Sqlite, [base, &ours, &base.replace("one", "three")]).unwrap().agree());
    }

    #[test]
    fn a_column_that_both_changed_is_in_both_sides_and_the_rest_is_merged() {
        let base = "create table t (a int, b int)";
        let sides = merge(
            Dialect::Sqlite,
            [base, "create table t (a text, b int, c int)", "create table t (a real, b int, d int)"],
        );
        let sides = sides.expect("these are tables");
        assert_eq!(sides.ours, "create table t (a text, b int, c int, d int)");
        assert_eq!(sides.theirs, "create table t (a real, b int, c int, d int)");
    }

    #[test]
    fn what_has_no_list_of_columns_is_not_taken_apart() {
        for text in [
            "CREATE TABLE a PARTITION OF b (c DEFAULT 1) FOR VALUES IN (1)",
            "CREATE VIRTUAL TABLE a USING fts5(b, c)",
            "CREATE TABLE a AS SELECT 1",
            "CREATE INDEX i ON a (b)",
        ] {
            assert!(merge(Dialect::Sqlite, [text; 3]).is_none(), "{text}");
        }
    }
}
