//! The table of `status`.

use dbsetup::migration::{RowState, Status, StatusRow};

use super::json::Object;
use super::table::Table;
use super::text;

/// Returns the word for a state.
pub fn word(state: &RowState) -> String {
    match state {
        RowState::Applied => "applied".to_owned(),
        RowState::Pending => "pending".to_owned(),
        RowState::Changed => "changed".to_owned(),
        RowState::FileMissing => "file missing".to_owned(),
        RowState::Blocked { by } => format!("blocked by {by}"),
    }
}

/// Returns the table of one repo.
pub fn human(repo: &str, status: &Status) -> String {
    let mut out = format!("\nRepo: {}\n\n", text::line(repo));
    let mut table = Table::new(["Status", "Lane", "Version", "Name"]);
    for row in &status.rows {
        table.row([word(&row.state), lane(row).to_owned(), row.version.clone(), row.name.clone()]);
    }
    if table.is_empty() {
        out += "  no migrations\n";
    } else {
        out += &table.to_string();
    }
    if let Some(holder) = &status.lock_holder {
        out += &format!("\n  locked by {}\n", text::line(holder));
    }
    out
}

/// Returns the objects of one repo, a line each.
pub fn json(repo: &str, status: &Status) -> String {
    let mut out = String::new();
    for row in &status.rows {
        let (state, by) = match &row.state {
            RowState::Applied => ("applied", None),
            RowState::Pending => ("pending", None),
            RowState::Changed => ("changed", None),
            RowState::FileMissing => ("file_missing", None),
            RowState::Blocked { by } => ("blocked", Some(by.as_str())),
        };
        let object = Object::new("status").text("repo", repo).text("lane", lane(row));
        let object = object.text("version", &row.version).text("name", &row.name).text("state", state);
        out += &object.maybe("blocked_by", by).line();
    }
    if let Some(holder) = &status.lock_holder {
        out += &Object::new("lock").text("repo", repo).text("holder", holder).line();
    }
    out
}

/// Returns what stands in the way of "everything is applied": `2 pending, 1 changed`; `None` when nothing does.
pub fn open(status: &Status) -> Option<String> {
    let kinds = [
        ("pending", count(status, |state| *state == RowState::Pending)),
        ("changed", count(status, |state| *state == RowState::Changed)),
        ("without a file", count(status, |state| *state == RowState::FileMissing)),
        ("blocked", count(status, |state| matches!(state, RowState::Blocked { .. }))),
    ];
    let found: Vec<String> = kinds
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(kind, number)| format!("{number} {kind}"))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn count(status: &Status, is: impl Fn(&RowState) -> bool) -> usize {
    status.rows.iter().filter(|row| is(&row.state)).count()
}

fn lane(row: &StatusRow) -> &'static str {
    row.lane.map_or("", dbsetup::repo::Lane::as_str)
}
