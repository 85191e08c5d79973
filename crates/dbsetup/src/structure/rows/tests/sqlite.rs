//! What SQLite has besides values.

use sqlx::{Connection, Row};

use super::*;

/// How many rows two databases do not have in common, by the engine's own comparison, types included.
pub async fn differing(from: &Place, to: &Place, table: &str) -> i64 {
    let path = |place: &Place| place.repo.root.join("core.db");
    let mut connection =
        sqlx::SqliteConnection::connect(&format!("sqlite:{}", path(to).display())).await.unwrap();
    let attach = format!("attach '{}' as other", path(from).display());
    sqlx::raw_sql(sqlx::AssertSqlSafe(attach)).execute(&mut connection).await.unwrap();
    let columns: String = sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "select group_concat('\"' || name || '\", typeof(\"' || name || '\")', ', ') from pragma_table_info('{table}')"
    )))
    .fetch_one(&mut connection)
    .await
    .unwrap()
    .get(0);
    let rows = |schema: &str| format!("select {columns} from {schema}.\"{table}\"");
    let (ours, theirs) = (rows("main"), rows("other"));
    let query = format!(
        "select (select count(*) from ({ours} except {theirs})) + (select count(*) from ({theirs} except {ours})) \
         + abs((select count(*) from main.\"{table}\") - (select count(*) from other.\"{table}\"))"
    );
    let found = sqlx::raw_sql(sqlx::AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap().get(0);
    connection.close().await.unwrap();
    found
}

#[tokio::test]
async fn triggers_do_not_fire_generated_columns_follow_and_counters_go_on() {
    let (from, to) = (Place::sqlite().await, Place::sqlite().await);
    from.run(
        "create table parent (id integer primary key autoincrement, name text unique);
         create table child (id integer primary key, parent_id int not null references parent, up int references child,
             n int, twice int generated always as (n * 2) stored, thrice int as (n * 3));
         create table log (what text); create table counted (id integer primary key autoincrement);
         create table without (a text, b int, primary key (b, a)) without rowid;
         create view v as select * from child;
         create trigger child_in after insert on child begin insert into log values ('in ' || new.id); end;
         create trigger parent_in before insert on parent begin select raise(abort, 'no') where new.name = 'late'; end;
         insert into parent values (5, 'a'), (2, 'b'); insert into parent (name) values ('gone');
         delete from parent where name = 'gone'; update parent set name = 'late' where id = 2;
         insert into child (id, parent_id, up, n) values (3, 5, null, 1), (1, 2, 3, 7), (2, 5, 1, null);
         insert into counted values (41); delete from counted;
         insert into without values ('b', 1), ('a', 2), ('a', 1)",
    )
    .await;
    let written = goes_round(&from, &to, &["log"]).await;
    assert!(!written.text.contains("INTO \"log\""), "{}", written.text);
    let at = |text: &str| written.text.find(text).unwrap_or_else(|| panic!("{text} in {}", written.text));
    assert!(at("INTO \"parent\"") < at("INTO \"child\"") && at("INTO \"child\"") < at("CREATE TRIGGER"));
    assert_eq!(
        to.filled().await.iter().map(|table| &*table.name).collect::<Vec<_>>(),
        ["child", "parent", "without"]
    );
    for place in [&from, &to] {
        place.run("insert into parent (name) values ('next'); insert into counted default values").await;
    }
    for table in ["parent", "child", "counted", "without"] {
        assert_eq!(differing(&from, &to, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn rows_in_a_circle_load() {
    let (from, to) = (Place::sqlite().await, Place::sqlite().await);
    from.run(
        "create table a (id integer primary key, b int references b deferrable initially deferred);
         create table b (id integer primary key, a int references a, self int references b);
         insert into a values (1, 1); insert into b values (1, 1, 2), (2, null, 1)",
    )
    .await;
    goes_round(&from, &to, &[]).await;
}

#[tokio::test]
async fn a_column_is_left_to_its_default() {
    let (from, to) = (Place::sqlite().await, Place::sqlite().await);
    from.run(
        "create table t (id integer primary key, name text not null, at text not null default current_timestamp);
         insert into t values (1, 'a', 'then')",
    )
    .await;
    let written = from.written(&[], &[("t", "AT")]).await.unwrap();
    assert!(
        written.text.contains("INSERT INTO \"t\" (\"id\", \"name\") VALUES (1, 'a');"),
        "{}",
        written.text
    );
    to.load(&written.text).await.unwrap();
    assert_eq!(to.filled().await.len(), 1);
    let error = from.written(&[], &[("t", "name")]).await.err().expect("it has no default");
    assert!(error.to_string().contains("`t.name` is NOT NULL"), "{error}");
    let error = from.written(&[], &[("t", "nane")]).await.err().expect("there is no such column");
    assert_eq!(error.help_text(), Some("do you mean `name`?"));
    // The engine gives a number where there is none.
    assert!(from.written(&[], &[("t", "id")]).await.is_ok());
}

#[tokio::test]
async fn what_no_statement_can_hold_is_refused_by_name() {
    for (value, why) in
        [("'a' || char(0) || 'b'", "`t.v` holds text with a NUL"), ("cast(x'ff' as text)", "not UTF-8")]
    {
        let place = Place::sqlite().await;
        place.run(&format!("create table t (v text); insert into t values ({value})")).await;
        let error = place.written(&[], &[]).await.err().expect("it cannot be written");
        assert!(error.kind() == Kind::Unsupported && error.to_string().contains(why), "{error}");
    }
    let place = Place::sqlite().await;
    place.run("create virtual table f using fts5 (t); insert into f values ('x')").await;
    let error = place.written(&[], &[]).await.err().expect("it cannot be written");
    assert!(error.to_string().contains("virtual table `f`"), "{error}");
    assert_eq!(place.filled().await.len(), 1, "the tables behind it are nobody's own");
}

#[tokio::test]
async fn thirty_thousand_rows_load_in_seconds() {
    let (from, to) = (Place::sqlite().await, Place::sqlite().await);
    from.run(
        "create table t (id integer primary key, name text, r real);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)
         insert into t select i, 'name ' || i, i / 7.0 from n",
    )
    .await;
    let start = std::time::Instant::now();
    let written = from.written(&[], &[]).await.unwrap();
    to.load(&written.text).await.unwrap();
    assert_eq!(differing(&from, &to, "t").await, 0);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
