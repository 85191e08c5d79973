//! Merging what two branches have made of one structure file: objects by what they are called, versions as a set.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::facts::{Facts, plain_table};
use super::inside::{self, Sides, decide};
use super::key::{Key, in_canonical_order};
use super::mentions::{self, Dropped};
use super::{Object, Structure, Text, Version, clashes, joined, order, parse, rows};
use crate::error::{Error, Kind, Result};
use crate::sql::Dialect;

/// What a merge gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The file, with conflict markers around each object that needs a decision.
    pub text: String,
    /// What needs a decision; none when the merge is clean.
    pub conflicts: Vec<Conflict>,
}

/// Something that the two sides do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// `table public.users`.
    pub object: String,
    /// How they disagree.
    pub clash: Clash,
}

/// How two sides disagree about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clash {
    /// Both have changed it, in different ways.
    Changed,
    /// Both have added it, in different ways.
    Added,
    /// We have dropped it, and they have changed it.
    DroppedByUs,
    /// They have dropped it, and we have changed it.
    DroppedByThem,
    /// One side has it new or changed, and mentions what the other side has dropped.
    Mentions(String),
    /// Both sides have given one name to different things, of which it is one or has one.
    Name,
    /// One side has changed the table, the other its rows.
    Definition,
    /// Rows of both sides have the same values in these columns, which are unique; no columns where they are not known.
    Same(String),
    /// Rows of one side refer to rows of this table that the other side has dropped or changed.
    Refers(String),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        match &self.clash {
            Clash::Changed => f.write_str("both sides have changed it"),
            Clash::Added => f.write_str("both sides have added it, in different ways"),
            Clash::DroppedByUs => f.write_str("our side has dropped it, and theirs has changed it"),
            Clash::DroppedByThem => f.write_str("their side has dropped it, and ours has changed it"),
            Clash::Mentions(dropped) => write!(f, "it mentions {dropped}, which the other side has dropped"),
            Clash::Name => f.write_str("both sides have given one name to different things"),
            Clash::Definition => f.write_str(
                "one side has changed the columns or constraints of the table, and the other its rows",
            ),
            Clash::Same(columns) if columns.is_empty() => {
                f.write_str("both sides have new rows, and what is unique in them only the database can tell")
            }
            Clash::Same(columns) => write!(f, "rows of both sides have the same value of `{columns}`"),
            Clash::Refers(table) => {
                write!(
                    f,
                    "rows of one side refer to rows of {table} that the other side has dropped or changed"
                )
            }
        }
    }
}

/// Merges two versions of a structure file that come from `base`; empty, where the file was not there.
///
/// # Errors
/// Those of [`parse`], and [`Kind::Unsupported`] when they are not of one kind of database.
pub fn merge(base: &str, ours: &str, theirs: &str) -> Result<Merged> {
    let (ours, theirs) = (parse(ours)?, parse(theirs)?);
    let base = if base.trim().is_empty() {
        Structure::empty_beside(&ours)
    } else {
        parse(&undecided_left_out(base))?
    };
    if base.first != ours.first || ours.first != theirs.first {
        return Err(Error::new(Kind::Unsupported, "the files are structures of different databases"));
    }
    let versions = [&base, &ours, &theirs];
    let tables = versions.map(Facts::of);
    let mut clashes = clashes::of_rows(ours.dialect, versions, &tables);
    clashes.extend(mentions::given_twice(versions).into_iter().map(|key| (key, Clash::Name)));
    Ok(Merge { dialect: ours.dialect, versions, tables, clashes, conflicts: Vec::new() }.run())
}

/// Returns a base without what stands between conflict markers: where two branches have been merged with each other
/// before, git makes it by merging their bases, and hands it on with its conflicts. What was not decided there counts as
/// new on both sides, and so has to be the same on both.
fn undecided_left_out(base: &str) -> String {
    let mut is_marked = false;
    let is_kept = |line: &&str| {
        let is_inside = is_marked || line.starts_with("<<<<<<< ");
        is_marked = is_inside && !line.starts_with(">>>>>>> ");
        !is_inside
    };
    base.split_inclusive('\n').filter(is_kept).collect()
}

/// A merge at work. Versions are in the order base, ours, theirs.
struct Merge<'a> {
    dialect: Dialect,
    versions: [&'a Structure; 3],
    /// What is known of the tables of each version.
    tables: [HashMap<String, Facts>; 3],
    /// Objects that need a decision, whatever comes out for their lines.
    clashes: HashMap<Key, Clash>,
    conflicts: Vec<Conflict>,
}

/// What a thing comes to: its text, or nothing.
type Line = Option<String>;

impl Merge<'_> {
    fn run(mut self) -> Merged {
        let [base, ours, theirs] = self.versions;
        let filters = self.filters();
        let mut text = Text::new(&ours.first, &filters);
        let settings = [&base.settings, &ours.settings, &theirs.settings].map(Option::as_ref);
        let settings = self.object(&Key::new("settings", ""), settings);
        let objects = self.objects();
        settings.into_iter().chain(objects).for_each(|object| text.part(&object));
        text.lines(self.ledger().iter().map(String::as_str));
        let tail = Sides::of_texts([&base.tail, &ours.tail, &theirs.tail]);
        let tail =
            if tail.agree() { tail.ours.to_owned() } else { format!("{}\n{}", tail.ours, tail.theirs) };
        Merged { text: text.end(tail.trim()), conflicts: self.conflicts }
    }

    fn filters(&self) -> Vec<String> {
        let [base, ours, theirs] = self.versions.map(|structure| &structure.filters);
        let is_kept = |line: &String| {
            let [base, ours, theirs] = [base, ours, theirs].map(|lines| lines.contains(line).then_some(()));
            decide([base, ours, theirs]).ours.is_some()
        };
        let before = |ours: &String, theirs: &String| filter_rank(ours) < filter_rank(theirs);
        order::merged((&unique(base), &unique(ours), &unique(theirs)), is_kept, before)
    }

    fn objects(&mut self) -> Vec<String> {
        let by_key = self.versions.map(|structure| {
            structure.objects.iter().map(|object| (&object.key, object)).collect::<HashMap<_, _>>()
        });
        let of = |key: &Key| by_key.each_ref().map(|objects| objects.get(key).copied());
        let keys = self
            .versions
            .map(|structure| structure.objects.iter().map(|object| object.key.clone()).collect::<Vec<_>>());
        let gone = |key: &Key| {
            matches!(of(key), [Some(base), Some(one), None] | [Some(base), None, Some(one)] if base.statements == one.statements)
                || matches!(of(key), [Some(_), None, None])
        };
        let order = order::merged((&keys[0], &keys[1], &keys[2]), |key| !gone(key), in_canonical_order);
        let dropped = Dropped::of(self.versions, &order, &self.tables);
        let mut texts = Vec::with_capacity(order.len());
        for key in &order {
            let versions = of(key);
            let mentioned = || dropped.mentioned_by(self.dialect, key, versions).map(Clash::Mentions);
            if let Some(clash) = mentioned().or_else(|| self.clashes.remove(key)) {
                let text = |object: Option<&Object>| object.map(|object| object.text(self.dialect));
                let [_, ours, theirs] = versions.map(|object| text(object).unwrap_or_default());
                self.conflict(key.to_string(), clash);
                texts.push(marked(&ours, &theirs));
                continue;
            }
            texts.extend(self.object(key, versions));
        }
        texts
    }

    fn object(&mut self, key: &Key, versions: [Option<&Object>; 3]) -> Line {
        let decided = decide(versions.map(|object| object.map(|object| object.statements.as_slice())));
        let text = |statements: &[String]| joined(self.dialect, key, statements);
        if decided.agree() {
            return decided.ours.map(text);
        }
        if rows::are_lines(key) {
            let table = plain_table(self.dialect, &key.name);
            let tables = self.tables.each_ref().map(|tables| tables.get(&table));
            let keyed = rows::keyed(self.dialect, key, versions, tables);
            let merged = self.lines(&keyed.lines, rows::in_order);
            return (!merged.is_empty()).then(|| merged.join("\n"));
        }
        let sides = match versions {
            [base, Some(ours), Some(theirs)] => inside::merge(self.dialect, base, ours, theirs),
            _ => Sides {
                ours: decided.ours.unwrap_or_default().to_vec(),
                theirs: decided.theirs.unwrap_or_default().to_vec(),
            },
        };
        if sides.agree() {
            return Some(text(&sides.ours));
        }
        let text = marked(&text(&sides.ours), &text(&sides.theirs));
        self.conflict(key.to_string(), clash(versions));
        Some(text)
    }

    fn ledger(&mut self) -> Vec<String> {
        let key = |row: &Version| Key::new("version", row.version.as_str());
        let lines = self.versions.map(|structure| {
            structure.versions.iter().map(|row| (key(row), row.text.as_str())).collect::<Vec<_>>()
        });
        // As `format::ledger_rows` orders them.
        self.lines(&lines, |ours, theirs| ours.name.chars().rev().lt(theirs.name.chars().rev()))
    }

    /// Merges lines that are told apart by keys.
    fn lines(
        &mut self,
        versions: &[Vec<(Key, &str)>; 3],
        before: impl Fn(&Key, &Key) -> bool,
    ) -> Vec<String> {
        let by_key = versions
            .each_ref()
            .map(|lines| lines.iter().map(|(key, line)| (key, *line)).collect::<HashMap<&Key, &str>>());
        let keys =
            versions.each_ref().map(|lines| lines.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
        let of = |key: &Key| by_key.each_ref().map(|lines| lines.get(key).copied());
        let is_kept = |key: &Key| decide(of(key)) != Sides { ours: None, theirs: None };
        let mut merged = Vec::new();
        for key in order::merged((&keys[0], &keys[1], &keys[2]), is_kept, before) {
            let decided = decide(of(&key));
            let line = if decided.agree() {
                decided.ours.unwrap_or_default().to_owned()
            } else {
                self.conflict(key.to_string(), clash(of(&key)));
                marked(decided.ours.unwrap_or_default(), decided.theirs.unwrap_or_default())
            };
            merged.push(line);
        }
        merged
    }

    fn conflict(&mut self, object: String, clash: Clash) {
        self.conflicts.push(Conflict { object, clash });
    }
}

fn clash<T>(versions: [Option<T>; 3]) -> Clash {
    match versions {
        [None, ..] => Clash::Added,
        [_, None, _] => Clash::DroppedByUs,
        [_, _, None] => Clash::DroppedByThem,
        _ => Clash::Changed,
    }
}

/// Returns two versions between git's markers.
fn marked(ours: &str, theirs: &str) -> String {
    let line = |text: &str| if text.is_empty() { String::new() } else { format!("{text}\n") };
    format!("<<<<<<< ours\n{}=======\n{}>>>>>>> theirs", line(ours), line(theirs))
}

fn unique(lines: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    lines.iter().filter(|line| seen.insert(line.as_str())).cloned().collect()
}

/// Filters stand in the order of `header::filters`.
fn filter_rank(line: &str) -> (usize, &str) {
    let starts = [
        "-- only: ",
        "-- excluded: schema ",
        "-- excluded: table ",
        "-- excluded: extension ",
        "-- without rows: ",
        "-- with: ",
    ];
    (starts.iter().position(|start| line.starts_with(start)).unwrap_or(starts.len()), line)
}
