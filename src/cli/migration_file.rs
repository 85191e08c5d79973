//! New migrations: their names and versions, in the style of those beside them. Pure: it sees names and a time.

use dbsetup::ledger::LedgerKind;
use dbsetup::{Error, Kind, Result};
use jiff::Timestamp;

/// What stands in a directory of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub file_name: String,
    /// Whether it is a directory with an `up.sql` in it.
    pub is_directory: bool,
    /// Whether it has dbmate's sections.
    pub sections: bool,
}

/// The files that a migration consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `V_name.up.sql` and `V_name.down.sql`.
    Pair,
    /// `V_name.sql`.
    Simple,
    /// `V_name/up.sql`, and `down.sql` where there is a way back.
    Diesel { down: bool },
    /// `V1__name.sql`.
    Refinery,
    /// `V_name.sql` with sections.
    Dbmate,
}

/// Where versions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// The time, in UTC: `20261122101500`.
    Timestamp,
    /// The time as diesel writes it: `2026-11-22-101500`.
    DashedTimestamp,
    /// The next number, filled up with zeros to a width.
    Sequence { width: usize },
}

/// What the migrations of a directory look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Their files.
    pub shape: Shape,
    /// Their versions.
    pub numbering: Numbering,
}

impl Entry {
    /// Takes the name apart: shape, version as written, name.
    fn parts(&self) -> Option<(Shape, &str, &str)> {
        let name = self.file_name.as_str();
        if self.is_directory {
            let (version, name) = name.split_once('_')?;
            let digits = version.chars().all(|c| c.is_ascii_digit() || c == '-');
            return digits.then_some((Shape::Diesel { down: true }, version, name));
        }
        let stem = name.strip_suffix(".sql")?;
        if let Some((version, name)) = stem.strip_prefix(['V', 'U']).and_then(|rest| rest.split_once("__")) {
            return is_number(version).then_some((Shape::Refinery, version, name));
        }
        let (shape, stem) = match (stem.strip_suffix(".up").or(stem.strip_suffix(".down")), self.sections) {
            (Some(stem), _) => (Shape::Pair, stem),
            (None, true) => (Shape::Dbmate, stem),
            (None, false) => (Shape::Simple, stem),
        };
        let (version, name) = stem.split_once('_')?;
        is_number(version).then_some((shape, version, name))
    }

    /// The version as it is written.
    pub fn version(&self) -> Option<String> {
        self.parts().map(|(_, version, _)| version.to_owned())
    }

    /// The name behind the version.
    pub fn migration_name(&self) -> Option<&str> {
        self.parts().map(|(.., name)| name)
    }
}

impl Style {
    /// Returns the style of the newest migration; `None` where there is none.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let parts = entries.iter().filter_map(Entry::parts);
        let (shape, version, _) = parts.max_by_key(|(_, version, _)| number(version))?;
        let numbering = if is_stamp(version) {
            if version.contains('-') { Numbering::DashedTimestamp } else { Numbering::Timestamp }
        } else {
            Numbering::Sequence { width: version.len() }
        };
        Some(Self { shape, numbering })
    }

    /// Returns the style that goes with a ledger, for the first migration of all.
    pub fn of_ledger(kind: Option<LedgerKind>) -> Self {
        let (shape, numbering) = match kind {
            Some(LedgerKind::Diesel) => (Shape::Diesel { down: true }, Numbering::DashedTimestamp),
            Some(LedgerKind::Refinery) => (Shape::Refinery, Numbering::Sequence { width: 1 }),
            Some(LedgerKind::Dbmate) => (Shape::Dbmate, Numbering::Timestamp),
            Some(LedgerKind::Dbsetup | LedgerKind::Sqlx) | None => (Shape::Pair, Numbering::Timestamp),
        };
        Self { shape, numbering }
    }
}

impl Shape {
    /// What marks dbmate's files.
    pub const DBMATE_MARK: &'static str = "-- migrate:up";

    /// Returns the shape of the same kind with or without a way back.
    ///
    /// # Errors
    /// [`Kind::Configuration`] where the files of a directory leave no choice.
    pub fn with_down_side(self, down: bool) -> Result<Self> {
        match self {
            Self::Pair | Self::Simple => Ok(if down { Self::Pair } else { Self::Simple }),
            Self::Diesel { .. } => Ok(Self::Diesel { down }),
            Self::Dbmate if down => Ok(self),
            Self::Refinery if !down => Ok(self),
            Self::Dbmate | Self::Refinery => {
                let flag = if down { "--pair" } else { "--simple" };
                let message = format!("`{flag}` does not go with the migrations that are there");
                Err(Error::new(Kind::Configuration, message).help(format!("leave `{flag}` away")))
            }
        }
    }

    /// Returns file names, relative to the directory, and their content.
    pub fn files(self, version: &str, name: &str) -> Vec<(String, String)> {
        let filled = |template: &str| template.replace("{name}", name);
        let file = |file: String, template: &str| (file, filled(template));
        match self {
            Self::Pair => vec![
                file(format!("{version}_{name}.up.sql"), include_str!("../../templates/migration/up.sql")),
                file(
                    format!("{version}_{name}.down.sql"),
                    include_str!("../../templates/migration/down.sql"),
                ),
            ],
            Self::Simple => {
                vec![file(
                    format!("{version}_{name}.sql"),
                    include_str!("../../templates/migration/simple.sql"),
                )]
            }
            Self::Diesel { down } => {
                let up = include_str!("../../templates/migration/diesel/up.sql");
                let mut files = vec![file(format!("{version}_{name}/up.sql"), up)];
                if down {
                    let down = include_str!("../../templates/migration/diesel/down.sql");
                    files.push(file(format!("{version}_{name}/down.sql"), down));
                }
                files
            }
            Self::Refinery => {
                let template = include_str!("../../templates/migration/refinery.sql");
                vec![file(format!("V{version}__{name}.sql"), template)]
            }
            Self::Dbmate => {
                vec![file(
                    format!("{version}_{name}.sql"),
                    include_str!("../../templates/migration/dbmate.sql"),
                )]
            }
        }
    }
}

impl Numbering {
    /// Returns a sequence: that of the newest number among `versions`, where there is one. `None` where there are times
    /// alone.
    pub fn or_sequence(self, versions: &[String]) -> Option<Self> {
        let numbers = versions.iter().filter(|version| !is_stamp(version));
        let newest = numbers.max_by_key(|version| number(version)).map(String::len);
        match (self, newest) {
            (Self::Sequence { .. }, _) => Some(self),
            (_, Some(width)) => Some(Self::Sequence { width }),
            (_, None) => versions.is_empty().then_some(Self::Sequence { width: 4 }),
        }
    }

    /// Returns the version of a new migration: never one that is `taken`, and for times never an older one than the
    /// second allows.
    pub fn next(self, now: Timestamp, taken: &[String], _: Shape) -> String {
        if let Self::Sequence { width } = self {
            // A time among numbers is not the last number.
            let last =
                taken.iter().filter(|version| !is_stamp(version)).filter_map(|version| number(version)).max();
            return format!("{:0width$}", last.map_or(1, |last| last + 1));
        }
        let format = if self == Self::DashedTimestamp { "%Y-%m-%d-%H%M%S" } else { "%Y%m%d%H%M%S" };
        let seconds = now.as_second();
        let times = (0..).map_while(|later| Timestamp::from_second(seconds + later).ok());
        let mut versions = times.map(|time| time.strftime(format).to_string());
        let is_free = |version: &String| !taken.iter().any(|other| number(other) == number(version));
        versions.find(is_free).unwrap_or_else(|| seconds.to_string())
    }
}

/// Returns the name as it stands in a file name: lower case with underscores.
///
/// # Errors
/// [`Kind::Configuration`] when other characters than letters, digits and underscores are left.
pub fn normalize(name: &str) -> Result<String> {
    let mut out = String::new();
    let mut before: Option<char> = None;
    for c in name.trim().chars() {
        let begins_word =
            c.is_ascii_uppercase() && before.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let c_or_gap = if c == ' ' || c == '-' { '_' } else { c.to_ascii_lowercase() };
        if begins_word {
            out.push('_');
        }
        if c_or_gap != '_' || !out.ends_with('_') {
            out.push(c_or_gap);
        }
        before = Some(c);
    }
    let out = out.trim_matches('_').to_owned();
    if out.is_empty() || !out.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("`{}` cannot be the name of a migration", name.escape_debug());
        return Err(Error::new(Kind::Configuration, message).help("use letters, digits and `_`"));
    }
    Ok(out)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn number(version: &str) -> Option<u128> {
    version.replace('-', "").parse().ok()
}

/// Whether a version is a time: fourteen digits.
fn is_stamp(version: &str) -> bool {
    version.chars().filter(char::is_ascii_digit).count() == 14
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> Vec<Entry> {
        let entry = |name: &&str| Entry {
            file_name: name.trim_end_matches('/').to_owned(),
            is_directory: name.ends_with('/'),
            sections: false,
        };
        names.iter().map(entry).collect()
    }

    fn next(names: &[&str]) -> Vec<String> {
        let entries = entries(names);
        let style = Style::of(&entries).unwrap_or_else(|| Style::of_ledger(None));
        let versions: Vec<String> = entries.iter().filter_map(Entry::version).collect();
        let now: Timestamp = "2026-11-22T10:15:00Z".parse().expect("it is a time");
        let version = style.numbering.next(now, &versions, style.shape);
        style.shape.files(&version, "add_users").into_iter().map(|(file, _)| file).collect()
    }

    #[test]
    fn the_newest_migration_shows_the_style() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&[], &["20261122101500_add_users.up.sql", "20261122101500_add_users.down.sql"]),
            (&["20200101000000_a.sql"], &["20261122101500_add_users.sql"]),
            (
                &["0001_a.sql", "0009_b.up.sql", "0009_b.down.sql"],
                &["0010_add_users.up.sql", "0010_add_users.down.sql"],
            ),
            (&["1_a.sql"], &["2_add_users.sql"]),
            (&["V9__a.sql"], &["V10__add_users.sql"]),
            (
                &["2020-01-01-000000_a/"],
                &["2026-11-22-101500_add_users/up.sql", "2026-11-22-101500_add_users/down.sql"],
            ),
            (
                &["00000000000000_diesel_initial_setup/"],
                &["20261122101500_add_users/up.sql", "20261122101500_add_users/down.sql"],
            ),
            (
                &["README.md", "notes.sql"],
                &["20261122101500_add_users.up.sql", "20261122101500_add_users.down.sql"],
            ),
        ];
        for (there, made) in cases {
            assert_eq!(next(there), made, "{there:?}");
        }
    }

    #[test]
    fn two_in_one_second_get_two_versions() {
        assert_eq!(next(&["20261122101500_a.sql", "20261122101501_b.sql"]), ["20261122101502_add_users.sql"]);
    }

    #[test]
    fn names_become_words_with_underscores() {
        for (given, name) in [
            ("AddUsers", "add_users"),
            ("add-users", "add_users"),
            (" add  users ", "add_users"),
            ("v2Api", "v2_api"),
        ] {
            assert_eq!(normalize(given).expect("it is a name"), name);
        }
        for wrong in ["", "_", "../x", "a/b", "größe", "a.b", "a\u{1b}"] {
            assert!(normalize(wrong).is_err(), "{wrong:?}");
        }
    }
}
