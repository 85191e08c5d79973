//! Tables that a virtual table keeps its rows in. SQLite's shell prints them beside it; making the virtual table has made
//! them already, and a second statement would fail.

use crate::sql::{self, Dialect, TokenKind};

/// What a module calls its tables: the name of the virtual table, `_`, and one of these.
/// <https://www.sqlite.org/fts3.html#_shadow_tables_>, <https://www.sqlite.org/fts5.html>, <https://www.sqlite.org/rtree.html>
fn endings(module: &str) -> &'static [&'static str] {
    match module {
        "fts3" | "fts4" => &["content", "segments", "segdir", "docsize", "stat"],
        "fts5" => &["content", "data", "idx", "docsize", "config"],
        "rtree" | "rtree_i32" | "geopoly" => &["node", "rowid", "parent"],
        _ => &[],
    }
}

/// The virtual tables that a file has made so far.
#[derive(Debug, Default)]
pub(super) struct Shadows {
    names: Vec<String>,
}

impl Shadows {
    /// Whether the statement makes a table that a virtual table before it has made. Each statement of a file is shown once,
    /// in order.
    pub fn has(&mut self, statement: &str) -> bool {
        let start = statement.get(.."create ".len());
        if !start.is_some_and(|start| start.trim_end().eq_ignore_ascii_case("create")) {
            return false;
        }
        let mut words = sql::tokens(Dialect::Sqlite, statement)
            .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment))
            .map(|token| token.text.trim_matches(['"', '`', '[', ']', '\'']).to_lowercase())
            .skip(1);
        let (kind, mut name) = (words.next(), words.next());
        let is_virtual = match kind.as_deref() {
            Some("table") => false,
            Some("virtual") => {
                name = words.next();
                true
            }
            _ => return false,
        };
        if name.as_deref() == Some("if") {
            name = words.nth(2);
        }
        let Some(name) = name else { return false };
        if !is_virtual {
            return self.names.contains(&name);
        }
        let module = words.nth(1).unwrap_or_default();
        self.names.extend(endings(&module).iter().map(|ending| format!("{name}_{ending}")));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_behind_a_virtual_table_are_known_by_their_names() {
        let mut shadows = Shadows::default();
        assert!(!shadows.has("CREATE TABLE 'notes_data'(id INTEGER PRIMARY KEY, block BLOB)"));
        assert!(!shadows.has("CREATE VIRTUAL TABLE \"Notes\" USING fts5(body)\n/* Notes(body) */"));
        assert!(shadows.has("CREATE TABLE 'Notes_data'(id INTEGER PRIMARY KEY, block BLOB)"));
        assert!(shadows.has("CREATE TABLE IF NOT EXISTS \"notes_idx\"(segid)"));
        assert!(
            !shadows.has("create table notes_other (i)") && !shadows.has("create index notes_idx on t (i)")
        );
        assert!(!shadows.has("create virtual table if not exists boxes using rtree(id, x1, x2)"));
        assert!(shadows.has("CREATE TABLE boxes_node(nodeno)") && !shadows.has("CREATE TABLE boxes_data(i)"));
    }
}
