//! Databases to be thrown away: how they are made, and how what a killed run left of them is found.
//!
//! A run holds an advisory lock for as long as it needs its scratch database, on a connection of its own, and has it
//! before the database is there. The lock's key is in the database's name, and locks are seen from every database of
//! the server: a scratch database whose lock nobody holds, and to which nobody is connected, is a dead run's.

use std::sync::Mutex;

use sqlx::postgres::PgConnection;

use super::catalog::cell;
use super::error::{advised, own};
use super::place::Place;
use super::server::{APPLICATION, ask, close, drop_from, maintenance, run_creation};
use super::session::{self, Session};
use super::text::{literal, name};
use crate::driver::{
    BoxFuture, Created, DbError, DbErrorClass, Driver, Scratch, SessionOptions, Sessions, Target,
};
use crate::repo::DatabaseUrl;

/// What the names of scratch databases begin with; 16 hexadecimal digits follow.
pub(super) const PREFIX: &str = "dbsetup_scratch_";

/// A scratch database.
struct ScratchDatabase {
    place: Place,
    target: Target,
    /// The connection that made it, and holds its lock.
    keeper: Mutex<Option<PgConnection>>,
}

/// Makes a scratch database like `place`.
pub(super) async fn make(
    place: &Place,
    configured: Option<&Place>,
    elsewhere: Option<&DatabaseUrl>,
    owner: Option<&str>,
) -> Result<Box<dyn Scratch>, DbError> {
    let elsewhere = elsewhere
        .map(Place::parse)
        .transpose()
        .map_err(|error| own(DbErrorClass::Configuration, error.message().to_owned()))?;
    let like = match (Locale::of(place).await, &elsewhere) {
        // What is not there yet will be made like the template.
        (Err(error), _) if error.class == DbErrorClass::DatabaseMissing => {
            Locale::of_new(place, configured).await?
        }
        (Err(error), Some(there)) if error.class == DbErrorClass::Unreachable => {
            Locale::of_new(there, None).await?
        }
        (found, _) => found?,
    };
    let (home, mut keeper) = match (&elsewhere, configured) {
        (Some(there), _) => (there, keeper(there, None).await.map_err(there_is_another_url)?),
        (None, Some(configured)) => (place, keeper(configured, None).await?),
        // Any database will do to make another one from, and this one lets us in.
        (None, None) => (place, keeper(place, configured).await?),
    };
    let user = elsewhere.is_none().then_some(configured).flatten().map(|configured| configured.user.as_str());
    // Who makes it owns it, and is not always who is to work in it.
    let owner = owner.or_else(|| user.filter(|user| *user != place.user).map(|_| place.user.as_str()));
    remove_dead(&mut keeper, home, owner).await;
    let random = session::random();
    let database = format!("{PREFIX}{random}");
    ask(&mut keeper, format!("SELECT pg_catalog.pg_advisory_lock({})", key(&literal(&random)))).await?;
    let made = run_creation(&mut keeper, &database, &like.statement(&database, owner)).await;
    match made {
        Ok(Created::Now) => {}
        Ok(Created::Already) => {
            return Err(own(DbErrorClass::Statement, format!("there is a database `{database}` already")));
        }
        Err(error) => {
            close(keeper).await;
            return Err(explained(error));
        }
    }
    let place = home.with_database(&database);
    let target = Target {
        shown: place.shown(),
        database,
        local: place.is_local(),
        plain_text_over_network: !place.is_local() && !place.demands_tls(),
        address: Some(place.address()),
    };
    Ok(Box::new(ScratchDatabase { place, target, keeper: Mutex::new(Some(keeper)) }))
}

/// Whoever reads of it is not to look for the mistake in the database's own URL.
fn there_is_another_url(mut error: DbError) -> DbError {
    error.notes.push("the scratch database is to be made where `scratch-url` says".to_owned());
    error
}

fn explained(mut error: DbError) -> DbError {
    if error.class == DbErrorClass::Permission {
        error.notes.retain(|note| !note.starts_with("help: "));
        return advised(
            error,
            "grant the role CREATEDB, or set `scratch-url` to a server where databases may be made",
        );
    }
    error
}

/// Opens the connection that makes and keeps a scratch database.
pub(super) async fn keeper(place: &Place, configured: Option<&Place>) -> Result<PgConnection, DbError> {
    match session::open(place, APPLICATION, &[]).await {
        Ok(connection) => Ok(connection),
        // A URL may name a server and no database that is there.
        Err(error) if error.class == DbErrorClass::DatabaseMissing => maintenance(place, configured).await,
        Err(error) => Err(error),
    }
}

/// The expression of the lock's key for 16 hexadecimal digits.
pub(super) fn key(digits: &str) -> String {
    format!("('x' || {digits})::bit(64)::int8")
}

/// The condition that a database `d` is a scratch database that nobody needs.
fn is_dead() -> String {
    format!(
        "d.datname ~ '^{PREFIX}[0-9a-f]{{16}}$' AND NOT d.datistemplate \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 \
         AND ((l.classid::int8 << 32) | l.objid::int8) = {}) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
        key("pg_catalog.right(d.datname, 16)")
    )
}

/// Removes the scratch databases of dead runs. Whatever keeps one from going is not this run's business.
pub(super) async fn remove_dead(connection: &mut PgConnection, home: &Place, owner: Option<&str>) {
    // What belongs to somebody else is theirs, whatever its name.
    let query = format!(
        "SELECT d.datname FROM pg_catalog.pg_database d WHERE {} AND pg_catalog.pg_get_userbyid(d.datdba) \
         IN (current_user, {}) ORDER BY d.oid LIMIT 20",
        is_dead(),
        owner.map_or_else(|| "current_user".to_owned(), literal)
    );
    for row in ask(connection, query).await.unwrap_or_default() {
        let _ = remove(connection, &home.with_database(&cell(&row, 0))).await;
    }
}

/// Removes a scratch database, and only such a one.
pub(super) async fn remove(connection: &mut PgConnection, place: &Place) -> Result<(), DbError> {
    if !place.database.starts_with(PREFIX) {
        return Err(own(DbErrorClass::Refused, format!("`{}` is no scratch database", place.database)));
    }
    match drop_from(connection, &place.database, Sessions::End).await {
        Err(error) if error.notes.iter().any(|note| note.contains("subscription")) => {
            forget_subscriptions(place).await?;
            drop_from(connection, &place.database, Sessions::End).await.map(drop)
        }
        other => other.map(drop),
    }
}

/// A subscription keeps its database from being dropped. These never connected: there is nothing at the other end.
pub(super) async fn forget_subscriptions(place: &Place) -> Result<(), DbError> {
    let mut connection = session::open(place, APPLICATION, &[]).await?;
    let query = "SELECT pg_catalog.quote_ident(subname) FROM pg_catalog.pg_subscription WHERE subdbid = \
                 (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
    let mut result = Ok(());
    for row in ask(&mut connection, query.to_owned()).await? {
        let name = cell(&row, 0);
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            result = result.and(ask(&mut connection, statement).await.map(drop));
        }
    }
    close(connection).await;
    result
}

impl Scratch for ScratchDatabase {
    fn target(&self) -> &Target {
        &self.target
    }

    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>> {
        Box::pin(async move {
            let mut place = self.place.clone();
            // Its text was warned of where it came from.
            place.settings.push(("client_min_messages".to_owned(), "error".to_owned()));
            let session = Session::connect(&place, options).await?;
            Ok(Box::new(session) as Box<dyn Driver>)
        })
    }

    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async move {
            let keeper = self.keeper.lock().expect("nobody panics while holding it").take();
            let Some(mut keeper) = keeper else { return Ok(()) };
            let removed = match remove(&mut keeper, &self.place).await {
                // The connection died meanwhile, and its lock with it: another one can still remove the database.
                Err(error) if error.class == DbErrorClass::ConnectionLost => {
                    let mut other = maintenance(&self.place, None).await?;
                    let removed = remove(&mut other, &self.place).await;
                    close(other).await;
                    removed
                }
                other => other,
            };
            close(keeper).await;
            removed
        })
    }
}

/// How a database encodes and sorts text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Locale {
    encoding: String,
    collate: String,
    ctype: String,
    /// `c`, `i`, `b`; nothing before release 15.
    provider: Option<String>,
    locale: Option<String>,
    rules: Option<String>,
}

impl Locale {
    async fn of(place: &Place) -> Result<Self, DbError> {
        let connection = session::open(place, APPLICATION, &[]).await?;
        Self::read(connection, "pg_catalog.current_database()").await
    }

    /// What a database would be that is made now.
    async fn of_new(place: &Place, configured: Option<&Place>) -> Result<Self, DbError> {
        let connection = maintenance(place, configured).await?;
        Self::read(connection, "'template1'").await
    }

    /// Reads what the server says of the database that an expression names.
    async fn read(mut connection: PgConnection, database: &str) -> Result<Self, DbError> {
        // Releases name and have these columns differently.
        let rows = ask(
            &mut connection,
            format!(
                "SELECT pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, j.row ->> 'datlocprovider', \
                 coalesce(j.row ->> 'datlocale', j.row ->> 'daticulocale'), j.row ->> 'daticurules' \
                 FROM pg_catalog.pg_database d, pg_catalog.to_jsonb(d) AS j(row) WHERE d.datname = {database}"
            ),
        )
        .await;
        close(connection).await;
        let rows = rows?;
        let row = rows.first().ok_or_else(|| {
            own(DbErrorClass::Unsupported, "the server does not tell how its databases are made")
        })?;
        let optional = |at: usize| row.get(at).cloned().flatten();
        Ok(Self {
            encoding: cell(row, 0),
            collate: cell(row, 1),
            ctype: cell(row, 2),
            provider: optional(3),
            locale: optional(4),
            rules: optional(5),
        })
    }

    /// The `CREATE DATABASE`, from the template that nobody has put anything into.
    /// <https://www.postgresql.org/docs/current/sql-createdatabase.html>
    fn statement(&self, database: &str, owner: Option<&str>) -> String {
        let mut statement = format!("CREATE DATABASE {} TEMPLATE = template0", name(database));
        let mut add = |word: &str, value: String| statement.push_str(&format!(" {word} = {value}"));
        if let Some(owner) = owner {
            add("OWNER", name(owner));
        }
        add("ENCODING", literal(&self.encoding));
        add("LC_COLLATE", literal(&self.collate));
        add("LC_CTYPE", literal(&self.ctype));
        let provider = match self.provider.as_deref() {
            Some("i") => Some(("icu", "ICU_LOCALE")),
            Some("b") => Some(("builtin", "BUILTIN_LOCALE")),
            Some(_) => Some(("libc", "")),
            None => None,
        };
        if let Some((provider, word)) = provider {
            add("LOCALE_PROVIDER", provider.to_owned());
            if let Some(locale) = self.locale.as_ref().filter(|_| !word.is_empty()) {
                add(word, literal(locale));
            }
        }
        if let Some(rules) = &self.rules {
            add("ICU_RULES", literal(rules));
        }
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_database_sorts_as_the_original_does() {
        let mut like =
            Locale { encoding: "UTF8".into(), collate: "C".into(), ctype: "C".into(), ..Locale::default() };
        let start =
            "CREATE DATABASE \"s\" TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'C' LC_CTYPE = 'C'";
        assert_eq!(like.statement("s", None), start);
        (like.provider, like.locale) = (Some("i".into()), Some("de-DE".into()));
        let icu = format!("{start} LOCALE_PROVIDER = icu ICU_LOCALE = 'de-DE'");
        assert_eq!(like.statement("s", None), icu);
        (like.provider, like.locale) = (Some("c".into()), None);
        assert_eq!(like.statement("s", None), format!("{start} LOCALE_PROVIDER = libc"));
        assert!(like.statement("s", Some("app")).contains(" OWNER = \"app\" "));
    }
}
