//! The nets of a native dump hold whatever the writer forgets: each entry of its register is switched off on
//! PostgreSQL's own test databases, and the dump has to stop, or what it wrote has to fail its verification.
//!
//! What those do not have, databases of our own have.
//!
//! `DBSETUP_TEST_REGRESSION_15` (18) is the URL of a superuser of a server with the databases `regression` and
//! `dumptest`. Neither is changed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::structure::{Feature, Snapshot};
use super::types::known;
use super::*;
use crate::driver::{Fingerprint, Structure, Via};
use crate::structure::differences;

/// The oldest whose objects are at hand, and the newest.
const RELEASES: [u32; 2] = [15, 18];

/// Databases of our own: what they hold, and the statements that make them.
const OWN: [(&str, &str); 6] = [
    ("types", types::KINDS),
    ("relations", relations::RELATIONS),
    ("attached", attached::KINDS),
    ("rights", attached::RIGHTS),
    ("extended", attached::EXTENDED),
    ("elsewhere", relations::ELSEWHERE),
];

/// A label needs a library that provides labels, and none comes with PostgreSQL; a test of its own looks at the text.
const WITHOUT_OBJECTS: [Feature; 2] = [Feature::SecurityLabel, Feature::ColumnSecurityLabel];

/// A database whose dump is tried.
struct Origin {
    server: PostgresServer,
    /// What the whole dump restores differs in these from the original.
    known: BTreeSet<String>,
    fingerprint: Fingerprint,
    text: String,
}

pub(super) fn everything() -> DumpRequest {
    DumpRequest { via: Some(Via::Native), owners: true, privileges: true, ..DumpRequest::default() }
}

pub(super) async fn session(server: &PostgresServer) -> Session {
    Session::connect(&server.place, &options()).await.expect("the server answers")
}

/// Loads a text into a new database and returns its fingerprint, or what the load says.
pub(super) async fn restored(base: &str, name: &str, text: &str) -> Result<Fingerprint, String> {
    let to = server(base, name);
    to.drop(Sessions::End).await.expect("an old one can be dropped");
    let create = CreateOptions { template: Some("template0".into()), ..CreateOptions::default() };
    to.create(&create).await.expect("it can be made");
    let mut into = session(&to).await;
    into.begin(true).await.expect("right");
    let loaded = into.execute(text).await.map_err(|failure| failure.error.message);
    if loaded.is_ok() {
        into.commit(&[]).await.expect("right");
    }
    into.goodbye().await;
    let result = match loaded {
        Ok(()) => {
            let mut loaded = session(&to).await;
            let fingerprint = loaded.fingerprint(&everything()).await.expect("the catalogs can be read");
            loaded.goodbye().await;
            Ok(fingerprint)
        }
        Err(complaint) => Err(complaint),
    };
    to.drop(Sessions::End).await.expect("it can be dropped");
    result
}

/// Makes a database of the statements that a release knows; not where they need an extension that is not installed.
async fn made(base: &str, name: &str, release: u32, statements: &str) -> bool {
    let to = server(base, name);
    to.drop(Sessions::End).await.expect("an old one can be dropped");
    let create = CreateOptions { template: Some("template0".into()), ..CreateOptions::default() };
    to.create(&create).await.expect("it can be made");
    let mut into = session(&to).await;
    attached::make_roles(&mut into).await;
    let can_be = statements != attached::EXTENDED || attached::has_extensions(&mut into).await;
    if can_be {
        into.transact(script(&known(statements, release))).await.expect("the statements are right");
    }
    into.goodbye().await;
    can_be
}

/// The differences from `original`, a line each.
pub(super) fn found(original: &Fingerprint, copy: &Fingerprint) -> BTreeSet<String> {
    differences(original, copy).iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn nothing_that_the_writer_forgets_gets_through() {
    let mut untried: BTreeSet<Feature> = Feature::ALL.iter().copied().collect();
    let mut skipped = false;
    for release in RELEASES {
        let Ok(url) = std::env::var(format!("DBSETUP_TEST_REGRESSION_{release}")) else {
            eprintln!("skipped: DBSETUP_TEST_REGRESSION_{release} is not set");
            skipped = true;
            continue;
        };
        let base = &url[..url.rfind('/').expect("the URL names a database")];
        let left = try_all(release, base).await;
        untried.retain(|feature| left.contains(feature) && !WITHOUT_OBJECTS.contains(feature));
    }
    let untried: Vec<&str> = untried.into_iter().map(Feature::name).collect();
    // What came with a newer release has no object in an older one.
    assert!(skipped || untried.is_empty(), "no release has {untried:#?}");
}

/// Tries every feature that one release has, and returns the others.
async fn try_all(release: u32, base: &str) -> BTreeSet<Feature> {
    let request = everything();
    let name = format!("dbsetup_test_features_{release}_{}", std::process::id());
    let mut left: BTreeSet<Feature> = Feature::ALL.iter().copied().collect();
    let (mut by_dump, mut by_load, mut by_verification, mut through) = (0, 0, 0, BTreeMap::new());
    let own = OWN.map(|(kinds, statements)| (format!("{name}_{kinds}"), statements));
    let mut databases = vec!["dumptest", "regression"];
    for (database, statements) in &own {
        if made(base, database, release, statements).await {
            databases.push(database);
        }
    }
    // The smaller one first: each feature is tried once.
    for database in databases {
        let server = server(base, database);
        let mut looking = session(&server).await;
        let snapshot = Snapshot::read(&mut looking, &request).await.expect("it can be read");
        let (Structure { text, .. }, features) =
            snapshot.write(&mut looking, None).await.expect("the whole is written");
        let fingerprint = looking.fingerprint(&request).await.expect("the catalogs can be read");
        let whole = restored(base, &name, &text).await.expect("the whole loads");
        let known = found(&fingerprint, &whole);
        let origin = Origin { server, known, fingerprint, text };
        // What gets through in one database may be what it would be without, there: the other one decides.
        for feature in features {
            if !left.remove(&feature) && through.remove(&feature).is_none() {
                continue;
            }
            let Ok((Structure { text, .. }, _)) = snapshot.write(&mut looking, Some(feature)).await else {
                by_dump += 1;
                continue;
            };
            if text == origin.text {
                through.insert(feature, format!("`{}` changes nothing in `{database}`", feature.name()));
                continue;
            }
            match restored(base, &name, &text).await {
                Err(_) => by_load += 1,
                Ok(copy) if found(&origin.fingerprint, &copy).is_subset(&origin.known) => {
                    through.insert(feature, format!("`{}` can be forgotten in `{database}`", feature.name()));
                }
                Ok(_) => by_verification += 1,
            }
        }
        looking.goodbye().await;
        drop(origin.server);
    }
    for (database, _) in &own {
        server(base, database).drop(Sessions::End).await.expect("it can be dropped");
    }
    eprintln!(
        "release {release}: {} of {} features tried: {by_dump} stop the dump, {by_load} the load, {by_verification} \
         the verification",
        Feature::ALL.len() - left.len(),
        Feature::ALL.len(),
    );
    assert!(through.is_empty(), "release {release}: {through:#?}");
    left
}
