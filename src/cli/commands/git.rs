//! `git`: what git is to know of structure files.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dbsetup::structure::floor::Floor;
use dbsetup::{Error, Kind, Result};

use crate::cli::args::Format;
use crate::cli::context::{Output, Selected};
use crate::git::{Git, attributes};
use crate::ui::json::Object;

/// What the driver is called in the attributes and in git's configuration.
const DRIVER: &str = "dbsetup";
/// Its settings. `%P` comes quoted from git.
const SETTINGS: [(&str, &str); 2] = [
    ("merge.dbsetup.name", "structure files of cargo dbsetup, by object"),
    ("merge.dbsetup.driver", "cargo dbsetup merge-driver %O %A %B %P"),
];

/// Tell git how to merge structure files.
#[derive(Debug, Clone, Subcommand)]
pub enum GitCommand {
    Install(Install),
}

/// Have git merge structure files by object.
///
/// Writes a line for each structure file and each squash floor into `.gitattributes` at the root of the repository, which is to be committed,
/// and names the merge driver in the configuration of this clone: every clone needs that once. Other lines stay as they
/// are. Running it again changes nothing.
#[derive(Debug, Clone, Args)]
pub struct Install {
    /// Print what would be written, and write nothing.
    #[arg(long)]
    print: bool,
}

impl GitCommand {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let Self::Install(command) = self;
        command.run(selected)
    }
}

/// One repository, and the structure files and floors in it, from its root.
struct Place {
    git: Git,
    structures: Vec<PathBuf>,
}

impl Install {
    fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let mut plan = Vec::new();
        let mut printed = String::new();
        for place in places(selected)? {
            let path = place.git.root().join(".gitattributes");
            let present = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(Error::io("read", &path, error)),
            };
            let (text, added) = attributes::with_driver(&present, &place.structures, DRIVER);
            let open =
                SETTINGS.iter().filter(|(key, value)| place.git.setting(key).as_deref() != Some(*value));
            if self.print {
                let all: Vec<String> =
                    place.structures.iter().map(|path| attributes::line(path, DRIVER)).collect();
                printed += &format!("# {}\n{}\n\n", path.display(), all.join("\n"));
                for (key, value) in SETTINGS {
                    printed += &format!("git config {key} {}\n", shell_words::quote(value));
                }
            } else if selected.options.dry_run {
                plan.extend(added.iter().map(|line| format!("write into {}: {line}", path.display())));
                plan.extend(
                    open.map(|(key, value)| format!("git config {key} {}", shell_words::quote(value))),
                );
            } else {
                if !added.is_empty() {
                    std::fs::write(&path, text).map_err(|error| Error::io("write", &path, error))?;
                }
                let set: Vec<&str> = open
                    .map(|(key, value)| place.git.set(key, value).map(|()| *key))
                    .collect::<Result<_>>()?;
                tell(selected, &place, &path, &added, &set);
            }
        }
        if self.print {
            if selected.options.format == Some(Format::Json) {
                printed = Object::new("git_setup").text("text", &printed).line();
            }
            return Ok(Output::Data { event: "", text: printed });
        }
        Ok(Output::of(selected.options.dry_run, plan))
    }
}

/// Says what was done, and what else in the repository stands against it.
fn tell(selected: &Selected<'_>, place: &Place, path: &Path, added: &[String], set: &[&str]) {
    let ui = selected.ui;
    let path = path.display();
    added.iter().for_each(|line| ui.success(&format!("{path} has the line: {line}")));
    set.iter().for_each(|key| ui.success(&format!("The configuration of this clone has `{key}`")));
    if added.is_empty() && set.is_empty() {
        ui.success(&format!("git merges the structure files of {path} by object already"));
    } else if !added.is_empty() {
        ui.success("Commit .gitattributes; in every other clone, run `cargo dbsetup git install` once");
    }
    for structure in &place.structures {
        if place.git.attribute("merge", structure).as_deref() != Some(DRIVER) {
            let text = format!("another line of the attributes keeps {} from it", structure.display());
            ui.warning(&text, Some("see `git check-attr merge -- PATH`"));
        }
    }
}

/// Returns the repositories of the selected repos.
fn places(selected: &Selected<'_>) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    for resolved in &selected.repos {
        let structure = &resolved.files().structure;
        let (git, path) = Git::of_file(structure).ok_or_else(|| {
            let what = format!("the files of `{}` are in no git repository", resolved.name());
            Error::new(Kind::Configuration, what)
                .note(format!("looked around {}", structure.display()))
                .help("make one with `git init`, or install git")
        })?;
        // The floor is there once something was squashed; the attribute is to be there before two branches have.
        let files = [Floor::path(&path), path];
        match places.iter_mut().find(|place| place.git == git) {
            Some(place) => place.structures.extend(files),
            None => places.push(Place { git, structures: files.to_vec() }),
        }
    }
    places.iter_mut().for_each(|place| {
        place.structures.sort();
        place.structures.dedup();
    });
    Ok(places)
}
