//! What a start-up with nothing to do costs, beside the least that an application pays anyway: medians of runs that take turns
//! in one process.

use std::time::{Duration, Instant};

use dbsetup::migration::FileSet;
use dbsetup::repo::DatabaseUrl;
use dbsetup::startup::{Outcome, Policy};
use dbsetup::{Embedded, EmbeddedFile, EmbeddedSettings, Source, Startup};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::app::{App, block_on};
use crate::support::Postgres;

const ROUNDS: usize = 200;
const MIGRATIONS: usize = 285;

/// A migration of one to three thousand bytes, most of them spent as people spend them: on columns and remarks.
fn text(number: usize) -> String {
    let size = 1024 + number * 7919 % 2048;
    let mut text = format!("create table t{number} (\n  id bigint primary key");
    let mut column = 0;
    while text.len() + 80 < size {
        text += &match column % 4 {
            0 => format!(", -- what is known of part {column} since it is there\n  part_{column} text"),
            1 => format!(",\n  part_{column} bigint not null default {number}"),
            2 => format!(",\n  part_{column} timestamp with time zone not null default now()"),
            _ => format!(",\n  part_{column} numeric(12, 2) check (part_{column} >= 0)"),
        };
        column += 1;
    }
    text + "\n);\n"
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The same files inside a binary.
fn embedded(files: &[(String, String)]) -> &'static Embedded {
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let files: Vec<EmbeddedFile> = files
        .iter()
        .map(|(name, text)| EmbeddedFile {
            path: leak(&format!("migrations/{name}.sql")),
            bytes: leak(text).as_bytes(),
        })
        .collect();
    Box::leak(Box::new(Embedded {
        name: "app",
        digest: "0",
        marker: "",
        disposable: &[],
        settings: EmbeddedSettings::DEFAULT,
        environments: &[],
        files: Box::leak(files.into_boxed_slice()),
        debug_assertions: false,
    }))
}

async fn bare(url: &str) -> Duration {
    let start = Instant::now();
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the server answers");
    let connection = tokio::spawn(connection);
    client.simple_query("select 1").await.expect("it is right");
    drop(client);
    connection.await.expect("it does not panic").expect("the server is there");
    start.elapsed()
}

async fn bare_sqlx(url: &str) -> Duration {
    let start = Instant::now();
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    sqlx::raw_sql("select 1").execute(&mut connection).await.expect("it is right");
    connection.close().await.expect("the server is there");
    start.elapsed()
}

async fn ours(source: &Source, url: &str) -> Duration {
    let start = Instant::now();
    let report = Startup::new(source.clone()).url(url).policy(Policy::Migrate).run().await;
    let took = start.elapsed();
    let report = report.expect("it is current");
    assert!(matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
    took
}

fn reading(source: &Source, url: &str) -> Duration {
    let repo = source.repo(DatabaseUrl::new(url), "prod").expect("it is one");
    let start = Instant::now();
    let files = FileSet::read_lanes(&repo, &[]).expect("they are there");
    assert_eq!(files.migrations.len(), MIGRATIONS);
    start.elapsed()
}

#[test]
#[ignore = "measures: for a quiet machine and a release build"]
fn the_price_of_a_start_beside_a_bare_connection() {
    let Some(app) = App::new(Postgres) else { return };
    let files: Vec<(String, String)> = (0..MIGRATIONS)
        .map(|number| (format!("{}_table_{number}", 20_240_101_000_000_u64 + number as u64), text(number)))
        .collect();
    for (name, text) in &files {
        app.migration(name, text);
    }
    app.database().create();
    // Neither client asks the server for encryption first: that would be another trip of one of them alone.
    let url = app.url();
    let url = format!("{url}{}sslmode=disable", if url.contains('?') { '&' } else { '?' });
    let directory = Source::directory("app", app.directory());
    let embedded = Source::embedded(embedded(&files));
    block_on(Startup::new(directory.clone()).url(&url[..]).policy(Policy::Migrate).run())
        .expect("it migrates");
    let (mut plain, mut sqlx, mut inside, mut on_disk) = (vec![], vec![], vec![], vec![]);
    let (mut read_inside, mut read_on_disk) = (vec![], vec![]);
    block_on(async {
        for _ in 0..ROUNDS {
            plain.push(bare(&url).await);
            inside.push(ours(&embedded, &url).await);
            sqlx.push(bare_sqlx(&url).await);
            on_disk.push(ours(&directory, &url).await);
            read_inside.push(reading(&embedded, &url));
            read_on_disk.push(reading(&directory, &url));
        }
    });
    let (plain, sqlx) = (median(plain), median(sqlx));
    println!("bare connection, `select 1`, close: tokio-postgres {plain:.2?}, sqlx {sqlx:.2?}");
    for (name, took, read) in [("embedded", inside, read_inside), ("on disk", on_disk, read_on_disk)] {
        let took = median(took);
        println!(
            "{MIGRATIONS} migrations {name}, nothing pending: {took:.2?}, {:+.2} ms beside tokio-postgres, {:+.2} ms \
             beside sqlx (to read them takes {:.2?})",
            (took.as_secs_f64() - plain.as_secs_f64()) * 1000.0,
            (took.as_secs_f64() - sqlx.as_secs_f64()) * 1000.0,
            median(read)
        );
    }
}
