//! `merge-driver`: what git calls for a structure file, or a squash floor, that two branches have changed.

use std::path::{Path, PathBuf};

use clap::Args;
use dbsetup::structure::{floor, objects};
use dbsetup::{Error, Result};

use crate::cli::context::{Output, Selected};
use crate::git;
use crate::ui::Ui;
use crate::ui::json::Object;
use crate::ui::text;

/// Merge two versions of a structure file by object, and the versions in it as a set; of a squash floor as a set, too.
///
/// git calls it: `cargo dbsetup git install` tells it to. The result goes into OURS. It ends with 1 where an object needs
/// a decision; conflict markers stand around that object alone. What is neither of ours is merged by lines, as git does. See gitattributes(5), "Defining a custom merge driver".
#[derive(Debug, Clone, Args)]
pub struct MergeDriver {
    /// The common ancestor (`%O`); empty where there was no file.
    #[arg(value_name = "BASE")]
    base: PathBuf,

    /// The version of the branch that is merged into (`%A`); the result goes here.
    #[arg(value_name = "OURS")]
    ours: PathBuf,

    /// The version of the branch that is merged (`%B`).
    #[arg(value_name = "THEIRS")]
    theirs: PathBuf,

    /// What the file is called in the repository (`%P`), for messages.
    #[arg(value_name = "PATH")]
    path: Option<String>,
}

impl MergeDriver {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| Error::io("read", path, error));
        let versions = [read(&self.base)?, read(&self.ours)?, read(&self.theirs)?];
        let shown = self.path.clone().unwrap_or_else(|| self.ours.display().to_string());
        let shown = text::line(&shown);
        match merged(&versions) {
            Ok((text, conflicts)) => {
                replace(&self.ours, text.as_bytes())?;
                conflicts.iter().for_each(|conflict| tell(selected.ui, &shown, conflict));
                Ok(if conflicts.is_empty() { Output::Done } else { Output::Failed })
            }
            Err(why) => {
                let why = text::line(why.message()).into_owned();
                selected.ui.reason(&format!("{shown} is merged by lines, as git does: {why}"));
                let (merged, conflicts) = git::merge_file(&self.ours, &self.base, &self.theirs)?;
                replace(&self.ours, &merged)?;
                if conflicts {
                    selected.ui.reason(&format!("CONFLICT in {shown}"));
                }
                Ok(if conflicts { Output::Failed } else { Output::Done })
            }
        }
    }
}

/// Something that needs a decision: what it is, and how the sides disagree about it.
struct Conflict {
    object: String,
    why: String,
}

fn merged(versions: &[Vec<u8>; 3]) -> Result<(String, Vec<Conflict>)> {
    let utf8 = |bytes| {
        std::str::from_utf8(bytes)
            .map_err(|error| Error::new(dbsetup::Kind::Unsupported, "the file is not UTF-8").because(error))
    };
    let [base, ours, theirs] = versions;
    let (base, ours, theirs) = (utf8(base)?, utf8(ours)?, utf8(theirs)?);
    if floor::is_floor(ours) && floor::is_floor(theirs) {
        let merged = floor::merge(base, ours, theirs)?;
        let conflict = |version: String| Conflict {
            object: format!("version {version}"),
            why: format!("version {version}: the two sides list it in different ways"),
        };
        return Ok((merged.text, merged.conflicts.into_iter().map(conflict).collect()));
    }
    let merged = objects::merge(base, ours, theirs)?;
    let conflict =
        |conflict: objects::Conflict| Conflict { why: conflict.to_string(), object: conflict.object };
    Ok((merged.text, merged.conflicts.into_iter().map(conflict).collect()))
}

fn tell(ui: &Ui, path: &str, conflict: &Conflict) {
    let why = text::line(&conflict.why).into_owned();
    ui.reason(&format!("CONFLICT in {path}: {why}"));
    ui.json(Object::new("conflict").text("path", path).text("object", &conflict.object).text("why", &why));
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| Error::io("write", path, error))
}
