//! Which `create` of a plan may copy a template: one that the plan makes ready at once, so that a copy is what it would
//! come to.

use dbsetup::driver::TemplateName;
use dbsetup::migration::Lanes;
use dbsetup::repo::Repo;
use dbsetup::template::{self, Recipe};
use dbsetup_cli::commands::Command as Shared;

use super::commands::Command;
use super::plan::Action;
use super::prepare::{Prepared, PreparedStep};

/// How the words of a plan's line begin that says what a database is copied from.
pub const FROM_TEMPLATE: &str = "from the template ";

/// Returns what the steps after the `create` at `at` make of the database of `repo`: `load --skip-if-loaded` where it
/// is one of them, and `migrate` with everything that is pending. Whatever else comes between is to see an empty database.
/// A copy has no migrations to run, so there is none where a dump follows from those that would be.
pub fn recipe(prepared: &Prepared, at: usize, repo: usize) -> Option<Recipe> {
    let create = &prepared.steps[at].step;
    if !matches!(&create.action, Action::Command(command) if matches!(**command, Command::Create(_))) {
        return None;
    }
    let files = prepared.repos[repo].files();
    for prepared in &prepared.steps[at + 1..] {
        match &prepared.step.action {
            Action::Program(_) => return None,
            Action::Command(_) if !prepared.repos.contains(&repo) => {}
            // What only says what it would do does not make the database ready.
            Action::Command(_) if prepared.step.options.dry_run != create.options.dry_run => return None,
            Action::Command(command) => match &**command {
                Command::Shared(Shared::Load(load)) if load.is_plain() => {}
                Command::Shared(Shared::Migrate(migrate)) => {
                    let lanes = migrate.plain_lanes()?;
                    return (!would_dump(files, lanes)).then_some(Recipe { lanes, seeds: false });
                }
                _ => return None,
            },
        }
    }
    None
}

/// Returns the same of the `create` that follows the `drop` at `at` with nothing between that is about this repo or could
/// write its files.
pub fn recipe_after_drop(prepared: &Prepared, at: usize, repo: usize) -> Option<Recipe> {
    let is_next = |prepared: &PreparedStep| match &prepared.step.action {
        Action::Program(_) => true,
        Action::Command(_) => prepared.repos.contains(&repo),
    };
    let next = at + 1 + prepared.steps[at + 1..].iter().position(is_next)?;
    recipe(prepared, next, repo)
}

/// Whether a `migrate` of a new database is followed by a dump: some migration is not in the structure file yet.
fn would_dump(repo: &Repo, lanes: Lanes) -> bool {
    let dumps = repo.dump_after_migrate && repo.environment == "dev";
    // Files that cannot be read are told of by whoever runs them.
    dumps && !template::is_recorded(repo, lanes).unwrap_or(false)
}

/// Returns what a plan says of a database that is made: copied, where there is a template.
pub fn planned(target: &str, template: Option<&TemplateName>) -> String {
    match template {
        Some(template) => format!("create the database {target} {FROM_TEMPLATE}{template}"),
        None => format!("create the database {target}"),
    }
}
