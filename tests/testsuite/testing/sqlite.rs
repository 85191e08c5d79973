//! Tests of an application on SQLite.

use dbsetup::testing::Database;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

async fn names(pool: &SqlitePool) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM users ORDER BY name").fetch_all(pool).await.expect("there is a table")
}

#[dbsetup::test]
async fn a_pool(pool: SqlitePool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO users (name) VALUES ('ada')").execute(&pool).await?;
    // Another connection of the pool sees the same database.
    let (mut one, mut other) = (pool.acquire().await?, pool.acquire().await?);
    for connection in [&mut one, &mut other] {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut **connection).await?;
        assert_eq!(count, 3);
    }
    Ok(())
}

#[dbsetup::test]
async fn a_connection(mut connection: PoolConnection<Sqlite>) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO users (name) VALUES ('ada')").execute(&mut *connection).await?;
    Ok(())
}

#[dbsetup::test]
async fn options(pool: SqlitePoolOptions, connection: SqliteConnectOptions) -> sqlx::Result<()> {
    let pool = pool.connect_with(connection).await?;
    assert_eq!(names(&pool).await, ["seeded", "seeded for tests"]);
    Ok(())
}

#[dbsetup::test(fixtures("ada", "bob"))]
async fn fixtures(pool: SqlitePool) {
    assert_eq!(names(&pool).await, ["ada", "bob", "seeded", "seeded for tests"]);
}

#[dbsetup::test(migrations = false)]
async fn an_empty_database(pool: SqlitePool) -> sqlx::Result<()> {
    sqlx::query("CREATE TABLE users (id integer)").execute(&pool).await?;
    Ok(())
}

#[dbsetup::test]
fn any_client(database: Database) {
    assert!(database.url().starts_with("sqlite:"), "{}", database.url());
    let in_memory = std::env::var("DBSETUP_TEST_SQLITE").is_ok_and(|place| place == "memory");
    assert_eq!(database.path().is_some_and(std::path::Path::is_file), !in_memory);
}

#[dbsetup::test]
async fn the_url_is_enough(database: Database) -> sqlx::Result<()> {
    let pool = SqlitePool::connect(database.url()).await?;
    assert_eq!(names(&pool).await.len(), 2);
    Ok(())
}

#[dbsetup::test]
async fn fails_when_told(pool: SqlitePool) {
    assert_eq!(names(&pool).await.len(), 2);
    assert!(std::env::var_os("FAIL").is_none(), "it was told to");
}

#[dbsetup::test]
async fn stays_when_told(database: Database) {
    if std::env::var_os("STAY").is_some() {
        println!("{}", database.path().expect("it is a file").display());
        std::io::Write::flush(&mut std::io::stdout()).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}
