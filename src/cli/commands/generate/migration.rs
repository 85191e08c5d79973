//! `gen migration`: a new file in the style of those beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use dbsetup::migration;
use dbsetup::repo::Repo;
use dbsetup::structure::floor::{Floor, FloorEntry};
use dbsetup::{Error, Kind, Result};

use super::{NewFile, make};
use crate::cli::commands::shared::Several;
use crate::cli::context::{Output, Selected, migrations_directory};
use crate::cli::migration_file::{self, Entry, Numbering, Shape, Style};
use crate::ui::text;

/// Make a new, empty migration.
///
/// It looks like the migrations beside it: one file or two, a time or a number.
#[derive(Debug, Clone, Args)]
pub struct Migration {
    /// What it does: `add_users`, `AddUsers` or "add users".
    #[arg(value_name = "NAME")]
    name: String,

    /// Which lane it is for.
    #[arg(long, value_enum, default_value = "automatic", conflicts_with = "migrations_path")]
    lane: OneLane,

    /// Make it in this directory, relative to the crate, or a bare name under its priv directory.
    #[arg(long, value_name = "PATH")]
    migrations_path: Option<PathBuf>,

    /// Make an up and a down file.
    #[arg(long, conflicts_with = "simple")]
    pair: bool,

    /// Make one file without a way back.
    #[arg(long)]
    simple: bool,

    /// Take the next number as the version.
    #[arg(long, conflicts_with = "timestamp")]
    sequential: bool,

    /// Take the time as the version.
    #[arg(long)]
    timestamp: bool,

    #[command(flatten)]
    several: Several,
}

/// Which lane a migration is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OneLane {
    /// `migrations/`.
    Automatic,
    /// `manual_migrations/`.
    Manual,
}

impl Migration {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("gen migration"))
    }

    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let mut files = Vec::new();
        for resolved in &selected.repos {
            let repo = resolved.files();
            for (path, content) in self.files(repo)? {
                let (shown, repo) = (repo.shown(&path), Some(repo.name.as_str().to_owned()));
                files.push(NewFile { path, shown, content, repo });
            }
        }
        make(selected, files)
    }

    /// Returns the files to make.
    fn files(&self, repo: &Repo) -> Result<Vec<(PathBuf, String)>> {
        let name = migration_file::normalize(&self.name)?;
        let directory = self.directory(repo)?;
        let mut everything = Vec::new();
        let archived = migration::archive_folders(repo);
        let lanes = repo.migrations.iter().chain(&repo.manual_migrations);
        for known in lanes.chain(&archived).chain([&directory]) {
            everything.extend(entries(known)?);
        }
        // A version that was squashed is recorded everywhere: a new migration with it would never run.
        let squashed = squashed(repo)?;
        let taken =
            |entry: &&Entry| entry.migration_name().is_some_and(|taken| taken.eq_ignore_ascii_case(&name));
        if let Some(twin) = everything.iter().chain(&squashed).find(taken) {
            let message =
                format!("a migration called `{name}` is there already: `{}`", text::line(&twin.file_name));
            return Err(Error::new(Kind::Configuration, message).help("choose another name"));
        }
        let mut style =
            Style::of(&entries(&directory)?).or_else(|| Style::of(&everything)).unwrap_or_else(|| {
                let style = Style::of_ledger(repo.layout_ledger.or(repo.ledger.kind));
                match (style.numbering, Style::of(&squashed).map(|squashed| squashed.numbering)) {
                    // The version of a time with dashes is the one without.
                    (Numbering::DashedTimestamp, Some(Numbering::Timestamp)) | (_, None) => style,
                    (_, Some(numbering)) => Style { numbering, ..style },
                }
            });
        if self.pair || self.simple {
            style.shape = style.shape.with_down_side(self.pair)?;
        }
        let versions: Vec<String> = everything.iter().chain(&squashed).filter_map(Entry::version).collect();
        if self.sequential {
            style.numbering = style.numbering.or_sequence(&versions).ok_or_else(times_alone)?;
        } else if self.timestamp {
            style.numbering = Numbering::Timestamp;
        }
        let version = style.numbering.next(jiff::Timestamp::now(), &versions, style.shape);
        Ok(style
            .shape
            .files(&version, &name)
            .into_iter()
            .map(|(file, content)| (directory.join(file), content))
            .collect())
    }

    fn directory(&self, repo: &Repo) -> Result<PathBuf> {
        if let Some(path) = &self.migrations_path {
            return Ok(migrations_directory(repo, path, Path::is_dir));
        }
        let (configured, word) = match self.lane {
            OneLane::Automatic => (&repo.migrations, "migrations"),
            OneLane::Manual => (&repo.manual_migrations, "manual-migrations"),
        };
        configured.first().cloned().ok_or_else(|| {
            Error::new(Kind::Configuration, format!("{} has no directory for such migrations", repo.name))
                .help(format!("configure `{word}`, or pass `--migrations-path`"))
        })
    }
}

/// The error of a sequence beside times.
fn times_alone() -> Error {
    Error::new(
        Kind::Configuration,
        "`--sequential` does not go with the times that number the migrations there",
    )
    .note("a number would sort before all of them")
    .help("leave `--sequential` away")
}

/// Returns what the squash floor names, as if its files were there.
fn squashed(repo: &Repo) -> Result<Vec<Entry>> {
    let floor = Floor::read(repo)?.unwrap_or_default();
    let entry = |squashed: &FloorEntry| Entry {
        file_name: format!("{}_{}.sql", squashed.version, squashed.name),
        is_directory: false,
        sections: false,
    };
    Ok(floor.entries().map(entry).collect())
}

/// Returns what a directory holds; nothing when it is not there.
fn entries(directory: &Path) -> Result<Vec<Entry>> {
    let listing = match std::fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", directory, error)),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| Error::io("read", directory, error))?;
        let Ok(file_name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        let is_directory = path.join("up.sql").is_file();
        let sections = !is_directory
            && file_name.ends_with(".sql")
            && std::fs::read_to_string(&path).is_ok_and(|text| text.contains(Shape::DBMATE_MARK));
        entries.push(Entry { file_name, is_directory, sections });
    }
    Ok(entries)
}
