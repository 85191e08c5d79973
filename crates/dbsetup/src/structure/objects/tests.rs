//! Files of ours taken apart, compared and merged. The two files were dumped from databases.

mod clashes;
mod conflicts;
#[cfg(feature = "sqlite")]
mod loads;
mod properties;

use super::*;
use crate::error::Kind;

/// Dumps of one shop by the drivers of PostgreSQL and SQLite.
const SHOPS: [&str; 2] = [include_str!("tests/shop_postgres.sql"), include_str!("tests/shop_sqlite.sql")];

fn keys(structure: &Structure) -> Vec<String> {
    structure.objects.iter().map(|object| object.key.to_string()).collect()
}

/// A small file; `body` begins and ends without a blank line.
fn sqlite(body: &str) -> String {
    format!("-- dbsetup structure format 1 (sqlite)\n\n{body}\n\n-- dbsetup structure end\n")
}

fn postgres(body: &str) -> String {
    format!("-- dbsetup structure format 1 (postgresql)\n\n{body}\n\n-- dbsetup structure end\n")
}

#[test]
fn a_dump_comes_back_byte_for_byte() {
    for shop in SHOPS {
        assert_eq!(parse(shop).unwrap().text(), shop);
        let merged = merge(shop, shop, shop).unwrap();
        assert_eq!((merged.text.as_str(), merged.conflicts.len()), (shop, 0));
    }
}

#[test]
fn a_block_is_one_object() {
    let [postgres, sqlite] = SHOPS.map(|shop| parse(shop).unwrap());
    assert!(postgres.settings.is_some() && sqlite.settings.is_none());
    assert_eq!(
        keys(&sqlite),
        [
            "pragma user_version",
            "table \"Orders\"",
            "table \"schema_migrations\"",
            "table tags",
            "table [two words]",
            "table users",
            "table search",
            "view open_orders",
            "trigger orders_touch",
        ]
    );
    let postgres_keys = keys(&postgres);
    for key in [
        "domain app.money_amount",
        "function app.area(double precision)",
        "function app.area(integer, integer)",
        "aggregate app.total(integer)",
        "table app.orders",
        "partition audit.events_2026 of audit.events",
        "view app.open_orders",
        "constraint orders_user_id_fkey on app.orders",
        "trigger touch on app.users",
        "rule quiet on app.open_orders",
        "policy own on app.orders",
        "publication everything",
    ] {
        assert!(postgres_keys.iter().any(|one| one == key), "{key} in {postgres_keys:#?}");
    }
    let orders = postgres.objects.iter().find(|object| object.key.to_string() == "table app.orders").unwrap();
    assert_eq!(orders.statements.len(), 7);
    let users = sqlite.objects.iter().find(|object| object.key.to_string() == "table users").unwrap();
    assert_eq!(users.statements.len(), 3);
    for shop in [postgres, sqlite] {
        let versions: Vec<_> = shop.versions.iter().map(|row| row.version.as_str()).collect();
        assert_eq!(versions, ["20260101000000", "20260203040506"]);
        assert!(!shop.objects.iter().any(Object::are_rows));
    }
}

#[test]
fn the_rows_of_a_table_are_an_object() {
    let postgres = postgres(
        "CREATE TABLE a (\n    i integer\n);\n\nALTER TABLE ONLY public.countries DISABLE TRIGGER t;\n\
         ALTER TABLE ONLY public.countries NO FORCE ROW LEVEL SECURITY;\n\nSET CONSTRAINTS ALL DEFERRED;\n\n\
         INSERT INTO \"public\".\"countries\" (\"code\", \"name\") VALUES ('DE', 'Deutsch\n\nland');\n\
         INSERT INTO \"public\".\"countries\" (\"code\", \"name\") VALUES ('FR', 'x;y');\n\n\
         INSERT INTO public.sizes (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'S');\n\n\
         SET CONSTRAINTS ALL IMMEDIATE;\n\nSELECT pg_catalog.setval('public.sizes_id_seq', 7, true);\n\
         SELECT pg_catalog.setval('public.z', 7, true);\n\nALTER TABLE ONLY public.countries ENABLE TRIGGER t;\n\n\
         INSERT INTO public.own_name (version, name, source, checksum) VALUES ('1', 'a', 'm', NULL);",
    );
    let sqlite = sqlite(
        "CREATE TABLE a (i);\n\nINSERT INTO a (i) VALUES (1);\nINSERT INTO a (i) VALUES (2);\n\n\
         INSERT INTO sqlite_sequence (name, seq) SELECT 'a', 5 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'a');\n\
         UPDATE sqlite_sequence SET seq = 5 WHERE name = 'a';\n\n\
         CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;\n\nINSERT INTO l (version) VALUES ('1');",
    );
    let expected: [&[&str]; 2] = [
        &[
            "table a",
            "before rows",
            "`SET CONSTRAINTS ALL DEFERRED`",
            "rows of \"public\".\"countries\"",
            "rows of public.sizes",
            "`SET CONSTRAINTS ALL IMMEDIATE`",
            "counters",
            "after rows",
        ],
        &["table a", "rows of a", "counters", "trigger t"],
    ];
    for (text, expected) in [postgres, sqlite].iter().zip(expected) {
        let structure = parse(text).unwrap();
        assert_eq!(
            (keys(&structure), structure.versions.len()),
            (expected.iter().map(|key| (*key).to_owned()).collect(), 1)
        );
        assert_eq!(structure.text(), *text);
        assert_eq!(merge(text, text, text).unwrap().text, *text);
    }
}

#[test]
fn remarks_stay_where_people_put_them() {
    let text = sqlite("-- all of it\n\n-- by hand\nCREATE TABLE a (i);\n\n-- the end");
    let structure = parse(&text).unwrap();
    assert_eq!((keys(&structure), structure.tail.as_str()), (vec!["table a".to_owned()], "-- the end"));
    assert_eq!(parse(&structure.text()).unwrap(), structure);
    let empty = "-- dbsetup structure format 1 (sqlite)\n-- excluded: table x\n\n-- dbsetup structure end\n";
    assert_eq!(parse(empty).unwrap().text(), empty);
}

#[test]
fn what_is_not_ours_gets_one_clear_error() {
    let kind = |text: &str| parse(text).unwrap_err().kind();
    for foreign in ["", "--\n-- PostgreSQL database dump\n--\n", "CREATE TABLE a (i);\n"] {
        assert_eq!(kind(foreign), Kind::Unsupported, "{foreign}");
    }
    let whole = sqlite("CREATE TABLE a (i);");
    assert_eq!(kind(&whole.replacen('1', "2", 1)), Kind::Unsupported);
    assert_eq!(kind(&whole.replacen('\n', "\n-- via: pg_dump\n", 1)), Kind::Unsupported);
    assert_eq!(kind(&whole[..whole.len() - 5]), Kind::Grammar);
    assert_eq!(kind(&format!("{whole}CREATE TABLE b (i);\n")), Kind::Grammar);
    assert_eq!(kind(&whole.replace("CREATE", "<<<<<<< ours\nCREATE")), Kind::Grammar);
    assert_eq!(kind(&whole.replace("(i)", "('i)")), Kind::Grammar);
    assert_eq!(
        kind(&sqlite(
            "INSERT INTO l (version) VALUES (1);\n\nSELECT 1;\n\nINSERT INTO l (version) VALUES (2);"
        )),
        Kind::Grammar
    );
    assert_eq!(kind(&postgres("COPY a FROM stdin;\n\\.")), Kind::Unsupported);
    assert_eq!(
        merge("", &sqlite("SELECT 1;"), &postgres("SELECT 1;")).unwrap_err().kind(),
        Kind::Unsupported
    );
}

#[test]
fn changes_are_told_by_object() {
    let ledger = |version: &str| format!("INSERT INTO \"l\" (version) VALUES ('{version}');");
    let old = sqlite(&format!("CREATE TABLE a (i);\n\nCREATE TABLE b (i);\n\n{}", ledger("9")));
    let new = sqlite(&format!(
        "CREATE TABLE c (i);\n\nCREATE TABLE b (i, j);\n\nINSERT INTO \"c\" (i) VALUES (1);\n\n{}\n{}",
        ledger("10"),
        ledger("9")
    ));
    let (old, new) = (parse(&old).unwrap(), parse(&new).unwrap());
    let found = changes(Some(&old), Some(&new));
    let told: Vec<_> = found.objects.iter().map(|change| (change.kind(), change.object.as_str())).collect();
    assert_eq!(
        told,
        [(ChangeKind::Removed, "table a"), (ChangeKind::Added, "table c"), (ChangeKind::Changed, "table b"),]
    );
    assert_eq!((found.versions_added, found.versions_removed), (vec!["10".to_owned()], vec![]));
    assert_eq!(found.rows_added, ["INSERT INTO \"c\" (i) VALUES (1);"]);
    assert!(changes(Some(&old), Some(&old)).is_empty() && changes(None, None).is_empty());
    assert_eq!(changes(None, Some(&new)).objects.len(), 2);
    assert_eq!(changes(Some(&new), None).versions_removed, ["9", "10"]);
}
