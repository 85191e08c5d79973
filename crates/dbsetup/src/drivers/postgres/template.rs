//! Templates: databases that are copied as files are, page by page, and take no connections.
//!
//! A template belongs to the role that made it and is marked as nothing (`IS_TEMPLATE false`): so its owner alone may copy
//! it, and whoever else may make databases does not read along. A name that another role took is passed over, for
//! what is in such a database would run with our rights. <https://www.postgresql.org/docs/current/manage-ag-templatedbs.html>
//!
//! The comment on the database says what it is, so that no table is needed anywhere.

mod comment;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep};

use comment::{Comment, comment, days_of};

use super::catalog::cell;
use super::error::{has_code, own};
use super::place::{Place, check_name};
use super::script::Row;
use super::server::{ask, close, maintenance, run_creation};
use super::text::{literal, name};
use super::{BoxFuture, PostgresServer, lacks, scratch, session};
use crate::driver::{
    Cloned, Created, DbError, DbErrorClass, Kept, Server, TemplateClaim, TemplateInfo, TemplateName,
    TemplateNote, Templates, Workshop,
};
use crate::repo::CreateOptions;

/// What the names of templates begin with; the server's major version and the digits of [`TemplateName`] follow.
const PREFIX: &str = "dbsetup_template_";
/// A server that cannot answer has no templates.
const LOST: &str = "the server does not answer";

/// How long a session that is just ending is waited for before a database is kept.
const GOODBYES: Duration = Duration::from_secs(1);
/// The pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);

/// The expression of a template's name on the server that is asked.
fn named(template: &TemplateName) -> String {
    format!("{} || '_{template}'", prefix())
}

/// The expression of what the names of this server's templates begin with.
fn prefix() -> String {
    format!(
        "'{PREFIX}' || (pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000)::pg_catalog.text"
    )
}

/// The expression of whether the role may make databases.
const MAY_CREATE: &str =
    "(SELECT r.rolcreatedb OR r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)";
/// The condition that a database `t` belongs to who asks.
const IS_OURS: &str = "t.datdba = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)";
/// Whether somebody is connected to a database `d`, which then cannot be copied.
const IS_BUSY: &str = "EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid \
     AND coalesce(a.backend_type, '') <> 'autovacuum worker')";

impl PostgresServer {
    /// The connection from which databases are made: the one that is left of a drop, or a new one.
    async fn maintenance(&self) -> Result<PgConnection, DbError> {
        match self.take_idle() {
            Some(connection) => Ok(connection),
            None => maintenance(&self.place, self.maintenance.as_ref()).await,
        }
    }

    async fn cloned(&self, template: &TemplateName, options: &CreateOptions) -> Result<Cloned, DbError> {
        if let Some(owner) = &options.owner {
            check_name("owner", owner).map_err(|message| own(DbErrorClass::Configuration, message))?;
        }
        let mut connection = self.maintenance().await?;
        let mut found = look_for(&mut connection, &self.place.database, template, options).await;
        // What was left of a drop may have been ended meanwhile.
        if found.as_ref().is_err_and(|error| error.class == DbErrorClass::ConnectionLost) {
            connection = maintenance(&self.place, self.maintenance.as_ref()).await?;
            found = look_for(&mut connection, &self.place.database, template, options).await;
        }
        let done = match found {
            Ok(row) => clone_found(&mut connection, &self.place.database, &row, options).await,
            Err(error) => Err(error),
        };
        match done {
            // What is not copied is made next.
            Ok(Cloned::NoTemplate) => self.leave_idle(connection).await,
            _ => close(connection).await,
        }
        done
    }

    async fn kept(&self, template: &TemplateName, note: &TemplateNote) -> Result<Kept, DbError> {
        let mut connection = self.maintenance().await?;
        let kept = keep(&mut connection, &self.place.database, template, note).await;
        close(connection).await;
        kept
    }

    async fn listed(&self) -> Result<Vec<TemplateInfo>, DbError> {
        let mut connection = self.maintenance().await?;
        let query = format!(
            "SELECT t.datname, pg_catalog.shobj_description(t.oid, 'pg_database'), \
             pg_catalog.pg_database_size(t.oid), \
             pg_catalog.left(t.datname, -25) = {}, \
             pg_catalog.date_part('epoch', CURRENT_DATE::pg_catalog.timestamptz)::pg_catalog.int8, CURRENT_DATE \
             FROM pg_catalog.pg_database t WHERE t.datname ~ '^{PREFIX}[0-9]+_[0-9a-f]{{24}}$' AND {IS_OURS} \
             ORDER BY 1",
            prefix()
        );
        let rows = ask(&mut connection, query).await;
        close(connection).await;
        Ok(rows?.iter().filter_map(info).collect())
    }

    async fn removed(&self, template: &TemplateInfo) -> Result<bool, DbError> {
        if !template.shown.starts_with(PREFIX) {
            return Err(own(DbErrorClass::Refused, format!("`{}` is no template", template.shown)));
        }
        let mut connection = self.maintenance().await?;
        let query = format!(
            "SELECT 1 FROM pg_catalog.pg_database t WHERE t.datname = {} AND {IS_OURS}",
            literal(&template.shown)
        );
        let removed = match ask(&mut connection, query).await {
            Ok(rows) if rows.is_empty() => Ok(false),
            Ok(_) => match ask(&mut connection, format!("DROP DATABASE {}", name(&template.shown))).await {
                Err(error) if has_code(&error, "3D000") => Ok(false),
                other => other.map(|_| true),
            },
            Err(error) => Err(error),
        };
        close(connection).await;
        removed
    }

    async fn claimed(&self, template: &TemplateName) -> Result<Option<Box<dyn TemplateClaim>>, DbError> {
        let mut connection = maintenance(&self.place, self.maintenance.as_ref()).await?;
        let digits = &template.as_str()[..16];
        let query = format!("SELECT pg_catalog.pg_try_advisory_lock(('x' || '{digits}')::bit(64)::int8)");
        let rows = ask(&mut connection, query).await;
        match rows {
            Ok(rows) if rows.first().is_some_and(|row| cell(row, 0) == "t") => {
                Ok(Some(Box::new(Claim(connection))))
            }
            other => {
                close(connection).await;
                other.map(|_| None)
            }
        }
    }
}

/// The right to make a template is a lock of this connection.
struct Claim(PgConnection);

impl TemplateClaim for Claim {
    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(close(self.0))
    }
}

/// A name that is ours as long as the keeper's connection lives.
struct Shop {
    place: Place,
    maintenance: Option<Place>,
    keeper: Mutex<Option<PgConnection>>,
}

impl Workshop for Shop {
    fn server(&self) -> Box<dyn Server> {
        Box::new(PostgresServer::at(self.place.clone(), self.maintenance.clone()))
    }

    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async {
            let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(mut keeper) = keeper else { return Ok(()) };
            let removed = scratch::remove(&mut keeper, &self.place).await;
            close(keeper).await;
            removed
        })
    }
}

/// What is known before a database is copied, in one trip: whether it is there, whether the role may make one, the
/// template, its comment, the day.
async fn look_for(
    connection: &mut PgConnection,
    database: &str,
    template: &TemplateName,
    options: &CreateOptions,
) -> Result<Row, DbError> {
    // What is asked for in so many words is part of what the template was made of. The rest was `template1`'s to say,
    // and may be said differently by now.
    let alike = match (&options.encoding, &options.collation, &options.template) {
        (None, None, None) => {
            "AND (t.encoding, t.datcollate, t.datctype) = (SELECT b.encoding, b.datcollate, b.datctype \
             FROM pg_catalog.pg_database b WHERE b.datname = 'template1')"
        }
        _ => "",
    };
    let query = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datname = {}), {MAY_CREATE}, t.datname, \
         pg_catalog.shobj_description(t.oid, 'pg_database'), CURRENT_DATE FROM (SELECT) one \
         LEFT JOIN pg_catalog.pg_database t ON t.datname = {} AND NOT t.datallowconn AND {IS_OURS} {alike}",
        literal(database),
        named(template)
    );
    let rows = ask(connection, query).await?;
    rows.into_iter().next().ok_or_else(|| own(DbErrorClass::NotReady, LOST))
}

/// Makes a database as a copy of a template, on a connection that is there: in two trips.
#[cfg(feature = "testing")]
pub(super) async fn clone_on(
    connection: &mut PgConnection,
    database: &str,
    template: &TemplateName,
    options: &CreateOptions,
) -> Result<Cloned, DbError> {
    let found = look_for(connection, database, template, options).await?;
    clone_found(connection, database, &found, options).await
}

async fn clone_found(
    connection: &mut PgConnection,
    database: &str,
    found: &Row,
    options: &CreateOptions,
) -> Result<Cloned, DbError> {
    let [there, may, template, text, today] = [0, 1, 2, 3, 4].map(|at| cell(found, at));
    if there == "t" {
        return Ok(Cloned::Already);
    }
    if may != "t" {
        return Ok(Cloned::Cannot("the role may not create databases".to_owned()));
    }
    if template.is_empty() {
        return Ok(Cloned::NoTemplate);
    }
    let owner = options.owner.as_ref().map(|owner| format!(" OWNER = {}", name(owner))).unwrap_or_default();
    // Left to itself the server chooses the way of copying that suits its release: by its log since 15.
    let statement = format!("CREATE DATABASE {}{owner} TEMPLATE = {}", name(database), name(&template));
    match run_creation(connection, database, &statement).await {
        Ok(Created::Now) => {}
        Ok(Created::Already) => return Ok(Cloned::Already),
        // Removed in between, or connected to by a superuser who let himself in.
        Err(error) if has_code(&error, "3D000") || has_code(&error, "55006") => {
            return Ok(Cloned::NoTemplate);
        }
        Err(error) if error.class == DbErrorClass::Permission => return Ok(Cloned::Cannot(error.message)),
        Err(error) => return Err(error),
    }
    let known = Comment::parse(&text);
    let (note, made) = match &known {
        Some(known) if known.used == today => return Ok(Cloned::Now(Some(known.note.clone()))),
        Some(known) => (known.note.clone(), known.made.clone()),
        None => (TemplateNote::default(), today.clone()),
    };
    // Once a day it is noted that somebody needs it. Two who do that at once are in each other's way; one will do.
    let _ = note_down(connection, &template, &comment(&note, &made, &today)).await;
    Ok(Cloned::Now(known.map(|known| known.note)))
}

async fn note_down(connection: &mut PgConnection, template: &str, comment: &str) -> Result<(), DbError> {
    let statement = format!("COMMENT ON DATABASE {} IS {}", name(template), literal(comment));
    ask(connection, statement).await.map(drop)
}

async fn keep(
    connection: &mut PgConnection,
    database: &str,
    template: &TemplateName,
    note: &TemplateNote,
) -> Result<Kept, DbError> {
    let query = format!(
        "SELECT {}, EXISTS (SELECT FROM pg_catalog.pg_database t WHERE t.datname = {}), {MAY_CREATE}, CURRENT_DATE, \
         {IS_BUSY}, {} FROM pg_catalog.pg_database d WHERE d.datname = {}",
        named(template),
        named(template),
        lacks::conditions(),
        literal(database)
    );
    let deadline = Instant::now() + GOODBYES;
    let row = loop {
        let rows = ask(connection, query.clone()).await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(Kept::Cannot("the database is gone".to_owned()));
        };
        // Whoever has just said goodbye may still be there for a moment.
        let is_busy = cell(&row, 4) == "t";
        if !is_busy || lacks::first(&row, 5).is_some() || Instant::now() >= deadline {
            break row;
        }
        sleep(PAUSE).await;
    };
    let row = &row;
    let [shown, there, may, today] = [0, 1, 2, 3].map(|at| cell(row, at));
    if there == "t" {
        return Ok(Kept::Already);
    }
    if may != "t" {
        return Ok(Kept::Cannot("the role may not create databases".to_owned()));
    }
    if let Some(what) = lacks::first(row, 5) {
        return Ok(Kept::Cannot(format!("the database has {what} of its own, which a copy does not have")));
    }
    if cell(row, 4) == "t" {
        return Ok(Kept::Cannot("somebody is connected to the database".to_owned()));
    }
    // Complete under its name or not there at all; the comment may be missing if we die now, and is made good by the
    // first who copies it.
    let statement =
        format!("CREATE DATABASE {} TEMPLATE = {} ALLOW_CONNECTIONS = false", name(&shown), name(database));
    match ask(connection, statement).await {
        Ok(_) => {}
        Err(error) => match error.code.as_deref() {
            Some("42P04" | "23505") => return Ok(Kept::Already),
            // Somebody connected in between, or may not copy it: nobody waits for a cache.
            Some("55006" | "42501") => return Ok(Kept::Cannot(error.message)),
            _ => return Err(error),
        },
    }
    note_down(connection, &shown, &comment(note, &today, &today)).await?;
    Ok(Kept::Now)
}

/// Returns what a row of the list says.
fn info(row: &Row) -> Option<TemplateInfo> {
    let shown = cell(row, 0);
    let known = Comment::parse(&cell(row, 1));
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(cell(row, 4).parse().ok()?);
    let days = |day: &str| {
        let ago = days_of(&cell(row, 5))?.checked_sub(days_of(day)?)?;
        today.checked_sub(Duration::from_secs(u64::try_from(ago).unwrap_or(0) * 86_400))
    };
    Some(TemplateInfo {
        name: TemplateName::new(shown.rsplit_once('_')?.1)?,
        made: known.as_ref().and_then(|known| days(&known.made)),
        used: known.as_ref().and_then(|known| days(&known.used)),
        note: known.map(|known| known.note),
        bytes: cell(row, 2).parse().ok(),
        usable: cell(row, 3) == "t",
        shown,
    })
}

impl Templates for PostgresServer {
    fn session_of_url(&self) -> Vec<(String, String)> {
        let mut said = vec![("user".to_owned(), self.place.user.clone())];
        // What is made belongs to the one, the template to the other.
        let keeper =
            self.maintenance.as_ref().map(|place| &place.user).filter(|user| **user != self.place.user);
        said.extend(keeper.map(|user| ("keeper".to_owned(), user.clone())));
        said.extend(self.place.search_path.iter().map(|path| ("search_path".to_owned(), path.clone())));
        said.extend(self.place.settings.iter().cloned());
        said
    }

    fn clone_template<'a>(
        &'a self,
        template: &'a TemplateName,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, Result<Cloned, DbError>> {
        Box::pin(self.cloned(template, options))
    }

    fn keep_template<'a>(
        &'a self,
        template: &'a TemplateName,
        note: &'a TemplateNote,
    ) -> BoxFuture<'a, Result<Kept, DbError>> {
        Box::pin(self.kept(template, note))
    }

    fn templates(&self) -> BoxFuture<'_, Result<Vec<TemplateInfo>, DbError>> {
        Box::pin(self.listed())
    }

    fn remove_template<'a>(&'a self, template: &'a TemplateInfo) -> BoxFuture<'a, Result<bool, DbError>> {
        Box::pin(self.removed(template))
    }

    fn claim_template<'a>(
        &'a self,
        template: &'a TemplateName,
    ) -> BoxFuture<'a, Result<Option<Box<dyn TemplateClaim>>, DbError>> {
        Box::pin(self.claimed(template))
    }

    fn workshop(&self) -> BoxFuture<'_, Result<Box<dyn Workshop>, DbError>> {
        Box::pin(async {
            let mut keeper = scratch::keeper(&self.place, self.maintenance.as_ref()).await?;
            scratch::remove_dead(&mut keeper, &self.place, None).await;
            // A scratch database's name and its lock: whoever makes one next removes what a dead run leaves.
            let random = session::random();
            let key = scratch::key(&literal(&random));
            ask(&mut keeper, format!("SELECT pg_catalog.pg_advisory_lock({key})")).await?;
            let place = self.place.with_database(&format!("{}{random}", scratch::PREFIX));
            let maintenance = self.maintenance.clone();
            let shop = Shop { place, maintenance, keeper: Mutex::new(Some(keeper)) };
            Ok(Box::new(shop) as Box<dyn Workshop>)
        })
    }

    fn let_go(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(connection) = self.take_idle() {
                close(connection).await;
            }
        })
    }
}
