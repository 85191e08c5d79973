//! Keeping a template, and removing those that nobody needs any more.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use super::{Origin, Recipe, is_allowed, key};
use crate::driver::{Kept, Server, TemplateInfo, TemplateName, TemplateNote};
use crate::event::What;
use crate::repo::Repo;
use crate::session::Session;

/// How long a template stays that nobody uses.
const UNUSED: Duration = Duration::from_secs(14 * 86_400);
/// How many templates of a repo stay: each branch that is worked on has some.
const FEW: usize = 12;

/// So many statements and migrations take longer than a copy does.
const ENOUGH: u64 = 32;
/// What takes that long is worth a copy, however little it is.
const LONG: Duration = Duration::from_secs(1);

/// What was done to an empty database to make it ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Statements of the structure that were run.
    pub statements: u64,
    /// Migrations that were run.
    pub migrations: u64,
    /// How long that took.
    pub took: Duration,
}

/// Whether keeping a template pays. A copy costs about as much as an empty database does, both when the template is
/// made and whenever it is used; on PostgreSQL that is the time of some thirty migrations. The number decides rather
/// than the clock, so that two runs do the same.
pub fn pays(filled: Filled) -> bool {
    filled.statements + filled.migrations >= ENOUGH || filled.took >= LONG
}

/// Says why a database is not worth keeping: what was counted, and what counts.
fn too_little(filled: Filled) -> String {
    let Filled { statements, migrations, took } = filled;
    let count = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    format!(
        "{} of the structure and {} made it ready in {} ms, and a copy pays from {ENOUGH} of them together on, or after \
         {} s",
        count(statements, "statement"),
        count(migrations, "migration"),
        took.as_millis(),
        LONG.as_secs()
    )
}

/// Returns what tells the files of a repo from those of a namesake in another checkout, as templates say it: 16
/// hexadecimal digits of where its migrations are. `None` for files in a program, which are nowhere.
pub fn home(repo: &Repo) -> Option<String> {
    if repo.files.is_embedded() {
        return None;
    }
    let place: &Path = repo.migrations.first().unwrap_or(&repo.structure);
    let place = place.canonicalize().or_else(|_| std::path::absolute(place)).ok()?;
    let digest = Sha256::digest(place.as_os_str().as_encoded_bytes());
    Some(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a template of `repo` may go: it is of another release of the server, unused for two weeks, or one of too
/// many. `others` are all that were found, itself among them; those of `current` are never stale.
pub fn is_stale(
    template: &TemplateInfo,
    others: &[TemplateInfo],
    repo: &Repo,
    current: &[TemplateName],
    now: SystemTime,
) -> bool {
    let is_current = |info: &TemplateInfo| info.usable && current.contains(&info.name);
    // One that nobody has said anything of when it was made is everybody's.
    let is_of_repo = |info: &TemplateInfo| {
        info.note.as_ref().is_some_and(|note| note.repo == repo.name.as_str() || note.repo.is_empty())
    };
    if is_current(template) || !is_of_repo(template) {
        return false;
    }
    let unused =
        |info: &TemplateInfo| info.used.and_then(|used| now.duration_since(used).ok()).unwrap_or_default();
    let newer = others.iter().filter(|other| is_of_repo(other) && unused(other) < unused(template)).count();
    !template.usable || unused(template) > UNUSED || newer >= FEW
}

/// Keeps the database of a session that [`super::create`] made empty and that `migrate` has made ready since, where that
/// pays. Whatever prevents it is told.
pub async fn keep(session: &mut Session<'_>) {
    let Some(Origin::Empty { recipe, name, since, filled }) = session.origin.take() else { return };
    let (statements, migrations) = match filled {
        None => return,
        Some(Err(reason)) => return refuse(session, reason.to_owned()),
        Some(Ok(counted)) => counted,
    };
    let filled = Filled { statements, migrations, took: since.elapsed() };
    if !pays(filled) {
        return refuse(session, too_little(filled));
    }
    // What ran is what the name says, or it is no template of these files.
    if !key(session.repo(), session.server(), recipe).is_ok_and(|now| now == name) {
        return refuse(session, "the files were edited meanwhile".to_owned());
    }
    let database = serves(session.server(), recipe);
    keep_as(session, &name, database).await;
}

/// Returns the only database that a template serves, if there is but one.
pub(super) fn serves(server: &dyn Server, recipe: Recipe) -> Option<String> {
    (!recipe.seeds).then(|| server.target().database.clone())
}

/// Keeps the session's database as a template, and removes what nobody needs any more. Whatever prevents it is told.
pub(super) async fn keep_as(session: &mut Session<'_>, name: &TemplateName, database: Option<String>) {
    let start = Instant::now();
    let repo = session.repo();
    debug_assert!(is_allowed(repo));
    let migrations = match session.inspect().await {
        Ok(inspection) => inspection.state.rows.len() as u64,
        Err(error) => return refuse(session, error.message().to_owned()),
    };
    // Nothing is copied that somebody is connected to.
    session.close().await;
    let note = TemplateNote { repo: repo.name.to_string(), database, home: home(repo), migrations };
    match session.server().keep_template(name, &note).await {
        Ok(Kept::Now) => {
            session.teller().tell(What::TemplateKept { template: name.to_string(), took: start.elapsed() });
            collect_on(session.server(), repo, std::slice::from_ref(name)).await;
        }
        Ok(Kept::Already) => {}
        Ok(Kept::Cannot(reason)) => refuse(session, reason),
        Err(error) => refuse(session, error.message),
    }
}

fn refuse(session: &Session<'_>, reason: String) {
    session.teller().tell(What::TemplateNotKept { reason });
}

/// Removes the repo's templates that are stale, and returns how many. What cannot be removed is left to the next who
/// tries.
pub async fn collect(session: &Session<'_>, current: &[TemplateName]) -> usize {
    collect_on(session.server(), session.repo(), current).await
}

/// The same without a session, which not every thread may look at.
async fn collect_on(server: &dyn Server, repo: &Repo, current: &[TemplateName]) -> usize {
    let Ok(found) = server.templates().await else { return 0 };
    let now = SystemTime::now();
    let mut removed = 0;
    for template in found.iter().filter(|info| is_stale(info, &found, repo, current, now)) {
        removed += usize::from(server.remove_template(template).await.unwrap_or(false));
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;
    use crate::migration::testing::repo;

    #[test]
    fn what_pays_is_a_matter_of_number_unless_it_takes_long() {
        let pays = |statements, migrations, took| pays(Filled { statements, migrations, took });
        assert!(!pays(20, 11, Duration::from_millis(999)) && pays(20, 12, Duration::ZERO));
        assert!(pays(0, 1, Duration::from_secs(1)));
    }

    #[test]
    fn what_is_too_little_is_told_with_what_counts() {
        assert_eq!(
            too_little(Filled { statements: 1, migrations: 4, took: Duration::from_millis(35) }),
            "1 statement of the structure and 4 migrations made it ready in 35 ms, and a copy pays from 32 of them \
             together on, or after 1 s"
        );
    }

    #[test]
    fn namesakes_in_two_checkouts_are_told_apart_wherever_a_path_begins() {
        let directory = tempfile::tempdir().expect("a directory");
        let of = |checkout: &str| {
            let migrations = directory.path().join(checkout).join("priv/core/migrations");
            std::fs::create_dir_all(&migrations).expect("it can be made");
            home(&Repo { migrations: vec![migrations], ..repo() }).expect("it is on the disk")
        };
        assert_ne!(of("one"), of("other"));
        assert_eq!(of("one"), of("other/../one"));
        assert_eq!(of("one").len(), 16);
        assert_eq!(home(&Repo { files: Files::Embedded(&[]), ..repo() }), None);
    }
}
