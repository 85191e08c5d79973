//! What `tracing` hears of the end of a start-up: one line each, whatever a database's sentence looks like.

use super::policy::{Chosen, VARIABLE};
use crate::error::Error;

/// A start-up that does nothing says so, and how it would.
pub(super) fn off(repo: &str, chosen: Chosen) {
    let why = match chosen {
        Chosen::InCode => "the application says so, with `Policy::Off`".to_owned(),
        Chosen::ByVariable => format!("`{VARIABLE}` says so"),
        Chosen::ByNobody => format!(
            "it was built with debug assertions, and nobody chose a policy: set `{VARIABLE}=migrate`, or call \
             `.policy(Policy::Migrate)`"
        ),
    };
    tracing::info!(repo, outcome = "off", why, "start-up is off: the database is not looked at");
}

/// A start-up failed. Notes and help are in the error, which whoever started it has; `continues` where the application
/// serves all the same.
pub(super) fn failed(repo: &str, error: &Error, migration: Option<&str>, continues: bool) {
    let at = error.site().map(|site| format!("{}:{}:{}", site.path.display(), site.at.line, site.at.column));
    let message = in_one_line(error.message());
    tracing::error!(
        repo,
        kind = ?error.kind(),
        migration,
        at,
        error = message,
        continues,
        "start-up failed"
    );
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
