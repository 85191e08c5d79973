//! File names: which grammar a directory speaks, and what each of its entries is. Pure: it sees names, not files.

use super::Version;

/// The rules by which a directory's files are migrations. One directory speaks one grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grammar {
    /// `V_name.sql`, `V_name.up.sql` with `V_name.down.sql`: ours and sqlx's.
    Plain,
    /// Directories `V_name/` that hold `up.sql`, `down.sql`, `metadata.toml`.
    Diesel,
    /// `V1__name.sql`, `U1__name.sql`.
    Refinery,
    /// `1_name.sql` with `-- migrate:up` and `-- migrate:down` sections.
    Dbmate,
}

impl Grammar {
    /// What it looks like, for messages.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Plain => "`V_name.sql` or `V_name.up.sql`",
            Self::Diesel => "directories with `up.sql`",
            Self::Refinery => "`V1__name.sql`",
            Self::Dbmate => "sections `-- migrate:up` and `-- migrate:down`",
        }
    }

    /// Whether its versions are numbers. diesel's are texts that sort by their bytes.
    pub fn is_numeric(self) -> bool {
        self != Self::Diesel
    }
}

/// Which side of a migration a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The up side.
    Up,
    /// The down side.
    Down,
}

/// What the name of a directory entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A migration file of the plain grammar, or of dbmate's: only the content tells.
    Plain { version: Version, name: String, side: Side },
    /// A migration file of refinery's grammar. `unordered` is its `U` prefix.
    Refinery { version: Version, name: String, unordered: bool },
    /// A Rust migration of refinery.
    RefineryRust,
    /// Not a migration, and nobody would think so: hidden files, texts, programs.
    Other,
    /// An editor's leftover of a migration.
    Leftover,
    /// A `.sql` file that no grammar knows: it would never run, so it is an error, and why.
    Unknown(&'static str),
}

/// Reads the name of a plain file.
pub fn read_file_name(file: &str) -> Named {
    if file.starts_with('.') {
        return Named::Other;
    }
    if ["~", ".orig", ".bak", ".rej", ".swp", ".tmp"].iter().any(|end| file.ends_with(end))
        || file.starts_with('#')
    {
        let inner = file.trim_end_matches('~');
        return if inner.contains(".sql") { Named::Leftover } else { Named::Other };
    }
    if let Some(named) = read_refinery(file) {
        return named;
    }
    let Some(stem) = file.strip_suffix(".sql") else {
        return match file.to_ascii_lowercase().ends_with(".sql") {
            true => Named::Unknown("its ending is not `.sql` in lower case"),
            false => Named::Other,
        };
    };
    let (stem, side) = match stem.strip_suffix(".down") {
        Some(stem) => (stem, Side::Down),
        None => (stem.strip_suffix(".up").unwrap_or(stem), Side::Up),
    };
    let sign = usize::from(stem.starts_with(['+', '-']));
    let digits = stem[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Named::Unknown("the name does not begin with a version");
    }
    let (version, rest) = stem.split_at(sign + digits);
    let Some(version) = Version::numeric(version) else {
        return Named::Unknown("a version has at most 18 digits");
    };
    Named::Plain { version, name: rest.strip_prefix('_').unwrap_or(rest).to_owned(), side }
}

/// Reads refinery's names: `V` or `U`, a number, two underscores, a name of word characters.
fn read_refinery(file: &str) -> Option<Named> {
    let (stem, rust) = match file.strip_suffix(".sql") {
        Some(stem) => (stem, false),
        None => (file.strip_suffix(".rs")?, true),
    };
    let unordered = stem.starts_with('U');
    let (version, name) = stem.strip_prefix(['V', 'U'])?.split_once("__")?;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    if !version.bytes().all(|b| b.is_ascii_digit()) {
        return version
            .starts_with(|c: char| c.is_ascii_digit())
            .then_some(Named::Unknown("refinery's versions are whole numbers"));
    }
    if rust {
        return Some(Named::RefineryRust);
    }
    Some(match Version::numeric(version) {
        Some(version) => Named::Refinery { version, name: name.to_owned(), unordered },
        None => Named::Unknown("a version has at most 18 digits"),
    })
}

/// Reads the name of a directory that holds an `up.sql`: the version is the text before the first `_` without dashes,
/// as diesel reads it.
pub fn read_directory_name(directory: &str) -> Option<(Version, String)> {
    let (version, name) = directory.split_once('_').unwrap_or((directory, ""));
    let version = version.replace('-', "");
    (!version.is_empty()).then(|| (Version::textual(version), name.to_owned()))
}

/// Returns the version that the path of an up side names, in whatever grammar: the text of it, as ledgers write it.
pub fn version_in_path(path: &std::path::Path) -> Option<String> {
    let file = path.file_name()?.to_string_lossy();
    let version = if file == "up.sql" {
        read_directory_name(&path.parent()?.file_name()?.to_string_lossy())?.0
    } else {
        match read_file_name(&file) {
            Named::Plain { version, side: Side::Up, .. } | Named::Refinery { version, .. } => version,
            _ => return None,
        }
    };
    Some(version.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_version_in_every_grammar() {
        let version = |path: &str| version_in_path(std::path::Path::new(path));
        assert_eq!(version("a/migrations/007_x.up.sql").as_deref(), Some("007"));
        assert_eq!(version("a/2026-01-01-000000_x/up.sql").as_deref(), Some("20260101000000"));
        assert_eq!(version("V3__x.sql").as_deref(), Some("3"));
        assert_eq!(
            (version("007_x.down.sql"), version("a/x/down.sql"), version("README.md")),
            (None, None, None)
        );
    }

    fn plain(file: &str) -> (String, String, Side) {
        match read_file_name(file) {
            Named::Plain { version, name, side } => (version.as_str().to_owned(), name, side),
            other => panic!("{file}: {other:?}"),
        }
    }

    #[test]
    fn plain_names_have_a_version_a_name_and_a_side() {
        assert_eq!(plain("20260101_add_users.sql"), ("20260101".into(), "add_users".into(), Side::Up));
        assert_eq!(plain("0007_x.up.sql"), ("0007".into(), "x".into(), Side::Up));
        assert_eq!(plain("0007_x.down.sql"), ("0007".into(), "x".into(), Side::Down));
        assert_eq!(plain("20260101-add.sql"), ("20260101".into(), "-add".into(), Side::Up));
    }

    #[test]
    fn sql_files_without_a_version_are_not_passed_over_in_silence() {
        assert!(matches!(read_file_name("add_users.sql"), Named::Unknown(_)));
        assert!(matches!(read_file_name("42_b.SQL"), Named::Unknown(_)));
        assert!(matches!(read_file_name("1234567890123456789_x.sql"), Named::Unknown(_)));
        assert!(matches!(read_file_name("V1.2__x.sql"), Named::Unknown(_)));
    }

    #[test]
    fn leftovers_and_other_files_are_no_migrations() {
        assert_eq!(read_file_name("1_a.sql~"), Named::Leftover);
        assert_eq!(read_file_name("1_a.sql.orig"), Named::Leftover);
        assert_eq!(read_file_name(".gitkeep"), Named::Other);
        assert_eq!(read_file_name("README.md"), Named::Other);
    }

    #[test]
    fn refinery_names_begin_with_v_or_u() {
        assert!(matches!(read_file_name("V1__init.sql"), Named::Refinery { unordered: false, .. }));
        assert!(matches!(read_file_name("U2__more.sql"), Named::Refinery { unordered: true, .. }));
        assert_eq!(read_file_name("V1__init.rs"), Named::RefineryRust);
    }

    #[test]
    fn diesel_versions_lose_their_dashes() {
        let (version, name) = read_directory_name("2026-11-22-031222-0000_create_users").unwrap();
        assert_eq!((version.as_str(), name.as_str()), ("202611220312220000", "create_users"));
    }
}
