//! Which `create` of a plan may copy a template: one that the plan makes ready at once, so that a copy is what it would
//! come to.

use dbsetup::template::Recipe;
use dbsetup_cli::commands::Command as Shared;

use super::commands::Command;
use super::plan::Action;
use super::prepare::Prepared;

/// How the words of a plan's line begin that says what a database is copied from.
pub const FROM_TEMPLATE: &str = "from the template ";

/// Returns what the steps after the `create` at `at` make of the database of `repo`: `load --skip-if-loaded` where it
/// is one of them, and `migrate` with everything that is pending. Whatever else comes between is to see an empty database.
pub fn recipe(prepared: &Prepared, at: usize, repo: usize) -> Option<Recipe> {
    for prepared in &prepared.steps[at + 1..] {
        match &prepared.step.action {
            Action::Program(_) => return None,
            Action::Command(_) if !prepared.repos.contains(&repo) => {}
            Action::Command(command) => match &**command {
                Command::Shared(Shared::Load(load)) if load.is_plain() => {}
                Command::Shared(Shared::Migrate(migrate)) => {
                    return migrate.plain_lanes().map(|lanes| Recipe { lanes, seeds: false });
                }
                _ => return None,
            },
        }
    }
    None
}

/// Returns what a plan says of a database that is copied.
pub fn planned(target: &str, template: &str) -> String {
    format!("create the database {target} {FROM_TEMPLATE}{template}")
}
