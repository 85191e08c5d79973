//! What holds for any two branches: edits of real dumps, made at random.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What a branch does to a structure.
#[derive(Debug, Clone)]
enum Edit {
    /// Drops an object.
    Drop(Index),
    /// Adds a table before an object.
    Add(Index, u8),
    /// Adds a column to a table.
    Column(Index, u8),
    /// Says of an object something else: a statement more.
    Remark(Index, u8),
    /// Applies a migration.
    Version(u8),
    /// Forgets one.
    Forget(Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        any::<Index>().prop_map(Edit::Drop),
        (any::<Index>(), 0..6_u8).prop_map(|(at, number)| Edit::Add(at, number)),
        (any::<Index>(), 0..4_u8).prop_map(|(at, number)| Edit::Column(at, number)),
        (any::<Index>(), 0..3_u8).prop_map(|(at, number)| Edit::Remark(at, number)),
        (0..30_u8).prop_map(Edit::Version),
        any::<Index>().prop_map(Edit::Forget),
    ];
    prop::collection::vec(edit, 0..6)
}

fn edited(shop: &str, edits: &[Edit]) -> String {
    let mut structure = parse(shop).unwrap();
    for edit in edits {
        let at = |index: &Index| index.index(structure.objects.len());
        match edit {
            Edit::Drop(index) => {
                let at = at(index);
                structure.objects.remove(at);
            }
            Edit::Add(index, number) => {
                let statement = format!("CREATE TABLE main.added{number} (i integer);");
                let key = Key::new("table", format!("main.added{number}"));
                if !structure.objects.iter().any(|object| object.key == key) {
                    let at = at(index);
                    structure.objects.insert(at, Object { key, statements: vec![statement] });
                }
            }
            Edit::Column(index, number) => {
                let at = at(index);
                let statement = &mut structure.objects[at].statements[0];
                if statement.starts_with("CREATE TABLE") && !statement.contains(&format!("extra{number}")) {
                    *statement = statement.replacen('(', &format!("(extra{number} integer, "), 1);
                }
            }
            Edit::Remark(index, number) => {
                let at = at(index);
                let object = &mut structure.objects[at];
                if object.key.kind == "table" && structure.dialect == Dialect::Postgres {
                    let statement = format!("COMMENT ON TABLE {} IS '{number}';", object.key.name);
                    object.statements.retain(|statement| !statement.starts_with("COMMENT ON TABLE"));
                    object.statements.push(statement);
                }
            }
            Edit::Version(number) => {
                let version = format!("202607010000{number:02}");
                if !structure.versions.iter().any(|row| row.version == version) {
                    let whole = SHOPS.map(|shop| parse(shop).unwrap());
                    let whole = whole.into_iter().find(|shop| shop.dialect == structure.dialect);
                    let mut row = whole.unwrap().versions.swap_remove(0);
                    let known = std::mem::replace(&mut row.version, version);
                    row.text = row.text.replace(&known, &row.version);
                    structure.versions.push(row);
                }
            }
            Edit::Forget(index) => {
                if !structure.versions.is_empty() {
                    let at = index.index(structure.versions.len());
                    structure.versions.remove(at);
                }
            }
        }
    }
    structure.versions.sort_by_key(|row| row.version.chars().rev().collect::<String>());
    structure.text()
}

/// The words of a text: columns that both sides have added stand in the order of who merges.
fn sorted(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> =
        text.split([' ', '\n', ',', '(', ')']).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words
}

/// Whether all that is in both stands in the same order.
fn agrees(order: &[String], with: &[String]) -> bool {
    let places: HashMap<&String, usize> = order.iter().enumerate().map(|(at, key)| (key, at)).collect();
    let found: Vec<usize> = with.iter().filter_map(|key| places.get(key).copied()).collect();
    found.is_sorted()
}

proptest! {
    // A case takes whole dumps apart many times.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn the_side_that_changed_something_wins(shop in 0..2_usize, edits in edits(), before in edits()) {
        let base = edited(SHOPS[shop], &before);
        let side = edited(&base, &edits);
        prop_assert_eq!(&parse(&side).unwrap().text(), &side);
        for [base, ours, theirs] in [[&base, &side, &base], [&base, &base, &side], [&base, &side, &side]] {
            let merged = merge(base, ours, theirs).unwrap();
            prop_assert_eq!(&merged.text, &side);
            prop_assert!(merged.conflicts.is_empty());
        }
        let found = changes(Some(&parse(&base).unwrap()), Some(&parse(&side).unwrap()));
        prop_assert_eq!(found.is_empty(), sorted(&base) == sorted(&side));
    }

    #[test]
    fn it_does_not_matter_who_merges_whom(shop in 0..2_usize, ours in edits(), theirs in edits()) {
        let (base, ours, theirs) = (SHOPS[shop], edited(SHOPS[shop], &ours), edited(SHOPS[shop], &theirs));
        let (one, other) = (merge(base, &ours, &theirs).unwrap(), merge(base, &theirs, &ours).unwrap());
        let objects = |merged: &Merged| {
            merged.conflicts.iter().map(|conflict| conflict.object.clone()).collect::<HashSet<_>>()
        };
        prop_assert_eq!(objects(&one), objects(&other));
        if one.conflicts.is_empty() {
            prop_assert_eq!(sorted(&one.text), sorted(&other.text));
            let merged = parse(&one.text).unwrap();
            prop_assert_eq!(&merged.text(), &one.text);
            // Both sides' orders are in the result, unless both have the same new object in different places.
            let sides = [&ours, &theirs].map(|side| keys(&parse(side).unwrap()));
            let known = keys(&parse(base).unwrap());
            let contradict = sides[0].iter().any(|key| !known.contains(key) && sides[1].contains(key));
            for side in &sides {
                prop_assert!(contradict || agrees(&keys(&merged), side), "{:#?} and {:#?}", keys(&merged), side);
            }
            // What is merged once is merged for good.
            let again = merge(base, &one.text, &theirs).unwrap();
            prop_assert!(again.conflicts.is_empty());
            prop_assert_eq!(sorted(&again.text), sorted(&one.text));
            // No version is lost, and none comes back.
            let versions = |text: &str| {
                parse(text).unwrap().versions.into_iter().map(|row| row.version).collect::<HashSet<_>>()
            };
            let (base, ours, theirs) = (versions(base), versions(&ours), versions(&theirs));
            let wanted: HashSet<_> = ours
                .union(&theirs)
                .filter(|version| !base.contains(*version) || ours.contains(*version) && theirs.contains(*version))
                .cloned()
                .collect();
            prop_assert_eq!(versions(&one.text), wanted);
        }
    }

    #[test]
    fn any_text_gets_an_answer(bodies in prop::array::uniform3(soup()), sqlite in any::<bool>()) {
        let first = crate::structure::format::header(if sqlite { Dialect::Sqlite } else { Dialect::Postgres });
        let files = bodies.map(|body| format!("{first}\n\n{body}\n\n-- dbsetup structure end\n"));
        for file in &files {
            if let Ok(structure) = parse(file) {
                let written = structure.text();
                prop_assert_eq!(&parse(&written).unwrap().text(), &written);
                prop_assert!(merge(file, file, file).unwrap().conflicts.is_empty());
            }
        }
        let [base, ours, theirs] = &files;
        if let (Ok(one), Ok(other)) = (merge(base, ours, theirs), merge(base, theirs, ours)) {
            prop_assert_eq!(one.conflicts.len(), other.conflicts.len());
        }
    }
}

/// Pieces of statements in no good order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "CREATE TABLE a (i integer, j text);\n",
        "CREATE TABLE a (i integer, k text DEFAULT '(');\n",
        "CREATE TABLE a (i text);\n",
        "CREATE TABLE",
        " a.b",
        " (",
        ")",
        ";",
        ",",
        "\n",
        "\n\n",
        "'",
        "\"",
        "-- remark\n",
        "/*",
        "*/",
        "$$",
        "CREATE INDEX i ON a (i);\n",
        "CREATE INDEX i ON a (j);\n",
        "CREATE FUNCTION f(a integer, OUT b text DEFAULT 1) ",
        "CREATE OR REPLACE VIEW v AS SELECT 1;\n",
        "CREATE VIEW v AS SELECT i FROM a;\n",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (true);\n",
        "ALTER TABLE",
        "COMMENT ON TABLE a IS 'x';\n",
        "COMMENT ON",
        "INSERT INTO t (a, b) VALUES (1, 2);\n",
        "INSERT INTO t (a, b) VALUES (1, 3);\n",
        "INSERT INTO l (version) VALUES ('1');\n",
        "INSERT INTO",
        "SELECT setval('s', 1);\n",
        "PRAGMA user_version = 1;\n",
        "SET a = b;\n",
        "CREATE OPERATOR CLASS",
        "CREATE CAST (a",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;\n",
        "<<<",
        "ä",
        "\u{feff}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}
