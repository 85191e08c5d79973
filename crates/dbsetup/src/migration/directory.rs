//! Reads one directory of migrations in whatever grammar it speaks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::grammar::{self, Grammar, Named, Side};
use super::script::{Script, read_text};
use super::{Migration, Version, directive, sections};
use crate::error::{Error, Kind, Result, Site};
use crate::repo::{Lane, Repo};

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub grammar: Option<Grammar>,
    pub migrations: Vec<Migration>,
    /// What deserves a look, with its place.
    pub warnings: Vec<(String, Option<String>)>,
}

/// One entry of the directory that is a migration, or a side of one.
struct Found {
    path: PathBuf,
    version: Version,
    name: String,
    side: Side,
    unordered: bool,
}

/// Reads a directory that exists.
///
/// # Errors
/// [`Kind::Grammar`] for names that do not parse, two grammars, directives that are none, a down side without an up
/// side; [`Kind::DuplicateVersion`]; [`Kind::Io`]; [`Kind::Configuration`] for a link that leaves the priv directory.
pub(super) fn read(repo: &Repo, path: &Path, lane: Lane) -> Result<Directory> {
    let mut directory = Directory::default();
    let (mut plain, mut refinery, mut diesel) = (Vec::new(), Vec::new(), Vec::new());
    let (mut unknown, mut without_up) = (Vec::new(), None);
    for (entry, is_dir) in entries(repo, path)? {
        let shown = repo.shown(&entry);
        let file = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_dir {
            if !file.starts_with('.') && entry.join("up.sql").is_file() {
                let (version, name) = grammar::read_directory_name(&file).ok_or_else(|| {
                    Error::new(Kind::Grammar, format!("`{}` does not begin with a version", shown.display()))
                })?;
                diesel.push(Found { path: entry, version, name, side: Side::Up, unordered: false });
            } else if file.starts_with(|c: char| c.is_ascii_digit()) && holds_anything(&entry) {
                without_up.get_or_insert(shown);
            }
            continue;
        }
        match grammar::read_file_name(&file) {
            Named::Plain { version, name, side } => {
                plain.push(Found { path: entry, version, name, side, unordered: false });
            }
            Named::Refinery { version, name, unordered } => {
                refinery.push(Found { path: entry, version, name, side: Side::Up, unordered });
            }
            Named::RefineryRust => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("`{}` is written in Rust", shown.display()),
                )
                .help("run migrations that are written in Rust with refinery, or write this one in SQL"));
            }
            Named::Leftover => directory.warnings.push((
                format!("`{}` looks like an editor's leftover and is not run", shown.display()),
                None,
            )),
            Named::Unknown(why) => unknown.push((shown, why)),
            Named::Other => {}
        }
    }
    refuse_mixture(repo, &[&plain, &refinery, &diesel])?;
    if let (Some(shown), false) = (without_up, diesel.is_empty()) {
        return Err(Error::new(
            Kind::Grammar,
            format!("`{}` would never run: it has no `up.sql`", shown.display()),
        )
        .help("write the `up.sql`, or remove the directory"));
    }
    // diesel reads directories alone: a script beside them is there on purpose.
    if let (Some((shown, why)), true) = (unknown.into_iter().next(), diesel.is_empty()) {
        return Err(Error::new(Kind::Grammar, format!("`{}` would never run: {why}", shown.display()))
            .help("rename it to `VERSION_name.sql`, or move it out of the directory"));
    }
    let source = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = Place { repo, directory: path, source: &source, lane };
    if !diesel.is_empty() {
        directory.grammar = Some(Grammar::Diesel);
        for found in diesel {
            directory.migrations.push(place.diesel(found, &mut directory.warnings)?);
        }
    } else if !refinery.is_empty() {
        directory.grammar = Some(Grammar::Refinery);
        for found in refinery {
            let script = place.script(&found.path, &mut directory.warnings)?;
            directory.migrations.push(place.migration(found, Grammar::Refinery, script, None));
        }
    } else if !plain.is_empty() {
        place.plain(plain, &mut directory)?;
    }
    Ok(directory)
}

/// Returns the entries by name, and whether each is a directory; refinery's directories are read whole, as refinery
/// does.
fn entries(repo: &Repo, path: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let shown = repo.shown(path);
    let mut entries = Vec::new();
    let mut pending = vec![path.to_path_buf()];
    while let Some(next) = pending.pop() {
        let listing =
            std::fs::read_dir(&next).map_err(|error| Error::io("read the directory", &shown, error))?;
        for entry in listing {
            let entry = entry.map_err(|error| Error::io("read the directory", &shown, error))?;
            // Hidden entries are never migrations; Emacs' lock files are links that lead nowhere.
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path_of_entry = entry.path();
            // The listing itself tells the type on most systems: a thousand files are not worth a thousand questions.
            let found =
                entry.file_type().map_err(|error| Error::io("read", &repo.shown(&path_of_entry), error))?;
            if found.is_symlink() {
                refuse_escape(repo, path, &path_of_entry)?;
            }
            let is_dir = found.is_dir() || (found.is_symlink() && path_of_entry.is_dir());
            if is_dir && holds_refinery_files(&path_of_entry) {
                pending.push(path_of_entry);
            } else {
                entries.push((path_of_entry, is_dir));
            }
        }
    }
    // Comparing paths part by part would cost more than all the rest of the reading.
    entries.sort_unstable_by(|(one, _), (other, _)| one.as_os_str().cmp(other.as_os_str()));
    Ok(entries)
}

/// Whether a directory has entries: what is left of a removed migration often has none, and git does not keep it.
fn holds_anything(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut listing| listing.next().is_some())
}

fn holds_refinery_files(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut listing| {
        listing.any(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name();
                matches!(
                    grammar::read_file_name(&name.to_string_lossy()),
                    Named::Refinery { .. } | Named::RefineryRust
                )
            })
        })
    })
}

/// A link that leads out of the directory and out of the repo's own would run what nobody reviewed.
pub(crate) fn refuse_escape(repo: &Repo, directory: &Path, link: &Path) -> Result<()> {
    let real = link.canonicalize().map_err(|error| Error::io("follow the link", &repo.shown(link), error))?;
    let inside = |root: &Path| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    if inside(directory) || inside(&repo.priv_dir) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Configuration,
        format!(
            "`{}` is a link that leaves `{}`",
            repo.shown(link).display(),
            repo.shown(&repo.priv_dir).display()
        ),
    )
    .note(format!("it leads to `{}`", real.display()))
    .help("copy the file into the directory, or configure the directory that holds it"))
}

fn refuse_mixture(repo: &Repo, kinds: &[&Vec<Found>]) -> Result<()> {
    let mut present = kinds.iter().filter_map(|found| found.first());
    if let (Some(first), Some(second)) = (present.next(), present.next()) {
        return Err(Error::new(
            Kind::Grammar,
            format!(
                "`{}` and `{}` follow two grammars in one directory",
                repo.shown(&first.path).display(),
                repo.shown(&second.path).display()
            ),
        )
        .help("keep one grammar in a directory"));
    }
    Ok(())
}

/// Where migrations are read from.
struct Place<'a> {
    repo: &'a Repo,
    directory: &'a Path,
    source: &'a str,
    lane: Lane,
}

type Warnings = Vec<(String, Option<String>)>;

impl Place<'_> {
    fn migration(&self, found: Found, grammar: Grammar, up: Loaded, down: Option<Script>) -> Migration {
        Migration {
            version: found.version,
            name: found.name,
            lane: self.lane,
            source: self.source.to_owned(),
            directory: self.directory.to_path_buf(),
            grammar,
            unordered: found.unordered,
            up: up.script,
            down,
            requires: up.requires,
        }
    }

    /// Reads a file whose directives decide how it runs.
    fn script(&self, path: &Path, warnings: &mut Warnings) -> Result<Loaded> {
        let shown = self.repo.shown(path);
        let text = read_text(path, &shown)?;
        self.loaded(shown, text, warnings)
    }

    fn loaded(&self, shown: PathBuf, text: Arc<str>, warnings: &mut Warnings) -> Result<Loaded> {
        let mut script = Script::whole(shown.clone(), text.clone(), true);
        let found = directive::read(script.sql());
        if let Some((range, name)) = found.unknown.into_iter().next() {
            return Err(Error::new(Kind::Grammar, format!("unknown directive `dbsetup:{name}`"))
                .at(script.site(range))
                .help("the directives are `no-transaction`, `requires: VERSION` and `allow RULE REASON`"));
        }
        for (range, meant) in found.near_misses {
            let site = Site::in_text(&shown, script.sql(), range);
            warnings.push((
                format!(
                    "`{}:{}`: this comment is no directive: `{}`",
                    shown.display(),
                    site.at.line,
                    site.excerpt.trim()
                ),
                Some(format!("write {meant}")),
            ));
        }
        script.transactional = !found.no_transaction;
        Ok(Loaded { script, requires: found.requires })
    }

    fn diesel(&self, found: Found, warnings: &mut Warnings) -> Result<Migration> {
        let transactional = runs_in_transaction(&found.path.join("metadata.toml"), self.repo, warnings);
        for file in ["up.sql", "down.sql", "metadata.toml"].map(|file| found.path.join(file)) {
            if file.is_symlink() {
                refuse_escape(self.repo, self.directory, &file)?;
            }
        }
        let mut up = self.script(&found.path.join("up.sql"), warnings)?;
        up.script.transactional &= transactional;
        let down_path = found.path.join("down.sql");
        let down = if down_path.is_file() {
            let mut down = self.script(&down_path, warnings)?.script;
            down.transactional &= transactional;
            Some(down)
        } else {
            None
        };
        Ok(self.migration(found, Grammar::Diesel, up, down))
    }

    /// Reads plain files, which are dbmate's when their text has its sections.
    fn plain(&self, found: Vec<Found>, directory: &mut Directory) -> Result<()> {
        let mut downs: BTreeMap<Version, (PathBuf, Loaded)> = BTreeMap::new();
        let mut ups = Vec::new();
        let mut sample: [Option<PathBuf>; 2] = [None, None];
        for found in found {
            let shown = self.repo.shown(&found.path);
            let text = read_text(&found.path, &shown)?;
            let has_sections = found.side == Side::Up && sections::present(&text);
            sample[usize::from(has_sections)].get_or_insert_with(|| shown.clone());
            if has_sections {
                let (up, down) = sections::read(&shown, &text)?;
                let loaded = self.loaded(shown, text, &mut directory.warnings)?;
                ups.push((
                    found,
                    Loaded { script: up, requires: loaded.requires },
                    Some(down),
                    Grammar::Dbmate,
                ));
                continue;
            }
            let loaded = self.loaded(shown.clone(), text, &mut directory.warnings)?;
            if found.side == Side::Down {
                if let Some((other, _)) = downs.insert(found.version.clone(), (shown.clone(), loaded)) {
                    return Err(super::set::duplicate(&found.version, &other, &shown));
                }
            } else {
                ups.push((found, loaded, None, Grammar::Plain));
            }
        }
        if let [Some(without), Some(with)] = &sample {
            return Err(Error::new(
                Kind::Grammar,
                format!("`{}` has `-- migrate:up`, and `{}` has not", with.display(), without.display()),
            )
            .help("keep one grammar in a directory"));
        }
        for (found, up, down, grammar) in ups {
            let down = down.or_else(|| downs.remove(&found.version).map(|(_, loaded)| loaded.script));
            directory.grammar = Some(grammar);
            directory.migrations.push(self.migration(found, grammar, up, down));
        }
        if let Some((version, (path, _))) = downs.into_iter().next() {
            return Err(Error::new(
                Kind::Grammar,
                format!("`{}` is the down side of version {version}, which has no up side", path.display()),
            )
            .help("add the up side, or remove the file"));
        }
        Ok(())
    }
}

/// A script with what its directives ask for besides.
struct Loaded {
    script: Script,
    requires: Vec<String>,
}

/// Reads `run_in_transaction` of diesel's `metadata.toml` as diesel does: an absent or unreadable file means yes, a
/// file without the key means no.
fn runs_in_transaction(path: &Path, repo: &Repo, warnings: &mut Warnings) -> bool {
    let Ok(text) = std::fs::read_to_string(path) else { return true };
    match metadata_value(&text) {
        Some(value) => value,
        None => {
            warnings.push((
                format!(
                    "`{}` is not understood; the migration runs in a transaction",
                    repo.shown(path).display()
                ),
                Some("write `run_in_transaction = false` or `true`".into()),
            ));
            true
        }
    }
}

/// Returns the value of the key, `false` where it is missing, `None` where the text is not such a file.
fn metadata_value(text: &str) -> Option<bool> {
    let mut value = false;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || (line.starts_with('[') && line.ends_with(']')) {
            continue;
        }
        let (key, right) = line.split_once('=')?;
        if key.trim().trim_matches('"') == "run_in_transaction" {
            value = match right.trim() {
                "true" => true,
                "false" => false,
                _ => return None,
            };
        } else if right.trim().is_empty() {
            return None;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing;

    /// Reads a directory of these files, all with the same text.
    fn read_files(files: &[&str]) -> Result<Directory> {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
            std::fs::write(path, "select 1;").expect("it is writable");
        }
        read(&testing::repo(), dir.path(), Lane::Automatic)
    }

    #[test]
    fn a_script_beside_diesels_directories_is_none_of_its_migrations() {
        let directory = read_files(&["20260101_a/up.sql", "backfill.sql"]).expect("diesel passes over it");
        assert_eq!(directory.grammar, Some(Grammar::Diesel));
        assert_eq!(directory.migrations.len(), 1);
        let error = read_files(&["20260101_a.sql", "backfill.sql"]).expect_err("its name is a mistake");
        assert!(error.message().contains("would never run"), "{error}");
        let error =
            read_files(&["20260101_a/up.sql", "20260102_b.sql"]).expect_err("one of them is a mistake");
        assert!(error.message().contains("two grammars"), "{error}");
    }

    #[test]
    fn a_migration_of_diesels_without_its_up_side_is_not_passed_over_in_silence() {
        let error = read_files(&["20260101_a/up.sql", "20260102_b/down.sql"]).expect_err("diesel fails too");
        assert!(error.message().contains("it has no `up.sql`"), "{error}");
        assert!(read_files(&["20260101_a/up.sql", "20260102_b/.keep", "notes/x.md"]).is_err());
        assert!(read_files(&["20260101_a/up.sql", "notes/x.md"]).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leaves_the_directory_is_refused_in_every_grammar() {
        use std::os::unix::fs::symlink;

        let root = tempfile::tempdir().unwrap();
        let mut repo = testing::repo();
        repo.priv_dir = root.path().join("priv");
        let migrations = repo.priv_dir.join("migrations");
        std::fs::create_dir_all(migrations.join("1_a")).unwrap();
        std::fs::write(root.path().join("outside.sql"), "select 1;").unwrap();
        symlink("user@host.1234", migrations.join(".#2_b.sql")).unwrap();
        symlink(root.path().join("outside.sql"), migrations.join("1_a/up.sql")).unwrap();
        assert_eq!(read(&repo, &migrations, Lane::Automatic).unwrap_err().kind(), Kind::Configuration);
        std::fs::remove_file(migrations.join("1_a/up.sql")).unwrap();
        std::fs::write(migrations.join("1_a/up.sql"), "select 1;").unwrap();
        assert_eq!(read(&repo, &migrations, Lane::Automatic).unwrap().migrations.len(), 1);
    }

    #[test]
    fn diesels_metadata_has_its_quirks() {
        assert_eq!(metadata_value("run_in_transaction = false\n"), Some(false));
        assert_eq!(metadata_value("run_in_transaction = true # yes\n"), Some(true));
        assert_eq!(metadata_value(""), Some(false));
        assert_eq!(metadata_value("# nothing\n"), Some(false));
        assert_eq!(metadata_value("run_in_transaction = maybe\n"), None);
        assert_eq!(metadata_value("what is this\n"), None);
    }
}
