//! Looks for whatever keeps a database from being migrated, or should be known before it is. Writes nothing, takes no
//! lock, and goes on where something is wrong. Each finding says what to do, as a command to paste where there is one.

use crate::driver::{About, Target, Vitals};
use crate::error::Error;
use crate::migration::{self, State, Status, Verdict};
use crate::record::Belongs;
use crate::repo::{Lane, Repo};
use crate::session::Session;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Ok,
    /// To be known; work goes on.
    Warn,
    /// In the way.
    Bad,
}

impl Health {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two: `server`, `environment`.
    pub about: &'static str,
    /// How grave it is.
    pub health: Health,
    /// What was found: a fragment.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What was found in one repo, in the order in which it was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings are that grave.
    pub fn count(&self, health: Health) -> usize {
        self.findings.iter().filter(|finding| finding.health == health).count()
    }

    /// Whether something is in the way.
    pub fn is_bad(&self) -> bool {
        self.count(Health::Bad) > 0
    }

    fn add(&mut self, about: &'static str, health: Health, text: impl Into<String>, help: Option<String>) {
        self.findings.push(Finding { about, health, text: text.into(), help });
    }

    fn failed(&mut self, about: &'static str, error: &Error) {
        let notes: Vec<&str> = error.notes().iter().map(String::as_str).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        let help = error.help_text().map(str::to_owned);
        self.add(about, Health::Bad, format!("{}{notes}", error.message()), help);
    }
}

/// Examines the database of a session. What cannot be asked is a finding, never an error.
pub async fn examine(session: &mut Session<'_>) -> Report {
    let mut report = Report::default();
    let repo = session.repo();
    let target = session.server().target().clone();
    if let Err(error) = session.server().ping().await {
        let error = Error::from(error);
        report.failed("server", &error);
        if let Some(last) = report.findings.last_mut() {
            let address = target.address.as_ref().map(|address| format!(" ({address})")).unwrap_or_default();
            last.text = format!("{}{address}: {}", target.shown, last.text);
        }
        if error.help_text().is_none()
            && let Some(last) = report.findings.last_mut()
        {
            last.help = Some(format!(
                "is the server running, and is the URL right? wait for it: {}",
                repo.command("wait")
            ));
        }
        return report;
    }
    report.add("server", Health::Ok, format!("{} answers", target.shown), None);
    match session.inspect_if_exists().await {
        Ok(Some(_)) => {}
        Ok(None) => {
            let text = format!("{} does not exist", target.database);
            report.add("database", Health::Bad, text, Some(format!("create it: {}", repo.command("create"))));
            return report;
        }
        Err(error) => {
            report.failed("database", &error);
            return report;
        }
    }
    // The connection is there: it has just been used.
    let asked = match session.driver().await {
        Ok(driver) => {
            let about = driver.about().clone();
            driver.vitals().await.map(|vitals| (about, vitals)).map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    match asked {
        Ok((about, vitals)) => report.findings.extend(of_server(repo, &target, &about, &vitals)),
        Err(error) => report.failed("session", &error),
    }
    match migration::status(session).await {
        Ok(status) => report.findings.extend(of_status(repo, &status)),
        Err(error) => report.failed("migrations", &error),
    }
    report
}

/// What follows from what the server says.
fn of_server(repo: &Repo, target: &Target, about: &About, vitals: &Vitals) -> Vec<Finding> {
    let mut report = Report::default();
    report.add("database", Health::Ok, format!("{} on {}", about.database, about.version), None);
    match &about.capabilities.pooled {
        Some(why) => report.add(
            "pooler",
            Health::Warn,
            format!("{why}: files that need a session of their own will be refused"),
            Some(repo.past_pooler()),
        ),
        None if vitals.role.is_some() => {
            report.add("pooler", Health::Ok, "the session is one of the server's own", None);
        }
        None => {}
    }
    if let Some(encrypted) = vitals.encrypted.filter(|_| !target.local) {
        let demand = "demand it in the URL: `sslmode=verify-full`; the application's URL should say the same";
        match (encrypted, target.plain_text_over_network) {
            (false, _) => report.add(
                "tls",
                Health::Bad,
                "the connection crosses the network in plain text",
                Some(demand.to_owned()),
            ),
            (true, true) => report.add(
                "tls",
                Health::Warn,
                "the connection is encrypted, but a server without TLS would be talked to as well",
                Some(demand.to_owned()),
            ),
            (true, false) => report.add("tls", Health::Ok, "the connection is encrypted", None),
        }
    }
    if let Some(role) = &vitals.role {
        let schema = about.schema.as_deref().unwrap_or("public");
        match vitals.may_create_objects {
            Some(true) => {
                report.add("rights", Health::Ok, format!("{role} may make objects in {schema}"), None);
            }
            Some(false) => report.add(
                "rights",
                Health::Bad,
                format!("{role} may not make objects in {schema}"),
                vitals.grant.as_ref().map(|grant| format!("as the owner of the schema: `{grant}`")),
            ),
            None => report.add(
                "rights",
                Health::Bad,
                "no schema of the search path exists: there is nowhere to make objects",
                Some("create the schema, or correct `schemas`".to_owned()),
            ),
        }
    }
    if let Some(may) = vitals.may_create_databases {
        let text = if may {
            "databases can be created"
        } else {
            "databases cannot be created, which only `create` needs"
        };
        report.add("createdb", Health::Ok, text, None);
    }
    for index in &vitals.broken_indexes {
        let text = format!("{} is not valid: building it failed or was interrupted", index.name);
        report.add("index", Health::Bad, text, Some(format!("`{}`", index.remedy)));
    }
    report.findings
}

/// What follows from files and ledger.
fn of_status(repo: &Repo, status: &Status) -> Vec<Finding> {
    let mut report = Report::default();
    match &status.environment {
        None => report.add("environment", Health::Ok, "none is recorded yet", None),
        Some(recorded) if *recorded == repo.environment => {
            report.add("environment", Health::Ok, format!("recorded as {recorded}"), None);
        }
        Some(recorded) => report.add(
            "environment",
            Health::Bad,
            format!("the database belongs to {recorded}, and this run is for {}", repo.environment),
            Some(format!(
                "check the URL; if it is right: {}",
                repo.command(&format!("resolve --environment {}", repo.environment))
            )),
        ),
    }
    match &status.belongs {
        Belongs::Unrecorded => report.add("repo", Health::Ok, "none is recorded yet", None),
        Belongs::Ours => report.add("repo", Health::Ok, format!("recorded as {}", repo.name), None),
        Belongs::Renamed(before) => report.add(
            "repo",
            Health::Ok,
            format!("recorded as {before}, which this repo was called; the next migrate records its name"),
            None,
        ),
        Belongs::Other(other) => report.add(
            "repo",
            Health::Bad,
            format!("the database belongs to the repo {other}, and this run is for {}", repo.name),
            Some(format!(
                "check the URL; if {other} is what {} was called: {}",
                repo.name,
                repo.command(&format!("resolve --environment {}", repo.environment))
            )),
        ),
    }
    for (lane, holder) in &status.locks {
        report.add("lock", Health::Warn, format!("the {lane} lane is locked by {holder}"), None);
    }
    if status.half_loaded {
        let help = format!("load it again: {}", repo.command("load"));
        report.add("structure", Health::Bad, "loading it was interrupted", Some(help));
    }
    match &status.floor.verdict {
        Verdict::Reached => {}
        Verdict::Behind(lacking) => report.add(
            "floor",
            Health::Warn,
            format!("{} squashed migrations are run first, from the archive", lacking.len()),
            None,
        ),
        Verdict::Below { gone, through, .. } => {
            let releases: Vec<&str> = through.iter().map(|(release, _)| release.as_str()).collect();
            report.add(
                "floor",
                Health::Bad,
                format!("{} migrations that the database lacks are not in {}", gone.len(), repo.place()),
                Some(format!("pass through {}", releases.join(", then "))),
            );
        }
    }
    let before = report.findings.len();
    of_migrations(repo, status, &mut report);
    if report.findings.len() == before {
        report.add("migrations", Health::Ok, format!("{} applied, none pending", status.rows.len()), None);
    }
    report.findings
}

fn of_migrations(repo: &Repo, status: &Status, report: &mut Report) {
    let versions = |is: &dyn Fn(&migration::StatusRow) -> bool| -> Vec<&str> {
        status.rows.iter().filter(|row| is(row)).map(|row| row.version.as_str()).collect()
    };
    let changed = versions(&|row| matches!(row.state, State::Changed { .. }));
    if let Some(first) = changed.first() {
        report.add(
            "migrations",
            Health::Bad,
            format!("{} changed after being applied: {}", are(changed.len()), listed(&changed)),
            Some(format!(
                "restore the file; or accept it as it is: {}",
                repo.command(&format!("resolve {first} --accept-checksum"))
            )),
        );
    }
    let failed = versions(&|row| matches!(row.state, State::Failed));
    if let Some(first) = failed.first() {
        report.add(
            "migrations",
            Health::Bad,
            format!("{} recorded as failed: {}", are(failed.len()), listed(&failed)),
            Some(format!(
                "look at the database, then {} or {}",
                repo.command(&format!("resolve {first} --applied")),
                repo.command(&format!("resolve {first} --not-applied"))
            )),
        );
    }
    // Whoever holds the lock of its lane may be running it at this moment.
    let holder = |row: &migration::StatusRow| {
        let of_row = |(lane, _): &&(Lane, String)| row.lane.is_none_or(|own| own == *lane);
        status.locks.iter().find(of_row).map(|(_, holder)| holder)
    };
    for (lane, holder) in &status.locks {
        let running = versions(&|row| {
            matches!(row.state, State::Interrupted { .. }) && row.lane.is_none_or(|own| own == *lane)
        });
        if !running.is_empty() {
            report.add(
                "migrations",
                Health::Warn,
                format!(
                    "{} running now: {}; its lock is held by {holder}",
                    are(running.len()),
                    listed(&running)
                ),
                Some(format!("let it finish; how far it is: {}", repo.command("status"))),
            );
        }
    }
    let interrupted = |wanted: bool| {
        move |row: &migration::StatusRow| {
            holder(row).is_none()
                && matches!(row.state, State::Interrupted { reverting, .. } if reverting == wanted)
        }
    };
    for (reverting, word) in [(false, "migrate --lane all"), (true, "rollback")] {
        let found = versions(&interrupted(reverting));
        if !found.is_empty() {
            report.add(
                "migrations",
                Health::Bad,
                format!("{} interrupted half way: {}", are(found.len()), listed(&found)),
                Some(format!("go on: {}", repo.command(word))),
            );
        }
    }
    let pending = |lane: Lane| {
        move |row: &migration::StatusRow| {
            row.lane == Some(lane) && matches!(row.state, State::Pending | State::BelowFloor)
        }
    };
    let manual = if repo.program.words.is_some() { "migrate_manual" } else { "migrate --lane manual" };
    for (lane, word) in [(Lane::Automatic, "migrate"), (Lane::Manual, manual)] {
        let found = versions(&pending(lane));
        if !found.is_empty() {
            report.add(
                "migrations",
                Health::Warn,
                format!("{} pending in the {lane} lane: {}", are(found.len()), listed(&found)),
                Some(format!("run {}", repo.command(word))),
            );
        }
    }
    let blocked = versions(&|row| matches!(row.state, State::Blocked { .. }));
    if !blocked.is_empty() {
        let text = format!("{} waiting for another one: {}", are(blocked.len()), listed(&blocked));
        report.add("migrations", Health::Warn, text, Some(format!("see {}", repo.command("status"))));
    }
    let ahead = versions(&|row| {
        matches!(row.state, State::FileMissing { archived: false }) && row.applied_at.is_some()
    });
    if !ahead.is_empty() {
        report.add(
            "migrations",
            Health::Warn,
            format!("{} applied without a file in {}: {}", are(ahead.len()), repo.place(), listed(&ahead)),
            Some("the database is ahead: a newer release has migrated it, or another branch".to_owned()),
        );
    }
}

fn are(number: usize) -> String {
    if number == 1 { "1 is".to_owned() } else { format!("{number} are") }
}

/// The first few of many.
fn listed(versions: &[&str]) -> String {
    const SHOWN: usize = 5;
    let mut text = versions.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if versions.len() > SHOWN {
        text += &format!(" and {} more", versions.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests;
