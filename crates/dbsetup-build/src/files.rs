//! The files of a repo, read from the disk as they are when the crate is built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::paths::{entries, relative};
use crate::problem::{Problem, Result};
use crate::settings::Settings;

/// Directories below each other that are followed; more is a link that leads to its own parent.
const LEVELS: usize = 16;

/// Files by their path from the crate, with `/`. A path that ends with `/` is a directory without files.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Reads everything of a repo.
///
/// # Errors
/// A [`Problem`]: text that is not UTF-8, a link that leaves the repo's directories, a directory that is configured and
/// not there, a squash that was interrupted, or nothing at all.
pub(crate) fn read(name: &str, settings: &[&Settings], dir: &Path) -> Result<Files> {
    let mut reader = Reader { dir, files: Files::new(), seen: BTreeSet::new() };
    for settings in settings {
        reader.repo(name, settings)?;
    }
    if reader.files.is_empty() {
        let priv_dir = settings.first().map(|settings| settings.priv_dir.display().to_string());
        let priv_dir = priv_dir.unwrap_or_default();
        return Err(Problem::new(format!("repo `{name}` has no files to embed"))
            .note(format!("there are no migrations, no structure file and no seeds in `{priv_dir}`"))
            .help(format!("write the first migration: `cargo dbsetup gen migration NAME --repo {name}`; or an empty directory is enough: mkdir -p {priv_dir}/migrations")));
    }
    Ok(reader.files)
}

struct Reader<'a> {
    /// The crate.
    dir: &'a Path,
    files: Files,
    /// What was read: environments mostly share their directories.
    seen: BTreeSet<PathBuf>,
}

impl Reader<'_> {
    fn repo(&mut self, name: &str, settings: &Settings) -> Result<()> {
        let Settings { priv_dir, structure, .. } = settings;
        let stem = structure.file_stem().unwrap_or_default().to_string_lossy();
        if structure.with_file_name(format!(".{stem}.dbsetup-squash")).is_file() {
            return Err(Problem::new(format!(
                "a squash of repo `{name}` was interrupted: its files are half moved"
            ))
            .help(format!("finish it: `cargo dbsetup squash --repo {name}`; or give it up with `--abort`")));
        }
        for lane in settings.lanes() {
            let is_usual = ["migrations", "manual_migrations", "dumped_migrations"]
                .iter()
                .any(|usual| *lane == priv_dir.join(usual));
            if lane.is_dir() {
                let home = if lane.starts_with(priv_dir) { priv_dir } else { lane };
                self.directory(lane, home, LEVELS)?;
            } else if !is_usual && !settings.archive.contains(lane) {
                return Err(Problem::new(format!(
                    "there is no migrations directory `{}` for repo `{name}`",
                    lane.display()
                ))
                .note("it is configured by name")
                .help(format!("mend the name, or make it: mkdir -p {}", lane.display())));
            }
        }
        let home = if structure.starts_with(priv_dir) { &**priv_dir } else { parent(structure) };
        self.file(structure, home)?;
        self.file(&structure.with_extension("floor"), home)?;
        self.file(&priv_dir.join("seeds.sql"), priv_dir)?;
        let seeds = priv_dir.join("seeds");
        if seeds.is_dir() {
            self.directory(&seeds, priv_dir, LEVELS)?;
        }
        Ok(())
    }

    /// Reads a directory and all below it. `home` is what links must not leave.
    fn directory(&mut self, path: &Path, home: &Path, levels: usize) -> Result<()> {
        if !self.seen.insert(path.to_path_buf()) {
            return Ok(());
        }
        if levels == 0 {
            return Err(Problem::new(format!("`{}` lies too deep", path.display()))
                .help("a link leads to a directory around it: remove it"));
        }
        self.refuse_escape(path, home)?;
        std::fs::read_dir(path).map_err(|error| Problem::io("read the directory", path, &error))?;
        let before = self.files.len();
        for entry in entries(path) {
            // Hidden entries are never migrations; Emacs' lock files are links that lead nowhere.
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                self.directory(&path, home, levels - 1)?;
            } else if is_ours(&path) {
                self.file(&path, home)?;
            }
        }
        if self.files.len() == before {
            self.files.insert(format!("{}/", self.key(path)?), Vec::new());
        }
        Ok(())
    }

    /// Reads a file, if it is there.
    fn file(&mut self, path: &Path, home: &Path) -> Result<()> {
        self.refuse_escape(path, home)?;
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !path.is_symlink() => return Ok(()),
            Err(error) => return Err(Problem::io("read", path, &error)),
        };
        if let Err(error) = std::str::from_utf8(&bytes) {
            let at = error.valid_up_to();
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            return Err(Problem::new(format!(
                "`{}` is not UTF-8: byte 0x{:02x} at offset {at} (line {line})",
                path.display(),
                bytes[at]
            ))
            .help("save the file as UTF-8"));
        }
        self.files.insert(self.key(path)?, bytes);
        Ok(())
    }

    fn key(&self, path: &Path) -> Result<String> {
        relative(path, self.dir)
            .ok_or_else(|| Problem::new(format!("`{}` is on another drive than the crate", path.display())))
    }

    /// A link that leads out of the repo's directories would put into the binary what nobody reviewed.
    fn refuse_escape(&self, path: &Path, home: &Path) -> Result<()> {
        if path == home || !path.is_symlink() {
            return Ok(());
        }
        let real = path.canonicalize().map_err(|error| Problem::io("follow the link", path, &error))?;
        if home.canonicalize().is_ok_and(|home| real.starts_with(home)) {
            return Ok(());
        }
        Err(Problem::new(format!("the link `{}` leaves `{}`", path.display(), home.display()))
            .note(format!("it leads to `{}`", real.display()))
            .help("put the file itself there, or name the directory that it leads to in Cargo.toml"))
    }
}

/// Whether a file of a lane means something to somebody who runs migrations. One in Rust is refused by its name there.
fn is_ours(path: &Path) -> bool {
    let is_one_of = |names: &[&str]| {
        path.extension()
            .is_some_and(|extension| names.iter().any(|name| extension.eq_ignore_ascii_case(name)))
    };
    is_one_of(&["sql", "rs"]) || path.file_name().is_some_and(|name| name == "metadata.toml")
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
