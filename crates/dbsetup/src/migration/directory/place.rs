//! Migrations out of the files of a directory, whatever grammar they follow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::grammar::{Grammar, Side};
use super::super::script::{Script, read_text};
use super::super::{Migration, Requirement, Version, directive, sections};
use super::{Directory, Found, metadata, refuse_escape};
use crate::error::{Error, Kind, Result, Site};
use crate::repo::{Lane, Repo};

/// Where migrations are read from.
pub(super) struct Place<'a> {
    pub repo: &'a Repo,
    pub directory: &'a Path,
    pub source: &'a str,
    pub lane: Lane,
}

pub(super) type Warnings = Vec<(String, Option<String>)>;

impl Place<'_> {
    pub fn migration(&self, found: Found, grammar: Grammar, up: Loaded, down: Option<Script>) -> Migration {
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
            code: None,
        }
    }

    /// Reads a file whose directives decide how it runs.
    pub fn script(&self, path: &Path, warnings: &mut Warnings) -> Result<Loaded> {
        let shown = self.repo.shown(path);
        let text = read_text(self.repo.files, path, &shown)?;
        self.loaded(shown, text, warnings)
    }

    pub fn loaded(&self, shown: PathBuf, text: Arc<str>, warnings: &mut Warnings) -> Result<Loaded> {
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

    pub fn diesel(&self, found: Found, warnings: &mut Warnings) -> Result<Migration> {
        let transactional =
            metadata::runs_in_transaction(&found.path.join("metadata.toml"), self.repo, warnings);
        for file in ["up.sql", "down.sql", "metadata.toml"].map(|file| found.path.join(file)) {
            if self.repo.files.is_symlink(&file) {
                refuse_escape(self.repo, self.directory, &file)?;
            }
        }
        let mut up = self.script(&found.path.join("up.sql"), warnings)?;
        up.script.transactional &= transactional;
        let down_path = found.path.join("down.sql");
        let down = if self.repo.files.is_file(&down_path) {
            let mut down = self.script(&down_path, warnings)?.script;
            down.transactional &= transactional;
            Some(down)
        } else {
            None
        };
        Ok(self.migration(found, Grammar::Diesel, up, down))
    }

    /// Reads plain files, which are dbmate's when their text has its sections.
    pub fn plain(&self, found: Vec<Found>, directory: &mut Directory) -> Result<()> {
        let mut downs: BTreeMap<Version, (PathBuf, Loaded)> = BTreeMap::new();
        let mut ups = Vec::new();
        let mut sample: [Option<PathBuf>; 2] = [None, None];
        for found in found {
            let shown = self.repo.shown(&found.path);
            let text = read_text(self.repo.files, &found.path, &shown)?;
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
                    return Err(super::super::set::duplicate(&found.version, &other, &shown));
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
pub(super) struct Loaded {
    pub script: Script,
    requires: Vec<Requirement>,
}
