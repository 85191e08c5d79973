//! A database that is ready, from a template wherever that can be had.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use super::keep::{keep_as, serves};
use super::{Recipe, is_allowed, key};
use crate::driver::{Cloned, Created, TemplateName};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::migration::{self, MigrateRequest};
use crate::seed::{self, SeedRequest};
use crate::session::Session;
use crate::storage;
use crate::structure::{self, LoadRequest};

/// How soon somebody who waits for a template looks for it again, at first and at last: each look is a connection.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(250));

/// Returns the pause that follows another one: half as long again, and up to a quarter more, so that those who began at
/// once do not look at once. `random` is any number.
fn longer(pause: Duration, random: u64) -> Duration {
    let next = pause.mul_f64(1.5);
    let spread = next.as_millis() as u64 / 4 + 1;
    (next + Duration::from_millis(random % spread)).min(PAUSES.1)
}

/// How a database became ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It was copied from a template.
    Cloned,
    /// It was made of the files; whoever comes next finds a template.
    Built,
    /// It was made of the files, and no template can be used or made here.
    WithoutTemplate,
}

/// Makes the repo's database, which must not be there, and makes it ready: created, loaded, migrated, and seeded where
/// `recipe` says so. From a template where there is one; else one maker builds it, and whoever else wants it meanwhile
/// waits and copies, as long as [`crate::repo::Repo::lock_wait`] allows.
///
/// The connection of the session is closed. A repo that allows no templates ([`is_allowed`]) gets its database without.
///
/// # Errors
/// [`Kind::NotEmpty`] when the database is there; those of creating, loading, migrating and seeding: then the database
/// is as far as it got.
pub async fn ready(session: &mut Session<'_>, recipe: Recipe) -> Result<Ready> {
    if !is_allowed(session.repo()) {
        build(session, recipe).await?;
        return Ok(Ready::WithoutTemplate);
    }
    let name = key(session.repo(), session.server(), recipe)?;
    let database = serves(session.server(), recipe);
    ready_as(session, &name, database, recipe).await
}

/// The same as a template of this name, which serves this database alone.
pub(super) async fn ready_as(
    session: &mut Session<'_>,
    name: &TemplateName,
    database: Option<String>,
    recipe: Recipe,
) -> Result<Ready> {
    let expected = key(session.repo(), session.server(), recipe)?;
    let deadline = Instant::now() + session.repo().lock_wait;
    let mut pause = PAUSES.0;
    loop {
        if let Some(ready) = cloned(session, name, recipe).await? {
            return Ok(ready);
        }
        let claim = match session.server().claim_template(name).await {
            Ok(claim) => claim,
            Err(error) => {
                session.teller().tell(What::TemplateRefused { reason: error.message });
                build(session, recipe).await?;
                return Ok(Ready::WithoutTemplate);
            }
        };
        let Some(claim) = claim else {
            if Instant::now() < deadline {
                // The maker may need the very database that we are connected to.
                session.server().let_go().await;
                tokio::time::sleep(pause).await;
                // The standard library seeds its hash tables from the system.
                pause = longer(pause, RandomState::new().build_hasher().finish());
                continue;
            }
            // Whoever makes it takes his time; what he makes is no more than a cache.
            build(session, recipe).await?;
            return Ok(Ready::WithoutTemplate);
        };
        // The one before may have finished between our look and our claim.
        let made = match cloned(session, name, recipe).await {
            Ok(Some(ready)) => Ok(ready),
            Ok(None) => {
                let built = build(session, recipe).await;
                // What ran is what the name says, or the files were edited meanwhile.
                match built {
                    Err(error) => Err(error),
                    Ok(())
                        if key(session.repo(), session.server(), recipe).is_ok_and(|now| now == expected) =>
                    {
                        keep_as(session, name, database).await;
                        session.close().await;
                        Ok(Ready::Built)
                    }
                    Ok(()) => Ok(Ready::WithoutTemplate),
                }
            }
            Err(error) => Err(error),
        };
        claim.release().await;
        return made;
    }
}

/// Copies the database from a template; `None` where there is none.
async fn cloned(session: &mut Session<'_>, name: &TemplateName, recipe: Recipe) -> Result<Option<Ready>> {
    let start = Instant::now();
    let options = storage::options(session.repo());
    match session.server().clone_template(name, &options).await {
        Ok(Cloned::Now(_)) => {
            session.created_now().await;
            let (target, template) = (session.server().target().shown.clone(), name.to_string());
            session.teller().tell(What::Cloned { target, template, took: start.elapsed() });
            Ok(Some(Ready::Cloned))
        }
        Ok(Cloned::NoTemplate) => Ok(None),
        Ok(Cloned::Already) => Err(there_already(session)),
        Ok(Cloned::Cannot(reason)) => {
            session.teller().tell(What::TemplateRefused { reason });
            build(session, recipe).await?;
            Ok(Some(Ready::WithoutTemplate))
        }
        Err(error) => Err(error.into()),
    }
}

fn there_already(session: &Session<'_>) -> Error {
    let target = &session.server().target().shown;
    Error::new(Kind::NotEmpty, format!("the database {target} is there already"))
}

/// Makes the database of the files.
async fn build(session: &mut Session<'_>, recipe: Recipe) -> Result<()> {
    if storage::create(session).await? == Created::Already {
        return Err(there_already(session));
    }
    let load = LoadRequest { skip_if_loaded: true, ..LoadRequest::default() };
    structure::load(session, &load).await?;
    let request = MigrateRequest { lanes: recipe.lanes, ..MigrateRequest::default() };
    migration::migrate(session, &request).await?;
    if recipe.seeds {
        seed::seed(session, &SeedRequest { if_new: true, ..SeedRequest::default() }).await?;
    }
    session.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_looks_less_and_less_often_and_never_waits_longer_than_the_longest_pause() {
        for random in [0, 7, u64::MAX] {
            let mut pause = PAUSES.0;
            let mut looks = 0;
            while pause < PAUSES.1 {
                let next = longer(pause, random);
                assert!(next > pause && next <= PAUSES.1, "{pause:?} {next:?}");
                (pause, looks) = (next, looks + 1);
            }
            assert!(looks < 8, "{looks}");
        }
    }
}
