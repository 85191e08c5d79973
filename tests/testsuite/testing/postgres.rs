//! Tests of an application on PostgreSQL, in every shape that `#[dbsetup::test]` takes.

use dbsetup::testing::{Database, FromDatabase};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};

async fn names(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM users ORDER BY name").fetch_all(pool).await.expect("there is a table")
}

#[dbsetup::test]
async fn a_pool(pool: PgPool) {
    assert_eq!(names(&pool).await, ["seeded", "seeded for tests"]);
    sqlx::query("INSERT INTO users (name) VALUES ('a_pool')").execute(&pool).await.expect("it is ours");
}

#[dbsetup::test]
async fn a_pool_and_a_result(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO users (name) VALUES ('a_pool')").execute(&pool).await?;
    assert_eq!(names(&pool).await, ["a_pool", "seeded", "seeded for tests"]);
    let (a, b, c) = (pool.acquire().await?, pool.acquire().await?, pool.acquire().await?);
    drop((a, b, c));
    Ok(())
}

#[dbsetup::test]
async fn a_connection(mut connection: PoolConnection<Postgres>) -> sqlx::Result<()> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut *connection).await?;
    assert_eq!(count, 0);
    Ok(())
}

#[dbsetup::test]
async fn options(pool: PgPoolOptions, connection: PgConnectOptions) -> Result<(), Box<dyn std::error::Error>> {
    let pool = pool.max_connections(1).connect_with(connection).await?;
    assert_eq!(names(&pool).await.len(), 2);
    Ok(())
}

#[dbsetup::test(fixtures("ada", "bob"))]
async fn fixtures(pool: PgPool) {
    assert_eq!(names(&pool).await, ["ada", "bob", "seeded", "seeded for tests"]);
}

#[dbsetup::test(fixtures(path = "../data", scripts("copied")), fixtures("./fixtures/ada.sql"))]
async fn fixtures_elsewhere(pool: PgPool) {
    assert_eq!(names(&pool).await, ["ada", "copied", "seeded", "seeded for tests"]);
}

#[dbsetup::test(repo = "core")]
async fn a_repo(pool: PgPool) {
    assert_eq!(names(&pool).await.len(), 2);
}

#[dbsetup::test(migrations = "other/steps")]
async fn migrations(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO other VALUES (1)").execute(&pool).await?;
    let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(&pool).await?;
    assert_eq!(versions, [1]);
    Ok(())
}

#[dbsetup::test(migrations = false)]
async fn an_empty_database(pool: PgPool) -> sqlx::Result<()> {
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetch_one(&pool).await?;
    assert_eq!(count, 0);
    Ok(())
}

#[dbsetup::test(source = dbsetup::Source::directory("core", env!("CARGO_MANIFEST_DIR")))]
async fn a_source(pool: PgPool) {
    assert_eq!(names(&pool).await.len(), 2);
}

#[dbsetup::test]
async fn any_client(database: Database) {
    let options: PgConnectOptions = database.url().parse().expect("it is a URL");
    assert_eq!(options.get_database(), Some(database.name()));
    assert!(database.name().starts_with("dbsetup_test_"), "{}", database.name());
    assert!(database.path().is_none());
    assert!(!format!("{database:?}").contains("secret"));
    let pool = PgPool::connect(database.url()).await.expect("it is there");
    assert_eq!(names(&pool).await.len(), 2);
    // Nobody closes it: the database goes all the same.
}

#[dbsetup::test]
fn a_blocking_client(database: Database) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    // A blocking client has a runtime inside, which would refuse to run inside of another one.
    runtime.block_on(async {
        let pool = PgPool::connect(database.url()).await.map_err(|e| e.to_string())?;
        assert_eq!(names(&pool).await.len(), 2);
        pool.close().await;
        Ok(())
    })
}

struct Users(PgPool);

impl FromDatabase for Users {
    async fn from_database(database: &Database) -> dbsetup::Result<Self> {
        PgPool::from_database(database).await.map(Self)
    }
}

#[dbsetup::test]
async fn a_type_of_ours(users: Users) {
    assert_eq!(names(&users.0).await.len(), 2);
}

#[dbsetup::test]
async fn a_runtime_alone() {
    tokio::spawn(async {}).await.expect("it ends");
}

#[dbsetup::test]
#[should_panic(expected = "on purpose")]
async fn a_panic(_pool: PgPool) {
    panic!("on purpose");
}

#[dbsetup::test]
#[ignore = "left out"]
async fn left_out(_pool: PgPool) {
    unreachable!();
}

#[tokio::test]
async fn by_hand() {
    let source = || dbsetup::Source::directory("core", env!("CARGO_MANIFEST_DIR"));
    let (one, other) = (Database::new(source()).await.unwrap(), Database::new(source()).await.unwrap());
    assert_ne!(one.name(), other.name());
    let pool = PgPool::connect(one.url()).await.unwrap();
    assert_eq!(names(&pool).await.len(), 2);
}

#[test]
fn by_hand_and_blocking() {
    let database =
        Database::blocking(dbsetup::Source::directory("core", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(database.url().contains(database.name()));
}

#[dbsetup::test]
async fn fails_when_told(pool: PgPool) {
    assert_eq!(names(&pool).await.len(), 2);
    assert!(std::env::var_os("FAIL").is_none(), "it was told to");
}

#[dbsetup::test]
async fn fails_by_an_error_when_told(_pool: PgPool) -> Result<(), &'static str> {
    if std::env::var_os("FAIL").is_some() { Err("it was told to") } else { Ok(()) }
}

#[dbsetup::test]
async fn stays_when_told(database: Database) {
    if std::env::var_os("STAY").is_some() {
        println!("{}", database.name());
        std::io::Write::flush(&mut std::io::stdout()).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}

#[dbsetup::test]
async fn holds_a_connection_when_told(pool: PgPool) -> sqlx::Result<()> {
    if std::env::var_os("HOLD").is_some() {
        std::mem::forget(pool.acquire().await?);
    }
    Ok(())
}

static CORE: dbsetup::Embedded = dbsetup::Embedded {
    files: &[dbsetup::EmbeddedFile { path: "migrations/1_a.sql", bytes: b"create table embedded (id integer);" }],
    ..EMPTY
};

static OTHER: dbsetup::Embedded = dbsetup::Embedded {
    digest: "4567",
    files: &[dbsetup::EmbeddedFile { path: "migrations/1_a.sql", bytes: b"create table another (id integer);" }],
    ..EMPTY
};

const EMPTY: dbsetup::Embedded = dbsetup::Embedded {
    name: "embedded",
    digest: "0123",
    marker: "",
    disposable: &["test"],
    settings: dbsetup::EmbeddedSettings::DEFAULT,
    environments: &[],
    files: &[],
    debug_assertions: true,
};

#[dbsetup::test(source = CORE)]
async fn files_in_the_binary(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO embedded VALUES (1)").execute(&pool).await.map(drop)
}

#[dbsetup::test(source = &OTHER)]
async fn other_files_in_the_binary(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO another VALUES (1)").execute(&pool).await.map(drop)
}
