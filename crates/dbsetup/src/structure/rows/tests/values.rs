//! Random tables of every type, with values that are easily lost.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::sql::{self, Dialect};

/// Text that a writer of SQL may stumble over.
const TEXTS: [&str; 26] = [
    "",
    "NULL",
    "null",
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\n",
    "a\nb",
    "\r\n",
    "\n",
    "\t\u{b}\u{c}",
    "\u{1}\u{1f}\u{7f}",
    "  trailing  ",
    "$$",
    "$1",
    "--",
    "/* */",
    ";\n--\n;",
    "\\.",
    "'); DROP TABLE t; --",
    "\u{2028}\u{feff}\u{85}",
    "grün \u{1f980}",
    "x\nINSERT INTO schema_migrations (version) VALUES ('9');\n",
    "replace('\\n','\\n1',char(10))",
    "\\n\n\\n1\r\\r",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        proptest::collection::vec(proptest::sample::select(&TEXTS[..]), 0..4)
            .prop_map(|parts| parts.concat()),
        "[ -~\\n\\r\\\\']{0,12}",
    ]
}

/// Values of a type, as SQL: some of a list, or text.
fn values(dialect: Dialect, known: &'static [&'static str]) -> BoxedStrategy<String> {
    match known {
        ["text"] => text()
            .prop_map(move |text| sql::quote_literal(dialect, &text).expect("there is no NUL in it"))
            .boxed(),
        ["float"] => any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("a number", |value| value.is_finite())
            .prop_map(|value| format!("{value:e}"))
            .boxed(),
        known => proptest::sample::select(known).prop_map(str::to_owned).boxed(),
    }
}

/// Columns: a type and its values.
type Types = [(&'static str, &'static [&'static str])];

const POSTGRES: &Types = &[
    ("int2", &["-32768", "32767", "0"]),
    ("int4", &["-2147483648", "7"]),
    ("int8", &["-9223372036854775808", "9223372036854775807"]),
    ("numeric", &["'NaN'", "'-0.00'", "1.10", "1.1", "1e-20", "123456789012345678901234567890.123"]),
    ("numeric(6,3)", &["1.5", "-999.999"]),
    ("float4", &["'NaN'", "'-0'", "'Infinity'", "'-Infinity'", "0.1", "1e-45", "3.4028235e38"]),
    ("float8", &["'NaN'", "'-0'", "'Infinity'", "'-Infinity'", "0.1", "5e-324", "1.7976931348623157e308"]),
    ("float8", &["float"]),
    ("money", &["'-1234.56'::numeric::money", "'0.07'::numeric::money"]),
    ("text", &["text"]),
    ("varchar(200)", &["text"]),
    ("char(4)", &["'a'", "''", "'a b '"]),
    ("bpchar", &["'a  '", "'a'", "''"]),
    ("\"char\"", &["'a'", "''", "'\\\\200'"]),
    ("name", &["'A b'", "''"]),
    ("bytea", &["''", "'\\\\x00ff'", "'\\\\x5c27'"]),
    ("bool", &["true", "false"]),
    ("timestamp", &["'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'", "'2024-02-29 23:59:59.999999'"]),
    (
        "timestamptz",
        &["'infinity'", "'-infinity'", "'2024-07-01 12:00:00.5 Europe/Berlin'", "'0044-03-15 12:00+00 BC'"],
    ),
    ("date", &["'infinity'", "'-infinity'", "'0001-01-01 BC'", "'5874897-12-31'"]),
    ("time", &["'24:00'", "'00:00:00.000001'"]),
    ("timetz", &["'23:59:59.999999-15:59'", "'00:00+05:45'"]),
    (
        "interval",
        &["'-1 mon +2 days'", "'1 year -3 days -04:05:06.7'", "'0'", "'-0.000001 s'", "'1 mon'", "'30 days'"],
    ),
    ("bit(3)", &["'101'", "'000'"]),
    ("varbit", &["''", "'1'"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000000'"]),
    ("json", &["'{\"a\":  1, \"a\": null}'", "'null'", "E'{\"a\":\\n\"\\\\\\\\u00e4\"}'"]),
    ("jsonb", &["'{\"a\":[1,\"x\\\\n\"]}'", "'1.10'", "'null'", "'\"''\"'"]),
    ("xml", &["'<a>&lt;</a>'", "'a b'", "E'<a>\\n</a>'"]),
    ("inet", &["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'", "'10.0.0.1'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("point", &["'(0.1,-1e300)'", "'(NaN,0)'"]),
    ("box", &["'(1,2),(0,0)'"]),
    ("path", &["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"]),
    ("polygon", &["'((0,0),(1,1),(1,0))'"]),
    ("circle", &["'<(0,0),0.1>'"]),
    ("line", &["'{1,2,3}'"]),
    ("tsvector", &["'a:1A b:2'", "''", "'''it''''s'':3'"]),
    ("tsquery", &["'a & !b <-> c'"]),
    ("int4range", &["'[1,5)'", "'empty'", "'(,)'"]),
    ("tstzrange", &["'[2024-01-01 00:00+00,infinity)'", "'(,2024-01-01 00:00+00]'"]),
    ("int4[]", &["'{}'", "'{1,NULL,-3}'", "'[0:1]={7,8}'", "'{{1,2},{3,4}}'"]),
    ("text[]", &["array['NULL', null, '', 'a,b', '\"', '{}', E'\\n', E'\\\\']", "'{}'"]),
    ("mood", &["'sad'", "'it''s ok'", "''"]),
    ("positive", &["1", "2147483647"]),
    ("label", &["'x'", "E'a\\nb'"]),
    ("pair", &["row(1, 'a,b')", "row(null, null)", "row(null, '')", "row(7, '\")(')"]),
    ("pair[]", &["array[row(1, 'x')::pair, null]"]),
    ("mood[]", &["'{sad,\"\"}'"]),
    ("regclass", &["'pg_class'", "'mood_seq'"]),
    ("oid", &["4294967295", "0"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("jsonpath", &["'$.a[*] ? (@ > 1)'"]),
    ("tid", &["'(1,2)'"]),
];

/// What the types of [`POSTGRES`] need.
const PRELUDE: &str = "create type mood as enum ('sad', 'it''s ok', '');
    create domain positive as int check (value > 0); create domain label as text not null default 'x';
    create type pair as (a int, b text); create sequence mood_seq;";

const SQLITE: &Types = &[
    (
        "integer",
        &[
            "1",
            "-9223372036854775808",
            "9223372036854775807",
            "1.5",
            "9e18",
            "'a'",
            "x'00'",
            "9e999",
            "1e300",
        ],
    ),
    ("real", &["1", "0.1", "-0.0", "9e999", "-9e999", "5e-324", "1.7976931348623157e308", "'1'", "'x'"]),
    ("real", &["float"]),
    (
        "",
        &[
            "1",
            "1.0",
            "'1'",
            "x'31'",
            "-0.0",
            "9223372036854775807",
            "9223372036854775808",
            "''",
            "x''",
            "0.1",
        ],
    ),
    ("", &["float"]),
    ("text", &["text"]),
    ("", &["text"]),
    ("text", &["1", "1.0", "x'ff00'", "1e300"]),
    ("numeric", &["1.0", "'1.50'", "'x'", "1e5", "12345678901234567890", "0.1"]),
    ("blob", &["x''", "x'0001ff27'", "'text'", "1", "1.0"]),
    ("boolean", &["true", "false", "2"]),
];

/// A table: its columns, and rows of values.
#[derive(Debug, Clone)]
struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    is_keyed: bool,
}

fn table(dialect: Dialect, types: &'static Types) -> impl Strategy<Value = Table> {
    let columns = proptest::collection::vec(proptest::sample::select(types), 0..9);
    (columns, 0_usize..12, any::<bool>()).prop_flat_map(move |(columns, rows, is_keyed)| {
        let is_label = |name: &str| name == "label";
        let row: Vec<BoxedStrategy<String>> = columns
            .iter()
            .map(|(name, known)| {
                let some = values(dialect, known);
                if is_label(name) {
                    some
                } else {
                    prop_oneof![1 => Just("NULL".to_owned()), 6 => some].boxed()
                }
            })
            .collect();
        let names: Vec<&'static str> = columns.iter().map(|(name, _)| *name).collect();
        proptest::collection::vec(row, rows).prop_map(move |rows| Table {
            columns: names.clone(),
            rows,
            is_keyed,
        })
    })
}

/// The statements that make a table and fill it.
fn script(dialect: Dialect, name: &str, table: &Table) -> String {
    let mut columns: Vec<String> =
        table.columns.iter().enumerate().map(|(at, kind)| format!("\"c {at}\" {kind}")).collect();
    if table.is_keyed {
        columns.push("\"the key\" integer primary key".into());
    }
    let mut text = format!("create table {name} ({});\n", columns.join(", "));
    if columns.is_empty() && dialect == Dialect::Sqlite {
        text = format!("create table {name} (a integer default 7);\n");
    }
    for (at, row) in table.rows.iter().enumerate() {
        let mut row = row.clone();
        if table.is_keyed {
            row.push(((at * 7919) % 1000).to_string());
        }
        let values =
            if row.is_empty() { "default values".into() } else { format!("values ({})", row.join(", ")) };
        text.push_str(&format!("insert into {name} {values};\n"));
    }
    text
}

/// Holds a check against random tables.
fn hold(
    cases: u32,
    dialect: Dialect,
    types: &'static Types,
    check: impl Fn(&[Table]) -> Result<(), TestCaseError>,
) {
    let config = Config { cases, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    let tables = proptest::collection::vec(table(dialect, types), 1..4);
    TestRunner::new(config).run(&tables, |tables| check(&tables)).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn whatever_a_sqlite_database_holds_comes_back() {
    let runtime = runtime();
    hold(48, Dialect::Sqlite, SQLITE, |tables| {
        runtime.block_on(async {
            let (from, to) = (Place::sqlite().await, Place::sqlite().await);
            let scripts: Vec<String> = tables
                .iter()
                .enumerate()
                .map(|(at, table)| script(Dialect::Sqlite, &format!("\"t {at}\""), table))
                .collect();
            from.run(&scripts.concat()).await;
            goes_round(&from, &to, &[]).await;
            for at in 0..tables.len() {
                let differing = sqlite::differing(&from, &to, &format!("t {at}")).await;
                prop_assert_eq!(differing, 0);
            }
            Ok(())
        })
    });
}

#[test]
fn whatever_a_postgres_database_holds_comes_back() {
    if url(None).is_none() {
        return;
    }
    let runtime = runtime();
    let cases = if std::env::var("DBSETUP_TEST_FULL").is_ok() { 200 } else { 16 };
    hold(cases, Dialect::Postgres, POSTGRES, |tables| {
        runtime.block_on(async {
            let (Some(from), Some(to)) = (Place::postgres().await, Place::postgres().await) else { return Ok(()) };
            let scripts: Vec<String> =
                tables.iter().enumerate().map(|(at, table)| script(Dialect::Postgres, &format!("\"T {at}\""), table)).collect();
            from.run(&format!("{PRELUDE}{}", scripts.concat())).await;
            goes_round(&from, &to, &[]).await;
            for at in 0..tables.len() {
                let query = format!(
                    "select count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' order by t::text collate \"C\")), '') \
                     from \"T {at}\" t"
                );
                prop_assert_eq!(postgres::value(&from, &query).await, postgres::value(&to, &query).await);
            }
            from.done().await;
            to.done().await;
            Ok(())
        })
    });
}

/// Every type with every one of its values, in one table each.
#[tokio::test]
async fn every_known_value_of_postgres_comes_back() {
    let (Some(from), Some(to)) = (Place::postgres().await, Place::postgres().await) else { return };
    let mut text = PRELUDE.to_owned();
    for (at, (kind, known)) in POSTGRES.iter().enumerate() {
        text.push_str(&format!("create table t{at} (v {kind});\n"));
        let texts: Vec<String> = match known {
            ["text"] => TEXTS
                .iter()
                .map(|text| sql::quote_literal(Dialect::Postgres, text).expect("there is no NUL"))
                .collect(),
            ["float"] => vec!["0.30000000000000004".into()],
            known => known.iter().map(|known| (*known).to_owned()).collect(),
        };
        for value in texts {
            text.push_str(&format!("insert into t{at} values ({value});\n"));
        }
    }
    from.run(&text).await;
    goes_round(&from, &to, &[]).await;
    for (at, (kind, _)) in POSTGRES.iter().enumerate() {
        // What goes over the wire in binary is the value itself; types of users' have other numbers elsewhere.
        let own = ["mood", "positive", "label", "pair", "pair[]", "mood[]", "regclass"].contains(kind);
        let words = if own { "t::text" } else { "encode(record_send(t), 'hex')" };
        let query = format!("select string_agg({words}, ',' order by {words} collate \"C\") from t{at} t");
        let (ours, theirs) = (postgres::value(&from, &query).await, postgres::value(&to, &query).await);
        assert!(!ours.is_empty() && ours == theirs, "{kind}: {ours} {theirs}");
    }
    from.done().await;
    to.done().await;
}
