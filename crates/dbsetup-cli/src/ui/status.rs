//! The table of `status`.

use dbsetup::migration::{State, Status, StatusRow, Verdict};
use dbsetup::record::Belongs;
use dbsetup::repo::{Lane, Repo};

use super::json::Object;
use super::table::Table;
use super::text;

/// Returns the table of a repo.
pub fn of(repo: &Repo, status: &Status, everything: bool) -> String {
    human(repo.name.as_str(), &repo.environment, &repo.command("load --force"), status, everything)
}

/// Returns the words for a state; `running` is what is half done and worked on at this moment.
fn words(state: &State, running: bool) -> String {
    match state {
        State::Applied => "applied".to_owned(),
        State::LineEndings => "applied (other line endings)".to_owned(),
        State::Changed { .. } => "changed".to_owned(),
        State::FileMissing { archived: true } => "applied (squashed)".to_owned(),
        State::FileMissing { archived: false } => "file missing".to_owned(),
        State::Failed => "failed".to_owned(),
        State::Pending => "pending".to_owned(),
        State::Blocked { by } => format!("blocked by {by}"),
        State::BelowFloor => "below the floor".to_owned(),
        State::Interrupted { done, total, reverting } => {
            let word = match (running, *reverting) {
                (false, false) => "interrupted",
                (false, true) => "interrupted rolling back",
                (true, false) => "running",
                (true, true) => "rolling back",
            };
            format!("{word} {done}/{total}")
        }
    }
}

/// Whether whoever holds the lock of its lane is running it at this moment, for all that can be seen.
fn is_running(row: &StatusRow, locks: &[(Lane, String)]) -> bool {
    matches!(row.state, State::Interrupted { .. })
        && locks.iter().any(|(lane, _)| row.lane.is_none_or(|own| own == *lane))
}

/// Returns the words for a row: code says so, for there is no file to look for.
fn status_of(row: &StatusRow, locks: &[(Lane, String)]) -> String {
    let words = words(&row.state, is_running(row, locks));
    if row.is_code { format!("{words} (code)") } else { words }
}

/// Returns the name of a state in JSON.
fn key(state: &State) -> &'static str {
    match state {
        State::Applied | State::LineEndings => "applied",
        State::Changed { .. } => "changed",
        State::FileMissing { archived: true } => "squashed",
        State::FileMissing { archived: false } => "file_missing",
        State::Failed => "failed",
        State::Pending => "pending",
        State::Blocked { .. } => "blocked",
        State::BelowFloor => "below_floor",
        State::Interrupted { .. } => "interrupted",
    }
}

/// Returns the table of `repo` in the run's `environment`; `reload` is the command for what was loaded half way. Squashed migrations are counted rather than listed unless `everything` is wanted.
fn human(repo: &str, environment: &str, reload: &str, status: &Status, everything: bool) -> String {
    let mut out = format!("\nRepo: {}\n\n", text::line(repo));
    if !status.exists {
        out += "  the database does not exist\n\n";
    }
    if let Some(recorded) = status.environment.as_deref().filter(|recorded| *recorded != environment) {
        let recorded = text::line(recorded);
        out += &format!(
            "  the database belongs to the environment {recorded}, and this run is for {environment}\n\n"
        );
    }
    if let Belongs::Other(other) = &status.belongs {
        out += &format!("  the database belongs to the repo {}\n\n", text::line(other));
    }
    if status.half_loaded {
        out += &format!("  loading the structure was interrupted: reload it with {reload}\n\n");
    }
    out += &floor(&status.floor.verdict);
    if let Some((rows, version)) = &status.rewrite {
        out += &format!(
            "  the next migrate rewrites the ledger: {} into the baseline {}\n\n",
            text::count(*rows, "row"),
            text::line(version)
        );
    }
    let is_squashed = |row: &&StatusRow| matches!(row.state, State::FileMissing { archived: true });
    let mut table = Table::new(["Status", "Lane", "Version", "Name"]);
    for row in status.rows.iter().filter(|row| everything || !is_squashed(row)) {
        table.row([
            status_of(row, &status.locks),
            lane(row).to_owned(),
            row.version.clone(),
            row.name.clone(),
        ]);
    }
    let squashed = status.rows.iter().filter(is_squashed).count();
    if squashed > 0 && !everything {
        out += &format!("  {}, shown with -v\n\n", text::count(squashed, "squashed migration"));
    }
    if !table.is_empty() {
        out += &table.to_string();
    } else if squashed == 0 {
        out += "  no migrations\n";
    }
    for (lane, holder) in &status.locks {
        out += &format!("\n  the {lane} lane is locked by {}\n", text::line(holder));
    }
    out
}

/// Returns what a database lacks of what was squashed, as a paragraph; nothing where it lacks nothing.
fn floor(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Reached => String::new(),
        Verdict::Behind(lacking) => format!(
            "  behind the squash floor: {} from the archive first\n\n",
            match lacking.len() {
                1 => "1 migration runs".to_owned(),
                many => format!("{many} migrations run"),
            }
        ),
        Verdict::Below { gone, through, .. } => {
            let releases: Vec<_> = through.iter().map(|(release, _)| text::line(release)).collect();
            format!(
                "  below the squash floor: the files of {} are not in this checkout; pass through {}\n\n",
                text::count(gone.len(), "migration"),
                releases.join(", then ")
            )
        }
    }
}

/// Returns the objects of one repo, a line each.
pub fn json(repo: &str, status: &Status) -> String {
    let (ledger, format) = match &status.ledger {
        Some((table, kind)) => (Some(table.as_str()), Some(kind.as_str())),
        None => (None, None),
    };
    let object = Object::new("database").text("repo", repo).fact("exists", status.exists);
    let object = object.maybe("environment", status.environment.as_deref()).maybe("ledger", ledger);
    let object = object.maybe("ledger_kind", format).fact("half_loaded", status.half_loaded);
    let floor = match (&status.floor.verdict, status.floor.is_known) {
        (_, false) => None,
        (Verdict::Reached, true) => Some("reached"),
        (Verdict::Behind(_), true) => Some("behind"),
        (Verdict::Below { .. }, true) => Some("below"),
    };
    let belongs_to = match &status.belongs {
        Belongs::Unrecorded => None,
        Belongs::Ours => Some(repo),
        Belongs::Renamed(name) | Belongs::Other(name) => Some(name.as_str()),
    };
    let object = object.maybe("floor", floor).maybe("belongs_to", belongs_to);
    let object = match &status.rewrite {
        Some((rows, _)) => object.number("rewrite", *rows as u64),
        None => object.maybe("rewrite", None),
    };
    let mut out = object.line();
    for row in &status.rows {
        let by = match &row.state {
            State::Blocked { by } => Some(by.version.as_str()),
            _ => None,
        };
        let object = Object::new("status").text("repo", repo).maybe("lane", row.lane.map(Lane::as_str));
        let object =
            object.text("version", &row.version).text("name", &row.name).text("state", key(&row.state));
        let object = object.maybe("blocked_by", by).maybe("applied_at", row.applied_at.as_deref());
        let object = object.maybe("checksum", row.checksum.as_deref()).fact("code", row.is_code);
        out += &match &row.path {
            Some(path) => object.path(path),
            None => object.maybe("path", None),
        }
        .line();
    }
    for (lane, holder) in &status.locks {
        let object = Object::new("lock").text("repo", repo).text("lane", lane.as_str());
        out += &object.text("holder", holder).line();
    }
    out
}

/// Returns what stands in the way of "everything is applied": `2 pending, 1 changed`.
pub fn open(status: &Status) -> String {
    if !status.exists {
        return "the database does not exist".to_owned();
    }
    let mut found: Vec<(&str, usize)> = Vec::new();
    for row in &status.rows {
        let key = if is_running(row, &status.locks) { "running" } else { key(&row.state) };
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, number)) => *number += 1,
            None => found.push((key, 1)),
        }
    }
    let open = found.iter().filter(|(key, _)| !matches!(*key, "applied" | "squashed"));
    let open: Vec<String> = open.map(|(key, number)| format!("{number} {}", key.replace('_', " "))).collect();
    let half = status.half_loaded.then(|| "half loaded".to_owned());
    half.into_iter().chain(open).collect::<Vec<_>>().join(", ")
}

fn lane(row: &StatusRow) -> &'static str {
    row.lane.map_or("", Lane::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::migration::Standing;

    fn status(states: &[State]) -> Status {
        let row = |(at, state): (usize, &State)| StatusRow {
            version: at.to_string(),
            name: "a".into(),
            lane: Some(Lane::Automatic),
            state: state.clone(),
            is_code: false,
            applied_at: None,
            checksum: None,
            path: None,
        };
        let rows = states.iter().enumerate().map(row).collect();
        Status {
            rewrite: None,
            exists: true,
            ledger: None,
            environment: None,
            belongs: Default::default(),
            rows,
            locks: Vec::new(),
            half_loaded: false,
            floor: Standing::default(),
        }
    }

    #[test]
    fn what_is_not_applied_is_counted() {
        let states = [
            State::Applied,
            State::Pending,
            State::FileMissing { archived: true },
            State::Pending,
            State::Failed,
        ];
        assert_eq!(open(&status(&states)), "2 pending, 1 failed");
        assert_eq!(open(&Status { exists: false, ..status(&[]) }), "the database does not exist");
    }

    #[test]
    fn a_version_comes_with_its_file_where_there_is_one() {
        let mut status = status(&[State::Applied, State::FileMissing { archived: false }]);
        status.rows[0].path = Some("a/migrations/0_a.sql".into());
        let lines = json("core", &status);
        let paths: Vec<&str> =
            lines.lines().filter_map(|line| line.split_once("\"path\":")).map(|(_, p)| p).collect();
        assert_eq!(paths, ["\"a/migrations/0_a.sql\"}", "null}"]);
    }

    #[test]
    fn code_is_told_from_files() {
        let mut status = status(&[State::Applied, State::Pending]);
        status.rows.iter_mut().for_each(|row| row.is_code = true);
        let table = human("core", "dev", "`x load`", &status, false);
        assert!(table.contains("applied (code)") && table.contains("pending (code)"), "{table}");
        assert_eq!(open(&status), "1 pending");
        assert!(json("core", &status).contains("\"code\":true"));
    }

    #[test]
    fn what_is_half_done_under_a_lock_is_running() {
        let half = |reverting| State::Interrupted { done: 1, total: 2, reverting };
        let mut status = status(&[half(false), half(true)]);
        let shown = |status: &Status| human("core", "dev", "`load --force`", status, false);
        let table = shown(&status);
        assert!(
            table.contains("interrupted 1/2") && table.contains("interrupted rolling back 1/2"),
            "{table}"
        );
        status.locks = vec![(Lane::Manual, "pid 7".into())];
        assert!(shown(&status).contains("interrupted 1/2"), "another lane is at work");
        status.locks = vec![(Lane::Automatic, "pid 7".into())];
        let table = shown(&status);
        assert!(table.contains("running 1/2") && table.contains("rolling back 1/2"), "{table}");
        assert!(!table.contains("interrupted"), "{table}");
        assert_eq!(open(&status), "2 running");
        assert!(
            json("core", &status).contains("\"state\":\"interrupted\""),
            "with its lock in a line of its own"
        );
    }

    #[test]
    fn a_database_below_the_floor_is_told_the_way() {
        let mut status = status(&[State::BelowFloor]);
        let through = vec![("release v1".to_owned(), 1), ("release v2".to_owned(), 1)];
        status.floor.verdict = Verdict::Below { here: Vec::new(), gone: Vec::new(), through };
        let text = human("core", "dev", "`load --force`", &status, false);
        assert!(text.contains("pass through release v1, then release v2"), "{text}");
        assert_eq!(open(&status), "1 below floor");
    }

    #[test]
    fn squashed_migrations_are_counted_unless_all_are_wanted() {
        let status = status(&[State::FileMissing { archived: true }, State::Pending]);
        assert!(
            human("core", "dev", "`load --force`", &status, false)
                .contains("1 squashed migration, shown with -v")
        );
        let elsewhere = Status { environment: Some("prod".into()), ..status.clone() };
        assert!(
            human("core", "dev", "`load --force`", &elsewhere, false)
                .contains("environment prod, and this run is for dev")
        );
        let others = Status { belongs: Belongs::Other("billing".into()), ..status.clone() };
        assert!(
            human("core", "dev", "`load --force`", &others, false).contains("belongs to the repo billing")
        );
        assert!(json("core", &others).contains("\"belongs_to\":\"billing\""));
        assert!(human("core", "dev", "`load --force`", &status, true).contains("applied (squashed)"));
    }
}
