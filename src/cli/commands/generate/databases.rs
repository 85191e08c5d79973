//! What the templates ask about the selected repos' databases.

use dbsetup::Result;

use crate::cli::context::Selected;
use crate::workspace::{Origin, ResolvedRepo, Workspace};

/// A repo's database, as far as a template cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The repo's name.
    pub repo: String,
    /// The variable that holds its URL.
    pub variable: String,
    /// Whether it is on a server; else it is a file.
    pub server: bool,
    /// Whether a manifest says where it is.
    pub in_manifest: bool,
}

/// Returns the databases of the selected repos; `environment` is the one that the file is for.
///
/// # Errors
/// What [`ResolvedRepo::ready`] says where nothing tells which database a repo is on.
pub fn of(selected: &Selected<'_>, workspace: &Workspace, environment: &str) -> Result<Vec<Database>> {
    selected.repos.iter().map(|repo| one(repo, workspace, environment)).collect()
}

fn one(repo: &ResolvedRepo, workspace: &Workspace, environment: &str) -> Result<Database> {
    let url = &repo.files().url;
    let server = if url.expose().is_empty() {
        // No URL here and now, as on a machine that has never seen the database: what is it built for?
        let owner = workspace.members.iter().find(|member| Some(&member.name) == repo.package.as_ref());
        let databases = owner.map(|member| &member.databases).filter(|databases| databases.len() == 1);
        match databases.and_then(|databases| databases.first()) {
            Some(database) => *database != "sqlite",
            None => {
                repo.ready()?;
                false
            }
        }
    } else {
        !matches!(url.scheme().as_str(), "sqlite" | "sqlite3" | "file" | "")
    };
    let origin = repo.settings.iter().find(|setting| setting.key == "url").map(|setting| &setting.origin);
    Ok(Database {
        repo: repo.name().as_str().to_owned(),
        variable: variable(repo, origin, environment),
        server,
        in_manifest: matches!(origin, Some(Origin::Package { .. } | Origin::Workspace { .. })),
    })
}

/// Returns the variable to set: the one that the project uses, unless it is for another environment.
fn variable(repo: &ResolvedRepo, origin: Option<&Origin>, environment: &str) -> String {
    let used = match origin {
        Some(
            Origin::Variable(name)
            | Origin::DotEnv { variable: name, .. }
            | Origin::CargoConfig { variable: name, .. },
        ) => Some(name),
        _ => None,
    };
    let usual = repo.usual_variable();
    let own = format!("{usual}_");
    match used {
        Some(name) if !name.starts_with(&own) => name.clone(),
        Some(name) if *name == format!("{own}{}", environment.to_uppercase()) => name.clone(),
        _ => usual.to_owned(),
    }
}
