//! What a template says of itself: the comment on its database, and the days in it. Pure.

use super::super::text::literal;
use crate::driver::TemplateNote;

/// What their comments begin with.
const COMMENT: &str = "dbsetup template";
/// What stands between the repo and whose files it is of.
const HOME: &str = ", home ";

/// Returns the comment of a template that was made and used on these days.
pub(super) fn comment(note: &TemplateNote, made: &str, used: &str) -> String {
    let repo: String = note.repo.chars().filter(|c| !c.is_control()).collect();
    let database =
        note.database.as_ref().map(|database| format!(" for {}", literal(database))).unwrap_or_default();
    let home = note.home.as_ref().map(|home| format!("{HOME}{home}")).unwrap_or_default();
    format!("{COMMENT}: made {made}, used {used}, {} migrations{database} of {repo}{home}", note.migrations)
}

/// What a comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    pub made: String,
    pub used: String,
    pub note: TemplateNote,
}

impl Comment {
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(COMMENT)?.strip_prefix(": made ")?;
        let (made, rest) = rest.split_once(", used ")?;
        let (used, rest) = rest.split_once(", ")?;
        let (migrations, rest) = rest.split_once(" migrations")?;
        let (database, repo) = match rest.strip_prefix(" of ") {
            Some(repo) => (None, repo),
            None => {
                let (database, repo) = rest.strip_prefix(" for '")?.split_once("' of ")?;
                (Some(database.replace("''", "'")), repo)
            }
        };
        let is_home = |home: &str| home.len() == 16 && home.bytes().all(|b| b.is_ascii_hexdigit());
        let (repo, home) = match repo.rsplit_once(HOME).filter(|(_, home)| is_home(home)) {
            Some((repo, home)) => (repo, Some(home.to_owned())),
            None => (repo, None),
        };
        let is_day = |text: &str| text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let migrations = migrations.parse().ok()?;
        let note = TemplateNote { repo: repo.to_owned(), database, home, migrations };
        (is_day(made) && is_day(used)).then(|| Self { made: made.to_owned(), used: used.to_owned(), note })
    }
}

/// Returns how many days a date `2026-11-22` is from the first of March of the year 0.
pub(super) fn days_of(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // The year begins with March, so that the day that comes and goes is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_read_as_it_was_written() {
        let note =
            TemplateNote { repo: "a, b migrations of c".into(), database: None, home: None, migrations: 285 };
        let text = comment(&note, "2026-01-02", "2026-11-22");
        assert_eq!(
            text,
            "dbsetup template: made 2026-01-02, used 2026-11-22, 285 migrations of a, b migrations of c"
        );
        for database in [None, Some("core_dev"), Some("o'dd' name")] {
            for home in [None, Some("0123456789abcdef".to_owned())] {
                let note = TemplateNote { database: database.map(str::to_owned), home, ..note.clone() };
                let read = Comment::parse(&comment(&note, "2026-01-02", "2026-11-22")).expect("it is one");
                assert_eq!(
                    (read.note, read.made.as_str(), read.used.as_str()),
                    (note, "2026-01-02", "2026-11-22")
                );
            }
        }
        for wrong in
            ["", "dbsetup template", "my own database", "dbsetup template: made x, used y, 1 migrations of z"]
        {
            assert_eq!(Comment::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_across_months_and_leap_years() {
        let between = |one: &str, other: &str| days_of(other).unwrap() - days_of(one).unwrap();
        assert_eq!(between("2024-02-28", "2024-03-01"), 2);
        assert_eq!(between("2026-02-28", "2026-03-01"), 1);
        assert_eq!(between("2025-12-31", "2026-01-01"), 1);
        assert_eq!(between("2000-01-01", "2026-11-22"), 9822);
        assert_eq!(days_of("today"), None);
    }
}
