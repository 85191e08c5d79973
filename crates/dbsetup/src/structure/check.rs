//! Whether the structure file says what the database is.

use super::dump::Dump;
use super::verify::compare_text;
use super::wording;
use crate::error::{Kind, Result};
use crate::session::Session;

/// How many statements a message names.
const SHOWN: usize = 5;
/// How many differences between catalogs are shown.
const DIFFERENCES: usize = 5;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The file is what would be written, or another release of the server has worded the same.
    Current,
    /// It is not, and what is known besides.
    Stale(Vec<String>),
}

/// Compares the file with what was read. Where all that differs is what another release of the server may have worded
/// differently, a scratch database is made of the file, and the catalogs decide; where none can be made, the words do.
///
/// # Errors
/// Those of the database and its server; that a file does not load, or a scratch database cannot be had, is none.
pub async fn check(session: &mut Session<'_>, dump: &Dump) -> Result<Verdict> {
    if dump.is_current() {
        return Ok(Verdict::Current);
    }
    let Some(present) = &dump.present else { return Ok(Verdict::Stale(Vec::new())) };
    if !session.driver().await?.about().capabilities.words_definitions {
        return Ok(Verdict::Stale(Vec::new()));
    }
    let Some(differing) = wording::differences(session.server().dialect(), present, &dump.text) else {
        return Ok(Verdict::Stale(Vec::new()));
    };
    let found = match compare_text(session, present, &dump.shown, &dump.request, false).await {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), Kind::Unreachable | Kind::Locked) => return Err(error),
        Err(error) => {
            let why = error.message().trim_start_matches("not verified: ");
            return Ok(Verdict::Stale(vec![format!("the catalogs were not compared: {why}")]));
        }
    };
    // What this role may not read has no text that differs: all that does is readable by everyone.
    if found.differences.is_empty() {
        session.teller().warn(
            format!(
                "`{}` words {} as another release of the server does; the catalogs are the same",
                dump.shown.display(),
                listed(&differing)
            ),
            None,
        );
        return Ok(Verdict::Current);
    }
    let mut notes = vec!["the catalogs of a copy that was made of the file differ, too".to_owned()];
    notes.extend(found.differences.iter().take(DIFFERENCES).map(ToString::to_string));
    if let more @ 1.. = found.differences.len().saturating_sub(DIFFERENCES) {
        notes.push(format!("and {more} more"));
    }
    Ok(Verdict::Stale(notes))
}

fn listed(statements: &[String]) -> String {
    let shown = statements.iter().take(SHOWN).map(|statement| format!("`{statement}`")).collect::<Vec<_>>();
    match statements.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
