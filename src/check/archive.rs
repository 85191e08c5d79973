//! Whether the squashed migrations still run, and make what the structure says.

use std::path::PathBuf;

use dbsetup::Result;
use dbsetup::migration::{FileSet, checksum};
use dbsetup::repo::Repo;
use dbsetup::session::Session;
use dbsetup::structure::convergence::replayed;
use dbsetup::structure::replay::Plan;
use dbsetup::structure::{code_by, compare, recorded_by};

use super::code::Code;
use super::finding::{Finding, Report};
use super::scratch::{Side, Wishes, fails, is_about, stays};
use super::{objects, rows};

/// What is checked.
const CHECK: &str = "archive";
/// How the replay is called.
const FULL: &str = "the replay with the archive";

/// Replays the archive and the lanes from nothing, and compares that with what was made of the structure.
///
/// # Errors
/// What keeps it from being tried.
pub async fn check(
    session: &mut Session<'_>,
    files: &FileSet,
    made: Option<&Side>,
    wishes: &Wishes<'_>,
    report: &mut Report,
) -> Result<()> {
    let repo = session.repo();
    let missing = missing(repo, files);
    let is_asked_for = wishes.archive;
    // Where nothing else was replayed beside the structure, the archive alone tells whether it was edited by hand.
    if !is_asked_for && !made.is_some_and(|made| made.stands_alone) {
        return Ok(());
    }
    if files.archived.is_empty() && missing.is_empty() {
        if is_asked_for {
            report.skip(CHECK, "there are no squashed migrations", None);
        }
        return Ok(());
    }
    if !missing.is_empty() {
        let why = format!(
            "it lacks {}, which the structure records: whether the structure is what they made is not proved",
            shortened(&missing)
        );
        report.skip(CHECK, why, Some("put their files back into the archive".to_owned()));
        return Ok(());
    }
    let Some(made) = made else {
        report.skip(CHECK, "there is no structure to compare it with", None);
        return Ok(());
    };
    let plan = Plan::from_nothing(files.clone()).without_code(&code_by(repo)?);
    if !is_asked_for && report.findings.iter().any(|finding| finding.code == Code::FloorChanged) {
        let why = "its files are not those that were squashed: the structure is not proved by them";
        report.skip(CHECK, why, Some("restore them; or replay them as they are: `--archive`".to_owned()));
        return Ok(());
    }
    let dialect = session.server().dialect();
    if !is_asked_for && !wishes.trusted && !plan.beyond(dialect).is_empty() {
        let why =
            "squashed migrations reach beyond the scratch database: the structure is not proved by them";
        report.skip(CHECK, why, Some("replay them all the same: `--archive --trust-file`".to_owned()));
        return Ok(());
    }
    if !stays(repo, dialect, &plan, wishes, report) {
        return Ok(());
    }
    let cached = place(repo, files, made, wishes);
    if wishes.cache && cached.is_file() {
        report.take(CHECK, []);
        report.remarks.push(format!(
            "{}: the archive was in order before, and nothing has changed since (`--no-cache` replays it again)",
            repo.name
        ));
        return Ok(());
    }
    let before = report.findings.len();
    let findings = match replayed(session, &plan, &made.request).await? {
        Ok(full) => {
            let differences = compare(&full.outcome.fingerprint, &made.made.outcome.fingerprint)?;
            rows::check(session, &plan, &made.request, (&made.made.content, full.content), report).await?;
            objects::findings(repo, Code::ArchiveDiffers, &differences, (FULL, made.name))
        }
        Err(failed) => {
            let is_rotten = files.archived.values().any(|file| is_about(&failed.error, &file.up.path));
            let Some(finding) = fails(failed, report) else { return Ok(()) };
            vec![Finding { code: if is_rotten { Code::ArchiveRotten } else { finding.code }, ..finding }]
        }
    };
    if findings.is_empty() && made.made.content.is_ok() && report.findings.len() == before {
        // Without it the next run takes longer: no reason to fail.
        let _ = cached.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(&cached, "in order\n");
    }
    report.take(CHECK, findings);
    Ok(())
}

/// Versions that the structure records and that are neither in a lane nor in the archive.
fn missing(repo: &Repo, files: &FileSet) -> Vec<String> {
    let mut recorded = recorded_by(repo).unwrap_or_default();
    let code = code_by(repo).unwrap_or_default();
    recorded.retain(|text| {
        !code.contains(text)
            && files.parse_version(text).is_none_or(|version| {
                files.find(&version).is_none() && !files.archived.contains_key(&version)
            })
    });
    recorded
}

/// The first five of a list.
fn shortened(versions: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = versions[..versions.len().min(SHOWN)].join(", ");
    if versions.len() > SHOWN { format!("{shown} and {} more", versions.len() - SHOWN) } else { shown }
}

/// Returns where the result is kept: its name says everything that it depends on, how databases are made and the versions
/// of extensions included.
fn place(repo: &Repo, files: &FileSet, made: &Side, wishes: &Wishes<'_>) -> PathBuf {
    let mut all = format!("{} {:?}\n", env!("CARGO_PKG_VERSION"), made.made.outcome.fingerprint.server);
    all += &format!("{:?} {:?} {:?} {:?}\n", repo.schemas, repo.role, repo.ledger, repo.layout_ledger);
    all += &format!("{:?} {:?}\n", made.request, repo.keep_data);
    all += &format!("{:?} {:?}\n", repo.create, made.made.outcome.fingerprint.facts);
    all += &std::fs::read_to_string(&repo.structure).unwrap_or_default();
    for migration in files.archived.values().chain(&files.migrations) {
        let (version, transactional) = (&migration.version, migration.up.transactional);
        all += &format!("\n-- {version} {} {transactional}\n{}", migration.lane, migration.up.file);
    }
    let sum = checksum::ours(&all);
    let digits: String = sum.trim_start_matches("sha256:").chars().take(16).collect();
    wishes.target.join("dbsetup").join(format!("check-{}-{digits}", repo.name))
}
