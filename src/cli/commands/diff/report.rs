//! How changes of the schema are shown: as text, as Markdown, as JSON. Pure.

use dbsetup::structure::objects::{Change, ChangeKind, Changes};

use crate::ui::diff;
use crate::ui::json::Object;
use crate::ui::text::{block, count, line};

/// What was found for one repo.
#[derive(Debug)]
pub struct Report {
    pub repo: String,
    pub path: String,
    pub notes: Vec<String>,
    pub found: Found,
}

/// How two versions of a structure file differ.
#[derive(Debug)]
pub enum Found {
    Nothing,
    Objects(Changes),
    /// They cannot be told apart by object.
    Lines {
        why: String,
        old: String,
        new: String,
    },
}

/// How many lines stand around a change.
const AROUND: usize = 1;
/// What is said where nothing has changed anywhere.
const NOTHING: &str = "no change\n";

impl Report {
    fn is_silent(&self) -> bool {
        matches!(self.found, Found::Nothing) && self.notes.is_empty()
    }

    /// `2 objects added, 1 changed; 1 version added`.
    fn summary(&self) -> String {
        let changes = match &self.found {
            Found::Nothing => return "no change".to_owned(),
            Found::Lines { why, .. } => return format!("compared by lines: {why}"),
            Found::Objects(changes) => changes,
        };
        let of = |kind| changes.objects.iter().filter(|change| change.kind() == kind).count();
        let groups = [
            ("object", of(ChangeKind::Added), of(ChangeKind::Removed), of(ChangeKind::Changed)),
            ("kept row", changes.rows_added.len(), changes.rows_removed.len(), 0),
            ("version", changes.versions_added.len(), changes.versions_removed.len(), 0),
        ];
        let said = groups.into_iter().filter_map(|(noun, added, removed, changed)| {
            let mut parts = Vec::new();
            for (number, what) in [(added, "added"), (removed, "removed"), (changed, "changed")] {
                match number {
                    0 => {}
                    // The noun stands once.
                    number if parts.is_empty() => parts.push(format!("{} {what}", count(number, noun))),
                    number => parts.push(format!("{number} {what}")),
                }
            }
            (!parts.is_empty()).then(|| parts.join(", "))
        });
        said.collect::<Vec<_>>().join("; ")
    }
}

/// The changed lines of an object.
fn lines_of(change: &Change) -> String {
    let text = |text: &Option<String>| text.as_ref().map(|text| format!("{text}\n")).unwrap_or_default();
    diff::changed_lines(&text(&change.old), &text(&change.new), AROUND)
}

fn sign(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => '~',
    }
}

/// Returns the report for a terminal.
pub fn human(reports: &[Report]) -> String {
    let told: Vec<&Report> = reports.iter().filter(|report| !report.is_silent()).collect();
    if told.is_empty() {
        return NOTHING.to_owned();
    }
    let mut text = String::new();
    for report in told {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{} ({}): {}\n", line(&report.repo), line(&report.path), line(&report.summary()));
        report.notes.iter().for_each(|note| text += &format!("  note: {}\n", line(note)));
        match &report.found {
            Found::Nothing => {}
            Found::Lines { old, new, .. } => {
                text += &block(&diff::unified((&report.path, old), (&report.path, new)));
            }
            Found::Objects(changes) => {
                for change in &changes.objects {
                    text += &format!("  {} {}\n", sign(change.kind()), line(&change.object));
                    if change.kind() == ChangeKind::Changed {
                        block(&lines_of(change)).lines().for_each(|line| text += &format!("      {line}\n"));
                    }
                }
                for (sign, noun, all) in lists(changes) {
                    all.iter().for_each(|one| text += &format!("  {sign} {noun}{}\n", line(one)));
                }
            }
        }
    }
    text
}

/// What is no object: its sign, its noun, and all of it.
fn lists(changes: &Changes) -> [(char, &'static str, &[String]); 4] {
    [
        ('-', "row ", &changes.rows_removed),
        ('+', "row ", &changes.rows_added),
        ('-', "version ", &changes.versions_removed),
        ('+', "version ", &changes.versions_added),
    ]
}

/// Returns the report for a comment on a pull request.
pub fn markdown(reports: &[Report], title: &str) -> String {
    let mut text = format!("### Schema changes from {}\n\n", code(title));
    let told: Vec<&Report> = reports.iter().filter(|report| !report.is_silent()).collect();
    if told.is_empty() {
        return text + "No change.\n";
    }
    for (at, report) in told.into_iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text +=
            &format!("#### {}\n\n{}: {}\n", code(&report.repo), code(&report.path), line(&report.summary()));
        report.notes.iter().for_each(|note| text += &format!("\n> {}\n", line(note)));
        match &report.found {
            Found::Nothing => {}
            Found::Lines { old, new, .. } => {
                text += &fenced(&diff::unified((&report.path, old), (&report.path, new)));
            }
            Found::Objects(changes) => text += &objects(changes),
        }
    }
    text
}

fn objects(changes: &Changes) -> String {
    let mut list = String::new();
    let is_listed = |change: &&Change| change.kind() != ChangeKind::Changed;
    for change in changes.objects.iter().filter(is_listed) {
        list += &format!("{}\n", item(sign(change.kind()), &change.object));
    }
    for (sign, noun, all) in lists(changes) {
        all.iter().for_each(|one| list += &format!("{}\n", item(sign, &format!("{noun}{one}"))));
    }
    let mut text = if list.is_empty() { String::new() } else { format!("\n{list}") };
    for change in changes.objects.iter().filter(|change| !is_listed(change)) {
        text += &format!("\n{}\n{}", code(&change.object), fenced(&lines_of(change)));
    }
    text
}

/// An item whose sign is read, and no list within the list.
fn item(sign: char, what: &str) -> String {
    format!("- `{sign}` {}", code(what))
}

/// Code in a line of Markdown: between more backquotes than it has in a row.
fn code(text: &str) -> String {
    let text = line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

fn fenced(diff: &str) -> String {
    let fence = "`".repeat(longest_run(diff).max(2) + 1);
    format!("\n{fence}diff\n{diff}{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Returns the report as objects, one a change.
pub fn json(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        let object = |event: &str| Object::new(event).text("repo", &report.repo).text("path", &report.path);
        let one = |change: &str, what: &str, old: Option<&str>, new: Option<&str>| {
            let object = object("schema_change").text("change", change).text("object", what);
            object.maybe("old", old).maybe("new", new).line()
        };
        match &report.found {
            Found::Nothing => {}
            Found::Lines { why, old, new } => {
                let diff = diff::unified((&report.path, old), (&report.path, new));
                text += &object("schema_lines").text("why", why).text("diff", &diff).line();
            }
            Found::Objects(changes) => {
                for change in &changes.objects {
                    let kind = match change.kind() {
                        ChangeKind::Added => "added",
                        ChangeKind::Removed => "removed",
                        ChangeKind::Changed => "changed",
                    };
                    text += &one(kind, &change.object, change.old.as_deref(), change.new.as_deref());
                }
                changes.rows_removed.iter().for_each(|row| text += &one("removed", "row", Some(row), None));
                changes.rows_added.iter().for_each(|row| text += &one("added", "row", None, Some(row)));
                let version = |version: &String| format!("version {version}");
                let versions = &changes.versions_removed;
                versions.iter().for_each(|gone| text += &one("removed", &version(gone), None, None));
                let versions = &changes.versions_added;
                versions.iter().for_each(|new| text += &one("added", &version(new), None, None));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(object: &str, old: Option<&str>, new: Option<&str>) -> Change {
        Change { object: object.into(), old: old.map(str::to_owned), new: new.map(str::to_owned) }
    }

    fn report() -> Report {
        let old = "CREATE TABLE a (\n    x integer,\n    y integer,\n    w integer,\n    z integer,\n    name text\n);";
        let new = old.replace("x integer", "x bigint").replace("name text", "name text NOT NULL");
        Report {
            repo: "core".into(),
            path: "priv/core/structure.sql".into(),
            notes: Vec::new(),
            found: Found::Objects(Changes {
                objects: vec![
                    change("table a", Some(old), Some(&new)),
                    change("table b", None, Some("CREATE TABLE b ();")),
                    change("statement `x`", Some("x;"), None),
                ],
                versions_added: vec!["7".into()],
                ..Changes::default()
            }),
        }
    }

    #[test]
    fn a_terminal_gets_what_changed_and_one_line_around_it() {
        assert_eq!(
            human(&[report()]),
            "core (priv/core/structure.sql): 1 object added, 1 removed, 1 changed; 1 version added
  ~ table a
       CREATE TABLE a (
      -    x integer,
      +    x bigint,
           y integer,
       …
           z integer,
      -    name text
      +    name text NOT NULL
       );
  + table b
  - statement `x`
  + version 7
"
        );
    }

    #[test]
    fn a_pull_request_gets_lists_and_blocks() {
        assert_eq!(
            markdown(&[report()], "main to HEAD"),
            "### Schema changes from `main to HEAD`

#### `core`

`priv/core/structure.sql`: 1 object added, 1 removed, 1 changed; 1 version added

- `+` `table b`
- `-` `` statement `x` ``
- `+` `version 7`

`table a`

```diff
 CREATE TABLE a (
-    x integer,
+    x bigint,
     y integer,
 …
     z integer,
-    name text
+    name text NOT NULL
 );
```
"
        );
    }

    #[test]
    fn nothing_is_said_in_one_line() {
        let silent = || Report { found: Found::Nothing, ..report() };
        assert_eq!(human(&[silent(), silent()]), "no change\n");
        assert_eq!(markdown(&[silent()], "a to b"), "### Schema changes from `a to b`\n\nNo change.\n");
        assert_eq!(json(&[silent()]), "");
    }

    #[test]
    fn a_text_cannot_leave_its_block() {
        assert_eq!(fenced(" ```\n"), "\n````diff\n ```\n````\n");
        assert_eq!(code("a``b"), "```a``b```");
    }
}
