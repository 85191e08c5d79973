//! A dump writes the rows of a replay.

use super::*;
use crate::migration::{Lanes, MigrateRequest, migrate};
use crate::structure::{Dump, DumpOptions, dump};

impl Place {
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.repo.migrations[0].join(name), text).unwrap();
    }

    async fn migrate(&self) {
        let mut session = self.session();
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        migrate(&mut session, &request).await.unwrap();
        session.close().await;
    }

    async fn dumped(&self) -> Result<Dump> {
        let mut session = self.session();
        let result = dump(&mut session, &DumpOptions { verify: true, ..DumpOptions::default() }, None).await;
        session.close().await;
        result
    }
}

fn keep(table: &str, except: &[&str]) -> KeepData {
    KeepData { table: table.into(), except: except.iter().map(|column| (*column).to_owned()).collect() }
}

async fn rows_of_migrations_alone(mut place: Place) {
    place.repo.keep_data = vec![keep("countries", &[])];
    place.write("1_countries.sql", "create table countries (id int primary key, name text);\ninsert into countries values (2, 'b'), (1, 'a');");
    place.migrate().await;
    // A developer's own row, and a migration that has not run here.
    place.run("insert into countries values (3, 'mine')").await;
    place.write("2_more.sql", "insert into countries values (4, 'd');");
    let first = place.dumped().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(first.text.contains("VALUES (1, 'a');\nINSERT INTO"), "{}", first.text);
    assert!(first.text.contains("(2, 'b')"), "{}", first.text);
    assert!(!first.text.contains("mine") && !first.text.contains("'d'"), "{}", first.text);
    std::fs::write(&place.repo.structure, &first.text).unwrap();
    assert!(place.dumped().await.unwrap().is_current());
    place.migrate().await;
    assert!(place.dumped().await.unwrap().text.contains("(4, 'd')"));
    place.repo.keep_data.push(keep("cuntries", &[]));
    let error = place.dumped().await.unwrap_err();
    assert!(error.help_text().unwrap().contains("countries"), "{error}");
    place.done().await;
}

#[tokio::test]
async fn a_dump_holds_rows_that_migrations_inserted_and_no_others() {
    rows_of_migrations_alone(Place::sqlite().await).await;
    if let Some(place) = Place::postgres().await {
        rows_of_migrations_alone(place).await;
    }
}

async fn values_that_change(mut place: Place, random: &str) {
    place.repo.keep_data = vec![keep("t", &[])];
    place.write(
        "1_t.sql",
        &format!("create table t (id int primary key, token text default ({random}), name text);\ninsert into t (id, name) values (1, 'a'), (2, 'b');"),
    );
    place.migrate().await;
    let error = place.dumped().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(error.to_string().contains("t.token`: '"), "{error}");
    assert!(!error.to_string().contains("t.name"), "{error}");
    let help = error.help_text().unwrap();
    assert!(help.contains("`keep-data = [{ table = \"t\", except = [\"token\"] }]`"), "{help}");
    place.repo.keep_data = vec![keep("t", &["token"])];
    assert!(place.dumped().await.unwrap().text.contains("(1, 'a')"));
    place.done().await;
}

#[tokio::test]
async fn values_that_are_others_every_time_are_named() {
    values_that_change(Place::sqlite().await, "hex(randomblob(8))").await;
    // It counts whole seconds.
    values_that_change(Place::sqlite().await, "current_timestamp").await;
    if let Some(place) = Place::postgres().await {
        values_that_change(place, "gen_random_uuid()::text").await;
    }
}
