//! A clean merge of two files that load is a file that loads: edits of tables and their rows, made at random, and a
//! database that decides.

use std::collections::HashSet;

use proptest::prelude::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::*;

/// A table with its rows, all of all columns.
#[derive(Debug, Clone)]
struct Model {
    name: &'static str,
    columns: Vec<(String, String)>,
    clauses: Vec<String>,
    below: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Model {
    fn new(name: &'static str, columns: &[(&str, &str)], clauses: &[&str], rows: &[&[&str]]) -> Self {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Self {
            name,
            columns: columns.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect(),
            clauses: owned(clauses),
            below: Vec::new(),
            rows: rows.iter().map(|row| owned(row)).collect(),
        }
    }
}

/// Tables with keys of all sorts, and one without.
fn base() -> Vec<Model> {
    vec![
        Model::new(
            "parents",
            &[("note", "text"), ("id", "integer primary key"), ("code", "text unique"), ("price", "int")],
            &[],
            &[&["'x'", "1", "'1'", "1"], &["'x'", "2", "'2'", "1"], &["'y'", "3", "NULL", "2"]],
        ),
        Model::new(
            "children",
            &[("id", "integer primary key"), ("parent", "int references parents"), ("code", "text")],
            &["foreign key (code) references parents (code)"],
            &[&["1", "1", "NULL"], &["2", "3", "'1'"]],
        ),
        Model::new(
            "pairs",
            &[("a", "int not null"), ("b", "int not null"), ("note", "text")],
            &["primary key (a, b)"],
            &[&["1", "1", "'x'"], &["1", "2", "'x'"], &["2", "1", "'x'"]],
        ),
        Model::new("bare", &[("a", "int"), ("b", "text")], &[], &[&["1", "'x'"], &["1", "'y'"]]),
        Model::new(
            "tree",
            &[("id", "int not null unique"), ("up", "int references tree (id)")],
            &[],
            &[&["1", "NULL"], &["2", "1"]],
        ),
        Model::new("empty", &[("id", "integer primary key"), ("note", "text"), ("parent", "int")], &[], &[]),
    ]
}

fn text(tables: &[Model]) -> String {
    let mut parts = Vec::new();
    for table in tables {
        let columns = table.columns.iter().map(|(name, kind)| format!("{name} {kind}"));
        let items: Vec<_> = columns.chain(table.clauses.iter().cloned()).collect();
        parts.push(format!("CREATE TABLE {} ({});", table.name, items.join(", ")));
        parts.extend(table.below.iter().filter(|line| line.contains(" INDEX ")).cloned());
    }
    parts
        .extend(tables.iter().flat_map(|table| &table.below).filter(|line| line.contains(" VIEW ")).cloned());
    for table in tables {
        let names: Vec<_> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut rows: Vec<_> = table.rows.iter().map(|row| row.join(", ")).collect();
        rows.sort();
        let line =
            |row: &String| format!("INSERT INTO \"{}\" ({}) VALUES ({row});", table.name, names.join(", "));
        if !rows.is_empty() {
            parts.push(rows.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
    }
    sqlite(&parts.join("\n\n"))
}

#[derive(Debug, Clone)]
enum Edit {
    AddRow(usize, [u8; 4]),
    ChangeRow(usize, usize, usize, u8),
    DropRow(usize, usize),
    DropColumn(usize, usize),
    Rename(usize, usize),
    AddColumn(usize, u8),
    Index(usize, usize, bool),
    Check(usize, usize),
    Refer(usize, usize),
    View(usize, usize),
    DropTable(usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = || 0..8_usize;
    let edit = prop_oneof![
        4 => (at(), any::<[u8; 4]>()).prop_map(|(table, values)| Edit::AddRow(table, values)),
        4 => (at(), at(), at(), any::<u8>()).prop_map(|(table, row, column, value)| Edit::ChangeRow(table, row, column, value)),
        4 => (at(), at()).prop_map(|(table, row)| Edit::DropRow(table, row)),
        2 => (at(), at()).prop_map(|(table, column)| Edit::DropColumn(table, column)),
        1 => (at(), at()).prop_map(|(table, column)| Edit::Rename(table, column)),
        1 => (at(), any::<u8>()).prop_map(|(table, number)| Edit::AddColumn(table, number)),
        2 => (at(), at(), any::<bool>()).prop_map(|(table, column, unique)| Edit::Index(table, column, unique)),
        1 => (at(), at()).prop_map(|(table, column)| Edit::Check(table, column)),
        1 => (at(), at()).prop_map(|(table, column)| Edit::Refer(table, column)),
        1 => (at(), at()).prop_map(|(table, column)| Edit::View(table, column)),
        1 => at().prop_map(Edit::DropTable),
    ];
    prop::collection::vec(edit, 1..4)
}

/// A value of a column from few, so that two sides often take the same.
fn value(kind: &str, number: u8) -> String {
    match number % 6 {
        // No dump has a row without its number: the database gives it the next one.
        0 if kind != "integer primary key" => "NULL".to_owned(),
        _ if kind.starts_with("text") => format!("'{}'", ["1", "2", "x", "y", "z"][usize::from(number % 5)]),
        number => number.to_string(),
    }
}

fn edited(mut tables: Vec<Model>, edits: &[Edit]) -> Vec<Model> {
    for edit in edits {
        let (Edit::AddRow(at, _)
        | Edit::ChangeRow(at, ..)
        | Edit::DropRow(at, _)
        | Edit::DropColumn(at, _)
        | Edit::Rename(at, _)
        | Edit::AddColumn(at, _)
        | Edit::Index(at, ..)
        | Edit::Check(at, _)
        | Edit::Refer(at, _)
        | Edit::View(at, _)
        | Edit::DropTable(at)) = edit;
        let at = at % tables.len();
        if let Edit::DropTable(_) = edit {
            if tables.len() > 1 {
                tables.remove(at);
            }
            continue;
        }
        let table = &mut tables[at];
        let column = |column: &usize| column % table.columns.len();
        match edit {
            Edit::AddRow(_, values) => {
                let row = table.columns.iter().zip(values.iter().cycle());
                table.rows.push(row.map(|((_, kind), number)| value(kind, *number)).collect());
            }
            Edit::ChangeRow(_, row, at, number) if !table.rows.is_empty() => {
                let (row, at) = (row % table.rows.len(), column(at));
                table.rows[row][at] = value(&table.columns[at].1, *number);
            }
            Edit::DropRow(_, row) if !table.rows.is_empty() => {
                let row = row % table.rows.len();
                table.rows.remove(row);
            }
            Edit::DropColumn(_, at) if table.columns.len() > 1 => {
                let at = column(at);
                let (name, _) = table.columns.remove(at);
                table.rows.iter_mut().for_each(|row| drop(row.remove(at)));
                table.clauses.retain(|clause| !clause.contains(&name));
                table.below.retain(|line| !line.contains(&name));
            }
            Edit::Rename(_, at) => {
                let at = column(at);
                let name = table.columns[at].0.clone();
                table.columns[at].0 = format!("new_{name}");
                table.clauses.retain(|clause| !clause.contains(&name));
                table.below.retain(|line| !line.contains(&name));
            }
            Edit::AddColumn(_, number) => {
                let kinds = ["int", "text default 'x'", "int not null default 1", "int unique"];
                let kind = kinds[usize::from(number % 4)].to_owned();
                let fill = if number % 4 == 2 { "1" } else { "NULL" };
                table.columns.push((format!("more{}", number % 3), kind));
                table.rows.iter_mut().for_each(|row| row.push(fill.to_owned()));
            }
            Edit::Index(_, at, unique) => {
                let unique = if *unique { "UNIQUE " } else { "" };
                let name = &table.columns[column(at)].0;
                table.below.push(format!("CREATE {unique}INDEX i_{name} ON {} ({name});", table.name));
            }
            Edit::Check(_, at) => {
                let name = &table.columns[column(at)].0;
                table.clauses.push(format!("check ({name} <> 4)"));
            }
            Edit::Refer(_, at) => {
                let name = &table.columns[column(at)].0;
                let to = ["parents (id)", "parents (code)", "tree (id)"][at % 3];
                table.clauses.push(format!("foreign key ({name}) references {to}"));
            }
            Edit::View(_, at) => {
                let name = &table.columns[column(at)].0;
                table.below.push(format!("CREATE VIEW v_{name} AS SELECT {name} FROM {};", table.name));
            }
            _ => {}
        }
    }
    tables
}

/// Loads a file as the loader does, uses what is in it, and returns what the database says against it.
async fn load(text: &str) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
    let mut connection = options.connect().await?;
    let text = format!("BEGIN; PRAGMA defer_foreign_keys=ON;\n{text}\nCOMMIT;");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await?;
    let query = "SELECT name FROM sqlite_schema WHERE type = 'view'";
    let views: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut connection).await?;
    for view in views {
        let query = format!("SELECT * FROM \"{view}\"");
        sqlx::raw_sql(sqlx::AssertSqlSafe(query)).execute(&mut connection).await?;
    }
    connection.close().await
}

fn loads(text: &str) -> Result<(), sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
    runtime.block_on(load(text))
}

/// The rows of a file, but those that may be there twice.
fn rows(text: &str) -> HashSet<&str> {
    text.lines().filter(|line| line.starts_with("INSERT") && !line.contains("\"bare\"")).collect()
}

#[test]
fn the_base_of_the_merges_loads() {
    loads(&text(&base())).unwrap();
}

proptest! {
    #[test]
    fn a_clean_merge_loads(ours in edits(), theirs in edits()) {
        let base = base();
        // A dump is of a database: what none would take is not done.
        let side = |tables: Vec<Model>, edit: Edit| {
            let next = edited(tables.clone(), &[edit]);
            if loads(&text(&next)).is_ok() { next } else { tables }
        };
        let [ours, theirs] = [ours, theirs].map(|edits| text(&edits.into_iter().fold(base.clone(), side)));
        let base = text(&base);
        let merged = merge(&base, &ours, &theirs).unwrap();
        if merged.conflicts.is_empty() {
            if let Err(error) = loads(&merged.text) {
                prop_assert!(false, "{error}\nOURS {ours}\nTHEIRS {theirs}\nMERGED {}", merged.text);
            }
            // Every row is there that one side has added or changed, and none that one side has dropped.
            let [base, ours, theirs, both] = [&base, &ours, &theirs, &merged.text].map(|text| rows(text));
            let wanted: HashSet<&str> = ours
                .union(&theirs)
                .filter(|row| !base.contains(*row) || ours.contains(*row) && theirs.contains(*row))
                .copied()
                .collect();
            prop_assert_eq!(both, wanted);
        } else {
            prop_assert!(merged.text.contains("<<<<<<< ours\n"));
        }
    }
}
